"""Cells of the report's tables, or of a user's file, as a Dataset.

A cell is a group of people (Mexican males aged 15-24, say) with the percentages the
report prints for it: of those interviewed one March, how many were not matched the
next, and why.  Dims are (cell, component); the factors that make up the table
(sex, age, origin, year, country, status, duration, period) are coordinates of the cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import readers
from bayesmig.errors import DataError, DataWarning, warn
from bayesmig.models.emigration.doubts import doubts
from bayesmig.models.emigration.residual import residual_error
from bayesmig.printed import read as read_published

Panel = Literal["exclusive", "all"]

PUBLISHED = Path(__file__).parent / "published"
OBSERVED = (
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
)
DERIVED = ("emigration", "net_emigration")
COMPONENTS = (*OBSERVED, *DERIVED)
NUMBERS = ("estimate", "ci_low", "ci_high")
COLUMNS = ("component", *NUMBERS, "ci_prob", "source", "note")  # of a file; all others are factors
PLACE = ("table", "panel", "row")  # of a printed cell
# What the cells have themselves, or get when they are simulated
TAKEN = ("cell", "fate", "residual_error", "true_share", "true_return_immigration", "true_fate")
ROW_FACTOR = {
    5: "year",
    6: "age",
    7: "sex",
    8: "age",
    9: "age",
    10: "age",
    11: "age",
    12: "duration",
    13: "country",
    14: "status",
    15: "status",
}
FIXED = {8: {"sex": "Male"}, 9: {"sex": "Female"}}
AGGREGATES = {13: ("Caribbean", "Asia")}  # rows that hold the rows printed below them


def example(table: int | Sequence[int] = (10, 11), panel: Panel = "exclusive") -> xr.Dataset:
    """Return the printed cells of Tables 4-15, as the report gives them (real data).

    Parameters
    ----------
    table : int or sequence of int
        A table, or tables with the same factors and no cell in common: 10 and 11, or
        8 and 9.  The tables are cuts of one sample, never independent data.
    panel : {"exclusive", "all"}
        Tables 5, 7, 12 and 14 print all foreign born above Mexicans and non-Mexicans,
        who are the same people.  ``exclusive`` takes the latter, ``all`` the former.

    Returns
    -------
    Dataset
        ``estimate``, ``ci_low``, ``ci_high``, percent, dims (cell, component);
        ``residual_error`` (cell), percent, what Table 2 lets the error of non-follow-up be.
        ``attrs["left_out"]`` names the rows not taken because others repeat them.

    Raises
    ------
    DataError
        For another table or panel, or tables that do not go together.
    """
    numbers = _tables(table)
    if panel not in get_args(Panel):
        raise DataError(f"panel={panel!r}; valid: {', '.join(get_args(Panel))}")
    printed = read_published(PUBLISHED / "cells.csv")
    parts, left_out = [], []
    for number in numbers:
        rows, dropped = _exclusive(printed[printed.table == number], number, panel)
        if rows.empty:
            raise DataError(f"table {number} has no panel of all foreign born; panel='exclusive'")
        parts.append(_with_factors(rows, number))
        left_out += dropped
    factors = [tuple(c for c in part if c not in (*PLACE, *COLUMNS)) for part in parts]
    if len(set(factors)) > 1:
        described = ", ".join(
            f"{n}: {' x '.join(names)}" for n, names in zip(numbers, factors, strict=True)
        )
        raise DataError(
            f"tables {numbers} have different factors ({described}); they are cuts of one sample "
            "and cannot be fitted as if they were independent"
        )
    name = ", ".join(f"Table {n}" for n in numbers)
    long = pd.concat(parts, ignore_index=True)
    cells = _to_dataset(
        long.drop(columns=list(PLACE)),
        where=name,
        attrs={"title": f"Van Hook & Bean, {name}", "left_out": "; ".join(left_out)},
        one_level_ok=True,
    )
    return cells.assign(residual_error=residual_error(cells))


def _tables(table: Any) -> list[int]:
    """Return the numbers of the tables asked for."""
    asked = (
        [table] if isinstance(table, Integral | str) or not isinstance(table, Iterable) else table
    )
    numbers = list(asked)
    valid = (4, *ROW_FACTOR)
    for number in numbers:
        if not isinstance(number, Integral) or number not in valid:
            raise DataError(f"no cells in table {number!r}; valid: 4 (the total) to 15")
    if not numbers or len(set(numbers)) < len(numbers):
        raise DataError(f"table={table!r}: name each table once; valid: 4 (the total) to 15")
    return [int(number) for number in numbers]


def read(path: str | Path) -> xr.Dataset:
    """Read cells from a CSV file: one row per cell and component, as in ``cells.csv``.

    Columns: ``component``, ``estimate``, ``ci_low``, ``ci_high``, ``ci_prob`` (one value
    for the file), optionally ``source`` and ``note``; every other column is a factor.
    Each cell needs the components non_match, internal_migration, mortality,
    non_follow_up and return_immigration; emigration and net_emigration may be given
    and are then compared with, never fitted.  Percentages are 0-100.

    Warns
    -----
    DataWarning
        For cells that look like proportions, a level like a total of others, parts that
        exceed the whole.

    Raises
    ------
    DataError
        Naming the file, the row (the header is row 1) and the column.
    """
    path = Path(path)
    table = readers.read_text(path)
    _check_header(table, str(path))
    long = _checked(table, str(path))
    attrs = {"title": path.name, "left_out": "", "own_data": 1}
    data = _to_dataset(long, where=str(path), attrs=attrs, one_level_ok=False)
    for words in doubts(data, factor_names(data)):
        warn(f"{path}: {words}", DataWarning)
    return data


def validate(data: xr.Dataset) -> xr.Dataset:
    """Return ``data`` if it is a Dataset of cells, else raise `DataError` saying what lacks."""
    if not isinstance(data, xr.Dataset):
        raise DataError(f"data must be an xarray Dataset of cells, got {type(data).__name__}")
    lacking = [n for n in (*NUMBERS, "cell", "component") if n not in data]
    lacking += [f"attrs[{n!r}]" for n in ("ci_prob", "factors") if n not in data.attrs]
    if lacking:
        raise DataError(f"data lacks {', '.join(lacking)}; study.example() or study.read(path)")
    missing = [c for c in OBSERVED if c not in data.component.values]
    if missing:
        raise DataError(f"data lacks the components {', '.join(missing)}")
    if not data.sizes["cell"]:
        raise DataError("data has no cells")
    if not 0 < float(data.attrs["ci_prob"]) < 1:
        raise DataError(f"attrs['ci_prob'] is {data.attrs['ci_prob']!r}, not in (0, 1)")
    for factor in factor_names(data):
        if factor not in data.coords:
            raise DataError(f"attrs['factors'] names {factor!r}, which is no coordinate")
        if len(np.unique(data[factor].values.astype(str))) < 2:
            raise DataError(f"factor {factor!r} has one level; take it out of attrs['factors']")
    values = data.sel(component=list(OBSERVED))
    for name in NUMBERS:
        where = np.argwhere(~np.isfinite(values[name].transpose("cell", "component").values))
        if len(where):
            cell, component = where[0]
            raise DataError(
                f"{name} is missing in {len(where)} places, first for cell "
                f"{data.cell.values[cell]!r}, {OBSERVED[component]}"
            )
    return data


def factor_names(data: xr.Dataset) -> tuple[str, ...]:
    """Names of the cells' factors with more than one level."""
    return tuple(f for f in data.attrs["factors"].split(",") if f)


