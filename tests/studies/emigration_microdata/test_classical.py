"""The report's own estimator on person records: step by step, and its claims."""

import math
from functools import cache

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from oracle import emigration_classical as oracle

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.microdata import classical
from bayesmig.models.emigration.microdata.classical import (
    B_HISPANIC,
    COMPONENTS,
    MORTALITY_TERMS,
    PUBLISHED,
    RAW,
    Classical,
    claims,
    estimate,
    implied_base,
    mortality_coefficients,
    repair,
    tables,
    weighted_logit,
)

VARIANTS = ("text", "program")
PRINTED = pd.read_csv(PUBLISHED / "cells.csv", keep_default_na=False)
COUNTRY_OF = {"Asia": ("Philippines", "Other Asia"), "Caribbean": ("Other Caribbean",)}
TERMS = {  # this module's component and the oracle's letter
    "emigration": "e",
    "mortality": "d",
    "internal_migration": "m",
    "non_follow_up": "r",
}


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
            "education": rng.choice(list(classical.ADULT_LEVELS["education"]), n),
            "race": rng.choice(list(classical.ADULT_LEVELS["race"]), n),
            "health": rng.choice(list(classical.ADULT_LEVELS["health"]), n),
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
    groups = np.array(classical.AGES)
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


# The whole, against plain loops


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_number_of_every_person_is_the_oracles(variant):
    people = result(variant).people
    rows = {(p["year"], p["serial"], p["pernum"]): p for p in loops(variant)}
    assert len(people) == len(rows) == (PEOPLE.generation == "first").sum()
    names = {"eerb": "eerb", "anf": "anf", "aim1": "aim1", "nm1": "nm1", "im1": "im1", "mo1": "mo1"}
    names |= {component: f"{letter}_final" for component, letter in TERMS.items()}
    names |= {"return_immigration": "ar", "net_emigration": "anet"}
    order = [rows[key] for key in zip(people.year, people.serial, people.pernum, strict=True)]
    for ours, theirs in names.items():
        expected = np.array([p[theirs] for p in order], dtype=float)
        np.testing.assert_allclose(people[ours], expected, atol=1e-9, err_msg=ours)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    ("by", "level"),
    [
        ([], ()),
        (["sex"], ("Female",)),
        (["mexican", "year"], ("Mexican", 1997)),
        (["age_group"], ("0-14",)),
        (["age10"], ("65+",)),
        (["country"], ("China",)),
    ],
)
def test_cells_are_the_oracles_weighted_means(variant, by, level):
    cells = result(variant).cells(by)
    people = result(variant).people
    wanted = np.ones(len(people), dtype=bool)
    for column, value in zip(by, level, strict=True):
        cells = cells[cells[column] == value]
        wanted &= (people[column] == value).to_numpy()
    keys = set(zip(*(people[wanted][k] for k in ("year", "serial", "pernum")), strict=True))
    members = [p for p in loops(variant) if (p["year"], p["serial"], p["pernum"]) in keys]
    expected = oracle.cell(members, variant)
    assert list(cells.component) == list(COMPONENTS)
    np.testing.assert_allclose(cells.estimate, [expected[c] for c in COMPONENTS], atol=1e-7)
    assert set(cells.persons) == {len(members)}
    assert cells.base.iloc[0] == pytest.approx(sum(p["weight"] for p in members))


def test_people_keep_their_index_and_columns_and_nobody_is_changed():
    before = PEOPLE.copy(deep=True)
    people = estimate(PEOPLE).people
    pd.testing.assert_frame_equal(PEOPLE, before)
    first = PEOPLE[PEOPLE.generation == "first"]
    assert list(people.index) == list(first.index)
    assert (people.serial.to_numpy() == first.serial.to_numpy()).all()
    assert set(PEOPLE) <= set(people)
    assert people.loc[people.age == 44, "age10"].unique() == ["35-44"]
    assert set(people.age10[people.age_group == "75+"]) == {"65+"}


def test_categories_and_nullable_columns_give_the_same():
    people = PEOPLE.astype({"sex": "category", "country": "category", "age_group": "category"})
    people = people.astype({"moved": "Int8", "returned": "boolean", "parent_pernum": "Int16"})
    for variant in VARIANTS:
        pd.testing.assert_frame_equal(
            tables(estimate(people, variant=variant)), tables(result(variant))
        )


# Equations 10-12, by hand


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


# Table 3, immigrants: -2.017 + 0.517 male + 0.336 Mexican - 3.324 (35-44) - 1.181 excellent
DEAD = 1 / (1 + math.exp(5.669))
# Table 3, natives: -1.711 + 0.531 + 0.044 - 3.149 - 1.711
DEAD_NATIVE = 1 / (1 + math.exp(5.996))


def test_adults_by_hand():
    people = estimate(ten_of_each()).people
    anf = 0.3 - 0.1 * (1 - DEAD_NATIVE) - DEAD_NATIVE
    eerb = (0.4 - 0.25 * (1 - DEAD) - DEAD - anf) / (1 - 0.25)
    expected = {"nm1": 0.4, "nm2": 0.3, "im1": 0.25, "im2": 0.1, "mo1": DEAD, "mo2": DEAD_NATIVE}
    expected |= {"anf": anf, "eerb": eerb, "aim1": 0.25 * (1 - eerb - DEAD)}
    for name, value in expected.items():
        np.testing.assert_allclose(people[name], value, rtol=1e-10, err_msg=name)
    # All alike: nothing to pull in; 4 of 10 carry everything, 10 / 4 as much; no rescaling.
    lost = people[~people.followed]
    np.testing.assert_allclose(lost.emigration, eerb * 10 / 4)
    np.testing.assert_allclose(lost.mortality, DEAD * 10 / 4)
    assert (people[people.followed][list(RAW)] == 0).all(axis=None)


