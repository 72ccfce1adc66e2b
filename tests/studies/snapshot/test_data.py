"""Survey sets: simulated ones against the oracle, the schema, cells and mean trips."""

import dataclasses
import json
import math
import warnings

import numpy as np
import pytest
import xarray as xr
from oracle import snapshot as oracle
from scipy import stats

import bayesmig as bm
from bayesmig.models.snapshot import data as respondents
from bayesmig.models.snapshot.simulate import follow

ANSWERS = ("survey_year", "departure_year", "sojourn_years", "repeat", "trips")
NAMES = {
    "solitary_share": "phi",
    "retirement_prob": "q",
    "solitary_departures": "f_s",
    "rookie_departures": "g",
    "repeat_prob": "rho",
    "solitary_sojourn": "a_s",
    "circular_sojourn": "a_c",
}


@pytest.fixture(scope="module")
def study():
    return bm.load_study("snapshot")


@pytest.fixture(scope="module")
def shipped():
    """The truth that ships with the study, by the graph's names."""
    truth = oracle.shipped_truth()
    return {key: np.array(truth[short]) for key, short in NAMES.items()}


@pytest.fixture(scope="module")
def history():
    return oracle.flow(**oracle.shipped_truth())


def said(call, *arguments, **named):
    """What a DataError says."""
    with pytest.raises(bm.DataError) as caught:
        call(*arguments, **named)
    return str(caught.value)


# The truth that ships with the study: the paper's own numbers, as it prints them


HEADLINES = {
    "solitary_share": (0.63, 2),
    "retirement_prob": (0.34, 2),
    "mean_trips": (2.09, 2),
    "circular_share_of_crossings": (0.55, 2),
    "retired_share": (0.63, 2),
    "circular_sojourn_within_2_years": (0.67, 2),
    "mean_solitary_sojourn": (18.2, 1),
    "mean_circular_sojourn": (5.8, 1),
    "total_crossings": (45.43, 2),
}


@pytest.mark.parametrize("quantity", HEADLINES)
def test_truth_has_the_paper_s_numbers(history, quantity):
    printed, decimals = HEADLINES[quantity]
    assert round(oracle.results(history, 11)[quantity], decimals) == printed


def test_truth_has_the_paper_s_population(history):
    assert round(oracle.results(history, 11)["population"][-1], 1) == 14.6


def test_truth_is_a_possible_history(history):
    for part in (history.rookies[1:], history.repeats[2:], history.active[1:], history.home[1:]):
        assert min(part) > 0
    assert max(history.rho) < 1
    assert math.fsum(history.f_s) == pytest.approx(1, abs=1e-8)
    assert math.fsum(history.a_s) == pytest.approx(1, abs=1e-8)
    assert math.fsum(history.a_c) == pytest.approx(1, abs=1e-8)


# Simulated survey sets


def test_sizes_and_labels(study, shipped):
    surveys = {1987: 3, 2000: 40, 2016: 7}
    data = study.simulate(surveys=surveys, seed=1)
    years, counts = np.unique(data.survey_year, return_counts=True)
    assert dict(zip(years.tolist(), counts.tolist(), strict=True)) == surveys
    assert set(data.data_vars) == set(ANSWERS)
    assert dict(data.sizes) == {"respondent": 50}
    assert list(data.respondent.values) == list(range(50))
    assert data["repeat"].dtype == bool
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    assert (data.attrs["first_year"], data.attrs["last_year"]) == (1980, 2016)
    carried = json.loads(data.attrs["truth"])
    assert set(carried) == set(shipped)
    for key, value in respondents.truth(data).items():
        np.testing.assert_array_equal(value, shipped[key])
        np.testing.assert_array_equal(carried[key], shipped[key])


