"""Synthetic persons: their truth, who becomes of them what, and the extract they are written as."""

import copy
import csv
import gzip
import json
import math
import warnings
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from ipumspy import readers

import bayesmig as bm
from bayesmig.models.emigration.microdata import extract as extract_of
from bayesmig.models.emigration.microdata import (
    linking,
    synthetic,
    synthetic_ipums,
    synthetic_people,
    synthetic_survey,
)

PUBLISHED = Path(synthetic.__file__).parents[1] / "published"
FATES = ["emigrated", "died", "moved", "lost", "followed"]
IDS = ["YEAR", "SERIAL", "PERNUM"]
COLUMNS = (
    "year serial pernum month generation age age_group sex country origin duration years_in_us "
    "citizen owner oversample enrolment education race health weight followed moved returned "
    "parent_pernum parent_generation parent_age parent_age_group parent_sex parent_origin "
    "parent_enrolment parent_education parent_followed"
).split()


def said(error, call, *arguments, **named):
    """What an error says."""
    with pytest.raises(error) as caught:
        call(*arguments, **named)
    return str(caught.value)


def expit(x):
    return 1 / (1 + math.exp(-x))


def zscore(events, probability):
    """How far a number of events is from what independent persons would have."""
    p = np.asarray(probability, float)
    return (np.sum(events) - p.sum()) / math.sqrt((p * (1 - p)).sum())


# The truth


def test_the_shipped_truth_is_complete_and_sums_to_zero():
    truth = synthetic.default_truth()
    assert truth["residual"] == "hazard"
    assert synthetic.default_truth("probability")["residual"] == "probability"
    assert set(truth["emigrated"]) == {
        "intercept",
        "origin",
        "age_group",
        "sex",
        "duration",
        "year",
    }
    assert len(truth["emigrated"]["origin"]) == 11
    assert len(truth["emigrated"]["age_group"]) == 14
    for name in ("emigrated", "returned"):
        for factor, effect in truth[name].items():
            if factor != "intercept":
                assert math.isclose(sum(effect.values()), 0, abs_tol=1e-9), (name, factor)
    assert truth["second_generation_emigration"] == truth["generation_gap"] == 0
    assert "education" in truth["lost"]
    assert "education" not in truth["moved"]
    assert "generation" in truth["moved"]
    assert "SYNTHETIC" in truth["title"]


@pytest.mark.parametrize("generation", ["first", "second"])
def test_mortality_has_the_program_s_coefficients(generation):
    with (PUBLISHED / "mortality_program.csv").open(encoding="utf-8") as file:
        program = {
            row["term"]: float(row["estimate"])
            for row in csv.DictReader(file)
            if row["generation"] == generation
        }
    died = synthetic.default_truth()["died"][generation]
    assert died["intercept"] == program["intercept"]
    assert died["sex"] == {"Male": program["male"], "Female": 0}
    for race in ("White", "Black", "Mexican", "Hispanic"):
        assert died["race"][race] == program[race.lower()]
    table3 = {"15-19": "a1", "20-24": "a1", "25-29": "a2", "30-34": "a2", "40-44": "a3"}
    table3 |= {"45-49": "a4", "60-64": "a5", "70-74": "a6"}
    for age, term in table3.items():
        assert died["age_group"][age] == program[term]
    assert died["age_group"]["75+"] == died["race"]["Other"] == died["health"]["Poor"] == 0
    assert died["health"]["Excellent"] == program["h1"]
    assert died["health"]["Fair"] == program["h4"]


def test_a_truth_that_is_none_is_refused():
    truth = synthetic.default_truth()

    def changed(*path, value):
        other = copy.deepcopy(truth)
        inner = other
        for name in path[:-1]:
            inner = inner[name]
        inner[path[-1]] = value
        return other

    def refused(other):
        return said(bm.DataError, synthetic.simulate_panel, other)

    assert "effects sum to 0.5" in refused(changed("emigrated", "sex", "Male", value=0.76))
    assert "not a finite number" in refused(changed("lost", "intercept", value=math.nan))
    assert "truth, moved, owner: '1'" in refused(changed("moved", "owner", value="1"))
    assert "needs" in refused(changed("died", value={}))
    assert "from 0 to below 1" in refused(changed("second_generation_emigration", value=1.0))
    assert "id_coincidence=-0.1" in refused(changed("survey", "id_coincidence", value=-0.1))
    wrong = changed("residual", value="none")
    assert "valid: hazard, probability" in said(bm.StudyError, synthetic.simulate_panel, wrong)
    assert "second_generation_emigrates" in said(bm.StudyError, synthetic.scenario, "x")
    assert "valid: hazard" in said(bm.StudyError, synthetic.default_truth, "x")


def test_a_truth_is_not_changed_by_its_use():
    truth = synthetic.default_truth()
    before = json.dumps(truth)
    people = synthetic.simulate_panel(truth, persons=300)
    synthetic.true_cells(people, truth)
    assert json.dumps(truth) == before


# Probabilities, computed by hand for single persons

