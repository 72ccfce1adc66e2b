"""The slopes, and odds ratios of moving."""

import numpy as np
import xarray as xr


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return ``slope`` (outcome) and ``odds_ratio``."""
    slope = draws["slope"]
    ratio = np.exp(slope.sel(outcome="moved", drop=True))
    return xr.Dataset(
        {
            "odds_ratio": ratio.assign_attrs(units="ratio"),
            "slope": slope.assign_attrs(units="per unit of distance"),
        }
    )