def test_a_set_survives_a_file(study, tmp_path):
    data = study.simulate(surveys=20, seed=1)
    data.to_netcdf(tmp_path / "set.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "set.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(respondents.validate(again.load()), data)


def test_one_number_is_every_year_from_1987_on(study):
    data = study.simulate(surveys=20, seed=1)
    years, counts = np.unique(data.survey_year, return_counts=True)
    assert list(years) == list(range(1987, 2017))
    assert set(counts) == {20}


def test_as_many_as_in_the_paper_by_default(study):
    assert study.simulate().sizes["respondent"] == 3480


def test_same_seed_same_people(study):
    one, same, other = (study.simulate(surveys=20, seed=seed) for seed in (1, 1, 2))
    xr.testing.assert_identical(one, same)
    assert not one.equals(other)
    assert one.attrs["title"] != other.attrs["title"]


def test_example(study, shipped):
    data = study.example()
    assert data.sizes["respondent"] == 3480
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    years, counts = np.unique(data.survey_year, return_counts=True)
    assert list(years) == list(range(1987, 2017))
    assert counts.sum() == 3480
    for key, value in respondents.truth(data).items():
        np.testing.assert_array_equal(value, shipped[key])
    respondents.validate(data)


def test_data_that_are_not_simulated_carry_no_truth(study):
    data = study.simulate(surveys=20)
    del data.attrs["truth"]
    assert "no truth" in said(respondents.truth, data)


def other_truth(years=21, classes=6):
    rng = np.random.default_rng(3)
    return {
        "solitary_share": 0.4,
        "retirement_prob": 0.2,
        "solitary_departures": rng.dirichlet(np.full(years, 5.0)),
        "rookie_departures": rng.dirichlet(np.full(years, 5.0)),
        "repeat_prob": np.append(0, rng.uniform(0.2, 0.6, years - 1)),
        "solitary_sojourn": rng.dirichlet(np.full(classes, 5.0)),
        "circular_sojourn": rng.dirichlet(np.full(classes, 5.0)),
    }


def test_another_window_and_truth(study):
    truth = other_truth()
    data = study.simulate(truth, surveys=30, first_year=1990, last_year=2010)
    assert list(np.unique(data.survey_year)) == list(range(1991, 2011))
    assert data.departure_year.min() >= 1990
    assert (data.attrs["first_year"], data.attrs["last_year"]) == (1990, 2010)
    assert data.sojourn_years.max() > 6  # the open class
    for key, value in respondents.truth(data).items():
        np.testing.assert_array_equal(value, truth[key])


@pytest.mark.parametrize(
    ("limit", "value"),
    [("solitary_share", 1.0), ("retirement_prob", 1.0), ("repeat_prob", np.zeros(37))],
)
def test_nobody_repeats(study, shipped, limit, value):
    data = study.simulate({**shipped, limit: value}, surveys=100)
    assert not data["repeat"].any()
    assert (data.trips == 1).all()


def test_everybody_is_at_home_at_once(study, shipped):
    short = np.append(1.0, np.zeros(20))
    data = study.simulate({**shipped, "solitary_sojourn": short, "circular_sojourn": short})
    assert (data.sojourn_years == 1).all()


# The simulation and the oracle share no code: do they say the same?

LEVEL = 1e-4  # of each comparison, over all its surveys


def chi_squared(observed, expected):
    """Its p-value; answers expected fewer than five times are put together."""
    order = np.argsort(expected)
    pooled = max(1, int(np.searchsorted(np.cumsum(expected[order]), 5)) + 1)
    pooled = max(pooled, int((expected < 5).sum()))
    parts = [np.append(x[order][pooled:], x[order][:pooled].sum()) for x in (observed, expected)]
    assert parts[1].min() >= 5
    statistic = ((parts[0] - parts[1]) ** 2 / parts[1]).sum()
    return stats.chi2.sf(statistic, len(parts[1]) - 1)


# truth, respondents by year of the model
CASES = {
    "shipped": (oracle.shipped_truth, {2: 2_000, 8: 30_000, 20: 100_000, 37: 300_000}),
    "other": (
        lambda: {short: other_truth()[key] for key, short in NAMES.items()},
        {1: 2_000, 9: 100_000, 21: 300_000},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_people_answer_as_the_oracle_says(case):
    """Within a survey, answers are draws from eq. 31's probabilities, each by itself."""
    truth, size = CASES[case][0](), CASES[case][1]
    history = oracle.flow(**truth)
    known = respondents.as_truth({key: truth[short] for key, short in NAMES.items()})
    found = follow(known, size, np.random.default_rng(5), migrants=1_000_000)
    expected_trips = oracle.exact_trips(history)
    for t in size:
        here = found["survey"] == t
        counts = {}
        for d, j, trips in zip(
            found["departure"][here].tolist(),
            found["sojourn"][here].tolist(),
            found["trips"][here].tolist(),
            strict=True,
        ):
            key = t - d + 1, j, trips > 1
            counts[key] = counts.get(key, 0) + 1
        keys = [(i, j, repeat) for i, j in oracle.answers(t) for repeat in (False, True)]
        assert set(counts) <= set(keys)
        observed = np.array([counts.get(key, 0) for key in keys])
        chance = [oracle.answer(history, i, j, t, repeat) for i, j, repeat in keys]
        expected = size[t] * np.array(chance)
        impossible = expected == 0
        assert (observed[impossible] == 0).all()
        if t > 1:
            p = chi_squared(observed[~impossible], expected[~impossible])
            assert p > LEVEL / len(size)
        trips = found["trips"][here]
        if t == 1:
            assert (trips == 1).all()
        else:
            z = (trips.mean() - expected_trips[t]) / (trips.std(ddof=1) / math.sqrt(len(trips)))
            assert abs(z) < stats.norm.isf(LEVEL / len(size) / 2)


def test_numbers_of_trips_are_those_of_the_oracle_s_table(history):
    """Not their mean alone."""
    t, n = 37, 8_000
    known = respondents.as_truth(None)
    found = follow(known, {t: n}, np.random.default_rng(6))["trips"]
    table = oracle.tables_of_trips(history)[t]
    people = np.add(table["active"], table["retired"])
    people[1] += history.n_s[t] - history.p_s[t]
    expected = n * people / people.sum()
    observed = np.bincount(found, minlength=len(expected))
    assert expected[0] == observed[0] == 0
    assert chi_squared(observed[1:], expected[1:]) > LEVEL


# Bad surveys and truths


@pytest.mark.parametrize(
    ("surveys", "words"),
    [
        ({}, ["survey"]),
        ({1990: 5}, ["one survey only (1990)"]),
        ({1979: 5, 1990: 5}, ["1979", "1980-2016"]),
        ({1990: 5, 2017: 5}, ["2017", "1980-2016"]),
        ({1990: 5, 2000: 0}, ["2000", "0 respondents"]),
        ({1990: 5, 2000: 2.5}, ["2000", "2.5"]),
        ({1990.5: 5, 2000: 5}, ["1990.5"]),
        ({"1990": 5, 2000: 5}, ["'1990'"]),
        ({1980: 100_000, 1990: 5}, ["100000 respondents"]),
        (0, ["0 respondents"]),
        (-3, ["-3"]),
        (2.5, ["2.5"]),
    ],
    ids=str,
)
def test_bad_surveys(study, surveys, words):
    message = said(study.simulate, surveys=surveys)
    for word in words:
        assert word in message


def test_windows_that_the_truth_is_not_for(study):
    message = said(study.simulate, surveys=20, first_year=1990, last_year=2010)
    assert "37 years" in message
    assert "1990-2010 has 21" in message
    assert "37 years" in said(study.simulate, surveys=20, first_year=2016, last_year=1980)


BAD_TRUTHS = {
    "missing": ({"rookie_departures": None}, ["no rookie_departures", "it needs"]),
    "share above one": ({"solitary_share": 1.5}, ["solitary_share", "[0, 1]", "1.5"]),
    "share not a number": ({"solitary_share": math.nan}, ["solitary_share", "nan"]),
    "two shares": ({"solitary_share": [0.5, 0.6]}, ["solitary_share"]),
    "q below zero": ({"retirement_prob": -0.1}, ["retirement_prob", "-0.1"]),
    "not shares": ({"solitary_departures": np.full(37, 0.1)}, ["solitary_departures", "3.7"]),
    "negative": (
        {"circular_sojourn": np.append([1.5, -0.5], np.zeros(19))},
        ["circular_sojourn", "shares"],
    ),
    "shares not numbers": ({"rookie_departures": np.full(37, math.nan)}, ["rookie_departures"]),
    "years": ({"rookie_departures": np.full(36, 1 / 36)}, ["unequal", "36", "37"]),
    "classes": ({"circular_sojourn": np.full(20, 0.05)}, ["unequal", "circular_sojourn"]),
    "more classes than years": (
        dict.fromkeys(["solitary_sojourn", "circular_sojourn"], np.full(40, 1 / 40)),
        ["37", "40"],
    ),
    "repeat in the first year": ({"repeat_prob": np.full(37, 0.2)}, ["repeat_prob", "first year"]),
    "repeat above one": ({"repeat_prob": np.append(0, np.full(36, 1.2))}, ["repeat_prob"]),
    "repeat not a number": (
        {"repeat_prob": np.append(0, np.full(36, math.nan))},
        ["repeat_prob"],
    ),
    "words": ({"solitary_share": "half"}, ["solitary_share", "half"]),
}


@pytest.mark.parametrize("case", BAD_TRUTHS)
def test_bad_truths(study, shipped, case):
    changes, words = BAD_TRUTHS[case]
    truth = {k: v for k, v in {**shipped, **changes}.items() if v is not None}
    message = said(study.simulate, truth, surveys=20)
    for word in words:
        assert word in message


def test_truth_may_be_rounded(study, shipped):
    """Shares to seven digits add up to 1 within 1e-6, as is allowed."""
    rounded = {key: np.round(value, 7) for key, value in shipped.items()}
    sums = [
        abs(value.sum() - 1)
        for key, value in rounded.items()
        if key.endswith(("departures", "sojourn"))
    ]
    assert 2e-8 < max(sums) < 1e-6
    assert study.simulate(rounded, surveys=20).sizes["respondent"] == 600


def test_truth_as_an_object(study):
    known = respondents.as_truth(None)
    xr.testing.assert_identical(study.simulate(known, surveys=20), study.simulate(surveys=20))
    worse = dataclasses.replace(known, solitary_share=2.0)
    assert "solitary_share" in said(study.simulate, worse, surveys=20)


# The schema


@pytest.fixture
def few():
    """Six respondents of two surveys."""
    rows = {
        "survey_year": [1987, 1987, 1987, 2016, 2016, 2016],
        "departure_year": [1980, 1981, 1987, 1980, 1999, 2010],
        "sojourn_years": [8, 1, 1, 37, 2, 3],
        "repeat": [False, True, False, False, True, True],
        "trips": [1, 2, 1, 1, 3, 12],
    }
    return xr.Dataset(
        {name: ("respondent", np.array(values)) for name, values in rows.items()},
        coords={"respondent": [f"p{i}" for i in range(6)]},
        attrs={"first_year": 1980, "last_year": 2016},
    )


def test_respondents_that_are_taken(few):
    assert respondents.validate(few) is few
    respondents.validate(few.drop_vars("respondent"))
    small = {"trips": few.trips.astype(np.uint8), "survey_year": few.survey_year.astype(np.uint16)}
    respondents.validate(few.assign(small))


BAD_ANSWERS = {
    "before the window": ({"survey_year": {0: 1979}}, ["1 respondents", "1980-2016", "p0"]),
    "after the window": ({"survey_year": {5: 2017}}, ["outside of 1980-2016", "p5"]),
    "left before": ({"departure_year": {1: 1979, 4: 1960}}, ["2 respondents", "1980", "p1, p4"]),
    "no stay": ({"sojourn_years": {2: 0}}, ["less than one year", "p2"]),
    "home after the survey": ({"sojourn_years": {0: 9, 3: 38}}, ["after the survey", "p0, p3"]),
    "no trip": ({"trips": {0: 0}}, ["made no trip", "p0"]),
    "one trip and a repeater": ({"trips": {1: 1}}, ["repeaters", "p1"]),
    "trips and no repeater": ({"trips": {0: 2}}, ["repeaters", "p0"]),
    "repeat in the first year": (
        {"repeat": {0: True}, "trips": {0: 2}},
        ["repeat trip in 1980", "p0"],
    ),
    "everybody": (
        {"sojourn_years": dict.fromkeys(range(6), -1)},
        ["6 respondents", "p0, p1, p2, p3, p4, ..."],
    ),
}


@pytest.mark.parametrize("case", BAD_ANSWERS)
def test_answers_that_are_refused(few, case):
    changes, words = BAD_ANSWERS[case]
    for variable, values in changes.items():
        for row, value in values.items():
            few[variable][row] = value
    message = said(respondents.validate, few)
    for word in words:
        assert word in message


@pytest.mark.parametrize("variable", ANSWERS)
def test_variables_that_lack(few, variable):
    assert variable in said(respondents.validate, few.drop_vars(variable))
    renamed = few.assign({variable: few[variable].rename(respondent="person").drop_vars("person")})
    message = said(respondents.validate, renamed)
    assert variable in message
    assert "respondent" in message


@pytest.mark.parametrize("variable", [name for name in ANSWERS if name != "repeat"])
@pytest.mark.parametrize("kind", [float, str])
def test_numbers_that_are_not_whole(few, variable, kind):
    message = said(respondents.validate, few.assign({variable: few[variable].astype(kind)}))
    assert variable in message
    assert "whole" in message


def test_repeat_is_true_or_false(few):
    message = said(respondents.validate, few.assign(repeat=few["repeat"].astype(int)))
    assert "repeat must be true or false" in message


@pytest.mark.parametrize("attribute", ["first_year", "last_year"])
@pytest.mark.parametrize("value", [None, 1980.5, "1980"])
def test_window_of_the_data(few, attribute, value):
    message = said(respondents.validate, few.assign_attrs({attribute: value}))
    assert attribute in message
    del few.attrs[attribute]
    assert attribute in said(respondents.validate, few)


def test_nobody_and_one_survey(few):
    assert "no respondents" in said(respondents.validate, few.isel(respondent=slice(0)))
    message = said(respondents.validate, few.isel(respondent=slice(3)))
    assert "one survey only (1987)" in message


# Cells


@pytest.fixture(scope="module")
def surveyed(study):
    return study.simulate(surveys={1981: 30, 1987: 200, 2000: 500, 2016: 300}, seed=2)


@pytest.mark.parametrize("which", ["answered", "possible"])
def test_cells_lose_nobody(surveyed, which):
    cells = respondents.cells(surveyed, which)
    found = {}
    for t, d, j, repeat, count in zip(
        cells.survey, cells.departure, cells.sojourn, cells.repeat, cells.count, strict=True
    ):
        key = int(t - d + 1), int(j + 1), int(t + 1), bool(repeat)
        assert key not in found
        found[key] = int(count)
    assert sum(found.values()) == 1030
    assert {key: n for key, n in found.items() if n} == oracle.counts(surveyed)
    size = {1: 30, 7: 200, 20: 500, 36: 300}
    assert [size[t] for t in cells.survey.tolist()] == cells.survey_size.tolist()
    if which == "answered":
        assert min(found.values()) == 1
        assert max(found.values()) > 10
    else:
        possible = {
            (i, j, t, repeat)
            for t in (2, 8, 21, 37)
            for i, j in oracle.answers(t)
            for repeat in (False, True)
            if not (repeat and i == t)
        }
        assert set(found) == possible


def test_order_of_respondents_does_not_matter(surveyed):
    mixed = surveyed.isel(respondent=np.random.default_rng(1).permutation(1030))
    for which in ("answered", "possible"):
        one, two = (vars(respondents.cells(data, which)) for data in (surveyed, mixed))
        for part in one:
            np.testing.assert_array_equal(one[part], two[part])


# Mean trips


def test_mean_trips_by_hand(few):
    found = respondents.mean_trips(few)
    assert list(found.survey) == [7, 36]
    # 1, 2, 1: variance 1/3; 1, 3, 12: mean 16/3, variance (154 - 256/3) / 2
    np.testing.assert_allclose(found.mean, [4 / 3, 16 / 3], rtol=1e-14)
    wanted = [math.sqrt(1 / 3 / 3), math.sqrt((154 - 256 / 3) / 2 / 3)]
    np.testing.assert_allclose(found.error, wanted, rtol=1e-14)


def test_mean_trips_are_the_oracle_s(surveyed):
    found = respondents.mean_trips(surveyed)
    wanted = oracle.sample_means(surveyed)
    assert [t + 1 for t in found.survey] == list(wanted)
    np.testing.assert_allclose(
        list(zip(found.mean, found.error, strict=True)), list(wanted.values())
    )


def test_surveys_without_an_error_are_named(few):
    changed = few.isel(respondent=[0, 1, 2, 3, 4, 5, 5, 5])
    changed["survey_year"][5] = 2013
    changed["survey_year"][6:] = 2014
    with pytest.warns(bm.DataWarning) as caught:
        found = respondents.mean_trips(changed)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "2013 (1 respondents), 2014 (2 respondents)" in message
    assert "1987" not in message
    assert "2016" not in message
    assert [t + 1980 for t in found.survey] == [1987, 2016]


def test_no_survey_with_an_error(few):
    single = few.isel(respondent=[0, 2, 3])
    assert "different numbers of trips" in said(respondents.mean_trips, single)
    assert "different numbers of trips" in said(bm.load_study("snapshot").build, single)


def test_nothing_is_said_when_all_surveys_count(surveyed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(respondents.mean_trips(surveyed).survey) == 4
