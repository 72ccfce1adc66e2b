"""How much less the persons of a panel say than as many strangers would.

Persons of one household move, die, emigrate and are lost together.  The design effect is what
that does to the variance of a sum: residuals summed by household, squared, over residuals
squared (Kish 1965, chapter 5; Skinner, Holt and Smith 1989, chapter 2), where a residual is
an outcome less its linear regression on the covariates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Sample:
    """Whole households of a panel, for each outcome that the graph observes.

    Attributes
    ----------
    people : dict of str to DataFrame (person)
        Outcome, weight, year, month, serial and covariates of those sampled.
    persons : dict of str to int
        How many they are taken from.
    """

    people: dict[str, pd.DataFrame]
    persons: dict[str, int]


def design_effects(
    connection: duckdb.DuckDBPyConnection, *, weighted: bool, persons: int = PERSONS
) -> xr.DataArray:
    """Estimate the design effect (observed) of households on each outcome, at least 1.

    Parameters
    ----------
    connection : DuckDBPyConnection
        With the view ``counted`` of `collapse.count`.
    weighted : bool
        Whether persons enter the likelihood by weight.
    persons : int
        How many at most, about: every second, fourth, eighth, ... household by its number.

    Returns
    -------
    DataArray
        1 where nobody has the outcome, or everybody lives alone.
    """
    return of_samples([sample(connection, persons)], weighted=weighted, persons=persons)


def sample(connection: duckdb.DuckDBPyConnection, persons: int) -> Sample:
    """Take households; of several panels together, `of_samples` takes fewer of each."""
    found = {name: _persons(connection, *of, persons) for name, of in OBSERVED.items()}
    return Sample(
        {name: people for name, (people, _) in found.items()},
        {name: count for name, (_, count) in found.items()},
    )


def of_samples(samples: Sequence[Sample], *, weighted: bool, persons: int) -> xr.DataArray:
    """Estimate the design effects of panels together; the same as of one with all of them."""
    found = []
    for name in OBSERVED:
        step = _step(sum(each.persons[name] for each in samples), persons)
        whole = pd.concat([each.people[name] for each in samples], ignore_index=True)
        people = whole[whole.serial % step == 0]
        found.append(_design_effect(people, weighted))
    return xr.DataArray(found, {"observed": list(OBSERVED)}, "observed", name="design_effect")


def _step(count: int, most: int) -> int:
    """Every how manyth household: a power of two, so that a part's hold those of the whole."""
    return 1 << max(0, -(-count // most) - 1).bit_length()


def _persons(
    connection: duckdb.DuckDBPyConnection, outcome: str, where: str, most: int
) -> tuple[pd.DataFrame, int]:
    others = ", ".join(name for name in COVARIATES if name != "year")
    (count,) = connection.execute(f"SELECT count(*) FROM counted WHERE {where}").fetchone() or (0,)
    people = connection.execute(
        f"SELECT {others}, {outcome}::DOUBLE AS outcome, weight, year, month, serial "
        f"FROM counted WHERE {where} AND serial % {_step(count, most)} = 0 "
        "ORDER BY year, month, serial"
    ).df()
    for name in COVARIATES:
        if name != "year":
            people[name] = people[name].astype("category")
    return people, count


def _design_effect(people: pd.DataFrame, weighted: bool) -> float:
    if people.empty:
        return 1.0
    weight = people.weight.to_numpy() if weighted else np.ones(len(people))
    residual = weight * _residuals(people, weight)
    alone = (residual**2).sum()
    if alone <= 1e-12 * (weight**2).sum():  # everybody had the same outcome
        return 1.0
    household = people.groupby(["year", "month", "serial"]).ngroup()
    together = np.bincount(household.to_numpy(), residual)
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