def test_equation_11_gives_back_the_emigration_that_made_the_shares():
    # r = 0.1, m = 0.2 of those who stay, d as in Table 3 for both, e = 0.05:
    # u = m (1 - e - d) + d + e + r; the second generation's has e = 0.
    dead = mortality_coefficients("text").assign(estimate=0.0)
    dead.loc[dead.term == "intercept", "estimate"] = math.log(0.01 / 0.99)
    first, second = 0.2 * 0.94 + 0.01 + 0.05 + 0.1, 0.2 * 0.99 + 0.01 + 0.1
    rows = []
    for generation, u in (("first", first), ("second", second)):
        for followed, moved, weight in (
            (0, 1, u / 5),
            (0, 0, u * 4 / 5),
            (1, 0, (1 - u) * 4 / 5),
            (1, 1, (1 - u) / 5),
        ):
            rows.append(person(generation, followed=followed, moved=moved, weight=weight))
    people = pd.DataFrame(rows).assign(serial=range(len(rows)))
    np.testing.assert_allclose(estimate(people, mortality=dead).people.eerb, 0.05, rtol=1e-9)


def family(parent_generation):
    """Ten of each, and four children of one of them, two followed up; one more has no parent."""
    people = ten_of_each()
    serial = 0 if parent_generation == "first" else 9  # not followed up
    child = {"serial": serial, "parent_pernum": 1, "age": 7, "age_group": "0-14"}
    children = [
        person(**child, pernum=2 + k, followed=k >= 2, sex="Female" if k % 2 else "Male")
        for k in range(4)
    ]
    children.append(person(**child | {"parent_pernum": 9}, pernum=7))
    return pd.concat([people, pd.DataFrame(children)], ignore_index=True)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("parent_generation", ["first", "second"])
def test_children_by_hand(variant, parent_generation):
    done = estimate(family(parent_generation), variant=variant)
    children = done.people[done.people.age < 15]
    assert len(children) == 4
    # The child whose parent_pernum leads to nobody is left out, and counted.
    assert done.log[done.log.step == "children"].persons.item() == 1
    parent = done.people[done.people.age >= 15].anf.iloc[0]
    if parent_generation == "second":
        # Covariates are all alike, so a second-generation parent has the same r^s in the
        # text; in the program it has none, since Appendix F computes it "if asamp".
        parent = parent if variant == "text" else 0.0
    # The parent's moving, with first-generation coefficients whatever its generation.
    np.testing.assert_allclose(children.im1, 0.25)
    np.testing.assert_allclose(children.nm1, 0.5)
    np.testing.assert_allclose(children.anf, parent, rtol=1e-10)
    np.testing.assert_allclose(children.eerb, (0.5 - 0.25 - parent) / 0.75, rtol=1e-10)
    assert (children.mo1 == 0).all()
    assert (children.mortality == 0).all()
    sexes = {"text": ["Female", "Male"], "program": ["both"]}[variant]
    ages = {"text": "0-14", "program": "5-9"}[variant]
    assert sorted(set(children.group)) == [f"Mexico | {ages} | {sex}" for sex in sexes]


def test_parents_of_a_third_generation_are_not_in_the_panel_and_their_children_go():
    people = family("first")
    people.loc[people.age < 15, "serial"] = 99
    done = estimate(people)
    assert (done.people.age >= 15).all()
    assert done.log[done.log.step == "children"].persons.item() == 5


@pytest.mark.parametrize(
    ("variant", "changes", "log_odds"),
    [
        # Table 3: -2.017 + 0.517 + 0.336 - 3.984 - 1.181; nobody of 17 in the survey
        ("text", {"age": 17}, -6.329),
        # 0.336 is for Mexicans by ethnicity, wherever they were born
        ("text", {"origin": "Mexico", "race": "White"}, -2.017 + 0.517 + 0.230 - 3.324 - 1.181),
        ("text", {"age": 80, "health": "Poor"}, -2.017 + 0.517 + 0.336),
        ("text", {"age": 29, "health": "Fair"}, -2.017 + 0.517 + 0.336 - 3.722 - 0.586),
        # Appendix F: 29 is in a1 (18-29), Fair is -0.5822
        ("program", {"age": 29, "health": "Fair"}, -2.0172 + 0.5172 + 0.3359 - 3.9841 - 0.5822),
        ("program", {"age": 17}, -2.0172 + 0.5172 + 0.3359 - 3.9841 - 1.1810),
        # born in Mexico and white: both coefficients
        ("program", {"race": "White"}, -2.0172 + 0.5172 + 0.3359 + 0.2304 - 3.3239 - 1.1810),
        # born in Mexico and "other Hispanic": the first only
        ("program", {"race": "Hispanic"}, -2.0172 + 0.5172 + 0.3359 - 3.3239 - 1.1810),
        ("program", {"age": 75}, -2.0172 + 0.5172 + 0.3359 - 0.9944 - 1.1810),
        ("program", {"age": 80}, -2.0172 + 0.5172 + 0.3359 - 1.1810),
    ],
)
def test_mortality_by_hand(variant, changes, log_odds):
    people = ten_of_each()
    for column, value in changes.items():
        people[column] = value
    got = estimate(people, variant=variant).people.mo1
    np.testing.assert_allclose(got, 1 / (1 + math.exp(-log_odds)), rtol=1e-10)


def test_in_the_program_mexican_is_who_was_born_there():
    people = ten_of_each().assign(origin="Central America", country="Central America")
    by_birth = estimate(people, variant="program").people.mo1
    by_race = estimate(people, variant="text").people.mo1
    expected = 1 / (1 + math.exp(-(-2.0172 + 0.5172 - 3.3239 - 1.1810)))
    np.testing.assert_allclose(by_birth, expected, rtol=1e-10)
    np.testing.assert_allclose(by_race, DEAD, rtol=1e-10)


