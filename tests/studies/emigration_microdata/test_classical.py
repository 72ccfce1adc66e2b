"""The report's own estimator on person records: against plain loops, and by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from oracle import emigration_classical as oracle
from studies.emigration_microdata.classical_people import (
    PEOPLE,
    VARIANTS,
    loops,
    person,
    result,
    ten_of_each,
)

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.microdata.classical import (
    COMPONENTS,
    MORTALITY_TERMS,
    RAW,
    estimate,
    mortality_coefficients,
    tables,
)

TERMS = {  # this module's component and the oracle's letter
    "emigration": "e",
    "mortality": "d",
    "internal_migration": "m",
    "non_follow_up": "r",
}


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
