"""From the graph's probabilities to the percentages that the paper prints."""

from __future__ import annotations

import xarray as xr


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the rates of Table 1, percent.

    Parameters
    ----------
    draws : Dataset
        ``rate`` (..., group), probabilities.
    data : Dataset
        The groups.

    Returns
    -------
    Dataset
        ``return_rate``, percent, dims (..., group).
    """
    return xr.Dataset({"return_rate": (100 * draws["rate"]).assign_attrs(units="percent")})
