"""The graphs of the essay against the same written by loops."""

from math import exp, log

import numpy as np
import pytest
from oracle import transnationalism as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.transnationalism.second_generation.design import Balanced, design

PRINT = bm.load_study("transnationalism")
PEOPLE = bm.load_study("transnationalism_respondents")
RATES = bm.load_study("transnationalism_second_generation")


def drawn(model, seed=3):
    """One draw of the parameters from the prior."""
    return {n: v[0] for n, v in evaluate.prior_draws(model, 1, seed, observed=False).items()}


def likelihood(model, point):
    names = [rv.name for rv in model.free_RVs]
    return evaluate.log_likelihood(model, {n: point[n] for n in names})


@pytest.mark.parametrize("priors", ["default", "pooled"])
def test_printed_coefficients(priors):
    data = PRINT.example()
    model = PRINT.build(data, priors)
    point = drawn(model)
    found = likelihood(model, point)["printed"]
    for k in range(data.sizes["term"]):
        bounds = (
            max(float(data.least_ratio[k]), 0.1),
            min(float(data.greatest_ratio[k]), 10.0),
        )
        common = (point["rounding"][k], point["ratio_position"][k], *bounds)
        value, half = float(data.estimate[k]), float(data.half_unit[k])
        coefficient = point["effect"][k] / float(data.difference[k])
        expected = oracle.printed(value, half, coefficient, *common)
        assert found[k] == pytest.approx(expected, rel=1e-9)
        error = oracle.standard_error(value, half, *common)
        assert point["standard_error"][k] == pytest.approx(error)
        assert point["coefficient"][k] == pytest.approx(coefficient)


def test_density_of_printed_coefficients():
    # the whole density, priors and all, against the oracle's: at one point
    model = PRINT.build(PRINT.example())
    point = drawn(model, 5)
    prior = evaluate.log_prior(model, point)
    effect = sum(oracle.normal(x, 0, 1) for x in point["effect"])
    assert float(prior["effect"].sum()) == pytest.approx(effect)
    assert float(prior["rounding"].sum()) == pytest.approx(0)
    assert float(prior["ratio_position"].sum()) == pytest.approx(0)


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_respondents(missing):
    data = PEOPLE.simulate(seed=4, n=200, missing=missing)
    model = PEOPLE.build(data)
    point = drawn(model)
    found = likelihood(model, point)
    b = dict(zip(model.coords["term"], point["coefficient"], strict=True))
    names = [str(n) for n in data.predictor.values]
    people = [dict(zip(names, row, strict=True)) for row in data.covariate.values]
    means = {n: sum(p[n] for p in people) / len(people) for n in names}
    for o, outcome in enumerate(data.outcome.values):
        ours = {k.split(": ")[1]: x for k, x in b.items() if k.startswith(outcome)}
        there = [i for i in range(len(people)) if not np.isnan(data.answer.values[i, o])]
        assert len(there) < len(people) if missing else len(there) == len(people)
        assert len(found[outcome]) == len(there)
        for k, i in enumerate(there):
            eta, answer = oracle.linear(people[i], ours, means), data.answer.values[i, o]
            if outcome == "economic":
                expected = oracle.economic(answer, float(point["base_probability"]), eta)
            elif outcome == "political":
                base, alpha = float(point["base_count"]), float(point["dispersion"])
                expected = oracle.political(answer, base, alpha, eta)
            else:
                expected = oracle.sociocultural(answer, list(point["category_probability"]), eta)
            assert found[outcome][k] == pytest.approx(expected, rel=1e-7, abs=1e-9)


