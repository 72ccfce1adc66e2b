"""Linking years: every rule, every loss, children and their parents; panels of frames."""

import json
import random

import numpy as np
import pandas as pd
import pytest
from studies.emigration_microdata.extracts import (
    MONTHLY,
    OTHERS,
    SECOND,
    counted,
    met,
    person,
    row,
    write,
)

from bayesmig.errors import DataError, DataWarning, StudyError
from bayesmig.models.emigration.microdata.ipums.extract import load
from bayesmig.models.emigration.microdata.ipums.frames import panel_of_frame
from bayesmig.models.emigration.microdata.ipums.linking import link
from bayesmig.models.emigration.microdata.ipums.panel import COLUMNS
from bayesmig.models.emigration.microdata.ipums.rules import OF_CHILDREN, RESULTS

# Linking


def test_who_is_found_a_year_later(panel):
    made = panel(met(SERIAL=17), person(SERIAL=18))
    assert row(made, 17).followed
    assert not row(made, 18).followed
    assert counted(made, "linked") == 3
    assert counted(made, "no id match") == 1
    assert counted(made, "panel") == counted(made, "eligible") == 4
    assert counted(made, "records") == 4  # of the year that is followed up


def test_only_months_in_sample_1_to_4_are_due(panel):
    made = panel([person(SERIAL=n, MISH=n) for n in range(1, 9)])
    assert set(made.frame().serial) == {1, 2, 3, 4, 900, 901}
    assert counted(made, "in months in sample 5-8") == 4


def test_every_loss_of_linking(panel):
    cases = [
        ({"CPSIDP": 5}, "no id match"),
        ({"YEAR": 2003}, "no id match"),
        ({"SEX": 2}, "sex differs"),
        ({"SEX": 2, "AGE": 50}, "sex differs"),  # counted once
        ({"AGE": 29}, "age differs"),
        ({"AGE": 33}, "age differs"),
        ({"AGE": 30}, "linked"),
        ({"AGE": 32}, "linked"),
        ({"MISH": 5}, "month in sample differs"),
        ({"MISH": 2}, "month in sample differs"),
    ]
    third = [{**r, "YEAR": 2003} for r in OTHERS[1::2]]  # so that there is a year 2003
    people = [met(SERIAL=n, then=then) for n, (then, _) in enumerate(cases, 1)]
    made = panel(*people, third, years=[2001])
    for n, (then, fate) in enumerate(cases, 1):
        assert row(made, n).followed == (fate == "linked"), then
    expected = dict.fromkeys(RESULTS, 0)
    for fate in [fate for _, fate in cases] + ["linked"] * 2:
        expected[fate] += 1
    for year in (2001, "total"):
        assert {fate: counted(made, fate, year) for fate in RESULTS} == expected
    assert sum(expected.values()) == counted(made, "panel")


@pytest.mark.parametrize(
    ("then", "rules"),
    [
        ({"SEX": 2}, {"sex": False}),
        ({"AGE": 60}, {"age_difference": None}),
        ({"AGE": 33}, {"age_difference": (0, 1, 2, 3)}),
        ({"AGE": 29}, {"age_difference": range(-1, 3)}),
        ({"MISH": 5}, {"month_in_sample": False}),
    ],
)
def test_every_rule_of_linking_can_be_lifted(panel, then, rules):
    people = met(SERIAL=17, then=then)
    assert not row(panel(people), 17).followed
    made = panel(people, **rules)
    assert row(made, 17).followed
    for name, value in rules.items():
        said = json.loads(made.attrs["rules"])[name]
        assert said == (value if value is None or value is False else list(value))


TOPCODES = {
    2001: [(90, 90, True),  # 90 and over
           (89, 90, True), (87, 90, False),
           (80, 85, False)],  # exact in these years
    2002: [(86, 80, True),  # 80 and over in 2003
           (79, 80, True), (77, 80, False), (81, 79, False)],
    2003: [(80, 85, True), (80, 80, True)],  # 80 and over, then 85 and over
    2004: [(80, 85, True), (80, 80, True),  # 80-84
           (79, 80, True), (78, 85, False), (85, 85, True), (85, 80, False)],
    2005: [(80, 85, True), (80, 87, False), (79, 85, False)],
}  # fmt: skip


