"""The printed numbers of Table 1, and which of them belong to a fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bayesmig.printed import COLUMNS, MEASURES, matching, read, with_intervals

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

PROBABILITY = 0.95  # of the printed intervals, p. 1


def rates() -> pd.DataFrame:
    """Return Table 1 as printed: group, people, returned, percent, ci_low, ci_high, page."""
    return read(Path(__file__).with_name("published") / "rates.csv")


def published() -> pd.DataFrame:
    """Return every printed number, percent, with the standard error that its interval implies."""
    table = rates()
    found = table[["ci_low", "ci_high"]].assign(
        quantity="return_rate",
        coordinates=table.group,
        estimate=table.percent,
        source="Table 1, p. " + table.page.astype(str),
        note="",
    )
    return with_intervals(found, PROBABILITY)[list(COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the printed rates of the groups that a fit has.

    Parameters
    ----------
    data : Dataset
        Groups with ``people`` and ``returned``.
    estimands : Dataset
        ``return_rate`` (group).
    """
    table = published().rename(columns={"coordinates": "group"})
    return matching(table[["quantity", "group", *MEASURES]], estimands)
