"""Truths unlike the paper's, to see what the priors do where they were not chosen.

The two camps' stays, one between them, and departures of other years.  What a truth does not
name is as in the shipped one (`truth.as_truth`), the paper's estimates.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesmig.models.snapshot.paper import FIRST_YEAR, LAST_YEAR, SINGLE_YEARS
from bayesmig.models.snapshot.truth import as_truth

FIRST_DECADE = 10  # both camps have one chance for the first year, one up to here, one beyond


def of_chances(first: float, decade: float, later: float) -> NDArray[np.float64]:
    """Shares of the classes of stays, from the yearly chances to leave.

    Parameters
    ----------
    first, decade, later : float
        In the first year, years 2-10 and years 11-20; who is still there stays longer.

    Returns
    -------
    ndarray (sojourn_class)

    Examples
    --------
    >>> of_chances(0.502, 0.202, 0.166).round(4)[[0, 1, -1]].tolist()
    [0.502, 0.1006, 0.0106]
    """
    years = np.repeat([first, decade, later], [1, FIRST_DECADE - 1, SINGLE_YEARS - FIRST_DECADE])
    still = np.append(1, np.cumprod(1 - years))
    return np.append(years * still[:-1], still[-1])


def around(year: float, width: float) -> NDArray[np.float64]:
    """Shares of departures by year: a bell about a year, and few in all others."""
    away = (np.arange(FIRST_YEAR, LAST_YEAR + 1) - year) / width
    share = np.exp(-0.5 * away**2) + 0.003
    return share / share.sum()


def paper() -> xr.Dataset:
    """The paper's estimates."""
    return as_truth()


def capps() -> xr.Dataset:
    """Stays as Capps et al. have them, for both kinds of migrants."""
    stays = of_chances(0.502, 0.202, 0.166)
    return _but(solitary_share=0.4, solitary_sojourn=stays, circular_sojourn=stays)


def ffk() -> xr.Dataset:
    """Stays as Fazel-Zarandi et al. have them, for both kinds of migrants."""
    stays = of_chances(0.40, 0.04, 0.01)
    return _but(solitary_share=0.5, solitary_sojourn=stays, circular_sojourn=stays)


def between() -> xr.Dataset:
    """Stays between the camps'; circular migrants stay shorter."""
    return _but(
        solitary_share=0.5,
        solitary_sojourn=of_chances(0.45, 0.10, 0.05),
        circular_sojourn=of_chances(0.50, 0.20, 0.10),
    )


def early() -> xr.Dataset:
    """The paper's stays; both kinds left early, and fewer and fewer leave again."""
    return _but(
        solitary_share=0.5,
        retirement_prob=0.25,
        solitary_departures=around(1992, 9),
        rookie_departures=around(1988, 8),
        repeat_prob=np.append(0, np.linspace(0.30, 0.12, LAST_YEAR - FIRST_YEAR)),
    )


def alike() -> xr.Dataset:
    """Both kinds left in the same years, so that only stays tell them apart."""
    return _but(
        solitary_share=0.7,
        retirement_prob=0.45,
        solitary_departures=around(1999, 8),
        rookie_departures=around(1999, 8),
        repeat_prob=np.append(0, np.full(LAST_YEAR - FIRST_YEAR, 0.15)),
        solitary_sojourn=of_chances(0.25, 0.08, 0.04),
        circular_sojourn=of_chances(0.45, 0.25, 0.10),
    )


TRUTHS: dict[str, Callable[[], xr.Dataset]] = {
    each.__name__: each for each in (paper, capps, ffk, between, early, alike)
}


def _but(**others: float | NDArray[np.float64]) -> xr.Dataset:
    """The shipped truth with other values of some names."""
    shipped = {str(name): array.values for name, array in as_truth().items()}
    return as_truth({**shipped, **others})
