"""Evaluate parts of a graph at many points at once, without compiling them.

One draw of a graph is cheap but a compiled function for it is not; here the graph
is vectorised over the draws and evaluated once, by NumPy.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig._upstream import is_random
from bayesmig.errors import StudyError
from bayesmig.threads import in_turn

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

CHUNK = 20_000_000  # numbers held at once when evaluating over draws


@in_turn
def parameters(model: pm.Model, unconstrained: list[np.ndarray]) -> dict[str, np.ndarray]:
    """Turn unconstrained draws into parameters and derived variables on their natural scale.

    Parameters
    ----------
    model : pm.Model
    unconstrained : list of ndarray
        One array (chain, draw, *shape) per variable of ``model.value_vars``.

    Returns
    -------
    dict of str to ndarray
        Free variables and deterministics, (chain, draw, *shape).
    """
    values = model.value_vars
    wanted = model.replace_rvs_by_values([*model.free_RVs, *model.deterministics])
    names = [v.name for v in (*model.free_RVs, *model.deterministics)]
    natural = [*_untransformed(model), *wanted[len(model.free_RVs) :]]
    return dict(zip(names, _evaluate(natural, values, unconstrained), strict=True))


@in_turn
def unconstrained(model: pm.Model, point: Mapping[str, Any]) -> list[np.ndarray]:
    """Turn free variables into what the sampler moves: the inverse of `parameters`.

    Parameters
    ----------
    model : pm.Model
    point : mapping of str to array
        The free variables, natural scale, with any number of leading draw dims.

    Returns
    -------
    list of ndarray
        One array (..., *shape) per variable of ``model.value_vars``.
    """
    given = _Given(model, {rv.name: point[rv.name] for rv in model.free_RVs})
    moved = []
    for rv in model.free_RVs:
        transform = model.rvs_to_transforms[rv]
        moved.append(rv if transform is None else transform.forward(rv, *rv.owner.inputs))
    return given.evaluate(given.put_into(moved))


@in_turn
def derived(
    model: pm.Model, point: Mapping[str, Any], strict: bool = False
) -> dict[str, np.ndarray]:
    """Evaluate the deterministics that follow from the values given.

    Parameters
    ----------
    model : pm.Model
    point : mapping of str to array
        Any named variables, natural scale, with any number of leading draw dims.

    Raises
    ------
    StudyError
        With ``strict``, if the values do not determine them all; what does not follow
        from the values is left out otherwise.
    """
    known = {name: point[name] for name in point if name in model.named_vars}
    found: dict[str, np.ndarray] = {}
    for variable in model.deterministics:
        if variable.name in known:
            continue
        try:
            given = _Given(model, known)
            (found[variable.name],) = given.evaluate(given.put_into([variable]))
        except StudyError:
            if strict:
                raise
    return found


@in_turn
def log_likelihood(model: pm.Model, point: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Pointwise log-likelihood of each observed variable, at values on the natural scale.

    Parameters
    ----------
    model : pm.Model
    point : mapping of str to array
        Parameters or derived variables, each of the variable's own shape with any
        number of leading draw dims (the same for all).

    Raises
    ------
    StudyError
        If the values given do not determine the likelihood, or have the wrong shape.
    """
    from pymc.logprob.basic import conditional_logp

    given = _Given(model, point)
    observed = given.put_into(model.observed_RVs)
    pairs = {
        new: model.rvs_to_values[old] for new, old in zip(observed, model.observed_RVs, strict=True)
    }
    terms = conditional_logp(pairs)
    values = given.evaluate([terms[value] for value in pairs.values()])
    return dict(zip([rv.name for rv in model.observed_RVs], values, strict=True))


