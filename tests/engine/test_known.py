"""Graphs that were compiled before are found again, and none is taken for another."""

import json

import numpy as np
import pytest
from lazily import lazily

from bayesmig import _numba, compiled, known

pm = lazily("pymc")
pt = lazily("pytensor.tensor")


def model(n=3, *, name="seen", kind=float, factor=2.0, axis=0, prior="Normal", wide=False):
    """A graph that says one thing or another."""
    with pm.Model(coords={"row": range(n), "column": range(2)}) as made:
        effect = getattr(pm, prior)("effect", 0, 1, dims="column")
        data = pm.Data(name, np.ones((n, 2), dtype=kind), dims=("row", "column"))
        sums = (factor * effect[None] * data).sum(axis)
        pm.Potential("likelihood", pt.exp(-(sums**2)).sum() if wide else -(sums**2).sum())
    return made


OTHER = [
    {"name": "other"},
    {"kind": "int32"},
    {"factor": 2.5},
    {"axis": 1},
    {"prior": "Cauchy"},
    {"wide": True},
]


def test_data_and_sizes_do_not_tell_graphs_apart():
    assert compiled._digest(model()) == compiled._digest(model(n=5)) is not None


@pytest.mark.parametrize("what", OTHER, ids=str)
def test_what_is_written_does(what):
    assert compiled._digest(model()) != compiled._digest(model(**what)) is not None


def test_so_do_dims_and_flags(monkeypatch):
    own = compiled._digest(model())
    monkeypatch.setenv("NUMBA_OPT", "2")
    assert compiled._digest(model()) != own
    monkeypatch.undo()
    other = model()
    other.named_vars_to_dims["seen"] = (None, None)
    assert compiled._digest(other) != own


def test_so_does_the_code_of_the_package(monkeypatch):
    own = compiled._digest(model())
    monkeypatch.setattr(known, "_own_code", lambda: [("a file", 1, 2)])
    assert compiled._digest(model()) != own


def anew(monkeypatch):
    """Forget what is compiled in this process; return a list that counts what is compiled."""
    made = []
    usual = compiled._compiled_anew

    def counted(*args):
        made.append(args)
        return usual(*args)

    monkeypatch.setattr(compiled, "_compiled_anew", counted)
    return made


def compiled_again(monkeypatch, **what):
    monkeypatch.setattr(compiled, "_compiled", [])
    made = model(**what)
    graph, reused = compiled.compile_graph(made)
    assert not reused
    density = graph.bind(made, seed=0)
    value, gradient = density(np.array([0.5, -1.0]))
    return value, *gradient


def test_a_graph_is_found_without_being_compiled(monkeypatch):
    made = anew(monkeypatch)
    first = compiled_again(monkeypatch, factor=3.25)
    had = len(made)
    assert compiled_again(monkeypatch, factor=3.25) == first
    assert len(made) == had
    longer = compiled_again(monkeypatch, factor=3.25, n=7)
    assert len(made) == had
    sums = 7 * 3.25 * np.array([0.5, -1.0])
    normal = -0.5 * np.log(2 * np.pi) * 2 - 0.5 * (0.25 + 1)
    assert longer[0] == pytest.approx(normal - (sums**2).sum(), rel=1e-12)


REST = '"size": 9, "inputs": [0], "made": [4], "returns": [4]'
DAMAGED = [
    "",
    "{",
    "[]",
    f'{{"keys": ["none"], "names": ["seen"], {REST}}}',
    f'{{"keys": [3], "names": ["seen"], {REST}}}',
    f'{{"keys": ["../../none"], "names": ["seen"], {REST}}}',
    f'{{"keys": ["none"], "names": 3, {REST}}}',
    f'{{"keys": ["none"], "names": ["unheard of"], {REST}}}',
    '{"keys": ["none"], "names": ["seen"]}',
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_what_is_kept_and_no_good_is_compiled_anew(monkeypatch, damage):
    made = anew(monkeypatch)
    first = compiled_again(monkeypatch, factor=4.75)
    path = _numba.folder() / f"{compiled._digest(model(factor=4.75))}.json"
    whole = json.loads(path.read_text("utf-8"))
    path.write_text(damage, encoding="utf-8")
    had = len(made)
    assert compiled_again(monkeypatch, factor=4.75) == first
    assert len(made) == had + 1
    assert json.loads(path.read_text("utf-8")) == whole


def test_what_cannot_be_described_has_no_digest():
    """An object of any kind may hold what is not seen; a notebook has no file that could change."""
    from pytensor.graph.basic import Apply
    from pytensor.graph.op import Op

    class Own(Op):
        __props__ = ("how",)

        def __init__(self, how):
            self.how = how

        def make_node(self, x):
            return Apply(self, [x], [x.type()])

        def perform(self, node, inputs, outputs):
            outputs[0][0] = inputs[0]

    def of(how, module=Own.__module__):
        Own.__module__ = module
        x = pt.vector("x")
        return known.digest([Own(how)(x)], [x])

    assert of(1) != of(2) is not None
    assert of(object()) is None
    assert of(lambda: 1) is None
    assert of(4, module="no.such.module") is None


def test_a_graph_without_a_digest_is_compiled(monkeypatch):
    made = anew(monkeypatch)
    first = compiled_again(monkeypatch, factor=5.5)
    monkeypatch.setattr(known, "digest", lambda *args: None)
    had = len(made)
    assert compiled_again(monkeypatch, factor=5.5) == first
    assert len(made) == had + 1
