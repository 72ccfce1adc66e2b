"""Printed coefficients with stars as a Dataset: the essay's Table 2, or a user's table.

A coefficient is known as printed, to half a unit of its last digit; its standard error is not
printed, but its stars say between which numbers the ratio of the two lies.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import readers
from bayesmig.errors import DataError, check_option, unknown
from bayesmig.models.transnationalism.stars import Reading, check, reading
from bayesmig.printed import read as read_printed

if TYPE_CHECKING:
    from collections.abc import Hashable

FOLDER = Path(__file__).parent
FAMILIES = {  # of the essay's outcomes, notes 2 to 4 of Table 2
    "economic": "logit",
    "political": "negative_binomial",
    "sociocultural": "ordered_logit",
}
COLUMNS = ("outcome", "family", "predictor", "estimate", "stars")
NUMBER = re.compile(r"[-−]?(\d+\.?\d*|\.\d+)")


def example(unexplained: Reading = "ten_percent") -> xr.Dataset:
    """Return the 26 coefficients of Table 2 (real: the essay's own).

    Parameters
    ----------
    unexplained : {"ten_percent", "nothing"}
        What "#" says, which no legend explains: p between .05 and .10, or nothing.

    Returns
    -------
    Dataset
        As `from_frame`.

    Raises
    ------
    DataError
    """
    check_option("unexplained", unexplained, get_args(Reading))
    table = read_printed(FOLDER / "published" / "coefficients.csv")
    words = [
        f"{x:.{d}f}" for x, d in zip(table.estimate, table.decimals, strict=True)
    ]  # as printed: a trailing zero says how well a number is known
    table = table.assign(estimate=words, family=table.outcome.map(FAMILIES))
    return _dataset(
        table, "Table 2", "Portes, Table 2: 26 coefficients, as printed", unexplained, differences()
    ).assign_attrs(essay=1)


def read(path: str | Path, *, unexplained: Reading = "ten_percent") -> xr.Dataset:
    """Read printed coefficients from a .csv file.

    Parameters
    ----------
    path : str or Path
        Columns outcome, family ("logit", "negative_binomial" or "ordered_logit"), predictor,
        estimate (as printed: its last digit says how well it is known) and stars; if there is
        a column difference, a difference of the predictor that is neither small nor large
        (1 by default: yes against no).
    unexplained : {"ten_percent", "nothing"}
        What "#" says.

    Raises
    ------
    DataError
        Naming file, row and column.
    """
    check_option("unexplained", unexplained, get_args(Reading))
    path = readers.exists(path, (".csv",))
    rows = readers.read_table(path, (".csv",)).rows
    return _dataset(rows, str(path), f"printed coefficients of {path.name}", unexplained, {})


def from_frame(table: pd.DataFrame) -> xr.Dataset:
    """Return printed coefficients in a DataFrame as the Dataset that the graph takes.

    Parameters
    ----------
    table : DataFrame
        Columns as of the file that `read` takes; estimates as text, as printed.

    Returns
    -------
    Dataset
        Dim ``term``, labels "outcome: predictor", with the coordinates ``outcome``,
        ``family`` and ``predictor``.  ``estimate`` and ``half_unit`` (half a unit of its last
        digit), log odds or log count a unit of the predictor; ``least_ratio`` and
        ``greatest_ratio`` of |estimate| to standard error; ``difference``, units.

    Raises
    ------
    DataError
        Naming row and column.
    """
    return _dataset(table, "table", "printed coefficients of a table", "ten_percent", {})


def differences() -> dict[str, float]:
    """Return a typical difference of each of Table 2's predictors, its units: ours, not printed."""
    table = read_printed(FOLDER / "predictors.csv")
    return dict(zip(table.predictor, table.difference.astype(float), strict=True))


def _dataset(
    table: pd.DataFrame, where: str, title: str, unexplained: Reading, known: dict[str, float]
) -> xr.Dataset:
    for name in COLUMNS:
        if name not in table:
            raise DataError(f"{where}: {unknown('column', name, list(table))} (it is missing)")
    if table.empty:
        raise DataError(f"{where}: no rows")
    stars = [_text(sign) for sign in table.stars]
    check(zip(table.index, stars, strict=True), where)
    rows = list(zip(table.index, table.outcome, table.predictor, strict=True))
    labels = [_label(where, row, outcome, predictor) for row, outcome, predictor in rows]
    for i, label in enumerate(labels):
        if label in labels[:i]:
            raise DataError(
                f"{where}: row {rows[i][0]}, column predictor: {label!r} is there twice"
            )
    numbers = [_number(where, i, text) for i, text in zip(table.index, table.estimate, strict=True)]
    ratio = np.array([reading(sign, unexplained) for sign in stars])
    coords = {
        "term": labels,
        "outcome": ("term", [str(x) for x in table.outcome]),
        "family": ("term", _families(table, where)),
        "predictor": ("term", [str(x) for x in table.predictor]),
    }
    return xr.Dataset(
        {
            "estimate": ("term", [value for value, _ in numbers]),
            "half_unit": ("term", [half for _, half in numbers]),
            "least_ratio": ("term", ratio[:, 0]),
            "greatest_ratio": ("term", ratio[:, 1]),
            "difference": ("term", _differences(table, where, known)),
        },
        coords,
        {"title": title, "synthetic": 0, "left_out": ""},
    )


def _text(value: object) -> str:
    return "" if pd.isna(value) else str(value).strip()


def _label(where: str, row: Hashable, outcome: object, predictor: object) -> str:
    for column, value in (("outcome", outcome), ("predictor", predictor)):
        if not _text(value):
            raise DataError(f"{where}: row {row}, column {column}: empty")
    return f"{outcome}: {predictor}"


def _number(where: str, row: Hashable, text: object) -> tuple[float, float]:
    """An estimate as printed, and half a unit of its last digit."""
    place = f"{where}: row {row}, column estimate"
    words = f"{text:.12g}" if isinstance(text, float | int) else _text(text)
    if not NUMBER.fullmatch(words):
        raise DataError(f"{place}: {words!r} is not a number as printed")
    value = float(words.replace("−", "-"))
    if value == 0:
        raise DataError(
            f"{place}: {words!r} is printed as zero, and stars bound the standard error only "
            "beside an estimate; leave it out, or give more digits"
        )
    return value, 0.5 * 10.0 ** -len(words.partition(".")[2])


def _families(table: pd.DataFrame, where: str) -> list[str]:
    valid = tuple(FAMILIES.values())
    first: dict[str, str] = {}
    for row, outcome, family in zip(table.index, table.outcome, table.family, strict=True):
        place = f"{where}: row {row}, column family"
        if family not in valid:
            raise DataError(f"{place}: {unknown('family', str(family), valid)}")
        if first.setdefault(str(outcome), family) != family:
            raise DataError(
                f"{place}: {outcome} is {first[str(outcome)]} further up, here {family}"
            )
    return [str(family) for family in table.family]


def _differences(table: pd.DataFrame, where: str, known: dict[str, float]) -> list[float]:
    if "difference" not in table:
        return [known.get(str(name), 1.0) for name in table.predictor]
    values = pd.to_numeric(table.difference, errors="coerce")
    wrong = ~(values > 0) | ~np.isfinite(values)
    if wrong.any():
        row = table.index[wrong][0]
        raise DataError(
            f"{where}: row {row}, column difference: must be a positive number, got "
            f"{table.difference[wrong].iloc[0]!r}"
        )
    return [float(x) for x in values]