@pytest.mark.parametrize("year", TOPCODES)
def test_ages_at_the_top_are_bounds(panel, year):
    others = [{**r, "YEAR": r["YEAR"] - 2001 + year} for r in OTHERS]
    cases = dict(enumerate(TOPCODES[year], 1))
    people = [met(year, SERIAL=n, AGE=age, then={"AGE": later})
              for n, (age, later, _) in cases.items()]  # fmt: skip
    made = panel(*people, others, others=False)
    for n, (age, later, linked) in cases.items():
        assert row(made, n).followed == linked, (age, later)


def test_duplicates(panel, tmp_path):
    twins = [*met(SERIAL=17, CPSIDP=8), *met(SERIAL=18, CPSIDP=8), *met(SERIAL=19, CPSIDP=9)]
    later = {**twins[-1], "SERIAL": 20}  # twice in the next year only
    made = panel(twins, later)
    assert counted(made, "identifier twice in the year") == 2
    assert counted(made, "id twice in the next year") == 1
    assert {17, 18}.isdisjoint(made.frame().serial)
    assert not row(made, 19).followed
    with pytest.raises(DataError) as error:
        panel(twins, later, duplicates="raise")
    for part in ("2001: 1 identifiers of 2 records, first in line 1", "2002: 2 identifiers of 4"):
        assert part in str(error.value)


def test_who_has_no_identifier(panel):
    made = panel(met(SERIAL=17, CPSIDP=0), met(SERIAL=18, CPSIDP=0))
    assert counted(made, "no identifier") == 2
    assert counted(made, "kept without identifier") == 0
    assert {17, 18}.isdisjoint(made.frame().serial)
    kept = panel(met(SERIAL=17, CPSIDP=0), met(SERIAL=18, CPSIDP=0), unlinkable="keep")
    assert not row(kept, 17).followed
    assert counted(kept, "kept without identifier") == 2
    assert counted(kept, "panel") == 4


def test_the_oversample(panel):
    def over(serial, first, later=0, **changes):
        people = met(SERIAL=serial, ASECOVERP=1, CPSIDP=first * 10**8 + serial, **changes)
        people[1]["MISH"] = people[0]["MISH"] + later  # means nothing in the oversample
        return people

    people = [
        over(17, 200011, MISH=5), over(18, 200005), over(19, 200004), over(20, 200104),
        met(SERIAL=21, ASECOVERP=1, CPSIDP=0),
    ]  # fmt: skip
    made = panel(*people)
    assert counted(made, "oversample") == 5
    assert set(made.frame().serial) == {900, 901}
    made = panel(*people, oversample="cpsidp")
    assert set(made.frame().serial) == {17, 18, 20, 900, 901}
    assert [row(made, n).followed for n in (17, 18, 20)] == [True] * 3
    assert [row(made, n).oversample for n in (17, 900)] == [True, False]
    assert counted(made, "in months in sample 5-8") == 1
    assert counted(made, "oversample without identifier") == 1


@pytest.mark.parametrize("weight", [0, None])
def test_weights_that_are_not_positive(panel, weight):
    people = [met(SERIAL=17, ASECWT=weight), met(SERIAL=18, then={"ASECWT": weight})]
    with pytest.raises(DataError) as error:
        panel(*people)
    assert "ASECWT is zero, negative or missing: 2001: 1 records" in str(error.value)
    assert "first in lines 1" in str(error.value)
    assert "2002: 2 records" in str(error.value)
    made = panel(*people, weights="drop")
    assert counted(made, "weight not positive") == 1
    assert row(made, 18).followed
    assert row(made, 18).weight == 1500.25


def test_negative_weights(tmp_path):
    path = write(tmp_path / "a.csv", [*met(ASECWT=-2), *OTHERS])
    with pytest.raises(DataError, match=r"2001: 1 records \(0 missing, the least -2\), first"):
        link(load(path))


@pytest.mark.parametrize(
    ("option", "value"),
    [("oversample", "x"), ("duplicates", "x"), ("unlinkable", "x"), ("weights", "x"),
     ("age_difference", ()), ("age_difference", ("0",)), ("years", 2001.5)],
)  # fmt: skip
def test_rules_that_do_not_exist(panel, option, value):
    with pytest.raises(StudyError, match=option):
        panel([], **{option: value})


