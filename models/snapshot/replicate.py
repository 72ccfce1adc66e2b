"""Survey sets of truths that are drawn from the prior: answers through the graph, trips followed.

The graph draws counts of answers and, of each survey's trips, a normal mean; here each respondent
has a number of trips of his own, so that what is refitted is data as they are read.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesmig import evaluate
from bayesmig.models.snapshot.data import to_dataset
from bayesmig.models.snapshot.truth import NAMES, as_truth, by_length, completed
from bayesmig.ready import build
from bayesmig.replicates import replicates
from bayesmig.truth import attach


def from_prior(
    data: xr.Dataset, seed: int, batch: int = 300, **options: Any
) -> Iterator[xr.Dataset]:
    """Draw truths from the default prior, and surveys as large as those of some data, endlessly.

    Parameters
    ----------
    data : Dataset
        Respondents; their surveys and window.
    seed, batch : int
        Of the draws; how many are made at once.
    **options
        Of the graph.

    Yields
    ------
    Dataset
        Respondents, with their truth: the graph's free variables too.
    """
    built = build("snapshot", data, cells="possible", **options)
    rng = np.random.default_rng(seed)
    first, last = data.attrs["first_year"], data.attrs["last_year"]
    cell = {
        part: built.model[f"cell_{part}"].get_value().astype(int)
        for part in ("survey", "departure", "sojourn", "repeat")
    }
    for i in count():
        if i % batch == 0:
            drawn = replicates(built, batch, seed + i)
        truth = as_truth({name: drawn[name][i % batch] for name in NAMES}, first, last)
        met = drawn["respondents"][i % batch]
        of = {part: np.repeat(values, met) for part, values in cell.items()}
        chances = trips_of_repeaters(truth)
        trips = np.ones(len(of["repeat"]), dtype=np.int64)
        for year in np.unique(of["departure"][of["repeat"] == 1]):
            those = (of["departure"] == year) & (of["repeat"] == 1)
            trips[those] = rng.choice(len(chances), those.sum(), p=chances[:, year])
        answers = {
            "survey_year": of["survey"] + first,
            "departure_year": of["departure"] + first,
            "sojourn_years": of["sojourn"] + 1,
            "repeat": of["repeat"] == 1,
            "trips": trips,
        }
        title = f"SYNTHETIC snapshot surveys, truth {i} of the prior"
        free = {rv.name: drawn[rv.name][i % batch] for rv in built.model.free_RVs}
        whole = completed(truth).assign(evaluate.dataset(built.model, free, ()).data_vars)
        yield attach(to_dataset(answers, first, last, title=title), whole)


def trips_of_repeaters(truth: xr.Dataset) -> NDArray[np.float64]:
    """Return how many trips those have made who leave again: shares (trips, year of departure).

    By following circular migrants by their number of trips, year by year.  No share in years
    in which nobody leaves again.
    """
    q, rho = float(truth["retirement_prob"]), truth["repeat_prob"].values
    first = truth["rookie_departures"].values
    years = len(first)
    stay = by_length(truth["circular_sojourn"].values, years)
    active, shares = np.zeros(years + 2), np.zeros((years + 2, years))
    coming = np.zeros((years + 2, years))  # home at the end of a year, by trips
    for t in range(years):
        again = rho[t] * active
        active = active - again
        leaving = np.append(0, again[:-1])
        shares[:, t] = leaving / (leaving.sum() or 1)
        leaving[1] += first[t]
        coming[:, t:] += leaving[:, None] * stay[: years - t]
        active = active + (1 - q) * coming[:, t]
    return shares
