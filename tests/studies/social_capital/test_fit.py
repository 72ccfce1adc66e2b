"""Fits of the multinomial logit: estimands, print, other references, files."""

import io
import json
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from lazily import lazily
from said import said
from social_capital_fits import STUDY, TINY, quiet, small

import bayesmig as bm
from bayesmig.calibration import coverage
from bayesmig.diagnostics import problems
from bayesmig.groups import log_likelihood
from bayesmig.models.social_capital import estimands, paper, people, prediction
from bayesmig.ready import built_from

arviz = lazily("arviz")

pytestmark = pytest.mark.fits  # 25 s for the compiler

A, B, C = "aspires:no_aspirations", "migrated:aspires", "migrated:no_aspirations"
SHORT = "network + male + age + age_squared + urban"


# Estimands


def test_the_third_contrast_is_the_sum_draw_by_draw(fit):
    found = fit["estimands"].to_dataset()
    assert list(found.contrast.values) == [A, B, C]
    for name in ("coefficient", "intercept"):
        array = found[name]
        np.testing.assert_allclose(
            array.sel(contrast=C), array.sel(contrast=A) + array.sel(contrast=B), atol=1e-12
        )


def test_errors_of_the_sum_have_the_covariance_that_print_left_out(fit):
    """A and B share the people who aspire, so their errors are negatively correlated."""
    male = fit["estimands"]["coefficient"].sel(term="male")
    sd = {c: float(male.sel(contrast=c).std()) for c in (A, B, C)}
    assert sd[C] < 0.9 * np.hypot(sd[A], sd[B])


def test_spread_between_municipalities(fit):
    found, posterior = fit["estimands"].to_dataset(), fit["posterior"].to_dataset()
    covariance = posterior["group_covariance"]

    def entry(one, other):
        return covariance.sel(outcome=one, outcome_too=other, drop=True)

    own = entry("aspires", "aspires")
    np.testing.assert_allclose(found["group_sd"].sel(contrast=A), np.sqrt(own), rtol=1e-10)
    both = own + entry("migrated", "migrated") - 2 * entry("aspires", "migrated")
    np.testing.assert_allclose(found["group_sd"].sel(contrast=B), np.sqrt(both), rtol=1e-10)
    variance = found["group_sd"] ** 2
    np.testing.assert_allclose(
        found["variance_share"], variance / (variance + np.pi**2 / 3), rtol=1e-10
    )


def test_the_truth_of_a_twin_gives_the_printed_coefficients(twin):
    found = STUDY.estimands(STUDY.truth(twin), twin)
    table = STUDY.targets(twin, found)
    rows = table[(table.quantity == "coefficient") & (table.stratum == "")]
    assert len(rows) == 63
    for row in rows.to_dict("records"):
        value = float(found["coefficient"].sel(contrast=row["contrast"], term=row["term"]))
        assert value == pytest.approx(row["estimate"], abs=1e-9), row


# Beside print


def test_compare_shows_the_corrected_and_the_printed_value(fit):
    table = bm.compare(fit)
    at = table[table.coordinates == f"{C}, network: close"].set_index("quantity")
    assert at.loc["coefficient", "published"] == 1.419
    assert at.loc["coefficient", "source"].endswith("corrected")
    assert "printed -0.657 *" in at.loc["coefficient", "note"]
    assert at.loc["coefficient_as_printed", "published"] == -0.657
    assert at.loc["coefficient_as_printed", "note"] == "as printed, which is not A + B; *"
    assert not table.note.str.contains("other terms").any()
    counts = table.quantity.value_counts()
    assert counts.to_dict() == {"coefficient": 63, "coefficient_as_printed": 21}


