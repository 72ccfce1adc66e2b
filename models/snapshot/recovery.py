"""Does the default find truths unlike the paper's?  The calibration tables of the card.

    python -m bayesmig.models.snapshot.recovery [NAME ...]

simulates survey sets, of truths from the prior and of each of `truths.TRUTHS`, refits each, and
stores in ``calibration/NAME.csv`` how often the intervals held the truth, with command, seed and
commit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
import xarray as xr

from bayesmig.calibration import LOG_DENSITY, recovery
from bayesmig.models.snapshot.data import example
from bayesmig.models.snapshot.printed import HEADLINE
from bayesmig.models.snapshot.simulate import simulate
from bayesmig.models.snapshot.truths import TRUTHS
from bayesmig.stored import Stored

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS = 1, 200
SETS, GIVEN = 300, 50
PRIOR = "prior"  # truth from the prior, data through the graph


def run(name: str) -> pd.DataFrame:
    """Simulate and refit survey sets; return the coverage of the headline numbers.

    Parameters
    ----------
    name : str
        Of `truths.TRUTHS`, or `PRIOR`.
    """
    if name == PRIOR:
        wanted = (*HEADLINE, LOG_DENSITY)
        return recovery("snapshot", example(), n=SETS, quantity=wanted, draws=DRAWS, seed=SEED)
    truth = TRUTHS[name]()

    def drawn(seed: int) -> xr.Dataset:
        return simulate(truth, seed=seed)

    how = {"n": GIVEN, "quantity": HEADLINE, "simulate": drawn}
    return recovery("snapshot", drawn(0), draws=DRAWS, seed=SEED, workers=1, **how)


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or (PRIOR, *TRUTHS), run, SEED)
