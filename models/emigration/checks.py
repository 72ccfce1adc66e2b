"""By what the report's cells are grouped to see where the model misses them."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayesmig.models.emigration.data import factor_names
from bayesmig.saving import data_of


def groupings(fitted: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return the factors' levels of the cells, and the cells themselves."""
    data = data_of(fitted, "the cells")
    labels = {name: data[name].values.astype(str) for name in factor_names(data)}
    return {"components": pd.DataFrame({**labels, "cell": data["cell"].values.astype(str)})}