def test_one_stratum_is_compared_with_its_own_column():
    data = STUDY.simulate(seed=6, n=6000, municipalities=20, tables=2, stratum="close")
    found = STUDY.estimands(STUDY.truth(STUDY.simulate(seed=6, tables=2)), data)
    one = found.sel(stratum="close", drop=True).drop_vars("stratum_difference")
    table = STUDY.targets(data, one)
    assert set(table.quantity) == {"coefficient"}
    assert len(table) == 57
    row = table[(table.contrast == B) & (table.term == "robbery")].iloc[0]
    assert row.estimate == 0.705
    value = found["coefficient"].sel(stratum="close", contrast=B, term="robbery")
    assert float(value) == pytest.approx(0.288 + 0.417, abs=1e-9)  # of Tables 2c and 2a


def test_other_people_have_no_print(tmp_path):
    frame = people.frame(STUDY.simulate(seed=6, n=800, municipalities=8))
    frame = frame[["outcome", "age", "male", "municipality"]]
    with quiet():
        fitted = bm.fit(STUDY, frame, formula="age + male", **TINY)
    found = fitted["estimands"].to_dataset()
    assert len(STUDY.targets(fitted["data"].to_dataset(), found)) == 0
    table = bm.compare(fitted)
    assert table.published.isna().all()
    assert set(table.quantity) == set(found.data_vars)
    assert bm.plot_compare(fitted).axes
    page = bm.report(fitted, tmp_path).read_text(encoding="utf-8")
    assert "a table of one&#39;s own" in page or "a table of one's own" in page
    assert set(fitted["estimands"]["coefficient"].term.values) == {"age", "male"}


def test_print_beside_another_formula_says_so(fit):
    """A coefficient given other columns is another coefficient."""
    found = fit["estimands"].to_dataset()
    data = fit["data"].to_dataset()
    assert not STUDY.targets(data, found).note.str.contains("other terms").any()
    fewer = STUDY.targets(data, found.isel(term=slice(0, 3)))
    assert fewer.quantity.value_counts().to_dict() == {
        "coefficient": 9,
        "coefficient_as_printed": 3,
    }
    assert fewer.note.str.endswith("the fit has other terms than the table").all()
    assert not fewer.note.str.startswith(";").any()


def test_outcomes_of_ones_own_have_nothing_printed_wrong(fit):
    assert "coefficient_as_printed" in fit["estimands"]
    draws = (
        fit["posterior"]
        .to_dataset()
        .assign_coords(
            outcome=["stayed", "city", "abroad"], outcome_too=["stayed", "city", "abroad"]
        )
    )
    found = estimands.estimands(draws, xr.Dataset())
    assert list(found.data_vars) == ["coefficient", "intercept", "group_sd", "variance_share"]


def test_report_and_picture(tmp_path, fit):
    figure = bm.plot_compare(fit)
    assert "SYNTHETIC" in figure._suptitle.get_text()
    page = bm.report(fit, tmp_path).read_text(encoding="utf-8")
    assert "correction: A + B = +1.419; printed -0.657 *" in page
    assert re.search(r'<td class="print num"[^>]*><b>1\.419</b>', page)
    assert "SYNTHETIC" in page


# Another reference


def test_rebase_turns_contrasts_and_printed_numbers(fit):
    based = bm.rebase(fit, "aspires")
    old, new = fit["estimands"].to_dataset(), based["estimands"].to_dataset()
    turned = "no_aspirations:aspires"
    assert list(new.contrast.values) == [turned, C, B]
    np.testing.assert_allclose(
        new["coefficient"].sel(contrast=turned), -old["coefficient"].sel(contrast=A), atol=1e-12
    )
    np.testing.assert_allclose(
        new["group_sd"].sel(contrast=turned), old["group_sd"].sel(contrast=A), atol=1e-12
    )
    table = bm.compare(based).set_index(["quantity", "coordinates"])
    row = table.loc[("coefficient", f"{turned}, male")]
    assert row.published == -0.362
    assert row.published_low < row.published < row.published_high
    assert f"printed as {A}, sign turned" in row.note
    assert table.loc[("coefficient", f"{B}, male")].published == 0.572
    assert based.attrs["reference"] == "aspires"
    assert based["posterior"].equals(fit["posterior"])
    again = bm.rebase(based, "no_aspirations")
    xr.testing.assert_allclose(again["estimands"].to_dataset(), old)


