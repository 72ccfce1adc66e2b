"""Fits that several test files share, each made once, when first asked for."""

import csv
import itertools
import tempfile
import warnings
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import bayesmig as bm

STUDY = bm.load_study("emigration")
SMALL = {"draws": 300, "tune": 300, "chains": 2, "progress": False}
TINY = {"draws": 30, "tune": 40, "chains": 2, "progress": False}
GROUPS = ("log_likelihood", "log_prior", "prior", "posterior_predictive")

# a user's file whose name and labels are as unlucky as they may be
OWN_NAME = "mine <i> & [blue].csv"
PLACES = ("core [red]", "edge $10_$")
SEASONS = ("<b>dry", "wet & warm")
OWN_CELLS = [f"{place}, {season}" for place, season in itertools.product(PLACES, SEASONS)]
OWN_ESTIMATES = {
    "non_match": (31.2, 37.4, 30.1, 36.0),
    "internal_migration": (13.7, 15.9, 13.1, 15.2),
    "mortality": (0.7, 0.8, 0.6, 0.9),
    "non_follow_up": (13.6, 15.1, 13.3, 15.3),
    "return_immigration": (0.7, 1.2, 0.6, 1.1),
    "emigration": (3.2, 5.6, None, None),  # two cells only, and printed for them alone
}


@contextmanager
def too_short():
    """For a run too short to be trusted, where that is not what is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        yield


@cache
def default(tables):
    """A fit with default settings; it must not warn."""
    return bm.fit(STUDY, STUDY.example(table=tables), progress=False)


@cache
def small(tables=7, priors=None):
    """A small fit."""
    with too_short():
        return bm.fit(STUDY, STUDY.example(table=tables), priors, **SMALL)


@cache
def tiny(tables):
    """Hardly a fit: for what only looks at its shape."""
    with too_short():
        return bm.fit(STUDY, STUDY.example(table=tables), **TINY)


@cache
def synthetic():
    """A small fit of simulated data."""
    with too_short():
        return bm.fit(STUDY, STUDY.simulate(seed=3, table=7), **TINY)


@cache
def own():
    """A small fit of a user's file."""
    with tempfile.TemporaryDirectory() as folder, too_short():
        return bm.fit(STUDY, STUDY.read(write_own(folder)), **TINY)


def write_own(folder):
    """Write the user's file; its 95 % intervals are 0.3 wide on either side."""
    path = Path(folder) / OWN_NAME
    rows = [
        (*cell, component, values[k], values[k] - 0.3, values[k] + 0.3, 0.95)
        for k, cell in enumerate(itertools.product(PLACES, SEASONS))
        for component, values in OWN_ESTIMATES.items()
        if values[k] is not None
    ]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow("place season component estimate ci_low ci_high ci_prob".split())
        writer.writerows(rows)
    return path
