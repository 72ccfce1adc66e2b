"""Cells that no table has, and what another level of a factor would change."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from fits import small, too_short
from lazily import lazily
from oracle import emigration as oracle
from said import said
from unsampled import unsampled

import bayesmig as bm

prediction = lazily("bayesmig.models.emigration.prediction")
special = lazily("scipy.special")
stats = lazily("scipy.stats")

CELLS = pd.DataFrame(
    list(itertools.product(("Mexican", "Non-Mexican"), ("Female", "Male"))),
    columns=["origin", "sex"],
)
ALL = 10_000  # draws: every one there is
FATES = ("emigrated", "died", "moved", "lost")


def estimand(fit, name):
    return fit["estimands"][name].stack(draw_=("chain", "draw")).transpose("draw_", "cell").values


def hazard(logit):
    return 1 / (1 + np.exp(-logit))


def additive(fit, origin, sex):
    """Logits (draw, outcome) that a cell's factors add up to."""
    posterior = fit["posterior"].to_dataset().stack(draw_=("chain", "draw"))
    effect = posterior["level_effect"]
    found = posterior["intercept"] + effect.sel(level=f"origin {origin}")
    return (found + effect.sel(level=f"sex {sex}")).transpose("draw_", "outcome").values


def test_ones_own_cells_are_the_estimands():
    fit = small(7)
    found = bm.predict(fit, group="own", draws=ALL)
    assert found.dims == ("draw", "person", "outcome")
    assert list(found["outcome"].values) == list(fit["estimands"].data_vars)
    for name in found["outcome"].values:
        np.testing.assert_allclose(found.sel(outcome=name), estimand(fit, name), atol=1e-9)


def test_a_cell_without_a_term_of_its_own_or_with_another_ones():
    """Emigration is the first hazard: one invlogit of sums."""
    fit = small(7)
    one = CELLS.iloc[[1]]
    posterior = fit["posterior"].to_dataset().stack(draw_=("chain", "draw"))
    mean = additive(fit, "Mexican", "Male")[:, 0]
    scale = posterior["cell_scale"].sel(outcome="emigrated").values
    found = bm.predict(fit, one, draws=ALL).sel(outcome="emigration").values[:, 0]
    normal = np.linspace(-8, 8, 4001)
    weight = np.exp(-(normal**2) / 2)
    each = hazard(mean[:, None] + scale[:, None] * normal)
    right = (each * weight).sum(1) / weight.sum()
    np.testing.assert_allclose(found, 100 * right, rtol=1e-6)
    drawn = bm.predict(fit, one, group="new", draws=ALL).sel(outcome="emigration").values[:, 0]
    error = (drawn - found).std() / np.sqrt(len(found))
    assert abs((drawn - found).mean()) < 4 * error
    term = posterior["cell_logit"].sel(cell="Non-Mexican, Female", outcome="emigrated").values
    term = term - additive(fit, "Non-Mexican", "Female")[:, 0]
    found = bm.predict(fit, one, group="Non-Mexican, Female", draws=ALL)
    np.testing.assert_allclose(
        found.sel(outcome="emigration").values[:, 0], 100 * hazard(mean + term), atol=1e-9
    )


def test_another_sex_in_each_origin():
    fit = small(7)
    found = bm.comparisons(fit, "sex", average_by="origin", group="own", draws=ALL)
    rate = estimand(fit, "net_emigration")
    assert found.attrs["units"] == "difference of percent a year"
    assert list(found["change"].values) == ["sex: Female to Male"]
    for k, origin in enumerate(("Mexican", "Non-Mexican")):
        right = rate[:, 2 * k + 1] - rate[:, 2 * k]
        at = found.sel(at=f"origin={origin}", outcome="net_emigration")[:, 0]
        np.testing.assert_allclose(at.values, right, atol=1e-9)


def test_a_cell_that_the_table_has_not():
    """The fit of all cells but one, as far as predictions are concerned."""
    fit = small(7).copy()
    for group in ("data", "posterior"):
        fit[group] = type(fit)(fit[group].to_dataset().isel(cell=slice(0, 3)))
    words = said(bm.DataError, bm.predict, fit, CELLS, group="own")
    assert words == (
        "cell 3 (origin Non-Mexican, sex Male) is none of the fit's: group='average' or 'new' for "
        "it"
    )
    whole = bm.predict(small(7), CELLS, draws=50)
    np.testing.assert_allclose(bm.predict(fit, CELLS, draws=50), whole)


