"""Surveys of known truth: simulated migrants are followed, and those at home interviewed."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.models.snapshot.data import to_dataset
from bayesmig.models.snapshot.migrants import follow
from bayesmig.models.snapshot.paper import FIRST_SURVEY, FIRST_YEAR, LAST_YEAR
from bayesmig.models.snapshot.truth import as_truth, completed
from bayesmig.truth import attach


def simulate(
    truth: xr.Dataset | Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    surveys: Mapping[int, int] | int = 116,
    first_year: int = FIRST_YEAR,
    last_year: int = LAST_YEAR,
) -> xr.Dataset:
    """Follow simulated migrants through the years and survey those at home.

    Parameters
    ----------
    truth : Dataset or mapping of str to array, optional
        As `truth.as_truth` has it; the paper's estimates by default.
    seed : int
    surveys : mapping of int to int, or int
        Respondents by survey year; one number for every year from 1987 on.
    first_year, last_year : int
        The model's window; the truth's vectors have one element for each of its years.

    Returns
    -------
    Dataset
        As `data.example`, with its truth: what migrants' lives were drawn from, and what
        follows from it (`truth.completed`).

    Raises
    ------
    DataError
    """
    known = as_truth(truth, first_year, last_year)
    sizes = _survey_sizes(surveys, first_year, last_year)
    answers = follow(known, sizes, np.random.default_rng(seed))
    data = to_dataset(
        {
            "survey_year": answers["survey"] + first_year - 1,
            "departure_year": answers["departure"] + first_year - 1,
            "sojourn_years": answers["sojourn"],
            "repeat": answers["trips"] > 1,
            "trips": answers["trips"],
        },
        first_year,
        last_year,
        title=f"SYNTHETIC snapshot surveys, seed {seed}",
    )
    return attach(data, completed(known))


def _survey_sizes(
    surveys: Mapping[int, int] | int, first_year: int, last_year: int
) -> dict[int, int]:
    """Respondents by year of the model, counted from 1."""
    if not isinstance(surveys, Mapping):
        surveys = dict.fromkeys(range(max(FIRST_SURVEY, first_year + 1), last_year + 1), surveys)
    if not surveys:
        raise DataError("no survey: give respondents by survey year")
    for year, size in surveys.items():
        if not isinstance(year, Integral):
            raise DataError(f"a survey year must be a whole number, got {year!r}")
        if not first_year <= year <= last_year:
            raise DataError(f"a survey in {year}: the window is {first_year}-{last_year}")
        if not isinstance(size, Integral) or size < 1:
            raise DataError(f"the survey of {year} has {size!r} respondents; give 1 or more")
    return {int(year) - first_year + 1: int(size) for year, size in surveys.items()}
