"""From the graph's shares to the percentages that the report prints."""

from __future__ import annotations

import xarray as xr

from bayesmig.models.emigration import estimands as of_cells
from bayesmig.models.emigration.microdata.counts.design import people_of


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the seven columns of Tables 4-14, percent, for each draw and printed row.

    Parameters
    ----------
    draws : Dataset
        ``cell_share`` (..., cell, fate) and ``cell_return`` (..., cell), proportions.
    data : Dataset
        The collapsed panel.

    Returns
    -------
    Dataset
        non_match, internal_migration, mortality, non_follow_up, emigration,
        return_immigration and net_emigration, dims (..., cell); the coordinate ``people``
        (cell) says of how many.
    """
    renamed = draws.rename(cell_share="share", cell_return="return_immigration")
    found = of_cells.estimands(renamed[["share", "return_immigration"]], data)
    return found.assign_coords(people=people_of(data).reindex(cell=found["cell"].values))
