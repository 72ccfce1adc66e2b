"""Respondents as a Dataset: the synthetic twin, the project's file, and the schema of both."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.models.snapshot import mig
from bayesmig.models.snapshot.paper import FIRST_SURVEY, FIRST_YEAR, LAST_YEAR
from bayesmig.models.snapshot.truth import as_truth, completed
from bayesmig.truth import attach

ANSWERS = ("survey_year", "departure_year", "sojourn_years", "repeat", "trips")
EXAMPLE = Path(__file__).parent / "example.csv"
# Of 60 survey sets of the prior with 100 repeaters or more among 3,480, chains of 7 were far from
# the truth: all with fewer than 252 (7.2 percent)
LEAST_REPEATERS = 0.08


def example() -> xr.Dataset:
    """Return the synthetic twin of the paper's sample: 3,480 respondents at its estimates."""
    table = pd.read_csv(EXAMPLE)
    data = to_dataset(
        {name: table[name].to_numpy() for name in ANSWERS},
        FIRST_YEAR,
        LAST_YEAR,
        title="SYNTHETIC snapshot surveys at the paper's estimates",
    )
    return attach(data, completed(as_truth()))


def read(
    path: str | Path,
    *,
    first_year: int = FIRST_YEAR,
    last_year: int = LAST_YEAR,
    first_survey: int | None = FIRST_SURVEY,
    last_survey: int | None = None,
) -> xr.Dataset:
    """Read the Mexican Migration Project's MIG file; see `mig.read`, which this is.

    ``attrs["left_out"]`` says in words who was left out, for the report; `mig.flow` has
    them as a table.

    Raises
    ------
    DataError
    """
    return mig.read(
        path,
        first_year=first_year,
        last_year=last_year,
        first_survey=first_survey,
        last_survey=last_survey,
    )


def to_dataset(
    answers: Mapping[str, Any], first_year: int, last_year: int, **attrs: Any
) -> xr.Dataset:
    """Put respondents' answers into a Dataset and check it."""
    data = xr.Dataset(
        {name: ("respondent", np.asarray(answers[name])) for name in ANSWERS},
        coords={"respondent": np.arange(len(answers["survey_year"]))},
        attrs={
            "first_year": first_year,
            "last_year": last_year,
            "synthetic": 0,
            "left_out": "",
            **attrs,
        },
    )
    return validate(data)


def validate(data: xr.Dataset) -> xr.Dataset:
    """Check respondents against the schema.

    Raises
    ------
    DataError
        Naming the variable, how many respondents and which, and what is valid.
    """
    for name in ANSWERS:
        if name not in data or data[name].dims != ("respondent",):
            raise DataError(f"respondents need a variable {name!r} with the one dim respondent")
    for name in ("first_year", "last_year"):
        if not isinstance(data.attrs.get(name), Integral):
            raise DataError(f"attribute {name!r} must be a year, got {data.attrs.get(name)!r}")
    if data.sizes["respondent"] == 0:
        raise DataError("no respondents")
    if data["repeat"].dtype != bool:
        raise DataError(f"repeat must be true or false, got {data['repeat'].dtype}")
    for name in ANSWERS:
        if data[name].dtype.kind not in "iub":
            raise DataError(f"{name} must be whole numbers, got {data[name].dtype}")
    survey, departure, sojourn, repeat, trips = (data[name].values for name in ANSWERS)
    first, last = data.attrs["first_year"], data.attrs["last_year"]
    for wrong, words in (
        ((survey < first) | (survey > last), f"surveyed outside of {first}-{last}"),
        (departure < first, f"departed before {first}"),
        (sojourn < 1, "stayed less than one year: months are rounded up"),
        (departure + sojourn - 1 > survey, "came home after the survey"),
        (trips < 1, "made no trip"),
        (repeat != (trips > 1), "made one trip and are repeaters, or more and are not"),
        (repeat & (departure == first), f"departed on a repeat trip in {first}, the first year"),
    ):
        if wrong.any():
            rows = np.flatnonzero(wrong)
            shown = ", ".join(map(str, data.respondent.values[rows[:5]]))
            raise DataError(
                f"{len(rows)} respondents {words}: {shown}{', ...' if len(rows) > 5 else ''}"
            )
    if len(np.unique(survey)) < 2:
        raise DataError(f"one survey only ({survey[0]}): the model needs several")
    return data


def too_few_repeaters(data: xr.Dataset) -> bool:
    """Whether so few are on a repeat trip that solitary and circular migrants can change places."""
    return bool(data["repeat"].values.mean() < LEAST_REPEATERS)
