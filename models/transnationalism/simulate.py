"""Estimates of known coefficients, printed with stars: SYNTHETIC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.stats import norm

from bayesmig.models.transnationalism.data import example, from_frame
from bayesmig.truth import attach

BASE_PROBABILITY = 0.09  # near what most of the printed net probabilities imply
LIMITS = ((0.001, "***"), (0.01, "**"), (0.05, "*"))
DECIMALS = 3  # of Table 2


def simulate(truth: Any = None, *, seed: int = 0) -> xr.Dataset:
    """Draw estimates around known coefficients, and print them: rounded, with stars.

    Parameters
    ----------
    truth : Dataset, optional
        ``coefficient`` and ``standard_error`` (term), ``base_probability``.  By
        default Table 2's own coefficients, and standard errors in the middle of what their
        stars allow.
    seed : int

    Returns
    -------
    Dataset
        As `data.from_frame`, with the truth.
    """
    like = example()
    if truth is None:
        truth = printed_truth()
    rng = np.random.default_rng(seed)
    b, se = (truth[n].sel(term=like.term).values for n in TRUTH)
    return reported(like, rng.normal(b, se), truth)


def reported(like: xr.Dataset, estimate: NDArray[np.float64], truth: xr.Dataset) -> xr.Dataset:
    """Print estimates whose standard errors the truth has: rounded, with stars.

    Parameters
    ----------
    like : Dataset
        Table 2: whose terms they are.
    estimate : ndarray (term)
    truth : Dataset
        As of `simulate`.
    """
    se = truth["standard_error"].values
    table = pd.DataFrame(
        {
            "outcome": like.outcome.values,
            "family": like.family.values,
            "predictor": like.predictor.values,
            "estimate": [shown(x) for x in estimate],
            "stars": [stars(x / s) for x, s in zip(estimate, se, strict=True)],
            "difference": like.difference.values,
        }
    )
    data = from_frame(table).assign_attrs(
        title="SYNTHETIC: estimates drawn around known coefficients, printed as Table 2", essay=1
    )
    return attach(data, truth)


TRUTH = ("coefficient", "standard_error")


def printed_truth() -> xr.Dataset:
    """Return Table 2's coefficients as a truth, with errors in the middle of their stars."""
    like = example()
    least = np.maximum(like.least_ratio, 0.1)
    ratio = np.sqrt(least * np.minimum(like.greatest_ratio, 10.0))
    return xr.Dataset(
        {
            "coefficient": like.estimate,
            "standard_error": abs(like.estimate) / ratio,
            "base_probability": BASE_PROBABILITY,
        }
    ).reset_coords(drop=True)


def shown(value: float) -> str:
    """Print a number as Table 2 does, with as many more digits as keep it from being zero."""
    digits = next(d for d in range(DECIMALS, 16) if float(f"{value:.{d}f}") != 0)
    return f"{value:.{digits}f}"


def stars(ratio: float) -> str:
    """Return the stars of a ratio of estimate to standard error."""
    p = 2 * norm.sf(abs(ratio))
    return next((sign for limit, sign in LIMITS if p < limit), "")
