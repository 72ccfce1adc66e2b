"""SYNTHETIC respondents whose answers follow Table 2.

The essay prints no intercept, no dispersion, no cutpoint and nothing of who was asked: the
people and the bases below are invented, and only the coefficients are the essay's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.models.transnationalism.printed import table
from bayesmig.models.transnationalism.respondents.design import (
    OUTCOMES,
    predictors_of,
    standardised,
    terms,
)
from bayesmig.models.transnationalism.respondents.schema import TABLE2, dataset
from bayesmig.truth import attach

RESPONDENTS = 1202  # of the surveys' own papers, which notes 2 to 4 of Table 2 name
FEWEST = 100
BASE_PROBABILITY, BASE_COUNT, DISPERSION = 0.09, 0.8, 0.7
CATEGORIES = (0.24, 0.22, 0.18, 0.14, 0.10, 0.07, 0.05)


def simulate(
    truth: Any = None, *, seed: int = 0, n: int = RESPONDENTS, missing: float = 0.0
) -> xr.Dataset:
    """Draw respondents and their answers.

    Parameters
    ----------
    truth : Dataset, optional
        ``coefficient`` (term), ``base_probability``, ``base_count``, ``dispersion``,
        ``category_probability`` (level).  By default Table 2's coefficients, with invented
        bases.
    seed : int
    n : int
        Respondents.
    missing : float
        Share of answers that are missing, at random.

    Returns
    -------
    Dataset
        As `data.from_frame`, with the truth.

    Raises
    ------
    DataError
        For fewer than 100 respondents, or if a level of the index is nobody's.
    """
    if n < FEWEST:
        raise DataError(f"n={n}: give {FEWEST} respondents or more")
    if not 0 <= missing < 1:
        raise DataError(f"missing={missing}: a share from 0 to below 1")
    rng = np.random.default_rng(seed)
    truth = printed_truth() if truth is None else truth
    frame = people(rng, n)
    blank = frame.assign(**{o: np.arange(n) % 2 for o in OUTCOMES})
    data = dataset(blank, TABLE2, "synthetic", "SYNTHETIC respondents, Table 2 the truth")
    answers = answer(rng, data, truth)
    answers = answers.mask(rng.random(answers.shape) < missing)
    found = dataset(
        frame.assign(**answers), TABLE2, "synthetic", "SYNTHETIC respondents, Table 2 the truth"
    )
    return attach(found, truth)


def printed_truth() -> xr.Dataset:
    """Return Table 2's coefficients as a truth, beside invented bases."""
    rows = table("coefficients")
    by = dict(zip(rows.outcome + ": " + rows.predictor, rows.estimate, strict=True))
    labels = terms(TABLE2)
    return xr.Dataset(
        {
            "coefficient": ("term", [by[label] for label in labels]),
            "base_probability": BASE_PROBABILITY,
            "base_count": BASE_COUNT,
            "dispersion": DISPERSION,
            "category_probability": ("level", list(CATEGORIES)),
        },
        {"term": labels, "level": np.arange(len(CATEGORIES))},
    )


def people(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Draw who is asked: invented."""
    age = np.clip(rng.normal(38, 11, n), 18, 80).round()
    education = np.clip(rng.normal(11, 4, n), 0, 20).round()
    us_years = np.clip(rng.gamma(3.0, 4.5, n), 0, age - 1).round()
    children = rng.poisson(np.clip((age - 18) / 14, 0.1, 2.2))
    occupations = rng.integers(1, 6, (2, n))
    return pd.DataFrame(
        {
            "age": age,
            "age_squared": age**2,
            "male": rng.binomial(1, 0.5, n),
            "married": rng.binomial(1, 1 / (1 + np.exp(-(age - 32) / 8))),
            "children": children,
            "education": education,
            "high_school": (education >= 12).astype(int),
            "college": (education >= 16).astype(int),
            "professional": rng.binomial(1, 1 / (1 + np.exp(-(education - 15) / 2))),
            "us_years": us_years,
            "us_citizen": rng.binomial(1, 1 / (1 + np.exp(-(us_years - 15) / 5))),
            "discrimination": rng.binomial(1, 0.4, n),
            "downward_mobility": occupations[0] / occupations[1],
        }
    )


def answer(rng: np.random.Generator, data: xr.Dataset, truth: xr.Dataset) -> pd.DataFrame:
    """Draw the answers, respondent by respondent: by trials and latent scales, not densities."""
    mean, _ = standardised(data)
    centred = data["covariate"] - mean
    included = predictors_of(data)
    linear = {}
    for outcome in OUTCOMES:
        labels = [f"{outcome}: {name}" for name in included[outcome]]
        b = truth["coefficient"].sel(term=labels).values
        linear[outcome] = centred.sel(predictor=included[outcome]).values @ b
    n = data.sizes["respondent"]
    p = float(truth["base_probability"])
    utility = np.log(p / (1 - p)) + linear["economic"] + rng.logistic(size=n)
    alpha = float(truth["dispersion"])
    rate = float(truth["base_count"]) * np.exp(linear["political"]) * rng.gamma(alpha, 1 / alpha, n)
    below = np.cumsum(truth["category_probability"].values)[:-1]
    latent = linear["sociocultural"] + rng.logistic(size=n)
    return pd.DataFrame(
        {
            "economic": (utility > 0).astype(float),
            "political": rng.poisson(rate).astype(float),
            "sociocultural": np.searchsorted(np.log(below / (1 - below)), latent).astype(float),
        }
    )