@pytest.mark.parametrize("group", ["average", "new", "own"])
def test_one_factor_is_all_that_its_cells_are(group):
    """Draws of no posterior: what is computed from draws can be checked on any."""
    data = bm.load_study("emigration").example(table=13)
    rng, levels = np.random.default_rng(1), data["country"].values
    draws = {
        "intercept": (("chain", "draw", "outcome"), rng.normal(-3, 0.3, (2, 5, 5))),
        "level_effect": (
            ("chain", "draw", "level", "outcome"),
            rng.normal(0, 0.5, (2, 5, len(levels), 5)),
        ),
    }
    fit = xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "data": data})
    fit.attrs["study"] = "emigration"
    found = bm.predict(fit, {"country": levels[[4, 0]]}, group=group, draws=ALL)
    logit = draws["intercept"][1][:, :, None] + draws["level_effect"][1][:, :, [4, 0]]
    chance = hazard(logit.reshape(10, 2, 5))
    np.testing.assert_allclose(found.sel(outcome="emigration"), 100 * chance[..., 0])
    died = (1 - chance[..., 0]) * chance[..., 1]
    np.testing.assert_allclose(found.sel(outcome="mortality"), 100 * died)
    np.testing.assert_allclose(found.sel(outcome="return_immigration"), 100 * chance[..., 4])


def test_fates_are_drawn_with_their_shares():
    fit = small(7)
    many = pd.concat([CELLS.iloc[[0]]] * 4000, ignore_index=True)
    drawn = bm.predict(fit, many, kind="drawn", group="own", draws=2)
    share = fit["posterior"]["share"].stack(draw_=("chain", "draw")).isel(cell=0)
    for k, at in enumerate((0, -1)):
        for fate in FATES:
            right = float(share.isel(draw_=at).sel(fate=fate))
            found = float((drawn[k] == fate).mean())
            assert abs(found - right) < 4 * np.sqrt(right * (1 - right) / 4000) + 1e-9


def test_what_cannot_be_asked():
    fit = small(7)
    words = said(bm.DataError, bm.predict, fit, CELLS.assign(sex="both"))
    assert words == "sex: unknown level 'both'; valid: Female, Male"
    words = said(bm.DataError, bm.predict, fit, CELLS[["sex"]])
    assert words == "these cells lack the factor 'origin'; it has origin, sex"
    words = said(bm.StudyError, bm.predict, fit, CELLS, group="Martians")
    assert words.startswith("unknown group 'Martians'; valid: average, new, own, Mexican, Female")


@pytest.mark.parametrize("covariate", ["sex", "origin"])
def test_effects_of_factors_are_drawn(covariate):
    other = {"sex": "origin", "origin": "sex"}[covariate]
    figure = bm.plot_effects(small(7), covariate, other, draws=20)
    assert [axis.get_title() for axis in figure.axes][0] == "emigration"
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == [f"{other}={level}" for level in dict.fromkeys(CELLS[other])]


def test_effects_of_given_values_are_drawn():
    figure = bm.plot_effects(small(7), {"sex": ["Male"]}, draws=20)
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["Male"]
    words = said(bm.StudyError, bm.plot_effects, small(7), {"sex": ["Male"], "origin": ["Mexican"]})
    assert words == "covariate: one, got sex, origin"


# Cells left out

LEFT = "Mexican, Male, 15-24"
VARIANTS = {
    "default": {},
    "hazard": {"residual": "hazard"},
    "native": {"second_generation": "native_rates", "residual_inflation": 2.0},
    "gap": {"generation_gap": "prior", "residual": "hazard", "second_generation": "native_rates"},
}


