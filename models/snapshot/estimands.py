"""From the graph's variables to the numbers and curves that the paper prints (Section 12)."""

from __future__ import annotations

import numpy as np
import xarray as xr

UNITS = {
    "solitary_share": "share",
    "mean_trips": "trips",
    "circular_share_of_crossings": "share",
    "retirement_prob": "probability",
    "retired_share": "share",
    "circular_sojourn_within_2_years": "share",
    "mean_solitary_sojourn": "years",
    "mean_circular_sojourn": "years",
    "total_crossings": "millions of crossings",
    "population": "millions of people",
    "solitary_crossings": "millions of crossings a year",
    "circular_crossings": "millions of crossings a year",
    "trips_at_home": "trips",
    "emigration_hazard": "probability a year",
}


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the paper's headline numbers and its curves, for each draw.

    Parameters
    ----------
    draws : Dataset
        ``solitary_share``, ``retirement_prob``, ``total_crossings`` (millions), dims (...);
        ``solitary_departures``, ``circular_departures``, ``mean_trips``,
        ``trips_at_home`` (..., year); ``solitary_sojourn``, ``circular_sojourn``
        (..., sojourn_class).
    data : Dataset
        The respondents; its attributes name the window.

    Returns
    -------
    Dataset
        Each variable has its ``units``.  Scalars (...): ``solitary_share`` (phi),
        ``mean_trips_2016`` (m_C(tau)), ``circular_share_of_crossings`` (eq. 43),
        ``retirement_prob`` (q), ``retired_share`` (Q(tau) / (1 - phi)),
        ``circular_sojourn_within_2_years``, ``mean_solitary_sojourn``,
        ``mean_circular_sojourn`` (years), ``total_crossings`` (T, millions, eq. 44) and
        ``population_2016`` (millions); the year is the window's last.
        Curves (..., year): ``population`` (millions), ``solitary_crossings``,
        ``circular_crossings`` (millions a year, eqs. 45, 46), ``trips_at_home`` (eq. 38);
        (..., stay): ``emigration_hazard``, the chance to leave the United States in that
        year of a randomly chosen trip's stay, for the single-year classes (beyond, an even
        spread makes the hazard what it is).
    """
    last = data.attrs["last_year"]
    phi = draws["solitary_share"]
    trips = draws["mean_trips"].isel(year=-1, drop=True)  # m_C(tau)
    circular = (1 - phi) * trips
    crossings = phi + circular  # per migrant
    scale = draws["total_crossings"] / crossings  # millions of migrants
    solitary_pmf = by_length(draws["solitary_sojourn"], draws.sizes["year"])
    circular_pmf = by_length(draws["circular_sojourn"], draws.sizes["year"])
    solitary_flow = phi * draws["solitary_departures"]
    circular_flow = circular * draws["circular_departures"]
    away = still_away(trips * draws["circular_departures"], circular_pmf)  # of one circular migrant
    abroad = still_away(solitary_flow, solitary_pmf) + (1 - phi) * away
    share = circular / crossings
    pmf = (1 - share) * solitary_pmf + share * circular_pmf
    single = draws.sizes["sojourn_class"] - 1
    population = scale * abroad
    found = xr.Dataset(
        {
            "solitary_share": phi,
            f"mean_trips_{last}": trips,
            "circular_share_of_crossings": share,
            "retirement_prob": draws["retirement_prob"],
            "retired_share": draws["retirement_prob"] * (trips - away.isel(year=-1, drop=True)),
            "circular_sojourn_within_2_years": circular_pmf.isel(stay=slice(2)).sum("stay"),
            "mean_solitary_sojourn": (solitary_pmf * solitary_pmf.stay).sum("stay"),
            "mean_circular_sojourn": (circular_pmf * circular_pmf.stay).sum("stay"),
            "total_crossings": draws["total_crossings"],
            f"population_{last}": population.isel(year=-1, drop=True),
            "population": population,
            "solitary_crossings": scale * solitary_flow,
            "circular_crossings": scale * circular_flow,
            "trips_at_home": draws["trips_at_home"],
            "emigration_hazard": hazard(pmf).isel(stay=slice(single)),
        }
    )
    return found.assign(
        {name: array.assign_attrs(units=_units(str(name))) for name, array in found.items()}
    )


def _units(name: str) -> str:
    """Units of an estimand; those of one year are named with it."""
    return UNITS.get(name) or UNITS[name.rpartition("_")[0]]


def by_length(share: xr.DataArray, years: int) -> xr.DataArray:
    """Probability of each length of stay, (..., stay), from the shares of the classes."""
    single = share.sizes["sojourn_class"] - 1
    stay = np.arange(1, years + 1)
    which = xr.DataArray(np.minimum(stay - 1, single), dims="stay", coords={"stay": stay})
    width = which.copy(data=np.where(stay > single, years - single, 1))
    return share.isel(sojourn_class=which).drop_vars("sojourn_class", errors="ignore") / width


def still_away(flow: xr.DataArray, pmf: xr.DataArray) -> xr.DataArray:
    """Migrants abroad at the end of each year (eqs. 15, 17), (..., year).

    Parameters
    ----------
    flow : DataArray (..., year)
        Departures.
    pmf : DataArray (..., stay)
        Probability of each length of stay, in years.
    """
    survival = 1 - pmf.cumsum("stay")
    years = flow.year.values
    since = np.subtract.outer(years, years)
    lag = xr.DataArray(np.maximum(since, 0), dims=("year", "departed"), coords={"year": years})
    away = survival.isel(stay=lag).drop_vars("stay") * (since >= 0)
    return (away * flow.rename(year="departed").drop_vars("departed")).sum("departed")


def hazard(pmf: xr.DataArray) -> xr.DataArray:
    """Chance to leave in each year of a stay for those who are still there, (..., stay)."""
    return pmf / (1 - pmf.cumsum("stay") + pmf)
