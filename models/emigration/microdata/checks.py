"""By what persons are grouped to see where the model misses them."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayesmig.models.emigration.microdata.counts.attributes import decoded
from bayesmig.models.emigration.microdata.counts.design import PREFIX, ROWS
from bayesmig.saving import data_of


def groupings(fitted: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return the covariates of the persons that each outcome is counted by."""
    data = data_of(fitted, "the persons")
    found = {}
    for outcome, (dim, _) in ROWS.items():
        names = [n for n in data if data[n].dims == (dim,) and "labels" in data[n].attrs]
        labels = {str(n).removeprefix(PREFIX[dim]): decoded(data, str(n)) for n in names}
        own = {n: v for n, v in labels.items() if not n.startswith("household_")}
        found[outcome] = pd.DataFrame(own)
    return found
