"""Which data an observed variable hangs on, however PyMC wraps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig.errors import StudyError

if TYPE_CHECKING:
    import pymc as pm


def data_names(model: pm.Model) -> dict[str, str]:
    """Return the name of the ``pm.Data`` that each observed variable hangs on.

    PyMC hands some distributions (the discrete ones) their data behind a nameless cast.

    Raises
    ------
    StudyError
        If a variable observes an array that is no ``pm.Data``, a function of one, or what
        another variable observes too: none of these can be replaced by other data.
    """
    found: dict[str, str] = {}
    for rv in model.observed_RVs:
        source = _source(model.rvs_to_values[rv])
        if source is None or source not in model.data_vars:
            raise StudyError(
                f"{rv.name} observes {_shown(source)}: pass observed=pm.Data(...) itself, so "
                "that other data can take its place"
            )
        twice = [name for name, data in found.items() if data == source.name]
        if twice:
            raise StudyError(
                f"{rv.name} and {twice[0]} observe the same data {source.name!r}: give each its own"
            )
        found[rv.name] = source.name
    return found


def values(model: pm.Model) -> dict[str, np.ndarray]:
    """Return what each observed variable observes, by its own name.

    Raises
    ------
    StudyError
        As `data_names`.
    """
    return {rv: np.asarray(model[data].get_value()) for rv, data in data_names(model).items()}


def _source(value: Any) -> Any:
    """Follow casts, and nothing that computes, back to the data."""
    from pytensor.compile.sharedvalue import SharedVariable
    from pytensor.scalar.basic import Cast
    from pytensor.tensor.elemwise import Elemwise
    from pytensor.tensor.shape import SpecifyShape

    while not isinstance(value, SharedVariable):
        if value.owner is None:
            return None
        op = value.owner.op
        cast = isinstance(op, Elemwise) and isinstance(op.scalar_op, Cast)
        if not (cast or isinstance(op, SpecifyShape)):
            return value
        value = value.owner.inputs[0]
    return value


def _shown(source: Any) -> str:
    if source is None:
        return "an array"
    return f"a computation ({source.owner.op})" if source.owner is not None else repr(source.name)
