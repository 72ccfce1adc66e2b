"""By what respondents are grouped to see where the three regressions miss them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.misfits import parts
from bayesmig.models.transnationalism.respondents.design import predictors_of
from bayesmig.saving import data_of


def groupings(fitted: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return the predictors of those who answered; numbers by quarters of the respondents."""
    data = data_of(fitted, "the respondents")
    found = {}
    for outcome, names in predictors_of(data).items():
        there = np.isfinite(data["answer"].sel(outcome=outcome).values)
        columns = {name: data["covariate"].sel(predictor=name).to_series() for name in names}
        found[outcome] = pd.DataFrame({n: parts(c)[there] for n, c in columns.items()})
    return found
