"""Weighted logits as Stata fits them."""

import math

import numpy as np
import pandas as pd
import pytest
from lazily import lazily
from studies.emigration_microdata.classical_people import PEOPLE, result, ten_of_each

from bayesmig.errors import DataError
from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.microdata.classical import estimate, weighted_logit

sm = lazily("statsmodels.api")


def columns_of(n, rng):
    return pd.DataFrame(
        {"a": rng.random(n) < 0.5, "b": rng.random(n) < 0.2, "c": rng.normal(size=n)}
    ).astype(float)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_logit_is_statsmodels(seed):
    rng = np.random.default_rng(seed)
    x = columns_of(400, rng)
    y = (rng.random(400) < 1 / (1 + np.exp(1 - x.a - x.c))).astype(float)
    w = rng.uniform(100, 4000, 400)
    design = sm.add_constant(x, prepend=False)
    theirs = sm.GLM(y, design, sm.families.Binomial(), freq_weights=w).fit(tol=1e-14)
    ours = weighted_logit(x, y, w, "all")
    np.testing.assert_allclose(ours.coefficients, theirs.params, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.predict(x), theirs.fittedvalues, rtol=0, atol=1e-8)
    assert (ours.persons, ours.determined, ours.notes) == (400, 0, {})
    np.testing.assert_allclose(  # only the weights' proportions matter
        weighted_logit(x, y, w / 1e6, "all").coefficients, ours.coefficients, atol=1e-10
    )


def test_rows_without_weight_are_not_used():
    rng = np.random.default_rng(3)
    x, w = columns_of(300, rng), np.r_[np.ones(200), np.zeros(100)]
    y = (rng.random(300) < 0.4).astype(float)
    some = weighted_logit(x[:200], y[:200], w[:200], "some")
    fit = weighted_logit(x, y, w, "all")
    pd.testing.assert_series_equal(fit.coefficients, some.coefficients)
    assert fit.persons == 200


def test_columns_that_cannot_be_estimated_are_dropped_as_in_stata():
    rng = np.random.default_rng(5)
    x = columns_of(500, rng)
    y = (rng.random(500) < 0.4).astype(float)
    both = x.assign(zero=0.0, one=1.0, twin=x.a, rest=1 - x.b)
    fit = weighted_logit(both, y, np.ones(500), "all")
    assert set(fit.notes) == {"zero", "one", "twin", "rest"}
    plain = weighted_logit(x, y, np.ones(500), "all").coefficients
    np.testing.assert_allclose(fit.coefficients[plain.index], plain, atol=1e-10)
    assert (fit.coefficients[list(fit.notes)] == 0).all()


@pytest.mark.parametrize(("value", "followed"), [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)])
def test_a_column_that_predicts_perfectly_goes_with_its_persons(value, followed):
    rng = np.random.default_rng(6)
    x = columns_of(500, rng)
    y = (rng.random(500) < 0.4).astype(float)
    x["sure"] = np.where(np.arange(500) < 30, value, 1 - value)
    y[:30] = followed
    fit = weighted_logit(x, y, np.ones(500), "all")
    note = f"sure = {value:.0f} goes with outcome {followed:.0f} only: dropped with its 30 persons"
    assert fit.notes == {"sure": note}
    rest = weighted_logit(x[["a", "b", "c"]][30:], y[30:], np.ones(470), "rest")
    np.testing.assert_allclose(fit.coefficients[rest.coefficients.index], rest.coefficients)
    assert fit.coefficients.sure == 0
    assert fit.persons == 470


def test_columns_that_predict_perfectly_together_are_counted():
    # a without b: always 1; b without a: never; both or neither: as it comes.  So neither
    # column predicts perfectly, but their difference does, and grows without end.
    counts = {(1, 0, 1): 20, (0, 1, 0): 30, (1, 1, 1): 15, (1, 1, 0): 5}
    counts |= {(0, 0, 1): 10, (0, 0, 0): 30}
    rows = np.repeat(list(counts), list(counts.values()), axis=0).astype(float)
    x = pd.DataFrame(rows[:, :2], columns=["a", "b"])
    fit = weighted_logit(x, rows[:, 2], np.ones(len(rows)), "all")
    assert fit.notes == {}
    assert fit.determined == 50
    chance = dict(zip(map(tuple, x.to_numpy()), fit.predict(x), strict=True))
    assert chance[1, 1] == pytest.approx(0.75, abs=1e-6)
    assert chance[0, 0] == pytest.approx(0.25, abs=1e-6)
    assert chance[1, 0] == pytest.approx(1, abs=1e-6)
    assert chance[0, 1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([1.0, 1.0, 1.0, 1.0], "men of Ys: the outcome is 1 for all 4 persons"),
        ([0.0, 0.0, 1.0, 1.0], "men of Ys: x alone predicts the outcome of all 4"),
    ],
)
def test_a_logit_that_cannot_be_fitted_names_its_sample(y, says):
    x = pd.DataFrame({"x": [0.0, 0, 1, 1]})
    with pytest.raises(DataError, match=says):
        weighted_logit(x, np.array(y), np.ones(4), "men of Ys")


def test_models_and_log_name_what_was_dropped():
    people = ten_of_each()
    done = estimate(people)
    assert list(done.models.model.unique()) == ["internal_migration", "matching"]
    sample = done.models[(done.models.model == "matching") & (done.models.generation == "first")]
    assert sample.persons.iloc[0] == 9
    by_term = sample.set_index("term")
    assert by_term.estimate.Intercept == pytest.approx(math.log(0.6 / 0.4))
    assert (by_term.dropped.drop("Intercept") != "").all()
    logged = done.log[done.log.step == "logit"]
    assert "Cuba" in logged.rule.iloc[0]
    assert set(logged.group) == {
        f"{model}: mexican men, {generation} generation"
        for model in ("matching", "internal_migration")
        for generation in ("first", "second")
    }


def test_perfect_predictions_are_logged():
    logged = result("text").log[result("text").log.step == "logit"]
    found = logged[logged.group == "internal_migration: mexican women, second generation"]
    assert "Age 35-44 = 1 goes with outcome 0 only: dropped with its 12 persons" in set(found.rule)
    women = PEOPLE[(PEOPLE.origin == "Mexico") & (PEOPLE.sex == "Female")]
    women = women[(women.generation == "second") & women.age.between(35, 44)]
    assert list(women.moved.value_counts()) == [12]


def test_terms_are_those_of_the_printed_tables():
    printed = pd.read_csv(PUBLISHED / "coefficients.csv")
    printed = printed[printed.table.isin([1, 2]) & ~printed.term.isin(["N", "Pseudo R-square"])]
    models = result("text").models
    keys = ["model", "origin", "group", "generation"]
    assert set(map(tuple, models[keys].to_numpy())) == set(map(tuple, printed[keys].to_numpy()))
    ours = models[(models.model == "matching")]
    theirs = printed[(printed.model == "matching")]
    years = {str(year) for year in range(1998, 2005)}  # two years were simulated
    assert set(theirs.term) - set(ours.term) == years
    assert set(ours.term) - set(theirs.term) == {"Caribbean", "Other"}
