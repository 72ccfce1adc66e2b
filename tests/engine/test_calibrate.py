"""Calibration: it holds for the right model, and it tells that a wrong one is wrong."""

import warnings
from dataclasses import replace
from functools import wraps

import numpy as np
import pandas as pd
import pytest
import toy
import xarray as xr
from fits import STUDY, small
from lazily import lazily
from toy.fits import toy_fit

import bayesmig as bm
from bayesmig import calibration, compiled, evaluate
from bayesmig.truth import attach

pm = lazily("pymc")
stats = lazily("scipy.stats")

CELLS = STUDY.example(table=7)
FEW = {"n": 6, "draws": 100, "tune": 200, "attempts": 1, "progress": False}  # nothing is thinned
QUANTITIES = (
    "emigration return_immigration net_emigration non_match internal_migration mortality "
    "non_follow_up"
).split()
COLUMNS = (
    "inside 50%|se 50%|inside 90%|se 90%|bias|rmse|posterior sd|rank p-value|least ESS".split("|")
)  # fmt: skip


def simulated(seed):
    return STUDY.simulate(seed=seed, table=7)


def noisier(seed):
    """Non-match missed by four times the error that the intervals state."""
    data = simulated(seed)
    half = (data.ci_high - data.estimate).sel(component="non_match").values
    noise = np.random.default_rng(seed).normal(0, 4 * half / 1.6448536269514722)
    data["estimate"].loc[{"component": "non_match"}] += noise
    return data.assign(
        ci_low=data.ci_low + (data.estimate - simulated(seed).estimate),
        ci_high=data.ci_high + (data.estimate - simulated(seed).estimate),
    )


@pytest.fixture(scope="module")
def from_prior():
    return bm.calibrate(STUDY, CELLS, "calibration", **FEW)


@pytest.fixture(scope="module")
def given():
    return bm.calibrate(STUDY, CELLS, simulate=simulated, **{**FEW, "n": 8})


# What it returns


def test_shapes(from_prior):
    assert dict(from_prior.sizes) == {"simulation": 6, "quantity": 8, "cell": 4, "probability": 2}
    for name in ("truth", "mean", "sd", "rank"):
        assert set(from_prior[name].dims) == {"simulation", "quantity", "cell"}, name
        assert from_prior[name].sel(quantity=QUANTITIES).notnull().all()
    assert set(from_prior["inside"].dims) == {"simulation", "quantity", "cell", "probability"}
    assert set(np.unique(from_prior["inside"].sel(quantity=QUANTITIES))) <= {0.0, 1.0}
    for name in ("divergences", "steps", "attempts"):
        assert from_prior[name].dims == ("simulation",)
    assert from_prior["ess"].dims == ("simulation", "quantity")
    assert ((from_prior["ess"] > 1) & (from_prior["ess"] < 400)).all()
    assert list(from_prior.quantity.values) == [*QUANTITIES, "log_density"]
    assert list(from_prior.probability.values) == [0.5, 0.9]
    assert list(from_prior.cell.values) == list(CELLS.cell.values)


def test_ranks_and_intervals_agree(from_prior):
    """A truth is inside the 90 % interval if 5 to 95 % of the draws are below it."""
    rank, inside = (from_prior[name].sel(quantity=QUANTITIES) for name in ("rank", "inside"))
    inside = inside.astype(bool)
    assert ((rank > 0) & (rank < 1)).all()
    assert inside.sel(probability=0.9).where(inside.sel(probability=0.5), True).all()
    step = 2 / 100  # of the rank: one draw, and its place in its cell
    for p in (0.5, 0.9):
        low, high = (1 - p) / 2, (1 + p) / 2
        surely_in = (rank > low + step) & (rank < high - step)
        surely_out = (rank < low - step) | (rank > high + step)
        assert inside.sel(probability=p).where(surely_in, True).all()
        assert not inside.sel(probability=p).where(surely_out, False).any()
        assert bool(surely_in.any())
        assert bool(surely_out.any())


