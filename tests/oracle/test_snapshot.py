"""The snapshot graph against the plain-loop oracle, its limits, and its gradients."""

import itertools
import math
import warnings

import numpy as np
import pytest
import xarray as xr
from lazily import lazily
from oracle import snapshot as oracle

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.compiled import compile_graph
from bayesmig.models.snapshot import histories
from bayesmig.models.snapshot.data import to_dataset

pytensor = lazily("pytensor")

EXACT = {"rtol": 1e-10, "atol": 1e-10}
PAPER = {"parametrization": "paper"}
FULL = (1980, 2016)
SHORT = (1990, 2010)
SURVEYS = (1987, 2000, 2016)

# window, surveys, options
CASES = [
    (FULL, SURVEYS, {}),
    (FULL, (1981, 1990, 2015), {"single_years": 10}),
    (FULL, SURVEYS, {"single_years": 5, "knots": "every"}),
    (FULL, SURVEYS, {"single_years": 36, "knots": (1985, 2016)}),
    (SHORT, (1991, 1995, 2010), {"knots": (2000, 2010)}),
    (SHORT, (1993, 2009), {"single_years": 5, "knots": "every"}),
]
# parametrisation, calibration
FORMS = list(itertools.product(("flow", "paper"), ("exact", "paper")))
EITHER = [("flow", "exact"), ("paper", "paper")]  # every value of both


def name(value):
    if isinstance(value, dict):
        return "-".join(map(str, value.values())) or "default"
    return "-".join(map(name, value)) if isinstance(value, tuple) else str(value)


WHOSE = ("repeaters", "everybody")
cases = pytest.mark.parametrize(
    ("case", "form", "calibration"),
    [(case, *form) for case in CASES for form in (FORMS if case is CASES[0] else EITHER)],
    ids=name,
)


@pytest.fixture(scope="module")
def study():
    return bm.load_study("snapshot")


# Data and points


def everyone(window, surveys, kinds=(False, True), longest=math.inf):
    """One respondent for everything that one can answer in these surveys."""
    first, last = window
    rng = np.random.default_rng(11)
    rows = [
        (survey, departure, sojourn, repeat, 1 + repeat * int(rng.integers(1, 6)))
        for survey in surveys
        for departure in range(first, survey + 1)
        for sojourn in range(1, survey - departure + 2)
        for repeat in kinds
        if not (repeat and departure == first) and sojourn <= longest
    ]
    names = ("survey_year", "departure_year", "sojourn_years", "repeat", "trips")
    columns = dict(zip(names, map(np.array, zip(*rows, strict=True)), strict=True))
    return to_dataset(columns, first, last, title="SYNTHETIC: every possible answer once")


def random_point(rng, window, options):
    """Values of the flow parametrisation's variables."""
    years = window[1] - window[0] + 1
    classes = options.get("single_years", 20) + 1
    return {
        "solitary_share": rng.uniform(0.1, 0.9),
        "retirement_prob": rng.uniform(0.1, 0.9),
        "solitary_departures": rng.dirichlet(np.full(years, 3.0)),
        "rookie_departures": rng.dirichlet(np.full(years, 3.0)),
        "repeat_prob": np.append(0.0, rng.uniform(0.02, 0.8, years - 1)),
        "solitary_sojourn": rng.dirichlet(np.ones(classes)),
        "circular_sojourn": rng.dirichlet(np.ones(classes)),
    }


def points(window, options, n, seed):
    rng = np.random.default_rng(seed)
    drawn = [random_point(rng, window, options) for _ in range(n)]
    return {key: np.array([point[key] for point in drawn]) for key in drawn[0]}


def at(point, i):
    return {key: value[i] for key, value in point.items()}


def as_flow(point):
    """The oracle's history of a point of the flow parametrisation."""
    return oracle.flow(
        point["solitary_share"],
        point["retirement_prob"],
        point["solitary_departures"],
        point["rookie_departures"],
        point["repeat_prob"],
        point["solitary_sojourn"],
        point["circular_sojourn"],
    )


def as_paper(point):
    """The oracle's history of a point of the paper's parametrisation."""
    return oracle.paper(
        point["solitary_share"],
        point["retirement_prob"],
        point["solitary_departures"],
        point["circular_departures"],
        point["solitary_sojourn"],
        point["circular_sojourn"],
        point["mean_trips"],
    )


