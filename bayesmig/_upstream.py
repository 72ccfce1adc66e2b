"""Parts of other libraries that are not theirs to promise, each in one place.

When one of them moves, this file is where it is mended.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, cast

import numpy as np

from bayesmig.errors import StudyError
from bayesmig.signals import ignored

SEAL = b"bayesmig"  # before the checksum of a file of compiled code
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
def compiling() -> Iterator[None]:
    """Compile with few of LLVM's passes, and without looking for garbage: a fifth less waiting.

    The same numbers come out, and a gradient takes as long within a few percent
    (benchmarks/compiling.py).  Whoever sets NUMBA_OPT has it.
    """
    from numba.core import config as numba_config
    from numba.core import registry

    config: Any = numba_config  # its names are made when it is imported
    registry.cpu_target.target_context.codegen()  # made with the level that it finds
    level, collected = config.OPT, gc.isenabled()
    if "NUMBA_OPT" not in os.environ:
        config.OPT = type(level)(1)
    gc.disable()
    try:
        yield
    finally:
        config.OPT = level
        if collected:
            gc.enable()


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


def seal_compile_cache(tell: Callable[[str], None]) -> Path:
    """Let numba end what it caches in a checksum, and compile anew what is damaged.

    Parameters
    ----------
    tell : callable
        Handed what is to be said of a file that is damaged or cannot be written.

    Returns
    -------
    Path
        PyTensor's own folder.
    """
    from numba.core import caching
    from pytensor.configdefaults import config

    folder, File = Path(str(config.base_compiledir)), cast(Any, caching.IndexDataCacheFile)
    if hasattr(File, "_open_unsealed"):
        return folder
    File._open_unsealed, index, data, save = (
        File._open_for_write,
        File._load_index,
        File._load_data,
        File.save,
    )

    @contextmanager
    def open_for_write(self: Any, path: str) -> Iterator[Any]:
        with File._open_unsealed(self, path) as file:
            buffer = io.BytesIO()
            yield buffer
            file.write(buffer.getvalue() + SEAL + hashlib.sha256(buffer.getvalue()).digest())

    def whole(path: str) -> bool:
        """Whether a file is what was written; one without a seal may be."""
        content = Path(path).read_bytes()
        body, seal, digest = (
            content[: -len(SEAL) - 32],
            content[-len(SEAL) - 32 : -32],
            content[-32:],
        )
        return seal != SEAL or hashlib.sha256(body).digest() == digest

    def read(path: str, usual: Callable[[], Any]) -> Any:
        try:
            if whole(path):
                return usual()
        except OSError:
            raise
        except Exception:  # what unpickling raises of damaged bytes is of any kind
            pass
        Path(path).unlink(missing_ok=True)
        tell(f"{path} is damaged and is compiled anew")
        raise FileNotFoundError(path)

    def load_index(self: Any) -> Any:
        try:
            return read(self._index_path, lambda: index(self))
        except OSError:
            return {}

    def load_data(self: Any, name: str) -> Any:
        return read(self._data_path(name), lambda: data(self, name))

    def save_if_possible(self: Any, key: Any, value: Any) -> None:
        try:
            save(self, key, value)
        except OSError as error:
            tell(
                f"{self._cache_path}: {error.strerror}; what is compiled is not kept for the next "
                "process: PYTENSOR_FLAGS=base_compiledir=FOLDER names another folder"
            )

    File._open_for_write, File._load_index = open_for_write, load_index
    File._load_data, File.save = load_data, save_if_possible
    return folder


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
