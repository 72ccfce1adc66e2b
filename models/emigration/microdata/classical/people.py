"""Persons as the report's estimator takes them: checked, each child with its parent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from bayesmig.errors import DataError
from bayesmig.models.emigration.microdata.levels import (
    AGES,
    COUNTRIES,
    DURATIONS,
    EDUCATIONS,
    ENROLMENTS,
    HEALTHS,
    RACES,
    SEXES,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

Variant = Literal["text", "program"]

TEN_YEARS = "0-14 15-24 25-34 35-44 45-54 55-64 65+".split()
ORIGIN_TERMS = {  # or3-or11: all origins but Mexico and, as reference, Central America
    "Cuba": "Cuba",
    "China": "China",
    "India": "India",
    "Asia": "Other Asia",
    "Africa": "Africa",
    "Europe": "Europe",
    "North America": "N America",
    "Caribbean": "Caribbean",
    "Other": "Other",
}
LEVELS: dict[str, tuple[str, ...]] = {
    "generation": ("first", "second"),
    "sex": SEXES,
    "origin": ("Mexico", "Central America", *ORIGIN_TERMS),
}
FIRST_LEVELS = {"country": tuple(COUNTRIES), "age_group": AGES, "duration": DURATIONS}
ADULT_LEVELS = {
    "enrolment": ENROLMENTS,
    "education": EDUCATIONS,
    "race": RACES,
    "health": HEALTHS,
}
NUMBERS = ("year", "month", "serial", "pernum", "age", "weight", "parent_pernum")
FLAGS = ("owner", "oversample", "followed", "moved", "returned")
OPTIONAL = ("parent_pernum", "moved", "returned")  # may be missing in a row


def checked(people: pd.DataFrame) -> pd.DataFrame:
    """Return the panel's columns with plain types, and ``child`` and ``position``."""
    if not isinstance(people, pd.DataFrame):
        raise DataError(f"people must be a DataFrame, got {type(people).__name__}")
    needed = [*NUMBERS, *FLAGS, *LEVELS, *FIRST_LEVELS, *ADULT_LEVELS]
    missing = [column for column in needed if column not in people]
    if missing:
        raise DataError(f"people has no column {', '.join(missing)}; has: {', '.join(people)}")
    work = people.reset_index(drop=True)
    for column in (*NUMBERS, *FLAGS):
        work[column] = _numeric(work[column], column)
    whole = [column for column in NUMBERS if column not in ("weight", "parent_pernum")]
    work = work.assign(position=np.arange(len(work)), child=work.age < 15)
    first = work.generation == "first"
    _check_levels(work, LEVELS, "")
    _check_levels(work[first], FIRST_LEVELS, ", first generation")
    _check_levels(work[~work.child], ADULT_LEVELS, ", aged 15 and over")
    _check_flags(work)
    if (negative := work.weight < 0).any():
        raise DataError(f"weight is negative in {negative.sum()} of {len(work)} rows")
    if (young := work.child & ~first).any():
        raise DataError(
            f"{young.sum()} rows of the second generation are younger than 15: only adults "
            "are compared with the foreign born"
        )
    if not first.any():
        raise DataError(f"none of {len(work)} rows is of the first generation")
    plain = dict.fromkeys(whole, int) | dict.fromkeys(("owner", "oversample", "followed"), bool)
    return work.astype(plain)


def _numeric(values: pd.Series, column: str) -> pd.Series:
    """Return a column as floats; only optional ones may have gaps."""
    try:
        numbers = values.astype(float)
    except (TypeError, ValueError) as error:
        raise DataError(f"column {column}: {error}") from None
    bad = ~np.isfinite(numbers)
    if column in OPTIONAL:
        bad &= numbers.notna()
    if bad.any():
        raise DataError(
            f"column {column}: {bad.sum()} of {len(values)} rows are not finite, the first at "
            f"index {values.index[bad][0]}"
        )
    return numbers


def _check_levels(work: pd.DataFrame, levels: dict[str, tuple[str, ...]], whom: str) -> None:
    for column, valid in levels.items():
        bad = ~work[column].isin(valid)
        if bad.any():
            found = ", ".join(sorted({repr(value) for value in work[column][bad]}))
            raise DataError(
                f"column {column}{whom}: {found} in {bad.sum()} of {len(work)} rows; "
                f"valid: {', '.join(valid)}"
            )


def _check_flags(work: pd.DataFrame) -> None:
    for column in FLAGS:
        bad = ~work[column].isin([0, 1]) & work[column].notna()
        if bad.any():
            raise DataError(
                f"column {column}: {work[column][bad].iloc[0]:g} in {bad.sum()} of {len(work)} "
                "rows; valid: 0, 1"
            )


def with_parents(work: pd.DataFrame) -> tuple[pd.DataFrame, Array, pd.Series]:
    """Leave out children whose parent is not an adult of the panel; who is whose parent.

    Returns
    -------
    work : DataFrame
    parent : ndarray of int (person)
        Row of the parent in ``work``; -1 for adults.
    dropped : Series of bool
        Children left out, over the rows given.
    """
    keys = ["year", "month", "serial"]
    index = pd.MultiIndex.from_frame(work[[*keys, "pernum"]])
    if (again := index.duplicated()).any():
        year, month, serial, pernum = index[again][0]
        raise DataError(
            f"{again.sum()} rows repeat the year, month, serial and pernum of another, the first "
            f"{year}, {month}, {serial}, {pernum}"
        )
    wanted = pd.MultiIndex.from_frame(work[[*keys, "parent_pernum"]])
    row = np.where(work.child, index.get_indexer(wanted), -1)
    row = np.where((row >= 0) & ~work.child.to_numpy()[row], row, -1)
    dropped = work.child & (row < 0)
    kept = np.flatnonzero(~dropped)
    new = np.full(len(work) + 1, -1)  # the last entry answers for -1
    new[kept] = np.arange(len(kept))
    return work.iloc[kept].reset_index(drop=True), new[row[kept]], dropped


def children_row(dropped: pd.Series, work: pd.DataFrame) -> pd.DataFrame:
    """Row of the log that counts the children left out."""
    rule = f"left out: no parent of the first or second generation; {work.child.sum()} have one"
    return pd.DataFrame(
        [{"step": "children", "group": "children", "persons": int(dropped.sum()), "rule": rule}]
    )


def ten_years(age: pd.Series) -> Array:
    """Rows of Table 10 (person)."""
    return np.array(TEN_YEARS)[np.searchsorted([15, 25, 35, 45, 55, 65], age, side="right")]
