"""What the graph observes: cells of answers, and mean trips."""

import math
import warnings

import numpy as np
import pytest
import xarray as xr
from oracle import snapshot as oracle
from said import said

import bayesmig as bm
from bayesmig import evaluate
from bayesmig.models.snapshot import design

# Cells


@pytest.fixture(scope="module")
def surveyed(study):
    return study.simulate(surveys={1981: 30, 1987: 200, 2000: 500, 2016: 300}, seed=2)


@pytest.mark.parametrize("which", ["answered", "possible"])
def test_cells_lose_nobody(surveyed, which):
    cells = design.cells(surveyed, which)
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
        one, two = (vars(design.cells(data, which)) for data in (surveyed, mixed))
        for part in one:
            np.testing.assert_array_equal(one[part], two[part])


# Mean trips


def test_mean_trips_by_hand(few):
    found = design.mean_trips(few, "sample", "everybody")
    assert list(found.survey) == [7, 36]
    # 1, 2, 1: variance 1/3; 1, 3, 12: mean 16/3, variance (154 - 256/3) / 2
    np.testing.assert_allclose(found.mean, [4 / 3, 16 / 3], rtol=1e-14)
    wanted = [math.sqrt(1 / 3 / 3), math.sqrt((154 - 256 / 3) / 2 / 3)]
    np.testing.assert_allclose(found.error, wanted, rtol=1e-14)


def test_mean_trips_of_repeaters_by_hand(few):
    more = xr.concat([few, few.isel(respondent=[1, 5])], "respondent")
    more["trips"] = more["trips"].copy(data=[1, 2, 1, 1, 3, 12, 3, 6])
    found = design.mean_trips(more, "sample")
    assert list(found.survey) == [7, 36]
    # 2, 3: variance 1/2; 3, 12, 6: mean 7, variance 21
    np.testing.assert_allclose(found.mean, [2.5, 7], rtol=1e-14)
    np.testing.assert_allclose(found.error, [0.5, math.sqrt(7)], rtol=1e-14)


# of those surveyed in 1981 one is on a second trip, and has no error of his own
@pytest.mark.filterwarnings("ignore:mean trips have no standard error:bayesmig.DataWarning")
@pytest.mark.parametrize("of", ["repeaters", "everybody"])
@pytest.mark.parametrize(
    ("errors", "oracle_s"), [("pooled", oracle.pooled_means), ("sample", oracle.sample_means)]
)
def test_mean_trips_are_the_oracle_s(surveyed, errors, oracle_s, of):
    found = design.mean_trips(surveyed, errors, of)
    wanted = oracle_s(surveyed, of)
    assert [t + 1 for t in found.survey] == list(wanted)
    np.testing.assert_allclose(
        list(zip(found.mean, found.error, strict=True)), list(wanted.values()), rtol=1e-6
    )


def test_pooled_errors_are_of_one_variance_where_surveys_are_few(few):
    found = design.mean_trips(few, of="everybody")
    # 1, 2, 1: squares about the mean 2/3; 1, 3, 12: 154 - 256/3
    wanted = math.sqrt((2 / 3 + 154 - 256 / 3) / 4 / 3)
    np.testing.assert_allclose(found.error, [wanted, wanted], rtol=1e-12)


def test_a_line_that_follows_surveys_without_differences_is_not_believed():
    """Repeaters with two trips each, but for the last survey: no line goes through zeros."""
    years, rest = [1990, 1995, 2000, 2005], [2, 3, 7]
    columns = {
        "survey_year": np.repeat([*years, 2010], [4, 4, 4, 4, 3]),
        "trips": np.append(np.full(16, 2), rest),
    }
    data = xr.Dataset(
        {name: ("respondent", column) for name, column in columns.items()},
        attrs={"first_year": 1980},
    ).assign(repeat=("respondent", np.full(19, True)))
    found = design.mean_trips(data)
    variance = 14 / (4 * 3 + 2)  # 2, 3, 7: squares about 4 add up to 14
    np.testing.assert_allclose(found.error, np.sqrt(variance / np.array([4, 4, 4, 4, 3])))


def test_surveys_without_an_error_of_their_own_take_the_others(few):
    changed = few.isel(respondent=[0, 1, 2, 3, 4, 5, 5, 5])
    changed["survey_year"][5] = 2013
    changed["survey_year"][6:] = 2014
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = design.mean_trips(changed, of="everybody")
    assert [t + 1980 for t in found.survey] == [1987, 2013, 2014, 2016]
    assert np.isfinite(found.error).all()
    assert (found.error > 0).all()


@pytest.mark.parametrize(("errors", "biased"), [("pooled", False), ("sample", True)])
def test_pooled_errors_do_not_follow_the_means(errors, biased):
    """Trips are skewed: where a survey's mean comes out low, so does its own error."""
    rng, years, size, sets = np.random.default_rng(4), np.arange(1987, 2017), 116, 200
    scores = []
    for _ in range(sets):
        trips = rng.geometric(0.4, (len(years), size))
        columns = {"survey_year": np.repeat(years, size), "trips": trips.ravel()}
        data = xr.Dataset(
            {name: ("respondent", column) for name, column in columns.items()},
            attrs={"first_year": 1980},
        )
        means = design.mean_trips(data, errors, "everybody")
        weight = 1 / means.error**2
        scores.append((means.mean - 1 / 0.4) @ weight / np.sqrt(weight.sum()))
    assert (np.mean(scores) < -4 / np.sqrt(sets)) == biased


def test_surveys_without_an_error_are_named(few):
    changed = few.isel(respondent=[0, 1, 2, 3, 4, 5, 5, 5])
    changed["survey_year"][5] = 2013
    changed["survey_year"][6:] = 2014
    with pytest.warns(bm.DataWarning) as caught:
        found = design.mean_trips(changed, "sample", "everybody")
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "2013 (1 respondents), 2014 (2 respondents)" in message
    assert "1987" not in message
    assert "2016" not in message
    assert [t + 1980 for t in found.survey] == [1987, 2016]


def test_no_survey_with_an_error(few):
    single = few.isel(respondent=[0, 2, 3])
    build = bm.load_study("snapshot").build
    with pytest.warns(bm.DataWarning, match=r"^0\.0% of 3 respondents are on a repeat trip: "):
        words = said(bm.DataError, build, single, trips_of="everybody")
    assert "different numbers of trips" in words
    with pytest.warns(bm.DataWarning, match=r"^0\.0% of 3 "):
        model = build(single)  # nobody repeats: the answers say so
    assert model["trips_mean"].get_value().size == 0
    alike = few.isel(respondent=[0, 1, 2, 3])  # one repeater
    with pytest.warns(bm.DataWarning, match=r"are not used, in 1987 \(1 repeaters\)$"):
        model = build(alike)
    assert model["trips_mean"].get_value().size == 0
    drawn = evaluate.prior_draws(model, 2, seed=1, observed=False)
    found = evaluate.log_likelihood(model, {rv.name: drawn[rv.name] for rv in model.free_RVs})
    assert found["sampled_mean_trips"].shape == (2, 0)
    assert np.isfinite(found["respondents"]).all()


def test_nothing_is_said_when_all_surveys_count(surveyed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for errors in ("pooled", "sample"):
            assert len(design.mean_trips(surveyed, errors, "everybody").survey) == 4