# The repairs, by hand


def raw(group="A", age=30, **columns):
    frame = pd.DataFrame({"weight": 1.0, **columns})
    frame["followed"] = frame.followed.astype(bool)
    return frame.assign(group=group, age=age)


def repaired(people, variant):
    """What the claims are checked on: the repaired persons without the logits before."""
    columns, log = repair(people, variant)
    people = people.assign(**columns, non_match=1.0 - people.followed)
    return Classical(people, pd.DataFrame(), log, variant)


# Two followed up, two not, equal weights.
TEXT = raw(
    followed=[1, 1, 0, 0],
    eerb=[-0.1, 0.1, 0.2, 0.2],
    mo1=[0.01, 0.01, 0.01, 0.01],
    aim1=[0.1, 0.1, 0.1, 0.1],
    anf=[0.1, 0.1, 0.1, 0.1],
)


def test_the_texts_repairs_by_hand():
    done = repaired(TEXT, "text")
    people, log = done.people, done.log.set_index(["step", "component"])
    # x = 0.1, m = 0.2, n = -0.1: S = min(0.9 / 0.1, 0.1 / 0.2) = 0.5
    np.testing.assert_allclose(people.emigration_range, [0, 0.1, 0.15, 0.15], atol=1e-15)
    # sums 0.4 and, of those not followed, 0.3: times 4/3; the others 0.04 / 0.02, 0.4 / 0.2
    np.testing.assert_allclose(people.emigration_shift, [0, 0, 0.2, 0.2], atol=1e-15)
    np.testing.assert_allclose(people.mortality_shift, [0, 0, 0.02, 0.02])
    np.testing.assert_allclose(people.internal_migration_shift, [0, 0, 0.2, 0.2])
    # 0.02 + 0.2 + 0.2 = 0.42 must be 0.8
    np.testing.assert_allclose(people.mortality, [0, 0, 0.016 / 0.42, 0.016 / 0.42])
    np.testing.assert_allclose(people.non_follow_up, [0, 0, 0.16 / 0.42, 0.16 / 0.42])
    assert log.loc[("range", "emigration"), "scale"] == pytest.approx(0.5)
    assert log.loc[("range", "emigration"), "below"] == 1
    assert log.loc[("range", "emigration"), "low_before"] == pytest.approx(-0.1)
    assert log.loc[("range", "emigration"), "low_after"] == 0
    assert log.loc[("range", "emigration"), "mean_after"] == pytest.approx(0.1)
    assert log.loc[("shift", "emigration"), "ratio"] == pytest.approx(4 / 3)
    found = claims(done).set_index("check")
    assert found.holds.all(), found.detail[~found.holds]


PROGRAM = raw(
    followed=[1, 1, 0, 0],
    eerb=[-0.1, 0.1, 0.1, 0.3],
    mo1=[0.01, 0.01, 0.01, 0.03],
    aim1=[0.1, 0.1, 0.1, 0.2],
    anf=[0.1, 0.1, 0.2, 0.1],
)


def test_the_programs_repairs_by_hand():
    people = repaired(PROGRAM, "program").people
    # Shift: 0.4 / 0.4, 0.06 / 0.04, 0.5 / 0.3, 0.5 / 0.3.
    np.testing.assert_allclose(people.emigration_shift, [0, 0, 0.1, 0.3])
    np.testing.assert_allclose(people.mortality_shift, [0, 0, 0.015, 0.045])
    np.testing.assert_allclose(people.internal_migration_shift, [0, 0, 1 / 6, 1 / 3])
    np.testing.assert_allclose(people.non_follow_up_shift, [0, 0, 1 / 3, 1 / 6])
    # Range, over those not followed up.  Emigration: mean 0.2, S = min(0.8 / 0.1, 0.2 / 0.1)
    # = 2, so that all were in range and are stretched.  The others likewise; ratio 1.
    np.testing.assert_allclose(people.emigration_range, [0, 0, 0, 0.4])
    np.testing.assert_allclose(people.mortality_range, [0, 0, 0, 0.06], atol=1e-15)
    np.testing.assert_allclose(people.internal_migration_range, [0, 0, 0, 0.5], atol=1e-15)
    np.testing.assert_allclose(people.non_follow_up_range, [0, 0, 0.5, 0], atol=1e-15)
    # Rescale: the third has 0.5 and must have 1; the fourth has 0.56 and must have 0.6.
    np.testing.assert_allclose(people.non_follow_up, [0, 0, 1, 0], atol=1e-15)
    np.testing.assert_allclose(people.mortality, [0, 0, 0, 0.06 / 0.56 * 0.6], atol=1e-15)
    np.testing.assert_allclose(people.internal_migration, [0, 0, 0, 0.5 / 0.56 * 0.6], atol=1e-15)


def test_one_national_ratio_moves_emigration_between_groups():
    # Group B has -0.15 and -0.05 among two not followed up: mean -0.1, set to 0.  The total
    # 0.4 - 0.2 = 0.2 is then restored from 0.4 by one ratio, 0.5, at the expense of A.
    other = PROGRAM.iloc[2:].assign(group="B", eerb=[-0.15, -0.05])
    done = repaired(pd.concat([PROGRAM, other], ignore_index=True), "program")
    np.testing.assert_allclose(done.people.emigration, [0, 0, 0, 0.2, 0, 0], atol=1e-15)
    log = done.log[(done.log.step == "range") & (done.log.component == "emigration")]
    assert dict(zip(log.group, log.rule, strict=True))["B"] == "mean below 0: set to 0"
    np.testing.assert_allclose(log.ratio, 0.5)
    found = claims(done).set_index("check")
    kept = found.loc["range keeps the group means of emigration"]
    # A: 0.1 to 0.05; B: -0.1 to 0
    assert (kept.holds, kept["where"], kept.detail) == (
        False,
        "B",
        "2 of 2 groups; largest +0.1000",
    )
    assert found.holds["mean emigration of all in the end is that before any repair"]
    assert found.holds["emigration >= 0"]


