"""Does the graph of the cells find what it should?  The calibration tables of the card.

    python -m bayesmig.models.emigration.recovery [NAME ...]

simulates cells of known truth, refits each, and stores in ``calibration/NAME.csv`` how often
the intervals held the truth, with command, seed, commit and versions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.calibration import recovery
from bayesmig.models.emigration.data import example
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.simulate import printed_shares, simulate
from bayesmig.stored import Stored

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS, CELLS = 1, 400, (10, 11)
SCATTER = 0.7  # points of emigration beyond sex, age and origin, which is what the cells support
FACTORS, LEAST = ("origin", "sex", "age"), 0.001
RUNS: dict[str, Mapping[str, Any]] = {
    # truth from the prior, data through the graph
    "prior": {"n": 300, "priors": "calibration"},
    # truths like the report's, printed as it prints
    "additive": {"n": 100, "simulate": lambda seed: drawn(additive(seed), seed)},
    # and unlike them: a third of the emigration, and twice as much
    "low": {"n": 100, "simulate": lambda seed: drawn(additive(seed, 1 / 3), seed)},
    "high": {"n": 100, "simulate": lambda seed: drawn(additive(seed, 2.0), seed)},
}


def drawn(truth: xr.Dataset, seed: int) -> xr.Dataset:
    """Simulate the cells of one truth."""
    return simulate(truth, seed=seed, table=CELLS)


def additive(seed: int, times: float = 1.0) -> xr.Dataset:
    """Return shares of which emigration is what factors add up to, and a scatter around it.

    All of it is so many ``times`` the report's.

    The report's estimates scatter by their own errors, too: over the 28 cells what additive
    effects of sex, age and origin leave is those errors and 0.7 points.
    """
    cells = example(CELLS)
    truth = printed_shares(cells)
    share = truth["share"].transpose("cell", "fate").copy()
    levels = pd.DataFrame({factor: cells[factor].values for factor in FACTORS})
    x = pd.get_dummies(levels, drop_first=True).assign(one=1.0).to_numpy(float)
    printed = cells.estimate.sel(component="emigration").values / 100
    expected = x @ np.linalg.lstsq(x, printed, rcond=None)[0]
    noise = np.random.default_rng([SEED, seed]).normal(0, SCATTER / 100, len(expected))
    share.loc[{"fate": "emigrated"}] = np.maximum(times * (expected + noise), LEAST)
    share.loc[{"fate": "followed"}] = 1 - share.sel(fate=list(FATES[:-1])).sum("fate")
    return truth.assign(share=share)


def run(name: str) -> pd.DataFrame:
    """Run one of `RUNS` and return its coverage, one row for each estimand."""
    return recovery("emigration", example(CELLS), draws=DRAWS, seed=SEED, **RUNS[name])


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or RUNS, run, SEED)
