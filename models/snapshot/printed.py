"""The paper's numbers: all that it prints as its own, and those that the graph estimates too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import printed
from bayesmig.models.snapshot.paper import PROB, Z

PUBLISHED = Path(__file__).parent / "published"
HEADLINE = (  # what Section 12 estimates and the graph does too
    "solitary_share",
    "mean_trips_2016",
    "circular_share_of_crossings",
    "retirement_prob",
    "retired_share",
    "circular_sojourn_within_2_years",
    "mean_solitary_sojourn",
    "mean_circular_sojourn",
    "total_crossings",
    "population_2016",
)
NUMBERS = ["estimate", "se", "ci_low", "ci_high", "ci_prob"]


def published() -> pd.DataFrame:
    """Return every number that the paper prints as its own.

    Columns: quantity, coordinates (a year, or empty), estimate, se, ci_low, ci_high,
    ci_prob, source, note.
    """
    table = printed.read(PUBLISHED / "quantities.csv")
    numbers = table[NUMBERS].replace("", np.nan).astype(float)
    table = table.assign(coordinates=table["year"].astype(str), **numbers)
    return table[list(printed.COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the paper's headline numbers; standard error and interval where it has one.

    Of standard error and 95 % interval the paper prints one; the other follows from it.
    Numbers of 2016 belong to estimands whose last year it is.
    """
    table = published().drop(columns="coordinates")
    table = table.set_index("quantity").loc[list(HEADLINE)].reset_index()
    only_se = table.se.notna() & table.ci_low.isna()
    table["note"] += np.where(only_se, "interval from the printed standard error", "")
    return printed.matching(printed.with_intervals(table, PROB, Z), estimands)


def hazards() -> pd.DataFrame:
    """Return the chances to leave the United States that two other papers published.

    Columns: origin, year_from, year_to (of a stay; empty for all after), and estimate,
    a proportion a year.
    """
    table = printed.read(PUBLISHED / "hazards.csv")
    years = table[["year_from", "year_to"]].replace("", np.nan).astype(float)
    return table[["origin"]].assign(**years, estimate=table["estimate"].astype(float) / 100)
