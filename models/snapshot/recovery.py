"""Does the default find truths unlike the paper's?  The calibration tables of the card.

    python -m bayesmig.models.snapshot.recovery [NAME ...]

simulates survey sets, of truths from the prior and of each of `truths.TRUTHS`, refits each, and
stores in ``calibration/NAME.csv`` how often the intervals held the truth, with command, seed and
commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import xarray as xr

from bayesmig.calibration import recovery
from bayesmig.models.snapshot.data import example
from bayesmig.models.snapshot.printed import HEADLINE
from bayesmig.models.snapshot.replicate import from_prior
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
        every = from_prior(example(), SETS, SEED)
        return _recovered(SETS, lambda seed: next(every))
    truth = TRUTHS[name]()
    return _recovered(GIVEN, lambda seed: simulate(truth, seed=seed))


def _recovered(n: int, drawn: Callable[[int], xr.Dataset]) -> pd.DataFrame:
    how = {"n": n, "quantity": HEADLINE, "simulate": drawn}
    return recovery("snapshot", example(), draws=DRAWS, seed=SEED, workers=1, **how)


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or (PRIOR, *TRUTHS), run, SEED)
