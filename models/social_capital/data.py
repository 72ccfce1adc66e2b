"""Data of the paper: the synthetic twin, and the analysis file read and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import attrs
from bayesmig.errors import DataError, unknown
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.paper import (
    COLUMNS,
    IDENTIFIERS,
    LEVELS,
    OUTCOMES,
    YES_NO,
    Stratum,
    Tables,
)
from bayesmig.models.social_capital.people import from_frame
from bayesmig.models.social_capital.simulate import MUNICIPALITIES, PEOPLE, simulate
from bayesmig.readers import Table, named, read_table, validated

__all__ = ["example", "from_frame", "read"]

Missing = Literal["raise", "casewise"]


def example(
    stratum: Stratum = "all",
    tables: Tables = 1,
    n: int = PEOPLE,
    municipalities: int = MUNICIPALITIES,
) -> xr.Dataset:
    """Return the synthetic twin: the survey itself is distributed after registration.

    Parameters
    ----------
    stratum : {"all", "none", "extended", "close"}
        People with these ties to migrants only (the strata of Tables 2a-c).
    tables : {1, 2}
        Whose estimates are the truth: Table 1, or Tables 2a-c, where coefficients
        differ between strata and nobody self-employed with extended ties aspires.
    n, municipalities : int
        People and places; by default as many as in Table 1.

    Returns
    -------
    Dataset
        As `simulate` makes it, with one seed.
    """
    return simulate(
        seed=2002,
        n=n,
        municipalities=municipalities,
        stratum=stratum,
        tables=tables,
        separated=tables == 2,
    )


def read(
    path: str | Path, *, missing: Missing = "raise", stratum: Stratum = "all", **columns: str
) -> xr.Dataset:
    """Read an analysis file (.dta, .sav, .csv or .parquet), one row per adult.

    Columns: outcome, the categories of `LEVELS`, yes or no (1, 0) in `YES_NO`, ``age``
    (years), ``log_expenditure``, and the identifiers person, household and municipality.
    Categories are given by name; a Stata column of numbers by its value labels.  Other
    columns are kept: those of a text file as numbers where all are, those of a Stata file
    as categories where every value has a label.

    Parameters
    ----------
    path : str or Path
    missing : {"raise", "casewise"}
        What to do with rows that lack a value: refuse, or leave them out, counted by
        column in ``attrs["left_out"]``.
    stratum : {"all", "none", "extended", "close"}
        People with these ties only.
    **columns
        Names that the file has for the columns above, e.g. ``municipality="mpio"``.

    Raises
    ------
    DataError
        Naming the file, the row (the header of a text file is row 1) and the column.
    """
    if missing not in get_args(Missing):
        raise DataError(f"missing={missing!r}; valid: {', '.join(get_args(Missing))}")
    table, labels = _table(path)
    for name, own in columns.items():
        if name not in COLUMNS:
            raise DataError(unknown("column of the analysis file", name, COLUMNS))
        if own not in table:
            raise DataError(f"{path}: {unknown('column', own, map(str, table.columns))}")
    ours = {own: name for name, own in columns.items()}
    table = table.rename(columns=ours)
    people.check_once(table, f"{path}: ")
    labels = {ours.get(name, name): named for name, named in labels.items()}
    table = _checked(_labelled(table, labels, str(path)), str(path))
    table, left_out = _complete(table, missing, str(path))
    data = people.from_frame(table)
    for name, words in labels.items():
        data[name].attrs["value_labels"] = attrs.pack({str(k): v for k, v in words.items()})
    data.attrs |= {"title": Path(path).name, "left_out": left_out}
    return people.select(data, stratum)


def _table(path: str | Path) -> Table:
    """Read a file of any kind; other columns than the analysis file's as what they seem to be."""
    table, labels = read_table(path)
    people.check_once(table, f"{path}: ")
    if Path(path).suffix.lower() == ".csv":
        table = table.mask(table == "")
        others = table.columns.difference(COLUMNS)
        table = table.assign(**{name: _numbers(table[name]) for name in others})
    return Table(_named_others(table, labels), labels)


def _named_others(table: pd.DataFrame, labels: Mapping[str, Mapping[Any, str]]) -> pd.DataFrame:
    """Name the categories of columns that are not the analysis file's, if all have labels."""
    for name, words in labels.items():
        if name not in COLUMNS and name in table and table[name].dropna().isin(list(words)).all():
            levels = dict.fromkeys(words[code] for code in sorted(words))
            table = table.assign(**{name: pd.Categorical(table[name].map(words), list(levels))})
    return table


def _numbers(column: pd.Series) -> pd.Series:
    """Read text as numbers where all of it is; codes with leading zeros are text."""
    number = pd.to_numeric(column, errors="coerce")
    text = number.isna() & column.notna() | column.str.match(r"0\d", na=False)
    return column if text.any() else number


def _labelled(
    table: pd.DataFrame, labels: Mapping[str, Mapping[Any, str]], where: str
) -> pd.DataFrame:
    """Put value labels in the place of codes, for categories and the outcome."""
    coded = [name for name in ("outcome", *LEVELS) if name in table and labels.get(name)]
    return table.assign(**{name: named(table, labels[name], name, where) for name in coded})


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check the columns of an analysis file; missing values are for `_complete`."""
    import pandera.pandas as pa

    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise DataError(
            f"{where}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
        )

    def one_of(levels: tuple[str, ...]) -> Any:
        check = pa.Check.isin(levels, error=f"is none of {', '.join(levels)}")
        return pa.Column(str, check, nullable=True)

    yes_no = pa.Check.isin((0.0, 1.0), error="is neither 0 nor 1")
    age = pa.Check.in_range(0, 120, error="is no age in years between 0 and 120")
    schema = pa.DataFrameSchema(
        {
            "outcome": one_of(OUTCOMES),
            **{name: one_of(levels) for name, levels in LEVELS.items()},
            **{n: pa.Column(float, yes_no, nullable=True, coerce=True) for n in YES_NO},
            "age": pa.Column(float, age, nullable=True, coerce=True),
            "log_expenditure": pa.Column(
                float, pa.Check(np.isfinite, error="is not finite"), nullable=True, coerce=True
            ),
        }
    )
    # "0" children and municipality 15 may be numbers in the file
    text = {name: people.text_of(table[name]) for name in ("outcome", *LEVELS, *IDENTIFIERS)}
    table = validated(schema, table.assign(**text), where)
    twice = table["person"].notna() & table.duplicated(["person"])
    if twice.any():
        raise DataError(
            f"{where}: row {table.index[twice][0]}, column person: "
            f"{table['person'][twice].iloc[0]!r} is there twice (and {twice.sum() - 1} more)"
        )
    return table


def _complete(table: pd.DataFrame, missing: Missing, where: str) -> tuple[pd.DataFrame, str]:
    """Return the rows without a missing value, and what was left out."""
    gaps = table[list(COLUMNS)].isna()
    bad = gaps.any(axis=1)
    if not bad.any():
        return table, ""
    each = ", ".join(f"{name} {n}" for name, n in gaps.sum().items() if n)
    if missing == "raise":
        row = table.index[bad][0]
        raise DataError(
            f"{where}: {bad.sum()} of {len(table)} rows lack a value ({each}), first row {row}; "
            "missing='casewise' leaves them out"
        )
    if bad.all():
        raise DataError(f"{where}: every row lacks a value ({each})")
    return table[~bad], f"{bad.sum()} of {len(table)} rows with a missing value ({each})"
