"""By what respondents are grouped to see where the model misses them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.models.snapshot import design
from bayesmig.saving import data_of

STAYS = [0, 1, 2, 5, 10, 20, np.inf]  # years
WORDS = ["1 year", "2 years", "3-5 years", "6-10 years", "11-20 years", "21 years and more"]


def groupings(fitted: xr.DataTree) -> dict[str, pd.DataFrame]:
    """Return for each possible answer its departure, stay and kind of trip.

    Not its survey, each of which asks a number of people that is given.
    """
    data = data_of(fitted, "the respondents")
    answers, first = design.cells(data, "possible"), data.attrs["first_year"]
    table = pd.DataFrame(
        {
            "departure": first + answers.departure,
            "stay": pd.cut(answers.sojourn + 1, STAYS, labels=WORDS).astype(str),
            "trip": np.where(answers.repeat == 1, "repeat", "single"),
        }
    )
    surveys = fitted["observed_data"].to_dataset()["survey"].values
    return {"respondents": table, "sampled_mean_trips": pd.DataFrame({"survey": surveys})}