def printed_as_zero(data: xr.Dataset) -> xr.DataArray:
    """Where a number is printed 0.0 (0.0, 0.0): a censored rounding, not an exact zero."""
    return (data.estimate == 0) & (data.ci_low == 0) & (data.ci_high == 0)


def _exclusive(rows: pd.DataFrame, table: int, panel: Panel) -> tuple[pd.DataFrame, list[str]]:
    """Take the rows that share no person, and name those left out."""
    of_all = rows.panel.str.startswith("All")
    taken = rows[of_all] if panel == "all" else rows[~of_all]
    aggregate = taken.row.isin(AGGREGATES.get(table, ()))
    left_out = [
        f"Table {table}, panel {name!r} (the same people as the others)"
        for name in rows.panel[~rows.index.isin(taken.index)].unique()
    ]
    left_out += [
        f"Table {table}, row {name!r} (holds other rows)" for name in taken.row[aggregate].unique()
    ]
    return taken[~aggregate], left_out


def _with_factors(rows: pd.DataFrame, table: int) -> pd.DataFrame:
    """Turn panel and row labels into columns of factors."""
    columns: dict[str, Any] = dict(FIXED.get(table, {}))
    panels = rows.panel
    if panels.str.contains("Mexican").any():
        columns["origin"] = np.where(panels.str.startswith("Non-"), "Non-Mexican", "Mexican")
    elif panels.str.startswith("All").any():
        columns["origin"] = "All"
    if panels.str.contains("ales").any():
        columns["sex"] = np.where(panels.str.contains("Female"), "Female", "Male")
    if panels.str.contains(", ").any():
        columns["period"] = panels.str.split(", ").str[1]
    if table in ROW_FACTOR:
        columns[ROW_FACTOR[table]] = rows.row
    return rows.assign(**columns)