def test_in_the_text_a_group_with_a_negative_mean_stays_negative():
    # x = -0.1, n = -0.3, m = 0.1: S = min(1.1 / 0.2, -0.1 / 0.2) = -0.5, which mirrors.
    people = TEXT.assign(eerb=[-0.3, -0.1, -0.1, 0.1])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0, -0.1, -0.1, -0.2], atol=1e-15)
    found = claims(done).set_index("check")
    assert found.holds["range keeps the group means of emigration"]
    broken = found.loc["emigration is between 0 and 1 after the range repair"]
    assert (broken.holds, broken.detail) == (False, "3 of 4 persons; largest -0.2000")
    # After the shift, -0.4 / -0.3 times: -0.1333 and -0.2667.
    assert found.loc["emigration >= 0", "detail"] == "2 of 4 persons; largest -0.2667"
    assert done.log.rule[done.log.step == "range"].item() == "mean below 0: kept"


def test_in_the_text_the_shift_can_exceed_one():
    # Mean 0.5, S = min(0.5 / 0.3, 0.5 / 0.3) stretches 0.2 and 0.8 to 0 and 1; the one not
    # followed up then carries 4 x 0.5 = 2, and the others must add up to -1.
    people = TEXT.assign(followed=[True, True, True, False], eerb=[0.2, 0.2, 0.8, 0.8])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0, 0, 1, 1])
    np.testing.assert_allclose(done.people.emigration, [0, 0, 0, 2])
    found = claims(done).set_index("check")
    assert found.holds["shift keeps the group means of emigration"]
    broken = found.loc["emigration is between 0 and 1 in the end"]
    assert broken.detail == "1 of 4 persons; largest +1.0000"
    assert not found.holds["internal_migration is between 0 and 1 in the end"]
    assert found.holds["components add up to the non-match, by person"]


def test_emigration_of_those_pulled_in_to_zero_is_lost_by_the_texts_shift():
    # Stretched to 0 and 0.4; who is not followed up is the one at 0, and 0 cannot be scaled.
    people = TEXT.iloc[:2].assign(eerb=[0.3, 0.1], followed=[True, False])
    done = repaired(people, "text")
    np.testing.assert_allclose(done.people.emigration_range, [0.4, 0])
    assert (done.people.emigration == 0).all()
    kept = claims(done).set_index("check").loc["shift keeps the group means of emigration"]
    assert kept.detail == "1 of 1 groups; largest -0.2000"
    lost = done.log[(done.log.step == "shift") & (done.log.component == "emigration")]
    assert lost.rule.item() == "nobody to shift it to: lost"


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_group_of_which_all_are_followed_up_loses_its_emigration(variant):
    followed = TEXT.iloc[:2].assign(group="B", eerb=[0.1, 0.3])
    done = repaired(pd.concat([PROGRAM, followed], ignore_index=True), variant)
    assert (done.people.emigration[done.people.group == "B"] == 0).all()
    shift = claims(done).set_index("check").loc["shift keeps the group means of mortality"]
    assert (shift.holds, shift["where"]) == (False, "B")
    assert shift.detail == "1 of 2 groups; largest -0.0100"
    log = done.log[(done.log.step == "shift") & (done.log.group == "B")]
    assert set(log.rule) == {"nobody to shift it to: lost"}


def test_one_person_groups():
    one = TEXT.iloc[2:3]
    text = repaired(one, "text")
    assert text.people.emigration.item() == pytest.approx(0.2)
    assert text.log.rule[text.log.step == "range"].item() == "no spread: left"
    # Stata: 0.2 + 0 times missing is missing, and missing is larger than 1.
    people = pd.concat([PROGRAM, one.assign(group="B")], ignore_index=True)
    program = repaired(people, "program")
    np.testing.assert_allclose(program.people.emigration, [0, 0, 0, 0.6, 1], atol=1e-15)
    assert (
        list(program.people.loc[4, ["mortality", "internal_migration", "non_follow_up"]]) == [0] * 3
    )
    rules = program.log.rule[(program.log.step == "range") & (program.log.group == "B")]
    assert set(rules) == {"no spread: missing, set to 1"}
    # The others' 0.4 become 0.6, since the missing one is not in the sum that the ratio restores.
    change = claims(program).set_index("check").loc["range keeps the group means of emigration"]
    assert change.detail == "2 of 2 groups; largest +0.8000"


def test_groups_without_weight():
    nothing = TEXT.assign(group="B", weight=0.0)
    text = repaired(pd.concat([TEXT, nothing], ignore_index=True), "text")
    np.testing.assert_allclose(text.people.emigration[4:], [0, 0, 0.2, 0.2])  # as they were
    assert "no weight: left" in set(text.log.rule)
    found = claims(text).set_index("check")
    assert list(found.index[~found.holds]) == [
        "emigration is between 0 and 1 after the range repair"  # one of them had -0.1
    ]
    program = repaired(pd.concat([PROGRAM, nothing], ignore_index=True), "program")
    np.testing.assert_allclose(program.people.emigration[4:], [0, 0, 1, 1])
    np.testing.assert_allclose(program.people.emigration[:4], [0, 0, 0, 0.4])
    assert "no weight: set to 1" in set(program.log.rule)