@in_turn
def log_prior(model: pm.Model, point: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Log density of each free variable at values on the natural scale."""
    from pymc.logprob.basic import conditional_logp

    given = _Given(model, {rv.name: point[rv.name] for rv in model.free_RVs})
    densities = []
    for rv in model.free_RVs:
        (alone,) = given.put_into([rv], but=rv)
        densities += conditional_logp({alone: given.stand_ins[rv]}).values()
    values = given.evaluate(densities)
    return dict(zip([rv.name for rv in model.free_RVs], values, strict=True))


@in_turn
def predictive(model: pm.Model, point: Mapping[str, Any], seed: int) -> dict[str, np.ndarray]:
    """Draw the observed variables given values of the parameters, one draw of each per point."""
    given = _Given(model, point)
    values = given.evaluate(_sized_by_parameters(given.put_into(model.observed_RVs)), seed=seed)
    return dict(zip([rv.name for rv in model.observed_RVs], values, strict=True))


def _sized_by_parameters(outputs: list[Any], one: Any = None) -> list[Any]:
    """Give random variables their size through a parameter, which vectorising can extend.

    With a scalar ``one`` all of them depend on it.

    (Vectorising reads the new dims of a variable with a size off its first parameter alone,
    and fails where that one is a constant: the trials of a binomial.)
    """
    import pytensor.tensor as pt
    from pytensor.graph.fg import FunctionGraph
    from pytensor.tensor.random.op import RandomVariable
    from pytensor.tensor.type_other import NoneConst, NoneTypeT

    graph = FunctionGraph(outputs=outputs, copy_inputs=False, copy_orphans=False)
    for node in graph.toposort():
        if not isinstance(node.op, RandomVariable):
            continue
        size: Any = node.op.size_param(node)
        first, *others = node.op.dist_params(node)
        if not isinstance(size.type, NoneTypeT):
            batch = node.outputs[1].type.ndim - node.op.ndim_supp
            lengths = [size[i] for i in range(batch)]
            core = (1,) * node.op.ndims_params[0]
            ones: Any = pt.alloc(np.ones((), first.type.dtype), *lengths, *core)
            first = first * ones
        elif one is None:
            continue
        if one is not None:
            first = first * one.astype(first.type.dtype)
        rng = node.op.rng_param(node)
        sized: Any = node.op.make_node(rng, NoneConst, first, *others).outputs[1]
        old = node.outputs[1]
        if not old.type.is_super(sized.type):  # one row known to be one is no longer so
            sized = pt.specify_shape(sized, old.type.shape)
        graph.replace(old, sized, import_missing=True)
    return list(graph.outputs)


@in_turn
def prior_draws(
    model: pm.Model, draws: int, seed: int, observed: bool = True
) -> dict[str, np.ndarray]:
    """Draw parameters, derived and observed variables from the prior: (draw, *shape) each."""
    import pymc as pm

    if not observed and draws > 1:
        point = _drawn_at_once(model, draws, seed)
        if point is not None:
            given = _Given(model, point)
            derived = given.evaluate(given.put_into(model.deterministics))
            names = [v.name for v in model.deterministics]
            return {**point, **dict(zip(names, derived, strict=True))}
    variables = [*model.free_RVs, *model.deterministics]
    variables += model.observed_RVs if observed else []
    values = pm.draw(variables, draws=draws, random_seed=seed, mode=_mode())
    arrays = [np.asarray(v)[None] if draws == 1 else np.asarray(v) for v in values]
    return {v.name: array for v, array in zip(variables, arrays, strict=True)}


def _drawn_at_once(model: pm.Model, draws: int, seed: int) -> dict[str, np.ndarray] | None:
    """Draw the free variables by one call of each generator.

    None if one is made of several distributions, or something derived is drawn too.

    They are the numbers that ``pm.draw`` finds one after the other.
    """
    from pymc.pytensorf import collect_default_updates, reseed_rngs
    from pytensor import function, tensor
    from pytensor.graph.basic import Constant
    from pytensor.graph.replace import vectorize_graph
    from pytensor.graph.traversal import ancestors
    from pytensor.tensor.random.op import RandomVariable

    free = model.free_RVs
    random = {v for v in ancestors([*free, *model.deterministics]) if is_random(v)}
    if (
        not free
        or random - {*free}
        or not all(isinstance(v.owner.op, RandomVariable) for v in free)
    ):
        return None
    one = tensor.dscalar("one")
    sized = _sized_by_parameters(free, one)
    many = vectorize_graph(sized, {one: tensor.ones(draws)})
    rngs = collect_default_updates(inputs=[], outputs=[*free, *model.deterministics])
    reseed_rngs([rng for rng in rngs if not isinstance(rng, Constant)], seed)
    values = function([], many, mode=_mode())()
    return {v.name: np.asarray(value) for v, value in zip(free, values, strict=True)}


def dataset(
    model: pm.Model, values: Mapping[str, np.ndarray], sample_dims: Iterable[str]
) -> xr.Dataset:
    """Label arrays with the model's dims and coordinates.

    Variables without dims in the model get unnamed ones, ``NAME_dim_0`` and so on.
    """
    import xarray as xr

    sample_dims = tuple(sample_dims)
    arrays = {}
    for name, given in values.items():
        value = np.asarray(given)
        # a density has no dims of its variable's support, which are the last
        dims = tuple(model.named_vars_to_dims.get(name) or ())[: value.ndim - len(sample_dims)]
        rest = value.ndim - len(sample_dims) - len(dims)
        arrays[name] = ((*sample_dims, *dims, *(f"{name}_dim_{i}" for i in range(rest))), value)
    used = {dim for dims, _ in arrays.values() for dim in dims}
    coords: dict[str, Any] = {
        dim: list(labels)
        for dim, labels in model.coords.items()
        if dim in used and labels is not None
    }
    for i, dim in enumerate(sample_dims):
        if arrays:
            coords[dim] = np.arange(next(iter(arrays.values()))[1].shape[i])
    return xr.Dataset(arrays, coords=coords)


def _untransformed(model: pm.Model) -> list[Any]:
    """Free variables on their natural scale, in terms of the value variables."""
    natural = []
    for rv in model.free_RVs:
        value, transform = model.rvs_to_values[rv], model.rvs_to_transforms[rv]
        natural.append(value if transform is None else transform.backward(value, *rv.owner.inputs))
    return list(model.replace_rvs_by_values(natural))


class _Given:
    """Values of some of a model's variables, and the graph that follows from them."""

    def __init__(self, model: pm.Model, point: Mapping[str, Any]):
        self.model = model
        self.stand_ins: dict[Any, Any] = {}
        self.arrays: list[np.ndarray] = []
        for name, value in point.items():
            if name not in model.named_vars:
                raise StudyError(f"the graph has no variable {name!r}; it has {_free(model)}")
            variable = model.named_vars[name]
            kind = variable.type.clone(shape=(None,) * variable.type.ndim)
            self.stand_ins[variable] = kind(name=name)
            self.arrays.append(_of_kind(variable, np.asarray(value, dtype=float)))
        extra = {
            v.name: a.ndim - v.type.ndim for v, a in zip(self.stand_ins, self.arrays, strict=True)
        }
        if len(set(extra.values())) > 1 or any(n < 0 for n in extra.values()):
            raise StudyError(f"values have unequal numbers of draw dims: {extra}")
        self.lead = next(iter(extra.values()), 0)
        self._check_shapes()

    def _check_shapes(self) -> None:
        """Each value has its variable's shape, and all have the same draws."""
        draws = {array.shape[: self.lead] for array in self.arrays}
        if len(draws) > 1:
            found = {
                v.name: a.shape[: self.lead]
                for v, a in zip(self.stand_ins, self.arrays, strict=True)
            }
            raise StudyError(f"values have unequal numbers of draws: {found}")
        for variable, array in zip(self.stand_ins, self.arrays, strict=True):
            dims = self.model.named_vars_to_dims.get(variable.name) or ()
            lengths = tuple(len(self.model.coords[dim] or ()) for dim in dims)
            if dims and array.shape[self.lead :] != lengths:
                raise StudyError(
                    f"{variable.name} has shape {array.shape[self.lead :]}, its dims "
                    f"{dims} have {lengths}"
                )

    def put_into(self, outputs: list[Any], but: Any = None) -> list[Any]:
        """Rewrite graphs in terms of the given values; say which values are missing."""
        from pytensor.graph.replace import graph_replace
        from pytensor.graph.traversal import ancestors

        known = {v: s for v, s in self.stand_ins.items() if v is not but}
        free = set(self.model.free_RVs) - {but}
        missing = sorted(
            str(v.name) for v in ancestors(outputs, blockers=known) if v in free - set(known)
        )
        if missing:
            raise StudyError(f"values of {', '.join(missing)} are needed too")
        return graph_replace(outputs, known, strict=False)

    def evaluate(self, outputs: list[Any], seed: int | None = None) -> list[np.ndarray]:
        """Evaluate rewritten graphs at every draw."""
        return _evaluate(outputs, list(self.stand_ins.values()), self.arrays, self.lead, seed)


def _of_kind(variable: Any, array: np.ndarray) -> np.ndarray:
    """Return values as a variable has them; whole numbers are not made of others."""
    if not np.issubdtype(variable.dtype, np.floating) and not np.all(array == np.floor(array)):
        raise StudyError(f"values of {variable.name} must be whole numbers")
    return array.astype(variable.dtype)


def _free(model: pm.Model) -> list[str]:
    return [str(v.name) for v in (*model.free_RVs, *model.deterministics)]


def _mode() -> Any:
    from pytensor.compile.mode import Mode

    # no rewriting: it took longer than evaluating, and brings in parts that need a C compiler
    return Mode(linker="py", optimizer="None")


def _evaluate(
    outputs: list[Any],
    inputs: list[Any],
    arrays: list[np.ndarray],
    lead: int = 2,
    seed: int | None = None,
) -> list[np.ndarray]:
    """Evaluate ``outputs`` at every one of the leading points, all at once or in chunks."""
    import pytensor
    from pymc.pytensorf import reseed_rngs
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.replace import vectorize_graph
    from pytensor.graph.traversal import graph_inputs
    from pytensor.tensor.random.type import RandomType

    if not outputs:
        return []
    shape = arrays[0].shape[:lead] if arrays else ()
    flat = [a.reshape(-1, *a.shape[lead:]) for a in arrays] if lead else arrays
    replaced = outputs
    if lead:
        batched = [v.type.clone(shape=(None,) * (v.type.ndim + 1))() for v in inputs]
        replaced = vectorize_graph(outputs, dict(zip(inputs, batched, strict=True)))
        inputs = batched
    rngs = [
        v
        for v in graph_inputs(replaced)
        if isinstance(v, SharedVariable) and isinstance(v.type, RandomType)
    ]
    function = pytensor.function(inputs, replaced, mode=_mode(), on_unused_input="ignore")
    if not lead:
        if seed is not None:
            reseed_rngs(rngs, seed)
        return [np.asarray(value) for value in function(*flat)]
    width = max(1, sum(a[0].size for a in flat) + _held(replaced))
    step = max(1, CHUNK // width)
    parts = []
    for i in range(0, len(flat[0]), step):
        if seed is not None:  # else every chunk would see the same random numbers
            reseed_rngs(rngs, np.random.SeedSequence([seed, i]).generate_state(1))
        parts.append([_small(value) for value in function(*(a[i : i + step] for a in flat))])
    stacked = [
        np.concatenate(
            [
                _batched(part[k], variable, len(flat[0][i * step : (i + 1) * step]))
                for i, part in enumerate(parts)
            ]
        )
        for k, variable in enumerate(outputs)
    ]
    return [value.reshape(*shape, *value.shape[1:]) for value in stacked]


def _small(value: np.ndarray) -> np.ndarray:
    """Keep counts in the fewest bytes (two at least, so that differences are safe)."""
    value = np.asarray(value)
    if value.dtype.kind != "i" or value.size == 0:
        return value
    least = np.promote_types(np.int16, np.min_scalar_type(-1 - np.abs(value).max()))
    return value.astype(least)


def _held(outputs: list[Any]) -> int:
    """Numbers of data in a graph: as many are likely to be held for each point."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.graph.traversal import graph_inputs

    data = {v for v in graph_inputs(outputs) if isinstance(v, SharedVariable)}
    return sum(np.size(v.get_value(borrow=True)) for v in data if hasattr(v.type, "ndim"))


def _batched(value: np.ndarray, variable: Any, points: int) -> np.ndarray:
    """Repeat a value that does not depend on the draws, which vectorising leaves as it is."""
    value = np.asarray(value)
    if value.ndim > variable.type.ndim:
        return value
    return np.broadcast_to(value, (points, *value.shape))


def leading(model: pm.Model, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Names for the draw dims that values have in front of the model's own."""
    known = {n: np.ndim(v) - model.named_vars[n].type.ndim for n, v in values.items()}
    count = max(known.values(), default=0)
    return (
        ("chain", "draw")[-count:] if count in (1, 2) else tuple(f"draw_{i}" for i in range(count))
    )
