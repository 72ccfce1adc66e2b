"""Refits: other numbers in a compiled graph, the same draws as a fit from the beginning."""

import json
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import numpy as np
import pytest
from fits import too_short
from lazily import lazily
from toy import study as STUDY
from toy.fits import TINY

import bayesmig as bm
from bayesmig import compiled, evaluate
from bayesmig.pieces import Plan
from bayesmig.ready import build

pm = lazily("pymc")

PEOPLE = STUDY.simulate(seed=4, people=40)
MORE = STUDY.simulate(seed=5, people=60)


class Foreign:
    """Somebody else's prior: dims, and a variable of its own making."""

    dims = ("outcome",)

    def __init__(self, mu=0.5):
        self.mu = mu

    def create_variable(self, name, xdist=False):
        return pm.Normal(name, self.mu, 1.5, dims=self.dims)


@pytest.fixture(scope="module")
def ready():
    return bm.compile(STUDY, PEOPLE)


@cache
def small():
    with too_short():
        return bm.fit(STUDY, PEOPLE, **TINY)


def from_the_beginning(monkeypatch, *arguments, **options):
    """A fit whose graph is compiled for it alone."""
    monkeypatch.setattr(compiled, "_compiled", [])
    with too_short():
        fitted = bm.fit(STUDY, *arguments, **TINY, **options)
    assert fitted.attrs["compiled"] == "in this run"
    return fitted


@cache
def alone(priors=None, **options):
    """A fit on its own, not by way of another."""
    with too_short():
        return bm.fit(STUDY, PEOPLE, priors, **TINY, **options)


def assert_same_draws(one, other):
    for group in ("posterior", "estimands", "published", "sample_stats", "constant_data", "data"):
        assert one[group].identical(other[group]), group


# The same graph: no warning of a recompilation, which would be an error here


def test_other_priors(monkeypatch):
    priors = {"slope": {"dist": "Normal", "mu": 0.2, "sigma": 0.5}}
    with too_short():
        again = bm.refit(small(), priors, **TINY)
    assert again.attrs["compiled"] == "reused"
    assert again.attrs["prior_set"] == "default with slope"
    assert_same_draws(again, from_the_beginning(monkeypatch, PEOPLE, priors))


def test_other_data_of_another_length(monkeypatch):
    with too_short():
        again = bm.refit(small(), data=MORE, **TINY)
    assert again.attrs["compiled"] == "reused"
    assert again["constant_data"].sizes["person"] == 60
    assert_same_draws(again, from_the_beginning(monkeypatch, MORE))


def test_nothing_but_another_seed():
    with too_short():
        again = bm.refit(small(), seed=2, **TINY)
    assert again.attrs["compiled"] == "reused"
    assert again.attrs["seed"] == 2
    assert_same_draws(again, alone(seed=2))


@pytest.mark.parametrize("saved", [False, True])
def test_priors_and_options_of_the_fit_are_kept(tmp_path, saved):
    start = alone("wide", noise="learned")
    with too_short():
        again = bm.refit(
            bm.open_fit(bm.save_fit(start, tmp_path / "fit.nc")) if saved else start, **TINY
        )
    assert again.attrs["compiled"] == "reused"
    assert again.attrs["prior_set"] == "wide"
    assert json.loads(again.attrs["options"])["noise"] == "learned"
    assert again.attrs["fingerprint"] == start.attrs["fingerprint"]
    assert_same_draws(again, start)


def test_an_option_that_is_a_number_of_the_data():
    with too_short():
        again = bm.refit(small(), error=3.0, **TINY)
    assert again.attrs["compiled"] == "reused"
    assert_same_draws(again, alone(error=3.0))


# Many at once


def test_a_list_of_priors():
    names = ["wide", "default"]
    with too_short(), ThreadPoolExecutor(2) as executor:
        one_by_one = bm.refit(small(), names, **TINY)
        in_threads = bm.refit(small(), names, executor=executor, **TINY)
    assert [fitted.attrs["prior_set"] for fitted in one_by_one] == names
    for found in (one_by_one, in_threads):
        assert {fitted.attrs["compiled"] for fitted in found} == {"reused"}
        for name, fitted in zip(names, found, strict=True):
            assert_same_draws(fitted, alone(name))


def test_several_data():
    with too_short(), ThreadPoolExecutor(2) as executor:
        found = bm.refit(small(), data=(PEOPLE, MORE), executor=executor, **TINY)
    assert [fitted["data"].sizes["person"] for fitted in found] == [40, 60]
    assert {fitted.attrs["compiled"] for fitted in found} == {"reused"}


