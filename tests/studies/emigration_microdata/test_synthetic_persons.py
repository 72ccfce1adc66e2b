"""Synthetic persons: their truth, and what becomes of them."""

import copy
import csv
import json
import math

import numpy as np
import pandas as pd
import pytest
from studies.emigration_microdata.chance import FATES, expit, said, zscore

import bayesmig as bm
from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.synthetic.chances import hazards, lots
from bayesmig.models.emigration.microdata.synthetic.people import arrival_interval

COLUMNS = (
    "year serial pernum month generation age age_group sex country origin duration years_in_us "
    "citizen owner oversample enrolment education race health weight followed moved returned "
    "parent_pernum parent_generation parent_age parent_age_group parent_sex parent_origin "
    "parent_enrolment parent_education parent_followed"
).split()


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
    assert json.loads(panel.attrs["simulated_from"]) == synthetic.default_truth()
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
    hazard = hazards(panel, synthetic.default_truth())
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
    fate = lots(hazards(many, truth), truth, lot)
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
    found = arrival_interval(year, arrival)
    assert list(zip(*(f.tolist() for f in found), strict=True)) == list(known.values())
    assert arrival_interval(2004, 1930)[1] == 1949