def matching(point):
    """The same points in the paper's parametrisation, by the oracle's forward recursion."""
    histories = [as_flow(at(point, i)) for i in range(len(point["solitary_share"]))]
    own = {k: v for k, v in point.items() if k not in ("rookie_departures", "repeat_prob")}
    own["circular_departures"] = np.array([h.f_c[1:] for h in histories])
    own["mean_trips"] = np.array([h.m_c[1:] for h in histories])
    return own


HISTORY = {"flow": as_flow, "paper": as_paper}


def given(form, window, options, n, seed):
    point = points(window, options, n, seed)
    return point if form == "flow" else matching(point)


def shipped():
    """The study's truth as a point."""
    truth = oracle.shipped_truth()
    return {key: np.array(truth[value]) for key, value in oracle.NAMES.items()}


def cells_of(model):
    """(i, j, t, repeat) of the graph's cells, in their order, and their counts."""
    survey, departure, sojourn, repeat, count = (
        model[f"cell_{part}"].get_value().astype(int).tolist()
        for part in ("survey", "departure", "sojourn", "repeat", "count")
    )
    keys = [
        (t - d + 1, j + 1, t + 1, bool(r))
        for t, d, j, r in zip(survey, departure, sojourn, repeat, strict=True)
    ]
    return keys, count


# The oracle against itself: two ways to the same history, and what must add up


@pytest.mark.parametrize("seed", range(5))
def test_both_ways_to_a_history_agree(seed):
    point = random_point(np.random.default_rng(seed), FULL, {})
    one = as_flow(point)
    own = {k: np.array([v]) for k, v in point.items()}
    two = as_paper(at(matching(own), 0))
    for part, value in vars(one).items():
        np.testing.assert_allclose(getattr(two, part), value, rtol=1e-9, atol=1e-12, err_msg=part)


@pytest.mark.parametrize("form", ["flow", "paper"])
def test_oracle_s_probabilities_add_up(form):
    history = HISTORY[form](at(given(form, FULL, {}, 1, 1), 0))
    for t in range(1, 38):
        assert oracle.total_probability(history, t) == pytest.approx(1, abs=1e-12)


def test_tables_of_trips_are_the_populations_and_their_mean_is_m_c():
    history = as_flow(random_point(np.random.default_rng(2), FULL, {}))
    for t, table in oracle.tables_of_trips(history).items():
        people = {where: sum(table[where]) for where in table}
        assert people["active"] == pytest.approx(history.active[t], rel=1e-12)
        assert people["retired"] == pytest.approx(history.retired[t], rel=1e-12)
        assert people["abroad"] == pytest.approx(history.p_c[t], rel=1e-12)
        trips = sum(k * n for by_trips in table.values() for k, n in enumerate(by_trips))
        assert trips == pytest.approx(history.m_c[t] * history.n_c[t], rel=1e-12)


def test_paper_s_approximation_is_close_and_not_exact():
    history = oracle.flow(**oracle.shipped_truth())
    exact, paper = oracle.exact_trips(history), oracle.paper_trips(history)
    apart = np.abs(np.subtract(exact, paper))
    assert apart[1] == pytest.approx(0, abs=1e-15)  # everybody has made one trip
    assert 0.01 < apart.max() < 0.05


# The likelihood


@cases
def test_log_likelihood_of_every_answer(study, case, form, calibration):
    """Each possible answer is there once, so that each probability is compared."""
    window, surveys, options = case
    data = everyone(window, surveys)
    point = given(form, window, options, n=2, seed=1)
    for of in WHOSE:
        model = study.build(
            data, parametrization=form, calibration=calibration, trips_of=of, **options
        )
        found = evaluate.log_likelihood(model, point)
        assert set(found) == {"respondents", "sampled_mean_trips"}
        keys, count = cells_of(model)
        assert count == [1] * data.sizes["respondent"]
        for i in range(2):
            history = HISTORY[form](at(point, i))
            answers, means = oracle.log_likelihood(history, data, calibration, of)
            assert set(keys) == set(answers)
            wanted = [answers[key] for key in keys]
            np.testing.assert_allclose(found["respondents"][i], wanted, **EXACT)
            assert list(means) == list(model["trips_survey"].get_value() + 1)
            wanted = list(means.values())
            np.testing.assert_allclose(found["sampled_mean_trips"][i], wanted, **EXACT)
    compare_derived(model, point, form, calibration, since=1990 - window[0] + 1)