def test_lists_of_both_cross():
    with too_short():
        found = bm.refit(small(), ["default", "wide"], [PEOPLE, MORE], **TINY)
    assert [(f.attrs["prior_set"], f["data"].sizes["person"]) for f in found] == [
        ("default", 40),
        ("default", 60),
        ("wide", 40),
        ("wide", 60),
    ]


def test_lists_of_one_are_lists():
    with too_short():
        (only,) = bm.refit(small(), ["wide"], **TINY)
    assert only.attrs["prior_set"] == "wide"


# From what is compiled


def test_from_a_compiled_graph():
    ready = bm.compile(STUDY, PEOPLE, "wide")
    assert ready.options == STUDY.options
    assert ready.priors.name == "wide"
    with too_short():
        fitted = bm.refit(ready, **TINY)
        other = bm.refit(ready, "default", MORE, **TINY)
    assert fitted.attrs["compiled"] == other.attrs["compiled"] == "reused"
    assert_same_draws(fitted, alone("wide"))
    assert (fitted.attrs["prior_set"], other.attrs["prior_set"]) == ("wide", "default")
    assert other["data"].to_dataset().identical(MORE)


def test_compiling_twice_compiles_once():
    assert bm.compile(STUDY, PEOPLE).graph is bm.compile("toy", MORE, "wide").graph


def test_a_graph_that_was_forgotten_is_compiled_again(monkeypatch):
    start = small()
    monkeypatch.setattr(compiled, "_compiled", [])
    with too_short():
        again = bm.refit(start, **TINY)
    assert_same_draws(again, alone())


def test_no_more_graphs_are_kept_than_said(monkeypatch):
    monkeypatch.setattr(compiled, "_compiled", [])
    monkeypatch.setattr(compiled, "MEMORY", 1)
    assert not bm.compile(STUDY, PEOPLE).reused
    assert bm.compile(STUDY, PEOPLE).reused
    bm.compile(STUDY, PEOPLE, "noisy")
    assert len(compiled._compiled) == 1
    assert not bm.compile(STUDY, PEOPLE).reused


# Another graph


@pytest.mark.parametrize(
    ("priors", "options", "words"),
    [
        (
            {"slope": {"dist": "Gumbel", "mu": 0, "beta": 1}},
            {},
            "slope_beta, slope_sigma",
        ),
        (None, {"noise": "learned"}, "sigma"),
        ("noisy", {}, "sigma"),
        (None, {"effect": "square"}, "an expression differs"),
    ],
)
def test_another_graph_is_said_to_be_one(ready, priors, options, words):
    with too_short(), pytest.warns(bm.RecompiledWarning) as caught:
        again = bm.refit(ready, priors, **options, **TINY)
    (warning,) = [w for w in caught if w.category is bm.RecompiledWarning]
    assert words in str(warning.message)
    assert warning.filename == __file__
    assert json.loads(again.attrs["options"]) == STUDY.resolve(priors, options)[1]


def test_another_family_with_the_same_parameters_is_named():
    families = [{"dist": name, "alpha": 3, "beta": 1} for name in ("Gamma", "InverseGamma")]
    with too_short():
        start = bm.compile(STUDY, PEOPLE, {"gap": families[0]})
        with pytest.warns(bm.RecompiledWarning, match="gap: Gamma.* to Inv"):
            bm.refit(start, {"gap": families[1]}, **TINY)


def test_fewer_outcomes_are_another_graph():
    fewer = PEOPLE.drop_vars("visits")
    with too_short(), pytest.warns(bm.RecompiledWarning, match="visits_seen"):
        again = bm.refit(small(), data=fewer, **TINY)
    assert list(again["posterior"].outcome.values) == ["income", "moved"]


# What is refused


@pytest.mark.parametrize("start", ["fit", "compiled"])
def test_an_unknown_setting(ready, start):
    start = small() if start == "fit" else ready
    with pytest.raises(bm.StudyError) as caught:
        bm.refit(start, drows=100)
    said = str(caught.value)
    assert "unknown setting 'drows' (did you mean 'draws'?); valid: draws, tune, chains" in said
    assert "dispersion" in said


def test_an_option_that_contradicts_the_priors_is_refused():
    with pytest.raises(bm.PriorError, match="presumes noise='learned'"):
        bm.refit(small(), "noisy", noise="known", **TINY)


def test_a_prior_set_that_is_none():
    with pytest.raises(bm.PriorError, match="unknown prior set 'narrow'; valid: default"):
        bm.refit(small(), "narrow", **TINY)