def test_the_rules_on_many_persons_against_plain_loops(panel):
    chance = random.Random(1)
    people = []
    for serial in range(1, 401):
        for year in (2001, 2002, 2003):
            for pernum in (1, 2):
                if chance.random() < 0.25:
                    continue
                people.append(person(
                    year, SERIAL=serial, PERNUM=pernum,
                    CPSIDP=0 if chance.random() < 0.05
                    else 20000100000000 + chance.randint(1, 900),
                    MISH=chance.randint(1, 8), SEX=chance.randint(1, 2),
                    AGE=chance.randint(28, 31), CITIZEN=chance.choice([1, 5]),
                    MBPL=chance.choice([9900, 20000]), ASECOVERP=int(chance.random() < 0.05),
                    HEALTH=chance.choice([0, 3, 3, 3]), MIGRATE1=chance.choice([0, 1, 3, 6]),
                ))  # fmt: skip
    for at in people:  # FBPL is Mexico for all
        at["FBPL"] = at["MBPL"]
    made = panel(people, others=False)
    expected, fates = {}, dict.fromkeys(RESULTS, 0)
    for one in people:
        if one["YEAR"] == 2003 or one["MISH"] > 4 or one["ASECOVERP"] or one["HEALTH"] == 0:
            continue
        if one["CITIZEN"] == 1 and one["MBPL"] == 9900:
            continue
        same = [o for o in people if o["YEAR"] == one["YEAR"] and o["CPSIDP"] == one["CPSIDP"]]
        if one["CPSIDP"] == 0 or len(same) > 1:
            continue
        later = [o for o in people if o["YEAR"] == one["YEAR"] + 1
                 and o["CPSIDP"] == one["CPSIDP"]]  # fmt: skip
        if not later:
            fate = "no id match"
        elif len(later) > 1:
            fate = "id twice in the next year"
        elif later[0]["MISH"] != one["MISH"] + 4:
            fate = "month in sample differs"
        elif later[0]["SEX"] != one["SEX"]:
            fate = "sex differs"
        elif later[0]["AGE"] - one["AGE"] not in (0, 1, 2):
            fate = "age differs"
        else:
            fate = "linked"
        fates[fate] += 1
        expected[one["YEAR"], one["SERIAL"], one["PERNUM"]] = fate == "linked"
    frame = made.frame()
    found = dict(zip(zip(frame.year, frame.serial, frame.pernum, strict=True), frame.followed,
                     strict=True))  # fmt: skip
    assert found == expected
    assert {fate: counted(made, fate) for fate in RESULTS} == fates
    assert min(n for fate, n in fates.items() if fate != "kept without identifier") > 0


# Children


FAMILY = {"SERIAL": 50}
CHILD = {**FAMILY, "PERNUM": 3, "AGE": 8, "EDUC": 1, "YRIMMIG": 1997}
MOTHER = {**FAMILY, "PERNUM": 2, "SEX": 2, "EDUC": 81, "AGE": 36, "SCHLCOLL": 4, "OWNERSHP": 22}


def test_a_child_has_its_parents_covariates(panel):
    made = panel(met(**FAMILY), met(**MOTHER, BPL=25000), person(**CHILD, MOMLOC=2, POPLOC=1))
    child = row(made, 50, 3)
    assert child[[n for n in COLUMNS if n.startswith("parent_")]].to_dict() == {
        "parent_pernum": 2, "parent_generation": "first", "parent_age": 36,
        "parent_age_group": "35-39", "parent_sex": "Female", "parent_origin": "Cuba",
        "parent_enrolment": "College", "parent_education": "Some college", "parent_followed": True,
    }  # fmt: skip
    assert child.age_group == "0-14"
    assert not child.followed
    assert row(made, 50, 1)[["parent_pernum", "parent_generation"]].isna().all()
    assert counted(made, "children") == 1
    assert counted(made, "adults, first generation") == 3


def test_the_father_where_no_mother_is_there_and_not_followed(panel):
    made = panel(person(**FAMILY), person(**MOTHER), person(**CHILD, MOMLOC=0, POPLOC=1))
    child = row(made, 50, 3)
    assert (child.parent_pernum, child.parent_sex) == (1, "Male")
    assert child.parent_followed is not pd.NA
    assert not child.parent_followed


def test_a_parent_of_the_second_generation(panel):
    made = panel(person(**MOTHER, BPL=9900, CITIZEN=1, YRIMMIG=0), person(**CHILD, MOMLOC=2))
    assert row(made, 50, 3).parent_generation == "second"


