"""Parts of other libraries that are not theirs to promise, each in one place.

When one of them moves, this file is where it is mended.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from bayesmig.errors import StudyError
from bayesmig.signals import ignored

PAUSE = (0.5, 60.0)  # seconds between two looks at what is sampled
SHARE = 20  # a look takes at most one part in so many


def default_transform(variable: Any) -> Any:
    """Return the transform that PyMC gives a random variable, None if it is none or has none."""
    from pymc.distributions.transforms import _default_transform

    if variable.owner is None or not hasattr(variable.owner.op, "ndim_supp"):
        return None
    return _default_transform(variable.owner.op, variable)


def is_random(variable: Any) -> bool:
    """Whether a variable is drawn from a distribution, and not computed from others."""
    return variable.owner is not None and hasattr(variable.owner.op, "ndim_supp")


@contextmanager
def without_dask() -> Iterator[None]:
    """Read and write files without the locks of a Dask client that this process may have.

    xarray asks its scheduler for a lock, also of a buffer in memory, which no scheduler knows: it
    waits for ever.
    """
    dask = sys.modules.get("dask")
    if dask is None:
        yield
        return
    with dask.config.set(scheduler="threads"):
        yield


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


def run_nuts(
    model: Any,
    stats: Sequence[str],
    each: Callable[[list[np.ndarray]], None] | None,
    **settings: Any,
) -> list[np.ndarray]:
    """Run nutpie, handing over what there is from time to time; Ctrl-C ends it early.

    Parameters
    ----------
    model : CompiledModel
    stats : sequence of str
        Statistics to take.
    each : callable, optional
        Handed what `run_nuts` would return.
    **settings
        Of ``nutpie.sample``.

    Returns
    -------
    list of ndarray (draw, number)
        Of each chain the draws after tuning: the statistics, then the parameters.

    Raises
    ------
    StudyError
        For a setting that nutpie does not have.
    """
    import nutpie

    try:
        sampler = nutpie.sample(model, blocking=False, return_raw_trace=True, **settings)
    except (AttributeError, TypeError, ValueError, OverflowError) as error:  # of a setting
        raise StudyError(f"sampling: {error}") from None
    pause = PAUSE[0]
    try:
        while True:
            with suppress(TimeoutError):
                return _rows(sampler.wait(timeout=pause), stats, model.n_dim)
            if each is not None:
                began = time.monotonic()
                each(_rows(sampler.inspect(), stats, model.n_dim))
                pause = float(np.clip(SHARE * (time.monotonic() - began), *PAUSE))
    except KeyboardInterrupt:
        with ignored():
            return _rows(sampler.abort(), stats, model.n_dim)
    except BaseException:
        sampler.cancel()
        raise


def _rows(trace: Any, stats: Sequence[str], size: int) -> list[np.ndarray]:
    """Read nutpie's trace, one table of Arrow for the draws of each chain and one for the rest."""
    import pyarrow

    def column(table: Any, name: str) -> np.ndarray:
        return np.asarray(pyarrow.array(table.column(name)).to_numpy(zero_copy_only=False))

    chains = []
    for draws, said in zip(*trace.get_arrow_trace(), strict=True):
        flat = pyarrow.array(draws.column("unconstrained"))
        values = flat.flatten().to_numpy().reshape(draws.num_rows, size)
        kept = ~column(said, "tuning").astype(bool)
        columns = [column(said, name).astype(float)[kept] for name in stats]
        chains.append(np.column_stack([*columns, values[kept]]))
    return chains
