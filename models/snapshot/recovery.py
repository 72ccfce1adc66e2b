"""Does the default find truths unlike the paper's?  The calibration tables of the card.

    python -m bayesmig.models.snapshot.recovery [NAME ...]

simulates survey sets, of truths from the prior and of each of `truths.TRUTHS`, refits each, and
stores in ``calibration/NAME.csv`` how often the intervals held the truth, with command, seed,
commit and versions.

Where few respondents repeat a trip, solitary and circular migrants can change places, and a single
chain is in one of two places: truths from the prior are refitted with one chain, as all others, and
with two, which can disagree.  Survey sets from the prior are drawn again, and counted, if
`data.too_few_repeaters`: who looks at the data alone, and not at the truth, leaves ranks uniform
(Modrák et al. 2023).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

from bayesmig.calibration import LOG_DENSITY, recovery
from bayesmig.models.snapshot.data import example, too_few_repeaters
from bayesmig.models.snapshot.printed import HEADLINE
from bayesmig.models.snapshot.replicate import from_prior
from bayesmig.models.snapshot.simulate import simulate
from bayesmig.models.snapshot.truths import TRUTHS
from bayesmig.stored import Stored

TABLES = Stored(Path(__file__).parent)
SEED, DRAWS = 1, 500
SETS = 300
GIVEN = dict.fromkeys(TRUTHS, 100) | dict.fromkeys(("paper", "ffk", "alike"), 60)
# truth from the prior, data through the graph: options of the graph, and how it is refitted
PRIORS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "prior": ({}, {}),
    "prior_two_chains": ({}, {"chains": 2, "draws": 300}),
    "prior_paper": ({"parametrization": "paper"}, {}),
}


def run(name: str, **how: Any) -> pd.DataFrame:
    """Simulate and refit survey sets; return the coverage of the headline numbers.

    Parameters
    ----------
    name : str
        Of `truths.TRUTHS`, or of `PRIORS`.
    **how
        Of `calibrate`: where it runs.
    """
    if name in PRIORS:
        options, own = PRIORS[name]
        drawn = Enough(from_prior(example(), SEED, **options))
        how = {"quantity": (*HEADLINE, LOG_DENSITY), **own, **options, **how}
        table = _recovered(SETS, lambda seed: next(drawn), **how)
        return table.assign(**{"drawn again": drawn.left})
    truth = TRUTHS[name]()
    return _recovered(GIVEN[name], lambda seed: simulate(truth, seed=seed), **how)


class Enough(Iterator[xr.Dataset]):
    """Survey sets in which enough repeat a trip.

    Attributes
    ----------
    left : int
        How many were not such.
    """

    def __init__(self, every: Iterator[xr.Dataset]):
        self.every, self.left = every, 0

    def __next__(self) -> xr.Dataset:
        while too_few_repeaters(data := next(self.every)):
            self.left += 1
        return data


def _recovered(n: int, drawn: Callable[[int], xr.Dataset], **how: Any) -> pd.DataFrame:
    how = {"n": n, "draws": DRAWS, "quantity": HEADLINE, "simulate": drawn, "workers": 1, **how}
    return recovery("snapshot", example(), seed=SEED, **how)


if __name__ == "__main__":
    TABLES.make(__spec__.name, sys.argv[1:] or (*PRIORS, *TRUTHS), run, SEED)
