"""Parts of other libraries that are not theirs to promise, each in one place.

When one of them moves, this file is where it is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import xarray as xr


def default_transform(variable: Any) -> Any:
    """Return the transform that PyMC gives a random variable, None if it is none or has none."""
    from pymc.distributions.transforms import _default_transform

    if variable.owner is None or not hasattr(variable.owner.op, "ndim_supp"):
        return None
    return _default_transform(variable.owner.op, variable)


def is_random(variable: Any) -> bool:
    """Whether a variable is drawn from a distribution, and not computed from others."""
    return variable.owner is not None and hasattr(variable.owner.op, "ndim_supp")


def compiled_function(function: Any) -> Any:
    """Return the numba function inside a compiled PyTensor function."""
    return function.vm.jit_fn


def compiled_address(function: Any) -> tuple[Any, int]:
    """Return the signature that a numba function was last compiled for, and its address."""
    signature = function.nopython_signatures[-1]
    result = function.get_compile_result(signature)
    return signature, result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


def nutpie_model(
    size: int,
    density: Any,
    expand: Any,
    table: np.ndarray,
    start: Callable[[int], np.ndarray],
    keep: tuple[Any, ...],
) -> Any:
    """Return one of nutpie's compiled models that calls C functions by their addresses.

    Parameters
    ----------
    size : int
        Free dimensions.
    density, expand : object with ``address``
        C functions: log density and gradient; a draw as it is stored.
    table : ndarray
        What both are handed as their last argument.
    start : callable
        From a seed to a starting point.
    keep : tuple
        What must not be freed while the model lives.
    """
    import pandas as pd
    from nutpie import _lib
    from nutpie.sample import CompiledModel

    dim, variable = "parameter", "unconstrained"

    class Model(CompiledModel):  # type: ignore[misc]  # nutpie has no types
        n_dim = size
        shapes: Mapping[str, Any] = {variable: (size,)}
        coords: Mapping[str, Any] = {dim: range(size)}

        def _make_sampler(
            self, settings: Any, init_mean: Any, cores: Any, progress_type: Any, callback: Any,
            rate: Any, store: Any,
        ) -> Any:  # fmt: skip
            variables = _lib.PyVariable.new_variables(
                [variable], ["float64"], [(size,)], {dim: size}, {variable: (dim,)}
            )
            model = _lib.PyMcModel(
                _lib.LogpFunc(density.address, table.ctypes.data, keep),
                _lib.ExpandFunc(size, size, expand.address, table.ctypes.data, keep),
                variables,
                size,
                {dim: size},
                {dim: pd.RangeIndex(size)},
                start,
                lambda *args, **kwargs: None,
            )
            return _lib.PySampler.from_pymc(
                settings, cores, model, progress_type, callback, rate, store
            )

    return Model({variable: (dim,)})


def unconstrained(raw: xr.DataTree) -> np.ndarray:
    """Return the draws (chain, draw, parameter) that nutpie stored."""
    return np.asarray(raw["posterior"].to_dataset()["unconstrained"].values)
