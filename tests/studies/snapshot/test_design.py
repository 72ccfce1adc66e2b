"""What the graph observes: cells of answers, and mean trips."""

import math
import warnings

import numpy as np
import pytest
from oracle import snapshot as oracle
from said import said

import bayesmig as bm
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
    found = design.mean_trips(few)
    assert list(found.survey) == [7, 36]
    # 1, 2, 1: variance 1/3; 1, 3, 12: mean 16/3, variance (154 - 256/3) / 2
    np.testing.assert_allclose(found.mean, [4 / 3, 16 / 3], rtol=1e-14)
    wanted = [math.sqrt(1 / 3 / 3), math.sqrt((154 - 256 / 3) / 2 / 3)]
    np.testing.assert_allclose(found.error, wanted, rtol=1e-14)


def test_mean_trips_are_the_oracle_s(surveyed):
    found = design.mean_trips(surveyed)
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
        found = design.mean_trips(changed)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "2013 (1 respondents), 2014 (2 respondents)" in message
    assert "1987" not in message
    assert "2016" not in message
    assert [t + 1980 for t in found.survey] == [1987, 2016]


def test_no_survey_with_an_error(few):
    single = few.isel(respondent=[0, 2, 3])
    assert "different numbers of trips" in said(bm.DataError, design.mean_trips, single)
    assert "different numbers of trips" in said(
        bm.DataError, bm.load_study("snapshot").build, single
    )


def test_nothing_is_said_when_all_surveys_count(surveyed):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(design.mean_trips(surveyed).survey) == 4
