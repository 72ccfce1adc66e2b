"""Persons for the report's estimator, and what it and the oracle's plain loops make of them."""

import math
from functools import cache

import numpy as np
import pandas as pd
from oracle import emigration_classical as oracle

from bayesmig.models.emigration.microdata.classical import ADULT_LEVELS, estimate
from bayesmig.models.emigration.microdata.levels import AGES

VARIANTS = ("text", "program")
COUNTRY_OF = {"Asia": ("Philippines", "Other Asia"), "Caribbean": ("Other Caribbean",)}


def simulated(seed=1, adults=3000, children=700, years=(1996, 1997), emigrated=0.06):
    """Persons who move, die, emigrate or are lost; nobody of the second generation emigrates."""
    rng = np.random.default_rng(seed)
    n = adults
    age = rng.integers(15, 90, n)
    first = rng.random(n) < 0.6
    origin = rng.choice(["Mexico", "Central America", "China", "Asia", "Europe"], n)
    people = pd.DataFrame(
        {
            "year": rng.choice(years, n),
            "month": 3,
            "serial": np.arange(n),
            "pernum": 1,
            "generation": np.where(first, "first", "second"),
            "age": age,
            "sex": rng.choice(["Female", "Male"], n),
            "origin": origin,
            "country": [rng.choice(COUNTRY_OF.get(name, (name,))) for name in origin],
            "duration": np.where(first, rng.choice(["0-4 yrs", "5-9 yrs", "10+ yrs"], n), ""),
            "owner": rng.random(n) < 0.5,
            "oversample": rng.random(n) < 0.2,
            "enrolment": rng.choice(["High school", "College", "Not enrolled"], n),
            "education": rng.choice(list(ADULT_LEVELS["education"]), n),
            "race": rng.choice(list(ADULT_LEVELS["race"]), n),
            "health": rng.choice(list(ADULT_LEVELS["health"]), n),
            "weight": rng.uniform(500, 3000, n).round(2),
            "parent_pernum": np.nan,
        }
    )
    gone = np.where(first, emigrated, 0.0)
    people["followed"] = rng.random(n) < (1 - gone) * (0.85 - 0.2 * (age < 35))
    people["moved"] = np.where(
        rng.random(n) < 0.05, np.nan, rng.random(n) < 0.05 + 0.2 * (age < 35)
    )
    people["returned"] = np.where(
        rng.random(n) < 0.02, np.nan, np.where(rng.random(n) < 0.04, 1.0, 0.0)
    )
    people.loc[~first, "returned"] = np.nan
    parents = people[people.age.between(20, 60)].head(children)
    young = parents.assign(
        pernum=2,
        parent_pernum=1,
        generation="first",
        age=rng.integers(1, 15, len(parents)),
        sex=rng.choice(["Female", "Male"], len(parents)),
        duration="5-9 yrs",
        returned=(rng.random(len(parents)) < 0.05).astype(float),
        followed=np.where(
            rng.random(len(parents)) < 0.4, rng.random(len(parents)) < 0.7, parents.followed
        ),
    )
    people = pd.concat([people, young], ignore_index=True)
    groups = np.array(AGES)
    people["age_group"] = groups[np.searchsorted(range(15, 80, 5), people.age, side="right")]
    return people.sample(frac=1, random_state=seed).set_index(pd.Index(range(10, 10 + len(people))))


def as_rows(people):
    """For the oracle: dicts, missing values None."""
    return [
        {key: None if isinstance(v, float) and math.isnan(v) else v for key, v in row.items()}
        for row in people.to_dict("records")
    ]


PEOPLE = simulated()


@cache
def result(variant):
    return estimate(PEOPLE, variant=variant)


@cache
def loops(variant):
    return oracle.estimate(as_rows(PEOPLE), variant)


def person(generation="first", **values):
    usual = {
        "year": 1996,
        "month": 3,
        "pernum": 1,
        "generation": generation,
        "age": 40,
        "age_group": "40-44",
        "sex": "Male",
        "country": "Mexico",
        "origin": "Mexico",
        "duration": "10+ yrs" if generation == "first" else "",
        "owner": True,
        "oversample": False,
        "enrolment": "Not enrolled",
        "education": "College graduate",
        "race": "Mexican",
        "health": "Excellent",
        "weight": 1.0,
        "followed": True,
        "moved": 0,
        "returned": 0,
        "parent_pernum": np.nan,
    }
    return usual | values


def ten_of_each():
    """Mexican men of 40, alike but for their weights and what became of them.

    First generation, eight persons of weight 1 and one of weight 2, sum 10: not followed
    up, weights 2 + 1 + 1 = 4; moved, weights 2 of 8 known (the weight of 2 is unknown).
    Second generation, ten: three not followed up, one moved.
    """
    rows = [person(followed=k >= 2, moved=int(k < 2)) for k in range(8)]
    rows.append(person(weight=2.0, followed=False, moved=np.nan))
    rows += [person("second", followed=k >= 3, moved=int(k < 1)) for k in range(10)]
    return pd.DataFrame(rows).assign(serial=range(len(rows)))