def test_attributes(from_prior, given):
    assert from_prior.attrs == {
        "study": "emigration",
        "data_title": CELLS.attrs["title"],
        "synthetic": 1,
        "truth": "drawn from the prior",
        "prior_set": "calibration",
        "draws": 100,
        "seed": 1,
        "interrupted": "",
    }
    assert given.attrs["truth"] == "given"
    assert given.attrs["prior_set"] == "default"


def test_truths_from_the_prior_differ_between_simulations(from_prior):
    shares = from_prior["truth"].sel(quantity=["emigration", "non_match", "mortality"])
    assert (shares.std("simulation") > 0).all()
    assert ((shares > 0) & (shares < 100)).all()
    net = from_prior["truth"].sel(quantity="net_emigration")
    parts = [from_prior["truth"].sel(quantity=q) for q in ("emigration", "return_immigration")]
    np.testing.assert_allclose(net, parts[0] - parts[1])


def test_given_truths_are_those_of_the_simulated_data(given):
    for i in range(given.sizes["simulation"]):
        truth = given["truth"].sel(quantity="emigration", cell="Mexican, Male")[i]
        share = STUDY.truth(simulated(1 + i))["share"].sel(cell="Mexican, Male", fate="emigrated")
        assert float(truth) == pytest.approx(100 * float(share))


def test_the_same_seed_gives_the_same_calibration(from_prior):
    again = bm.calibrate(STUDY, CELLS, "calibration", **{**FEW, "n": 2})
    alone = bm.calibrate(STUDY, CELLS, "calibration", workers=1, **{**FEW, "n": 2})
    assert again.identical(alone)
    other = bm.calibrate(STUDY, CELLS, "calibration", seed=2, **{**FEW, "n": 2})
    assert not np.any(other["truth"] == again["truth"])


@pytest.mark.parametrize(
    ("worst", "counts"),
    [([(0, 50)], 1), ([(1, 400), (0, 400)], 2), ([(0, 49), (0, 300)], 2), ([(9, 3)] * 9, 3)],
)
def test_a_refit_that_samples_badly_is_made_again(monkeypatch, worst, counts):
    """Divergences and least ESS of each attempt, and which of them counts."""
    attempt, made = calibration._attempt, []

    def bad(built, density, job, **settings):
        made.append(settings)
        divergences, ess = worst[len(made) - 1]
        found = attempt(built, density, job, **settings)
        return found.assign(divergences=divergences, ess=found.ess * 0 + ess)

    monkeypatch.setattr(calibration, "_attempt", bad)
    few = {**FEW, "n": 1, "draws": 20, "tune": 30, "attempts": 3}
    found = bm.calibrate(STUDY, CELLS, simulate=simulated, **few)
    assert found.attempts.item() == counts == len(made)
    assert found.divergences.item() == worst[counts - 1][0]
    assert [one["draws"] for one in made] == [20, 40, 80][:counts]
    assert [one["tune"] for one in made] == [30, 60, 120][:counts]
    first = STUDY.sampling["target_accept"]
    halfway = [1 - (1 - first) / 2**k for k in range(counts)]
    np.testing.assert_allclose([one["target_accept"] for one in made], halfway)
    assert len({one["seed"] for one in made}) == counts
    table = bm.coverage(found)
    assert table.attrs["again"] == (counts > 1)


def test_one_attempt_is_one(monkeypatch):
    monkeypatch.setattr(calibration, "LEAST_ESS", 1000)
    few = {**FEW, "n": 1, "draws": 20, "tune": 30}
    assert bm.calibrate(STUDY, CELLS, simulate=simulated, **few).attempts.item() == 1


@pytest.mark.parametrize("name", ["attempts", "chains"])
@pytest.mark.parametrize("number", [0, -1, 1.5, "2", None])
def test_no_attempt_and_no_chain_is_refused(name, number):
    with pytest.raises(bm.StudyError, match=f"{name} must be a whole number, 1 or more"):
        bm.calibrate(STUDY, CELLS, simulate=simulated, **{**FEW, name: number})


