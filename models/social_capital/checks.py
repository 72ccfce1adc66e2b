"""By what people are grouped to see where the model misses them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.misfits import parts
from bayesmig.models.social_capital.design import names_of, of_fit, options_of
from bayesmig.models.social_capital.people import frame
from bayesmig.models.social_capital.probabilities import squares
from bayesmig.saving import data_of


def groupings(fitted: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return groups, strata and the formula's columns; numbers by quarters of the people."""
    table, option = of_fit(fitted), options_of(fitted)
    own = frame(data_of(fitted, "the people of the fit"))
    follow = squares(table, own)
    names = [*names_of(option["group"]), *(n for n in table.variables if n not in follow)]
    names += [option["strata"]] if option["strata"] is not None else []
    first = np.unique(table.row_of, return_index=True)[1]  # people of one row are alike
    labels = {name: parts(own[name])[first] for name in dict.fromkeys(names)}
    return {"outcomes": pd.DataFrame(labels)}
