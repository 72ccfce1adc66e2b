"""What is not numba's to promise: how it turns a graph into machine code, and keeps it.

When numba moves, this file is where it is mended.
"""

from __future__ import annotations

import gc
import hashlib
import io
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, cast

UNWRAP = "__excinfo_unwrap_args"  # functions that make an error's arguments
DYNAMIC = "numba.dynamic.globals"  # addresses of this process: what has them cannot be kept
# what PyTensor writes around the function of a graph, whose code is found by it
GRAPH = "numba_funcified_fgraph"
SOURCE = f"def {GRAPH}(*args): return jitable_func(*args)"
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
        with _passes(level if "NUMBA_OPT" in os.environ else type(level)(1)), ExitStack() as less:
            for way in (_unheard, _alike, _as_needed, _compared):
                less.enter_context(way())
            yield
    finally:
        _lazily.pop()
        if collected:
            gc.enable()


@contextmanager
def _instead(owner: Any, **others: Any) -> Iterator[None]:
    """Give a module or a class other members for a while."""
    before = {name: getattr(owner, name) for name in others}
    for name, other in others.items():
        setattr(owner, name, other)
    try:
        yield
    finally:
        for name, own in before.items():
            setattr(owner, name, own)


def _unheard() -> AbstractContextManager[None]:
    """Leave out the events around every call of LLVM, and their timers, if nobody listens."""
    from numba.core import event

    if any(event._registered.values()):
        return nullcontext()

    def nothing(*args: Any, **kwargs: Any) -> None: ...

    timer = cast(Any, lambda *args: nullcontext())
    return _instead(event, start_event=nothing, end_event=nothing, install_timer=timer)


def _alike() -> AbstractContextManager[None]:
    """Have one function for all nodes of a graph that do the same.

    PyTensor makes one for each, and numba reads all but the first from the disk.
    """
    from pytensor import config
    from pytensor.link.numba.dispatch import basic

    usual = basic.numba_funcify_ensure_cache
    known: dict[Any, Any] = {}

    def once(op: Any, *args: Any, node: Any = None, **kwargs: Any) -> tuple[Any, str | None]:
        function, key = usual(op, *args, node=node, **kwargs)
        if key is None or node is None:
            return function, key
        # a key says nothing of types, nor of how many are added or multiplied
        types = tuple(v.type for v in node.inputs), tuple(v.type for v in node.outputs)
        return known.setdefault((key, types, config.numba__fastmath), function), key

    return _instead(basic, numba_funcify_ensure_cache=once)


def _as_needed() -> AbstractContextManager[None]:
    """Ask which variables live where only when numba is about to use it: of ten times once."""
    from numba.core import postproc, targetconfig, transforms

    Processor: Any = postproc.PostProcessor
    usual = Processor.run

    def run(self: Any, emit_dels: bool = False, extend_lifetimes: bool = False) -> None:
        code, flags = self.func_ir, cast(Any, targetconfig.ConfigStack.top_or_none())
        python = flags is None or flags.enable_pyobject or flags.force_pyobject
        if emit_dels or code.is_generator or python:
            usual(self, emit_dels, extend_lifetimes)
            return
        code.blocks = transforms.canonicalize_cfg(code.blocks)
        code.variable_lifetime = postproc.VariableLifetime(code.blocks)
        code.generator_info = None

    return _instead(Processor, run=run)


def _compared() -> AbstractContextManager[None]:
    """Compare the flags of functions by what differs from the defaults, with these at once."""
    from numba.core.targetconfig import TargetConfig

    @cache
    def defaults(kind: Any) -> dict[str, Any]:
        return {name: option.default for name, option in kind.options.items()}

    def values(self: Any) -> dict[str, Any]:
        kind: Any = type(self)
        return {**defaults(kind), **self._values}

    return _instead(TargetConfig, values=values)


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
    from llvmlite import binding as llvm
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
            names = [variable.name for variable in self._final_module.global_variables]
            if not self.made and not any(name.startswith(DYNAMIC) for name in names):
                return False
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
            """Serialize; what only others call without machine code, as they make their own."""
            if self.made:
                return super().serialize_using_object_code()
            return super().serialize_using_bitcode()

        @classmethod
        def _unserialize(cls, codegen: Any, state: tuple[str, str, Any]) -> Any:
            name, kind, code = state
            if kind != "bitcode":
                return super()._unserialize(codegen, state)
            self = codegen.create_library(name)
            self._final_module = llvm.parse_bitcode(code)
            self.made, self._finalized = False, True
            if not _lazily:
                self._make()
            return self

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


@contextmanager
def exact() -> Iterator[None]:
    """Keep the order of sums, and do not note where in the code each node was made.

    With fast-math sums follow what the compiler sees at once, so that the process that compiles a
    graph and those that load it would differ in last digits; and of no node of a compiled graph
    will anybody ask where it was made.
    """
    from pytensor import config

    with config.change_flags(numba__fastmath=False, traceback__limit=0):
        yield


def errors() -> tuple[type[Exception], ...]:
    """Return what numba raises of code that it cannot compile."""
    from numba.core.errors import NumbaError

    return (NumbaError,)


def function_of(graph: Any) -> tuple[Any, str | None]:
    """Return the function of numba that one of PyTensor's graphs is, and a key that tells it."""
    from pytensor.link.numba.dispatch.basic import numba_funcify_and_cache_key

    return numba_funcify_and_cache_key(graph)


def folder() -> Path:
    """Where PyTensor keeps what numba compiles."""
    from pytensor.link.numba.cache import NUMBA_CACHE_PATH

    return Path(NUMBA_CACHE_PATH)


@cache
def only_rewriting() -> Any:
    """Return a linker that leaves a graph as it is once it is in the form that numba takes."""
    from pytensor.link.numba.linker import NumbaLinker

    class Rewriting(NumbaLinker):
        def fgraph_convert(self, *args: Any, **kwargs: Any) -> None: ...

        def jit_compile(self, fn: Any) -> Callable[..., None]:
            return lambda *args: None

    return Rewriting()


def key(*what: Any) -> str:
    """Return what code is kept as: a digest of all that it depends on."""
    import numba

    said = (what, numba.__version__, os.environ.get("NUMBA_OPT"))
    return f"bayesmig_{hashlib.sha256(repr(said).encode()).hexdigest()}"


def c_function(
    name: str, source: str, scope: dict[str, Any], signature: Any, key: str | None
) -> Any:
    """Compile a C function from its source, or find it where PyTensor keeps what it compiled.

    Parameters
    ----------
    name, source : str
        Of one function.
    scope : dict
        What it calls by name.
    signature : numba signature
    key : str or None
        What it is kept as, see `key`; None if it is not to be kept.

    Returns
    -------
    CFunc
    """
    import numba
    from pytensor.configdefaults import config
    from pytensor.link.numba.cache import compile_numba_function_src

    scope = {"__name__": __name__, **scope}  # numba looks for a module of what it kept
    function = compile_numba_function_src(source, name, scope, scope, cache_key=key)
    return numba.cfunc(signature, cache=bool(config.numba__cache) and key is not None)(function)


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
