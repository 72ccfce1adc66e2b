"""Groups of migrants, counted: the paper's, a user's file, a user's table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmig.errors import DataError
from bayesmig.readers import read_table

from .printed import rates

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

COLUMNS = ("group", "people", "returned")


def example() -> xr.Dataset:
    """Return the three groups as Table 1 counts them."""
    return _dataset(rates(), "rates.csv", "three groups, Table 1")


def read(path: str | Path) -> xr.Dataset:
    """Read a .csv file with the columns group, people and returned.

    Raises
    ------
    DataError
        Naming file, row and column.
    """
    path = Path(path)
    return _dataset(read_table(path, (".csv",)).rows, str(path), path.name)


def from_frame(table: pd.DataFrame) -> xr.Dataset:
    """Return a table with the columns group, people and returned as data.

    Raises
    ------
    DataError
        Naming row and column.
    """
    return _dataset(table, "table", "a table")


def _dataset(table: pd.DataFrame, where: str, title: str) -> xr.Dataset:
    """Counts by group: ``people`` and ``returned``, dims (group)."""
    import xarray as xr

    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise DataError(f"{where}: no column {lacking[0]!r}; needed are {', '.join(COLUMNS)}")
    counts: dict[str, tuple[int, int]] = {}
    for row, *record in table[list(COLUMNS)].itertuples():
        group = str(record[0]).strip()
        if not group or group in counts:
            why = "twice" if group else "empty"
            raise DataError(f"{where}: row {row}, column group: {group!r} is {why}")
        people, returned = (
            _count(value, f"{where}: row {row}, column {name}")
            for name, value in zip(COLUMNS[1:], record[1:], strict=True)
        )
        if not 0 <= returned <= people or people == 0:
            raise DataError(
                f"{where}: row {row}, column returned: {returned} of {people} people cannot be"
            )
        counts[group] = people, returned
    if not counts:
        raise DataError(f"{where}: no rows")
    people_all, returned_all = (list(column) for column in zip(*counts.values(), strict=True))
    return xr.Dataset(
        {"people": ("group", people_all), "returned": ("group", returned_all)},
        coords={"group": list(counts)},
        attrs={"title": title, "synthetic": 0, "left_out": ""},
    )


def _count(value: Any, where: str) -> int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not number.is_integer():
        raise DataError(f"{where}: must be a whole number, got {value!r}")
    return int(number)