ADULT = {
    "year": 1997,
    "generation": "first",
    "age": 33,
    "age_group": "30-34",
    "sex": "Male",
    "country": "Mexico",
    "origin": "Mexico",
    "duration": "5-9 yrs",
    "years_in_us": 6.0,
    "owner": True,
    "oversample": False,
    "enrolment": "Not enrolled",
    "education": "High school",
    "race": "Mexican",
    "health": "Good",
    "weight": 1000.0,
}
PARENT = {
    "parent_generation": "second",
    "parent_age_group": "45-49",
    "parent_sex": "Female",
    "parent_origin": "Cuba",
    "parent_enrolment": "Not enrolled",
    "parent_education": "Some college",
}
CHILD = ADULT | PARENT | {"age": 7, "age_group": "0-14", "education": "Less than high school"}
SECOND = ADULT | {"generation": "second", "duration": "", "years_in_us": math.nan}


def by_hand(person, truth):
    """Fates of one person, from the truth's numbers one by one."""
    t, year, child = truth, str(person["year"]), person["age_group"] == "0-14"
    first = person["generation"] == "first"
    of = "parent_" if child else ""
    e = t["second_generation_emigration"]
    if first:
        e = expit(
            t["emigrated"]["intercept"]
            + sum(t["emigrated"][f][person[f]] for f in ("origin", "age_group", "sex", "duration"))
            + t["emigrated"]["year"][year]
        )

    def dying(generation):
        if child:
            return 0.0
        c = t["died"][generation]
        return expit(
            c["intercept"] + sum(c[f][person[f]] for f in ("sex", "race", "age_group", "health"))
        )

    def common(part):
        logit = part["intercept"] + part["year"][year]
        logit += sum(part[f][person[of + f]] for f in ("sex", "age_group", "enrolment"))
        logit += part["mexican"] if person[of + "origin"] == "Mexico" else 0
        logit += part["owner"] if person["owner"] else 0
        return logit + (part["oversample"] if person["oversample"] else 0)

    def moving(generation):
        return expit(common(t["moved"]) + t["moved"]["generation"][generation])

    lost = common(t["lost"]) + t["lost"]["education"][person[of + "education"]]
    lost = expit(lost + (t["generation_gap"] if first else 0))
    mine = "first" if first else "second"
    m, d = moving(person["parent_generation"] if child else mine), dying(mine)
    if t["residual"] == "hazard":
        shares = [e, (1 - e) * d, (1 - e) * (1 - d) * m, (1 - e) * (1 - d) * (1 - m) * lost]
    else:
        r = (1 - t["second_generation_emigration"] - dying("second")) * (1 - moving("second"))
        shares = [e, d, m * (1 - e - d), r * lost]
    return [*shares, 1 - sum(shares)]


@pytest.mark.parametrize("residual", ["hazard", "probability"])
@pytest.mark.parametrize(
    "name", ["assumptions_hold", "second_generation_emigrates", "first_generation_harder"]
)
def test_probabilities_are_those_computed_by_hand(residual, name):
    truth = synthetic.scenario(name, residual)
    renter = ADULT | {"owner": False, "oversample": True, "age_group": "75+", "health": "Poor"}
    people = [ADULT, CHILD, SECOND, renter, SECOND | {"sex": "Female", "race": "White"}]
    found = synthetic.expected(pd.DataFrame(people), truth)
    for k, person in enumerate(people):
        np.testing.assert_allclose(found.loc[k, FATES].astype(float), by_hand(person, truth))
    assert found["returned"].isna().tolist() == [False, False, True, False, True]


def test_only_those_longer_in_the_us_can_have_returned():
    people = pd.DataFrame([ADULT | {"years_in_us": y, "duration": "0-4 yrs"} for y in (0, 1.5, 3)])
    t = synthetic.default_truth()["returned"]
    logit = t["intercept"] + t["age_group"]["30-34"] + t["sex"]["Male"] + t["duration"]["0-4 yrs"]
    returned = synthetic.expected(people)["returned"]
    np.testing.assert_allclose(returned, [0, 0, expit(logit)])


def test_words_of_any_type_give_the_same_probabilities():
    people = synthetic.simulate_panel(persons=400)
    words = people.copy()
    for name in words.select_dtypes("category"):
        words[name] = words[name].astype(object).where(words[name].notna(), None)
    pd.testing.assert_frame_equal(synthetic.expected(people), synthetic.expected(words))


def test_the_report_s_assumption_holds_with_residual_probability_only():
    people = synthetic.simulate_panel(persons=2000)
    first = people[(people.generation == "first") & (people.age_group != "0-14")]
    twin = first.assign(generation="second", duration="", years_in_us=np.nan)
    for residual, equal in (("probability", True), ("hazard", False)):
        truth = synthetic.scenario("assumptions_hold", residual)
        lost = [synthetic.expected(table, truth)["lost"] for table in (first, twin)]
        assert np.allclose(*lost, rtol=1e-12) is equal
        conditional = [
            chance["lost"] / (chance["lost"] + chance["followed"])
            for chance in (synthetic.expected(table, truth) for table in (first, twin))
        ]
        assert np.allclose(*conditional, rtol=1e-12) is not equal