def compare_derived(model, point, form, calibration, since):
    """Compare everything that follows from the parameters."""
    found = {**point, **evaluate.derived(model, point)}
    for i in range(2):
        h = HISTORY[form](at(point, i))
        wanted = {
            "circular_departures": h.f_c[1:],
            "rookie_departures": np.array(h.rookies[1:]) / (1 - h.phi),
            "mean_trips": h.m_c[1:],
            "repeat_prob": h.rho[1:],
            "trips_at_home": oracle.TRIPS[calibration](h)[1:],
            "total_crossings": oracle.results(h, since)["total_crossings"],
        }
        assert set(found) == set(wanted) | set(point)
        for variable, value in wanted.items():
            np.testing.assert_allclose(found[variable][i], value, **EXACT, err_msg=variable)


@pytest.mark.parametrize(
    ("form", "calibration", "which"),
    [
        ("flow", "exact", "possible"),
        ("flow", "paper", "answered"),
        ("paper", "exact", "answered"),
        ("paper", "paper", "possible"),
    ],
)
def test_log_likelihood_of_a_survey_set(study, form, calibration, which):
    """Counts: the same answer given by several, and by nobody."""
    data = study.simulate(surveys={1987: 100, 1995: 400, 2005: 300, 2016: 200}, seed=3)
    model = study.build(data, parametrization=form, calibration=calibration, cells=which)
    point = given(form, FULL, {}, n=2, seed=2)
    found = evaluate.log_likelihood(model, point)
    keys, count = cells_of(model)
    assert sum(count) == 1000
    assert max(count) > 10
    assert (min(count) == 0) == (which == "possible")
    for i in range(2):
        answers, means = oracle.log_likelihood(HISTORY[form](at(point, i)), data, calibration)
        wanted = [answers.get(key, 0.0) for key in keys]
        np.testing.assert_allclose(found["respondents"][i], wanted, **EXACT)
        np.testing.assert_allclose(found["sampled_mean_trips"][i], list(means.values()), **EXACT)
        total = math.fsum(answers.values())
        assert found["respondents"][i].sum() == pytest.approx(total, rel=1e-10)


@pytest.mark.filterwarnings("ignore:mean trips have no standard error:bayesmig.DataWarning")
@pytest.mark.parametrize("form", ["flow", "paper"])
@pytest.mark.parametrize("window", [FULL, SHORT], ids=name)
def test_probabilities_add_up_in_every_survey_year(study, window, form):
    """Eq. 31, in the graph."""
    years = range(window[0], window[1] + 1)
    options = {"knots": (2000, window[1]), "cells": "possible", "parametrization": form}
    model = study.build(everyone(window, years), **options)
    point = given(form, window, {}, n=2, seed=4)
    chance = np.exp(evaluate.log_likelihood(model, point)["respondents"])
    survey = model["cell_survey"].get_value()
    for t in range(len(years)):
        np.testing.assert_allclose(chance[:, survey == t].sum(axis=1), 1, atol=1e-12)


# What follows from the parameters


@pytest.mark.parametrize(
    ("form", "calibration", "since"),
    [("flow", "exact", 1980), ("flow", "exact", 2016), *((*form, 1990) for form in FORMS)],
)
def test_estimands(study, form, calibration, since):
    data = everyone(FULL, SURVEYS)
    options = {"parametrization": form, "calibration": calibration, "crossings_since": since}
    point = given(form, FULL, {}, n=2, seed=6)
    found = study.estimands(point, data, **options, crossings=25.0)
    for i in range(2):
        wanted = oracle.results(HISTORY[form](at(point, i)), since - 1979, 25.0, calibration)
        wanted["mean_trips_2016"] = wanted.pop("mean_trips")
        wanted["population_2016"] = wanted["population"][-1]
        wanted["emigration_hazard"] = wanted["emigration_hazard"][:20]  # single years
        assert set(found.data_vars) == set(wanted)
        for quantity, value in wanted.items():
            np.testing.assert_allclose(found[quantity][i], value, **EXACT, err_msg=quantity)


