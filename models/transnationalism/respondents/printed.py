"""Table 2, beside regressions of respondents."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayesmig.models.transnationalism import printed
from bayesmig.printed import matching

published = printed.published


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the coefficients and derived effects of Table 2, for the predictors that are there.

    Parameters
    ----------
    data, estimands : Dataset
    """
    return matching(printed.regressions(), estimands)
