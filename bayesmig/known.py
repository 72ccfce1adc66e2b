"""Graphs that were compiled before: found by what is written in them, in any process.

Before PyTensor can look for compiled code it brings a graph into its final form, which takes
longer than all the rest of a start.  Here a graph is described as it is before that: each
operation with all that it holds, each constant with its numbers.  What that form came to be
compiled to is kept beside the code, by a digest of the description.  Whatever cannot be
described makes the graph unknown, and it is compiled as any other.
"""

from __future__ import annotations

import enum
import hashlib
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from bayesmig.pieces import Plan
from bayesmig.saving import installed

LIBRARIES = ("bayesmig", "pymc", "pytensor", "numba", "llvmlite", "numpy")
FLAGS = ("floatX", "optimizer", "optimizer_excluding", "optimizer_including", "cast_policy")
PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))


class UnknownError(Exception):
    """Something that cannot be described."""


def digest(outputs: Sequence[Any], inputs: Sequence[Any], more: Any = ()) -> str | None:
    """Return what tells a graph from all others, or None if it cannot be described.

    Parameters
    ----------
    outputs : sequence of variables
    inputs : sequence of variables
        All that they are computed from, in their order; shared variables are known by their
        names and types alone.
    more
        Plain values that the compiled code depends on, too.
    """
    from pytensor import config

    flags = {name: getattr(config, name) for name in FLAGS}
    versions = {name: str(installed(name)) for name in LIBRARIES}
    try:
        said = [_graph(outputs, inputs), _value(more), flags, versions, sys.version, _own_code()]
    except UnknownError:
        return None
    return hashlib.sha256(repr(said).encode()).hexdigest()


@dataclass(frozen=True)
class Kept:
    """What a graph came to.

    Attributes
    ----------
    keys : sequence of str
        What the code of each piece is kept as.
    plan : Plan
        How the pieces make up the graph.
    names : sequence of str
        Names of its shared variables.
    """

    keys: Sequence[str]
    plan: Plan
    names: Sequence[str]


def read(folder: Path, name: str) -> Kept | None:
    """Return what is kept of a graph, if what is there can be that."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        said = json.loads((folder / f"{name}.json").read_text("utf-8"))
        keys, names, size = said["keys"], said["names"], said["size"]
        places = [tuple(said[each]) for each in ("inputs", "made", "returns")]
        inside = all(type(k) is int and 0 <= k < size for each in places for k in each)
        right = all(re.fullmatch(r"\w+", key) for key in keys) and type(size) is int
        if inside and right and all(isinstance(each, str) for each in names):
            return Kept(keys, Plan(size, *places), names)
    return None


def write(folder: Path, name: str, kept: Kept) -> None:
    """Keep what a graph came to; where nothing can be written it is not kept."""
    said = {"keys": [*kept.keys], "names": [*kept.names], **asdict(kept.plan)}
    with suppress(OSError):
        new = folder / f"{name}.{np.random.default_rng().integers(2**62)}"
        new.write_text(json.dumps(said), encoding="utf-8")
        new.replace(folder / f"{name}.json")


def _graph(outputs: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """Describe a graph: its inputs, its nodes one after the other, which of them it returns."""
    from pytensor.graph.traversal import toposort

    place: dict[Any, Any] = {}
    said: list[Any] = []
    for k, variable in enumerate(inputs):
        place[variable] = ("input", k)
        said.append((str(variable.name), _type(variable.type)))
    for k, node in enumerate(toposort(outputs, blockers=inputs)):
        given = [_given(variable, place) for variable in node.inputs]
        said.append((_operation(node.op), given, [_type(v.type) for v in node.outputs]))
        place |= {variable: (k, i) for i, variable in enumerate(node.outputs)}
    return [said, [_given(variable, place) for variable in outputs]]


def _given(variable: Any, place: Mapping[Any, Any]) -> Any:
    """Describe what a node takes: where it comes from, or the constant that it is."""
    if variable in place:
        return place[variable]
    if hasattr(variable, "data"):
        return ("constant", _type(variable.type), _value(variable.data))
    raise UnknownError(variable)


def _type(kind: Any) -> Any:
    """Describe a type of PyTensor, with its lengths that are known."""
    return (_name(type(kind)), _code(type(kind)), _value(_held(kind)))


@cache
def _operation(op: Any) -> str:
    """Describe an operation: what it says makes it equal to others, or else all that it holds."""
    said = [_name(type(op)), _code(type(op)), _value(_held(op))]
    inner = getattr(op, "fgraph", None)
    if inner is not None:
        said.append(_graph(inner.outputs, inner.inputs))
    return repr(said)


def _held(it: Any) -> Mapping[str, Any]:
    names = getattr(it, "__props__", None)
    held = vars(it) if names is None else {name: getattr(it, name) for name in names}
    return {name: value for name, value in held.items() if name != "fgraph"}


def _value(value: Any) -> Any:
    """Describe what an operation holds.

    Raises
    ------
    UnknownError
        If it is of a kind that may hold what is not seen.
    """
    from pytensor.graph.op import Op
    from pytensor.graph.type import Type
    from pytensor.graph.utils import MetaObject

    if isinstance(value, PLAIN):
        return value
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        if array.dtype.hasobject:
            raise UnknownError(value)
        return (str(array.dtype), array.shape, hashlib.sha256(array.tobytes()).hexdigest())
    if isinstance(value, np.dtype):
        return str(value)
    if isinstance(value, enum.Enum):
        return (_name(type(value)), value.name)
    if isinstance(value, list | tuple):
        return [_value(each) for each in value]
    if isinstance(value, set | frozenset):
        return sorted(repr(_value(each)) for each in value)
    if isinstance(value, Mapping):
        return sorted(repr((_value(key), _value(each))) for key, each in value.items())
    if isinstance(value, slice):
        return ("slice", *(_value(each) for each in (value.start, value.stop, value.step)))
    if isinstance(value, Type):
        return _type(value)
    if isinstance(value, Op):
        return _operation(value)
    if isinstance(value, MetaObject) and hasattr(value, "__props__"):
        return (_name(type(value)), _code(type(value)), _value(_held(value)))
    if isinstance(value, type):
        return (_name(value), _code(value))
    if isinstance(value, FunctionType):
        return _function(value)
    raise UnknownError(value)


def _function(function: Any) -> Any:
    """Describe a function by its place, if that is where a module has it."""
    name, module = function.__qualname__, function.__module__
    place: Any = sys.modules.get(module)
    for part in name.split("."):
        place = getattr(place, part, None)
    if place is not function:
        raise UnknownError(function)
    return (module, name, _code(function))


def _name(kind: Any) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _code(what: Any) -> Any:
    """Describe the file that something of neither library nor this package is written in."""
    module = what.__module__
    if module.partition(".")[0] in ("builtins", "bayesmig", "numpy", "pymc", "pytensor"):
        return None  # `LIBRARIES` and `_own_code` say which
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None:  # of a notebook
        raise UnknownError(what)
    return _stamps([Path(file)])


@cache
def _own_code() -> list[Any]:
    """When each file of the package was written."""
    import bayesmig
    import bayesmig.models

    return _stamps(_files([*bayesmig.__path__, *bayesmig.models.__path__]))


def _files(folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted(Path(folder).rglob("*.py"))


def _stamps(files: Iterator[Path] | Sequence[Path]) -> list[Any]:
    return [(str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files]
