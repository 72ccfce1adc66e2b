"""An agent simulation: migrants followed through the years, surveyed when at home.

It shares no formula with the graph, so that recovery tests the graph and not itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmig.errors import DataError

NEVER = np.iinfo(np.int64).max
MIGRANTS = 200_000  # followed; a survey of some hundred hardly meets one of them twice


@dataclass(frozen=True)
class Truth:
    """What a migrant's life is drawn from; years are counted from 1.

    Attributes
    ----------
    solitary_share, retirement_prob : float
        phi, q.
    solitary_departures, rookie_departures : ndarray (year)
        f_S, g: when solitary migrants leave, and circular ones for the first time.
    repeat_prob : ndarray (year)
        rho: chance that an active circular migrant at home leaves again.
    solitary_sojourn, circular_sojourn : ndarray (sojourn_class)
        a_S, a_C: single years, then one class spread evenly over the years that are left.
    """

    solitary_share: float
    retirement_prob: float
    solitary_departures: NDArray[np.float64]
    rookie_departures: NDArray[np.float64]
    repeat_prob: NDArray[np.float64]
    solitary_sojourn: NDArray[np.float64]
    circular_sojourn: NDArray[np.float64]

    @property
    def years(self) -> int:
        """Number of years of the model (tau)."""
        return len(self.solitary_departures)


def follow(
    truth: Truth,
    surveys: Mapping[int, int],
    rng: np.random.Generator,
    migrants: int = MIGRANTS,
) -> dict[str, NDArray[Any]]:
    """Follow migrants year by year and interview some of those at home.

    Parameters
    ----------
    truth : Truth
    surveys : mapping of int to int
        Respondents by year of the model (1 to tau).
    rng : numpy.random.Generator
    migrants : int
        How many are followed.

    Returns
    -------
    dict of str to ndarray
        ``survey``, ``departure`` (years of the model), ``sojourn`` (years) and ``trips``
        to date, one element per respondent.
    """
    solitary = rng.random(migrants) < truth.solitary_share
    f_s, g = (p / p.sum() for p in (truth.solitary_departures, truth.rookie_departures))
    years = np.arange(1, truth.years + 1)
    first = np.where(
        solitary,
        rng.choice(years, migrants, p=f_s),
        rng.choice(years, migrants, p=g),
    )
    departed = np.zeros(migrants, dtype=np.int64)
    comes_home = np.full(migrants, NEVER)  # the year at whose end the present trip ends
    trips = np.zeros(migrants, dtype=np.int64)
    active = np.zeros(migrants, dtype=bool)  # circular, at home, will perhaps leave again
    answers: list[tuple[NDArray[Any], ...]] = []
    for year in years:
        again = active & (rng.random(migrants) < truth.repeat_prob[year - 1])
        leaves = again | (first == year)
        active &= ~again
        departed[leaves] = year
        trips[leaves] += 1
        comes_home[leaves] = year - 1 + _sojourns(truth, solitary[leaves], rng)
        returns = comes_home == year
        active |= returns & ~solitary & (rng.random(migrants) >= truth.retirement_prob)
        if surveys.get(int(year), 0):
            at_home = np.flatnonzero((trips > 0) & (comes_home <= year))
            if len(at_home) < surveys[int(year)]:
                raise DataError(
                    f"{surveys[int(year)]} respondents in year {year} of the model: of "
                    f"{migrants} migrants followed {len(at_home)} are at home"
                )
            met = rng.choice(at_home, surveys[int(year)], replace=False)
            sojourn = comes_home[met] - departed[met] + 1
            answers.append((np.full(len(met), year), departed[met], sojourn, trips[met]))
    names = ("survey", "departure", "sojourn", "trips")
    return {
        name: np.concatenate(parts)
        for name, parts in zip(names, zip(*answers, strict=True), strict=True)
    }


def _sojourns(
    truth: Truth, solitary: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the length of one trip of each migrant, in years."""
    single = len(truth.solitary_sojourn) - 1
    classes = np.where(
        solitary,
        rng.choice(
            single + 1, len(solitary), p=truth.solitary_sojourn / truth.solitary_sojourn.sum()
        ),
        rng.choice(
            single + 1, len(solitary), p=truth.circular_sojourn / truth.circular_sojourn.sum()
        ),
    )
    long = rng.integers(single + 1, truth.years + 1, len(solitary))
    return np.where(classes < single, classes + 1, long)
