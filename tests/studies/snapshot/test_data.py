"""Respondents as a Dataset: the twin that ships, and what the schema refuses."""

import numpy as np
import pytest
from said import said

import bayesmig as bm
from bayesmig.models.snapshot import data as respondents

ANSWERS = ("survey_year", "departure_year", "sojourn_years", "repeat", "trips")


def test_example(study, shipped):
    data = study.example()
    assert data.sizes["respondent"] == 3480
    assert data.attrs["synthetic"] == 1
    assert data.attrs["title"].startswith("SYNTHETIC")
    years, counts = np.unique(data.survey_year, return_counts=True)
    assert list(years) == list(range(1987, 2017))
    assert counts.sum() == 3480
    truth = study.truth(data)
    for key, value in shipped.items():
        np.testing.assert_array_equal(truth[key], value)
    respondents.validate(data)


# The schema


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
    message = said(bm.DataError, respondents.validate, few)
    for word in words:
        assert word in message


@pytest.mark.parametrize("variable", ANSWERS)
def test_variables_that_lack(few, variable):
    assert variable in said(bm.DataError, respondents.validate, few.drop_vars(variable))
    renamed = few.assign({variable: few[variable].rename(respondent="person").drop_vars("person")})
    message = said(bm.DataError, respondents.validate, renamed)
    assert variable in message
    assert "respondent" in message


@pytest.mark.parametrize("variable", [name for name in ANSWERS if name != "repeat"])
@pytest.mark.parametrize("kind", [float, str])
def test_numbers_that_are_not_whole(few, variable, kind):
    message = said(
        bm.DataError, respondents.validate, few.assign({variable: few[variable].astype(kind)})
    )
    assert variable in message
    assert "whole" in message


def test_repeat_is_true_or_false(few):
    message = said(bm.DataError, respondents.validate, few.assign(repeat=few["repeat"].astype(int)))
    assert "repeat must be true or false" in message


@pytest.mark.parametrize("attribute", ["first_year", "last_year"])
@pytest.mark.parametrize("value", [None, 1980.5, "1980"])
def test_window_of_the_data(few, attribute, value):
    message = said(bm.DataError, respondents.validate, few.assign_attrs({attribute: value}))
    assert attribute in message
    del few.attrs[attribute]
    assert attribute in said(bm.DataError, respondents.validate, few)


def test_nobody_and_one_survey(few):
    assert "no respondents" in said(
        bm.DataError, respondents.validate, few.isel(respondent=slice(0))
    )
    message = said(bm.DataError, respondents.validate, few.isel(respondent=slice(3)))
    assert "one survey only (1987)" in message
