"""A SYNTHETIC survey of addresses: households come, are interviewed twice, and go.

An address enters in months-in-sample 1-4 of one year and is visited again, in months
5-8, the next.  Whoever still lives there and is found is followed up; where everybody has
gone there are new occupants.  Tables have the columns of `people`, and besides
``address``, ``order`` (place in the household: householder 0, spouse 1, children) and
``line`` (of the roster, part of the id).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.errors import StudyError
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.microdata.levels import ENROLMENTS, GENERATIONS, SEXES
from bayesmig.models.emigration.microdata.synthetic import people as people_of
from bayesmig.models.emigration.microdata.synthetic.chances import PARENT_COVARIATES, hazards, lots
from bayesmig.models.emigration.microdata.synthetic.people import OLDEST

HOUSEHOLDERS = (40, 25, 35)  # of 100: first, second, third generation
MARRIED, ALIKE = 0.6, 0.85  # householders from 20 years; spouses of the same generation
MOST = 40_000  # addresses a year: SERIAL has five digits, and as many are in their second year
OUTLYING, AMERICAN_ABROAD = 0.02, 0.01  # of the third generation: born there
NO_PARENT = 0.04  # children below 15 whose parents live elsewhere
REOCCUPIED = 0.9  # addresses with new occupants, of those that everybody has left
JOINED = 0.15  # households that somebody joins, of those that somebody has left
OLDER = (5, 90, 5)  # of 100: 0, 1 or 2 years older at the second interview, as reported
NATIVE = -1  # country of a parent born in the US
NEWCOMER = 1000  # order of those who join a household


@dataclass(frozen=True)
class Survey:
    """What was recorded, and what became of those in months 1-4.

    Attributes
    ----------
    records : DataFrame
        Persons of all years as interviewed: covariates, ``weight``, ``year``, ``serial``,
        ``pernum``, ``month_in_sample``, ``cpsidp``, ``residence`` (where a year ago: same,
        moved, abroad or nothing), ``mother`` and ``father`` (pernum or 0),
        ``mother_country`` and ``father_country`` (codes), ``detail`` and ``house`` (a
        person's and a household's number that picks a code where a label has several).
    fates : DataFrame
        ``year``, ``serial``, ``pernum``, ``fate``, ``id_coincidence`` ("", "sex", "age")
        of everybody in months 1-4 whose address was visited again.
    """

    records: pd.DataFrame
    fates: pd.DataFrame


def survey(
    truth: Mapping[str, Any], households: int, years: list[int], rng: np.random.Generator
) -> Survey:
    """Interview ``households`` new addresses a year, and those of the year before again.

    Raises
    ------
    StudyError
        For no household, or more than SERIAL can number.
    """
    if not 1 <= households <= MOST:
        raise StudyError(f"households={households}; valid: 1 to {MOST:,} addresses a year")
    records, fates = [], []
    again = _arrived(rng, truth, years[0], households, 4, years[0] - 1)
    for year in years:
        fresh = _arrived(rng, truth, year, households, 0, year)
        interviewed = _numbered(pd.concat([again, fresh], ignore_index=True), rng)
        records.append(interviewed)
        if year == years[-1]:
            break
        now = interviewed[interviewed["month_in_sample"] <= 4].reset_index(drop=True)
        fate = _fates(now, truth, rng)
        again, coincidence = _revisited(now, fate, truth, rng)
        ids = now[["year", "serial", "pernum"]]
        fates.append(ids.assign(fate=fate, id_coincidence=coincidence))
    return Survey(pd.concat(records, ignore_index=True), pd.concat(fates, ignore_index=True))


# Households


def _arrived(
    rng: Any, truth: Mapping[str, Any], year: int, households: int, later: int, entered: int
) -> pd.DataFrame:
    """Return the people of addresses new to us; ``later`` is 4 for those in months 5-8."""
    people = _households(rng, households, year)
    month = rng.integers(1, 5, households)[people["address"]] + later
    people = people.assign(month_in_sample=month)
    people["cpsidp"] = _ids(people, entered, households)
    people["residence"] = _remembered(people, truth, rng)
    return people


def _households(rng: Any, households: int, year: int) -> pd.DataFrame:
    """Householders, spouses and children, sorted by address and ``order``."""
    generation = people_of.picked(rng, [HOUSEHOLDERS], np.zeros(households, int))
    parts = [
        _lone(rng, people_of.adults(rng, name, int((generation == g).sum())))
        for g, name in enumerate(GENERATIONS)
    ]
    heads = people_of.stacked(parts).assign(address=np.argsort(generation, kind="stable"))
    heads = heads.sort_values("address", ignore_index=True)
    spouses = _spouses(rng, heads)
    children = _children(rng, heads, spouses)
    people = people_of.stacked([heads.assign(order=0), spouses.assign(order=1), children])
    people = people.sort_values(["address", "order"], kind="stable", ignore_index=True)
    people["order"] = people.groupby("address").cumcount()
    head = heads.iloc[people["address"]]
    for name in ("owner", "oversample"):
        people[name] = head[name].to_numpy()
    people = people.assign(
        year=year,
        line=people["order"] + 1,
        detail=rng.random(len(people)),
        house=rng.random(households)[people["address"]],
    )
    return people_of.with_duration(people)


def _lone(rng: Any, people: pd.DataFrame) -> pd.DataFrame:
    """Adults whose parents live elsewhere: where these, and a few others, were born."""
    n = len(people)
    first, second, third = ((people["generation"] == g).to_numpy() for g in GENERATIONS)
    country = people["country"].cat.codes.to_numpy().astype(int)
    which = people_of.picked(rng, [(55, 25, 20)], np.zeros(n, int))  # both, mother, father
    odd = np.where(third, rng.random(n), 1.0)
    return people.assign(
        mother_order=-1,
        father_order=-1,
        mother_country=np.where(first | (second & (which != 2)), country, NATIVE),
        father_country=np.where(first | (second & (which != 1)), country, NATIVE),
        outlying=odd < OUTLYING,
        american_abroad=(odd >= OUTLYING) & (odd < OUTLYING + AMERICAN_ABROAD),
    )


def _spouses(rng: Any, heads: pd.DataFrame) -> pd.DataFrame:
    """Spouses, mostly of the householder's generation; of the same country where both have one."""
    married = heads[(heads["age"] >= 20) & (rng.random(len(heads)) < MARRIED)]
    alike = rng.random(len(married)) < ALIKE
    own = married["generation"].cat.codes
    generation = np.where(alike, own, rng.integers(0, 3, len(married)))
    parts = []
    for g, name in enumerate(GENERATIONS):
        theirs = married[generation == g]
        n = len(theirs)
        country = people_of.adults(rng, name, n)["country"].cat.codes.to_numpy()
        if name != "third":
            shared = theirs["country"].cat.codes.to_numpy()
            country = np.where(theirs["generation"] == "third", country, shared)
        age = np.clip(theirs["age"].to_numpy() + rng.normal(0, 4, n).astype(int), 18, OLDEST)
        sex = (theirs["sex"] == SEXES[0]).to_numpy().astype(int)
        spouse = people_of.adults(rng, name, n, country=country, age=age, sex=sex)
        parts.append(_lone(rng, spouse.assign(address=theirs["address"].to_numpy())))
    return people_of.stacked(parts)


