"""Respondents as a Dataset: a DataFrame, or the survey's own file through a schema.

The essay describes its variables and names no column of the survey's file, which a university
archive distributes after registration.  So the columns here are this project's, and
``columns`` says what they are called in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import readers
from bayesmig.errors import DataError, check_option, unknown
from bayesmig.models.transnationalism import data as printed
from bayesmig.models.transnationalism.respondents import simulate as twin
from bayesmig.models.transnationalism.respondents.schema import (
    ANSWERS,
    SQUARE,
    TABLE2,
    dataset,
    schema,
)

Missing = Literal["refuse", "leave_out"]
KINDS = (".csv", ".dta", ".sav")


def example(n: int = twin.RESPONDENTS, seed: int = 1) -> xr.Dataset:
    """Return the SYNTHETIC twin: respondents whose truth is Table 2.

    Parameters
    ----------
    n : int
        Respondents: 1,202 in the surveys' own papers that Table 2 names (the essay prints no
        number).
    seed : int

    Returns
    -------
    Dataset
        As `from_frame`, with the truth.
    """
    return twin.simulate(seed=seed, n=n)


def read(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    economic: Sequence[str] | None = None,
    political: Sequence[str] | None = None,
    sociocultural: Sequence[str] | None = None,
    missing: Missing = "refuse",
) -> xr.Dataset:
    """Read respondents from a .csv, .dta or .sav file.

    Parameters
    ----------
    path : str or Path
    columns : mapping of str to str, optional
        Names of this project's columns (see `from_frame`) in the file, where they differ.
    economic, political, sociocultural : sequence of str, optional
        Predictors of an outcome; those of its column of Table 2 by default.
    missing : {"refuse", "leave_out"}
        A respondent who answered but lacks a predictor of that outcome is an error, or is
        left out of that outcome and counted.

    Raises
    ------
    DataError
        Naming file, row and column.
    """
    path = readers.exists(path, KINDS)
    rows = readers.read_table(path, KINDS).rows
    for ours, theirs in (columns or {}).items():
        if theirs not in rows:
            raise DataError(f"{path}: {unknown('column', theirs, list(rows))} (for {ours})")
    rows = rows.rename(columns={theirs: ours for ours, theirs in (columns or {}).items()})
    chosen = {"economic": economic, "political": political, "sociocultural": sociocultural}
    return _from(rows, str(path), f"respondents of {path.name}", chosen, missing)


def from_frame(
    table: pd.DataFrame,
    *,
    economic: Sequence[str] | None = None,
    political: Sequence[str] | None = None,
    sociocultural: Sequence[str] | None = None,
    missing: Missing = "refuse",
) -> xr.Dataset:
    """Return respondents in a DataFrame as the Dataset that the graph takes.

    Parameters
    ----------
    table : DataFrame
        One row a respondent.  Answers, which may be missing: ``economic`` (1 for a
        transnational entrepreneur, 0 for another), ``political`` (number of regular
        political activities), ``sociocultural`` (index of activities, 0, 1, 2 ...).
        Predictors: those of Table 2 (``age`` ... ``downward_mobility``) or any other
        numbers; ``age_squared`` is made of ``age`` where it is not there.
    economic, political, sociocultural, missing
        As of `read`.

    Returns
    -------
    Dataset
        ``answer`` (respondent, outcome), missing ones NaN; ``covariate`` (respondent,
        predictor); ``included`` (outcome, predictor), 1 where the outcome has the predictor.
        ``attrs["left_out"]`` counts missing answers.

    Raises
    ------
    DataError
        Naming row and column.
    """
    chosen = {"economic": economic, "political": political, "sociocultural": sociocultural}
    return _from(table, "table", "respondents of a table", chosen, missing)


def _from(
    table: pd.DataFrame, where: str, title: str, chosen: Mapping[str, Any], missing: Missing
) -> xr.Dataset:
    check_option("missing", missing, get_args(Missing))
    included = {
        outcome: list(TABLE2[outcome] if names is None else names)
        for outcome, names in chosen.items()
    }
    if table.empty:
        raise DataError(f"{where}: no rows")
    used = list(dict.fromkeys(name for names in included.values() for name in names))
    if "age_squared" in used and "age_squared" not in table and SQUARE in table:
        age = pd.to_numeric(table[SQUARE], errors="coerce")
        table = table.assign(age_squared=age**2)
    for outcome, names in included.items():
        if outcome not in table:
            raise DataError(f"{where}: {unknown('column', outcome, list(table))} (an outcome)")
        for name in names:
            if name not in table or name in ANSWERS:
                others = [column for column in table if column not in ANSWERS]
                raise DataError(
                    f"{where}: {unknown('column', name, others)} (a predictor of {outcome})"
                )
        if len(set(names)) < len(names):
            raise DataError(f"{where}: a predictor of {outcome} is named twice: {names}")
    index = table.index
    if not index.is_unique:
        raise DataError(f"{where}: rows have the same label; table.reset_index() numbers them")
    numbers = readers.validated(schema(used), _blanks(table[[*ANSWERS, *used]]), where)
    return dataset(numbers, included, where, title, missing)


def _blanks(table: pd.DataFrame) -> pd.DataFrame:
    """Empty text is a missing value."""
    return table.replace(r"^\s*$", np.nan, regex=True)


assert set(TABLE2) == set(printed.FAMILIES)
