"""Does the logit find what it should?  The calibration tables of the card.

    python -m bayesmig.models.social_capital.recovery [NAME ...]

simulates twins of known truth, refits each, and stores in ``calibration/NAME.csv`` how often
the intervals held the truth, with command, seed and commit.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from bayesmig import calibration
from bayesmig.stored import Stored
from bayesmig.study import load_study

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS = 1, 300
SMALL, WHOLE = {"n": 2500, "municipalities": 25}, {"n": 10_012, "municipalities": 80}
FIXED = {"priors": "fixed", "intercepts": "independent_contrasts"}
RUNS: dict[str, tuple[int, Mapping[str, Any], Mapping[str, Any]]] = {  # twins, sizes, options
    "small_independent": (60, SMALL, {"intercepts": "independent"}),  # the default
    "small_correlated": (60, SMALL, {"intercepts": "correlated"}),
    "small_fixed": (60, SMALL, FIXED),
    "whole_independent": (60, WHOLE, {"intercepts": "independent"}),
    "whole_fixed": (60, WHOLE, FIXED),
}


def run(name: str) -> pd.DataFrame:
    """Run one of `RUNS` and return its coverage, one row for each estimand."""
    n, sizes, options = RUNS[name]
    study = load_study("social_capital")
    found = calibration.calibrate(
        study,
        study.simulate(seed=0, **sizes),
        n=n,
        simulate=lambda seed: study.simulate(seed=seed, **sizes),
        draws=DRAWS,
        tune=DRAWS,
        seed=SEED,
        workers=1,
        progress=False,
        **options,
    )
    return calibration.to_store(found)


if __name__ == "__main__":
    for each in sys.argv[1:] or RUNS:
        of = TABLES.origin(__spec__.name, [each], SEED)
        print(TABLES.write(f"calibration/{each}", run(each), of), flush=True)