@pytest.mark.parametrize("table", [3, 4])
def test_rates(table):
    data = RATES.example(table)
    model = RATES.build(data)
    point = drawn(model, 7)
    point["rate"] = np.clip(data.percent.values / 100 * 1.1, 0.001, 0.999)  # within reach
    found = likelihood_of_rates(model, point)
    for g in range(data.sizes["group"]):
        for m in range(data.sizes["measure"]):
            expected = oracle.rounded(
                float(data.percent[g, m]), 0.05, point["rate"][g, m], point["sample_size"][g, m]
            )
            if expected > -200:  # beyond, the oracle's differences are rounding error
                assert found["printed"][g, m] == pytest.approx(expected, rel=1e-5, abs=1e-7)
    if table == 4:
        for m in range(3):
            expected = oracle.total(
                float(data.total[m]), 0.05, data.percent.values[:, m],
                point["sample_size"][:, m], [0.1] * 6,
            ) if abs(near(data, point, m)) < 8 else None  # fmt: skip
            if expected is not None:
                assert found["printed_total"][m] == pytest.approx(expected, rel=1e-5)


def near(data, point, m):
    share = point["sample_size"][:, m] / point["sample_size"][:, m].sum()
    return (float(data.total[m]) - share @ data.percent.values[:, m]) / 0.03


def likelihood_of_rates(model, point):
    return evaluate.log_likelihood(model, {n: point[n] for n in ("rate", "sample_size")})


def test_totals_near_their_sheet():
    # sizes for which the totals are met: moved along, so that above and below balance
    data = RATES.example(4)
    model = RATES.build(data)
    size = data.sample_size.values.copy()
    for m in range(3):
        x, whole = data.percent.values[:, m], float(data.total[m])
        log_odds = oracle.balance(list(size[:, m]), list(x), whole)
        size[:, m] *= np.exp(-np.sign(x - whole) * log_odds / 2)
        assert oracle.balance(list(size[:, m]), list(x), whole) == pytest.approx(0, abs=1e-9)
    rate = np.clip(data.percent.values / 100, 0.001, 0.999)
    found = evaluate.log_likelihood(model, {"rate": rate, "sample_size": size})["printed_total"]
    for m in range(3):
        expected = oracle.total(
            float(data.total[m]), 0.05, data.percent.values[:, m], size[:, m], [0.1] * 6
        )
        assert found[m] == pytest.approx(expected, rel=1e-6)
        assert expected > log(0.8)


@pytest.mark.parametrize("n", [30, 120, 700, 5000])
@pytest.mark.parametrize("rate", [0.01, 0.05, 0.2, 0.45])
def test_anscombe_is_the_binomial(n, rate):
    # where whole numbers of people print as they do, in steps that a decimal tells apart
    for k in range(int(n * rate * 0.6), int(n * rate * 1.5) + 2):
        half = 50 / n  # so coarse that each count prints as a number of its own
        exact = oracle.exactly(100 * k / n, half, rate, n)
        ours = exp(oracle.rounded(100 * k / n, half, rate, n)) if k else (1 - rate) ** n
        if exact > 1e-4:
            assert ours == pytest.approx(exact, rel=0.35, abs=0.01)


def test_sizes_in_flat_coordinates():
    data = RATES.example(4)
    import pymc as pm

    rng = np.random.default_rng(2)
    value = rng.normal(0, 0.7, (6, 3))
    with pm.Model(coords={"group": range(6), "measure": range(3)}):
        near = Balanced(design(data), data.total.values)
        coordinates = near.forward(value).eval()
        np.testing.assert_allclose(near.backward(coordinates).eval(), value, atol=1e-12)

        # the first coordinate says how the total lies; the map keeps volumes
        size = data.sample_size.values * np.exp(value)
        for m in range(3):
            x = data.percent.values[:, m]
            expected = oracle.balance(list(size[:, m]), list(x), float(data.total[m]))
            sides = np.count_nonzero(x - float(data.total[m]))
            assert coordinates[0, m] == pytest.approx(expected * np.sqrt(sides) / 2)
        jacobian = np.empty((18, 18))
        for i in range(18):
            step = np.zeros(18)
            step[i] = 1e-6
            ends = [near.forward(value + s * step.reshape(6, 3)).eval().ravel() for s in (1, -1)]
            jacobian[:, i] = (ends[0] - ends[1]) / 2e-6
        assert abs(np.linalg.det(jacobian)) == pytest.approx(1, rel=1e-6)
