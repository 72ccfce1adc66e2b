"""Lengths that are the same by their dims: compiled code asks for each once, checked before."""

import numpy as np
import pytest
from lazily import lazily

from bayesmig import lengths
from bayesmig.compiled import _rewritten, compile_graph
from bayesmig.errors import StudyError

pm = lazily("pymc")
pt = lazily("pytensor.tensor")


def model(n=4, share=False):
    """A graph in which all arrays are of one dim, and each is used with another's shifted sums."""
    rng = np.random.default_rng(n)
    with pm.Model(coords={"place": range(n)}) as made:
        effect = pm.Normal("effect", dims="place")
        slope = pm.Normal("slope", dims="place")
        weight = pm.Data("weight", rng.uniform(size=n), dims="place")
        if share:
            alpha = pm.Data("alpha", np.ones(n), dims="place")
            weight = weight * pm.Dirichlet("share", alpha, dims="place")
        sums = pt.cumsum(effect * weight)
        before = pt.concatenate([pt.zeros(1), sums[:-1]])
        pm.Potential("seen", (pt.exp(before) * slope * weight).sum())
        pm.Potential("all", pt.log((weight / (1 + sums**2)).sum()))
    return made


def nodes(made):
    """Names of the operations that the density of a model is compiled to."""
    return [type(node.op).__name__ for node in _rewritten(made).maker.fgraph.toposort()]


def densities(graph, made):
    """Density and gradient at one point: compiled, and as PyMC has them."""
    density = graph.bind(made, seed=0)
    point = np.linspace(-1, 1, density.size)
    named = dict(zip([v.name for v in made.value_vars], density.split(point), strict=True))
    usual = [made.compile_logp(mode="FAST_COMPILE"), made.compile_dlogp(mode="FAST_COMPILE")]
    return density(point), [function(named) for function in usual]


def test_the_dims_of_parameters_and_data_are_known():
    known = dict.fromkeys(("effect", "slope", "weight"), ("place",))
    assert lengths.dims_of(model()) == known


def test_what_is_sampled_in_fewer_coordinates_has_none():
    assert set(lengths.dims_of(model(share=True))) == {"effect", "slope", "weight", "alpha"}


def test_no_lengths_are_compared_in_compiled_code(monkeypatch):
    assert "Assert" not in nodes(model())
    monkeypatch.setattr(lengths, "dims_of", lambda made: {})
    assert "Assert" in nodes(model())


@pytest.mark.parametrize("share", [False, True])
def test_the_density_is_pymcs_for_data_of_any_length(share):
    graph, _ = compile_graph(model(share=share))
    for n in (4, 9):
        (value, gradient), (expected, slopes) = densities(graph, model(n, share))
        assert value == pytest.approx(float(expected), rel=1e-12)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-10)


def test_arrays_of_one_dim_and_two_lengths_are_refused():
    graph, _ = compile_graph(model())
    other = model()
    other["weight"].set_value(np.ones(5))
    with pytest.raises(StudyError, match=r"along 'place'.*must have one length"):
        graph.bind(other, seed=0)
