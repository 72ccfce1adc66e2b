"""Discrete outcomes hang on their data as continuous ones do, in fits and in simulations."""

import numpy as np
import pytest
import toy
import xarray as xr
from lazily import lazily
from toy.data import KINDS as OUTCOMES

import bayesmig as bm
from bayesmig import observed
from bayesmig.ready import build

pm = lazily("pymc")

SHORT = {"draws": 100, "tune": 150, "chains": 2, "progress": False}
GROUPS = ("log_likelihood", "posterior_predictive")


@pytest.fixture(scope="module")
def data():
    return toy.study.simulate(seed=11, every=True)


@pytest.fixture(scope="module")
def ready(data):
    return bm.compile(toy.study, data)


@pytest.fixture(scope="module")
def fitted(ready):
    with pytest.warns(bm.ConvergenceWarning):
        return bm.refit(ready, groups=GROUPS, **SHORT)


def test_every_outcome_names_its_data(ready):
    assert observed.data_names(ready.model) == {name: f"{name}_seen" for name in OUTCOMES}


def test_observed_data_are_the_data(fitted, data):
    assert set(fitted["observed_data"].data_vars) == set(OUTCOMES)
    for name in OUTCOMES:
        np.testing.assert_array_equal(fitted["observed_data"][name], data[name])
    assert not [n for n in fitted["constant_data"].data_vars if str(n).endswith("_seen")]


def test_log_likelihood_has_each_outcome(fitted, data):
    found = fitted["log_likelihood"]
    assert set(found.data_vars) == set(OUTCOMES)
    slope = fitted["posterior"]["slope"].sel(outcome="moved").values[..., None]
    eta = slope * data.distance.values
    expected = data.moved.values * eta - np.logaddexp(0, eta)
    np.testing.assert_allclose(found["moved"], expected, rtol=1e-10)
    point = {n: fitted["posterior"][n].values for n in ("slope", "gap")}
    direct = toy.study.log_likelihood(data, point)
    assert isinstance(direct, xr.Dataset)
    np.testing.assert_allclose(direct["moved"], found["moved"])


def test_predictive_draws_differ_by_draw_and_lie_where_they_can(fitted):
    drawn = fitted["posterior_predictive"]
    for name in OUTCOMES:
        assert drawn[name].shape == (2, 100, 80), name
        assert drawn[name].std(("chain", "draw")).min() > 0 or name in ("moved", "letters", "place")
        assert not np.array_equal(drawn[name][0, 0], drawn[name][0, 1]), name
    assert set(np.unique(drawn["moved"])) == {0, 1}
    assert drawn["letters"].min() >= 0
    assert drawn["letters"].max() <= toy.data.TRIALS
    assert set(np.unique(drawn["place"])) == {0, 1, 2}


def test_refit_takes_other_data_of_another_length(ready):
    other = toy.study.simulate(seed=12, people=50, every=True)
    with pytest.warns(bm.ConvergenceWarning):
        again = bm.refit(ready, data=other, **SHORT)
    assert again.attrs["compiled"] == "reused"
    np.testing.assert_array_equal(again["observed_data"]["visits"], other.visits)


def test_each_outcome_moves_the_density(ready):
    at = np.linspace(0.1, 0.8, ready.graph.bind(ready.model, 1).size)
    here = ready.graph.bind(ready.model, 1)(at)[0]
    for name in OUTCOMES:
        other = np.roll(ready.data[name].values, 1)
        held = {f"{name}_seen": other}
        assert ready.graph.bind(ready.model, 1, held)(at)[0] != here, name


def test_bind_refuses_a_name_that_it_does_not_have(ready):
    with pytest.raises(bm.StudyError, match="unknown data of the graph 'moved'.*'moved_seen'"):
        ready.graph.bind(ready.model, 1, {"moved": ready.data["moved"].values})


def test_bind_refuses_another_shape(ready):
    with pytest.raises(bm.StudyError, match=r"'moved_seen' have shape \(80,\), those given \(3,\)"):
        ready.graph.bind(ready.model, 1, {"moved_seen": np.zeros(3)})


def test_calibration_meets_the_simulated_data(data):
    """Against the original data 90 % intervals would hold a fraction of truths."""
    found = bm.calibrate(toy.study, data, n=40, draws=150, tune=200, progress=False)
    table = bm.coverage(found)
    # shares of 40 x 7 intervals, within four of their standard errors
    inside = found.inside.sel(quantity="slope").mean(("simulation", "outcome"))
    assert abs(float(inside.sel(probability=0.9)) - 0.9) < 4 * np.sqrt(0.9 * 0.1 / 280)
    assert abs(float(inside.sel(probability=0.5)) - 0.5) < 4 * np.sqrt(0.25 / 280)
    for outcome in OUTCOMES:
        ranks = found["rank"].sel(quantity="slope", outcome=outcome).values
        counts = np.histogram(ranks, bins=4, range=(0, 1))[0]
        # chi-squared with 3 degrees of freedom is beyond 21.1 once in ten thousand
        assert np.sum((counts - 10) ** 2 / 10) < 21.1, outcome
    assert table.attrs["divergences"] == 0


# What cannot be replaced is refused


def refused(observe):
    with pm.Model() as model:
        mean = pm.Normal("mean")
        observe(mean)
    with pytest.raises(bm.StudyError) as caught:
        observed.data_names(model)
    return str(caught.value)


def test_an_array_is_refused():
    words = refused(lambda mean: pm.Normal("y", mean, 1, observed=np.zeros(3)))
    assert words.startswith("y observes an array: pass observed=pm.Data(...)")


def test_a_function_of_data_is_refused():
    words = refused(lambda mean: pm.Normal("y", mean, 1, observed=pm.Data("x", np.ones(3)) * 2))
    assert "y observes a computation" in words


def test_data_observed_twice_are_refused():
    def twice(mean):
        x = pm.Data("x", np.zeros(3))
        pm.Normal("y", mean, 1, observed=x)
        pm.Normal("z", mean, 1, observed=x)

    assert refused(twice).startswith("z and y observe the same data 'x'")


def test_calibrate_says_so_before_it_samples(data, monkeypatch):
    real = toy.study.part("graph").build

    def with_an_array(data, priors, **options):
        model = real(data, priors, **options)
        with model:
            pm.Normal("extra", model["gap"], 1, observed=np.zeros(3))
        return model

    monkeypatch.setattr(toy.graph, "build", with_an_array)
    assert build(toy.study, data)
    with pytest.raises(bm.StudyError, match="extra observes an array"):
        observed.data_names(toy.study.build(data))
