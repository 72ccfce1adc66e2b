"""The recodes against the printed SAS and Stata programs, in plain loops."""

import json

import numpy as np
import pandas as pd
import pytest
from studies.emigration_microdata.extracts import OTHERS, SECOND, counted, met, person, row

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.microdata.ipums import codes, database
from bayesmig.models.emigration.microdata.levels import AGES


def sas_country(census, mexican):
    """Table 13's row of a person's country of birth, typed from Appendix A."""
    row = {
        1: "Mexico", 2: "Central America", 3: "Cuba", 4: "Dominican Republic", 5: "China",
        6: "Philippines", 7: "Korea", 8: "India", 9: "Other Asia", 10: "Africa", 11: "Africa",
        12: "Europe", 13: "North America", 14: "Other Caribbean", 15: "Other",
    }  # fmt: skip

    def rpob():
        if census == 315:
            return 1
        if census == 337:
            return 3
        if census == 339:
            return 4
        if census in (207, 238, 209):
            return 5
        if census == 231:
            return 6
        if census in (217, 218):
            return 7
        if census == 210:
            return 8
        if census in (310, 311, 312, 313, 314, 315, 316, 317, 318):
            return 2
        if census in (415, 436, 468, 252):
            return 10
        if 200 <= census <= 253:
            return 9
        if 417 <= census <= 462:
            return 11
        if 103 <= census <= 148:
            return 12
        if 300 <= census <= 304:
            return 13
        if 333 <= census <= 389:
            return 14
        if census == 555 and mexican:
            return 1
        return 15

    return row[rpob()]


def stata_origin(census, mexican):
    """The merged origin of a code of the second generation, typed from Appendix B."""
    country = sas_country(census, mexican)
    if census == 415:  # Stata's list of North Africa has 417 in its place
        country = "Other"
    return {
        "Other Asia": "Asia", "Korea": "Asia", "Philippines": "Asia",
        "Other Caribbean": "Caribbean", "Dominican Republic": "Caribbean",
    }.get(country, country)  # fmt: skip


BIRTHPLACES = codes.table("country")
BIRTHPLACES = BIRTHPLACES[BIRTHPLACES.census_code != ""]


@pytest.mark.parametrize("hispanic", [100, 200])
def test_every_birthplace_as_the_programs_have_it(panel, hispanic):
    census = dict(zip(BIRTHPLACES.code, BIRTHPLACES.census_code.astype(int), strict=True))
    own = [person(SERIAL=20000 + n, BPL=code, HISPAN=hispanic) for n, code in enumerate(census)]
    parents = [
        person(**{**SECOND, "SERIAL": 30000 + n}, MBPL=code, FBPL=20000, HISPAN=hispanic)
        for n, code in enumerate(census)
    ]
    made = panel(own, parents).frame().set_index("serial")
    for n, code in enumerate(census):
        mexican = hispanic == 100
        assert made.country[20000 + n] == sas_country(census[code], mexican), code
        # a mother from the US, Puerto Rico, ... gives way to the father, a Mexican here
        deciding = 315 if census[code] <= 72 else census[code]
        assert made.origin[30000 + n] == stata_origin(deciding, mexican), code


def test_origin_of_the_first_generation_is_merged_as_stata_does(panel):
    codes_of_both = zip(BIRTHPLACES.code, BIRTHPLACES.census_code.astype(int), strict=True)
    places = dict(enumerate(codes_of_both, 20000))
    made = panel([person(SERIAL=n, BPL=code, HISPAN=0) for n, (code, _) in places.items()])
    origin = made.frame().set_index("serial").origin
    for n, (_, census) in places.items():
        expected = "Africa" if census == 415 else stata_origin(census, False)
        assert origin[n] == expected