def test_rebase_to_nothing(fit):
    assert "unknown outcome 'moved'" in said(bm.StudyError, bm.rebase, fit, "moved")


def test_rebase_to_an_outcome_that_was_a_number(fit):
    draws = (
        fit["posterior"].to_dataset().assign_coords(outcome=list("012"), outcome_too=list("012"))
    )
    assert list(estimands.rebase(draws, 2).contrast.values) == ["0:2", "1:0", "1:2"]


def test_a_study_without_reference():
    other = xr.DataTree.from_dict({"posterior": xr.Dataset()})
    other.attrs["study"] = "emigration"
    assert "has no reference to change" in said(bm.StudyError, bm.rebase, other, "x")


def test_a_study_that_takes_no_table():
    other = bm.load_study("emigration")
    words = said(bm.DataError, bm.fit, other, pd.DataFrame({"a": [1]}), **TINY)
    assert "takes no DataFrame" in words


# Groups of a fit, refits, files


def test_groups_saved_and_opened(tmp_path, fit):
    whole = bm.add_groups(fit, ("log_likelihood", "posterior_predictive", "log_prior"))
    value = whole["log_likelihood"]["outcomes"]
    rows = fit["observed_data"]["outcomes"]
    people = fit["data"].sizes["row"]
    assert dict(value.sizes) == {"chain": 2, "draw": TINY["draws"], "person": people}
    of_rows = log_likelihood(fit, built_from(fit))["outcomes"]  # the graph's own
    np.testing.assert_allclose(value.sum("person"), of_rows.sum("row"), rtol=1e-10)
    drawn = whole["posterior_predictive"]["outcomes"]
    assert drawn.dims == ("chain", "draw", "row", "outcome")
    np.testing.assert_array_equal(drawn.sum("outcome")[0, 0], rows.sum("outcome"))
    observed = rows.sum("row") / rows.sum()
    share = drawn.sum("row") / drawn.sum(("row", "outcome"))
    spread = share.std(("chain", "draw"))
    assert (np.abs(share.mean(("chain", "draw")) - observed) < 4 * spread).all()
    opened = bm.open_fit(bm.save_fit(whole, tmp_path / "fit.nc", digits=None))
    assert bm.compare(opened).equals(bm.compare(fit))
    options = json.loads(opened.attrs["options"])
    assert options["reference"] == "no_aspirations"
    assert options["intercepts"] == "independent"
    assert list(opened["posterior"].coords["alternative"].values) == ["aspires", "migrated"]
    assert "network: close" in opened["posterior"].coords["term"].values


def test_other_data_of_other_sizes_compile_nothing(fit):
    with quiet():
        again = bm.refit(
            fit, data=STUDY.simulate(seed=7, n=1800, municipalities=14), formula=SHORT, **TINY
        )
    assert again.attrs["compiled"] == "reused"
    assert again["posterior"].sizes["group"] == 14
    assert again["posterior"].sizes["term"] == 6


def test_sensitivity_names_population_priors_only(fit, monkeypatch):
    """Scaling the density of the municipalities' effects too would be no change of priors."""
    named, summary = [], arviz.psense_summary

    def seen(tree, **how):
        named.append(sorted(how["prior_var_names"]))
        return summary(tree, **how)

    monkeypatch.setattr("arviz.psense_summary", seen)
    table = bm.sensitivity(fit, "group_sd")
    assert named == [["coefficient", "group_scale", "slope_scale"]]
    assert list(table.index) == [f"group_sd[{contrast}]" for contrast in (A, B, C)]
    assert {"prior", "likelihood", "diagnosis"} <= set(table.columns)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::bayesmig.ConvergenceWarning")
@pytest.mark.parametrize(
    "intercepts", ["independent", "correlated", "independent_contrasts", "shared"]
)
def test_default_settings_converge_at_the_papers_size(intercepts):
    """No divergence, R-hat < 1.01, bulk and tail ESS > 400 for all that is reported."""
    fitted = bm.fit(STUDY, STUDY.example(), intercepts=intercepts, progress=False)
    assert problems(fitted) == []


