"""Does the default find truths unlike the paper's?  The calibration tables of the card.

    python -m bayesmig.models.snapshot.recovery [NAME ...]

simulates survey sets of each of `truths.TRUTHS`, refits each, and stores in
``calibration/NAME.csv`` how often the intervals held the truth, with command, seed and commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import xarray as xr

from bayesmig import calibration
from bayesmig.models.snapshot.printed import HEADLINE
from bayesmig.models.snapshot.truths import TRUTHS
from bayesmig.stored import Stored
from bayesmig.study import load_study

TABLES = Stored(Path(__file__).parent)
N, SEED, DRAWS = 50, 1, 200


def run(name: str, n: int = N) -> pd.DataFrame:
    """Simulate and refit survey sets of one truth; return the coverage of the headline numbers.

    Parameters
    ----------
    name : str
        Of `truths.TRUTHS`.
    n : int
        Survey sets.
    """
    study, truth = load_study("snapshot"), TRUTHS[name]()

    def simulate(seed: int) -> xr.Dataset:
        return study.simulate(truth, seed=seed)

    found = calibration.calibrate(
        study,
        simulate(0),
        n=n,
        quantity=HEADLINE,
        simulate=simulate,
        draws=DRAWS,
        tune=DRAWS,
        seed=SEED,
        workers=1,
        progress=False,
    )
    table = calibration.to_store(found)
    table.insert(0, "truth", found.truth.isel(simulation=0).to_series()[table.index])
    return table


if __name__ == "__main__":
    for each in sys.argv[1:] or TRUTHS:
        of = TABLES.origin(__spec__.name, [each], SEED)
        print(TABLES.write(f"calibration/{each}", run(each), of), flush=True)