def test_what_is_kept_of_other_simulated_data_is_not_taken(tmp_path, monkeypatch):
    """Whoever stops one calibration and starts another in the same folder gets the other."""
    few, one = {**FEW, "n": 2, "draws": 20, "tune": 20}, calibration._one

    def stopped(ready, job, *settings):
        if job.seed == 2:
            raise RuntimeError("stopped")
        return one(ready, job, *settings)

    with monkeypatch.context() as patched:
        patched.setattr(calibration, "_one", stopped)
        with pytest.raises(RuntimeError, match="stopped"):
            bm.calibrate(STUDY, CELLS, simulate=simulated, keep=tmp_path, **few)
    assert len(list(tmp_path.rglob("*.nc"))) == 1
    found = bm.calibrate(STUDY, CELLS, simulate=noisier, keep=tmp_path, **few)
    xr.testing.assert_identical(found, bm.calibrate(STUDY, CELLS, simulate=noisier, **few))
    with monkeypatch.context() as patched:
        patched.setattr(calibration, "installed", lambda library: "of another version")
        bm.calibrate(STUDY, CELLS, simulate=simulated, keep=tmp_path, **few)
    assert len(list(tmp_path.rglob("*.nc"))) == 1
    bm.calibrate(STUDY, CELLS, simulate=simulated, keep=tmp_path, **few)
    assert not list(tmp_path.rglob("*.nc"))


def test_the_log_density_is_pymcs_own(from_prior):
    """At the truth and the simulated data: PyMC's log density of the model that holds both."""
    ready = bm.compile(STUDY, CELLS, "calibration")
    job = calibration._prior_jobs(ready, 6, 1, point=True)[2]
    with ready.model:
        pm.set_data(dict(job.held))
    point, shapes = {}, ready.graph.bind(ready.model, 1).shapes
    for value, part in zip(ready.model.value_vars, compiled.cut(job.point, shapes), strict=True):
        point[value.name] = part
    expected = float(ready.model.compile_logp(mode="FAST_COMPILE")(point))
    found = from_prior["truth"].sel(quantity="log_density", simulation=2)
    assert float(found[0]) == pytest.approx(expected, rel=1e-9)
    assert found[1:].isnull().all()  # it has no cells
    one = bm.calibrate(STUDY, CELLS, "calibration", quantity="log_density", **{**FEW, "n": 3})
    assert list(bm.coverage(one).index) == ["log_density"]
    ranks = from_prior["rank"].sel(quantity="log_density")[:3, 0]
    np.testing.assert_array_equal(one["rank"].squeeze(), ranks)


def test_data_that_carry_all_parameters_have_a_log_density_too():
    """Truths of the prior, handed in as data: the same refits, ranks and truths."""
    study, how = toy.study, {"n": 3, "seed": 1}
    like = study.simulate(seed=4)
    ready = bm.compile(study, like)
    drawn = evaluate.prior_draws(ready.model, how["n"], how["seed"])
    names = [*(rv.name for rv in ready.model.free_RVs), "cut"]
    outcomes = [rv.name for rv in ready.model.observed_RVs]

    def handed_in(seed):
        i = seed - 1
        truth = evaluate.dataset(ready.model, {name: drawn[name][i] for name in names}, ())
        seen = {name: ("person", drawn[name][i]) for name in outcomes}
        return attach(like.drop_vars(["true_slope", "true_cut"]).assign(seen), truth)

    few = {**FEW, **how, "quantity": ["slope", "log_density"]}
    found = bm.calibrate(study, like, simulate=handed_in, **few)
    xr.testing.assert_equal(found, bm.calibrate(study, like, **few))
    assert list(bm.coverage(found).index) == ["slope", "log_density"]


def test_truths_are_taken_in_the_order_of_the_graphs_dims():
    ready = bm.compile(STUDY, CELLS)
    drawn = evaluate.prior_draws(ready.model, 2, 1, observed=False)
    truths = [
        evaluate.dataset(ready.model, {name: value[i] for name, value in drawn.items()}, ())
        for i in range(2)
    ]
    turned = [truth.map(lambda values: values.transpose(*values.dims[::-1])) for truth in truths]
    found, usual = (calibration._free(ready, each) for each in (turned, truths))
    assert found.keys() == usual.keys() > {"effect_raw"}
    for name, values in usual.items():
        np.testing.assert_array_equal(found[name], values)
        np.testing.assert_array_equal(values, drawn[name])


