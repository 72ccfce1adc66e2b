"""What several test files on the snapshot model need."""

import numpy as np
import pytest
import xarray as xr
from oracle import snapshot as oracle

import bayesmig as bm


@pytest.fixture(scope="session")
def study():
    return bm.load_study("snapshot")


@pytest.fixture
def few():
    """Six respondents of two surveys."""
    rows = {
        "survey_year": [1987, 1987, 1987, 2016, 2016, 2016],
        "departure_year": [1980, 1981, 1987, 1980, 1999, 2010],
        "sojourn_years": [8, 1, 1, 37, 2, 3],
        "repeat": [False, True, False, False, True, True],
        "trips": [1, 2, 1, 1, 3, 12],
    }
    return xr.Dataset(
        {name: ("respondent", np.array(values)) for name, values in rows.items()},
        coords={"respondent": [f"p{i}" for i in range(6)]},
        attrs={
            "title": "six respondents",
            "synthetic": 1,
            "left_out": "",
            "first_year": 1980,
            "last_year": 2016,
        },
    )


@pytest.fixture(scope="session")
def shipped():
    """The truth that ships with the study, by the graph's names."""
    truth = oracle.shipped_truth()
    return {key: np.array(truth[short]) for key, short in oracle.NAMES.items()}