def test_scenarios_change_what_they_say():
    people = synthetic.simulate_panel(persons=2000)
    first = (people.generation == "first").to_numpy()
    held, emigrate, harder = (
        synthetic.expected(people, synthetic.scenario(name))
        for name in (
            "assumptions_hold",
            "second_generation_emigrates",
            "first_generation_harder",
        )
    )
    assert (held["emigrated"][~first] == 0).all()
    assert (emigrate["emigrated"][~first] == 0.01).all()
    pd.testing.assert_frame_equal(held[first], emigrate[first])
    pd.testing.assert_frame_equal(held[~first], harder[~first])
    logit = [np.log(t["lost"] / t["followed"])[first] for t in (held, harder)]
    np.testing.assert_allclose(logit[1] - logit[0], 0.4)


def test_a_truth_that_loses_more_than_everybody_is_refused():
    truth = synthetic.default_truth("probability")
    truth["emigrated"]["intercept"] = 1.0
    message = said(bm.DataError, synthetic.simulate_panel, truth, persons=400)
    assert "loses more than everybody" in message
    assert "of 400 persons" in message


def test_labels_that_the_truth_does_not_have_are_named():
    people = synthetic.simulate_panel(persons=300)
    strange = people.assign(origin=people["origin"].astype(object).where(people.age != 30, "Mars"))
    assert "Mars" in said(bm.DataError, synthetic.expected, strange)
    orphans = people.assign(parent_sex=None)
    assert "a child needs a parent" in said(bm.DataError, synthetic.expected, orphans)
    later = people.assign(year=2031)
    assert "2031" in said(bm.DataError, synthetic.expected, later)
    second = people[people.generation == "second"]
    assert "no foreign-born" in said(bm.DataError, synthetic.true_cells, second)


# The panel


@pytest.fixture(scope="module")
def panel():
    return synthetic.simulate_panel(persons=200_000, years=range(1996, 2005), seed=4)


def test_a_panel_has_the_columns_and_the_size_asked_for(panel):
    assert list(panel.columns) == COLUMNS
    assert len(panel) == 200_000
    assert sorted(panel.year.unique()) == list(range(1996, 2005))
    assert not panel.duplicated(["year", "serial", "pernum"]).any()
    assert "SYNTHETIC" in panel.attrs["synthetic"]
    assert "SYNTHETIC" in panel.attrs["title"]
    assert json.loads(panel.attrs["truth"]) == synthetic.default_truth()
    second = panel[panel.generation == "second"]
    assert second.age.min() >= 15
    assert (second.duration == "").all()
    assert second.years_in_us.isna().all()
    assert second.returned.isna().all()
    assert second.moved.notna().all()
    first = panel[panel.generation == "first"]
    assert first.age.min() >= 1
    assert (first.years_in_us <= first.age).all()
    by_years = pd.cut(first.years_in_us, [-1, 4, 9, 100], labels=["0-4 yrs", "5-9 yrs", "10+ yrs"])
    assert (by_years.astype(str) == first.duration.astype(str)).all()
    group = np.where(panel.age < 15, "0-14", "")
    assert ((panel.age_group == "0-14") == (group == "0-14")).all()
    teens = panel[panel.age_group == "15-19"]
    assert (teens.age.min(), teens.age.max()) == (15, 19)


def test_the_panel_resembles_the_report_s_sample(panel):
    """Counts below Tables 1 and 2, levels of Table 4; the bounds are generous but can fail."""
    first = panel[panel.generation == "first"]
    adult = first.age_group != "0-14"
    assert len(first) / len(panel) == pytest.approx(77_491 / (77_491 + 48_694), abs=0.01)
    assert (~adult).mean() == pytest.approx(5_205 / 77_491, abs=0.01)
    men = adult & (first.origin == "Mexico") & (first.sex == "Male")
    assert men.mean() == pytest.approx(12_612 / 77_491, abs=0.01)
    total = synthetic.true_cells(panel).set_index("factor").loc["total"]
    for name, percent, within in (
        ("non_match", 34.2, 1.0),
        ("moved", 14.8, 0.7),
        ("died", 0.8, 0.1),
        ("emigrated", 4.3, 0.5),
        ("lost", 14.4, 0.7),
        ("returned", 1.0, 0.15),
    ):
        assert 100 * total[name] == pytest.approx(percent, abs=within), name


def test_children_have_a_parent_in_the_panel(panel):
    child = panel[panel.age_group == "0-14"]
    assert (child.generation == "first").all()
    names = "generation age age_group sex origin enrolment education followed".split()
    key = ["year", "serial", "parent_pernum"]
    adults = panel[panel.age_group != "0-14"]
    assert adults[[c for c in COLUMNS if c.startswith("parent_")]].isna().all(axis=None)
    right = adults[["year", "serial", "pernum", "owner", "oversample", *names]]
    both = child.merge(right, left_on=key, right_on=["year", "serial", "pernum"], how="left")
    assert both["generation_y"].notna().all()
    for name in names:
        assert (both[f"parent_{name}"].astype(str) == both[f"{name}_y"].astype(str)).all(), name
    assert (both["owner_x"] == both["owner_y"]).all()
    assert (both["oversample_x"] == both["oversample_y"]).all()
    assert (both["parent_age"] - both["age_x"]).min() >= 16
    # Most, not all, share their parent's lot
    alike = (both["followed_x"] == both["followed_y"]).mean()
    p = synthetic.expected(panel)["followed"][panel.age_group == "0-14"].mean()
    assert p**2 + (1 - p) ** 2 + 0.1 < alike < 1


