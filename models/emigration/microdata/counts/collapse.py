"""Persons to counts: who has the same covariates has the same probabilities.

The likelihood needs to know only how many persons share a pattern of covariates and how
many of them were followed up, had moved or had returned.  duckdb does the counting, on
disk if it must, so that the graph never sees a person and costs as much for a hundred
million persons as for their distinct patterns.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.attrs import pack
from bayesmig.errors import DataError, DataWarning, check_option
from bayesmig.models.emigration.microdata.counts import clustering
from bayesmig.models.emigration.microdata.counts.attributes import decoded
from bayesmig.models.emigration.microdata.ipums.flow import reasons
from bayesmig.models.emigration.microdata.paper import (
    AGES,
    CITIZENS,
    COUNTRIES,
    DURATIONS,
    EDUCATIONS,
    ENROLMENTS,
    GENERATIONS,
    HEALTHS,
    ORIGINS,
    RACES,
    SEXES,
)

if TYPE_CHECKING:
    import duckdb

    from bayesmig.models.emigration.microdata.ipums.panel import Panel

LEVELS: dict[str, tuple[str, ...]] = {
    "generation": GENERATIONS,
    "mexican": ("Mexican", "Non-Mexican"),
    "country": tuple(COUNTRIES),
    "origin": ORIGINS,
    "age_group": AGES,
    "sex": SEXES,
    "duration": DURATIONS,
    "citizen": CITIZENS,
    "owner": ("Owner", "Renter", "Not asked"),
    "oversample": ("Oversample", "Main sample"),
    "enrolment": ENROLMENTS,
    "education": EDUCATIONS,
    "race": RACES,
    "health": (*HEALTHS, "Not asked"),
}
# What can be left out, for fewer patterns; everybody has the others: generation, age_group,
# sex and mexican.
Covariate = Literal["country", "duration", "year", "owner", "oversample", "enrolment", "education"]
COVARIATES: tuple[Covariate, ...] = get_args(Covariate)
Mortality = Literal["own", "marginal"]
Weights = Literal["counts", "effective"]
# A child is followed up, and moves, with its parent: these are the parent's for a child.
HOUSEHOLD_COVARIATES = (
    "generation",
    "mexican",
    "origin",
    "age_group",
    "sex",
    "enrolment",
    "education",
)
OWN = ("mexican", "country", "age_group", "sex", "duration", "year", "citizen")
SHARED = ("year", "owner", "oversample")
ADULT = ("mexican", "origin", "age_group", "sex", *SHARED, "enrolment")
OWN_HEALTH = ("race", "health")
PEOPLE = """
CREATE OR REPLACE TEMP VIEW counted AS
SELECT
    generation, country, origin, age_group, sex, duration, year, citizen, race, enrolment,
    education, followed, moved, returned, weight, month, serial,
    coalesce(health, 'Not asked') AS health,
    CASE WHEN owner THEN 'Owner' WHEN NOT owner THEN 'Renter' ELSE 'Not asked' END AS owner,
    CASE WHEN oversample THEN 'Oversample' ELSE 'Main sample' END AS oversample,
    age_group = '0-14' AS child,
    CASE WHEN origin = 'Mexico' THEN 'Mexican' ELSE 'Non-Mexican' END AS mexican,
    CASE WHEN coalesce(parent_origin, origin) = 'Mexico' THEN 'Mexican' ELSE 'Non-Mexican' END
        AS household_mexican,
    coalesce(parent_generation, generation) AS household_generation,
    coalesce(parent_origin, origin) AS household_origin,
    coalesce(parent_age_group, age_group) AS household_age_group,
    coalesce(parent_sex, sex) AS household_sex,
    coalesce(parent_enrolment, enrolment) AS household_enrolment,
    coalesce(parent_education, education) AS household_education
