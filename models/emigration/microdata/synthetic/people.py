"""Who the synthetic persons are: covariates distributed about as the report's samples are.

The numbers are round and invented; they follow the counts below the report's Tables 1 and 2
and what is known of the foreign born of around 2000.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.models.emigration.microdata.ipums.panel import COLUMNS
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

OLDEST = 90  # nobody is older: AGE's top code until 2002
FIRST_SHARE, CHILD_SHARE = 0.614, 0.067  # foreign born of all; children of the foreign born
PARENT_AGES = (20, 54)
MIXED = 0.15  # adults in a household of the other generation

# Of 100 adults of first, second and third generation: Mexican and male
MEXICAN = {"first": 0.33, "second": 0.205, "third": 0.0}
MALE = {"first": (0.465, 0.532), "second": (0.474, 0.477), "third": (0.48, 0.48)}
# Not Mexican: shares of the other countries, in their order
OTHER_COUNTRY = {
    "first": (10.5, 4, 5, 4, 17, 19, 6.5, 5, 7, 3.5, 13, 3, 2.5),
    "second": (3, 13, 3, 1.5, 5.5, 60, 2.5, 1, 3, 1, 4, 1, 1.5),
    "third": (0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 100),
}
# Five-year age groups from 15-19 to 75+: others, Mexicans
AGE_SHARE = {
    "first": (
        (5, 9, 10.5, 11.5, 11.5, 11, 9, 8, 6.5, 5, 4.5, 3.5, 5),
        (8, 14, 15.5, 15, 13, 10.5, 7.5, 5, 3.5, 3, 2, 1.5, 1.5),
    ),
    "second": (
        (8, 7, 6, 6, 6, 6, 6, 6, 6, 6, 8, 10, 19),
        (17, 15, 12, 10, 9, 8, 6, 5, 4, 4, 4, 3, 3),
    ),
    "third": ((9, 8.5, 8.5, 9.5, 10, 10, 9.5, 8, 6.5, 5.5, 5, 4, 6),) * 2,
}
EDUCATION_SHARE = {
    "first": ((25, 26, 20, 29), (66, 20, 9, 5)),
    "second": ((20, 32, 23, 25), (30, 34, 26, 10)),
    "third": ((15, 34, 26, 25),) * 2,
}
MINOR_EDUCATION = (97, 3, 0, 0)  # below 18
RACE_SHARE = {
    "Mexico": (2, 0, 97, 1, 0),
    "Central America": (3, 4, 0, 93, 0),
    "North America": (95, 2, 0, 0, 3),
    "Cuba": (3, 1, 0, 96, 0),
    "Dominican Republic": (0, 5, 0, 95, 0),
    "Other Caribbean": (6, 45, 0, 45, 4),
    "Europe": (95, 1, 0, 3, 1),
    "China": (3, 0, 0, 0, 97),
    "India": (5, 0, 0, 0, 95),
    "Philippines": (4, 0, 0, 1, 95),
    "Korea": (3, 0, 0, 0, 97),
    "Other Asia": (20, 0, 0, 0, 80),
    "Africa": (35, 60, 0, 0, 5),
    "Other": (60, 5, 0, 5, 30),
}
THIRD_RACE = (78, 13, 4, 3, 2)
HEALTH_SHARE = ((35, 32, 24, 7, 2), (22, 28, 30, 14, 6), (12, 22, 33, 22, 11))  # -44, 45-64, 65+
# Ages 16 to 24, the only ones asked: per cent in high school, in college
IN_HIGH_SCHOOL = (85, 80, 45, 12, 4, 1, 1, 0, 0)
IN_COLLEGE = (1, 3, 25, 40, 40, 35, 30, 22, 18)


def panel(
    rng: np.random.Generator, persons: int, years: list[int], adults_together: int = 1
) -> pd.DataFrame:
    """Return persons eligible for follow-up, without what becomes of them.

    Sorted by household; ``parent_row`` is the row of a child's parent, ``head_row`` that of
    the household's first adult, ``just_came`` whether somebody came from abroad within the
    year.  They are dropped by `with_parents`.
    """
    first = round(FIRST_SHARE * persons)
    children = round(CHILD_SHARE * first)
    parts = [adults(rng, "first", first - children), adults(rng, "second", persons - first)]
    grown = stacked(parts)
    grown["year"] = rng.choice(years, len(grown))
    parent = _parents(rng, grown, children)
    table = stacked([grown, foreign_children(rng, grown.iloc[parent])])
    table["year"] = np.append(grown["year"], grown["year"].to_numpy()[parent]).astype(int)
    table = with_duration(table)

    row = np.arange(len(table))
    adult = np.append(row[: len(grown)], parent)  # oneself, or one's parent
    home = _households(grown, adults_together, rng)[adult]
    order = np.lexsort((adult, home))  # an adult, and then its children
    place = np.empty_like(row)
    place[order] = row
    table["parent_row"] = place[adult]
    table["serial"] = home + 1
    table = table.iloc[order].reset_index(drop=True)
    table["head_row"] = row - table.groupby("serial").cumcount().to_numpy()
    table["pernum"] = row - table["head_row"].to_numpy() + 1
    table["month"] = 3
    table["weight"] = weights(rng, table["oversample"].to_numpy(bool))
    return _parent_columns(table)


def _households(grown: pd.DataFrame, together: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Number the households of adults: each one's own, or from 1 to 2 ``together`` - 1 adults.

    They are of one year and mostly of one generation and country.
    """
    n = len(grown)
    if together == 1:
        return np.arange(n)
    generation = grown["generation"].cat.codes.to_numpy() ^ (rng.random(n) < MIXED)
    country = grown["country"].cat.codes.to_numpy()
    near = np.lexsort((rng.random(n), country, generation, grown["year"].to_numpy()))
    size = rng.integers(1, 2 * together, n)
    home = np.empty(n, np.int64)
    home[near] = np.repeat(np.arange(n), size)[:n]
    year = grown["year"].to_numpy()
    return np.unique(np.stack([year, home]), axis=1, return_inverse=True)[1].ravel()