def groups(panel):
    adult = panel.age_group != "0-14"
    yield from ((f"{g} {s}", adult & (panel.generation == g) & (panel.sex == s))
                for g in ("first", "second") for s in ("Male", "Female"))  # fmt: skip
    yield from ((str(year), panel.year == year) for year in (1996, 2003))
    yield from ((o, panel.origin == o) for o in ("Mexico", "Africa", "Europe"))
    yield "children", ~adult


def test_frequencies_are_those_expected(panel):
    chance = synthetic.expected(panel)
    hazard = synthetic.hazards(panel, synthetic.default_truth())
    for name, rows in groups(panel):
        assert abs(zscore(panel.followed[rows], chance.followed[rows])) < 4.5, name
        asked = rows & panel.moved.notna()
        p = hazard["moved"][asked.to_numpy()]
        assert abs(zscore(panel.moved[asked].astype(int), p)) < 4.5, name
    first = panel.generation == "first"
    # who has just come from abroad has not returned, and is not asked by chance
    assert panel.returned[first].notna().all()
    assert abs(zscore(panel.returned[first].astype(int), chance.returned[first])) < 4
    assert (panel.returned[panel.moved.isna()].mean()) > 0.1
    recent = first & (panel.years_in_us <= 1.5)
    assert (panel.returned[recent] == 0).all()
    assert 0.15 < panel.moved[recent].isna().mean() < 0.6


def test_frequencies_would_tell_another_truth(panel):
    first = (panel.generation == "first").to_numpy()
    for name, value, rows in (
        ("generation_gap", 0.4, first),
        ("second_generation_emigration", 0.03, ~first),
    ):
        chance = synthetic.expected(panel, synthetic.default_truth() | {name: value})
        assert abs(zscore(panel.followed[rows], chance.followed[rows])) > 8


def test_lots_fall_on_fates_in_their_shares():
    people = pd.DataFrame([ADULT, SECOND | {"age_group": "75+", "health": "Poor"}])
    truth = synthetic.scenario("second_generation_emigrates")
    many = people.loc[np.repeat([0, 1], 100_000)].reset_index(drop=True)
    lot = np.random.default_rng(1).random(len(many))
    fate = synthetic.lots(synthetic.hazards(many, truth), truth, lot)
    for k, person in enumerate(people.to_dict("records")):
        share = np.array(by_hand(person, truth))
        seen = np.bincount(fate[100_000 * k : 100_000 * (k + 1)], minlength=5)
        chi2 = ((seen - 100_000 * share) ** 2 / (100_000 * share)).sum()
        assert chi2 < 18.5  # 99.9 % of a chi-squared with 4 degrees of freedom


def test_cells_are_weighted_means(panel):
    cells = synthetic.true_cells(panel).set_index(["factor", "level"])
    chance = synthetic.expected(panel)
    women = (panel.generation == "first") & (panel.sex == "Female")
    at = cells.loc[("sex", "Female")]
    assert at["persons"] == women.sum()
    assert at["weight"] == pytest.approx(panel.weight[women].sum())
    mean = np.average(chance.emigrated[women], weights=panel.weight[women])
    assert at["emigrated"] == pytest.approx(mean)
    followed = np.average(chance.followed[women], weights=panel.weight[women])
    assert at["non_match"] == pytest.approx(1 - followed)
    for factor in ("mexican", "sex", "age_group", "year", "origin", "country", "duration"):
        part = cells.loc[factor]
        total = np.average(part["emigrated"], weights=part["weight"])
        assert total == pytest.approx(cells.loc[("total", "Foreign born"), "emigrated"]), factor
    assert set(cells.loc["mexican x sex"].index) == {
        f"{m}, {s}" for m in ("Mexican", "Non-Mexican") for s in ("Male", "Female")
    }


def test_the_same_seed_gives_the_same_panel():
    one, two, other = (synthetic.simulate_panel(persons=500, seed=s) for s in (7, 7, 8))
    pd.testing.assert_frame_equal(one, two)
    assert not one.equals(other)


def test_wrong_sizes_and_years_are_refused():
    simulate = synthetic.simulate_panel
    assert "at least 200" in said(bm.StudyError, simulate, persons=199)
    assert "1996 to 2005" in said(bm.StudyError, simulate, years=[1995, 1996])
    assert "years=[]" in said(bm.StudyError, simulate, years=[])


