"""What is not numba's to promise: how it turns a graph into machine code, and keeps it.

When numba moves, this file is where it is mended.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, cast

UNWRAP = "__excinfo_unwrap_args"  # functions that make an error's arguments
SEAL = b"bayesmig"  # before the checksum of a file of compiled code
_lazily: list[Any] = []  # the level that numba had, for each `compiling` that is open
_wholly: set[str] = set()  # names of functions that are optimised by all passes nevertheless


@contextmanager
def compiling() -> Iterator[None]:
    """Compile every function once, with few of LLVM's passes, and without looking for garbage.

    numba optimises a function and makes its machine code, and does both again in every function
    that calls it; here what is only called by others waits until one of them needs it, which
    with the rest is a fifth to two fifths of the waiting (benchmarks/compiling.py).  The same
    numbers come out, and a gradient takes as long within a few percent.  Whoever sets NUMBA_OPT
    has it.
    """
    from numba.core import config as numba_config

    config: Any = numba_config  # its names are made when it is imported
    level, collected = config.OPT, gc.isenabled()
    _install()
    gc.disable()
    _lazily.append(level)
    try:
        with _passes(level if "NUMBA_OPT" in os.environ else type(level)(1)):
            yield
    finally:
        _lazily.pop()
        if collected:
            gc.enable()


@contextmanager
def _passes(level: Any) -> Iterator[None]:
    """Optimise as at another level."""
    from numba.core import config as numba_config

    config: Any = numba_config
    before, config.OPT = config.OPT, level
    try:
        yield
    finally:
        config.OPT = before


def wholly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Have all of LLVM's passes for a function, whatever `compiling` leaves out."""
    _wholly.add(function.__qualname__)
    return function


@cache
def _install() -> None:
    """Let numba make its libraries of functions as `_library` has them, in this process."""
    from numba.core import registry

    codegen = registry.cpu_target.target_context.codegen()  # made with the level that it finds
    library = _library()
    codegen._library_class, codegen.set_env = library, library.set_environment


@cache
def _library() -> Any:
    """Return a class of numba's libraries that are optimised when their code is asked for.

    Until then one is only linked: what calls it takes it in and optimises both at once.
    Outside of `compiling` it is as numba's own.
    """
    from numba.core.codegen import JITCodeLibrary, JITCPUCodegen

    base: Any = JITCodeLibrary  # numba has no types
    waiting: dict[str, Any] = {}  # environments of functions whose code is not made yet

    class Library(base):  # type: ignore[misc]  # of a class without types
        made = True

        def finalize(self) -> None:
            self.made = False
            super().finalize()
            if not _lazily:
                self._make()
            elif self.name in _wholly:
                with _passes(_lazily[0]):  # others take it in as it is then
                    super()._optimize_final_module()

        def _optimize_final_module(self) -> None:
            if self.made:
                super()._optimize_final_module()

        def _finalize_final_module(self) -> None:
            if self.made:
                super()._finalize_final_module()
            self._finalized = True

        def _make(self) -> None:
            """Optimise and make machine code, once."""
            self._ensure_finalized()
            if self.made:
                return
            self.made = True
            self._optimize_final_module()
            self._final_module.verify()
            names = [variable.name for variable in self._final_module.global_variables]
            self._finalize_final_module()
            for name in waiting.keys() & names:
                JITCPUCodegen.set_env(self._codegen, name, waiting.pop(name))

        def _optimize_functions(self, ll_module: Any) -> None:
            for function in ll_module.functions:
                # of one name in all modules, with the environment of its own: each keeps its own
                if function.name.startswith(UNWRAP) and not function.is_declaration:
                    function.linkage = "internal"
            if _lazily and self.name in _wholly:
                with _passes(_lazily[0]):
                    super()._optimize_functions(ll_module)
            else:
                super()._optimize_functions(ll_module)

        @property
        def has_dynamic_globals(self) -> bool:
            self._make()  # what nobody uses goes when it is optimised
            return bool(self._dynamic_globals)

        def get_pointer_to_function(self, name: str) -> int:
            self._ensure_finalized()
            if not self.made and self._has(name):
                self._make()
            return int(super().get_pointer_to_function(name))

        def _has(self, name: str) -> bool:
            try:
                return not self._final_module.get_function(name).is_declaration
            except NameError:
                return False

        def serialize_using_object_code(self) -> Any:
            self._make()
            return super().serialize_using_object_code()

        def serialize_using_bitcode(self) -> Any:
            self._make()
            return super().serialize_using_bitcode()

        @staticmethod
        def set_environment(name: str, environment: Any) -> None:
            """Keep what a function makes Python objects with until its code has a place for it."""
            from numba.core import registry

            codegen = registry.cpu_target.target_context.codegen()
            if codegen._engine.is_symbol_defined(name):
                JITCPUCodegen.set_env(codegen, name, environment)
            else:
                waiting[name] = environment

    return Library


def compiled_function(function: Any) -> Any:
    """Return the numba function inside a compiled PyTensor function."""
    return function.vm.jit_fn


def compiled_address(function: Any) -> tuple[Any, int]:
    """Return the signature that a numba function was last compiled for, and its address."""
    signature = function.nopython_signatures[-1]
    result = function.get_compile_result(signature)
    return signature, result.library.get_pointer_to_function(result.fndesc.llvm_func_name)


def c_function(
    name: str, source: str, scope: dict[str, Any], signature: Any, key: tuple[Any, ...] = ()
) -> Any:
    """Compile a C function from its source, or find it where PyTensor keeps what it compiled.

    Parameters
    ----------
    name, source : str
        Of one function.
    scope : dict
        What it calls by name.
    signature : numba signature
    key : tuple
        All that the machine code depends on beside the source: versions, types in the scope.

    Returns
    -------
    CFunc
    """
    import numba
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import compile_numba_function_src

    kept = hashlib.sha256(repr((source, key, numba.__version__)).encode()).hexdigest()
    scope = {"__name__": __name__, **scope}  # numba looks for a module of what it kept
    function = compile_numba_function_src(source, name, scope, scope, cache_key=f"bayesmig_{kept}")
    return numba.cfunc(signature, cache=bool(config.numba__cache))(function)


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