def _children(rng: Any, heads: pd.DataFrame, spouses: pd.DataFrame) -> pd.DataFrame:
    """Children to 22 years of the householder and, if there is one, the spouse.

    With a parent born abroad, a child older than that parent's stay was born abroad too,
    others are the second generation.  Where no parent was born abroad it is the third.
    """
    able = ((heads["age"] >= 20) & (heads["age"] <= 58)).to_numpy()
    mean = able * np.where(heads["country"] == "Mexico", 1.5, 1.0)
    head = heads.iloc[np.repeat(np.arange(len(heads)), np.minimum(rng.poisson(mean), 6))]
    head = head.reset_index(drop=True)
    spouse = spouses.set_index("address").reindex(head["address"]).reset_index(drop=True)
    youngest = np.fmin(head["age"], spouse["age"]).to_numpy()
    age = (rng.random(len(head)) * np.minimum(23, youngest - 15)).astype(int)

    head_first, spouse_first = ((t["generation"] == "first").to_numpy() for t in (head, spouse))
    foreign = head_first | spouse_first
    stay = np.where(head_first, head["stay"], spouse["stay"].fillna(0)).astype(int)
    generation = np.select([foreign & (age > stay), foreign], [0, 1], 2)
    like = head.copy()  # whose country and race the child has
    for name in ("country", "race"):
        codes = np.where(~head_first & spouse_first, spouse[name].cat.codes, head[name].cat.codes)
        like[name] = people_of.labelled(codes, list(head[name].cat.categories))

    parts = []
    for g, name in enumerate(GENERATIONS):
        small, grown = ((generation == g) & (b) for b in (age < 15, age >= 15))
        country = like["country"].cat.codes.to_numpy()[grown]
        old = people_of.adults(rng, name, int(grown.sum()), country=country, age=age[grown])
        old["stay"] = stay[grown] if name == "first" else 0
        young = people_of.minors(rng, like[small], age[small], stay[small], name)
        parts += [young.assign(row=np.flatnonzero(small)), old.assign(row=np.flatnonzero(grown))]
    people = people_of.stacked(parts)
    row = people.pop("row").to_numpy()
    born = [
        _born_abroad(t, first)[row] for t, first in ((head, head_first), (spouse, spouse_first))
    ]
    paired = spouse["age"].notna().to_numpy()[row]
    born[1] = np.where(paired, born[1], born[0])  # an absent parent, where the present one was
    place = [np.zeros(len(row), int), np.where(paired, 1, -1)]
    alone = (people["age"] < 15).to_numpy() & (rng.random(len(row)) < NO_PARENT)
    fathered = (head["sex"] == "Male").to_numpy()[row]
    return people.assign(
        address=head["address"].to_numpy()[row],
        order=2,
        mother_order=np.where(alone, -1, np.where(fathered, place[1], place[0])),
        father_order=np.where(alone, -1, np.where(fathered, place[0], place[1])),
        mother_country=np.where(fathered, born[1], born[0]),
        father_country=np.where(fathered, born[0], born[1]),
        outlying=False,
        american_abroad=False,
    )


