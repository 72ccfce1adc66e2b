"""The truth of simulated surveys: what a migrant's life is drawn from, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError
from bayesmig.models.snapshot.paper import CROSSINGS, CROSSINGS_SINCE, FIRST_YEAR, LAST_YEAR
from bayesmig.models.snapshot.window import sojourn_classes

SHIPPED = Path(__file__).parent / "truth.csv"
NUMBERS = ("solitary_share", "retirement_prob")  # phi, q
BY_YEAR = (  # f_S, g and rho
    "solitary_departures",
    "rookie_departures",
    "repeat_prob",
)
BY_STAY = ("solitary_sojourn", "circular_sojourn")  # a_S, a_C: single years, then one class
NAMES = (*NUMBERS, *BY_YEAR, *BY_STAY)
SHARES = ("solitary_departures", "rookie_departures", *BY_STAY)


def as_truth(
    given: xr.Dataset | Mapping[str, Any] | None = None,
    first_year: int = FIRST_YEAR,
    last_year: int = LAST_YEAR,
) -> xr.Dataset:
    """Return a truth, checked and labelled; None is the shipped one.

    Parameters
    ----------
    given : Dataset or mapping of str to array, optional
        `NAMES`; other variables are passed over, so that `study.truth(data)` will do.
    first_year, last_year : int
        The years that the truth is for.

    Returns
    -------
    Dataset
        ``solitary_share``, ``retirement_prob``; ``solitary_departures``,
        ``rookie_departures``, ``repeat_prob`` (year); ``solitary_sojourn``,
        ``circular_sojourn`` (sojourn_class).

    Raises
    ------
    DataError
        Naming the variable and what is expected of it.
    """
    given = _shipped() if given is None else given
    for name in NAMES:
        if name not in given:
            raise DataError(f"the truth has no {name}; it needs {', '.join(NAMES)}")
    arrays = {name: _array(name, given[name]) for name in NAMES}
    _check_values(arrays)
    _check_lengths(arrays)
    years = len(arrays["repeat_prob"])
    if years != last_year - first_year + 1:
        raise DataError(
            f"the truth has {years} years, {first_year}-{last_year} has "
            f"{last_year - first_year + 1}"
        )
    labels = np.arange(first_year, last_year + 1)
    if isinstance(given, xr.Dataset) and "year" in given.coords:
        own = given["year"].values
        if not np.array_equal(own, labels):
            raise DataError(
                f"the truth is of {own[0]}-{own[-1]}, the window is {first_year}-{last_year}"
            )
    return xr.Dataset(
        {
            **{name: arrays[name] for name in NUMBERS},
            **{name: ("year", arrays[name]) for name in BY_YEAR},
            **{name: ("sojourn_class", arrays[name]) for name in BY_STAY},
        },
        {
            "year": labels,
            "sojourn_class": sojourn_classes(len(arrays["solitary_sojourn"]) - 1, years),
        },
    )


def completed(truth: xr.Dataset) -> xr.Dataset:
    """Add what the estimands need beside the truth itself, by following all migrants at once.

    Parameters
    ----------
    truth : Dataset
        From `as_truth`.

    Returns
    -------
    Dataset
        And ``circular_departures`` (f_C), ``mean_trips`` (m_C), ``trips_at_home`` (eq. 38),
        dim year, and ``total_crossings`` (T, millions) on the scale of the paper: 38.8 million
        since 1990.
    """
    phi, q = float(truth["solitary_share"]), float(truth["retirement_prob"])
    f_s, g, rho = (truth[name].values for name in BY_YEAR)
    a_s, a_c = (by_length(truth[name].values, len(f_s)) for name in BY_STAY)
    trips, home, carried = _circular(g, rho, a_c, q)
    solitary_home = phi * np.convolve(f_s, np.cumsum(a_s))[: len(f_s)]
    flow = phi * f_s + (1 - phi) * trips
    counted = truth["year"].values >= CROSSINGS_SINCE
    derived = {
        "circular_departures": trips / trips.sum(),
        "mean_trips": _ratio(np.cumsum(trips), np.cumsum(g)),
        "trips_at_home": _ratio(
            solitary_home + (1 - phi) * carried, solitary_home + (1 - phi) * home
        ),
    }
    total = CROSSINGS * flow.sum() / (flow[counted].sum() or np.nan)  # of a window before it
    by_year = {name: ("year", values) for name, values in derived.items()}
    return truth.assign(by_year).assign(total_crossings=total)


def _circular(
    first: NDArray[np.float64],
    repeat_prob: NDArray[np.float64],
    stay: NDArray[np.float64],
    q: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Trips, migrants at home and trips that these have made, by year, of one circular migrant."""
    years = len(first)
    trips, home, carried = np.zeros((3, years))
    returning = np.zeros((years, 2))  # migrants, and their trips to date, by year of return
    active, retired = np.zeros(2), np.zeros(2)
    for t in range(years):
        again = repeat_prob[t] * active
        active = active - again
        trips[t] = first[t] + again[0]
        leaving = np.array([trips[t], again[1] + trips[t]])  # all have made one more
        returning[t:] += np.outer(stay[: years - t], leaving)
        active = active + (1 - q) * returning[t]
        retired = retired + q * returning[t]
        home[t], carried[t] = active + retired
    return trips, home, carried


def by_length(share: NDArray[np.float64], years: int) -> NDArray[np.float64]:
    """Probability of each length of stay: the last class is spread evenly (Section 11)."""
    single = len(share) - 1
    return np.append(share[:single], np.full(years - single, share[single] / (years - single)))


def _ratio(over: NDArray[np.float64], under: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means, NaN of nobody."""
    return np.divide(over, under, out=np.full_like(over, np.nan), where=under > 0)


def _shipped() -> dict[str, NDArray[np.float64]]:
    table = pd.read_csv(SHIPPED)
    groups = table.groupby("variable", sort=False)
    return {str(name): group["value"].to_numpy() for name, group in groups}


def _array(name: str, value: Any) -> Any:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"truth: {name} must be numbers, got {value!r}") from None
    if name in NUMBERS:
        if array.size != 1:
            raise DataError(f"truth: {name} must be one number, got {array.size}")
        return float(array.ravel()[0])
    if array.ndim != 1 or array.size == 0:
        raise DataError(f"truth: {name} must be a list of numbers, got shape {array.shape}")
    return array


def _check_values(arrays: Mapping[str, Any]) -> None:
    for name in NUMBERS:
        if not 0 <= arrays[name] <= 1:
            raise DataError(f"truth: {name} must be in [0, 1], got {arrays[name]}")
    for name in SHARES:
        values = arrays[name]
        if not (np.all(values >= 0) and abs(values.sum() - 1) <= 1e-6):
            raise DataError(
                f"truth: {name} must be shares that add up to 1, not {values.sum():.6g}"
            )
    repeat = arrays["repeat_prob"]
    if repeat[0] != 0 or not np.all((repeat >= 0) & (repeat <= 1)):
        raise DataError("truth: repeat_prob must be in [0, 1], and 0 in the first year")


def _check_lengths(arrays: Mapping[str, Any]) -> None:
    lengths = {name: len(arrays[name]) for name in BY_YEAR}
    if len(set(lengths.values())) > 1:
        raise DataError(f"truth: unequal numbers of years: {lengths}")
    years, classes = lengths["repeat_prob"], [len(arrays[name]) for name in BY_STAY]
    if classes[0] != classes[1]:
        raise DataError(
            "truth: solitary_sojourn and circular_sojourn have unequal numbers of classes"
        )
    if classes[0] > years:
        raise DataError(f"truth: {classes[0]} sojourn classes in {years} years")
