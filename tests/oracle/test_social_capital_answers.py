"""Probabilities, comparisons and predictive densities against loops over people and draws."""

import itertools
import math

import arviz as az
import numpy as np
import pandas as pd
import pytest
from oracle import social_capital as oracle
from said import said
from social_capital_fits import made, villagers

import bayesmig as bm
from bayesmig.models.social_capital import prediction

OUTCOMES = ("w", "x", "y")


@pytest.fixture(scope="module")
def people():
    return villagers()


@pytest.fixture(scope="module")
def fit(people):
    return made(people, "age + sex")


def columns(people):
    return np.column_stack([people["age"], people["sex"] == "m"]).astype(float)


def chances(logit):
    """Probabilities of the outcomes from logits of all of them."""
    odds = [math.exp(value) for value in logit]
    return [value / sum(odds) for value in odds]


def logits(fit, chain, draw, person, mean, shift=(0.0, 0.0, 0.0)):
    """Logits of one person (age, whether a man) at one draw."""
    posterior = fit["posterior"].isel(chain=chain, draw=draw)
    slope, level = posterior["log_odds"].values, posterior["intercept"].values
    return [
        level[k] + shift[k] + sum(slope[k][j] * (person[j] - mean[j]) for j in range(len(person)))
        for k in range(3)
    ]


def expected_of(fit, people, others, effect_of):
    """Probabilities (draw, person, outcome) by loops; ``effect_of`` a person's group's number."""
    mean, asked = columns(people).mean(0), columns(others)
    found = []
    posterior = fit["posterior"]
    for chain, draw in itertools.product(posterior["chain"].values, posterior["draw"].values):
        effect = posterior["group_effect"].values[chain, draw]
        found.append(
            [chances(logits(fit, chain, draw, asked[i], mean, effect[effect_of[i]]))
             for i in range(len(others))]
        )  # fmt: skip
    return np.array(found)


def numbers_of_groups(fit, people):
    groups = list(fit["posterior"]["group"].values)
    return [groups.index(label) for label in people["village"]]


# Likelihood by person, and leaving one out

# draws that are no posterior's are nowhere near anybody's leave-one-out posterior
FAR = pytest.mark.filterwarnings("ignore:Estimated shape parameter")


@pytest.mark.parametrize("weights", [None, "sampled"])
def test_likelihood_of_each_person_whatever_was_counted_together(people, weights):
    fit = made(people, "age + sex", weights=weights)
    likelihood, cell = prediction.pointwise(fit)
    assert cell.sizes == {"person": len(people)}
    if weights is None:
        assert likelihood.sizes["cell"] < len(people)
    weight = people["sampled"] / people["sampled"].mean() if weights else None
    posterior = fit["posterior"]
    for chain, draw in ((0, 3), (1, 29)):
        at = {"chain": chain, "draw": draw}
        expected = oracle.log_likelihood(
            columns(people),
            people["fate"].to_numpy(),
            numbers_of_groups(fit, people),
            posterior["intercept"].isel(at).values,
            posterior["log_odds"].isel(at).values,
            posterior["group_effect"].isel(at).values,
            OUTCOMES,
            weight,
        )
        found = likelihood.isel(at).values[cell.values]
        np.testing.assert_allclose(found, expected, atol=1e-12)


@FAR
def test_leaving_one_out_is_the_same_counted_or_not(people):
    """People alike have the same density left out: each cell counts as many times as people."""
    together, apart = made(people, "age + sex"), made(people, "age + sex", collapse=False)
    one, other = bm.loo(together), bm.loo(apart)
    assert one.n_data_points == other.n_data_points == len(people)
    np.testing.assert_allclose(one.elpd_i.values, other.elpd_i.values, atol=1e-10)
    likelihood, cell = prediction.pointwise(apart)
    group = likelihood.isel(cell=cell).to_dataset(name="outcomes")
    apart["log_likelihood"] = type(apart)(group)
    arviz = az.loo(apart, pointwise=True, var_name="outcomes")
    for name in ("elpd", "se", "p"):
        assert getattr(one, name) == pytest.approx(getattr(arviz, name), rel=1e-9), name
    np.testing.assert_allclose(one.pareto_k.values, arviz.pareto_k.values, atol=1e-8)