@pytest.mark.parametrize("options", VARIANTS.values(), ids=VARIANTS)
def test_density_of_a_cell_is_the_oracle_s(options):
    """Of its five numbers, over draws and over a term of its own in the last hazard."""
    study = bm.load_study("emigration")
    whole = unsampled(study, study.example(), **options)
    kept, left = prediction.split(whole, [LEFT])
    fit = unsampled(study, kept, **options)
    posterior = fit["posterior"].to_dataset()
    posterior["cell_scale"][:] = [1e-9, 1e-9, 1e-9, 1e-9, 0.3]
    # draws of a prior are far from any cell: near this one, where a thousand terms are enough
    posterior["level_effect"] = posterior["level_effect"] * 0.01
    near = np.log(np.array([0.05, 0.005, 0.3, 0.15, 0.03]))
    posterior["intercept"][:] = near + 0.01 * posterior["intercept"].values
    for name in {"native_rate_log_ratio", "generation_gap"} & set(posterior):
        posterior[name] = posterior[name] * 0.1
    fit["posterior"] = posterior
    normal = np.linspace(-6, 6, 2001)
    weight = np.log(np.exp(-(normal**2) / 2) / np.exp(-(normal**2) / 2).sum())
    cell = {name: left[name].isel(cell=0).to_series() for name in ("estimate", "ci_low", "ci_high")}
    own = None if "residual_inflation" in options else float(left["residual_error"][0])
    error = {
        name: oracle.standard_error(
            cell["ci_low"][name], cell["ci_high"][name], name, 2.0, own
        )
        for name in oracle.COMPONENTS
    }  # fmt: skip
    flat = posterior.stack(draw_=("chain", "draw"))
    levels = ["origin Mexican", "sex Male", "age 15-24"]
    logits = (flat["intercept"] + flat["level_effect"].sel(level=levels).sum("level")).transpose(
        "draw_", "outcome"
    )
    totals = []
    for i, logit in enumerate(logits.values):
        of = dict(zip(oracle.OUTCOMES, hazard(logit), strict=True))
        of["returned"] = hazard(logit[4] + 0.3 * normal)
        second, gap = 0.0, 0.0
        if "native_rate_log_ratio" in flat:
            second = oracle.native_rate(left, 0) * np.exp(float(flat["native_rate_log_ratio"][i]))
        if "generation_gap" in flat:
            gap = float(flat["generation_gap"][i])
        mean = oracle.expected(of, options.get("residual", "probability"), second, gap)
        each = sum(
            stats.norm.logpdf(cell["estimate"][n], mean[n], error[n]) for n in oracle.COMPONENTS
        )
        totals.append(special.logsumexp(each + weight))
    wanted = special.logsumexp(totals) - np.log(len(totals))
    found = prediction.held_out(fit, left, draws=ALL, seed=1)
    assert list(found["group"].values) == [LEFT]
    assert float(found[0]) == pytest.approx(wanted, abs=0.02)  # a thousand terms for each draw
    assert float(found[0]) == float(prediction.held_out(fit, left, draws=ALL, seed=1)[0])


def test_a_number_printed_as_zero_says_only_that_it_is_below():
    estimate, expected, error = np.array([0.0, 3.0]), np.array([0.1, 2.0]), np.array([0.2, 0.5])
    found = prediction.censored(estimate, expected, error, np.array([0.05, -np.inf]))
    np.testing.assert_allclose(
        found, [np.log(stats.norm.cdf(-0.25)), np.log(stats.norm.pdf(2.0) / 0.5)]
    )


def test_a_level_must_be_left():
    fit = small(7)
    cells = ["Mexican, Female", "Mexican, Male"]
    assert set(cells) < set(prediction.groups(fit))
    words = said(bm.StudyError, prediction.split, fit, cells)
    assert words.startswith(f"without {', '.join(cells)} no cell is left of origin Mexican")
    one = unsampled(bm.load_study("emigration"), bm.load_study("emigration").example(table=4))
    assert "the fit has one cell only" in said(bm.StudyError, bm.kfold, one)
    single = unsampled(bm.load_study("emigration"), bm.load_study("emigration").example(table=13))
    assert "no cell can be left out" in said(bm.StudyError, bm.kfold, single)


@pytest.mark.slow  # refits
def test_cells_are_left_out_by_refits():
    fit = small(7)
    with too_short():
        found = bm.kfold(fit, draws=200, tune=200)
    assert list(found.elpd_i.group.values) == prediction.groups(fit)
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
