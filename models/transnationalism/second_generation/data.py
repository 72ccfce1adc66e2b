"""Rounded percentages by group and measure: Tables 3 and 4, or a user's table."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import readers
from bayesmig.errors import DataError, check_option, unknown
from bayesmig.models.transnationalism.data import FOLDER as PAPER
from bayesmig.printed import read as read_printed

FOLDER = Path(__file__).parent
TOTALS = "Totals"
REFERENCES = {3: ("Non-Hispanic Whites", "Non-Hispanic Blacks"), 4: ("Mexico",)}
COLUMNS = ("group", "measure", "percent")
GUESS = 400.0  # effective sample size where nothing is said
MOST = 100.0  # percent

Tables = Literal[3, 4]


def example(table: Tables = 3, sample_size: float | None = None) -> xr.Dataset:
    """Return the rates of Table 3 (census) or Table 4 (school survey), as printed (real).

    Parameters
    ----------
    table : {3, 4}
        One table a fit: they have no group in common.
    sample_size : float, optional
        Effective sample size of every rate.  The essay prints none; by default those of
        ``sizes.csv``, which are this project's guesses of their order of magnitude.

    Returns
    -------
    Dataset
        As `from_frame`.

    Raises
    ------
    DataError
    """
    check_option("table", table, get_args(Tables))
    rows = read_printed(PAPER / "published" / f"table{table}.csv")
    words = [f"{x:.{d}f}" for x, d in zip(rows.estimate, rows.decimals, strict=True)]
    rows = rows.assign(percent=words)
    if sample_size is None:
        sizes = read_printed(FOLDER / "sizes.csv").set_index(["group", "measure"])["size"]
        keys = zip(rows.group, rows.measure, strict=True)
        rows["sample_size"] = [float(sizes.get(key, np.nan)) for key in keys]
    else:
        rows["sample_size"] = np.where(rows.group == TOTALS, np.nan, sample_size)
    title = f"Portes, Table {table}: percentages, as printed"
    return _dataset(rows, f"Table {table}", title, REFERENCES[table]).assign_attrs(table=table)


def read(path: str | Path, *, reference: str | None = None) -> xr.Dataset:
    """Read rounded percentages from a .csv file.

    Parameters
    ----------
    path : str or Path
        Columns group, measure and percent (as printed: its last digit says how well it is
        known); if there is a column sample_size, the effective sample size, known or
        guessed.  Every group has every measure.  A group "Totals" is the mean of the others.
    reference : str, optional
        The group against which ratios and differences are taken; the first by default.

    Raises
    ------
    DataError
        Naming file, row and column.
    """
    path = readers.exists(path, (".csv",))
    rows = readers.read_table(path, (".csv",)).rows
    return _from(rows, str(path), f"percentages of {path.name}", reference)


def from_frame(table: pd.DataFrame, *, reference: str | None = None) -> xr.Dataset:
    """Return rounded percentages in a DataFrame as the Dataset that the graph takes.

    Parameters
    ----------
    table : DataFrame
        Columns as of the file that `read` takes; percentages as text, as printed.
    reference : str, optional

    Returns
    -------
    Dataset
        ``percent``, ``half_unit`` (half a unit of the last digit, percent) and
        ``sample_size`` (group, measure); ``total`` and ``total_half_unit`` (measure), NaN
        where there is none; ``reference`` (reference), names of groups.

    Raises
    ------
    DataError
        Naming row and column.
    """
    return _from(table, "table", "percentages of a table", reference)


def _from(table: pd.DataFrame, where: str, title: str, reference: str | None) -> xr.Dataset:
    for name in COLUMNS:
        if name not in table:
            raise DataError(f"{where}: {unknown('column', name, list(table))} (it is missing)")
    groups = [g for g in dict.fromkeys(map(str, table.group)) if g != TOTALS]
    if reference is not None and reference not in groups:
        raise DataError(f"{where}: {unknown('reference', reference, groups)}")
    if "sample_size" not in table:
        table = table.assign(sample_size=np.where(table.group == TOTALS, np.nan, GUESS))
    chosen = (reference,) if reference else tuple(groups[:1])
    return _dataset(table, where, title, chosen)


def _dataset(
    table: pd.DataFrame, where: str, title: str, references: tuple[str, ...]
) -> xr.Dataset:
    groups = [g for g in dict.fromkeys(map(str, table.group)) if g != TOTALS]
    measures = list(dict.fromkeys(map(str, table.measure)))
    if len(groups) < 2:
        raise DataError(f"{where}: column group: two groups at least, got {groups}")
    shape = (len(groups), len(measures))
    percent, half, size = (np.full(shape, np.nan) for _ in range(3))
    total, total_half = np.full((2, len(measures)), np.nan)
    for row in table.itertuples():
        value, digit = _percent(where, row.Index, row.percent)
        m = measures.index(str(row.measure))
        taken = total if str(row.group) == TOTALS else percent[groups.index(str(row.group))]
        if not np.isnan(taken[m]):
            raise DataError(
                f"{where}: row {row.Index}, column measure: {row.group}, {row.measure} is there "
                "twice"
            )
        if str(row.group) == TOTALS:
            total[m], total_half[m] = value, digit
        else:
            g = groups.index(str(row.group))
            percent[g, m], half[g, m] = value, digit
            size[g, m] = _size(where, row.Index, row.sample_size)
    if np.isnan(percent).any():
        g, m = np.argwhere(np.isnan(percent))[0]
        raise DataError(f"{where}: column measure: {groups[g]} has no {measures[m]}")
    _check_totals(where, groups, measures, percent, half, total, total_half)
    dims = ("group", "measure")
    return xr.Dataset(
        {
            "percent": (dims, percent),
            "half_unit": (dims, half),
            "sample_size": (dims, size),
            "total": ("measure", total),
            "total_half_unit": ("measure", total_half),
        },
        {"group": groups, "measure": measures, "reference": list(references)},
        {"title": title, "synthetic": 0, "left_out": ""},
    )


def _percent(where: str, row: Hashable, text: Any) -> tuple[float, float]:
    words = f"{text:.12g}" if isinstance(text, float | int) else str(text).strip()
    place = f"{where}: row {row}, column percent"
    try:
        value = float(words)
    except ValueError:
        raise DataError(f"{place}: {words!r} is not a number") from None
    if not 0 <= value <= MOST:
        raise DataError(f"{place}: {words} is not between 0 and 100 percent")
    return value, 0.5 * 10.0 ** -len(words.partition(".")[2])


def _size(where: str, row: Hashable, value: Any) -> float:
    try:
        size = float(value)
    except (TypeError, ValueError):
        size = np.nan
    if not (np.isfinite(size) and size >= 1):
        raise DataError(
            f"{where}: row {row}, column sample_size: must be a number of one or more, "
            f"got {value!r}"
        )
    return size


def _check_totals(where: str, groups: list[str], measures: list[str], *numbers: np.ndarray) -> None:
    percent, half, total, total_half = numbers
    given = ~np.isnan(total)
    if given.any() and not given.all():
        name = measures[int(np.flatnonzero(~given)[0])]
        raise DataError(f"{where}: column group: {TOTALS} has no {name}, but other measures")
    outside = given & (
        (total - total_half > (percent + half).max(0))
        | (total + total_half < (percent - half).min(0))
    )
    if outside.any():
        m = int(np.flatnonzero(outside)[0])
        raise DataError(
            f"{where}: column percent: {TOTALS} of {measures[m]} is {total[m]:g}, which no mean of "
            f"rates from {percent[:, m].min():g} to {percent[:, m].max():g} can be"
        )
    sided = given & ~((percent > total).any(0) & (percent < total).any(0))
    if sided.any():
        m = int(np.flatnonzero(sided)[0])
        raise DataError(
            f"{where}: column percent: {TOTALS} of {measures[m]} is {total[m]:g}, and no group is "
            "on either side of it: it says nothing of the groups' shares; leave it out"
        )