def _born_abroad(people: pd.DataFrame, first: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Country (code) of those born abroad, `NATIVE` for others."""
    return np.where(first, people["country"].cat.codes, NATIVE).astype(int)


def _ids(people: pd.DataFrame, entered: int, households: int) -> NDArray[np.int64]:
    """CPSIDP: year and month of the first interview, household, line; 0 in the oversample.

    Households that enter in months 5-8 are numbered after those that enter in months 1-4.
    """
    month = people["month_in_sample"].to_numpy()
    months = 12 * entered + 2 - (month - 1) % 4  # counted from 0: March is month 2
    household = 1 + people["address"].to_numpy() + np.where(month > 4, households, 0)
    ids = (months // 12 * 100 + months % 12 + 1) * 10**8 + household * 100 + people["line"]
    return np.where(people["oversample"], 0, ids).astype(np.int64)


# A year ago, and the year ahead


def _remembered(people: pd.DataFrame, truth: Mapping[str, Any], rng: Any) -> Any:
    """Where everybody lived a year ago: "same" house, "moved", "abroad", "" for infants.

    Lots are shared as for fates; those without a probability lived where their leader did.
    """
    leader, own = _leaders(people)
    hazard = _hazards(people, truth, leader, own)
    moved, back = np.zeros(len(people), bool), np.zeros(len(people), bool)
    moved[own] = _lots(own, leader, people, truth, rng)[own] < hazard["moved"]
    back[own] = rng.random(own.sum()) < np.nan_to_num(hazard["returned"])
    came = people["just_came"].to_numpy()
    code = np.select([came | (own & back), moved], [2, 1], 0)
    code = np.where(own | came, code, code[leader])
    return np.where(people["age"] == 0, "", np.array(["same", "moved", "abroad"], object)[code])


def _fates(now: pd.DataFrame, truth: Mapping[str, Any], rng: Any) -> Any:
    """Return everybody's fate; those without probabilities share their leader's."""
    leader, own = _leaders(now)
    hazard = _hazards(now, truth, leader, own)
    code = np.zeros(len(now), int)
    code[own] = lots(hazard, truth, _lots(own, leader, now, truth, rng)[own])
    return np.array(FATES, object)[np.where(own, code, code[leader])]


def _leaders(people: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Row of a child's parent, or else of the householder; and who has probabilities of its own.

    These are adults, and foreign-born children from 1 year with a parent of the first or
    second generation in the household: the mother, or else the father.
    """
    row = np.arange(len(people))
    head = row - people["order"].to_numpy()
    native = (people["generation"] == "third").to_numpy()
    leader, parented = head.copy(), np.zeros(len(people), bool)
    for name in ("father_order", "mother_order"):  # the mother last: she comes before him
        order = people[name].to_numpy()
        place = head + np.maximum(order, 0)
        usable = (order >= 0) & ~native[place]
        leader = np.where(usable, place, leader)
        parented |= usable
    age = people["age"].to_numpy()
    first = (people["generation"] == "first").to_numpy()
    return np.where(age < 15, leader, head), (age >= 15) | (first & parented & (age >= 1))


def _hazards(people: pd.DataFrame, truth: Mapping[str, Any], leader: Any, own: Any) -> Any:
    """Probabilities of those who have their own."""
    frame = people[own].reset_index(drop=True)
    parent = people.iloc[leader[own]].reset_index(drop=True)
    names = ("generation", *PARENT_COVARIATES)
    return hazards(frame.assign(**{f"parent_{n}": parent[n] for n in names}), truth)


def _lots(own: Any, leader: Any, people: pd.DataFrame, truth: Mapping[str, Any], rng: Any) -> Any:
    """A lot (person) between 0 and 1, for some the same as the leader's.

    Adults first: a child may have its mother's lot, and she the householder's.
    """
    child = own & (people["age"] < 15).to_numpy()
    lot, chance = rng.random(len(people)), rng.random(len(people))
    for group, name in (
        (own & ~child, "adult_with_householder"),
        (child, "child_with_parent"),
    ):
        lot = np.where(group & (chance < truth["survey"][name]), lot[leader], lot)
    return lot


# The second interview


def _revisited(
    now: pd.DataFrame, fate: Any, truth: Mapping[str, Any], rng: Any
) -> tuple[pd.DataFrame, Any]:
    """Interview the addresses a year later; also say who has been mistaken for another.

    Where everybody has gone and nobody was merely missed, others have mostly moved in; what
    is left of a household is sometimes joined by somebody.  Now and then somebody is
    interviewed under the id of a person who has gone.
    """
    address = now["address"].to_numpy()
    followed = fate == "followed"
    addresses = int(address.max()) + 1
    staying, missed, gone = (
        np.bincount(address, of, addresses) > 0 for of in (followed, fate == "lost", ~followed)
    )
    empty = np.flatnonzero(~staying & ~missed & (rng.random(addresses) < REOCCUPIED))
    joined = np.flatnonzero(staying & gone & (rng.random(addresses) < JOINED))
    at_risk = ~followed & ~now["oversample"].to_numpy() & (now["age"] > 0).to_numpy()
    taken = at_risk & (rng.random(len(now)) < truth["survey"]["id_coincidence"])
    impostors, kind = _impostors(rng, now, now[taken])
    coincidence = np.full(len(now), "", object)
    coincidence[taken] = kind
    later = people_of.stacked(
        [
            _older(now[followed], rng),
            _occupants(rng, now, empty),
            _newcomers(rng, now, joined),
            impostors,
        ]
    )
    return later.sort_values(["address", "order"], ignore_index=True), coincidence


def _older(stayers: pd.DataFrame, rng: Any) -> pd.DataFrame:
    """Those followed up: in the same house, older as they report it."""
    people = stayers.drop(columns=["serial", "pernum", "weight", "mother", "father"])
    age = people["age"] + people_of.picked(rng, [OLDER], np.zeros(len(people), int))
    asked = age.between(16, 24).to_numpy()
    enrolment = np.where(asked, people["enrolment"].cat.codes, len(ENROLMENTS) - 1)
    people = people.assign(
        age=np.minimum(age, OLDEST),
        stay=people["stay"] + (people["generation"] == "first"),
        year=people["year"] + 1,
        month_in_sample=people["month_in_sample"] + 4,
        enrolment=people_of.labelled(enrolment, ENROLMENTS),
        residence=np.where(age > 0, "same", ""),
    )
    return people_of.with_duration(people)


def _occupants(rng: Any, now: pd.DataFrame, addresses: Any) -> pd.DataFrame:
    """Households that have moved to these addresses within the year; their ids are new."""
    year = int(now["year"].iloc[0]) + 1
    people = _households(rng, len(addresses), year)
    people["address"] = addresses[people["address"]]
    people["month_in_sample"] = _months(now).loc[people["address"]].to_numpy()
    people["cpsidp"] = _ids(people, year, int(now["address"].max()) + 1)
    return people.assign(residence=_moved_in(people))


def _newcomers(
    rng: Any, now: pd.DataFrame, addresses: Any, age: Any = None, sex: Any = None
) -> pd.DataFrame:
    """Single adults of the first generation who have joined what is left of households."""
    n = len(addresses)
    people = _lone(rng, people_of.adults(rng, "first", n, age=age, sex=sex))
    shared = ["line", "owner", "oversample", "house", "cpsidp"]
    household = now.groupby("address")[shared].max().loc[addresses].reset_index()
    for name in ("address", "owner", "oversample", "house"):
        people[name] = household[name]
    line = household["line"] + 1
    people = people.assign(
        line=line,
        order=NEWCOMER + line,
        year=int(now["year"].iloc[0]) + 1,
        month_in_sample=_months(now).loc[addresses].to_numpy(),
        detail=rng.random(n),
        cpsidp=np.where(household["oversample"], 0, household["cpsidp"] // 100 * 100 + line),
    )
    people = people_of.with_duration(people)
    return people.assign(residence=_moved_in(people))


def _impostors(rng: Any, now: pd.DataFrame, gone: pd.DataFrame) -> tuple[pd.DataFrame, Any]:
    """Adults interviewed under the ids of people who have gone.

    Half are of the other sex; the others are 8 or more years older or, where that is 75 or
    more, below 45: no rule on ages or top code can take them for who has gone.
    """
    n = len(gone)
    other = rng.random(n) < 0.5
    age, sex = gone["age"].to_numpy(), gone["sex"].cat.codes.to_numpy()
    older = np.maximum(age + rng.integers(8, 25, n), 15)
    impossible = np.where(older < 75, older, rng.integers(18, 45, n))
    any_age = people_of.ages(rng, rng.integers(0, 10, n))
    people = _newcomers(
        rng,
        now,
        gone["address"].to_numpy(),
        age=np.where(other, any_age, impossible),
        sex=np.where(other, 1 - sex, sex),
    )
    line, ids = gone["line"].to_numpy(), gone["cpsidp"].to_numpy()
    people = people.assign(line=line, order=NEWCOMER + line, cpsidp=ids)
    return people, np.where(other, "sex", "age")


def _months(now: pd.DataFrame) -> pd.Series:
    """Month in sample of each address at the second interview."""
    return now.groupby("address")["month_in_sample"].first() + 4


def _moved_in(people: pd.DataFrame) -> Any:
    """Where those lived a year ago who have come to an address since."""
    return np.where(people["age"] == 0, "", np.where(people["just_came"], "abroad", "moved"))


def _numbered(people: pd.DataFrame, rng: Any) -> pd.DataFrame:
    """Number the households and persons of a year, point to parents, and weight.

    ``people`` are those of months 5-8 and then those of months 1-4, sorted by address.
    """
    home = people["address"] + (people["month_in_sample"] <= 4) * (people["address"].max() + 1)
    serial = 1 + np.cumsum(np.append(0, np.diff(home) != 0))
    people = people.assign(serial=serial, pernum=people.groupby(serial).cumcount() + 1)
    roster = people.set_index(["serial", "order"])["pernum"]
    for name in ("mother", "father"):
        key = pd.MultiIndex.from_arrays([serial, people[f"{name}_order"]])
        people[name] = roster.reindex(key).fillna(0).astype(int).to_numpy()
    return people.assign(weight=people_of.weights(rng, people["oversample"].to_numpy(bool)))