def adults(
    rng: np.random.Generator,
    generation: str,
    n: int,
    *,
    country: Any = None,
    age: Any = None,
    sex: Any = None,
) -> pd.DataFrame:
    """Draw adults of a generation; country (codes), age and sex (codes) may be given."""
    if country is None:
        shares = np.array([0.0, *OTHER_COUNTRY[generation]])
        shares *= (1 - MEXICAN[generation]) / shares.sum()
        shares[0] = MEXICAN[generation]
        country = picked(rng, [shares], np.zeros(n, int))
    mexican = (np.asarray(country) == 0).astype(int)
    if age is None:
        age = ages(rng, picked(rng, AGE_SHARE[generation], mexican))
    if sex is None:
        sex = (rng.random(n) < np.array(MALE[generation])[mexican]).astype(int)
    age = np.asarray(age, int)
    stay = _stay(rng, age, mexican) if generation == "first" else np.zeros(n, int)
    race = _races(rng, generation, country)
    hispanic = np.isin(race.codes, [RACES.index("Mexican"), RACES.index("Hispanic")])
    return pd.DataFrame(
        {
            "age": age,
            "stay": stay,
            "generation": labelled(np.full(n, GENERATIONS.index(generation)), GENERATIONS),
            "country": labelled(country, list(COUNTRIES)),
            "sex": labelled(sex, SEXES),
            "citizen": _citizens(rng, generation, stay, mexican),
            "owner": rng.random(n) < _logistic(_ownership(generation, age, stay, mexican)),
            "enrolment": _enrolments(rng, age, generation, mexican),
            "education": _educations(rng, age, generation, mexican),
            "race": race,
            "health": _healths(rng, age),
            "oversample": rng.random(n) < np.where(hispanic, 0.20, 0.03),
        }
    )


def foreign_children(rng: np.random.Generator, parents: pd.DataFrame) -> pd.DataFrame:
    """Draw a child of 1-14, born abroad, for each parent; younger than it by 16 at least."""
    n = len(parents)
    most = np.minimum(14, parents["age"].to_numpy() - 16)
    age = 1 + (rng.random(n) * most).astype(int)
    native = (parents["generation"] != "first").to_numpy()
    own = (rng.random(n) * (age + 1)).astype(int)
    stay = np.where(native, own, np.minimum(parents["stay"], age))
    return minors(rng, parents, age, stay, "first")