@pytest.mark.slow
@pytest.mark.parametrize("intercepts", ["correlated", "independent"])
def test_a_fit_against_another_reference_is_the_same_fit(intercepts):
    """Default priors: means agree within five standard errors of their draws."""
    data = STUDY.simulate(seed=6, n=1500, municipalities=15)
    how = {"formula": "male + age + urban", "intercepts": intercepts, "progress": False}
    first = bm.fit(STUDY, data, **how)
    other = bm.rebase(bm.fit(STUDY, data, reference="migrated", **how), "no_aspirations")
    for name in ("coefficient", "intercept", "group_sd"):
        one, two = (fitted["estimands"][name].sel(contrast=[A, C]) for fitted in (first, other))
        error = np.hypot(*(arviz.mcse(x.to_dataset())[name] for x in (one, two)))
        gap = one.mean(("chain", "draw")) - two.mean(("chain", "draw"))
        assert float(np.abs(gap / error).max()) < 5
        ratio = one.std(("chain", "draw")) / two.std(("chain", "draw"))
        np.testing.assert_allclose(ratio, 1, atol=0.1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_twins_are_recovered():
    """Coefficients and spread of 20 small twins; the card has 100 of them."""

    def twin_of(seed):
        return STUDY.simulate(seed=seed, n=2500, municipalities=25)

    found = bm.calibrate(
        STUDY, twin_of(0), n=20, simulate=twin_of, draws=300, tune=300, seed=1, progress=False,
    )  # fmt: skip
    table = coverage(found)
    for quantity in ("coefficient", "group_sd"):
        for probability in ("50%", "90%"):
            inside, error = table.loc[quantity, [f"inside {probability}", f"se {probability}"]]
            assert abs(inside - float(probability[:-1]) / 100) < 4 * error + 0.01, (
                quantity,
                inside,
            )


# Contrasts of any outcomes


def test_contrasts_are_in_the_papers_order():
    assert estimands.contrasts(list(paper.OUTCOMES)) == [
        paper.CONTRASTS[letter] for letter in "ABC"
    ]
    assert len(estimands.contrasts(list("wxyz"))) == 6


# Groups left out


@pytest.mark.filterwarnings("error::bayesmig.RecompiledWarning")
@pytest.mark.filterwarnings("ignore::bayesmig.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_groups_left_out_compile_nothing(fit):
    """Against the same refit by hand: everybody else's posterior, and the group as a new one."""
    chosen = ["m001", "m002"]
    found = bm.kfold(fit, chosen, folds=1)
    assert list(found.elpd_i["group"].values) == chosen
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
    kept, left = prediction.split(fit, chosen)
    assert set(left["municipality"].values) == set(chosen)
    assert not set(kept["municipality"].values) & set(chosen)
    with quiet():
        again = bm.refit(fit, data=kept, seed=1, **TINY)
    right = prediction.held_out(again, left, draws=120, seed=1)  # against integrals in the oracle
    np.testing.assert_allclose(found.elpd_i, right.sel(group=chosen), atol=1e-9)
    words = said(bm.StudyError, bm.kfold, fit, ["Oaxaca", "m001"])
    assert words.startswith("unknown group 'Oaxaca'")
    words = said(bm.StudyError, bm.kfold, fit, folds=1)
    assert words == "folds must be 2 to 20 of these groups, got 1"


def test_groups_of_few_people_are_not_in_the_report(tmp_path):
    page = bm.report(small(), tmp_path, fewest=30).read_text(encoding="utf-8")
    tables = json.loads(re.search(r'id="tables">(.*?)</script>', page)[1])
    shown = pd.read_csv(io.StringIO(tables["misfit"]))
    assert shown[["observed", "expected"]].min(axis=None) >= 30
    whole = bm.misfit(small())  # its draws are others, what was observed is the same
    many = whole[(whole.observed > 60) & (whole.expected > 60)]
    assert 0 < len(many) < len(whole)
    assert set(many.by + many.group) <= set(shown.by + shown.group)
