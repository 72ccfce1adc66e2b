"""Persons to counts: who has the same covariates has the same probabilities.

The likelihood needs to know only how many persons share a pattern of covariates and how
many of them were followed up, had moved or had returned.  duckdb does the counting, on
disk if it must, so that the graph never sees a person and costs as much for a hundred
million persons as for their distinct patterns.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.attrs import pack
from bayesmig.errors import DataError, DataWarning, check_option
from bayesmig.models.emigration.microdata.counts import clustering
from bayesmig.models.emigration.microdata.counts.attributes import decoded
from bayesmig.models.emigration.microdata.ipums.flow import merged, reasons
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
HEALTH = "health_"  # of the table of adults by race and health: persons, whatever the weights
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
    counting = Counting(tuple(covariates), mortality, weights, citizens)
    return add([count(panel, counting)], counting)


@dataclass(frozen=True)
class Counting:
    """How persons are counted: the options of `collapse`.

    Raises
    ------
    StudyError
        For options that do not exist.
    """

    covariates: tuple[Covariate, ...] = COVARIATES
    mortality: Mortality = "own"
    weights: Weights = "counts"
    citizens: bool = False

    def __post_init__(self) -> None:
        check_option("weights", self.weights, get_args(Weights))
        check_option("mortality", self.mortality, get_args(Mortality))
        for name in self.covariates:
            check_option("covariates", name, COVARIATES)


@dataclass(frozen=True)
class Part:
    """Counts of a panel, which add up with those of others.

    Attributes
    ----------
    tables : list of DataFrame (pattern)
        Of each of `_tables`: covariates as labels, ``people``, ``events`` and ``weight``.
    persons : dict of str to int
        Of each generation.
    weights : DataFrame (generation)
        Sums of weights and of their squares.
    households : Sample
    years : list of int
    flow : DataFrame
    attrs : dict of str
    """

    tables: list[pd.DataFrame]
    persons: dict[str, int]
    weights: pd.DataFrame
    households: clustering.Sample
    years: list[int]
    flow: pd.DataFrame
    attrs: dict[str, str]


def count(panel: Panel, counting: Counting) -> Part:
    """Count the persons of a panel: what there is to know of it, without any person but a sample.

    Raises
    ------
    DataError
        For a panel without a generation.
    """
    connection = panel.connection
    connection.execute(PEOPLE)
    persons = _persons(connection)
    weights = connection.execute(
        "SELECT generation, sum(weight) AS total, sum(weight * weight) AS squares "
        "FROM counted GROUP BY 1 ORDER BY 1"
    ).df()
    return Part(
        [_counted(connection, table, counting) for table in _tables(counting)],
        persons,
        weights.set_index("generation"),
        clustering.sample(connection, clustering.PERSONS),
        _years(connection),
        panel.flow,
        panel.attrs,
    )


def add(parts: Sequence[Part], counting: Counting) -> xr.Dataset:
    """Add up the counts of panels of different years: what `collapse` returns of all of them."""
    scale = None
    if counting.weights == "effective":
        scale = pd.concat([part.weights for part in parts]).groupby(level=0).sum()
    tables = [
        _dataset(pd.concat(same, ignore_index=True), table, scale)
        for table, *same in zip(_tables(counting), *(part.tables for part in parts), strict=True)
    ]
    effects = clustering.of_samples(
        [part.households for part in parts],
        weighted=counting.weights == "effective",
        persons=clustering.PERSONS,
    )
    data = xr.merge(tables).assign(design_effect=effects)
    _warn_of_unasked(data)
    lost, attrs = merged([part.flow for part in parts]), dict(parts[0].attrs)
    years = sorted({year for part in parts for year in part.years})
    persons = {name: sum(part.persons[name] for part in parts) for name in parts[0].persons}
    return data.assign_attrs(
        {
            **attrs,
            "title": attrs.get("title", "panel"),
            "synthetic": int(bool(attrs.get("synthetic"))),
            "likelihood": _likelihood(scale),
            "mortality": counting.mortality,
            "left_out": reasons(lost),
            "persons": pack(persons),
            "years": pack(years),
            "flow": lost.to_json(orient="records"),
        }
    )


class _Table(NamedTuple):
    """One outcome, counted by its covariates.

    Attributes
    ----------
    prefix, dim : str
        Of the covariates' names; of the patterns.
    columns : tuple of str
    outcome, where : str
        What is counted, and of whom.
    generation : str or None
        Of whom; None: it is one of the columns.
    """

    prefix: str
    dim: str
    columns: tuple[str, ...]
    outcome: str
    where: str
    generation: str | None


def _dropped(counting: Counting) -> set[str]:
    """Covariates that are not told apart."""
    dropped = {str(name) for name in COVARIATES} - {*counting.covariates}
    if "country" in dropped:
        dropped.add("origin")
    if not counting.citizens:
        dropped.add("citizen")
    if counting.mortality == "marginal":
        dropped.update(OWN_HEALTH)
    return dropped


def _tables(counting: Counting) -> list[_Table]:
    """Each outcome by its covariates, and adults by race and health."""
    dropped = _dropped(counting)

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
        _Table("", "pattern", kept(*first), "followed", "generation = 'first'", "first"),
        _Table("native_", "native_pattern", kept(*second), "followed",
               "generation = 'second'", "second"),
        _Table("moved_", "moved_pattern", kept("generation", *ADULT), "moved",
               "moved IS NOT NULL AND NOT child", None),
        _Table("returned_", "returned_pattern", kept(*OWN), "returned",
               "returned IS NOT NULL AND generation = 'first'", "first"),
        _Table(HEALTH, "health_pattern",
               ("generation", "mexican", "age_group", "sex", *OWN_HEALTH), "followed",
               "NOT child", None),
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


def _counted(
    connection: duckdb.DuckDBPyConnection, table: _Table, counting: Counting
) -> pd.DataFrame:
    """Count one outcome by its covariates: persons, or the sum of their weights."""
    keys = ", ".join(table.columns)
    one = "weight" if counting.weights == "effective" and table.prefix != HEALTH else "1"
    return connection.execute(
        f"SELECT {keys}, sum({one})::DOUBLE AS people, "
        f"sum({one} * {table.outcome}::INTEGER)::DOUBLE AS events, sum(weight) AS weight "
        f"FROM counted WHERE {table.where} GROUP BY {keys} ORDER BY {keys}"
    ).df()


def _dataset(counts: pd.DataFrame, table: _Table, scale: pd.DataFrame | None) -> xr.Dataset:
    """Add up the counts of patterns, and scale weights to effective persons."""
    keys, sums = list(table.columns), ["people", "events", "weight"]
    added = counts.groupby(keys, sort=True, observed=True)[sums].sum().reset_index()
    if scale is not None and table.prefix != HEALTH:
        factor = scale.total / scale.squares
        whose = added["generation"] if table.generation is None else table.generation
        by = factor[whose].to_numpy() if table.generation is None else factor[whose]
        added[["people", "events"]] = added[["people", "events"]].mul(by, axis=0)
    prefix, dim = table.prefix, table.dim
    arrays: dict[str, Any] = {f"{prefix}people": (dim, added.people.to_numpy())}
    if prefix != HEALTH:
        events = f"{prefix}{table.outcome}" if prefix == "native_" else table.outcome
        arrays[events] = (dim, added.events.to_numpy())
    if not prefix:
        arrays["weight"] = (dim, added.weight.to_numpy())
    for column in keys:
        arrays[f"{prefix}{column}"] = _codes(added[column], column, dim)
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


def _likelihood(scale: pd.DataFrame | None) -> str:
    if scale is None:
        return "every person once"
    sizes = ", ".join(
        f"{name} generation {size:,.0f}" for name, size in (scale.total**2 / scale.squares).items()
    )
    return f"PSEUDO-LIKELIHOOD: persons weighted, scaled to effective sample sizes ({sizes})"