def test_a_mean_at_an_extreme_leaves_one_bound():
    # 0.1 has no weight: the mean is the maximum 0.3, and S = 0.3 / (0.3 - 0.1) alone.
    people = TEXT.iloc[:2].assign(eerb=[0.1, 0.3], weight=[0.0, 1.0], followed=False)
    for variant in VARIANTS:
        ranged = repair(people, variant)[0].emigration_range
        np.testing.assert_allclose(ranged, [0, 0.3], atol=1e-15)


def test_who_emigrates_for_certain_has_nothing_to_rescale():
    # Of two not followed up one is pulled to emigration 1 and to 0 in all else.
    people = PROGRAM.iloc[2:].assign(
        eerb=[0.2, 0.8], mo1=[0.03, 0.01], aim1=[0.2, 0.1], anf=[0.2, 0.1]
    )
    done = repaired(people, "program").people
    np.testing.assert_allclose(done.emigration, [0, 1], atol=1e-15)
    assert (done[["mortality", "internal_migration", "non_follow_up"]].iloc[1] == 0).all()


def test_weights_enter_the_means_and_sums():
    # Weights 3, 1, 1, 1: x = (-0.3 + 0.1 + 0.2 + 0.2) / 6 = 1/30, S = (1/30) / (4/30) = 1/4
    people = TEXT.assign(weight=[3.0, 1, 1, 1])
    got = repair(people, "text")[0].emigration_range
    x = 1 / 30
    np.testing.assert_allclose(got, [0, *(x + (e - x) / 4 for e in (0.1, 0.2, 0.2))], atol=1e-15)


def test_children_and_adults_have_national_ratios_of_their_own():
    below = PROGRAM.iloc[2:].assign(group="B", eerb=[-0.15, -0.05])
    children = pd.concat([PROGRAM, below]).assign(age=7, mo1=0.0)
    children["group"] = children.group + ", young"
    people = pd.concat([PROGRAM, children], ignore_index=True)
    done = repaired(people.sample(frac=1, random_state=1), "program").people.sort_index()
    np.testing.assert_allclose(done.emigration[:4], [0, 0, 0, 0.4], atol=1e-15)
    np.testing.assert_allclose(done.emigration[4:8], [0, 0, 0, 0.2], atol=1e-15)
    assert (done.mortality[4:] == 0).all()


def test_negative_residuals_are_counted():
    log = repair(TEXT.assign(anf=[-0.1, 0.1, 0.1, -0.2]), "text")[1]
    row = log[log.step == "residual"].iloc[0]
    assert (row.below, row.persons, row.low_before) == (2, 4, -0.2)


def test_claims_that_fail_on_simulated_people():
    failing = {
        variant: set(claims(result(variant)).loc[lambda found: ~found.holds, "check"])
        for variant in VARIANTS
    }
    only_text = {
        "emigration >= 0",
        "emigration is between 0 and 1 after the range repair",
        "emigration is between 0 and 1 in the end",
    }
    assert only_text <= failing["text"]
    assert not only_text & failing["program"]
    assert "range keeps the group means of emigration" in failing["program"] - failing["text"]
    both = failing["text"] & failing["program"]
    assert "group means of emigration in the end are those before any repair" in both
    assert "residual non-follow-up >= 0 in eqs. 11 and 12" in both
    for variant in VARIANTS:
        assert "followed up: all components are 0" not in failing[variant]


def test_a_claim_counts_what_fails():
    done = repaired(TEXT, "text")
    spoilt = done.people.copy()
    spoilt.loc[0, "mortality"] = 0.25  # of somebody who was followed up
    found = claims(Classical(spoilt, done.models, done.log, "text")).set_index("check")
    assert found.loc["followed up: all components are 0", "detail"] == (
        "1 of 2 persons; largest +0.2500"
    )
    assert found.loc["components add up to the non-match, by person", "detail"] == (
        "1 of 4 persons; largest +0.2500"
    )
    assert found.loc["components add up to the non-match, by group", "detail"] == (
        "1 of 1 groups; largest +0.0625"
    )


# Return immigration, cells and tables


def returning():
    people = ten_of_each()
    people["returned"] = people.returned.astype(float)
    people.loc[[0, 7], "returned"] = 1.0  # one of them not followed up
    people.loc[8, "returned"] = np.nan  # weight 2, not followed up
    return people


def test_return_immigration_by_hand():
    people = estimate(returning()).people
    gone = people.emigration.iloc[0] + people.mortality.iloc[0]  # of all not followed up
    assert people.return_immigration.iloc[0] == pytest.approx(1 - gone)
    assert people.return_immigration.iloc[7] == 1
    assert np.isnan(people.return_immigration.iloc[8])


def finished(variant):
    """Three people with everything estimated; of the third it is not known if it returned."""
    people = pd.DataFrame(
        {
            "sex": ["Male", "Male", "Female"],
            "weight": [1.0, 3.0, 2.0],
            "returned": [1.0, 0.0, np.nan],
            "non_match": [1.0, 0.0, 1.0],
            "internal_migration": [0.3, 0.0, 0.3],
            "mortality": [0.1, 0.0, 0.1],
            "non_follow_up": [0.2, 0.0, 0.1],
            "emigration": [0.4, 0.0, 0.5],
            "return_immigration": [0.5, 0.0, np.nan],
            "net_emigration": [-0.1, 0.0, np.nan],
        }
    )
    return Classical(people, pd.DataFrame(), pd.DataFrame(), variant)


def test_returnees_leave_the_texts_denominator_and_stay_in_the_programs():
    text, program = (finished(v).cells().set_index("component").estimate for v in VARIANTS)
    # Emigration (0.4 + 2 x 0.5) / 6; returns 0.5 over the weight of 3 at risk in year t.
    assert text.emigration == pytest.approx(100 * 1.4 / 6)
    assert text.return_immigration == pytest.approx(100 * 0.5 / 3)
    assert text.net_emigration == pytest.approx(100 * (1.4 / 6 - 0.5 / 3))
    # The program's means leave out whom they do not know: 0.5 / 4, and a net of -0.1 / 4.
    assert program.emigration == pytest.approx(100 * 1.4 / 6)
    assert program.return_immigration == pytest.approx(12.5)
    assert program.net_emigration == pytest.approx(-2.5)
    women = finished("program").cells(["sex"]).set_index(["sex", "component"]).estimate["Female"]
    assert np.isnan(women.return_immigration)
    assert women.mortality == pytest.approx(10)


