"""What a table of respondents must be, and the Dataset that is made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError

ANSWERS = ("economic", "political", "sociocultural")
SQUARE = "age"
TABLE2 = {  # predictors of each column of Table 2
    "economic": (
        "age",
        "male",
        "married",
        "children",
        "education",
        "professional",
        "us_years",
        "discrimination",
        "downward_mobility",
    ),
    "political": (
        "age",
        "age_squared",
        "male",
        "married",
        "high_school",
        "college",
        "us_years",
        "us_citizen",
        "downward_mobility",
    ),
    "sociocultural": (
        "age",
        "male",
        "children",
        "education",
        "professional",
        "us_years",
        "us_citizen",
        "discrimination",
    ),
}
YES_OR_NO = (
    "male",
    "married",
    "high_school",
    "college",
    "professional",
    "us_citizen",
    "discrimination",
)
RANGES = {  # least and most of what has a natural range
    "age": (0, 120),
    "age_squared": (0, 14400),
    "children": (0, 30),
    "education": (0, 40),
    "us_years": (0, 120),
    "downward_mobility": (0.2, 5),  # a ratio of two places on a scale of 5 points
}


def schema(predictors: Sequence[str]) -> Any:
    """Return the pandera schema of a table with these predictors."""
    import pandera.pandas as pa

    def whole(values: pd.Series) -> pd.Series:
        return (values >= 0) & (values == np.floor(values))

    def column(*checks: Any) -> Any:
        finite = pa.Check(np.isfinite, error="is not finite")
        return pa.Column(float, [finite, *checks], nullable=True, coerce=True)

    yes_or_no = pa.Check.isin([0, 1], error="is not 0 or 1")
    columns = {
        "economic": column(yes_or_no),
        "political": column(pa.Check(whole, error="is not a count: 0, 1, 2 ...")),
        "sociocultural": column(pa.Check(whole, error="is not a level: 0, 1, 2 ...")),
    }
    for name in predictors:
        if name in YES_OR_NO:
            columns[name] = column(yes_or_no)
        elif name in RANGES:
            low, high = RANGES[name]
            columns[name] = column(
                pa.Check.in_range(low, high, error=f"is not between {low} and {high}")
            )
        else:
            columns[name] = column()
    return pa.DataFrameSchema(columns)


def dataset(
    table: pd.DataFrame,
    included: Mapping[str, Sequence[str]],
    where: str,
    title: str,
    missing: str = "refuse",
) -> xr.Dataset:
    """Return respondents as a Dataset.

    Parameters
    ----------
    table : DataFrame
        Numbers; NaN where an answer or a predictor is missing.
    included : mapping of str to sequence of str
        Predictors of each outcome.
    where, title : str
    missing : {"refuse", "leave_out"}

    Raises
    ------
    DataError
        If a respondent with an answer lacks a predictor of it, an answer has one value only,
        a level of the index is nobody's, or a predictor is the same for all.
    """
    predictors = list(dict.fromkeys(name for names in included.values() for name in names))
    answers = table[list(ANSWERS)].astype(float).copy()
    left_out = []
    for outcome in ANSWERS:
        absent = int(answers[outcome].isna().sum())
        if absent:
            left_out.append(f"{outcome}: {absent} of {len(table)} did not answer")
        lacking = table[list(included[outcome])].isna().any(axis=1) & answers[outcome].notna()
        if lacking.any() and missing == "refuse":
            row = table.index[lacking][0]
            names = [n for n in included[outcome] if pd.isna(table.loc[row, n])]
            raise DataError(
                f"{where}: row {row}, column {names[0]}: empty, and it is a predictor of "
                f"{outcome}, which is there ({int(lacking.sum())} such rows); "
                "missing='leave_out' leaves them out of that outcome"
            )
        if lacking.any():
            answers.loc[lacking, outcome] = np.nan
            left_out.append(f"{outcome}: {int(lacking.sum())} lack a predictor")
        _check_answers(answers[outcome].dropna(), outcome, where)
        _check_predictors(table[answers[outcome].notna()], included[outcome], outcome, where)
    used = np.array([[name in included[o] for name in predictors] for o in ANSWERS])
    return xr.Dataset(
        {
            "answer": (("respondent", "outcome"), answers.to_numpy()),
            "covariate": (("respondent", "predictor"), table[predictors].to_numpy(dtype=float)),
            "included": (("outcome", "predictor"), used.astype(np.int64)),
        },
        {"outcome": list(ANSWERS), "predictor": predictors},
        {"title": title, "synthetic": 0, "left_out": "; ".join(left_out)},
    )


def _check_answers(answers: pd.Series, outcome: str, where: str) -> None:
    place = f"{where}: column {outcome}"
    if answers.nunique() < 2:
        said = (
            f"everybody's is {answers.iloc[0]:g}, from row {answers.index[0]} on"
            if len(answers)
            else "nobody answered"
        )
        raise DataError(f"{place}: {said}: a regression needs two values at least")
    if outcome == "sociocultural":
        levels = set(answers.astype(int))
        empty = [k for k in range(max(levels) + 1) if k not in levels]
        if empty:
            top = answers.index[answers == max(levels)][0]
            raise DataError(
                f"{place}: nobody has level {', '.join(map(str, empty))}, and row {top} has level "
                f"{max(levels)}: fold levels, or number them without gaps"
            )


def _check_predictors(table: pd.DataFrame, names: Sequence[str], outcome: str, where: str) -> None:
    for name in names:
        if table[name].nunique() < 2:
            raise DataError(
                f"{where}: column {name}: {table[name].iloc[0]:g} from row {table.index[0]} on for "
                f"all who answered {outcome}: it cannot predict"
            )
