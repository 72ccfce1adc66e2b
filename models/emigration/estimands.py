"""From the graph's shares to the percentages that the report prints."""

from __future__ import annotations

import xarray as xr

UNITS = "percent a year"


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the seven columns of Tables 4-15, percent a year, for each draw and cell.

    Parameters
    ----------
    draws : Dataset
        ``share`` (..., cell, fate) and ``return_immigration`` (..., cell), proportions.
    data : Dataset
        The cells.

    Returns
    -------
    Dataset
        non_match, internal_migration, mortality, non_follow_up, emigration,
        return_immigration and net_emigration, dims (..., cell).  ``non_follow_up`` is
        the share lost for reasons other than moving, dying and emigrating.
    """
    percent = 100 * draws["share"]

    def fate(name: str) -> xr.DataArray:
        return percent.sel(fate=name, drop=True)

    emigration = fate("emigrated")
    returned = 100 * draws["return_immigration"]
    found = xr.Dataset(
        {
            "emigration": emigration,
            "return_immigration": returned,
            "net_emigration": emigration - returned,
            "non_match": 100 - fate("followed"),
            "internal_migration": fate("moved"),
            "mortality": fate("died"),
            "non_follow_up": fate("lost"),
        }
    )
    return found.assign({name: found[name].assign_attrs(units=UNITS) for name in found})
