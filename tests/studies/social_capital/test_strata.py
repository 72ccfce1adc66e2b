"""Strata in one model, and separate fits side by side."""

import json
import warnings

import numpy as np
import pytest
from lazily import lazily
from said import said
from social_capital_fits import STUDY, TINY, quiet, stratified

import bayesmig as bm
from bayesmig.models.social_capital import people, strata

arviz = lazily("arviz")

A = "aspires:no_aspirations"
SHORT_IN = "male + age + age_squared + baseline_aspirations + urban"  # within strata


def test_strata_have_their_own_and_differences_are_differences():
    found = stratified()["estimands"].to_dataset()
    assert list(found.stratum.values) == ["none", "extended", "close"]
    assert list(found.pair.values) == ["extended - none", "close - none", "close - extended"]
    both = found["coefficient"].sel(stratum="close") - found["coefficient"].sel(stratum="none")
    np.testing.assert_allclose(
        found["stratum_difference"].sel(pair="close - none"),
        both.transpose(*found["stratum_difference"].sel(pair="close - none").dims),
        atol=1e-12,
    )
    table = bm.compare(stratified())
    counts = table.quantity.value_counts()
    assert counts.to_dict() == {"coefficient": 171, "stratum_difference": 171}


def test_differences_beside_footnote_3():
    table = strata.differences(stratified()).set_index(["pair", "contrast", "term"])
    row = table.loc[("extended - none", A, "male")]
    assert row.printed == pytest.approx(1.988 - 0.339)  # the footnote's own example
    assert row.printed_se == pytest.approx(np.hypot(0.636, 0.279))
    assert row.low < row["mean"] < row.high
    assert 0 <= row.probability <= 1


def test_separate_fits_side_by_side(fit):
    other = bm.rebase(fit, "aspires")
    joined = strata.together({"none": fit, "close": fit})
    assert joined.dims == ("stratum", "chain", "draw", "contrast", "term")
    table = strata.differences({"none": fit, "close": fit})
    assert np.abs(table["mean"]).max() == 0
    words = said(bm.StudyError, strata.together, {"none": fit, "close": other})
    assert "has another contrast" in words
    assert "two strata or more" in said(bm.StudyError, strata.together, {"none": fit})
    assert "no strata" in said(bm.StudyError, strata.differences, fit)


@pytest.mark.slow  # a graph of its own
def test_complete_pooling_is_sampled():
    """Coefficients the same everywhere, intercepts and scales of each stratum's own."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    with quiet():
        fitted = bm.fit(
            STUDY, data, formula="male + urban", strata="network", pooling="complete", **TINY
        )
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    found = fitted["estimands"].to_dataset()
    assert np.abs(found["stratum_difference"]).max() < 1e-12
    assert (found["coefficient"].std(("chain", "draw")) > 0).all()
    assert (found["intercept"].std("stratum") > 0).all()
    assert (found["group_sd"].std("stratum") > 0).all()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
@pytest.mark.parametrize(
    ("intercepts", "pooling"),
    [
        ("independent", "partial"),
        ("independent", "complete"),
        ("independent", "none"),
        ("shared", "partial"),
    ],
)
def test_strata_converge_at_default_settings(intercepts, pooling):
    """Anchored to the few who aspire, the sign of one factor was nearly free: two modes."""
    options = {"intercepts": intercepts, "pooling": pooling, "strata": "network"}
    with warnings.catch_warnings():  # of 600 raw effects one may be beyond 1.01 by chance
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        data = STUDY.example(tables=2)
        fitted = bm.fit(STUDY, data, formula=SHORT_IN, progress=False, **options)
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    found = json.loads(fitted.attrs["diagnostics"])
    assert found["rhat"]["worst"] < 1.02
    assert found["ess_bulk"]["beyond"] == found["ess_tail"]["beyond"] == 0
    names = ["coefficient", "intercept", "group_sd", "variance_share"]
    reported = arviz.rhat(fitted["estimands"].to_dataset()[names])
    assert max(float(array.max()) for array in reported.data_vars.values()) < 1.01


def test_a_separated_cell_has_a_finite_posterior():
    """Nobody self-employed with extended ties aspires: print has -60.81 (5517)."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2, separated=True)
    part = people.select(data, "extended")
    cell = part["employment"].values == "self_employed"
    assert cell.sum() > 20
    assert not (part["outcome"].values[cell] == "aspires").any()
    formula = "employment + male + urban"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        with pytest.warns(bm.DataWarning, match="employment = self_employed: none of"):
            fitted = bm.fit(STUDY, part, formula=formula, **TINY)
    draws = fitted["estimands"]["coefficient"].sel(contrast=A, term="employment: self_employed")
    assert int(fitted["sample_stats"]["diverging"].sum()) == 0
    assert -8 < float(draws.mean()) < 0
    assert float(draws.std()) < 4