@pytest.mark.parametrize("calibration", ["exact", "paper"])
def test_estimands_of_another_window(study, calibration):
    data, options = everyone(SHORT, (1995, 2010)), {"knots": (2010,), "calibration": calibration}
    point = points(SHORT, {}, n=2, seed=7)
    found = study.estimands(point, data, crossings_since=1995, **options)
    assert list(found.year.values) == list(range(1990, 2011))
    assert list(found.stay.values) == list(range(1, 21))
    for i in range(2):
        wanted = oracle.results(as_flow(at(point, i)), 6, calibration=calibration)
        wanted["mean_trips_2010"] = wanted.pop("mean_trips")
        wanted["population_2010"] = wanted["population"][-1]
        wanted["emigration_hazard"] = wanted["emigration_hazard"][:20]  # single years
        assert set(found.data_vars) == set(wanted)
        for quantity, value in wanted.items():
            np.testing.assert_allclose(found[quantity][i], value, **EXACT, err_msg=quantity)


@pytest.mark.parametrize("calibration", ["exact", "paper"])
def test_parametrizations_agree(study, calibration):
    """The same histories give the same numbers, whichever way they are written."""
    data = everyone(FULL, SURVEYS)
    one = points(FULL, {}, n=3, seed=8)
    two = matching(one)
    models = [study.build(data, parametrization=f, calibration=calibration) for f in HISTORY]
    likelihoods = [evaluate.log_likelihood(m, p) for m, p in zip(models, (one, two), strict=True)]
    for observed in likelihoods[0]:
        np.testing.assert_allclose(likelihoods[1][observed], likelihoods[0][observed], **EXACT)
    found = [
        {**p, **evaluate.derived(m, p, strict=False)}
        for m, p in zip(models, (one, two), strict=True)
    ]
    assert set(found[0]) == set(found[1])
    for variable in found[0]:
        np.testing.assert_allclose(found[1][variable], found[0][variable], **EXACT)
    estimands = [
        study.estimands(p, data, parametrization=f, calibration=calibration)
        for f, p in zip(HISTORY, (one, two), strict=True)
    ]
    for quantity in estimands[0].data_vars:
        np.testing.assert_allclose(estimands[1][quantity], estimands[0][quantity], **EXACT)


# Limits


def split(model, found):
    """Terms of the respondents with one trip, and of the repeaters."""
    repeat = model["cell_repeat"].get_value().astype(bool)
    return found["respondents"][..., ~repeat], found["respondents"][..., repeat]


def wanted_terms(model, history, repeat):
    keys, _ = cells_of(model)
    return [math.log(oracle.answer(history, *key)) for key in keys if key[3] == repeat]


@pytest.mark.parametrize("calibration", ["exact", "paper"])
def test_nobody_is_solitary(study, calibration):
    data = everyone(FULL, SURVEYS)
    point = at(points(FULL, {}, 1, 9), 0) | {"solitary_share": np.array(0.0)}
    model = study.build(data, calibration=calibration)
    found, history = evaluate.log_likelihood(model, point), as_flow(point)
    for part, repeat in zip(split(model, found), (False, True), strict=True):
        np.testing.assert_allclose(part, wanted_terms(model, history, repeat), **EXACT)
    numbers = study.estimands(point, data, calibration=calibration)
    assert numbers["circular_share_of_crossings"] == 1
    np.testing.assert_array_equal(numbers["solitary_crossings"], 0)
    wanted = oracle.results(history, 11, calibration=calibration)
    np.testing.assert_allclose(numbers["population"], wanted["population"], **EXACT)
    np.testing.assert_allclose(numbers["trips_at_home"], wanted["trips_at_home"], **EXACT)
    other = evaluate.log_likelihood(
        study.build(data, parametrization="paper", calibration=calibration),
        at(matching({k: v[None] for k, v in point.items()}), 0),
    )
    for observed in found:
        np.testing.assert_allclose(other[observed], found[observed], **EXACT)