def _check_header(table: pd.DataFrame, where: str) -> None:
    """Raise for names of columns that cannot be told apart."""
    header = list(table.columns)
    for k, name in enumerate(header):
        if not name.strip() or "," in name or name in header[:k] or name in TAKEN:
            raise DataError(
                f"{where}: row 1, column {name or k + 1}: no name for a column (empty, with a "
                "comma, given twice, or one that the cells have themselves)"
            )


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check a user's cells column by column and row by row."""
    import pandera.pandas as pa

    lacking = [c for c in ("component", *NUMBERS, "ci_prob") if c not in table]
    if lacking:
        raise DataError(
            f"{where}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise DataError(f"{where}: no rows below the header")
    factors = [c for c in table if c not in COLUMNS]
    percent = pa.Check.in_range(-100, 100, error="is not a percentage between -100 and 100")
    schema = pa.DataFrameSchema(
        {
            "component": pa.Column(
                str, pa.Check.isin(COMPONENTS, error=f"is none of {', '.join(COMPONENTS)}")
            ),
            **{c: pa.Column(float, percent, coerce=True) for c in NUMBERS},
            "ci_prob": pa.Column(
                float, pa.Check(lambda p: (p > 0) & (p < 1), error="is not in (0, 1)"), coerce=True
            ),
            **{
                c: pa.Column(str, pa.Check(lambda s: s.str.strip() != "", error="is empty"))
                for c in factors
            },
        },
    )
    long = readers.validated(schema, table, where)
    _check_rows(long, factors, where)
    return long


def _check_rows(long: pd.DataFrame, factors: list[str], where: str) -> None:
    """Check what columns on their own do not show."""
    share = long.component != "net_emigration"
    for column, bad, reason in (
        ("estimate", share & (long.estimate < 0), "is negative"),
        ("ci_low", long.ci_low > long.estimate, "is above the estimate"),
        ("ci_high", long.ci_high < long.estimate, "is below the estimate"),
        ("ci_prob", long.ci_prob != long.ci_prob.iloc[0], "differs from the first row's"),
        ("component", long.duplicated([*factors, "component"]), "repeats a cell"),
    ):
        if bad.any():
            row = long.index[bad][0]
            raise DataError(
                f"{where}: row {row}, column {column}: {long.loc[row, column]} {reason}"
                + (f" (and {bad.sum() - 1} more rows)" if bad.sum() > 1 else "")
            )
    for cell, group in long.groupby(factors, sort=False) if factors else [("the cell", long)]:
        missing = [c for c in OBSERVED if c not in set(group.component)]
        if missing:
            label = ", ".join(map(str, cell if isinstance(cell, tuple) else [cell]))
            raise DataError(
                f"{where}: rows {group.index.min()}-{group.index.max()}, column component: "
                f"cell {label!r} lacks {', '.join(missing)}"
            )


def _to_dataset(
    long: pd.DataFrame, where: str, attrs: Mapping[str, Any], one_level_ok: bool
) -> xr.Dataset:
    """Arrange checked rows as (cell, component) with the factors as coordinates."""
    named = [c for c in long if c not in COLUMNS]
    constant = [f for f in named if long[f].nunique() == 1]
    if constant and not one_level_ok:
        row = long.index[0]
        raise DataError(
            f"{where}: row {row}, column {constant[0]}: the factor has one level, "
            f"{long.loc[row, constant[0]]!r}; leave the column out"
        )
    factors = [f for f in named if f not in constant]
    labels = long[factors].agg(", ".join, axis=1) if factors else pd.Series("Total", long.index)
    order = list(dict.fromkeys(labels))
    alike = pd.DataFrame({"label": labels, "component": long.component}).duplicated()
    if alike.any():
        raise DataError(
            f"{where}: row {long.index[alike][0]}: another cell is labelled "
            f"{labels[alike].iloc[0]!r} too; no comma in the levels of factors"
        )
    wide = long.assign(cell=labels).pivot(index="cell", columns="component", values=list(NUMBERS))
    wide = wide.reindex(order)
    arrays = {
        name: (
            ("cell", "component"),
            wide[name].reindex(columns=list(COMPONENTS)).to_numpy(dtype=float),
        )
        for name in NUMBERS
    }
    first = long.assign(cell=labels).drop_duplicates("cell").set_index("cell").reindex(order)
    coords: dict[str, Any] = {f: ("cell", first[f].to_numpy(dtype=str)) for f in factors}
    coords |= {f: str(long[f].iloc[0]) for f in constant}
    return xr.Dataset(
        arrays,
        coords={"cell": order, "component": list(COMPONENTS), **coords},
        attrs={
            **attrs,
            "factors": ",".join(factors),
            "unit": "percent a year",
            "ci_prob": float(long.ci_prob.iloc[0]),
            "synthetic": 0,
        },
    )
