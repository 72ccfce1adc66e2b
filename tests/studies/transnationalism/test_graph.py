"""Graphs of the three studies: names, options, estimands, claims; no sampling."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.transnationalism import recovery
from bayesmig.models.transnationalism.data import FOLDER
from bayesmig.models.transnationalism.printed import table
from bayesmig.models.transnationalism.second_generation import figures
from bayesmig.models.transnationalism.statements import MARGINS, OTHERS, margin
from bayesmig.testing import check_study

PRINT = bm.load_study("transnationalism")
PEOPLE = bm.load_study("transnationalism_respondents")
RATES = bm.load_study("transnationalism_second_generation")
SMALL = {"transnationalism": {}, "transnationalism_respondents": {"n": 300},
         "transnationalism_second_generation": {}}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_contract(name):
    check_study(bm.load_study(name), fit=False, **SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_contract_with_a_fit(name):
    check_study(bm.load_study(name), **SMALL[name])


def free(model):
    return {v.name: model.named_vars_to_dims.get(v.name, ()) for v in model.free_RVs}


def test_names_of_print():
    assert free(PRINT.build(PRINT.example())) == {
        "effect": ("term",),
        "ratio_position": ("term",),
        "rounding": ("term",),
        "base_probability": (),
    }
    pooled = free(PRINT.build(PRINT.example(), "pooled"))
    assert set(pooled) == {
        "common_effect", "effect_spread", "effect_raw", "ratio_position", "rounding",
        "base_probability",
    }  # fmt: skip
    assert pooled["common_effect"] == ("predictor",)


def test_names_of_respondents():
    data = PEOPLE.simulate(seed=1, n=300)
    expected = {
        "effect": ("term",),
        "base_probability": (),
        "base_count": (),
        "dispersion": (),
        "category_probability": ("level",),
    }
    assert free(PEOPLE.build(data)) == expected
    assert free(PEOPLE.build(data, "pooled")) == {
        **expected, "common_effect": ("predictor",), "effect_spread": (),
    }  # fmt: skip


def test_names_of_rates():
    both = ("group", "measure")
    expected = {
        "measure_mean": ("measure",),
        "measure_scale": ("measure",),
        "loading": ("measure",),
        "factor_raw": ("contrast",),
        "logit_raw": both,
    }
    sized = {**expected, "log_size_ratio": both}
    fourth = RATES.example(4)
    assert free(RATES.build(RATES.example(3))) == sized
    model = RATES.build(fourth)
    assert free(model) == sized
    assert {v.name for v in model.observed_RVs} == {"printed", "printed_total"}
    given = RATES.build(fourth, "given_sizes")
    assert free(given) == expected
    assert {v.name for v in given.observed_RVs} == {"printed"}
    assert len(RATES.build(fourth, totals="ignored").observed_RVs) == 1


def test_a_factor_of_variance_one():
    model = RATES.build(RATES.example(3))
    factor = evaluate.prior_draws(model, 4000, 1, observed=False)["factor"]
    np.testing.assert_allclose(factor.sum(1), 0, atol=1e-9)
    assert factor.var(0) == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weakest": 0}, "weakest must be a positive number"),
        ({"strongest": float("inf")}, "strongest must be a positive number"),
        ({"pooling": "complete"}, "pooling='complete'; valid: independent, partial"),
    ],
)
def test_bad_options(options, words):
    with pytest.raises(bm.StudyError, match=words):
        PRINT.build(PRINT.example(), **options)


def test_stars_and_options_that_contradict_each_other():
    with pytest.raises(bm.DataError, match="economic: male: its stars leave no ratio"):
        PRINT.build(PRINT.example(), strongest=3.0)


def test_estimands_by_hand():
    data = PRINT.example()
    b = data.estimate.values
    found = PRINT.estimands({"coefficient": b, "base_probability": 0.2}, data)
    np.testing.assert_allclose(found.percent_change.values, 100 * (np.exp(b) - 1))
    male = found.sel(logit_term="economic: male")
    assert float(male.net_probability) == pytest.approx(1.035 * 0.2 * 0.8)
    moved = 1 / (1 + np.exp(-(np.log(0.25) + 1.035)))
    assert float(male.net_probability_step) == pytest.approx(moved - 0.2)
    assert list(found.logit_term.values) == [t for t in data.term.values if "economic" in t]
    assert {array.attrs["units"] for array in found.data_vars.values()}


def test_printed_numbers_beside_estimands():
    data = PRINT.example()
    found = PRINT.targets(
        data,
        PRINT.estimands({"coefficient": data.estimate.values, "base_probability": 0.1}, data),
    )
    assert dict(found.quantity.value_counts()) == {
        "coefficient": 26, "percent_change": 7, "net_probability": 6, "net_probability_step": 6,
    }  # fmt: skip
    assert found.quantity.iloc[0] == "coefficient"


def rates_as_draws(number):
    data = RATES.example(number)
    return data, RATES.estimands({"rate": data.percent.values / 100}, data)


def test_contrasts():
    data, found = rates_as_draws(3)
    assert found.sizes["contrast"] == 14
    one = found.sel(contrast="Mexican : Non-Hispanic Whites", measure="dropout")
    assert float(one.ratio) == pytest.approx(24.1 / 9.1)
    assert float(one.difference) == pytest.approx(24.1 - 9.1)
    beside = RATES.targets(data, found)
    assert dict(beside.quantity.value_counts()) == {"rate": 48, "ratio": 84, "difference": 84}
    again = RATES.rebased(found, "Chinese")
    assert float(again.ratio.sel(contrast="Mexican : Chinese", measure="dropout")) == pytest.approx(
        24.1 / 3.6
    )


def fit_of(number, percent):
    """What `figures.claims` reads of a fit: draws, here the same rates over and over."""
    data = RATES.example(number)
    rate = data.percent.copy(data=percent).expand_dims(chain=2, draw=3)
    return xr.DataTree.from_dict({"data": data, "estimands": xr.Dataset({"rate": rate})})


def test_claims_of_the_printed_rates():
    found = figures.claims(*(fit_of(n, RATES.example(n).percent.values) for n in (3, 4)))
    kinds = table("claims")
    assert len(found) == kinds.kind.isin(MARGINS).sum()
    assert set(found.probability) == {0.0, 1.0}
    untrue = found[found.probability == 0].claim
    assert {"less than 3 percent", "less than 1 percent", "incarcerated, Mexican"} <= set(untrue)
    assert "more than doubles" not in set(untrue)
    assert found.place.str.contains("on Table").all()
    own = fit_of(3, RATES.example(3).percent.values)
    del own["data"].attrs["table"]
    with pytest.raises(bm.StudyError, match="says nothing of these data"):
        figures.claims(own)


def test_margins_over_draws():
    claim = next(c for c in table("claims").astype(str).to_dict("records")
                 if c["claim"] == "less than 3 percent")  # fmt: skip
    draws = {g: np.array([1.0, 2.0, 3.5]) for g in OTHERS}
    draws["Filipino"] = np.array([2.5, 7.3, 1.0])
    found = margin(claim, lambda g, m: draws[g])
    np.testing.assert_allclose(found, [0.5, -4.3, -0.5])


def test_cards_have_the_stored_tables():
    cards = {"print": PRINT, "stars": PRINT, "respondents": PEOPLE, "twin": PEOPLE,
             "second_generation": RATES, "second_generation_table4": RATES}  # fmt: skip
    stored = sorted(path.stem for path in (FOLDER / "calibration").glob("*.csv"))
    assert stored == sorted(cards)
    for name, study in cards.items():
        assert recovery.markdown(name) in study.card, name


@pytest.mark.parametrize("name", sorted(recovery.RUNS))
def test_stored_calibrations(name):
    path = FOLDER / "calibration" / f"{name}.csv"
    head = path.read_text(encoding="utf-8").splitlines()[0]
    assert all(word in head for word in ("# python -m", "seed", "commit"))
    found = recovery.stored(name)
    assert (found.simulations >= 200).all()
    assert (found.divergences == 0).all()
    assert isinstance(found, pd.DataFrame)