# Priors of another library


@pytest.fixture(scope="module")
def foreign():
    with too_short():
        return bm.fit(STUDY, PEOPLE, {"slope": Foreign()}, **TINY)


@pytest.mark.parametrize("verb", ["refit", "add_groups", "sensitivity"])
@pytest.mark.parametrize("saved", [False, True])
def test_a_fit_cannot_carry_foreign_priors(foreign, tmp_path, verb, saved):
    fitted = bm.open_fit(bm.save_fit(foreign, tmp_path / "f.nc")) if saved else foreign
    assert fitted.attrs["priors_toml"] == ""
    assert "Foreign" in fitted.attrs["priors"]
    call = {
        "refit": lambda: bm.refit(fitted, **TINY),
        "add_groups": lambda: bm.add_groups(fitted, "log_prior"),
        "sensitivity": lambda: bm.sensitivity(fitted),
    }
    with pytest.raises(
        bm.StudyError, match=r"refit from bm\.compile\(study, data, priors=\.\.\.\)"
    ):
        call[verb]()
    assert len(bm.compare(fitted)) == 3  # this needs no priors


def test_foreign_priors_are_refitted_from_the_compiled_graph(foreign):
    ready = bm.compile(STUDY, PEOPLE, {"slope": Foreign()})
    with too_short():
        again = bm.refit(ready, **TINY)
        more = bm.refit(ready, data=MORE, groups=("log_prior",), **TINY)
        # the numbers of a foreign prior are part of its graph
        with pytest.warns(bm.RecompiledWarning, match="differs"):
            bm.refit(ready, {"slope": Foreign(1.5)}, **TINY)
    assert again.attrs["compiled"] == more.attrs["compiled"] == "reused"
    assert_same_draws(again, foreign)
    assert more["log_prior"]["slope"].dims == ("chain", "draw", "outcome")


def test_the_prior_of_the_same_data_and_priors_is_drawn_once(monkeypatch):
    first = bm.compile(STUDY, PEOPLE).prior_estimands(seed=77)

    def drawn_anew(*arguments, **named):
        raise AssertionError("drawn anew")

    monkeypatch.setattr(evaluate, "prior_draws", drawn_anew)
    first["slope"][:] = 0.0  # what is handed out is nobody else's
    again = bm.compile(STUDY, PEOPLE).prior_estimands(seed=77)
    assert not (again["slope"] == 0).any()
    for data, priors, seed in ((PEOPLE, "wide", 77), (MORE, None, 77), (PEOPLE, None, 78)):
        with pytest.raises(AssertionError, match="drawn anew"):
            bm.compile(STUDY, data, priors).prior_estimands(seed=seed)


def written(scale=1.0, **changes):
    """A model, written once more with something else."""
    kind = {"dtype": float, "dist": "Normal", "seen": [0.5, 1.0], "extra": 0.0, "transform": True}
    kind |= changes
    with pm.Model() as model:
        sd = pm.Data("sd", scale)
        at = pm.Data("at", np.array([1, 2], dtype=kind["dtype"]))
        x = getattr(pm, kind["dist"])("x", 0, sd)
        held = {} if kind["transform"] else {"default_transform": None}
        y = pm.HalfNormal("y", sd, **held)
        if kind["extra"]:
            pm.Potential("extra", kind["extra"] * x)
        pm.Normal("seen", x * at, y, observed=pm.Data("observed", kind["seen"]))
    return model


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"scale": 3.0}, True),
        ({"seen": [4.0, 5.0]}, True),
        ({"dtype": int}, False),
        ({"dist": "Laplace"}, False),
        ({"extra": 1.0}, False),
        ({"transform": False}, False),
    ],
    ids=str,
)
def test_models_that_are_written_alike_are_one_graph(change, same, monkeypatch):
    """Told without their densities, which take longer than the models; and as these tell."""
    first, other = (
        compiled.CompiledGraph(written(), (), Plan(0, (), (), ()), 0.0),
        written(**change),
    )
    assert first.matches(other) is same
    monkeypatch.setattr(compiled, "_drawn_alike", lambda one, other: False)
    assert first.matches(other) is same


def test_a_refit_does_without_the_density(monkeypatch):
    study = bm.load_study("emigration")
    tables = study.example(table=7), study.simulate(seed=1, table=7)
    one, other = (build(study, table).model for table in tables)
    monkeypatch.setattr(pm.Model, "logp", lambda self: pytest.fail("worked out"))
    assert compiled.CompiledGraph(one, (), Plan(0, (), (), ()), 0.0).matches(other)
