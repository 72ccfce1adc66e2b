"""Does the graph of the cells find what it should?  The calibration tables of the card.

    python -m bayesmig.models.emigration.recovery [NAME ...]

simulates cells of known truth, refits each, and stores in ``calibration/NAME.csv`` how often
the intervals held the truth, with command, seed and commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import calibration
from bayesmig.models.emigration.data import example
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.simulate import printed_shares, simulate
from bayesmig.stored import Stored
from bayesmig.study import load_study

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS, CELLS = 1, 400, (10, 11)
SCATTER = 0.7  # points of emigration beyond sex, age and origin, which is what the cells support
FACTORS, LEAST = ("origin", "sex", "age"), 0.001
RUNS: dict[str, Mapping[str, Any]] = {
    # truth from the prior, data through the graph
    "prior": {"n": 300, "priors": "calibration"},
    # truths like the report's, printed as it prints
    "additive": {"n": 100, "truth": lambda seed: additive(seed)},
    "printed": {"n": 100, "truth": lambda seed: printed_shares(example(CELLS))},
}


def additive(seed: int) -> xr.Dataset:
    """Return shares of which emigration is what factors add up to, and a scatter around it.

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
    share.loc[{"fate": "emigrated"}] = np.maximum(expected + noise, LEAST)
    share.loc[{"fate": "followed"}] = 1 - share.sel(fate=list(FATES[:-1])).sum("fate")
    return truth.assign(share=share)


def run(name: str, workers: int = 2) -> pd.DataFrame:
    """Run one of `RUNS` and return its coverage, one row for each estimand."""
    how = RUNS[name]
    truth: Callable[[int], xr.Dataset] | None = how.get("truth")

    def drawn(seed: int) -> xr.Dataset:
        assert truth is not None
        return simulate(truth(seed), seed=seed, table=CELLS)

    found = calibration.calibrate(
        load_study("emigration"),
        example(CELLS),
        how.get("priors"),
        n=how["n"],
        simulate=drawn if truth else None,
        draws=DRAWS,
        tune=DRAWS,
        seed=SEED,
        workers=workers,
        progress=False,
    )
    return calibration.to_store(found)


if __name__ == "__main__":
    for each in sys.argv[1:] or RUNS:
        of = TABLES.origin(__spec__.name, [each], SEED)
        print(TABLES.write(f"calibration/{each}", run(each), of), flush=True)