def test_if_nobody_has_a_spread_the_program_makes_emigrants_of_all():
    # No adjusted value is known, so their sum is 0; 0 / 0 is missing, and missing becomes 1.
    done = repaired(TEXT.assign(eerb=0.1, followed=[True, True, True, False]), "program")
    assert (done.people.emigration == 1).all()
    found = claims(done).set_index("check")
    assert not found.holds["followed up: all components are 0"]
    assert not found.holds["components add up to the non-match, by person"]


def test_the_non_match_of_the_tables_is_observed():
    cells = estimate(returning()).cells().set_index("component")
    assert cells.estimate.non_match == pytest.approx(40)
    parts = ["internal_migration", "mortality", "non_follow_up", "emigration"]
    assert cells.estimate[parts].sum() == pytest.approx(40)


def test_standard_errors_by_hand():
    done = finished("text")
    cells = done.cells(b=0.5, ci_prob=0.95).set_index("component")
    # Half of the weight of 6 is not matched: b / x p (100 - p) = 0.5 / 6 x 50 x 50
    error = math.sqrt(0.5 / 6 * 50 * 50)
    assert cells.se.non_match == pytest.approx(error)
    assert cells.ci_high.non_match == pytest.approx(50 + 1.959963985 * error)
    assert cells.ci_low.non_match == pytest.approx(50 - 1.959963985 * error)
    gross, back = (p * (100 - p) for p in (100 * 1.4 / 6, 100 * 0.5 / 3))
    assert cells.se.net_emigration == pytest.approx(math.sqrt(0.5 / 6 * (gross + back)))
    assert set(cells.base) == {6}
    assert set(cells.persons) == {3}
    men = done.cells(["sex"], b=0.5).set_index(["sex", "component"]).loc["Male"]
    # Ninety per cent unless said otherwise; 25 of 100 on a base of 4.
    assert men.ci_high.non_match == pytest.approx(25 + 1.644853627 * math.sqrt(0.125 * 25 * 75))


def test_a_negative_mean_has_no_standard_error():
    people = returning()
    people.loc[people.generation == "second", "followed"] = [False] * 7 + [True] * 3
    cells = estimate(people).cells().set_index("component")
    assert cells.estimate.emigration < 0
    assert np.isnan(cells.se.emigration)
    assert np.isnan(cells.ci_low.net_emigration)
    assert cells.se.non_match > 0


@pytest.mark.parametrize("table", [8, 9, 10, 11])
def test_the_formula_reproduces_the_printed_intervals(table):
    """With each printed row's own x / b, every interval of the row comes out as printed.

    Tolerance: half a decimal from the printed bound and, through p, from the estimate.
    Left out are two kinds of exceptions of the print: rows of ages 0-14 (internal
    migration has a base of its own there), and components below 1 per cent, whose spread
    depends on unprinted decimals.
    """
    printed = PRINTED[(PRINTED.table == table) & (PRINTED.row != "0-14")]
    for _, row in printed.groupby(["panel", "row"]):
        ratio = implied_base(row)
        row = row[(row.component != "net_emigration") & (row.estimate >= 1)]
        half = 1.6449 * np.sqrt(row.estimate * (100 - row.estimate) / ratio)
        np.testing.assert_array_less(np.abs((row.ci_high - row.ci_low) / 2 - half), 0.11)


def test_the_default_b_is_what_print_implies_for_march_2000():
    total = PRINTED[(PRINTED.table == 5) & (PRINTED.panel == "All Foreign-born")]
    ratios = {year: implied_base(rows) for year, rows in total.groupby("row")}
    # "29,988 thousand foreign-born (as in the March 2000 CPS)" (Results); half are eligible.
    assert 29_988_000 / 2 / ratios["2000"] == pytest.approx(B_HISPANIC, rel=0.01)
    # Years are added up: Table 4's non-match, 33.8-34.6, has a half-width of 0.35 to 0.45.
    summed = sum(ratios.values())
    half = 1.6449 * math.sqrt(34.2 * 65.8 / summed)
    assert 0.35 < half < 0.45
    assert ratios["2000"] == pytest.approx(4_030, rel=0.01)
    assert summed == pytest.approx(32_500, rel=0.01)


def test_bases_are_weighted_persons_not_counted_ones():
    """x / b per person of Table 2's samples differs by a quarter between the groups."""
    sizes = {"Mexican Males": 12_612, "Mexican Females": 11_068}
    sizes |= {"Non-Mexican Males": 22_592, "Non-Mexican Females": 26_014}
    adults = PRINTED[PRINTED.table.isin([10, 11]) & (PRINTED.row != "0-14")]
    per_person = {
        panel: sum(implied_base(row) for _, row in rows.groupby("row")) / sizes[panel]
        for panel, rows in adults.groupby("panel")
    }
    assert max(per_person.values()) / min(per_person.values()) > 1.2


