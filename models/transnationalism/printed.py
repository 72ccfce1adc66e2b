"""The printed numbers of Tables 1 and 2, and which of them belong to a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.models.transnationalism.data import FOLDER
from bayesmig.printed import COLUMNS, MEASURES, matching
from bayesmig.printed import read as read_printed

BESIDE = {  # a derived number of the table, and the estimands that it stands beside
    "percent_change": ("percent_change",),
    "net_probability": ("net_probability", "net_probability_step"),
}
PROFILE = ("number", "percent", "median_income", "masters_percent", "country_percent")


def published() -> pd.DataFrame:
    """Return every number of Tables 1 and 2, and of the prose.

    Returns
    -------
    DataFrame
        The columns of `bayesmig.printed.COLUMNS`.
    """
    coefficients = table("coefficients")
    derived = table("derived")
    parts = [
        coefficients.assign(
            quantity="coefficient",
            coordinates=coefficients.outcome + ": " + coefficients.predictor,
            note=coefficients.stars,
        ),
        derived.assign(coordinates=derived.outcome + ": " + derived.predictor),
        _profile(),
        _prose(),
    ]
    return pd.concat([measured(part) for part in parts], ignore_index=True)[list(COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the coefficients and derived effects of Table 2 that these data are about.

    Parameters
    ----------
    data : Dataset
        A user's own table has no number of the essay's beside it.
    estimands : Dataset
    """
    return matching(regressions(of_essay(data)), estimands)


def of_essay(data: xr.Dataset) -> bool:
    """Whether data are the essay's, or were simulated from its numbers."""
    return bool(data.attrs.get("essay", 0))


def regressions(there: bool = True) -> pd.DataFrame:
    """Return the numbers of Table 2, one row for each estimand that they stand beside."""
    rows = []
    for row in table("coefficients").to_dict("records"):
        label = f"{row['outcome']}: {row['predictor']}"
        note = f"{row['stars']}" if row["stars"] else "no star"
        rows.append({**row, "quantity": "coefficient", "term": label, "note": note})
    for row in table("derived").to_dict("records"):
        label = f"{row['outcome']}: {row['predictor']}"
        for quantity in BESIDE[row["quantity"]]:
            dim = "logit_term" if quantity.startswith("net") else "term"
            rows.append({**row, "quantity": quantity, dim: label, "note": ""})
    columns = ["quantity", "term", "logit_term", *MEASURES]
    found = measured(pd.DataFrame(rows if there else rows[:0])).reindex(columns=columns)
    return found.fillna({"term": "", "logit_term": ""})


def table(name: str) -> pd.DataFrame:
    """Return a file of ``published/``."""
    return read_printed(FOLDER / "published" / f"{name}.csv")


def measured(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill in the columns of measures that are not printed: no table has a standard error."""
    rows = rows.reindex(columns=[*rows, *(c for c in MEASURES if c not in rows)])
    numbers = {c: rows[c].astype(float) for c in ("se", "ci_low", "ci_high", "ci_prob")}
    return rows.assign(**numbers, note=rows["note"].fillna(""))


def _profile() -> pd.DataFrame:
    rows = table("table1")
    long = rows.melt(["industry", "country", "source"], PROFILE, "quantity", "estimate")
    country = np.where(long.quantity == "country_percent", ", " + long.country, "")
    return long.assign(quantity="h1b_" + long.quantity, coordinates=long.industry + country)


def _prose() -> pd.DataFrame:
    """Numbers of the text; of a number in words (one-fourth, doubles) the words are the note."""
    rows = table("prose")
    numbers = pd.to_numeric(rows.stated, errors="coerce")
    said = rows.stated.where(numbers.isna(), "") + rows.unit.radd(" ")
    return rows.assign(quantity=rows.name, coordinates="", estimate=numbers, note=said.str.strip())