FROM person
"""


def collapse(
    panel: Panel,
    *,
    covariates: Sequence[Covariate] = COVARIATES,
    mortality: Mortality = "own",
    weights: Weights = "counts",
    citizens: bool = False,
) -> xr.Dataset:
    """Count the persons of a panel by pattern of covariates.

    Parameters
    ----------
    panel : Panel
        Linked and recoded persons.
    covariates : sequence of str
        Which of `COVARIATES` to tell apart; the formulas of the graph can have no others.
        The fewer, the fewer patterns there can be in ever more persons.
    mortality : {"own", "marginal"}
        Whether a person's chance to die is that of its own race and health, as in the
        report, or the mean over those found at its generation, origin (Mexican or not),
        age and sex.  The latter leaves race and health out of the patterns; since the
        chance to be followed up is linear in that to die, no approximation comes with it
        if race and health are independent of the other covariates at those.
    weights : {"counts", "effective"}
        What enters the likelihood.  ``counts``: every person once.  ``effective``: persons
        weighted, the weights scaled to the effective sample size (sum w)^2 / sum w^2 of
        each generation; the posterior is then a pseudo-posterior and says so.
    citizens : bool
        Keep naturalized persons and others apart, as the first row of Table 14 does; up to
        twice as many patterns.

    Returns
    -------
    Dataset
        Dims ``pattern`` (foreign born), ``native_pattern`` (second generation, adults),
        ``moved_pattern`` (adults of both), ``returned_pattern`` (foreign born) and
        ``health_pattern`` (adults of both).
        ``people`` and ``followed``, ``native_people`` and ``native_followed``,
        ``moved_people`` and ``moved``, ``returned_people`` and ``returned``: persons, or
        effective persons; ``health_people``: persons by race and health.  ``weight``
        (pattern): sum of the survey's weights, persons.  ``design_effect`` (observed): of
        households, see `clustering`.
        The covariates are integer codes (`attributes.labels`, `attributes.decoded`).
        Attributes: title, synthetic, left_out, likelihood, mortality, and what
        `attributes.persons`, `attributes.years` and `attributes.flow` read.

    Raises
    ------
    DataError
        For a panel without a generation.
    StudyError
        For options that do not exist.
    """
    check_option("weights", weights, get_args(Weights))
    check_option("mortality", mortality, get_args(Mortality))
    for name in covariates:
        check_option("covariates", name, COVARIATES)
    connection = panel.connection
    connection.execute(PEOPLE)
    persons = _persons(connection)
    scale = _scales(connection) if weights == "effective" else {}
    dropped = _dropped(covariates, mortality, citizens)
    effects = clustering.design_effects(connection, weighted=weights == "effective")
    data = xr.merge(_counted(connection, dropped, weights)).assign(design_effect=effects)
    _warn_of_unasked(data)
    return data.assign_attrs(
        {
            **panel.attrs,
            "title": panel.attrs.get("title", "panel"),
            "synthetic": int(bool(panel.attrs.get("synthetic"))),
            "likelihood": _likelihood(weights, scale),
            "mortality": mortality,
            "left_out": reasons(panel.flow),
            "persons": pack(persons),
            "years": pack(_years(connection)),
            "flow": panel.flow.to_json(orient="records"),
        }
    )


def _dropped(covariates: Sequence[Covariate], mortality: Mortality, citizens: bool) -> set[str]:
    """Covariates that are not told apart."""
    dropped = {str(name) for name in COVARIATES} - {*covariates}
    if "country" in dropped:
        dropped.add("origin")
    if not citizens:
        dropped.add("citizen")
    if mortality == "marginal":
        dropped.update(OWN_HEALTH)
    return dropped


def _counted(
    connection: duckdb.DuckDBPyConnection, dropped: set[str], weights: Weights
) -> list[xr.Dataset]:
    """Count each outcome by its covariates, and adults by race and health."""

    def kept(*names: str) -> tuple[str, ...]:
        return tuple(n for n in names if n.removeprefix("household_") not in dropped)

    first = (
        *OWN,
        *SHARED[1:],
        *OWN_HEALTH,
        *(f"household_{name}" for name in HOUSEHOLD_COVARIATES),
    )
    second = (*ADULT, "education", *OWN_HEALTH)
    return [
        _table(connection, "", "pattern", kept(*first), "followed",
               "generation = 'first'", weights),
        _table(connection, "native_", "native_pattern", kept(*second), "followed",
               "generation = 'second'", weights),
        _table(connection, "moved_", "moved_pattern", kept("generation", *ADULT), "moved",
               "moved IS NOT NULL AND NOT child", weights),
        _table(connection, "returned_", "returned_pattern", kept(*OWN), "returned",
               "returned IS NOT NULL AND generation = 'first'", weights),
        _table(connection, "health_", "health_pattern",
               ("generation", "mexican", "age_group", "sex", *OWN_HEALTH), "followed",
               "NOT child", "counts").drop_vars("followed"),
    ]  # fmt: skip


def _warn_of_unasked(data: xr.Dataset) -> None:
    """Say what was not asked, or not of everybody: a basic monthly survey lacks questions."""
    for outcome in ("moved", "returned"):
        if data.sizes[f"{outcome}_pattern"] == 0:
            warnings.warn(
                f"nobody says where they lived a year ago: {outcome} has nothing but its prior",
                DataWarning,
                stacklevel=3,
            )
    means = {
        "health": "they die as those in good health do",
        "owner": "they are a third kind beside owners and renters",
    }
    for name, then in means.items():
        variable = name if name in data else f"health_{name}"
        if variable not in data:
            continue
        people = data["people" if name in data else "health_people"].values
        unasked = people[decoded(data, variable) == "Not asked"].sum()
        if unasked:
            warnings.warn(
                f"{unasked:,.0f} of {people.sum():,.0f} persons have no {name}: {then}",
                DataWarning,
                stacklevel=3,
            )


def _years(connection: duckdb.DuckDBPyConnection) -> list[int]:
    rows = connection.execute("SELECT DISTINCT year FROM counted ORDER BY year").fetchall()
    return [int(year) for (year,) in rows]


def _persons(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    """Persons of each generation; both must be there."""
    rows = connection.execute(
        "SELECT generation, count(*) FROM counted GROUP BY 1 ORDER BY 1"
    ).fetchall()
    found = {str(name): int(count) for name, count in rows}
    for generation, whose in (("first", "foreign-born persons"), ("second", "second generation")):
        if not found.get(generation):
            raise DataError(
                f"the panel has no {whose}: {found or 'no persons'}; emigration is what the first "
                "generation loses beyond the second, so both are needed"
            )
    return found


def _scales(connection: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Effective sample size of each generation; puts the scaled weights into the view."""
    rows = connection.execute(
        "SELECT generation, sum(weight), sum(weight * weight) FROM counted GROUP BY 1 ORDER BY 1"
    ).fetchall()
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE scale AS SELECT generation, "
        "sum(weight) / sum(weight * weight) AS factor FROM counted GROUP BY 1"
    )
    return {str(name): total**2 / squares for name, total, squares in rows}