def test_tables_have_the_printed_labels_in_the_printed_order():
    years = (1996, 1997, 1998)
    done = estimate(simulated(seed=4, adults=6000, years=years))
    found = tables(done)
    assert list(found) == [
        *("table", "panel", "row", "component", "estimate", "se", "ci_low", "ci_high")
    ]
    printed = PRINTED[PRINTED.table <= 13]
    printed = printed[(printed.table != 5) | printed.row.isin([str(year) for year in years])]
    absent = {"North America", "Caribbean", "Cuba", "Dominican Republic", "Other Caribbean"}
    absent |= {"India", "Korea", "Africa", "Other"}  # not simulated
    printed = printed[(printed.table != 13) | ~printed.row.isin(absent)]
    keys = ["table", "panel", "row", "component"]
    ours, theirs = (
        list(frame[keys].itertuples(index=False, name=None)) for frame in (found, printed)
    )
    assert sorted(ours) == sorted(theirs)
    rows = [key[:3] for key in dict.fromkeys(key[:3] for key in ours)]
    assert [r for r in rows if r[0] in (4, 5, 6, 8, 12, 13)] == [
        r for r in dict.fromkeys(key[:3] for key in theirs) if r[0] in (4, 5, 6, 8, 12, 13)
    ]
    total = found[(found.table == 4)].set_index("component").estimate
    pd.testing.assert_series_equal(
        total, done.cells().set_index("component").estimate, check_names=False
    )
    asia = done.people[done.people.country.isin(["China", "Philippines", "Other Asia"])]
    row = found[(found.table == 13) & (found.row == "Asia") & (found.component == "non_match")]
    assert row.estimate.item() == pytest.approx(
        100 * np.average(~asia.followed, weights=asia.weight)
    )
    some = found[(found.table == 10) & (found.panel == "Mexican Females") & (found.row == "15-24")]
    cells = done.cells(["mexican", "sex", "age10"])
    same = cells[(cells.mexican == "Mexican") & (cells.sex == "Female") & (cells.age10 == "15-24")]
    np.testing.assert_allclose(
        some.set_index("component").se, same.set_index("component").se[some.component]
    )


# The logit


def columns_of(n, rng):
    return pd.DataFrame(
        {"a": rng.random(n) < 0.5, "b": rng.random(n) < 0.2, "c": rng.normal(size=n)}
    ).astype(float)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_logit_is_statsmodels(seed):
    rng = np.random.default_rng(seed)
    x = columns_of(400, rng)
    y = (rng.random(400) < 1 / (1 + np.exp(1 - x.a - x.c))).astype(float)
    w = rng.uniform(100, 4000, 400)
    design = sm.add_constant(x, prepend=False)
    theirs = sm.GLM(y, design, sm.families.Binomial(), freq_weights=w).fit(tol=1e-14)
    ours = weighted_logit(x, y, w, "all")
    np.testing.assert_allclose(ours.coefficients, theirs.params, rtol=0, atol=1e-8)
    np.testing.assert_allclose(ours.predict(x), theirs.fittedvalues, rtol=0, atol=1e-8)
    assert (ours.persons, ours.determined, ours.notes) == (400, 0, {})
    np.testing.assert_allclose(  # only the weights' proportions matter
        weighted_logit(x, y, w / 1e6, "all").coefficients, ours.coefficients, atol=1e-10
    )


def test_rows_without_weight_are_not_used():
    rng = np.random.default_rng(3)
    x, w = columns_of(300, rng), np.r_[np.ones(200), np.zeros(100)]
    y = (rng.random(300) < 0.4).astype(float)
    some = weighted_logit(x[:200], y[:200], w[:200], "some")
    fit = weighted_logit(x, y, w, "all")
    pd.testing.assert_series_equal(fit.coefficients, some.coefficients)
    assert fit.persons == 200


def test_columns_that_cannot_be_estimated_are_dropped_as_in_stata():
    rng = np.random.default_rng(5)
    x = columns_of(500, rng)
    y = (rng.random(500) < 0.4).astype(float)
    both = x.assign(zero=0.0, one=1.0, twin=x.a, rest=1 - x.b)
    fit = weighted_logit(both, y, np.ones(500), "all")
    assert set(fit.notes) == {"zero", "one", "twin", "rest"}
    plain = weighted_logit(x, y, np.ones(500), "all").coefficients
    np.testing.assert_allclose(fit.coefficients[plain.index], plain, atol=1e-10)
    assert (fit.coefficients[list(fit.notes)] == 0).all()


@pytest.mark.parametrize(("value", "followed"), [(1.0, 0.0), (1.0, 1.0), (0.0, 0.0), (0.0, 1.0)])
def test_a_column_that_predicts_perfectly_goes_with_its_persons(value, followed):
    rng = np.random.default_rng(6)
    x = columns_of(500, rng)
    y = (rng.random(500) < 0.4).astype(float)
    x["sure"] = np.where(np.arange(500) < 30, value, 1 - value)
    y[:30] = followed
    fit = weighted_logit(x, y, np.ones(500), "all")
    note = f"sure = {value:.0f} goes with outcome {followed:.0f} only: dropped with its 30 persons"
    assert fit.notes == {"sure": note}
    rest = weighted_logit(x[["a", "b", "c"]][30:], y[30:], np.ones(470), "rest")
    np.testing.assert_allclose(fit.coefficients[rest.coefficients.index], rest.coefficients)
    assert fit.coefficients.sure == 0
    assert fit.persons == 470