@pytest.mark.parametrize(
    ("choice", "changes", "expected"),
    [
        ({}, {"BPL": 50040}, "China"),
        ({}, {"BPL": 50010}, "China"),
        ({"china": "mainland"}, {"BPL": 50040}, "Other Asia"),
        ({"china": "mainland"}, {"BPL": 50010}, "Other Asia"),
        ({"china": "mainland"}, {"BPL": 50000}, "China"),
        ({}, {"BPL": 54700}, "Africa"),
        ({"middle_east": "asia"}, {"BPL": 54700}, "Other Asia"),
        ({"middle_east": "asia"}, {"BPL": 54350}, "Other Asia"),
        ({"middle_east": "asia"}, {"BPL": 60014}, "Africa"),
        ({}, {"BPL": 60012}, "Africa"),
        ({"north_africa": "sas"}, {"BPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {"BPL": 60012}, "Other"),
        ({"north_africa": "both"}, {"BPL": 60012}, "Africa"),
        ({}, {**SECOND, "MBPL": 60012}, "Other"),
        ({"north_africa": "sas"}, {**SECOND, "MBPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {**SECOND, "MBPL": 60012}, "Other"),
        ({"north_africa": "both"}, {**SECOND, "MBPL": 60012}, "Africa"),
        ({"north_africa": "stata"}, {"BPL": 60044}, "Africa"),
        ({"north_africa": "sas"}, {**SECOND, "MBPL": 60044}, "Africa"),
    ],
)
def test_the_codes_that_the_program_confuses_are_options(panel, choice, changes, expected):
    made = panel(person(**{**changes, "SERIAL": 17}), **choice)
    assert row(made, 17).country == expected
    said = json.loads(made.attrs["codes"])
    assert said == {
        "china": "program",
        "middle_east": "program",
        "north_africa": "program",
        **choice,
    }


@pytest.mark.parametrize("name", ["china", "middle_east", "north_africa"])
def test_choices_that_do_not_exist(panel, name):
    with pytest.raises(StudyError, match=f"{name}='x'; valid: program, "):
        panel([], **{name: "x"})


GENERATIONS = [
    ({"CITIZEN": 5}, "first"),
    ({"CITIZEN": 4, "MBPL": 9900, "FBPL": 9900}, "first"),
    ({"CITIZEN": 1, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 20000}, "second"),
    ({"CITIZEN": 2, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 3, "MBPL": 20000, "FBPL": 9900}, "second"),
    ({"CITIZEN": 1, "MBPL": 12090, "FBPL": 9900}, "second"),  # 96 > 78
    ({"CITIZEN": 1, "MBPL": 96000, "FBPL": 9900}, "second"),  # 555 > 78
    ({"CITIZEN": 1, "MBPL": 99999, "FBPL": 20000}, "second"),
    ({"CITIZEN": 1, "MBPL": 9900, "FBPL": 9900}, "third generation"),
    ({"CITIZEN": 1, "MBPL": 11000, "FBPL": 11500}, "third generation"),
    ({"CITIZEN": 3, "MBPL": 9900, "FBPL": 9900}, "third generation"),
    ({"CITIZEN": 9}, "citizenship or parents' birthplace not given"),
    ({"CITIZEN": 1, "MBPL": 99999, "FBPL": 9900}, "citizenship or parents' birthplace not given"),
]


def test_generations(panel):
    made = panel([person(SERIAL=n, **at) for n, (at, _) in enumerate(GENERATIONS, 1)])
    for n, (changes, generation) in enumerate(GENERATIONS, 1):
        if generation not in ("first", "second"):
            assert n not in set(made.frame().serial), changes
            continue
        found = row(made, n)
        assert found.generation == generation, changes
        naturalized = {4: "Naturalized", 5: "Not a citizen"}.get(changes["CITIZEN"], "")
        assert found.citizen == naturalized
        assert (found.duration == "") == (generation == "second")
        assert np.isnan(found.years_in_us) == (generation == "second")
    assert counted(made, "third generation") == 3
    assert counted(made, "citizenship or parents' birthplace not given") == 2


def test_whose_birthplace_is_the_second_generations(panel):
    parents = [
        ({"MBPL": 15000, "FBPL": 20000}, "North America"),  # the mother's comes first
        ({"MBPL": 9900, "FBPL": 20000}, "Mexico"),
        ({"MBPL": 11000, "FBPL": 20000}, "Mexico"),  # Puerto Rico is 72
        ({"MBPL": 11500, "FBPL": 20000}, "Other"),  # the Virgin Islands are 78, above 72
        ({"MBPL": 99999, "FBPL": 15000}, "North America"),
        ({"MBPL": 15000, "FBPL": 9900}, "North America"),
    ]
    made = panel([person(**{**SECOND, "SERIAL": n}, **at) for n, (at, _) in enumerate(parents, 1)])
    for n, (at, country) in enumerate(parents, 1):
        assert row(made, n).country == country, at


ARRIVALS = [  # year of the survey, YRIMMIG, age; years, duration, returned
    (2001, 2001, 30, 0, "0-4 yrs", 0),
    (2001, 1999, 30, 2, "0-4 yrs", 1),
    (2001, 1997, 30, 4, "0-4 yrs", 1),
    (2001, 1995, 30, 6, "5-9 yrs", 1),
    (2001, 1991, 30, 10, "10+ yrs", 1),
    (2001, 1949, 80, 52, "10+ yrs", 1),
    (2001, 1995, 3, 3, "0-4 yrs", 1),  # no longer than one's age
    (2001, 1999, 1, 1, "0-4 yrs", 0),
    (2006, 2008, 30, 0, "0-4 yrs", 0),  # an interval that ends after the survey
    (2001, 1, 80, 52, "10+ yrs", 1),  # the newer list: 1949 or earlier
    (2001, 25, 30, 0, "0-4 yrs", 0),  # 1998-2001
    (2001, 19, 30, 4, "0-4 yrs", 1),  # 1996-1997
    (2001, 16, 30, 6, "5-9 yrs", 1),  # 1994-1995
    (2001, 22, 30, 3, "0-4 yrs", 1),  # 1998
]


@pytest.mark.parametrize("year", [2001, 2006])
def test_years_since_arrival(panel, year):
    others = [{**r, "YEAR": r["YEAR"] - 2001 + year} for r in OTHERS]
    cases = {n: at for n, at in enumerate(ARRIVALS, 1) if at[0] == year}
    people = [
        person(year, SERIAL=n, YRIMMIG=arrived, AGE=age, MIGRATE1=6, MOMLOC=2)
        for n, (_, arrived, age, *_) in cases.items()
    ]
    mothers = [person(year, SERIAL=n, PERNUM=2, SEX=2) for n in cases]
    made = panel(people, mothers, others, others=False)
    for n, (_, arrived, _, *expected) in cases.items():
        found = row(made, n)
        assert [found.years_in_us, found.duration, found.returned] == expected, arrived
        assert pd.isna(found.moved)
    assert counted(made, "arrival interval ends after the survey") == (year == 2006)


def test_the_last_year_of_an_interval_gives_the_same_groups_as_its_middle():
    """SAS's avgpoe may be the middle of the interval; the report's years, both lists."""
    frame = codes.table("arrival")
    for code, label in zip(frame.code, frame.label, strict=True):
        for year in range(1996, 2005):
            bounds = [int(y) for y in label.split(" ")[0].split("-") if y.isdigit()]
            if len(bounds) != 2 or bounds[1] > year or bounds[1] < 1981:
                continue
            if bounds[1] - bounds[0] > 1 and bounds[1] < year:
                continue  # an open interval of an earlier survey
            middle, last = year - sum(bounds) / 2, year - bounds[1]
            assert [middle < 5, middle < 10, middle > 1.5] == [last < 5, last < 10, last > 1.5], (
                code
            )


def test_age_groups_as_sas_makes_them():
    ages = range(1, 100)
    connection = database.workspace()
    codes.register(connection)
    rows = pd.DataFrame([{n.lower(): v for n, v in person(AGE=age).items()} for age in ages])
    rows = rows.assign(oldest=rows.age, asked=True, line=1)
    connection.register("record", rows)
    query = codes.recoded(set(rows), "asecwt", [2001])
    found = dict(connection.execute(f"SELECT age, age_group FROM ({query})").fetchall())
    for age in ages:
        agegrp = min(age // 5, 15)  # Appendix A: 0 is 0-4, ..., 15 is 75 and over
        assert found[age] == AGES[0 if agegrp < 3 else agegrp - 2], age


EDUCATION = {
    "Less than high school": [*range(3), *range(10, 15), *range(20, 23), *range(30, 33),
                              40, 50, 60, 70, 71],
    "High school": [72, 73],
    "Some college": [80, 81, 90, 91, 92, 100],
    "College graduate": [110, 111, *range(120, 126)],
}  # fmt: skip
RACES = [300, 650, 651, 652, 700, *range(801, 821), 830, 999]
HISPANICS = {
    "Mexican": [100, 102, 103, 104, 108, 109],
    "Hispanic": [200, 300, 400, 500, 600, 610, 611, 612],
}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("education", {("EDUC", c): level for level, at in EDUCATION.items() for c in at}),
        ("enrolment", {("SCHLCOLL", 0): "Not enrolled", ("SCHLCOLL", 1): "High school",
                       ("SCHLCOLL", 2): "High school", ("SCHLCOLL", 3): "College",
                       ("SCHLCOLL", 4): "College", ("SCHLCOLL", 5): "Not enrolled"}),
        ("health", {("HEALTH", 1): "Excellent", ("HEALTH", 2): "Very good", ("HEALTH", 3): "Good",
                    ("HEALTH", 4): "Fair", ("HEALTH", 5): "Poor"}),
        ("owner", {("OWNERSHP", 0): False, ("OWNERSHP", 10): True, ("OWNERSHP", 21): False,
                   ("OWNERSHP", 22): False}),
        ("sex", {("SEX", 1): "Male", ("SEX", 2): "Female"}),
        ("race", {("RACE", 100): "White", ("RACE", 200): "Black",
                  **{("RACE", c): "Other" for c in RACES}}),
        ("race", {("HISPAN", c): level for level, at in HISPANICS.items() for c in at}),
        ("race", {("HISPAN", c): "White" for c in (0, 901, 902)}),
        ("moved", {("MIGRATE1", 1): 0, ("MIGRATE1", 2): 1, ("MIGRATE1", 3): 1, ("MIGRATE1", 4): 1,
                   ("MIGRATE1", 5): 1, ("MIGRATE1", 6): None, ("MIGRATE1", 0): None,
                   ("MIGRATE1", 9): None}),
        ("returned", {("MIGRATE1", 1): 0, ("MIGRATE1", 2): 0, ("MIGRATE1", 6): 1,
                      ("MIGRATE1", 0): None, ("MIGRATE1", 9): None}),
    ],
)  # fmt: skip
def test_every_level_of_the_other_recodes(panel, column, expected):
    plain = {"HISPAN": 0} if ("RACE", 100) in expected else {}
    people = [
        person(SERIAL=5000 + n, **{**plain, variable: code})
        for n, (variable, code) in enumerate(expected)
    ]
    made = panel(people).frame().set_index("serial")[column]
    for n, ((variable, code), level) in enumerate(expected.items()):
        found = made[5000 + n]
        assert pd.isna(found) if level is None else found == level, (variable, code)


def test_second_generation_moves_and_does_not_return(panel):
    made = panel(person(**{**SECOND, "SERIAL": 17}, MIGRATE1=6), person(
        **{**SECOND, "SERIAL": 18}, MIGRATE1=4))  # fmt: skip
    assert pd.isna(row(made, 17).returned)
    assert pd.isna(row(made, 17).moved)
    assert row(made, 18).moved == 1


def test_who_does_not_say_is_left_out_and_counted(panel):
    silent = {
        "education not given": {"EDUC": 999},
        "health not given": {"HEALTH": 0},
        "sex not given": {"SEX": 9},
        "year of arrival not given": {"YRIMMIG": 0},
        "birthplace not given": {"BPL": 99999},
    }
    made = panel(*(met(SERIAL=n, **at) for n, at in enumerate(silent.values(), 1)))
    for step in silent:
        assert counted(made, step) == counted(made, step, 2001) == 1, step
    assert set(made.frame().serial) == {900, 901}


def test_birthplaces_elsewhere_are_counted(panel):
    made = panel(person(BPL=96000, HISPAN=0, SERIAL=17), person(BPL=96000, SERIAL=18))
    assert row(made, 17).country == row(made, 17).origin == "Other"
    assert row(made, 18).country == row(made, 18).origin == "Mexico"
    assert counted(made, "birthplace elsewhere or unknown") == 2


def test_codes_that_no_table_has(panel):
    with pytest.raises(DataError) as error:
        panel(person(BPL=61234), person(BPL=61234), person(EDUC=74), person(2002, RACE=5))
    said = str(error.value)
    assert "BPL 61234: 2 records, first in line 1 (country.csv)" in said
    assert "EDUC 74: 1 records, first in line 3 (education.csv)" in said
    assert "RACE" not in said  # of a year that is only looked into


def test_differences_say_where_and_list_what_the_design_lists():
    found = codes.differences()
    assert list(found) == ["kind", "topic", "here", "program", "text", "place", "effect"]
    assert set(found.kind) == {"codes", "program", "choice", "estimator"}
    assert (found != "").all(axis=None)
    assert found.topic.is_unique
    assert found.place.str.contains("Appendi").all()
    said = " ".join(found.program)
    for code in ("207", "238", "209", "252", "415", "417", "333-389", "103-148", "78", "72"):
        assert code in said
