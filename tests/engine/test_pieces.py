"""Graphs cut into pieces: the numbers are those of the whole, whoever compiles the pieces."""

import io
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from queue import SimpleQueue

import numpy as np
import pytest
from lazily import lazily

from bayesmig import _numba, compiled, glue, helpers, pieces
from bayesmig.errors import StudyError

pm = lazily("pymc")
pt = lazily("pytensor.tensor")
op = lazily("pytensor.graph.op")


def model(n=3):
    """A graph of sums, views, numbers, an index and a triangular system, written over in place."""
    rng = np.random.default_rng(1)
    with pm.Model(coords={"row": range(n), "column": range(2)}) as made:
        effect = pm.Normal("effect", dims=("row", "column"))
        scale = pm.HalfNormal("scale")
        where = pm.Data("where", np.arange(2 * n) % n)
        weight = pm.Data("weight", rng.uniform(1, 2, (2, n)), dims=("column", "row"))
        turned = pt.cumsum(effect.T * weight, axis=1)
        sums = pt.set_subtensor(turned[:, 0], scale * turned[:, -1])
        square = pt.eye(sums.shape[1]) + pt.tril(pt.dot(sums.T, sums))
        solved = pt.linalg.solve_triangular(square, sums.T, lower=True)
        pm.Potential("seen", pt.log1p(solved[where] ** 2).sum() / scale.sum())
        pm.Potential("most", -pt.exp(-sums.max()) * (scale > 0.1))
    return made


def cut(made, size):
    """The pieces of a model's density, and how they go together."""
    graph = compiled._rewritten(made).maker.fgraph
    return pieces.in_pieces(graph.inputs, graph.outputs, graph.toposort(), size)


def anew(monkeypatch, made, size):
    """Compile a model's density in pieces of a size, whatever was compiled before."""
    usual = pieces.in_pieces

    def in_pieces(*graph, **how):
        return usual(*graph, size=how.get("size", size))

    monkeypatch.setattr(compiled, "in_pieces", in_pieces)
    monkeypatch.setattr(compiled, "_compiled", [])
    with _numba.compiling():
        return compiled._compiled_anew(made, None)


def numbers(graph, made):
    """Density and gradient at three points, to the last bit."""
    density, rng = graph.bind(made, seed=0), np.random.default_rng(2)
    return [
        (value.hex(), gradient.tobytes())
        for value, gradient in (density(rng.normal(size=density.size)) for _ in range(3))
    ]


def test_pieces_have_the_numbers_of_the_whole_to_the_last_bit(monkeypatch):
    made = model()
    whole, parts = (anew(monkeypatch, made, size) for size in (1e9, 4))
    assert len(whole.pieces) == 1 < 4 <= len(parts.pieces)
    assert numbers(whole, made) == numbers(parts, made)


def test_pieces_have_the_numbers_of_pymc(monkeypatch):
    made = model()
    density = anew(monkeypatch, made, 4).bind(made, seed=0)
    point = np.random.default_rng(3).normal(size=density.size)
    named = dict(zip([v.name for v in made.value_vars], density.split(point), strict=True))
    value, gradient = density(point)
    assert value == pytest.approx(float(made.compile_logp(mode="FAST_COMPILE")(named)), rel=1e-12)
    usual = made.compile_dlogp(mode="FAST_COMPILE")(named)
    np.testing.assert_allclose(gradient, usual, rtol=1e-10)


def test_pieces_take_data_of_another_length(monkeypatch):
    whole, parts = (anew(monkeypatch, model(), size) for size in (1e9, 4))
    assert numbers(whole, model(n=5)) == numbers(parts, model(n=5))


def test_a_piece_keeps_the_order_in_which_arrays_are_written_over():
    """Two nodes read an array, a third writes over it: nothing else holds it back."""
    from pytensor.tensor.elemwise import Elemwise

    x = pt.vector("x")
    first = pt.exp(x)
    other = first * first
    over = Elemwise(pt.log.scalar_op, inplace_pattern={0: 0})(first)
    nodes = [v.owner for v in (first, other, over)]
    out = [over, other]
    _, (piece,) = pieces.in_pieces([x], out, nodes)
    ordered = piece.graph().toposort()
    assert [node.op for node in ordered] == [node.op for node in nodes]
    assert list(ordered) == piece.nodes


def test_every_node_is_in_a_piece_and_registers_do_not_overlap():
    plan, made = cut(model(), 4)
    taken = {k for piece in made for k in piece.takes}
    assert taken <= {*plan.inputs} | {k for piece in made for k in piece.gives}
    words = [
        (k, pieces.words(v))
        for piece in made
        for k, v in zip(piece.gives, piece.outputs, strict=True)
    ]
    for (first, count), (after, _) in pairwise([*sorted(words), (plan.size, 0)]):
        assert first + count <= after
    assert max(plan.inputs) < min(k for k, _ in words)


def test_what_is_neither_array_nor_number_is_refused_by_name():
    from pytensor.tensor.random.type import random_generator_type

    rng = random_generator_type("dice")
    _, drawn = pt.random.normal(rng=rng, return_next_rng=True)
    with pytest.raises(StudyError, match="dice.*neither an array nor a number"):
        pieces.in_pieces([rng], [drawn], [drawn.owner])


def test_a_gradient_that_is_a_constant_is_found(monkeypatch):
    with pm.Model() as made:
        x = pm.Flat("x", shape=2)
        pm.Potential("line", 3.0 * x[0] - x[1])
    value, gradient = anew(monkeypatch, made, 1).bind(made, 0)(np.array([2.0, 1.0]))
    assert (value, *gradient) == (5.0, 3.0, -1.0)


