"""Linear programmes against SciPy's, and their silence on standard output."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lazily import lazily

from bayesmig.errors import BayesmigError
from bayesmig.linear import minimise

optimize = lazily("scipy.optimize")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 5))
def test_least_cost_is_scipys(seed, n, m):
    rng = np.random.default_rng(seed)
    below, bounds = rng.normal(size=(m, n)), rng.normal(size=m)
    cost, equal, values = rng.normal(size=n), np.ones((1, n)), [1.0]
    ours = minimise(cost, below=below, bounds=bounds, equal=equal, values=values)
    theirs = optimize.linprog(
        cost, A_ub=below if m else None, b_ub=bounds if m else None, A_eq=equal, b_eq=values
    )
    assert (ours is None) == (theirs.status == 2)
    if ours is not None:
        assert ours.cost == pytest.approx(theirs.fun, abs=1e-7)
        assert ours.cost == pytest.approx(float(cost @ ours.at), abs=1e-7)
        assert ours.at.min() >= 0
        assert ours.at.sum() == pytest.approx(1)


def test_cost_without_a_lower_end_is_an_error():
    with pytest.raises(BayesmigError, match="Unbounded|unbounded"):
        minimise([-1.0, 0.0], below=[[0, 1]], bounds=[1], equal=[[0, 1]], values=[1])


def test_says_nothing(capfd):
    minimise([1.0], below=[[1]], bounds=[1], equal=[[1]], values=[1])
    assert capfd.readouterr() == ("", "")