def test_data_that_do_not_carry_all_parameters_have_no_log_density():
    how = {**FEW, "simulate": lambda seed: toy.study.simulate(seed=seed)}
    with pytest.raises(bm.StudyError, match="free variable, and simulated data do not carry gap"):
        bm.calibrate(toy.study, toy.study.simulate(seed=4), quantity="log_density", **how)


def test_several_chains_of_a_refit(monkeypatch):
    """Their draws are put one after another; if one is elsewhere, all is made again."""
    how = {**FEW, "n": 2, "quantity": "slope", "attempts": 2, "chains": 2}
    study, like = toy.study, toy.study.simulate(seed=1)
    found = bm.calibrate(study, like, **how)
    assert ((found.rhat > 0.9) & (found.rhat < 1.1)).all()
    assert found.attempts.values.tolist() == [1, 1]
    assert "largest R-hat" in bm.coverage(found)
    one = bm.calibrate(study, like, **{**how, "chains": 1})
    assert one.rhat.isnull().all()
    assert (found.ess > one.ess).all()
    monkeypatch.setattr(calibration, "LARGEST_RHAT", 0.0)
    assert bm.calibrate(study, like, **how).attempts.values.tolist() == [2, 2]


def test_chains_in_two_places_are_told_by_r_hat():
    rng = np.random.default_rng(5)
    apart = rng.normal(size=(2, 100)) + [[0.0], [9.0]]
    drawn = xr.Dataset({"apart": (("chain", "draw"), apart)})
    found = calibration._against(drawn, xr.Dataset({"apart": 4.5}), seed=1).squeeze()
    assert float(found.rhat) > calibration.LARGEST_RHAT
    assert float(found["mean"]) == pytest.approx(apart.mean())
    below = (apart.ravel()[:: apart.size // calibration.RANKS] < 4.5).mean()
    assert float(found["rank"]) == pytest.approx(below, abs=0.01)


def test_simulated_data_of_another_graph_are_fitted_with_theirs(monkeypatch):
    """A graph may depend on the data: that of other data would sample another posterior."""
    study, graph = toy.study, toy.study.part("graph")
    usual = graph.build
    like = study.simulate(seed=1)
    how = {**FEW, "n": 2, "quantity": "slope", "simulate": lambda i: study.simulate(seed=i)}
    squared = bm.calibrate(study, like, effect="square", **how)

    @wraps(usual)
    def build(data, priors, **options):
        effect = "square" if data.attrs["title"].endswith("seed 2") else "linear"
        return usual(data, priors, **options | {"effect": effect})

    monkeypatch.setattr(graph, "build", build)
    found = bm.calibrate(study, like, **how)
    same = found["mean"] == squared["mean"]
    assert same.isel(simulation=1).all()
    assert not same.isel(simulation=0).any()


def test_a_graph_that_ignores_half_the_data_is_told_by_its_log_density():
    """Means from half the data are calibrated; what data and parameters say together is not."""
    rng, n, draws = np.random.default_rng(1), 400, 99
    truth = rng.normal(size=n)
    data = truth[:, None] + rng.normal(size=(n, 2))
    half = rng.normal(data[:, 0] / 2, np.sqrt(1 / 2), size=(draws, n))  # sees the first alone

    def log_density(mean):
        return -(mean**2 + ((data[..., 0] - mean) ** 2 + (data[..., 1] - mean) ** 2)) / 2

    def p_value(sampled, known):
        rank = calibration._ranks(
            xr.Dataset({"q": (("draw", "place"), sampled)}),
            xr.Dataset({"q": ("place", known)}),
            seed=1,
        )
        return stats.chisquare(np.histogram(rank["q"], 10, (0, 1))[0]).pvalue

    assert p_value(half, truth) > 0.001
    assert p_value(log_density(half), log_density(truth)) < 1e-6


# Ranks


def test_ranks_of_discrete_quantities_are_uniform_too():
    rng, places = np.random.default_rng(2), 5000
    drawn = xr.Dataset({"count": (("draw", "place"), rng.poisson(0.7, (100, places)))})
    truth = xr.Dataset({"count": ("place", rng.poisson(0.7, places))})
    rank = calibration._ranks(drawn, truth, seed=1)["count"]

    def p_value(values, bins):
        return stats.chisquare(np.histogram(values, bins, (0, 1))[0]).pvalue

    assert p_value(rank, 10) > 0.001
    assert p_value(rank, 101) > 0.001  # every cell of the ranks 0 to 100
    assert p_value((drawn["count"] < truth["count"]).mean("draw"), 10) < 1e-9


def test_constants_and_missing_truths_have_no_place():
    rng = np.random.default_rng(3)
    drawn = xr.Dataset(
        {
            "cells": (("draw", "cell"), np.column_stack([rng.normal(size=(50, 2)), np.ones(50)])),
            "total": ("draw", rng.normal(size=50)),
            "fixed": ("draw", np.zeros(50)),
        }
    ).expand_dims("chain")
    truth = xr.Dataset(
        {"cells": ("cell", [0.0, np.nan, 1.0]), "total": ((), 0.1), "fixed": ((), 0.0)}
    )
    found = calibration._against(drawn, truth, seed=1)
    for name in ("rank", "inside"):
        there = found[name].notnull()
        there = there if name == "rank" else there.all("probability")
        assert there.sel(quantity="cells").values.tolist() == [True, False, False]
        assert there.sel(quantity="total").values.tolist() == [True, False, False]
        assert not there.sel(quantity="fixed").any()
    two = xr.concat([found, found], "simulation").assign(
        divergences=("simulation", [0, 0]),
        steps=("simulation", [7.0, 7.0]),
        attempts=("simulation", [1, 1]),
    )
    assert list(bm.coverage(two).index) == ["cells", "total"]
    assert bm.coverage(two).notna().all(axis=None)


def test_plot_calibration(from_prior):
    figure = bm.plot_calibration(from_prior)
    shown = [axis.get_title(loc="left") for axis in figure.axes if axis.get_visible()]
    assert shown == [name.replace("_", " ") for name in [*QUANTITIES, "log_density"]]
    (axis,) = bm.plot_calibration(from_prior, "mortality").axes
    ranks = np.sort(calibration.ranks(from_prior)["mortality"])
    at, line = axis.lines[1].get_data()
    expected = np.searchsorted(ranks, at, side="right") / 6 - at
    np.testing.assert_allclose(line[1:-1], expected[1:-1])
    with pytest.raises(bm.StudyError, match="'deaths'"):
        bm.plot_calibration(from_prior, "deaths")
    with pytest.raises(bm.StudyError, match="two data sets at least"):
        bm.plot_calibration(from_prior.isel(simulation=[0]))


# Its summary


def test_a_truth_of_other_dims_is_refused(monkeypatch):
    usual = calibration._given_jobs

    def first_cell(*arguments):
        return [replace(job, truth=job.truth.isel(cell=0)) for job in usual(*arguments)]

    monkeypatch.setattr(calibration, "_given_jobs", first_cell)
    with pytest.raises(bm.StudyError, match="the truth of emigration has dims"):
        bm.calibrate(STUDY, CELLS, simulate=simulated, **{**FEW, "n": 1})


def test_coverage_columns(from_prior):
    table = bm.coverage(from_prior)
    assert list(table.columns) == COLUMNS
    assert list(table.index) == [*QUANTITIES, "log_density"]
    assert table.index.name == "quantity"
    assert table.notna().all(axis=None)
    assert table.attrs["n"] == 6
    assert table.attrs["divergences"] == int(from_prior["divergences"].sum())
    assert table.attrs["truth"] == "drawn from the prior"


def test_coverage_by_hand(given):
    row = bm.coverage(given).loc["emigration"]
    one = given.sel(quantity="emigration")
    inside = one["inside"].sel(probability=0.9).transpose("simulation", "cell").values
    error = (one["mean"] - one["truth"]).values
    assert row["inside 90%"] == pytest.approx(inside.mean())
    by_data_set = pd.Series(inside.mean(axis=1))
    assert row["se 90%"] == pytest.approx(by_data_set.sem())
    assert row["bias"] == pytest.approx(error.mean())
    assert row["rmse"] == pytest.approx(np.sqrt((error**2).mean()))
    assert row["posterior sd"] == pytest.approx(float(one["sd"].mean()))


def test_coverage_by_a_dim(from_prior):
    """Each cell has a row as if it were alone; what has no cells has one."""
    table = bm.coverage(from_prior, by="cell")
    cells = from_prior.cell.values
    expected = [f"{quantity}, {cell}" for quantity in QUANTITIES for cell in cells]
    assert list(table.index) == [*expected, "log_density"]
    one = from_prior.sel(quantity="emigration", cell=cells[1])
    row = table.loc[f"emigration, {cells[1]}"]
    assert row["inside 50%"] == pytest.approx(float(one["inside"].sel(probability=0.5).mean()))
    assert row["posterior sd"] == pytest.approx(float(one["sd"].mean()))
    with pytest.raises(bm.StudyError, match=r"unknown dim 'cel' \(did you mean 'cell'"):
        bm.coverage(from_prior, by="cel")


def test_what_cards_store(monkeypatch, tmp_path):
    """Coverage, and what it rests on; nothing is left of the results in the making."""
    monkeypatch.chdir(tmp_path)
    how = {"n": 2, "draws": 40, "seed": 1, "progress": False}
    table = calibration.recovery("emigration", STUDY.example(table=7), **how)
    assert list(table.columns[-4:]) == ["simulations", "again", "divergences", "steps"]
    assert (table.simulations == 2).all()
    assert "log_density" in table.index
    assert "truth" not in table
    assert not list(tmp_path.rglob("*.nc"))


def test_coverage_of_one_data_set(from_prior):
    table = bm.coverage(from_prior.isel(simulation=[0]))  # no standard error, and no warning
    assert table["se 90%"].isna().all()
    assert table["inside 90%"].between(0, 1).all()


# Right and wrong


def test_a_wrong_model_is_found_out(given):
    """Too few simulations for nominal coverage, enough to tell 0.9 from a third."""
    right = bm.coverage(given)
    wrong = bm.coverage(bm.calibrate(STUDY, CELLS, simulate=noisier, **{**FEW, "n": 8}))
    at = "inside 90%"
    assert right.loc["non_match", at] > 0.75
    assert wrong.loc["non_match", at] < 0.6
    assert wrong.loc["emigration", at] < right.loc["emigration", at] - 0.2
    assert wrong.loc["mortality", at] > 0.75  # that part of the model is right
    assert wrong.loc["non_match", "rmse"] > 2 * right.loc["non_match", "rmse"]


@pytest.mark.slow
def test_coverage_is_nominal_and_ranks_are_uniform():
    cells = STUDY.example(table=(10, 11))
    table = bm.coverage(bm.calibrate(STUDY, cells, "calibration", n=200, progress=False))
    for p in (50, 90):
        distance = (table[f"inside {p}%"] - p / 100).abs()
        assert (distance < 3 * table[f"se {p}%"]).all(), table.to_string()
    assert (table["rank p-value"] > 0.001).all(), table.to_string()
    assert table.attrs["n"] == 200


# Sensitivity


def test_sensitivity():
    table = bm.sensitivity(small(), "emigration")
    assert {"prior", "likelihood", "diagnosis"} <= set(table.columns)
    assert list(table.index) == [f"emigration[{cell}]" for cell in CELLS.cell.values]
    assert (table.likelihood > 0).all()
    assert len(bm.sensitivity(small())) == 7 * 4


def test_sensitivity_names_the_priors_that_it_cannot_see():
    """A flat density to any power is itself."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bm.sensitivity(small(), "emigration").attrs["unseen"] == []
    flat = {"slope": {"dist": "Uniform", "lower": -10, "upper": 10}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.RecompiledWarning)
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        fitted = bm.refit(toy_fit(), flat, draws=50, tune=100, chains=2, progress=False)
    with pytest.warns(bm.PriorWarning, match="flat priors decide, here of slope: refit"):
        table = bm.sensitivity(fitted, "slope")
    assert table.attrs["unseen"] == ["slope"]


def test_sensitivity_of_no_quantity():
    with pytest.raises(bm.StudyError, match="no quantity 'emmigration'; it has emigration, "):
        bm.sensitivity(small(), "emmigration")