def test_an_error_in_a_graph_is_no_density(monkeypatch):
    """Before, it was one: of 0, with the data that the graph refuses."""
    from pytensor.raise_op import Assert

    with pm.Model() as made:
        x, seen = pm.Normal("x", shape=2), pm.Data("seen", 1.0)
        pm.Potential("p", Assert("seen is negative")(x.sum(), seen > 0))
    graph, _ = compiled.compile_graph(made)
    assert graph.bind(made, 0)(np.ones(2))[0] == pytest.approx(1 - np.log(2 * np.pi))
    made["seen"].set_value(-1.0)
    said = []
    monkeypatch.setattr(sys, "unraisablehook", lambda what: said.append(str(what.exc_value)))
    with pytest.raises(StudyError, match="raised an error"):
        graph.bind(made, 0)(np.ones(2))
    assert said == ["seen is negative"]
    with pytest.raises(StudyError, match="raised an error"):
        graph.bind(made, 0).sample(seed=1, progress=False, draws=10, tune=10, chains=2)


# --------------------------------------------------------------- helpers


@pytest.fixture
def helper():
    made = helpers.Helper()
    yield made
    made.close()


def shifted(by):
    """A model of its own constant, so that nobody has compiled it."""
    with pm.Model() as made:
        x = pm.Normal("x", shape=3)
        pm.Potential("p", pt.log1p(pt.exp(pt.cumsum(x) * by)).sum() - pt.dot(x, x[::-1]) * by)
    return made


def alone(packed, helper):
    """Have a helper compile all pieces; return what their code is kept as."""
    left, keys = SimpleQueue(), {}
    for k in range(len(packed)):
        left.put(k)
    helper.compile(left, packed, keys)
    return [keys.get(k) for k in range(len(packed))]


def test_a_helper_leaves_pieces_where_this_process_reads_them(helper, monkeypatch):
    made = shifted(1 + time.time() % 1)
    with _numba.exact(), _numba.compiling():
        plan, parts = cut(made, 3)
        assert len(parts) > 1
        keys = alone([piece.packed() for piece in parts], helper)
        read = [glue.kept_piece(key) for key in keys]
        assert [piece.cache_hits for piece in read] == [1] * len(parts)
        graph = compiled.CompiledGraph(made, read, plan, 0.0)
    assert not helper.busy
    assert numbers(graph, made) == numbers(anew(monkeypatch, made, 1e9), made)


def test_what_a_helper_does_not_manage_is_compiled_here(helper):
    """A piece of something that it cannot import, one that is no piece, and the end of it."""
    made = shifted(2 + time.time() % 1)
    with _numba.exact(), _numba.compiling():
        _, parts = cut(made, 3)
        assert alone([b"no piece", parts[0].packed()], helper)[0] is None
        helper.stop()
        assert alone([piece.packed() for piece in parts], helper) == [None] * len(parts)
        found = helpers.compile_pieces(parts, [helper])
    assert len(found) == len(parts)
    assert all(function.address for function, _ in found)


def test_what_cannot_be_sent_is_compiled_here(helper):
    class Own(op.Op):  # of no module: another process cannot import it
        __props__ = ()

        def perform(self, node, inputs, outputs): ...

    made = shifted(3.0)
    _, parts = cut(made, 3)
    parts[0].nodes[0].op = Own()
    assert helpers._packed(parts) == []


def test_helpers_that_cannot_be_started_are_done_without(monkeypatch):
    monkeypatch.setattr(helpers, "cores", lambda: 4)
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with helpers.helpers(3) as none:
        assert none == []


@pytest.mark.parametrize(
    ("cores", "wanted", "count"), [(1, 3, 0), (2, 3, 1), (64, 9, 3), (8, 0, 0)]
)
def test_there_are_as_many_helpers_as_cores_and_work(cores, wanted, count, monkeypatch):
    class Stub:
        def close(self): ...

    monkeypatch.setattr(helpers, "cores", lambda: cores)
    monkeypatch.setattr(helpers, "Helper", Stub)
    with helpers.helpers(wanted) as running:
        assert len(running) == count


def test_an_interrupt_ends_the_helpers(monkeypatch):
    def interrupted(piece):
        raise KeyboardInterrupt

    monkeypatch.setattr(helpers, "cores", lambda: 2)
    monkeypatch.setattr(helpers, "piece_function", interrupted)
    _, parts = cut(shifted(4.0), 3)
    with helpers.helpers(1) as running:
        (one,) = running
        with pytest.raises(KeyboardInterrupt):
            helpers.compile_pieces(parts, running)
    assert one._process.returncode == -signal.SIGKILL


def test_a_helper_ends_with_the_process_that_started_it():
    """Even where that one was killed: what it asks with is closed then."""
    own = "import os, signal; from bayesmig.helpers import Helper; h = Helper()"
    own += "; print(h._process.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    killed = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    pid, until = int(killed.stdout), time.monotonic() + 120
    while time.monotonic() < until and os.path.exists(f"/proc/{pid}"):
        time.sleep(0.2)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_helper_of_another_folder_of_code_ends():
    """And it prints nowhere: what was its output is for answers."""
    asked = io.BytesIO()
    helpers.pickle.dump("another folder", asked)
    command = [sys.executable, "-P", "-c", f"print(1); {helpers.program()}"]
    done = subprocess.run(command, input=asked.getvalue(), capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"1\n", b"")


def test_a_helper_imports_what_this_process_does(tmp_path, monkeypatch):
    """Not what lies in the folder in which it is started."""
    (tmp_path / "bayesmig.py").write_text("raise SystemExit(3)")
    (tmp_path / "pickle.py").write_text("raise SystemExit(4)")
    monkeypatch.chdir(tmp_path)
    other = helpers.Helper()
    assert alone([], other) == []
    assert other._process.poll() is None
    other.close()
