"""Compile a graph once, and sample it with nutpie as often as wanted.

A graph is brought into its final form, cut into pieces, and each of them compiled, beside the
others, to a function that is kept on disk (`bayesmig.glue`).  Sizes, data and the numbers of the
priors are read from a table at run time, so that the same compiled graph samples any data set and
any priors of the same families.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig import _numba, _upstream, glue, known, lengths
from bayesmig.errors import StudyError, unknown
from bayesmig.helpers import Helper, compile_pieces, helpers
from bayesmig.keeping import STATS, tree
from bayesmig.pieces import Plan, UncutError, in_pieces
from bayesmig.signals import deferred
from bayesmig.threads import in_turn
from bayesmig.waits import sampling

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

JITTER = (1.0, 0.3, 0.1, 0.03, 0.01)  # of starting points, tried in this order
STARTS = 20  # points tried with each
WORTH = 150  # operations, as written, for which a helper is
MEMORY = 8  # compiled graphs kept in this process, the newest first
# Settings of nutpie with which draws are not of the posterior.  A trajectory that goes on after it
# has turned is not as likely to be taken backwards: of Table 4 of `emigration` with a gap of the
# generations (standard deviation 0.3) an independent sampler says 0.7 to 7.7 percent a year, NUTS
# the same, and with one doubling more 0.4 to 10.1 (tests/oracle/test_emigration.py)
UNSOUND = {"extra_doublings": "draws are then not of the posterior; ask for more draws instead"}
_compiled: list[CompiledGraph] = []


@dataclass(frozen=True, eq=False)
class CompiledGraph:
    """The log density of one graph and its gradient, as machine code.

    Attributes
    ----------
    model : pm.Model
        The model that was compiled; others of the same graph may be sampled with it.
    pieces : sequence of CFunc
        The functions that the graph is cut into, in turn.
    plan : Plan
        Where they keep the free variables and the shared ones, the log density and its gradients.
    seconds : float
        What compiling took (reading PyTensor's cache where it could).
    names : sequence of str
        Names of the shared variables, in the order the graph takes them.
    """

    model: pm.Model
    pieces: Sequence[Any]
    plan: Plan
    seconds: float
    names: Sequence[str] = ()

    def matches(self, model: pm.Model) -> bool:
        """Whether ``model`` is the same graph, its numbers, data and sizes apart."""
        return not self.differences(model)

    @in_turn
    def differences(self, model: pm.Model) -> str:
        """Say how ``model`` differs from the compiled graph; empty if it does not."""
        from pytensor.graph.basic import equal_computations

        if _drawn_alike(self.model, model):
            return ""
        (ours, our_inputs), (theirs, their_inputs) = _density(self.model), _density(model)
        missing = sorted(set(our_inputs) ^ set(their_inputs))
        if missing:
            return f"only one of the graphs has {', '.join(missing)}"
        if [v.name for v in self.model.value_vars] != [v.name for v in model.value_vars]:
            return "the parameters come in another order"
        same = equal_computations(
            [ours],
            [theirs],
            [our_inputs[name] for name in our_inputs],
            [their_inputs[name] for name in our_inputs],
        )
        if same:
            return ""
        return f"a distribution or an expression differs ({self._families(model) or 'not a prior'})"

    def _families(self, model: pm.Model) -> str:
        def family(m: pm.Model, rv: Any) -> str:
            return type(rv.owner.op).__name__

        pairs = zip(self.model.free_RVs, model.free_RVs, strict=True)
        return ", ".join(
            f"{a.name}: {family(self.model, a)} to {family(model, b)}"
            for a, b in pairs
            if family(self.model, a) != family(model, b)
        )

    @in_turn
    def bind(
        self, model: pm.Model, seed: int, held: Mapping[str, np.ndarray] | None = None
    ) -> NativeDensity:
        """Bind the compiled graph to the data, numbers and sizes of ``model``.

        ``held`` puts other values (of the same shape) in the place of the model's data.

        Raises
        ------
        StudyError
            For data that the graph does not have, or of another shape; for arrays of one dim of
            which one is longer.
        """
        shared, held = _shared(model), held or {}
        for name in held:
            if name not in self.names:
                raise StudyError(unknown("data of the graph", name, self.names))
        start = model.initial_point(random_seed=seed)
        points = [np.array(start[v.name], dtype=float, order="C") for v in model.value_vars]
        values = [_held(name, shared[name].get_value(), held) for name in self.names]
        given = {v.name: point for v, point in zip(model.value_vars, points, strict=True)}
        lengths.check(lengths.dims_of(model), given | dict(zip(self.names, values, strict=True)))
        return NativeDensity(self, tuple(points), tuple(values))


@dataclass(frozen=True, eq=False)
class NativeDensity:
    """A compiled graph with the arrays of one model: what nutpie samples.

    Attributes
    ----------
    points : tuple of ndarray
        Unconstrained starting values, one array per free variable.
    values : tuple of ndarray
        Values of the shared variables: data, numbers of the priors, sizes.
    """

    graph: CompiledGraph
    points: tuple[np.ndarray, ...]
    values: tuple[np.ndarray, ...]

    @property
    def size(self) -> int:
        """Number of free dimensions."""
        return sum(point.size for point in self.points)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Shapes of the free variables."""
        return [point.shape for point in self.points]

    def split(self, draws: np.ndarray) -> list[np.ndarray]:
        """Cut flat draws (..., size) into one array (..., *shape) per free variable."""
        return cut(draws, self.shapes)

    def __call__(self, flat: np.ndarray) -> tuple[float, np.ndarray]:
        """Log density and gradient at one flat unconstrained point, through the native code.

        Raises
        ------
        StudyError
            If something that the graph takes for granted does not hold of its data.
        """
        function, table = self.native()
        flat = np.ascontiguousarray(flat, dtype=float)
        gradient, value = np.zeros(self.size), np.zeros(1)
        status = function.ctypes(
            self.size, flat.ctypes.data, gradient.ctypes.data, value.ctypes.data, table.ctypes.data
        )
        if status == glue.FAILED:
            raise StudyError("the compiled graph raised an error, which is printed above")
        return float(value[0]), gradient

    def native(self) -> tuple[Any, np.ndarray]:
        """Return the C function that nutpie calls and the table it reads (see `bayesmig.glue`)."""
        addresses = [piece.address for piece in self.graph.pieces]
        table = glue.table(self.graph.plan, addresses, self.points, self.values)
        return glue.density_function(), table

    def sample(
        self,
        *,
        seed: int,
        progress: bool,
        each: Callable[[list[np.ndarray]], None] | None = None,
        **settings: Any,
    ) -> xr.DataTree:
        """Run NUTS; the draws are in ``posterior["unconstrained"]`` (chain, draw, parameter).

        ``each`` is handed the rows of the chains from time to time (see `bayesmig.keeping`),
        and once all are there.

        Raises
        ------
        StudyError
            If the density is zero wherever sampling could start; for `UNSOUND` settings.
        """
        check_sampling(settings)
        if not np.isfinite(self(_start(self, seed))[0]):
            raise StudyError(
                "the density is zero wherever sampling could start: the data are impossible "
                "under this graph, or the priors exclude them"
            )
        total = settings.get("chains", 1) * (settings.get("draws", 0) + settings.get("tune", 0))
        with sampling(total, progress) as show:
            settings |= {"seed": seed, "progress_bar": progress and show is None}
            if show is not None:
                settings["progress_callback"] = show
            chains = _upstream.run_nuts(_nutpie_model(self), STATS, each, **settings)
        if each is not None:
            with deferred():
                each(chains)
        return tree(chains)


def check_sampling(settings: Mapping[str, Any]) -> None:
    """Refuse settings of the sampler with which it does not sample the posterior.

    Raises
    ------
    StudyError

    Examples
    --------
    >>> check_sampling({"target_accept": 0.9})
    """
    for name, why in UNSOUND.items():
        if settings.get(name):
            raise StudyError(f"sampling: {name}={settings[name]!r} is refused: {why}")


def cut(draws: np.ndarray, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Cut flat draws (..., parameter) into one array (..., *shape) per free variable."""
    ends = np.cumsum([math.prod(shape) for shape in shapes])
    parts = np.split(draws, ends[:-1], axis=-1)
    return [
        part.reshape((*draws.shape[:-1], *shape)) for part, shape in zip(parts, shapes, strict=True)
    ]


def _held(name: str, own: Any, held: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the values of one of the model's data, or those held in their place."""
    value = np.array(held.get(name, own), dtype=np.asarray(own).dtype, order="C", copy=True)
    if value.shape != np.shape(own):
        raise StudyError(f"data {name!r} have shape {np.shape(own)}, those given {value.shape}")
    return value


def vectorised(function: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a function that numba compiles as one whose loops take several numbers at once.

    Graphs are compiled by few of LLVM's passes, which do not vectorise; what is marked, under
    ``numba_njit``, has them all.

    Parameters
    ----------
    function : callable
        Of a name that no other function has.

    Returns
    -------
    callable
        The same.
    """
    return _numba.wholly(function)


@in_turn
def compile_graph(model: pm.Model) -> tuple[CompiledGraph, bool]:
    """Compile the graph of ``model``, or find it among those compiled in this process.

    Parameters
    ----------
    model : pm.Model

    Returns
    -------
    graph : CompiledGraph
    reused : bool
        Whether no compilation was needed.
    """
    for graph in _compiled:
        if graph.matches(model):
            return graph, True
    started = time.perf_counter()
    with _numba.compiling():
        name = _digest(model)
        found = _kept(model, name)
        graph = found if found is not None else _compiled_anew(model, name)
    graph = _with_seconds(graph, time.perf_counter() - started)
    _compiled.insert(0, graph)
    del _compiled[MEMORY:]
    return graph, False


def _compiled_anew(model: pm.Model, name: str | None) -> CompiledGraph:
    """Compile a graph, and keep what it came to under a name, if it has one."""
    with _numba.exact(), helpers(_operations(model) // WORTH) as helping:
        function = _rewritten(model)
        names = [str(variable.name) for variable in function.get_shared()]
        plan, made = _compiled_pieces(function.maker.fgraph, helping)
    keys = [key for _, key in made if key is not None]
    if name and len(keys) == len(made):
        known.write(_numba.folder(), name, known.Kept(keys, plan, names))
    return CompiledGraph(model, [piece for piece, _ in made], plan, 0.0, names)


def _compiled_pieces(
    graph: Any, helping: Sequence[Helper]
) -> tuple[Plan, list[tuple[Any, str | None]]]:
    """Compile a graph in pieces; as a whole if it cannot be cut."""
    whole = graph.inputs, graph.outputs, graph.toposort()
    with suppress(UncutError):
        plan, pieces = in_pieces(*whole)
        return plan, compile_pieces(pieces, helping)
    plan, pieces = in_pieces(*whole, size=math.inf)
    return plan, compile_pieces(pieces, ())


def _operations(model: pm.Model) -> int:
    """Number of operations in a log density as it is written."""
    from pytensor.graph.traversal import toposort

    return len(list(toposort([_density(model)[0]])))


def _kept(model: pm.Model, name: str | None) -> CompiledGraph | None:
    """Return the graph that is kept under a name, with code that is there, too."""
    kept = known.read(_numba.folder(), name) if name else None
    if kept is None or not set(kept.names) <= set(_shared(model)):
        return None
    with suppress(*_numba.errors()):  # the code is gone
        pieces = [glue.kept_piece(key) for key in kept.keys]
        return CompiledGraph(model, pieces, kept.plan, 0.0, kept.names)
    return None


def _digest(model: pm.Model) -> str | None:
    """Return what tells the compiled density of a model from all others, its data apart."""
    from pytensor import config

    if not config.numba__cache:
        return None
    logp, inputs = _density(model)
    more = [[v.name for v in model.value_vars], lengths.dims_of(model), os.environ.get("NUMBA_OPT")]
    return known.digest([logp], list(inputs.values()), more)


def _with_seconds(graph: CompiledGraph, seconds: float) -> CompiledGraph:
    object.__setattr__(graph, "seconds", seconds)
    return graph


def _drawn_alike(one: pm.Model, other: pm.Model) -> bool:
    """Whether two models are the same as they are written, numbers, data and sizes apart.

    Their densities are then the same, and need not be worked out: that takes longer than to
    build the model.  False if that cannot be told (a distribution of one's own is no other's).
    """
    from pytensor.graph.basic import equal_computations

    if [rv.name for rv in one.basic_RVs] != [rv.name for rv in other.basic_RVs]:
        return False
    if not all(map(_same_transform, _transforms(one), _transforms(other))):
        return False
    (ours, our_data, our_rngs), (theirs, their_data, their_rngs) = map(_written, (one, other))
    if [len(ours), len(our_rngs)] != [len(theirs), len(their_rngs)]:
        return False
    if our_data.keys() != their_data.keys():
        return False
    pairs = [(data, their_data[name]) for name, data in our_data.items()]
    if any(a.type.dtype != b.type.dtype or a.type.ndim != b.type.ndim for a, b in pairs):
        return False
    pairs += zip(our_rngs, their_rngs, strict=True)
    return bool(equal_computations(ours, theirs, *map(list, zip(*pairs, strict=True))))


def _transforms(model: pm.Model) -> list[Any]:
    return [model.rvs_to_transforms[rv] for rv in model.free_RVs]


def _same_transform(one: Any, other: Any) -> bool:
    """Whether they are of one kind and hold the same: a function of one's own is no other's."""
    return type(one) is type(other) and getattr(one, "__dict__", {}) == getattr(
        other, "__dict__", {}
    )


def _written(model: pm.Model) -> tuple[list[Any], dict[str, Any], list[Any]]:
    """Return variables, potentials and observed values; data by name; generators."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs
    from pytensor.tensor.random.type import RandomType

    seen = [model.rvs_to_values[rv] for rv in model.observed_RVs]
    written = [*model.basic_RVs, *model.potentials, *seen]
    shared = [v for v in graph_inputs(written) if isinstance(v, SharedVariable)]
    rngs = [v for v in shared if isinstance(v.type, RandomType)]
    return written, {str(v.name): v for v in shared if v not in rngs}, rngs


def _shared(model: pm.Model) -> dict[str, Any]:
    """Data and numbers of priors by name."""
    return _written(model)[1]


def _density(model: pm.Model) -> tuple[Any, dict[str, Any]]:
    """Return the log density of a model and its inputs by name, worked out once per model."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs

    known = getattr(model, "_bayesmig_density", None)
    if known is None:
        logp = model.logp()
        inputs = {v.name: v for v in model.value_vars}
        inputs |= {v.name: v for v in graph_inputs([logp]) if isinstance(v, SharedVariable)}
        known = (logp, inputs)
        model._bayesmig_density = known
    return known


def _rewritten(model: pm.Model) -> Any:
    """Bring (free variables) -> (log density, its gradients) into the form that numba takes.

    Returns
    -------
    Function
        Of PyTensor, which does nothing: its graph is in ``maker.fgraph``.
    """
    import pytensor.tensor as pt
    from pymc.pytensorf import compile as compile_pymc
    from pytensor.compile.mode import Mode, get_mode

    discrete = [v.name for v in model.value_vars if not v.type.dtype.startswith("float")]
    if discrete:
        raise StudyError(f"NUTS samples continuous parameters only; discrete: {discrete}")
    values = model.value_vars
    logp, _ = _density(model)
    gradients: list[Any] = pt.grad(logp, values)  # type: ignore[assignment]  # a list for a list
    usual = get_mode("NUMBA").register(*lengths.rewrites(lengths.dims_of(model)))
    mode = Mode(linker=_numba.only_rewriting(), optimizer=usual.provided_optimizer)
    return compile_pymc(values, [logp, *gradients], mode=mode, on_unused_input="ignore")


def _start(density: NativeDensity, seed: int) -> np.ndarray:
    """A point near the model's own, nearer where most of them have no density."""
    centre = np.concatenate([p.ravel() for p in density.points]) if density.size else np.zeros(0)
    rng = np.random.default_rng(seed)
    for width in JITTER:
        for _ in range(STARTS):
            point = centre + rng.uniform(-width, width, density.size)
            if np.isfinite(density(point)[0]):
                return point
    return centre


def _nutpie_model(density: NativeDensity) -> Any:
    """Dress a density as one of nutpie's compiled models."""
    function, table = density.native()
    copy = glue.copy_function()
    return _upstream.nutpie_model(
        density.size,
        function,
        copy,
        table,
        lambda seed: _start(density, seed),
        (density, function, copy, table),
    )
