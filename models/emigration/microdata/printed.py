"""The report's printed numbers, and those that belong to a panel's rows."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayesmig.models.emigration.data import DERIVED, OBSERVED
from bayesmig.models.emigration.microdata.counts.attributes import years
from bayesmig.models.emigration.microdata.counts.cells import printed
from bayesmig.models.emigration.printed import published
from bayesmig.printed import MEASURES, matching, with_intervals

__all__ = ["published", "targets"]

YEARS = range(1996, 2005)  # of the report


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the printed numbers of the rows of Tables 4-14 that a panel has.

    Columns: quantity, cell, estimate, se, ci_low, ci_high, ci_prob, source, note.  The note
    says which rows another choice of years would change.
    """
    own = years(data)
    note = "" if own == list(YEARS) else f"printed: 1996-2004; these data: {_listed(own)}"
    table = printed().rename(columns={"component": "quantity"}).assign(note=note)
    # what is shown first is emigration, as in the study of the cells
    order = {name: i for i, name in enumerate((*DERIVED, *OBSERVED))}
    table = table.sort_values("quantity", key=lambda names: names.map(order), kind="stable")
    (prob,) = table.ci_prob.unique()
    table = with_intervals(table, prob)[["quantity", "cell", *MEASURES]]
    return matching(table, estimands).reset_index(drop=True)


def _listed(years: list[int]) -> str:
    return ", ".join(map(str, years))