def test_columns_that_predict_perfectly_together_are_counted():
    # a without b: always 1; b without a: never; both or neither: as it comes.  So neither
    # column predicts perfectly, but their difference does, and grows without end.
    counts = {(1, 0, 1): 20, (0, 1, 0): 30, (1, 1, 1): 15, (1, 1, 0): 5}
    counts |= {(0, 0, 1): 10, (0, 0, 0): 30}
    rows = np.repeat(list(counts), list(counts.values()), axis=0).astype(float)
    x = pd.DataFrame(rows[:, :2], columns=["a", "b"])
    fit = weighted_logit(x, rows[:, 2], np.ones(len(rows)), "all")
    assert fit.notes == {}
    assert fit.determined == 50
    chance = dict(zip(map(tuple, x.to_numpy()), fit.predict(x), strict=True))
    assert chance[1, 1] == pytest.approx(0.75, abs=1e-6)
    assert chance[0, 0] == pytest.approx(0.25, abs=1e-6)
    assert chance[1, 0] == pytest.approx(1, abs=1e-6)
    assert chance[0, 1] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("y", "says"),
    [
        ([1.0, 1.0, 1.0, 1.0], "men of Ys: the outcome is 1 for all 4 persons"),
        ([0.0, 0.0, 1.0, 1.0], "men of Ys: x alone predicts the outcome of all 4"),
    ],
)
def test_a_logit_that_cannot_be_fitted_names_its_sample(y, says):
    x = pd.DataFrame({"x": [0.0, 0, 1, 1]})
    with pytest.raises(DataError, match=says):
        weighted_logit(x, np.array(y), np.ones(4), "men of Ys")


def test_models_and_log_name_what_was_dropped():
    people = ten_of_each()
    done = estimate(people)
    assert list(done.models.model.unique()) == ["internal_migration", "matching"]
    sample = done.models[(done.models.model == "matching") & (done.models.generation == "first")]
    assert sample.persons.iloc[0] == 9
    by_term = sample.set_index("term")
    assert by_term.estimate.Intercept == pytest.approx(math.log(0.6 / 0.4))
    assert (by_term.dropped.drop("Intercept") != "").all()
    logged = done.log[done.log.step == "logit"]
    assert "Cuba" in logged.rule.iloc[0]
    assert set(logged.group) == {
        f"{model}: mexican men, {generation} generation"
        for model in ("matching", "internal_migration")
        for generation in ("first", "second")
    }


def test_perfect_predictions_are_logged():
    logged = result("text").log[result("text").log.step == "logit"]
    found = logged[logged.group == "internal_migration: mexican women, second generation"]
    assert "Age 35-44 = 1 goes with outcome 0 only: dropped with its 12 persons" in set(found.rule)
    women = PEOPLE[(PEOPLE.origin == "Mexico") & (PEOPLE.sex == "Female")]
    women = women[(women.generation == "second") & women.age.between(35, 44)]
    assert list(women.moved.value_counts()) == [12]


def test_terms_are_those_of_the_printed_tables():
    printed = pd.read_csv(PUBLISHED / "coefficients.csv")
    printed = printed[printed.table.isin([1, 2]) & ~printed.term.isin(["N", "Pseudo R-square"])]
    models = result("text").models
    keys = ["model", "origin", "group", "generation"]
    assert set(map(tuple, models[keys].to_numpy())) == set(map(tuple, printed[keys].to_numpy()))
    ours = models[(models.model == "matching")]
    theirs = printed[(printed.model == "matching")]
    years = {str(year) for year in range(1998, 2005)}  # two years were simulated
    assert set(theirs.term) - set(ours.term) == years
    assert set(ours.term) - set(theirs.term) == {"Caribbean", "Other"}


# Bad input


def test_a_missing_generation_is_named():
    people = ten_of_each()
    only_first = people[people.generation == "first"]
    with pytest.raises(DataError, match="mexican men, second generation: no person"):
        estimate(only_first)
    with pytest.raises(DataError, match="none of 10 rows is of the first generation"):
        estimate(people[people.generation == "second"])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"sex": "M"}, "column sex: 'M' in 19 of 19 rows; valid: Female, Male"),
        ({"country": "Narnia"}, "column country, first generation: 'Narnia' in 9 of 9 rows"),
        ({"race": None}, "column race, aged 15 and over: None in 19 of 19"),
        ({"weight": -1.0}, "weight is negative in 19 of 19"),
        ({"weight": np.inf}, "column weight: 19 of 19 rows are not finite, the first at index 0"),
        ({"age": np.nan}, "column age: 19 of 19"),
        ({"age": "old"}, "column age: could not convert"),
        ({"moved": 2}, "column moved: 2 in 19 of 19 rows; valid: 0, 1"),
        ({"followed": None}, "column followed: 19 of 19"),
        ({"serial": 1}, "18 rows repeat the year, month, serial and pernum of another"),
        ({"age": 12}, "10 rows of the second generation are younger than 15"),
    ],
)
def test_bad_columns(change, says):
    with pytest.raises(DataError, match=says):
        estimate(ten_of_each().assign(**change))


def test_bad_arguments():
    people = ten_of_each()
    with pytest.raises(StudyError, match="variant='both'; valid: text, program"):
        estimate(people, variant="both")
    with pytest.raises(DataError, match="people has no column weight, health; has: year"):
        estimate(people.drop(columns=["health", "weight"]))
    with pytest.raises(DataError, match="must be a DataFrame, got dict"):
        estimate({})
    with pytest.raises(DataError, match="mortality, second generation: terms intercept"):
        estimate(people, mortality=mortality_coefficients("text").iloc[:-1])
    done = estimate(people)
    with pytest.raises(DataError, match=r"by=\['colour'\]; columns of people: year"):
        done.cells(["sex", "colour"])
    with pytest.raises(StudyError, match="b must be a positive number of persons, got 0"):
        done.cells(b=0)
    with pytest.raises(StudyError, match="ci_prob must be between 0 and 1, got 90"):
        tables(done, ci_prob=90)


def test_mortality_of_the_two_variants():
    text, program = (mortality_coefficients(v).set_index(["generation", "term"]) for v in VARIANTS)
    assert list(text.loc["first"].index) == list(MORTALITY_TERMS)
    gap = (text.estimate - program.estimate).abs()
    # Rounded to three decimals, but for Fair health of immigrants.
    assert list(gap[gap > 0.0006].index) == [("first", "h4")]
    assert gap["first", "h4"] == pytest.approx(0.0038)
