"""An agent simulation: migrants followed through the years, surveyed when at home.

It shares no formula with the graph, so that recovery tests the graph and not itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from bayesmig.errors import DataError

if TYPE_CHECKING:
    import xarray as xr

NEVER = np.iinfo(np.int64).max
MIGRANTS = 200_000  # followed; a survey of some hundred hardly meets one of them twice


def follow(
    truth: xr.Dataset,
    surveys: Mapping[int, int],
    rng: np.random.Generator,
    migrants: int = MIGRANTS,
) -> dict[str, NDArray[Any]]:
    """Follow migrants year by year and interview some of those at home.

    Parameters
    ----------
    truth : Dataset
        As `truth.as_truth` returns it; years of the model count from 1.
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
    phi, q = float(truth["solitary_share"]), float(truth["retirement_prob"])
    solitary = rng.random(migrants) < phi
    f_s, g = (
        truth[name].values / truth[name].values.sum()
        for name in ("solitary_departures", "rookie_departures")
    )
    repeat_prob = truth["repeat_prob"].values
    years = np.arange(1, len(f_s) + 1)
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
        again = active & (rng.random(migrants) < repeat_prob[year - 1])
        leaves = again | (first == year)
        active &= ~again
        departed[leaves] = year
        trips[leaves] += 1
        comes_home[leaves] = year - 1 + _sojourns(truth, solitary[leaves], rng)
        returns = comes_home == year
        active |= returns & ~solitary & (rng.random(migrants) >= q)
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
    truth: xr.Dataset, solitary: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw the length of one trip of each migrant, in years."""
    a_s, a_c = (truth[name].values for name in ("solitary_sojourn", "circular_sojourn"))
    single = len(a_s) - 1
    classes = np.where(
        solitary,
        rng.choice(single + 1, len(solitary), p=a_s / a_s.sum()),
        rng.choice(single + 1, len(solitary), p=a_c / a_c.sum()),
    )
    long = rng.integers(single + 1, truth.sizes["year"] + 1, len(solitary))
    return np.where(classes < single, classes + 1, long)
