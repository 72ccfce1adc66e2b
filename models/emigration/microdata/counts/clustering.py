"""How much less the persons of a panel say than as many strangers would.

Persons of one household move, die, emigrate and are lost together.  The design effect is what
that does to the variance of a sum: residuals summed by household, squared, over residuals
squared (Kish 1965, chapter 5; Skinner, Holt and Smith 1989, chapter 2), where a residual is
an outcome less its linear regression on the covariates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

PERSONS = 200_000  # a sample of households is enough for a ratio
COVARIATES = (
    "country",
    "age_group",
    "sex",
    "duration",
    "year",
    "owner",
    "oversample",
    "household_generation",
    "household_age_group",
    "household_enrolment",
    "household_education",
)
OBSERVED = {  # what the graph observes: an outcome, and of whom
    "followed": ("followed", "generation = 'first'"),
    "native_followed": ("followed", "generation = 'second'"),
    "moved": ("moved", "moved IS NOT NULL AND NOT child"),
    "returned": ("returned", "returned IS NOT NULL AND generation = 'first'"),
}


def design_effects(
    connection: duckdb.DuckDBPyConnection, *, weighted: bool, persons: int = PERSONS
) -> xr.DataArray:
    """Estimate the design effect (observed) of households on each outcome, at least 1.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With the view ``counted`` of `collapse.collapse`.
    weighted : bool
        Whether persons enter the likelihood by weight.
    persons : int
        About how many at most: every so many households are left out, by their numbers.

    Returns
    -------
    DataArray
        1 where nobody has the outcome, or everybody lives alone.
    """
    found = [
        _design_effect(_persons(connection, outcome, where, persons), weighted)
        for outcome, where in OBSERVED.values()
    ]
    return xr.DataArray(found, {"observed": list(OBSERVED)}, "observed", name="design_effect")


def _persons(
    connection: duckdb.DuckDBPyConnection, outcome: str, where: str, most: int
) -> pd.DataFrame:
    names = ", ".join(COVARIATES)
    (count,) = connection.execute(f"SELECT count(*) FROM counted WHERE {where}").fetchone() or (0,)
    return connection.execute(
        f"SELECT {names}, {outcome}::DOUBLE AS outcome, weight, "
        "dense_rank() OVER (ORDER BY year, month, serial) - 1 AS household "
        f"FROM counted WHERE {where} AND serial % {1 + count // most} = 0 ORDER BY household"
    ).df()


def _design_effect(people: pd.DataFrame, weighted: bool) -> float:
    if people.empty:
        return 1.0
    weight = people.weight.to_numpy() if weighted else np.ones(len(people))
    residual = weight * _residuals(people, weight)
    alone = (residual**2).sum()
    if alone <= 1e-12 * (weight**2).sum():  # everybody had the same outcome
        return 1.0
    together = np.bincount(people.household.to_numpy(), residual)
    return max(1.0, float((together**2).sum() / alone))


def _residuals(people: pd.DataFrame, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Outcomes less their weighted linear regression on the covariates' levels."""
    dummies = pd.get_dummies(people[list(COVARIATES)].astype(str)).to_numpy(float)
    weighted = dummies.T * weight
    moments, residual = weighted @ dummies, people.outcome.to_numpy()
    for _ in range(2):  # once more for the digits that squaring loses
        slope = np.linalg.lstsq(moments, weighted @ residual, rcond=1e-10)[0]
        residual = residual - dummies @ slope
    return residual
