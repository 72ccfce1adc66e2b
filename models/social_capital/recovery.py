"""Does the logit find what it should?  The calibration tables of the card.

    python -m bayesmig.models.social_capital.recovery [NAME ...]

simulates twins of known truth, refits each, and stores in ``calibration/NAME.csv`` how often
the intervals held the truth, with command, seed, commit and versions.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayesmig.calibration import recovery
from bayesmig.models.social_capital.simulate import simulate
from bayesmig.stored import Stored

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS = 1, 300
SMALL, WHOLE = {"n": 2500, "municipalities": 25}, {"n": 10_012, "municipalities": 80}
FIXED = {"priors": "fixed", "intercepts": "independent_contrasts"}
RUNS: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {  # sizes of twins, and how
    # truth from the prior, data through the graph; with fewer draws most are fitted again
    "prior": (SMALL, {"n": 300, "draws": 600}),
    # truths given: those of the twin
    "small_independent": (SMALL, {"n": 60, "intercepts": "independent"}),  # the default
    "small_correlated": (SMALL, {"n": 60, "intercepts": "correlated"}),
    "small_fixed": (SMALL, {"n": 60, **FIXED}),
    "whole_independent": (WHOLE, {"n": 60, "intercepts": "independent"}),
    "whole_fixed": (WHOLE, {"n": 60, **FIXED}),
}


def run(name: str) -> pd.DataFrame:
    """Run one of `RUNS` and return its coverage, one row for each estimand."""
    sizes, how = RUNS[name]

    def twin(seed: int) -> xr.Dataset:
        return simulate(seed=seed, **sizes)

    given = {} if name == "prior" else {"simulate": twin}
    settings = {"draws": DRAWS, "seed": SEED, "workers": 1, "by": "contrast", **given, **how}
    return recovery("social_capital", twin(0), **settings)


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or RUNS, run, SEED)