def test_intervals_of_arrival_are_those_of_the_survey():
    """The labels of YRIMMIG of that year's survey."""
    known = {
        (1996, 1996): (1994, 1996),
        (1996, 1993): (1992, 1993),
        (1997, 1994): (1994, 1997),
        (1999, 1996): (1996, 1999),
        (1999, 1995): (1994, 1995),
        (2000, 1997): (1996, 1997),
        (2003, 2000): (2000, 2003),
        (2004, 1981): (1980, 1981),
        (2004, 1979): (1975, 1979),
        (2004, 1964): (1960, 1964),
        (2004, 1950): (1950, 1959),
    }
    year, arrival = np.array(list(known)).T
    found = synthetic_people.arrival_interval(year, arrival)
    assert list(zip(*(f.tolist() for f in found), strict=True)) == list(known.values())
    assert synthetic_people.arrival_interval(2004, 1930)[1] == 1949


# The extract


def opened(path):
    """Codebook and records, by ipumspy."""
    codebook = path.with_name(path.name.split(".")[0] + ".xml")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", readers.CitationWarning)
        ddi = readers.read_ipums_ddi(codebook)
    return ddi, readers.read_microdata(ddi, path)


def fates_of(path):
    return pd.read_csv(
        path.with_name(path.name.split(".")[0] + "_fates.csv.gz"), keep_default_na=False
    )


@pytest.fixture(scope="module")
def extract(tmp_path_factory):
    folder = tmp_path_factory.mktemp("extract")
    return synthetic.write_extract(folder, households=1500, years=range(1996, 2000), seed=3)


@pytest.fixture(scope="module")
def records(extract):
    return opened(extract)[1]


@pytest.fixture(scope="module")
def linked(extract, records):
    """Everybody in months 1-4 of a year that was followed by another, with fate and next record."""
    now = fates_of(extract).merge(records, on=IDS, validate="1:1")
    main = records[records.CPSIDP > 0]
    later = main.assign(YEAR=main.YEAR - 1).drop(columns=["SERIAL", "PERNUM"])
    return now.merge(later, on=["YEAR", "CPSIDP"], how="left", suffixes=("", "_later"))


def test_everything_says_that_it_is_synthetic(extract):
    for path in extract.parent.iterdir():
        assert path.name.startswith("synthetic")
    text = extract.with_name("synthetic_cps_1996_1999.xml").read_text(encoding="utf-8")
    root = ElementTree.fromstring(text)
    space = {"d": "ddi:codebook:2_5"}
    for place in (
        "stdyInfo/d:abstract",
        "citation/d:titlStmt/d:titl",
        "dataAccs/d:useStmt/d:citReq",
    ):
        assert "SYNTHETIC" in root.find(f"d:stdyDscr/d:{place}", space).text
    assert "10.18128" not in text  # not IPUMS' DOI


def test_codebook_and_data_are_read_by_ipumspy(extract):
    ddi, records = opened(extract)
    assert ddi.ipums_collection == "cps"
    assert ddi.samples_description == [
        f"IPUMS-CPS, ASEC {y} (SYNTHETIC)" for y in range(1996, 2000)
    ]
    asked = (
        "YEAR SERIAL MONTH CPSIDP ASECFLAG ASECOVERP MISH PERNUM ASECWT AGE SEX RACE HISPAN BPL "
        "MBPL FBPL NATIVITY CITIZEN YRIMMIG MIGRATE1 OWNERSHP EDUC SCHLCOLL HEALTH MOMLOC POPLOC"
    ).split()
    assert set(asked) == set(records.columns)
    assert not records.isna().any(axis=None)
    assert not records.duplicated(IDS).any()
    for variable in ddi.data_description:
        if variable.codes:
            strange = set(records[variable.name]) - set(variable.codes.values())
            assert not strange, (variable.name, strange)
    labels = {
        v.name: {code: label for label, code in v.codes.items()} for v in ddi.data_description
    }
    assert labels["BPL"][51500] == "Philippines"
    assert labels["BPL"][9900] == "United States, n.s."
    assert labels["MIGRATE1"][6] == "Abroad"
    assert labels["YRIMMIG"][1996] == "1994-1996"
    assert labels["CITIZEN"][5] == "Not a citizen"
    assert labels["EDUC"][73] == "High school diploma or equivalent"


