"""Draws of observed variables, whichever of their parameters change with the draws."""

import numpy as np
import pytest
from lazily import lazily

import bayesmig as bm
from bayesmig import evaluate

pm = lazily("pymc")

SAMPLES = (2, 2000)
TRIALS = np.array([10, 200, 3000])
SHARE, SD = np.array([0.1, 0.5, 0.9]), 0.5


@pytest.fixture(scope="module")
def drawn():
    """Predictive draws at one point, given 4,000 times: the first parameters are data."""
    with pm.Model(coords={"group": list("abc"), "kind": list("xy")}) as model:
        share = pm.Beta("share", 1, 1, dims="group")
        sd = pm.LogNormal("sd", 0, 1)
        trials = pm.Data("trials", TRIALS, dims="group")
        pm.Binomial("binomial", trials, share, observed=[1, 2, 3], dims="group")
        kinds = pm.math.stack([share[0], 1 - share[0]])
        counts = [[5, 5], [100, 100], [0, 3000]]
        pm.Multinomial("multinomial", trials, kinds, observed=counts, dims=("group", "kind"))
        pm.Normal("normal", pm.Data("mean", [1.0, 5.0, 9.0], dims="group"), sd, observed=[0] * 3)
        inner = pm.Normal.dist(np.array([1.0, 5.0, 9.0]), sd)
        pm.Censored("censored", inner, lower=-9.0, upper=None, observed=[1.0] * 3, dims="group")
    point = {
        "share": np.broadcast_to(SHARE, (*SAMPLES, 3)),
        "sd": np.full(SAMPLES, SD),
    }
    return evaluate.predictive(model, point, seed=3)


@pytest.mark.parametrize(
    ("name", "mean", "sd"),
    [
        ("binomial", TRIALS * SHARE, np.sqrt(TRIALS * SHARE * (1 - SHARE))),
        (
            "multinomial",
            np.outer(TRIALS, [0.1, 0.9]),
            np.sqrt(0.09 * TRIALS)[:, None] * np.ones(2),
        ),
        ("normal", np.array([1.0, 5, 9]), np.full(3, SD)),
        ("censored", np.array([1.0, 5, 9]), np.full(3, SD)),
    ],
)
def test_a_first_parameter_that_no_draw_changes(drawn, name, mean, sd):
    found, n = drawn[name], np.prod(SAMPLES)
    assert found.shape == (*SAMPLES, *mean.shape)
    np.testing.assert_array_less(abs(found.mean((0, 1)) - mean), 5 * sd / np.sqrt(n))
    # five standard errors of a standard deviation; the binomials' are close to normal's
    np.testing.assert_allclose(found.std((0, 1)), sd, rtol=5 / np.sqrt(2 * n) * 1.5)


# The prior


def toy():
    """A hierarchy, a support of several numbers, a size by dims and one by a parameter."""
    with pm.Model(coords={"place": ["a", "b", "c"], "kind": ["x", "y"]}) as model:
        middle = pm.Normal("middle", 1, 2)
        spread = pm.HalfNormal("spread", 1)
        place = pm.Normal("place_effect", middle, spread, dims="place")
        shares = pm.Dirichlet("shares", [1.0, 2.0], dims="kind")
        sizes = pm.Poisson("sizes", 3)
        pm.Binomial("heads", sizes + 2, shares[0])
        pm.Gamma("rates", [1.0, 2.0], spread, dims="kind")
        pm.Deterministic("both", pm.math.exp(place[:, None]) * shares, dims=("place", "kind"))
    return model


def test_draws_of_the_prior_at_once_are_those_one_by_one():
    model = toy()
    names = [v.name for v in (*model.free_RVs, *model.deterministics)]
    each = pm.draw([model[name] for name in names], draws=40, random_seed=3)
    found = evaluate.prior_draws(model, 40, 3, observed=False)
    assert list(found) == names
    for name, expected in zip(names, each, strict=True):
        np.testing.assert_allclose(found[name], expected, rtol=1e-13, err_msg=name)
        assert len(np.unique(expected)) > 2


def test_what_is_made_of_several_distributions_is_drawn_one_by_one():
    with pm.Model() as model:
        scale = pm.HalfNormal("scale", 1)
        pm.ZeroSumNormal("effects", scale, shape=4)
    found = evaluate.prior_draws(model, 30, 3, observed=False)
    assert found["effects"].shape == (30, 4)
    np.testing.assert_allclose(found["effects"].sum(axis=1), 0, atol=1e-12)
    assert len(np.unique(found["scale"])) == 30


def test_what_is_derived_of_other_draws_is_drawn_with_them():
    """A number derived of an observed variable has another draw of it each time."""
    with pm.Model() as model:
        level = pm.Normal("level", 0, 1)
        seen = pm.Normal("seen", level, 1, observed=0.0)
        pm.Deterministic("twice", 2 * seen)
    found = evaluate.prior_draws(model, 30, 3, observed=False)
    assert len(np.unique(found["twice"] - 2 * found["level"])) == 30
    again = evaluate.prior_draws(model, 30, 3, observed=False)
    np.testing.assert_array_equal(found["twice"], again["twice"])


def test_whole_numbers_are_not_made_of_others():
    with pm.Model() as model:
        pm.Deterministic("double", 2 * pm.Poisson("sizes", 3))
    assert evaluate.derived(model, {"sizes": 3.0})["double"] == 6
    with pytest.raises(bm.StudyError, match="values of sizes must be whole numbers"):
        evaluate.log_prior(model, {"sizes": 2.7})