@FAR
def test_rows_that_stand_for_several_people_are_these_people(people):
    number = np.array([1, 2, 3] * (len(people) // 3))
    counted = made(people.assign(number=number), "age + sex", counts="number")
    repeated = made(people.loc[people.index.repeat(number)].reset_index(drop=True), "age + sex")
    one, other = bm.loo(counted), bm.loo(repeated)
    assert one.n_data_points == number.sum()
    for name in ("elpd", "se", "p"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9), name


@FAR
def test_two_formulas_compare_by_person(people):
    few, many = made(people, "sex"), made(people, "age + sex")
    table = az.compare({"few": bm.loo(few), "many": bm.loo(many)})
    assert set(table.index) == {"few", "many"}
    difference = bm.loo(many).elpd_i.values - bm.loo(few).elpd_i.values
    worse = table.index[-1]
    sign = 1 if worse == "few" else -1
    assert abs(table.loc[worse, "elpd_diff"]) == pytest.approx(
        abs(difference.sum()), abs=0.06
    )  # az.compare rounds
    assert sign * difference.sum() >= 0
    assert table.loc[worse, "dse"] == pytest.approx(
        math.sqrt(len(people) * difference.var()), abs=0.06
    )


def test_density_of_a_group_left_out(people):
    """Against an integral over the effects of a new group, node by node."""
    fit = made(people, "age + sex", draws=2)
    kept, left = prediction.split(fit, ["b"])
    assert kept.sizes["row"] + left.sizes["row"] == len(people)
    rows = people[people["village"] == "b"].head(12)
    data = left.isel(row=slice(0, 12))
    points, weights = np.polynomial.hermite_e.hermegauss(30)
    weights = weights / weights.sum()
    mean, asked = columns(people).mean(0), columns(rows)
    total = 0.0
    for chain, draw in itertools.product(range(2), range(2)):
        covariance = fit["posterior"]["group_covariance"].values[chain, draw][1:, 1:]
        root = np.linalg.cholesky(covariance)
        for (a, u), (b, v) in itertools.product(zip(weights, points, strict=True), repeat=2):
            effect = [0.0, *(root @ [u, v])]
            density = 1.0
            for i, fate in enumerate(rows["fate"]):
                density *= chances(logits(fit, chain, draw, asked[i], mean, effect))[
                    OUTCOMES.index(fate)
                ]
            total += a * b * density / 4
    drawn = [
        float(prediction.held_out(fit, data, draws=4 * 64, seed=seed).sel(group="b"))
        for seed in range(40)
    ]
    mean_density = np.exp(drawn)
    error = mean_density.std() / math.sqrt(len(drawn))
    assert abs(mean_density.mean() - total) < 4 * error
    assert error < 0.1 * total


# Probabilities and what a change would change


def test_probabilities_in_ones_own_group(people, fit):
    others = people.head(7)
    found = bm.predict(fit, others, group="own", draws=60)
    expected = expected_of(fit, people, others, numbers_of_groups(fit, others))
    np.testing.assert_allclose(found.values, expected, atol=1e-12)
    assert found.attrs["units"] == "probability"
    one = bm.predict(fit, others, group="c", draws=60)
    groups = list(fit["posterior"]["group"].values)
    expected = expected_of(fit, people, others, [groups.index("c")] * 7)
    np.testing.assert_allclose(one.values, expected, atol=1e-12)


def test_drawn_outcomes_have_the_probabilities(people, fit):
    others = pd.concat([people.head(1)] * 4000, ignore_index=True)
    drawn = bm.predict(fit, others, kind="drawn", group="own", draws=3)
    chance = bm.predict(fit, others.head(1), group="own", draws=3)
    for k, outcome in enumerate(OUTCOMES):
        share = (drawn == outcome).mean("person").values
        right = chance.values[:, 0, k]
        assert (np.abs(share - right) < 4 * np.sqrt(right * (1 - right) / 4000)).all()


@pytest.mark.parametrize("comparison", ["difference", "ratio"])
def test_average_comparisons(people, fit, comparison):
    """Everybody a woman, then everybody a man, in their own village; averages within ages."""
    found = bm.comparisons(
        fit, "sex", average_by="age", comparison=comparison, group="own", draws=60
    )
    assert list(found["change"].values) == ["sex: f to m"]
    number = numbers_of_groups(fit, people)
    before, after = (expected_of(fit, people, people.assign(sex=s), number) for s in "fm")
    for label in found["at"].values:
        rows = people["age"].to_numpy() == float(label.removeprefix("age="))
        first, second = before[:, rows].mean(1), after[:, rows].mean(1)
        right = second - first if comparison == "difference" else second / first
        np.testing.assert_allclose(found.sel(at=label).values[:, 0], right, atol=1e-12)
    assert found.attrs["units"] == f"{comparison} of probability"


def test_comparisons_at_values(people, fit):
    found = bm.comparisons(fit, {"age": [20, 22, 24]}, {"sex": ["f", "m"]}, group="a", draws=60)
    assert list(found["change"].values) == ["age: 20 to 22", "age: 20 to 24"]
    assert list(found["at"].values) == ["sex=f", "sex=m"]
    groups = list(fit["posterior"]["group"].values)
    for s, sex in enumerate("fm"):
        ends = [
            expected_of(
                fit, people, pd.DataFrame({"age": [age], "sex": [sex]}), [groups.index("a")]
            )[:, 0]
            for age in (20.0, 24.0)
        ]
        np.testing.assert_allclose(found.values[:, 1, s], ends[1] - ends[0], atol=1e-12)


def test_weights_count_in_averages(people):
    fit = made(people, "age + sex", weights="sampled")
    found = bm.comparisons(fit, "sex", group="a", draws=60)
    apart = bm.comparisons(fit, "sex", {"age": [20, 21, 22, 23, 24]}, group="a", draws=60)
    share = people.groupby("age")["sampled"].sum().to_numpy()
    right = np.tensordot(apart.values, share / share.sum(), axes=([2], [0]))
    np.testing.assert_allclose(found.values[:, :, 0], right, atol=1e-12)


def test_typical_people_are_means_and_commonest_levels(people):
    own = people[["age", "sex"]].assign(sex=pd.Categorical(people["sex"]))
    fit = made(people, "age + sex")
    found = bm.comparisons(fit, "sex", {"age": [22]}, group="a", draws=60)
    both = pd.DataFrame({"age": [22.0, 22.0], "sex": ["f", "m"]})
    by_hand = bm.predict(fit, both, group="a", draws=60)
    np.testing.assert_allclose(found.values[:, 0, 0], by_hand[:, 1] - by_hand[:, 0], atol=1e-12)
    commonest = own["sex"].value_counts().index[0]
    found = bm.comparisons(fit, {"age": [20, 24]}, "age", group="a", draws=60)
    ages = pd.DataFrame({"age": [20.0, 24.0], "sex": [commonest] * 2})
    by_hand = bm.predict(fit, ages, group="a", draws=60)
    np.testing.assert_allclose(found.values[:, 0, 0], by_hand[:, 1] - by_hand[:, 0], atol=1e-12)


def test_a_spline_stays_inside_its_range(people):
    fit = made(people, "bs(age, df=4) + sex")
    words = said(bm.DataError, bm.comparisons, fit, "age", group="a")
    oldest = int((people["age"] == 24).sum())
    assert words.startswith(f"age: {oldest} of 240 values are beyond the fit's 20 to 24, first 25")
    words = said(bm.DataError, bm.predict, fit, people.assign(age=31.0), group="a")
    assert words.startswith("age: 240 of 240 values are beyond the fit's 20 to 24")
    assert bm.comparisons(fit, {"age": [20, 24]}, group="a").sizes["change"] == 1


def test_what_cannot_be_asked(people, fit):
    assert "unknown covariate 'salary'" in said(bm.StudyError, bm.comparisons, fit, "salary")
    words = said(bm.DataError, bm.comparisons, fit, {"sex": ["f", "q"]})
    assert "sex: unknown level 'q'; valid: f, m" in words
    words = said(bm.StudyError, bm.comparisons, fit, "sex", {"age": [22]}, "age")
    assert "not with conditional" in words
    words = said(bm.StudyError, bm.comparisons, fit, "sex", comparison="odds")
    assert "difference, ratio" in words
    words = said(bm.DataError, bm.predict, fit, people.assign(village="z"), group="own")
    assert "240 people are of groups that the fit has not, first 'z'" in words
    other = type(fit)()
    other.attrs["study"] = "emigration"
    assert "predicts nobody" in said(bm.StudyError, bm.predict, other)


def test_effects_are_drawn(fit):
    figure = bm.plot_effects(fit, "age", {"sex": ["f", "m"]}, group="a", draws=20)
    assert [axis.get_title() for axis in figure.axes] == list(OUTCOMES)
    labels = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert labels == ["sex=f", "sex=m"]
    line = figure.axes[1].get_lines()[0]
    women = pd.DataFrame({"age": [20.0, 24.0], "sex": ["f", "f"]})
    ends = bm.predict(fit, women, group="a", draws=20)
    middle = ends.quantile(0.5, "draw").values[:, 1]
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], middle, atol=1e-12)
    points = bm.plot_effects(fit, "sex", group="a", draws=20)
    assert [t.get_text() for t in points.axes[0].get_xticklabels()] == ["f", "m"]