def test_weights_have_four_implied_decimals(extract, records):
    with gzip.open(extract, "rt", encoding="ascii") as file:
        line = next(file)
    assert len(line.rstrip("\n")) == sum(width for _, width, _, _ in synthetic_ipums.VARIABLES)
    start = 4 + 5 + 2 + 1 + 1 + 2 + 2 + 14
    assert int(line[start : start + 11]) == round(records.ASECWT.iloc[0] * 10_000)
    assert 1000 < records.ASECWT.mean() < 2000
    over = records.ASECOVERP == 1
    ratio = records.ASECWT[over].mean() / records.ASECWT[~over].mean()
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_csv_and_fixed_width_say_the_same(tmp_path):
    how = {"households": 60, "years": (2002, 2003, 2004), "seed": 5}
    paths = [
        synthetic.write_extract(tmp_path, format=f, compress=c, **how)
        for f, c in (("dat", True), ("dat", False), ("csv", True), ("csv", False))
    ]
    assert [p.name.removeprefix("synthetic_cps_2002_2004") for p in paths] == [
        ".dat.gz",
        ".dat",
        ".csv.gz",
        ".csv",
    ]
    tables = [opened(p)[1].astype(float) for p in paths]
    for table in tables[1:]:
        pd.testing.assert_frame_equal(tables[0], table)
    with paths[3].open(encoding="utf-8") as file:
        assert len(next(csv.DictReader(file))["ASECWT"].split(".")[1]) == 4
    ages = tables[0].groupby("YEAR").AGE
    assert ages.max()[2003] == 80  # the top codes of the released files
    assert set(tables[0].AGE[(tables[0].YEAR == 2004) & (tables[0].AGE >= 80)]) <= {80, 85}
    asians = tables[0][tables[0].RACE >= 650]
    assert (np.where(asians.YEAR >= 2003, 651, 650) == asians.RACE).all()


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    contents = []
    for k, seed in enumerate((1, 1, 2)):
        (folder := tmp_path / str(k)).mkdir()
        synthetic.write_extract(folder, households=30, seed=seed)
        contents.append({p.name: p.read_bytes() for p in folder.iterdir()})
    assert len(contents[0]) == 4
    assert contents[0] == contents[1]
    differ = {name for name in contents[0] if contents[0][name] != contents[2][name]}
    assert {name.split(".")[0] for name in differ} == {
        "synthetic_cps_1996_2000",
        "synthetic_cps_1996_2000_fates",
    }


def test_years_of_immigration_come_in_both_codings(tmp_path):
    how = {"households": 150, "years": (1997, 1998), "seed": 2}
    by_year, by_interval = (
        opened(synthetic.write_extract(tmp_path, yrimmig=y, **how)) for y in ("year", "interval")
    )
    labels = [
        table.YRIMMIG.map({c: w for w, c in ddi.get_variable_info("YRIMMIG").codes.items()})
        for ddi, table in (by_year, by_interval)
    ]
    assert by_interval[1].YRIMMIG.max() < 40
    end = labels[1].str.extract(r"(\d{4})(?: or earlier)?$")[0].fillna("0").astype(int)
    assert (end.to_numpy() == by_year[1].YRIMMIG.to_numpy()).all()
    assert set(labels[1]) >= {"NIU", "1994-1997", "1996-1998", "1994-1995", "1980-1981"}
    foreign = by_year[1].CITIZEN >= 4
    assert (by_year[1].YRIMMIG[foreign] > 0).all()
    assert (by_year[1].YRIMMIG[by_year[1].CITIZEN == 1] == 0).all()


def test_a_wrong_request_for_an_extract_is_refused(tmp_path):
    write = synthetic.write_extract
    assert "no such folder" in said(bm.DataError, write, tmp_path / "x")
    assert "consecutive" in said(bm.StudyError, write, tmp_path, years=[1996, 1998])
    assert "at least two" in said(bm.StudyError, write, tmp_path, years=[1996])
    assert "1996 to 2005" in said(bm.StudyError, write, tmp_path, years=[2005, 2006])
    assert "valid: dat, csv" in said(bm.StudyError, write, tmp_path, format="sas")
    assert "valid: year, interval" in said(bm.StudyError, write, tmp_path, yrimmig="x")
    assert "1 to 40,000" in said(bm.StudyError, write, tmp_path, households=0)
    assert not list(tmp_path.iterdir())


def test_half_of_the_addresses_are_in_their_second_year(records):
    homes = records.groupby(["YEAR", "SERIAL"]).MISH
    assert (homes.nunique() == 1).all()
    entered = homes.first().le(4).groupby(level="YEAR").sum()
    assert (entered == 1500).all()
    again = homes.first().ge(5).groupby(level="YEAR").sum()
    assert ((again > 1200) & (again <= 1500)).all()
    assert set(records.MISH) == set(range(1, 9))


