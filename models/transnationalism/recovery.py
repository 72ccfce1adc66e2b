"""Does each graph of the essay find what it should?  The calibration tables of the cards.

    python -m bayesmig.models.transnationalism.recovery [NAME ...]

simulates surveys of known truth, refits each, and stores in ``calibration/NAME.csv`` how
often the intervals held the truth, with command, seed, commit and versions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.calibration import LOG_DENSITY, recovery
from bayesmig.models.transnationalism import simulate as stars
from bayesmig.models.transnationalism.data import example
from bayesmig.models.transnationalism.stars import reading
from bayesmig.stored import Stored
from bayesmig.study import load_study

TABLES = Stored(Path(__file__).parent)
N, SEED, DRAWS = 300, 1, 400
ESTIMATES = ("coefficient", "standard_error", "base_probability")
BASES = ("coefficient", "base_probability", "base_count", "dispersion", "category_probability")
RATES = ("rate", "sample_size")
RUNS: dict[str, Mapping[str, Any]] = {
    # truth from the prior, data through the graph
    "print": {"study": "transnationalism", "quantity": ESTIMATES},
    "respondents": {
        "study": "transnationalism_respondents",
        "priors": "calibration",
        "quantity": BASES,
    },
    "second_generation": {
        "study": "transnationalism_second_generation",
        "which": {"table": 3},
        "quantity": RATES,
    },
    "second_generation_table4": {
        "study": "transnationalism_second_generation",
        "which": {"table": 4},
        "quantity": (*RATES, "share"),
    },
    # truth from the prior, data through another door: estimates printed with their stars
    "stars": {
        "study": "transnationalism",
        "quantity": ESTIMATES,
        "simulate": lambda seed: printing(seed),
    },
    # truth given: Table 2
    "twin": {
        "study": "transnationalism_respondents",
        "quantity": BASES,
        "simulate": lambda seed: load_study("transnationalism_respondents").simulate(seed=seed),
    },
}
SIGMA = 1.0  # of effects, and the span of standard errors, among which "stars" draws
ERRORS = (0.003, 30.0)
RATIOS = (0.2, 10.0)  # of the graph's options weakest and strongest


def run(name: str) -> pd.DataFrame:
    """Run one of `RUNS` and return its coverage, one row for each estimand."""
    how = dict(RUNS[name])
    study = load_study(how.pop("study"))
    data = study.example(**how.pop("which", {}))
    if "simulate" not in how:
        how["quantity"] = (*how["quantity"], LOG_DENSITY)
    return recovery(study.name, data, n=N, draws=DRAWS, seed=SEED, **how)


def printing(seed: int) -> xr.Dataset:
    """Draw coefficients and standard errors, estimate, print with stars; the graph's own prior.

    Only what the graph holds possible is kept: ratios of estimate to standard error between
    its bounds, and estimates for which all errors that their stars allow could have been
    drawn.  Then its posterior is that of these draws, exactly: the error is log-uniform.
    """
    like = example()
    rng = np.random.default_rng(seed)
    n = like.sizes["term"]
    b, se = np.empty(n), np.empty(n)
    for k, difference in enumerate(like.difference.values):
        while True:
            b[k] = rng.normal(0, SIGMA) / difference
            se[k] = np.exp(rng.uniform(*np.log(ERRORS))) / difference
            estimate = rng.normal(b[k], se[k])
            ratio = abs(estimate) / se[k]
            if not RATIOS[0] < ratio < RATIOS[1]:
                continue
            allowed = np.clip(reading(stars.stars(ratio)), *RATIOS)
            least, most = abs(estimate) * difference / allowed[::-1]
            if ERRORS[0] < least and most < ERRORS[1]:
                break
        like.estimate.values[k] = estimate
    truth = xr.Dataset(
        {
            "coefficient": ("term", b),
            "standard_error": ("term", se),
            "base_probability": rng.beta(4, 40),
        },
        {"term": like.term.values},
    )
    return stars.reported(like, like.estimate.values, truth)


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or RUNS, run, SEED)