def minors(
    rng: np.random.Generator, parents: pd.DataFrame, age: Any, stay: Any, generation: str
) -> pd.DataFrame:
    """Children below 15 of given ages with their parents' country, race and household."""
    n = len(parents)
    table = parents[["country", "race", "owner", "oversample"]].reset_index(drop=True)
    table["age"], table["stay"] = np.asarray(age, int), np.asarray(stay, int)
    table["generation"] = labelled(np.full(n, GENERATIONS.index(generation)), GENERATIONS)
    table["sex"] = labelled(rng.random(n) < 0.51, SEXES)
    naturalized = rng.random(n) < 0.1
    code = np.where(naturalized, 0, 1) if generation == "first" else np.full(n, 2)
    table["citizen"] = labelled(code, [*CITIZENS, ""])
    table["enrolment"] = labelled(np.full(n, 2), ENROLMENTS)
    table["education"] = labelled(np.zeros(n, int), EDUCATIONS)
    table["health"] = _healths(rng, np.asarray(age))
    return table


def with_duration(table: pd.DataFrame) -> pd.DataFrame:
    """Add what the survey would know: age group, origin, years in the US, duration.

    ``stay`` is the true number of full years in the US.  The survey records the interval of
    the year of immigration, so ``years_in_us`` counts from its last year and is never more
    than the age.
    """
    first = (table["generation"] == "first").to_numpy()
    year, age = table["year"].to_numpy(), table["age"].to_numpy()
    _, last = arrival_interval(year, year - table["stay"].to_numpy())
    known = np.minimum(year - last, age)
    duration = np.where(first, np.digitize(known, (5, 10)), 3)
    origin = np.array([ORIGINS.index(name) for name in COUNTRIES.values()])
    return table.assign(
        age_group=labelled(np.clip(age // 5 - 2, 0, 13), AGES),
        origin=labelled(origin[table["country"].cat.codes], ORIGINS),
        years_in_us=np.where(first, known, np.nan),
        duration=labelled(duration, [*DURATIONS, ""]),
        just_came=first & (table["stay"].to_numpy() == 0) & (age > 0),
    )


def arrival_interval(year: Any, arrival: Any) -> tuple[NDArray[Any], NDArray[Any]]:
    """First and last year of the interval in which the CPS of a year puts an arrival.

    Intervals of two years from 1980, of five from 1960, the 1950s, and all before; the last
    one ends with the survey's year and begins with the even year two or three years earlier.
    """
    year, arrival = np.asarray(year), np.asarray(arrival)
    recent = year - 2 - year % 2
    first = np.select(
        [arrival >= recent, arrival >= 1980, arrival >= 1960, arrival >= 1950],
        [recent, arrival // 2 * 2, arrival // 5 * 5, 1950],
        0,
    )
    last = np.select(
        [arrival >= recent, arrival >= 1980, arrival >= 1960, arrival >= 1950],
        [year, first + 1, first + 4, 1959],
        1949,
    )
    return first, last


def with_parents(table: pd.DataFrame) -> pd.DataFrame:
    """Add whether a child's parent was followed up; put the columns in their order."""
    followed = table["followed"].to_numpy()[table["parent_row"]]
    adult = (table["age_group"] != AGES[0]).to_numpy()
    table["parent_followed"] = pd.arrays.BooleanArray(followed, adult)
    return table[list(COLUMNS)]


def _parent_columns(table: pd.DataFrame) -> pd.DataFrame:
    """The covariates of a child's parent; nothing for adults."""
    adult = (table["age_group"] != AGES[0]).to_numpy()
    row = table["parent_row"].to_numpy()
    for name in ("pernum", "age"):
        values = table[name].to_numpy()[row].astype("int16")
        table[f"parent_{name}"] = pd.arrays.IntegerArray(values, adult)
    for name in ("generation", "age_group", "sex", "origin", "enrolment", "education"):
        column = table[name].cat
        codes = np.where(adult, -1, column.codes.to_numpy()[row])
        table[f"parent_{name}"] = pd.Categorical.from_codes(codes, column.categories)
    return table


def _parents(rng: np.random.Generator, grown: pd.DataFrame, children: int) -> NDArray[np.int64]:
    """Rows of the adults whose children are in the panel: mostly those who came lately."""
    youngest, oldest = PARENT_AGES
    first = (grown["generation"] == "first").to_numpy()
    age, stay = grown["age"].to_numpy(), grown["stay"].to_numpy()
    able = (age >= youngest) & (age <= oldest)
    chance = able * np.where(first, np.exp(-stay / 6), 0.01)
    return np.sort(rng.choice(len(grown), children, p=chance / chance.sum()))


def ages(rng: np.random.Generator, group: NDArray[np.int64]) -> NDArray[np.int64]:
    """Ages within five-year groups from 15-19; the last is open."""
    n = len(group)
    age = 15 + 5 * group + rng.integers(0, 5, n)
    old = group == len(AGES) - 2  # the adults' groups begin with the second
    age[old] = np.minimum(75 + rng.exponential(6.0, int(old.sum())).astype(int), OLDEST)
    return age


def weights(rng: np.random.Generator, oversample: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Persons represented: unequal, and half as many for the oversample."""
    weight = 1500 * np.exp(rng.normal(0, 0.35, len(oversample))) * np.where(oversample, 0.5, 1.0)
    return np.round(weight, 4)


def _stay(rng: np.random.Generator, age: Any, mexican: Any) -> NDArray[np.int64]:
    """Full years in the US: the older the longer, Mexicans shorter, never above the age."""
    mean = 6 + np.where(mexican == 1, 0.42, 0.50) * (age - 15)
    return np.minimum(rng.gamma(1.5, mean / 1.5), age).astype(int)


def _citizens(rng: np.random.Generator, generation: str, stay: Any, mexican: Any) -> Any:
    n = len(stay)
    if generation != "first":
        return labelled(np.full(n, 2), [*CITIZENS, ""])
    naturalized = rng.random(n) < _logistic(-3.2 + 0.16 * np.minimum(stay, 25) - 0.9 * mexican)
    return labelled(np.where(naturalized, 0, 1), [*CITIZENS, ""])


def _ownership(generation: str, age: Any, stay: Any, mexican: Any) -> Any:
    """Logit of living in an owned home."""
    if generation == "first":
        return -0.9 + 0.06 * np.minimum(stay, 25) + 0.01 * (age - 40) - 0.2 * mexican
    return 0.7 + 0.025 * (age - 45)


def _enrolments(rng: np.random.Generator, age: Any, generation: str, mexican: Any) -> Any:
    """Enrolment, asked at ages 16-24 only; Mexicans born abroad are half as often enrolled."""
    asked = (age >= 16) & (age <= 24)
    at = np.where(asked, age - 16, 0)
    half = np.where((generation == "first") & (mexican == 1), 0.5, 1.0) * asked
    school = np.array(IN_HIGH_SCHOOL)[at] * half / 100
    college = np.array(IN_COLLEGE)[at] * half / 100
    drawn = rng.random(len(age))
    code = np.select([drawn < school, drawn < school + college], [0, 1], 2)
    return labelled(code, ENROLMENTS)


def _educations(rng: np.random.Generator, age: Any, generation: str, mexican: Any) -> Any:
    shares = [*EDUCATION_SHARE[generation], MINOR_EDUCATION]
    code = picked(rng, shares, np.where(age < 18, 2, mexican))
    code = np.where((age < 22) & (code == 3), 2, code)  # too young for a degree
    return labelled(code, EDUCATIONS)


def _races(rng: np.random.Generator, generation: str, country: Any) -> Any:
    shares = [THIRD_RACE] if generation == "third" else list(RACE_SHARE.values())
    return labelled(picked(rng, shares, country if len(shares) > 1 else country * 0), RACES)


def _healths(rng: np.random.Generator, age: Any) -> Any:
    return labelled(picked(rng, HEALTH_SHARE, np.digitize(age, (45, 65))), HEALTHS)


def picked(rng: np.random.Generator, shares: Any, group: Any) -> NDArray[np.int64]:
    """Draw a code for each person with the shares of its group."""
    drawn, group = rng.random(len(group)), np.asarray(group)
    code = np.empty(len(group), np.int64)
    for g, row in enumerate(shares):
        bounds = np.cumsum(np.asarray(row, float))
        where = group == g
        code[where] = np.searchsorted(bounds[:-1] / bounds[-1], drawn[where], side="right")
    return code


def labelled(codes: Any, labels: Sequence[str]) -> pd.Categorical:
    """Codes as labels."""
    return pd.Categorical.from_codes(np.asarray(codes).astype("int8"), dtype=_dtype(tuple(labels)))


@functools.cache
def _dtype(labels: tuple[str, ...]) -> pd.CategoricalDtype:
    """One type for the same labels: making a thousand of them takes longer than the draws."""
    return pd.CategoricalDtype(list(labels))


def stacked(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Stack tables whose labels are the same."""
    return pd.concat(parts, ignore_index=True)


def _logistic(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))
