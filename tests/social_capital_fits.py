"""Fits of the multinomial logit that several test files share, each made once."""

import warnings
from contextlib import contextmanager
from functools import cache

import numpy as np
import pandas as pd
import xarray as xr
from unsampled import unsampled

import bayesmig as bm
from bayesmig import attrs
from bayesmig.models.social_capital.design import of_fit

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
    """Look like a fit over strata of 4,000 people; a slow test makes one."""
    data = STUDY.simulate(seed=6, n=4000, municipalities=20, tables=2)
    with quiet():
        return unsampled(STUDY, data, strata="network")


def villagers(n=240, seed=3):
    """A table of one's own: three outcomes, five ages, eight villages."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "fate": rng.choice(["w", "x", "y"], n, p=[0.5, 0.2, 0.3]),
            "age": rng.integers(20, 25, n).astype(float),
            "sex": rng.choice(["f", "m"], n),
            "village": rng.choice(list("abcdefgh"), n),
            "sampled": rng.uniform(0.5, 2, n),
        }
    )


def made(table, formula, seed=1, draws=30, **options):
    """Look like a fit: draws of what the estimands are made of, from no posterior at all.

    What is computed from draws can be checked on any; no graph is compiled for it.
    """
    asked = {"formula": formula, "group": "village", "outcome": "fate", "reference": "w"}
    chosen = {**STUDY.options, **asked, **options}
    data = STUDY.used(STUDY.dataset(table), chosen)
    fitted = xr.DataTree.from_dict({"data": data})
    fitted.attrs = {
        "study": STUDY.name,
        "options": attrs.pack(chosen),
        "data_title": data.attrs["title"],
        "synthetic": 0,
    }
    design = of_fit(fitted)
    rng = np.random.default_rng(seed)
    outcomes, terms, groups = (len(v) for v in (design.outcomes, design.terms, design.groups))

    def against(values, *axes):
        """Zeros for the reference."""
        for axis in axes:
            values[(slice(None),) * axis + (0,)] = 0.0
        return values

    root = rng.normal(0, 0.5, (2, draws, outcomes - 1, outcomes - 1))
    covariance = np.zeros((2, draws, outcomes, outcomes))
    covariance[:, :, 1:, 1:] = root @ root.swapaxes(-1, -2)
    lead = ("chain", "draw")
    posterior = xr.Dataset(
        {
            "log_odds": (
                (*lead, "outcome", "term"),
                against(rng.normal(0, 0.3, (2, draws, outcomes, terms)), 2),
            ),
            "intercept": (
                (*lead, "outcome"),
                against(rng.normal(0, 0.3, (2, draws, outcomes)), 2),
            ),
            "group_covariance": ((*lead, "outcome", "outcome_too"), covariance),
            "group_effect": (
                (*lead, "group", "outcome"),
                against(rng.normal(0, 0.4, (2, draws, groups, outcomes)), 3),
            ),
        },
        coords={
            "chain": [0, 1],
            "draw": np.arange(draws),
            "outcome": list(design.outcomes),
            "outcome_too": list(design.outcomes),
            "term": list(design.terms),
            "group": list(design.groups),
        },
    )
    fitted["posterior"] = xr.DataTree(posterior)
    return fitted
