"""Fits of the toy study that several test files share, each made once, when first asked for."""

import warnings
from functools import cache

import bayesmig as bm
import toy

TINY = {"draws": 30, "tune": 60, "chains": 2, "progress": False}


@cache
def toy_fit(own_data=0):
    """A small fit; perhaps of somebody's own data, of which the paper says nothing."""
    data = toy.study.simulate(seed=11).assign_attrs(own_data=own_data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        return bm.fit(toy.study, data, **TINY)
