"""Fits of the multinomial logit that several test files share, each made once."""

import warnings
from contextlib import contextmanager
from functools import cache

import bayesmig as bm

STUDY = bm.load_study("social_capital")
TINY = {"draws": 60, "tune": 150, "chains": 2, "progress": False}


@contextmanager
def quiet():
    """For runs too short to be trusted, and people too few to tell all, where that is meant."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        warnings.simplefilter("ignore", bm.DataWarning)
        yield


@cache
def twin():
    """2,500 people in 20 municipalities."""
    return STUDY.simulate(seed=6, n=2500, municipalities=20)


@cache
def small():
    """A small fit of them."""
    with quiet():
        return bm.fit(STUDY, twin(), **TINY)


@cache
def stratified():
    """A small fit over strata of 4,000 people."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    with quiet():
        return bm.fit(STUDY, data, strata="network", **TINY)
