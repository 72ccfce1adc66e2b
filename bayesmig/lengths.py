"""Lengths that are the same: what compiled code need not ask of each array anew.

A graph is compiled for data of any size, so that PyTensor, which knows nothing of dims, has
code to compare the lengths of what is added and multiplied.  Variables that share a dim share
its length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bayesmig.errors import StudyError

if TYPE_CHECKING:
    import numpy as np
    import pymc as pm

    Dims = tuple[str | None, ...]

# before and after PyTensor brings a graph into its usual form, and once its shapes are worked out
POSITIONS = (0.2, 1.1, 1.6)


def dims_of(model: pm.Model) -> dict[str, Dims]:
    """Return the dims of what the log density takes, by name: parameters and data.

    Parameters that are sampled in another number of coordinates than they have (a simplex)
    have none.
    """
    start = model.initial_point(random_seed=0)
    found: dict[str, Dims] = {}
    for name, dims in model.named_vars_to_dims.items():
        variable = model[name]
        if variable in model.free_RVs:
            value = model.rvs_to_values[variable].name
            lengths = tuple(len(model.coords[dim] or ()) for dim in dims if dim in model.coords)
            if start[value].shape == lengths:
                found[value] = tuple(dims)
        elif variable in model.data_vars:
            found[name] = tuple(dims)
    return found


def check(dims: Mapping[str, Dims], arrays: Mapping[str, np.ndarray]) -> None:
    """See that arrays of one dim have one length, as the compiled code takes for granted.

    Raises
    ------
    StudyError
    """
    single = {name: array for name, array in arrays.items() if array.ndim == 0}
    seen = {dim: (int(single[dim]), dim) for dim in _every(dims) if dim in single}
    for name, array in arrays.items():
        for length, dim in zip(array.shape, dims.get(name, ()), strict=False):
            if dim is None:
                continue
            first, other = seen.setdefault(dim, (length, name))
            if length != first:
                raise StudyError(
                    f"{name!r} has {length} along {dim!r}, {other!r} has {first}: a graph's "
                    "variables of one dim must have one length"
                )


def _every(dims: Mapping[str, Dims]) -> set[str]:
    return {dim for each in dims.values() for dim in each if dim is not None}


def rewrites(dims: Mapping[str, Dims]) -> Sequence[tuple[Any, float]]:
    """Return rewrites for a mode of PyTensor, with their places: lengths of one dim are one."""
    from pytensor.graph.rewriting.basic import GraphRewriter
    from pytensor.tensor.shape import Shape_i

    class SameLength(GraphRewriter):
        def add_requirements(self, fgraph: Any) -> None: ...

        def apply(self, fgraph: Any) -> None:
            known = {v.name: v for v in fgraph.inputs if v.type.ndim == 0 and v.name is not None}
            length: dict[Any, Any] = {}  # by array and axis
            for array in fgraph.inputs:
                for axis, dim in enumerate(dims.get(array.name, ())):
                    if dim is not None and array.type.shape[axis] is None:
                        length[array, axis] = known.setdefault(dim, Shape_i(axis)(array))
            for node in fgraph.toposort():
                if not isinstance(node.op, Shape_i):
                    continue
                one = length.get((node.inputs[0], node.op.i))
                if one is not None and not _is(one, node):
                    fgraph.replace(node.outputs[0], one, reason="same length")

    return [(SameLength(), position) for position in POSITIONS]


def _is(length: Any, node: Any) -> bool:
    """Whether a length is that of a node, or the same question."""
    made = length.owner
    return made is not None and made.op == node.op and made.inputs == node.inputs