def test_children_without_a_usable_parent_are_counted(panel):
    absent, third, unusable = OF_CHILDREN
    cases = [
        ({}, 0, absent),
        ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 9900}, 2, third),
        ({"AGE": 14}, 2, unusable),
        ({"HEALTH": 0}, 2, unusable),
        ({"CPSIDP": 0}, 2, unusable),
        ({}, 7, unusable),
    ]
    people = []
    for n, (mother, momloc, _) in enumerate(cases, 50):
        people += [person(**{**MOTHER, "SERIAL": n, **mother}),
                   person(**{**CHILD, "SERIAL": n}, MOMLOC=momloc)]  # fmt: skip
    made = panel(people)
    assert counted(made, "children") == 0
    assert counted(made, absent) == 1 + 1  # and the mother of 14 herself
    assert [counted(made, step, 2001) for step in (third, unusable)] == [1, 4]


def test_age_0_and_children_of_the_second_generation_are_left_out(panel):
    baby = {**CHILD, "AGE": 0, "MOMLOC": 2, "MIGRATE1": 0}
    native = {**CHILD, "PERNUM": 4, "CITIZEN": 1, "BPL": 9900, "MOMLOC": 2}
    made = panel(person(**MOTHER), person(**baby), person(**native))
    assert counted(made, "age 0") == 1
    assert counted(made, "second generation under 15") == 1
    assert counted(made, "children") == 0
    teenager = panel(person(**{**native, "AGE": 15}))
    assert row(teenager, 50, 4).generation == "second"


# Years, months, generations


def test_one_year_only(panel):
    with pytest.raises(DataError, match="one year only, 2001; .* needs 2002 too"):
        panel(person(), person(**SECOND), others=False)


def test_years_without_successor(panel):
    later = [[{**r, "YEAR": r["YEAR"] + 3} for r in OTHERS]]  # 2004, 2005
    with pytest.raises(DataError) as error:
        panel(*later)
    assert (
        "years 2001, 2002, 2004, 2005: no successor of 2002.  Pairs of consecutive years: "
        "2001-2002, 2004-2005; years=(2001, 2004) uses these"
    ) in str(error.value)
    made = panel(*later, years=(2001, 2004))
    assert set(made.frame().year) == {2001, 2004}
    assert json.loads(made.attrs["years"]) == [2001, 2004]
    assert list(dict.fromkeys(made.flow.year)) == [2001, 2004, "total"]
    assert set(panel(*later, years=[2004]).frame().year) == {2004}
    for years in ((2002,), (2001, 2005), ()):
        with pytest.raises(DataError, match=r"cannot be followed up; the extract has 2001, 2002"):
            panel(*later, years=years)
    with pytest.raises(DataError, match="Pairs of consecutive years: none$"):
        panel([{**r, "YEAR": 2009} for r in OTHERS[::2]], OTHERS[::2], others=False)


def test_a_middle_year_is_looked_into_and_followed_up(panel):
    made = panel(met(2001, SERIAL=17), met(2002, SERIAL=18))
    frame = made.frame()
    assert list(zip(frame.year, frame.serial, frame.followed, strict=True)) == [
        (2001, 17, True), (2001, 900, True), (2001, 901, True), (2002, 18, True)
    ]  # fmt: skip
    assert [counted(made, "records", y) for y in (2001, 2002, "total")] == [3, 4, 7]


def test_a_generation_that_lacks(panel):
    for serial, name in ((901, "second"), (900, "first")):
        rows = [r for r in OTHERS if r["SERIAL"] == serial]
        with pytest.raises(DataError) as error:
            panel(rows, person(MISH=7), others=False)
        assert f"no adult of the {name} generation among 2 records; left out: in months in " in str(
            error.value
        )
    with pytest.raises(DataError, match="no adult of the first or second generation"):
        panel([{**r, "MISH": 8} for r in OTHERS], others=False)


def test_a_basic_monthly_extract_is_refused_unless_asked_for(tmp_path):
    rows = [{**r, "MONTH": 5, "ASECFLAG": None} for r in [*met(SERIAL=17), *OTHERS]]
    path = write(tmp_path / "may.dat", rows, MONTHLY)
    with pytest.raises(DataError) as error:
        load(path)
    assert "lacks ASECWT (the weight), ASECOVERP" in str(error.value)
    assert "seems to be of the basic monthly survey" in str(error.value)
    assert "link another month by month=" in str(error.value)
    with pytest.raises(DataError, match="no records of month 6; it has 6 of month 5"):
        load(path, month=6)
    with pytest.warns(DataWarning, match="no HEALTH; the panel's owner or health is then unknown"):
        made = link(load(path, month=5))
    found = row(made, 17)
    assert found.followed
    assert found.weight == 1400.5
    assert found.month == 5
    assert pd.notna(found.owner)
    assert not found.owner
    assert found[["moved", "returned", "health"]].isna().all()
    assert made.attrs["month"] == "5"
    assert made.attrs["weight"] == "WTFINL"


