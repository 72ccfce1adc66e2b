"""Probabilities and average marginal effects of a fit."""

import numpy as np
import pandas as pd
import pytest
from said import said
from social_capital_fits import stratified

import bayesmig as bm
from bayesmig.groups import log_likelihood
from bayesmig.models.social_capital import paper, people, probabilities
from bayesmig.models.social_capital.design import of_fit
from bayesmig.ready import built_from


def test_probabilities_add_up_and_average_the_outcomes(fit, twin):
    for municipality in ("marginal", "new", "m002"):
        found = probabilities.probabilities(fit, municipality=municipality, draws=20)
        np.testing.assert_allclose(found.sum("outcome"), 1, atol=1e-12)
        assert found.dims == ("draw", "person", "outcome")
    marginal = probabilities.probabilities(fit, draws=100).mean("person")
    observed = (twin["outcome"].values[:, None] == paper.OUTCOMES).mean(0)
    assert (np.abs(marginal.mean("draw") - observed) < 4 * marginal.std("draw")).all()


def test_quadrature_is_the_mean_over_new_municipalities(fit, twin):
    one = people.frame(twin).head(1)
    marginal = probabilities.probabilities(fit, one, draws=1)[0, 0]
    design = of_fit(fit)
    draws = probabilities.Logits(fit, design, 1)
    rng = np.random.default_rng(0)
    columns, stratum = design.columns_of(one), np.zeros(1, int)
    many = [draws.chances(0, columns, stratum, "new", rng)[0] for _ in range(20_000)]
    error = np.std(many, axis=0) / np.sqrt(len(many))
    assert (np.abs(np.mean(many, axis=0) - marginal) < 4 * error).all()


def test_a_known_municipality_is_the_graphs_own(fit, twin):
    """Against the likelihood of the graph: the probability of each person's own outcome."""
    found = probabilities.probabilities(fit, municipality="m004", draws=1).isel(draw=0)
    likelihood = log_likelihood(fit, built_from(fit))["outcomes"][0, 0]  # the graph's own
    rows = np.flatnonzero(twin["municipality"].values == "m004")[:40]
    design = of_fit(fit)
    of_row = likelihood.values[design.row_of[rows]] / design.count[design.row_of[rows]].sum(1)
    own = [float(found[i].sel(outcome=twin["outcome"].values[i])) for i in rows]
    np.testing.assert_allclose(np.log(own), of_row, atol=1e-9)


def test_marginal_effects_are_differences_of_probabilities(fit, twin):
    found = probabilities.marginal_effects(fit, draws=3)
    np.testing.assert_allclose(found.sum("outcome"), 0, atol=1e-9)
    frame = people.frame(twin)
    ends = [
        probabilities.probabilities(fit, frame.assign(male=value), draws=3).mean("person")
        for value in (0.0, 1.0)
    ]
    np.testing.assert_allclose(
        found.sel(change="male"), 100 * (ends[1] - ends[0]).transpose("draw", "outcome"), atol=1e-9
    )
    assert {"network: close", "children: 4+", "age + 1", "urban"} <= set(found.change.values)
    assert "age_squared + 1" not in found.change.values


def test_a_square_goes_with_its_column(fit, twin):
    one = people.frame(twin).head(2)
    words = said(bm.DataError, probabilities.probabilities, fit, one.assign(age=77.0))
    assert words.startswith("age_squared is not the square of age in 2 of 2 rows, as it is in")
    without = one.drop(columns="age_squared").assign(age=77.0)
    found = probabilities.probabilities(fit, without, draws=2)
    right = one.assign(age=77.0, age_squared=77.0**2)
    np.testing.assert_allclose(found, probabilities.probabilities(fit, right, draws=2))


@pytest.mark.filterwarnings("ignore::bayesmig.DataWarning")
def test_a_known_municipality_is_that_of_each_ones_stratum():
    fit = stratified()
    data = fit["data"].to_dataset()
    found = probabilities.probabilities(fit, municipality="m004", draws=1).isel(draw=0)
    likelihood = log_likelihood(fit, built_from(fit))["outcomes"][0, 0]  # the graph's own
    design = of_fit(fit)
    of_row = likelihood.values[design.row_of] / design.count[design.row_of].sum(1)
    rows = np.flatnonzero(data["municipality"].values == "m004")
    assert set(data["network"].values[rows]) == {"none", "extended", "close"}
    own = [float(found[i].sel(outcome=data["outcome"].values[i])) for i in rows]
    np.testing.assert_allclose(np.log(own), of_row[rows], atol=1e-9)
    close = people.frame(people.select(data, "close")).head(3)
    full = probabilities.probabilities(fit, close, municipality="close, m004", draws=2)
    np.testing.assert_allclose(
        full, probabilities.probabilities(fit, close, municipality="m004", draws=2)
    )
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="close, m004")
    assert words.startswith("group 'close, m004' has nobody of stratum none, extended in the fit")
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="Oaxaca")
    assert words.startswith("unknown group 'Oaxaca'; valid: marginal, new, own, m001, m002")


def test_a_new_municipality_is_another_in_each_stratum():
    """The groups of strata are independent in the graph."""
    fit = stratified()
    design = of_fit(fit)
    draws = probabilities.Logits(fit, design, 1)
    rng = np.random.default_rng(0)
    columns, stratum = np.zeros((2, len(design.terms))), np.array([0, 2])
    many = np.array([draws.chances(0, columns, stratum, "new", rng) for _ in range(2000)])
    odds = np.log(many[..., 2] / many[..., 0])
    assert abs(np.corrcoef(odds.T)[0, 1]) < 0.1
    scale = np.sqrt(fit["posterior"]["group_covariance"][0, 0, :, 2, 2].values[[0, 2]])
    np.testing.assert_allclose(odds.std(0), scale, rtol=0.08)


def test_people_and_places_unknown(fit, twin):
    words = said(bm.StudyError, probabilities.probabilities, fit, municipality="Oaxaca")
    assert words.startswith("unknown group 'Oaxaca'; valid: marginal, new, own, m001")
    strange = people.frame(twin).head(2).assign(network=pd.Categorical(["none", "far"]))
    words = said(bm.DataError, probabilities.probabilities, fit, strange)
    assert "level 'far' in 1 rows" in words