def _table(
    connection: duckdb.DuckDBPyConnection,
    prefix: str,
    dim: str,
    columns: tuple[str, ...],
    outcome: str,
    where: str,
    weights: Weights,
) -> xr.Dataset:
    """Count one outcome by its covariates."""
    keys = ", ".join(columns)
    one, source = "1", "counted"
    if weights == "effective":
        one, source = "weight * factor", "counted JOIN scale USING (generation)"
    table = connection.execute(
        f"SELECT {keys}, sum({one})::DOUBLE AS people, "
        f"sum({one} * {outcome}::INTEGER)::DOUBLE AS events, sum(weight) AS weight "
        f"FROM {source} WHERE {where} GROUP BY {keys} ORDER BY {keys}"
    ).df()
    events = f"{prefix}{outcome}" if prefix == "native_" else outcome
    names = {"people": f"{prefix}people", "events": events}
    arrays: dict[str, Any] = {new: (dim, table[old].to_numpy()) for old, new in names.items()}
    if not prefix:
        arrays["weight"] = (dim, table["weight"].to_numpy())
    for column in columns:
        arrays[f"{prefix}{column}"] = _codes(table[column], column, dim)
    return xr.Dataset(arrays)


def _codes(values: pd.Series, column: str, dim: str) -> tuple[str, np.ndarray, dict[str, str]]:
    """Integer codes of the labels that occur, in their usual order."""
    words = values.astype(str)
    there = set(words.unique())
    usual = LEVELS.get(column.removeprefix("household_"))
    order = sorted(there) if usual is None else [name for name in usual if name in there]
    strange = sorted(there - set(order))
    if strange:
        raise DataError(f"{column}: unknown {', '.join(strange)}; valid: {', '.join(usual or ())}")
    codes = pd.Categorical(words, categories=order).codes
    return dim, codes.astype("int16"), {"labels": pack(order)}


def _likelihood(weights: Weights, scale: dict[str, float]) -> str:
    if weights == "counts":
        return "every person once"
    sizes = ", ".join(f"{name} generation {size:,.0f}" for name, size in scale.items())
    return f"PSEUDO-LIKELIHOOD: persons weighted, scaled to effective sample sizes ({sizes})"