def test_march_basic_records_are_no_supplement(tmp_path):
    basic = [{**r, "ASECFLAG": 2} for r in OTHERS]
    with pytest.raises(DataError, match=r"no records of the March supplement .* \(4 of month 3\)"):
        load(write(tmp_path / "a.dat", basic))
    april = [{**r, "MONTH": 4, "ASECFLAG": None, "ASECWT": None} for r in OTHERS]
    made = link(load(write(tmp_path / "a.dat", [*OTHERS, *basic, *april])))
    assert counted(made, "records") == 6
    assert counted(made, "another month or the March basic survey") == 4
    assert counted(made, "linked") == 2


def test_the_flow_adds_up_and_prints(panel):
    made = panel(met(SERIAL=17), met(2001, SERIAL=18, MISH=6, then={"MISH": 8}), person(AGE=0))
    for year in (2001, "total"):
        part = made.flow[made.flow.year == year]
        left = part.iloc[0].persons
        for _, at in part.iterrows():
            if at.step == "panel":
                break
            left -= 0 if pd.isna(at.lost) else at.lost
            assert at.persons == left
        assert left == len(made.frame())
    assert list(made.flow) == ["year", "step", "persons", "lost"]
    assert "month" in made.flow.to_string()
    assert json.loads(made.flow.to_json(orient="records"))[0]["step"] == "records"


# Panels of frames


@pytest.fixture(scope="module")
def people(shared_panel):
    return shared_panel(
        met(**FAMILY), met(**MOTHER), person(**CHILD, MOMLOC=2), met(SERIAL=17, MIGRATE1=6)
    )


@pytest.fixture
def frame(people):
    return people.frame()


def test_a_panel_and_its_frame_are_the_same(frame):
    again = panel_of_frame(frame, {"title": "t"})
    pd.testing.assert_frame_equal(again.frame(), frame)
    assert again.attrs == {"synthetic": "", "title": "t"}
    assert counted(again, "panel") == len(frame)
    assert counted(again, "linked", 2001) == int(frame.followed.sum())
    assert list(frame) == list(COLUMNS)
    kinds = again.connection.execute("DESCRIBE person").df()
    assert dict(zip(kinds.column_name, kinds.column_type, strict=True)) == COLUMNS


def test_categories_and_other_columns_are_taken(frame):
    odd = frame.assign(other=1).astype({"sex": "category", "parent_sex": "category"})
    pd.testing.assert_frame_equal(panel_of_frame(odd).frame(), frame)


@pytest.mark.parametrize(
    ("column", "value", "match"),
    [
        ("sex", "male", "row 0, column sex: 'male' is none of 'Male', 'Female'"),
        ("country", "Atlantis", "'Atlantis' is none of 'Mexico'"),
        ("age_group", "20-24", "'20-24' is not that of the age"),
        ("age", 0, "0 is not an age of 1-120"),
        ("age", 30.5, "column age"),
        ("weight", 0.0, "is not a positive weight"),
        ("weight", np.nan, "column weight"),
        ("moved", 2, "is neither 0 nor 1"),
        ("followed", "yes", "column followed: .* are not true or false"),
        ("followed", None, "column followed"),
        ("generation", "third", "is none of 'first', 'second'"),
        ("generation", "second", "is for the first generation, and only it"),
        ("duration", "", "is for the first generation, and only it"),
        ("citizen", "", "is for the first generation, and only it"),
        ("years_in_us", np.nan, "is for the first generation, and only it"),
        ("parent_sex", "Male", "is for children under 15, and only them"),
        ("serial", 50, "is there twice"),
    ],
)
def test_frames_that_are_no_panel(frame, column, value, match):
    at = frame.index[(frame.serial == 17)][0] if column != "sex" else 0
    bad = frame.astype({column: object})
    bad.loc[at, column] = value
    with pytest.raises(DataError, match=match):
        panel_of_frame(bad)


def test_frames_without_columns_or_persons(frame):
    with pytest.raises(DataError, match="lacks the columns owner, parent_age of a panel"):
        panel_of_frame(frame.drop(columns=["owner", "parent_age"]))
    with pytest.raises(DataError, match="no persons"):
        panel_of_frame(frame.iloc[:0])
