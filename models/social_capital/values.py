"""Columns of any kind as numbers, yes-or-no answers or labels that a file keeps, and back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig import attrs
from bayesmig.errors import DataError

EXACT = 2.0**53  # whole numbers up to here are floats without loss
LONGEST = 30_000  # signs of the levels that an attribute of a file holds
NUMBERS = ("integer", "floating", "mixed-integer-float", "decimal")
DATES = ("datetime", "datetime64", "date", "timedelta", "timedelta64", "time", "period")


def encode(column: pd.Series, dim: str) -> xr.Variable:
    """Write a column of any dtype so that a file keeps it.

    Parameters
    ----------
    column : Series
    dim : str

    Returns
    -------
    Variable (dim)
        Numbers as floats, NaN where missing; answers yes or no as 1 and 0, with the
        attribute ``boolean``; anything else as text, with the attributes ``levels``, their
        order if it is another than the alphabet's, ``missing``, the text that stands for a
        missing value if that is not "", and ``date`` of dates and times.

    Raises
    ------
    DataError
        For complex numbers, and for values that are different and read the same as labels.
    """
    column = _plain(column)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        return _labels(codes, list(column.cat.categories), column.name, dim, declared=True)
    there = column.notna().to_numpy()
    kind = _kind(column[there])
    if kind == "complex":
        raise DataError(f"column {column.name!r} holds complex numbers, which have no place here")
    if kind == "boolean":
        numbers = np.full(len(column), np.nan)
        numbers[there] = column[there].to_numpy(dtype=float)
        return xr.Variable(dim, numbers, {"boolean": 1})
    if kind in NUMBERS:
        numbers = np.full(len(column), np.nan)
        numbers[there] = column[there].to_numpy(dtype=float)
        if kind != "integer" or not (np.abs(numbers[there]) > EXACT).any():
            return xr.Variable(dim, numbers)
    if kind != "integer":
        column = column.where(there).map(_hashable, na_action="ignore")
    codes, values = pd.factorize(column.to_numpy(dtype=object), use_na_sentinel=True)
    if kind == "integer":
        order = np.argsort(values)
    else:
        order = np.argsort([text(value) for value in values], kind="stable")
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(order)), -1
    found = _labels(rank[codes], [values[i] for i in order], column.name, dim)
    return xr.Variable(dim, found.values, {**found.attrs, **({"date": 1} if kind in DATES else {})})


def decode(variable: xr.Variable | xr.DataArray) -> pd.Series:
    """Return a column of numbers, of answers yes or no (bool), or of categories in order.

    Answers yes or no among which some are missing are numbers with NaN.
    """
    values = np.asarray(variable.values)
    if values.dtype.kind not in "OUT":
        boolean = "boolean" in variable.attrs and not missing(variable).any()
        return pd.Series(values.astype(bool) if boolean else values)
    levels = _levels(variable)
    codes = pd.Index(levels, dtype=object).get_indexer(values.astype(object))
    return pd.Series(pd.Categorical.from_codes(codes, levels))


def missing(variable: xr.Variable | xr.DataArray) -> NDArray[np.bool_]:
    """Tell where a column has no value."""
    values = np.asarray(variable.values)
    if values.dtype.kind not in "OUT":
        return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), dtype=bool)
    if "levels" in variable.attrs:
        return ~np.isin(values.astype(str), attrs.unpack(variable.attrs, "levels", list))
    return values.astype(str) == variable.attrs.get("missing", "")


def without_unused(variable: xr.Variable | xr.DataArray) -> tuple[Any, list[str]]:
    """Return a column without the levels that nobody has, and these."""
    if "levels" not in variable.attrs:
        return variable, []
    levels = attrs.unpack(variable.attrs, "levels", list)
    present = set(np.unique(np.asarray(variable.values).astype(str)))
    unused = [level for level in levels if level not in present]
    if not unused:
        return variable, []
    kept = [level for level in levels if level in present]
    shorter = variable.copy()
    shorter.attrs = {**variable.attrs, "levels": attrs.pack(kept)}
    return shorter, unused


def text(value: Any) -> str:
    """Write one label as text, a whole number without decimals.

    Examples
    --------
    >>> text(2.0), text(False), text("2.0")
    ('2', 'False', '2.0')
    """
    number = isinstance(value, float | np.floating)
    return str(int(value)) if number and float(value).is_integer() else str(value)


def text_of(column: pd.Series) -> pd.Series:
    """Write labels as `text`; missing ones stay missing."""
    return column.astype(object).where(column.notna()).map(text, na_action="ignore")


def is_date(variable: xr.Variable | xr.DataArray) -> bool:
    """Tell whether a column holds dates or times."""
    return "date" in variable.attrs or variable.dtype.kind in "mM"


def _levels(variable: xr.Variable | xr.DataArray) -> list[str]:
    if "levels" in variable.attrs:
        return attrs.unpack(variable.attrs, "levels", list)
    nothing = variable.attrs.get("missing", "")
    return [str(v) for v in np.unique(np.asarray(variable.values).astype(str)) if v != nothing]


def _plain(column: pd.Series) -> pd.Series:
    """Return a column of a plain dtype: NumPy's, categories or objects."""
    dtype = column.dtype
    if isinstance(dtype, pd.ArrowDtype):
        import pyarrow

        array = pyarrow.array(column.array)
        values = pd.Series(array.to_pandas(integer_object_nulls=True).array, name=column.name)
        stored = isinstance(values.dtype, pd.CategoricalDtype) and not values.cat.ordered
        return _plain(values.astype(object) if stored else values)  # order of storage is none
    if isinstance(dtype, pd.SparseDtype):
        return column.sparse.to_dense()
    if isinstance(dtype, pd.IntervalDtype):
        return column.astype("category")
    if isinstance(dtype, pd.CategoricalDtype | np.dtype):
        return column
    return column.astype(object)


def _kind(column: pd.Series) -> str:
    """Kind of the values of a column without missing ones."""
    by_letter = {"b": "boolean", "i": "integer", "u": "integer", "f": "floating", "c": "complex"}
    return by_letter.get(column.dtype.kind) or pd.api.types.infer_dtype(column, skipna=True)


def _hashable(value: Any) -> Any:
    return value if isinstance(value, str | int | float) else str(value)


def _labels(
    codes: NDArray[Any], values: list[Any], name: Any, dim: str, declared: bool = False
) -> xr.Variable:
    """Write codes (-1 where missing) of values in order as text."""
    levels = [text(value) for value in values]
    twice = pd.Index(levels, dtype=object).duplicated()
    if twice.any():
        alike = np.flatnonzero(np.array(levels) == levels[int(twice.argmax())])
        first, second = (values[i] for i in alike[:2])
        raise DataError(
            f"column {name!r}: the values {first!r} and {second!r} read the same as labels; "
            "make them one, or write them differently"
        )
    nothing = ""
    while nothing in levels:
        nothing = f"(missing{nothing[8:-1]}_)" if nothing else "(missing)"
    words = {} if nothing == "" else {"missing": nothing}
    if declared or levels != sorted(levels) or "" in levels:
        packed = attrs.pack(levels)
        if len(packed) < LONGEST:
            words["levels"] = packed
    return xr.Variable(dim, np.array([*levels, nothing], dtype=str)[codes], words)