def test_everybody_is_solitary(study):
    """Then a snapshot is f_S(d) a_S(j) over those at home, and nobody repeats."""
    data = everyone(FULL, SURVEYS)
    point = at(points(FULL, {}, 1, 10), 0) | {"solitary_share": np.array(1.0)}
    model = study.build(data)
    found, history = evaluate.log_likelihood(model, point), as_flow(point)
    single, repeaters = split(model, found)
    np.testing.assert_allclose(single, wanted_terms(model, history, False), **EXACT)
    np.testing.assert_array_equal(repeaters, -np.inf)
    derived = evaluate.derived(model, point)
    np.testing.assert_allclose(derived["trips_at_home"], 1, **EXACT)
    f_s, a_s = history.f_s, history.a_s
    for t in (8, 37):
        met = {(i, j): f_s[t - i + 1] * a_s[j] for i, j in oracle.answers(t)}
        for (i, j), value in met.items():
            wanted = value / math.fsum(met.values())
            assert oracle.answer(history, i, j, t, False) == pytest.approx(wanted, rel=1e-12)


def test_everybody_is_solitary_and_the_circular_numbers_stay_finite(study):
    """What circular migrants would do does not depend on how many there are."""
    data = everyone(FULL, SURVEYS)
    point = at(points(FULL, {}, 1, 10), 0)
    some, none = (
        study.estimands(point | {"solitary_share": np.array(phi)}, data) for phi in (0.5, 1.0)
    )
    for quantity in ("mean_trips_2016", "retired_share", "mean_circular_sojourn"):
        np.testing.assert_allclose(none[quantity], some[quantity], **EXACT)
    assert none["circular_share_of_crossings"] == 0
    np.testing.assert_array_equal(none["circular_crossings"], 0)
    wanted = [
        math.fsum(
            float(none["solitary_crossings"][d]) * oracle.exceeds(as_flow(point).a_s, t - d + 1)
            for d in range(t + 1)
        )
        for t in range(37)
    ]
    np.testing.assert_allclose(none["population"], wanted, **EXACT)


@pytest.mark.parametrize("calibration", ["exact", "paper"])
@pytest.mark.parametrize("limit", ["retirement_prob", "repeat_prob"])
def test_nobody_leaves_again(study, limit, calibration):
    """All retire after their first trip, or none has the chance of another."""
    value = {"retirement_prob": np.array(1.0), "repeat_prob": np.zeros(37)}[limit]
    data = everyone(FULL, SURVEYS)
    point = at(points(FULL, {}, 1, 12), 0) | {limit: value}
    model = study.build(data, calibration=calibration)
    found, history = evaluate.log_likelihood(model, point), as_flow(point)
    single, repeaters = split(model, found)
    np.testing.assert_allclose(single, wanted_terms(model, history, False), **EXACT)
    np.testing.assert_array_equal(repeaters, -np.inf)
    assert np.isfinite(found["sampled_mean_trips"]).all()
    derived = evaluate.derived(model, point)
    np.testing.assert_allclose(derived["circular_departures"], point["rookie_departures"], **EXACT)
    np.testing.assert_allclose(derived["mean_trips"], 1, **EXACT)
    np.testing.assert_allclose(derived["trips_at_home"], 1, **EXACT)
    retired = float(study.estimands(point, data)["retired_share"])
    home = 1 - history.p_c[37] / (1 - history.phi)
    assert retired == pytest.approx(home * float(point["retirement_prob"]), rel=1e-10)


def one_year(point):
    """All come home at the end of the year in which they left."""
    short = np.append(1.0, np.zeros(len(point["solitary_sojourn"]) - 1))
    return point | {"solitary_sojourn": short, "circular_sojourn": short}


