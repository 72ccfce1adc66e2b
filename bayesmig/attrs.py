"""Structured values in the attributes of a Dataset or a fit, as the text that a file keeps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmig.errors import DataError


def pack(value: Any) -> str:
    """Write a list, a table of names or a number as text; NumPy's numbers as plain ones.

    Raises
    ------
    DataError
        For a value of another kind.

    Examples
    --------
    >>> pack({"years": [1996, 1997]})
    '{"years": [1996, 1997]}'
    """
    try:
        return json.dumps(value, default=_plain)
    except TypeError as error:
        raise DataError(f"{value!r} cannot be written to a file: {error}") from None


def unpack[Kind](attrs: Mapping[Any, Any], name: str, kind: type[Kind]) -> Kind:
    """Read what `pack` wrote.

    Parameters
    ----------
    attrs : mapping
    name : str
    kind : type
        ``dict``, ``list``, ``str``, ``int`` or ``float``: what it must be.

    Raises
    ------
    DataError
        If there is no such attribute, or it is something else.

    Examples
    --------
    >>> unpack({"years": "[1996, 1997]"}, "years", list)
    [1996, 1997]
    """
    if name not in attrs:
        raise DataError(f"attrs[{name!r}] is missing")
    try:
        value = json.loads(attrs[name])
    except (TypeError, ValueError, RecursionError):
        raise DataError(f"attrs[{name!r}] is not what was written there") from None
    if not isinstance(value, kind):
        raise DataError(f"attrs[{name!r}] is no {kind.__name__}")
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, range | set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} is no number, text, list or table")
