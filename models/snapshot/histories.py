"""Another history of departures: how many would be abroad if other numbers had first left.

First trips of some years are more or fewer; whether a migrant leaves again, retires and how
long trips last stay as they were, so that later trips follow from the first ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real

import numpy as np
import xarray as xr

from bayesmig.errors import DataError, StudyError
from bayesmig.models.snapshot.estimands import by_length, still_away


def population(fitted: xr.DataTree, first_trips: Mapping[int, float] | None = None) -> xr.DataArray:
    """Return the undocumented population had other numbers left for the first time, by year.

    Parameters
    ----------
    fitted : DataTree
    first_trips : mapping of int to float, optional
        By year, how many times as many solitary and circular migrants left for the first
        time: ``{2005: 0.5}`` is half as many that year.  Others are as they were.

    Returns
    -------
    DataArray (chain, draw, year)
        Millions, at the end of each year; with ``units``.

    Raises
    ------
    DataError
        For a year that the fit has not.
    StudyError
        For a number that is negative or none.
    """
    draws = fitted["posterior"].to_dataset()
    years = draws["year"].values.tolist()
    times = xr.DataArray(np.ones(len(years)), {"year": draws["year"]}, ("year",))
    for year, number in (first_trips or {}).items():
        if year not in years:
            raise DataError(f"no year {year!r} in the fit; it has {years[0]} to {years[-1]}")
        if isinstance(number, bool) or not isinstance(number, Real) or not 0 <= number < np.inf:
            raise StudyError(f"first trips of {year}: must be a number from 0 on, got {number!r}")
        times.loc[year] = number
    share, last = draws["solitary_share"], draws["mean_trips"].isel(year=-1, drop=True)
    migrants = draws["total_crossings"] / (share + (1 - share) * last)  # millions
    solitary = share * draws["solitary_departures"] * times
    circular = (1 - share) * circular_trips(draws, draws["rookie_departures"] * times)
    abroad = still_away(solitary, by_length(draws["solitary_sojourn"], len(years)))
    abroad = abroad + still_away(circular, by_length(draws["circular_sojourn"], len(years)))
    found = (migrants * abroad).transpose("chain", "draw", "year").rename("population")
    return found.assign_attrs(units="millions of people")


def circular_trips(draws: xr.Dataset, first: xr.DataArray) -> xr.DataArray:
    """Return all trips of circular migrants by year, from their first trips (eqs. 5-19).

    Of those who return in a year a share q retires; each later year a share rho of the
    active who are still at home leaves again.

    Parameters
    ----------
    draws : Dataset
        ``repeat_prob`` (..., year), ``retirement_prob`` (...), ``circular_sojourn``
        (..., sojourn_class).
    first : DataArray (..., year)
    """
    rookies = first.transpose(..., "year")
    again = draws["repeat_prob"].transpose(..., "year").values
    stay = by_length(draws["circular_sojourn"], rookies.sizes["year"]).transpose(..., "stay").values
    active = 1 - draws["retirement_prob"].values
    trips, home = np.zeros(rookies.shape), np.zeros(rookies.shape[:-1])
    for t in range(rookies.sizes["year"]):
        repeat = again[..., t] * home
        trips[..., t] = rookies.values[..., t] + active * repeat
        returned = (trips[..., : t + 1] * stay[..., t::-1]).sum(-1)
        home = home - repeat + returned
    return rookies.copy(data=trips)