@pytest.mark.parametrize("form", ["flow", "paper"])
def test_all_sojourns_last_one_year(study, form):
    data = everyone(FULL, SURVEYS, longest=1)
    point = one_year(at(points(FULL, {}, 1, 13), 0))
    if form == "paper":
        point = at(matching({k: v[None] for k, v in point.items()}), 0)
    model = study.build(data, parametrization=form)
    found, history = evaluate.log_likelihood(model, point), HISTORY[form](point)
    for part, repeat in zip(split(model, found), (False, True), strict=True):
        np.testing.assert_allclose(part, wanted_terms(model, history, repeat), **EXACT)
    _, means = oracle.log_likelihood(history, data)
    np.testing.assert_allclose(found["sampled_mean_trips"], list(means.values()), **EXACT)
    numbers = study.estimands(point, data, parametrization=form)
    np.testing.assert_allclose(numbers["population"], 0, atol=1e-10)
    assert numbers["mean_solitary_sojourn"] == numbers["mean_circular_sojourn"] == 1
    wanted = oracle.results(history, 11)
    for quantity in ("retired_share", "trips_at_home", "total_crossings"):
        np.testing.assert_allclose(numbers[quantity], wanted[quantity], **EXACT)


def test_returners_cannot_be_drawn_from_an_empty_country(study):
    """Equation 33 is 0 / 0 when nobody is abroad at a year's end: no mean, no likelihood."""
    data = everyone(FULL, SURVEYS, longest=1)
    point = one_year(at(points(FULL, {}, 1, 13), 0))
    with pytest.raises(ZeroDivisionError):
        oracle.paper_trips(as_flow(point))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "divide by zero|invalid value", RuntimeWarning)
        found = evaluate.log_likelihood(study.build(data, calibration="paper"), point)
    assert np.isnan(found["sampled_mean_trips"]).all()
    assert np.isfinite(found["respondents"]).all()


def test_approximation_is_exact_when_all_have_been_away_as_long(study):
    """Nobody abroad at a year's end but those who left in it: all stay two years."""
    data = everyone(FULL, SURVEYS, longest=2)
    two_years = np.append([0.0, 1.0], np.zeros(19))
    point = at(points(FULL, {}, 1, 14), 0) | {"circular_sojourn": two_years}
    exact, paper = (
        evaluate.derived(study.build(data, calibration=c), point)["trips_at_home"]
        for c in ("exact", "paper")
    )
    history = as_flow(point)
    np.testing.assert_allclose(exact, oracle.exact_trips(history)[1:], **EXACT)
    # those who come home in t left in t - 1; those abroad at the end of t left in t
    assert np.abs(exact - paper).max() > 1e-3


# Outside of what can be


def impossible(which):
    """Values of the paper's parameters that no migrants could have."""
    truth = shipped()
    point = {
        **{k: truth[k] for k in ("solitary_share", "retirement_prob", "solitary_departures")},
        **{k: truth[k] for k in ("solitary_sojourn", "circular_sojourn")},
        "circular_departures": np.full(37, 1 / 37),
        "mean_trips_at_knots": np.array([1.3, 1.6, 1.9, 2.1]),
    }
    changes = {
        "nothing": {},
        "rookies": {"mean_trips_at_knots": np.array([1.3, 1.6, 1.9, 9.0])},
        "repeaters": {"mean_trips_at_knots": np.array([1.3, 1.6, 1.9, 1.0])},
        "rho": {"retirement_prob": np.array(0.7)},
        "active": {"retirement_prob": np.array(0.95)},
    }
    return point | changes[which]


def with_curve(point):
    knots = [1980, 1989, 1998, 2007, 2016]
    mean = np.interp(np.arange(1980, 2017), knots, [1.0, *point["mean_trips_at_knots"]])
    return point | {"mean_trips": mean}


WRONG = {
    "rookies": lambda h: min(h.rookies[1:]),
    "repeaters": lambda h: min(h.repeats[2:]),
    "rho": lambda h: 1 - max(h.rho),
    "active": lambda h: min(h.active[1:-1]),
}


def test_a_possible_history_of_the_paper_has_a_likelihood(study):
    data, point = everyone(FULL, SURVEYS), impossible("nothing")
    history = as_paper(with_curve(point))
    assert all(least(history) > 0 for least in WRONG.values())
    found = evaluate.log_likelihood(study.build(data, **PAPER), point)
    answers, means = oracle.log_likelihood(history, data)
    assert found["respondents"].sum() == pytest.approx(math.fsum(answers.values()), rel=1e-10)
    np.testing.assert_allclose(found["sampled_mean_trips"], list(means.values()), **EXACT)


