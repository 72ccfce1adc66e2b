"""Survey sets of known truth: what they are drawn from, and the oracle's word for it."""

import math

import numpy as np
import pytest
import xarray as xr
from lazily import lazily
from oracle import snapshot as oracle
from said import said

import bayesmig as bm
from bayesmig.contract import check_data
from bayesmig.models.snapshot.data import ANSWERS, validate
from bayesmig.models.snapshot.migrants import follow
from bayesmig.models.snapshot.replicate import from_prior, trips_of_repeaters
from bayesmig.models.snapshot.truth import as_truth
from bayesmig.ready import build

stats = lazily("scipy.stats")
STUDY = bm.load_study("snapshot")


@pytest.fixture(scope="module")
def history():
    return oracle.flow(**oracle.shipped_truth())


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


# What follows from a truth, which the estimands are made of

DERIVED = ("circular_departures", "mean_trips", "trips_at_home", "total_crossings")


@pytest.mark.parametrize("case", ["shipped", "other"])
def test_what_follows_from_a_truth_is_the_oracle_s(study, case):
    truth, first, last = CASES[case][0](), *YEARS[case]
    history = oracle.flow(**truth)
    given = {key: truth[short] for key, short in oracle.NAMES.items()}
    data = study.simulate(given, surveys=30, first_year=first, last_year=last)
    found, wanted = study.truth(data), oracle.results(history, 1990 - first + 1)
    np.testing.assert_allclose(found["circular_departures"], history.f_c[1:], rtol=1e-10)
    np.testing.assert_allclose(found["mean_trips"], history.m_c[1:], rtol=1e-10)
    np.testing.assert_allclose(found["trips_at_home"], oracle.exact_trips(history)[1:], rtol=1e-10)
    np.testing.assert_allclose(found["total_crossings"], wanted["total_crossings"], rtol=1e-10)
    estimands = study.estimands(found, data)
    assert estimands.solitary_share == truth["phi"]
    np.testing.assert_allclose(estimands.population, wanted["population"], rtol=1e-9)
    np.testing.assert_allclose(estimands.retired_share, wanted["retired_share"], rtol=1e-9)


# Simulated survey sets


def test_sizes_and_labels(study, shipped):
    surveys = {1987: 3, 2000: 40, 2016: 7}
    data = study.simulate(surveys=surveys, seed=1)
    years, counts = np.unique(data.survey_year, return_counts=True)
    assert dict(zip(years.tolist(), counts.tolist(), strict=True)) == surveys
    carried = {f"true_{name}" for name in (*oracle.NAMES, *DERIVED)}
    assert set(data.data_vars) == {*ANSWERS, *carried}
    assert dict(data.sizes) == {"respondent": 50, "true_year": 37, "true_sojourn_class": 21}
    assert list(data.respondent.values) == list(range(50))
    assert data["repeat"].dtype == bool
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    assert (data.attrs["first_year"], data.attrs["last_year"]) == (1980, 2016)
    truth = study.truth(data)
    assert set(truth.data_vars) == {*oracle.NAMES, *DERIVED}
    for key, value in shipped.items():
        np.testing.assert_array_equal(truth[key], value)


def test_a_set_survives_a_file(study, tmp_path):
    data = study.simulate(surveys=20, seed=1)
    data.to_netcdf(tmp_path / "set.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "set.nc", engine="h5netcdf") as again:
        xr.testing.assert_identical(validate(again.load()), data)


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


def test_data_that_are_not_simulated_carry_no_truth(study):
    data = study.simulate(surveys=20)
    assert "no truth" in said(bm.DataError, study.truth, data[list(ANSWERS)])


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
    carried = study.truth(data)
    for key, value in truth.items():
        np.testing.assert_array_equal(carried[key], value)
    assert list(carried.year.values) == list(range(1990, 2011))
    assert list(carried.sojourn_class.values) == ["1", "2", "3", "4", "5", "6-21"]


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
        lambda: {short: other_truth()[key] for key, short in oracle.NAMES.items()},
        {1: 2_000, 9: 100_000, 21: 300_000},
    ),
}


YEARS = {"shipped": (1980, 2016), "other": (1990, 2010)}


@pytest.mark.parametrize("case", CASES)
def test_people_answer_as_the_oracle_says(case):
    """Within a survey, answers are draws from eq. 31's probabilities, each by itself."""
    truth, size = CASES[case][0](), CASES[case][1]
    history = oracle.flow(**truth)
    known = as_truth({key: truth[short] for key, short in oracle.NAMES.items()}, 1, len(truth["g"]))
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
    known = as_truth()
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
    message = said(bm.DataError, study.simulate, surveys=surveys)
    for word in words:
        assert word in message


def test_windows_that_the_truth_is_not_for(study):
    message = said(bm.DataError, study.simulate, surveys=20, first_year=1990, last_year=2010)
    assert "37 years" in message
    assert "1990-2010 has 21" in message
    assert "37 years" in said(
        bm.DataError, study.simulate, surveys=20, first_year=2016, last_year=1980
    )


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
    message = said(bm.DataError, study.simulate, truth, surveys=20)
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


def test_truth_as_a_dataset(study):
    known = as_truth()
    data = study.simulate(surveys=20)
    xr.testing.assert_identical(study.simulate(known, surveys=20), data)
    xr.testing.assert_identical(study.simulate(study.truth(data), surveys=20), data)
    worse = known.assign(solitary_share=2.0)
    assert "solitary_share" in said(bm.DataError, study.simulate, worse, surveys=20)


def test_truth_of_other_years(study):
    """Of the right number, and labelled."""
    shifted = {"first_year": 1981, "last_year": 2017}
    message = said(bm.DataError, study.simulate, as_truth(), surveys=20, **shifted)
    assert "the truth is of 1980-2016, the window is 1981-2017" in message
    later = study.simulate(as_truth().drop_vars("year"), surveys=20, **shifted)
    assert study.truth(later).year.values[-1] == 2017


def test_trips_of_those_who_leave_again_are_the_oracle_s():
    """By departure; the mean of the active a year before, and one."""
    chances = trips_of_repeaters(as_truth())
    tables = oracle.tables_of_trips(oracle.flow(**oracle.shipped_truth()))
    assert chances[:, 0].sum() == 0
    for t in range(1, 37):
        active = np.array(tables[t]["active"])
        wanted = np.append(0, active)[: len(chances)] / active.sum()
        np.testing.assert_allclose(chances[:, t], wanted, atol=1e-12)


def test_truths_of_the_prior_come_with_data_as_they_are_read():
    like = STUDY.simulate(surveys={1990: 40, 2010: 60}, seed=1)
    free = {rv.name for rv in build(STUDY, like).model.free_RVs}
    every = from_prior(like, seed=4, batch=2)
    one, two, three = (next(every) for _ in range(3))
    for data in (one, two, three):
        check_data("snapshot", data)
        assert data["survey_year"].to_series().value_counts().to_dict() == {1990: 40, 2010: 60}
        assert ((data["trips"] > 1) == data["repeat"]).all()
        assert set(STUDY.truth(data)) >= {"solitary_share", "total_crossings", "mean_trips"}
        assert set(STUDY.truth(data)) >= free  # so that log_density can be asked for
    assert float(STUDY.truth(one)["solitary_share"]) != float(STUDY.truth(two)["solitary_share"])