def test_ids_name_the_first_month_and_one_person(records):
    main = records[records.CPSIDP > 0]
    assert ((records.CPSIDP == 0) == (records.ASECOVERP == 1)).all()
    assert not main.duplicated(["YEAR", "CPSIDP"]).any()
    entered = main[main.MISH <= 4]
    months = entered.CPSIDP // 10**8
    elapsed = 12 * (entered.YEAR - months // 100) + 3 - months % 100
    assert (elapsed == entered.MISH - 1).all()


def test_whoever_is_followed_is_found_and_nobody_else(linked):
    main = linked[linked.ASECOVERP == 0]
    found = main.AGE_later.notna()
    mistaken = main.id_coincidence != ""
    followed = main.fate == "followed"
    assert (found == (followed | mistaken)).all()
    assert not (followed & mistaken).any()
    both = main[followed]
    assert (both.MISH_later == both.MISH + 4).all()
    assert (both.SEX_later == both.SEX).all()
    older = both.AGE_later - both.AGE
    assert older.between(0, 2).all()
    assert older.nunique() == 3
    for name in ("BPL", "MBPL", "FBPL", "CITIZEN", "HISPAN", "RACE"):
        assert (both[name] == both[f"{name}_later"]).all(), name
    assert (both.MIGRATE1_later[both.AGE_later > 0] == 1).all()


def test_another_person_under_the_same_id_is_of_another_sex_or_age(linked):
    mistaken = linked[linked.id_coincidence != ""]
    gone = linked[(linked.fate != "followed") & (linked.ASECOVERP == 0) & (linked.AGE > 0)]
    assert abs(zscore(mistaken.shape[0], np.full(len(gone), 0.02))) < 4
    assert set(mistaken.id_coincidence) == {"sex", "age"}
    same = mistaken.SEX_later == mistaken.SEX
    assert (same == (mistaken.id_coincidence == "age")).all()
    older = (mistaken.AGE_later - mistaken.AGE)[same]
    assert ((older <= -5) | (older >= 8)).all()


def test_who_has_left_is_replaced_by_people_with_other_ids(linked, records):
    """Everybody of an address gone, nobody merely missed: mostly there are new occupants."""
    home = linked[linked.ASECOVERP == 0].groupby(["YEAR", "SERIAL"])
    gone = home.fate.agg(lambda f: not {"followed", "lost"} & set(f))
    main = records[records.CPSIDP > 0]
    later = main[main.MISH >= 5]
    known = set(zip(main.YEAR + 1, main.CPSIDP, strict=True))
    new = np.array([i not in known for i in zip(later.YEAR, later.CPSIDP, strict=True)])
    new = later[new & (later.YEAR > 1996)]
    # a household that began with the second interview: its id names this year's month
    since = new.CPSIDP // 10**8
    occupants = new[12 * (new.YEAR - since // 100) + 3 - since % 100 == new.MISH - 5]
    homes = occupants.groupby(["YEAR", "SERIAL"]).ngroups
    assert gone.sum() > 200
    share = homes / (gone.sum() * (1 - (records.ASECOVERP == 1).mean()))
    assert 0.7 < share < 1.1
    assert set(occupants.MIGRATE1[occupants.AGE > 0]) <= {2, 3, 4, 5, 6}
    assert len(new) > len(occupants)  # some have joined those who stayed


def test_missed_households_are_not_interviewed(linked):
    lost = linked[(linked.fate == "lost") & (linked.id_coincidence == "")]
    assert len(lost) > 500
    assert lost.AGE_later.isna().all()


def test_parents_are_adults_of_the_household(records):
    for pointer, sex, born in (("MOMLOC", 2, "MBPL"), ("POPLOC", 1, "FBPL")):
        child = records[records[pointer] > 0]
        assert len(child) > 1000
        parents = records[[*IDS, "AGE", "SEX", "BPL", "CITIZEN"]]
        both = child.merge(
            parents, left_on=["YEAR", "SERIAL", pointer], right_on=IDS, suffixes=("", "_parent")
        )
        assert len(both) == len(child)
        assert (both.SEX_parent == sex).all()
        assert (both.AGE_parent - both.AGE).min() >= 13
        assert both.AGE_parent.min() >= 18
        foreign = both.CITIZEN_parent >= 4
        assert (both[born] == both.BPL_parent)[foreign].all()
        assert (both[born] == 9900)[~foreign].all()
    orphans = records[(records.AGE < 15) & (records.MOMLOC == 0) & (records.POPLOC == 0)]
    assert 0.01 < len(orphans) / (records.AGE < 15).sum() < 0.15


def test_generations_and_birthplaces_agree(records):
    foreign = records.CITIZEN >= 4
    assert (records.BPL[foreign] >= 15000).all()
    assert (records.NATIVITY[foreign] == 5).all()
    native = records[records.CITIZEN == 1]
    assert (native.BPL == 9900).all()
    mother, father = (native[name] >= 15000 for name in ("MBPL", "FBPL"))
    expected = np.select([mother & father, mother, father], [4, 3, 2], 1)
    assert (expected == native.NATIVITY).all()
    assert set(native.NATIVITY) == {1, 2, 3, 4}
    assert {2, 3} <= set(records.CITIZEN)
    mexicans = records[(records.BPL == 20000) & (records.HISPAN >= 100)]
    assert (mexicans.HISPAN < 110).mean() > 0.9
    asked = records.AGE.between(16, 24)
    assert ((records.SCHLCOLL > 0) == asked).all()
    assert ((records.EDUC == 1) == (records.AGE < 15)).all()


def test_a_year_ago_is_told_by_the_same_model(records):
    known = records[(records.MISH <= 4) & (records.AGE >= 15)]
    abroad = known.MIGRATE1 == 6
    assert ((records.MIGRATE1 == 0) == (records.AGE == 0)).all()
    assert set(known.CITIZEN[abroad]) <= {4, 5}
    back = abroad & (known.YEAR - known.YRIMMIG > 1.5)
    foreign = known.CITIZEN >= 4
    assert 0.005 < back[foreign].mean() < 0.02
    assert 0 < (abroad & ~back)[foreign].mean() < 0.05
    moved = known.MIGRATE1.between(2, 5)
    assert 0.12 < moved[foreign & ~abroad].mean() < 0.18
    owner = known.OWNERSHP == 10
    assert moved[owner].mean() < 0.6 * moved[~owner].mean()


# There and back: written, read, linked

RECODED = (
    "generation age age_group sex country origin duration years_in_us citizen owner oversample "
    "enrolment education race health"
).split()


def read_back(path):
    return linking.link(extract_of.load(path)).frame()


@pytest.fixture(scope="module", params=[("dat", "year"), ("csv", "interval")], ids=str)
def returned(request, tmp_path_factory):
    """A survey, the panel made of its extract, and who is in it, by the survey itself."""
    form, yrimmig = request.param
    years, seed = range(1999, 2003), 11
    path = synthetic.write_extract(
        tmp_path_factory.mktemp("back"),
        households=1200,
        years=years,
        seed=seed,
        format=form,
        yrimmig=yrimmig,
    )
    survey = synthetic_survey.survey(
        synthetic.default_truth(), 1200, list(years), np.random.default_rng(seed)
    )
    people = survey.fates.merge(survey.records, on=["year", "serial", "pernum"])
    main = people[~people.oversample]
    rows = main[(main.generation != "third") & ((main.age >= 15) | (main.generation == "first"))]
    return path, read_back(path), rows[rows.age >= 1]


def test_reading_finds_again_who_was_simulated(returned):
    _, panel, people = returned
    key = ["year", "serial", "pernum"]
    both = people.merge(panel, on=key, how="outer", suffixes=("", "_read"), indicator=True)
    assert not (both._merge == "right_only").any()
    left_out = both[both._merge == "left_only"]  # children without a usable parent
    assert (left_out.age < 15).all()
    assert 0 < len(left_out) < 0.2 * (people.age < 15).sum()
    both = both[both._merge == "both"]
    for name in RECODED:
        one, two = (both[c].astype(object).fillna(-1) for c in (name, f"{name}_read"))
        assert (one == two).all(), name
    np.testing.assert_allclose(both.weight, both.weight_read, rtol=0, atol=1e-9)
    moved = both.residence.map({"same": 0, "moved": 1, "abroad": -1, "": -1})
    assert (both.moved.fillna(-1).astype(int) == moved).all()
    back = (both.residence == "abroad") & (both.years_in_us > 1.5)
    asked = (both.generation == "first").to_numpy()
    assert (both.returned[asked].astype(int) == back[asked]).all()
    child = both[both.age < 15]
    assert (
        child.parent_pernum == np.where(child.mother > 0, child.mother, child.father)
    ).mean() > 0.9


def test_linking_finds_exactly_those_followed(returned):
    path, panel, people = returned
    loaded = extract_of.load(path)
    key = ["year", "serial", "pernum"]
    fate = panel.merge(people[[*key, "fate", "id_coincidence"]], on=key, validate="1:1")
    assert (fate.followed.astype(bool) == (fate.fate == "followed")).all()
    assert fate.id_coincidence.value_counts()[["sex", "age"]].min() >= 5
    for rules, taken in (
        ({"sex": False}, {"sex"}),
        ({"age_difference": None}, {"age"}),
        ({"sex": False, "age_difference": None}, {"sex", "age"}),
    ):
        lax = linking.link(loaded, **rules).frame()[[*key, "followed"]]
        both = fate.merge(lax, on=key, suffixes=("", "_lax"))
        wrong = both[both.followed_lax.astype(bool) & (both.fate != "followed")]
        assert set(wrong.id_coincidence) <= taken
        if "age" in taken:
            assert len(wrong) > 0
            assert set(both.id_coincidence[both.followed_lax.astype(bool)]) == {"", *taken}
        assert (both.followed_lax.astype(bool) >= both.followed.astype(bool)).all()


def test_fates_in_the_survey_have_the_probabilities_expected(tmp_path):
    """Without shared lots persons are independent; with them the shares stay what they are."""
    truth = synthetic.scenario("second_generation_emigrates")
    for shared, bound in ((0.0, 4.0), (0.6, 6.0)):
        lots = {"child_with_parent": shared, "adult_with_householder": shared}
        truth["survey"] |= lots
        path = synthetic.write_extract(
            tmp_path, truth, households=5000, years=(2000, 2001), seed=round(10 * shared)
        )
        panel = read_back(path)
        fates = fates_of(path).rename(columns={name: name.lower() for name in IDS})
        fate = panel.merge(fates, on=["year", "serial", "pernum"], validate="1:1").fate
        chance = synthetic.expected(panel, truth)
        first = panel.generation == "first"
        for whose in (first & (panel.age >= 15), first & (panel.age < 15), ~first):
            for name in FATES:
                rows = whose.to_numpy()
                if chance[name][rows].sum() > 0:
                    z = zscore(fate[rows] == name, chance[name][rows])
                    assert abs(z) < bound, (shared, name, z)
                else:
                    assert not (fate[rows] == name).any()