@pytest.mark.parametrize("which", ["answered", "possible"])
@pytest.mark.parametrize("calibration", ["exact", "paper"])
def test_impossible_histories_have_no_likelihood(study, calibration, which):
    wrong = [impossible(name) for name in WRONG]
    for least, point in zip(WRONG.values(), wrong, strict=True):
        assert least(as_paper(with_curve(point))) < 0
    data = study.simulate(surveys=20, seed=1)
    model = study.build(data, calibration=calibration, cells=which, **PAPER)
    found = evaluate.log_likelihood(model, {k: np.array([p[k] for p in wrong]) for k in wrong[0]})
    total = sum(term.sum(axis=1) for term in found.values())
    np.testing.assert_array_equal(total, -np.inf)


def test_an_answer_that_nobody_gave_adds_nothing(study):
    """Even where it is impossible: 0 log 0 = 0."""
    data = everyone(FULL, (1987, 2016), longest=1)
    model = study.build(data, cells="possible")
    point = one_year(at(points(FULL, {}, 1, 15), 0))
    found = evaluate.log_likelihood(model, point)["respondents"]
    keys, count = cells_of(model)
    history = as_flow(point)
    wanted = [
        math.log(oracle.answer(history, *key)) if n else 0.0
        for key, n in zip(keys, count, strict=True)
    ]
    np.testing.assert_allclose(found, wanted, **EXACT)


# Gradients


def free_values(model, point):
    """Values as the sampler sees them, from values on the natural scale."""
    found = {}
    for rv in model.free_RVs:
        value, transform = point[rv.name], model.rvs_to_transforms[rv]
        if transform is not None:
            value = transform.forward(pytensor.tensor.constant(value), *rv.owner.inputs)
            value = value.eval(mode=pytensor.compile.mode.Mode(linker="py", optimizer=None))
        found[model.rvs_to_values[rv].name] = np.asarray(value, dtype=float)
    return found


def functions(model):
    """Log density, and its gradient, both as they are written."""
    mode, values, logp = (
        pytensor.compile.mode.Mode(linker="py", optimizer=None),
        model.value_vars,
        model.logp(),
    )
    gradient = pytensor.grad(logp, values)
    how = {"mode": mode, "on_unused_input": "ignore"}
    return pytensor.function(values, logp, **how), pytensor.function(values, gradient, **how)


def slopes(logp, values, directions, step=1e-5):
    """Central differences of the log density along directions of one variable each."""
    found = []
    for key, direction in directions:
        sides = [
            float(logp(**{**values, key: values[key] + sign * step * direction}))
            for sign in (1, -1)
        ]
        found.append((sides[0] - sides[1]) / (2 * step))
    return found


def directions_of(model, values, each=3):
    """Random directions, some for each variable: one that misses an element is unlikely."""
    rng = np.random.default_rng(17)
    return [
        (v.name, rng.normal(size=np.shape(values[v.name])))
        for v in model.value_vars
        for _ in range(each if np.ndim(values[v.name]) else 1)
    ]


def along(gradient, directions):
    """Directional derivatives from gradients by name."""
    return [float(np.sum(gradient[key] * direction)) for key, direction in directions]


def start(model, priors):
    """Values beside the initial point, or a possible history of the paper's parameters."""
    if priors == "paper":
        return free_values(model, impossible("nothing"))
    rng = np.random.default_rng(16)
    return {
        key: value + rng.normal(0, 0.3, np.shape(value))
        for key, value in sorted(model.initial_point().items())
    }


GRADIENTS = {
    "leaving": ("default", {}),
    "long share": ("long_share", {}),
    "leaving, paper's calibration": ("default", {"calibration": "paper", "crossings": "prior"}),
    "dirichlet": ("per_class", {}),
    "paper": ("per_class", PAPER),
}


def model_of(study, which, **more):
    priors, options = GRADIENTS[which]
    return study.build(study.simulate(surveys=20, seed=1), priors, **options, **more)


