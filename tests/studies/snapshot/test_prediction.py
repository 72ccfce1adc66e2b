"""Surveys left out, and predicted from the others."""

import math

import numpy as np
import pytest
from fits import too_short
from oracle import snapshot as oracle
from said import said
from unsampled import unsampled

import bayesmig as bm
from bayesmig.models.snapshot import prediction

SURVEYS = {1990: 60, 2000: 80, 2010: 70}


@pytest.fixture(scope="module")
def fitted(study):
    return unsampled(study, study.simulate(surveys=SURVEYS, seed=2))


def test_every_survey_can_be_left_out(fitted):
    assert prediction.groups(fitted) == ["1990", "2000", "2010"]
    kept, left = prediction.split(fitted, ["2000"])
    assert kept.sizes["respondent"] == 130
    assert set(left["survey_year"].values) == {2000}
    assert left.sizes["respondent"] == 80
    assert "1 surveys left out" in left.attrs["title"]
    assert left.attrs["synthetic"] == 1


def test_density_of_a_survey_is_the_oracle_s(study, fitted):
    """Of all its answers and its mean trips together, averaged over draws."""
    whole = fitted["data"].to_dataset()
    kept, left = prediction.split(fitted, ["2000"])
    without = unsampled(study, kept)
    found = prediction.held_out(without, left, draws=5, seed=1)
    assert list(found.group.values) == ["2000"]
    posterior = without["posterior"].to_dataset().stack(s=("chain", "draw"))
    every = posterior.sizes["s"] // 5
    totals = []
    for s in range(0, posterior.sizes["s"], every):
        draw = posterior.isel(s=s)
        history = oracle.flow(*(draw[name].values for name in oracle.NAMES))
        answers, means = oracle.log_likelihood(history, whole)
        t = 2000 - 1980 + 1
        totals.append(math.fsum(x for key, x in answers.items() if key[2] == t) + means[t])
    wanted = np.logaddexp.reduce(totals) - math.log(len(totals))
    assert float(found.sel(group="2000")) == pytest.approx(wanted, rel=1e-8)


def test_an_unknown_survey(fitted):
    words = said(bm.StudyError, bm.kfold, fitted, ["1991"])
    assert "unknown group '1991'" in words
    assert "1990, 2000, 2010" in words


@pytest.mark.slow  # refits
def test_surveys_are_left_out_by_refits(study):
    data = study.simulate(surveys=SURVEYS, seed=2)
    with too_short():
        fit = bm.fit(study, data, draws=100, tune=100, chains=2, progress=False)
        found = bm.kfold(fit, draws=100, tune=100)
    assert list(found.elpd_i.group.values) == ["1990", "2000", "2010"]
    assert found.elpd == pytest.approx(float(found.elpd_i.sum()))
    assert (found.elpd_i < 0).all()