@pytest.mark.parametrize("which", GRADIENTS)
def test_gradient_against_finite_differences(study, which):
    model = model_of(study, which)
    values = start(model, which)
    logp, gradient = functions(model)
    directions = directions_of(model, values)
    found = dict(zip([v.name for v in model.value_vars], gradient(**values), strict=True))
    wanted = slopes(logp, values, directions)
    np.testing.assert_allclose(along(found, directions), wanted, rtol=1e-6, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("which", GRADIENTS)
def test_compiled_gradient_against_finite_differences(study, which):
    """What the sampler calls."""
    model = model_of(study, which)
    values = start(model, which)
    logp, _ = functions(model)
    density = compile_graph(model)[0].bind(model, seed=1)
    names = [v.name for v in model.value_vars]
    value, gradient = density(np.concatenate([np.ravel(values[key]) for key in names]))
    assert value == pytest.approx(float(logp(**values)), rel=1e-10)
    directions = directions_of(model, values)
    found = dict(zip(names, density.split(gradient[None]), strict=True))
    wanted = slopes(logp, values, directions)
    np.testing.assert_allclose(along(found, directions), wanted, rtol=1e-6, atol=1e-4)


@pytest.mark.slow
def test_compiled_density_outside_of_what_can_be(study):
    model = model_of(study, "paper")
    compiled, _ = compile_graph(model)
    density = compiled.bind(model, seed=1)
    for wrong in WRONG:
        values = free_values(model, impossible(wrong))
        flat = np.concatenate([np.ravel(values[v.name]) for v in model.value_vars])
        assert density(flat)[0] == -np.inf


# Another history


def fit_of(point, window):
    """Draws of a flow, as a fit holds them: (chain, draw) of two of each."""
    truth = [oracle.flow(*(at(point, i)[key] for key in oracle.NAMES)) for i in range(4)]
    found = [oracle.results(h, since=5) for h in truth]
    years = np.arange(window[0], window[1] + 1)
    dims = {"solitary_share": (), "retirement_prob": ()}
    for key in oracle.NAMES:
        dims.setdefault(key, ("sojourn_class",) if "sojourn" in key else ("year",))
    variables = {
        key: (("chain", "draw", *dims[key]), np.reshape(point[key], (2, 2, *point[key].shape[1:])))
        for key in oracle.NAMES
    }
    trips = np.array([h.m_c[1:] for h in truth]).reshape(2, 2, -1)
    total = np.array([r["total_crossings"] for r in found]).reshape(2, 2)
    variables |= {
        "mean_trips": (("chain", "draw", "year"), trips),
        "total_crossings": (("chain", "draw"), total),
    }
    posterior = xr.Dataset(variables, coords={"year": years})
    return xr.DataTree.from_dict({"posterior": posterior}), truth, found


def test_the_population_if_nothing_had_been_other():
    fit, _, found = fit_of(points(SHORT, {}, 4, seed=3), SHORT)
    right = np.array([r["population"] for r in found]).reshape(2, 2, -1)
    population = histories.population(fit)
    np.testing.assert_allclose(population.values, right, **EXACT)
    assert population.attrs["units"] == "millions of people"


def test_the_population_if_others_had_left():
    """Against migrants followed one by one; later trips follow from first trips."""
    point = points(SHORT, {}, 4, seed=4)
    fit, truth, found = fit_of(point, SHORT)
    times = {1995: 0.0, 2001: 0.5, 2010: 3.0}
    change = np.array([times.get(year, 1.0) for year in range(SHORT[0], SHORT[1] + 1)])
    changed = {
        **point,
        "solitary_departures": point["solitary_departures"] * change,
        "rookie_departures": point["rookie_departures"] * change,
    }
    right = []
    for i in range(4):
        history = oracle.flow(*(at(changed, i)[key] for key in oracle.NAMES))
        before = truth[i]
        migrants = found[i]["total_crossings"] / (
            before.phi + (1 - before.phi) * before.m_c[before.tau]
        )
        right.append([migrants * (s + c) for s, c in zip(history.p_s, history.p_c, strict=True)])
    right = np.array(right)[:, 1:].reshape(2, 2, -1)
    np.testing.assert_allclose(histories.population(fit, times).values, right, **EXACT)


def test_a_history_that_cannot_be():
    fit, _, _ = fit_of(points(SHORT, {}, 4, seed=3), SHORT)
    with pytest.raises(bm.DataError, match="no year 1989 in the fit; it has 1990 to 2010"):
        histories.population(fit, {1989: 0.5})
    with pytest.raises(bm.StudyError, match="first trips of 2000: must be a number from 0 on"):
        histories.population(fit, {2000: -1})
