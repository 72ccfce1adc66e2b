"""Linear programmes of the audits, by HiGHS itself: importing all of SciPy takes half a second."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from bayesmig.errors import BayesmigError

__all__ = ["Solved", "minimise"]


class Solved(NamedTuple):
    """The least cost and where it is reached."""

    cost: float
    at: np.ndarray


def minimise(cost: Any, *, below: Any, bounds: Any, equal: Any, values: Any) -> Solved | None:
    """Least ``cost @ x`` over non-negative ``x`` with ``below @ x <= bounds``.

    Parameters
    ----------
    cost : array, shape (n,)
        Cost of each unknown.
    below, bounds : array, shapes (m, n) and (m,)
        Sums that must not be larger than their bounds.
    equal, values : array, shapes (k, n) and (k,)
        Sums that must be equal to their values.

    Returns
    -------
    Solved or None
        Least cost and its unknowns; None where no ``x`` satisfies all sums.

    Raises
    ------
    BayesmigError
        The solver stops for another reason, such as a cost without a lower end.

    Examples
    --------
    >>> import numpy as np
    >>> share = minimise([1, 0], below=[[-1, 1]], bounds=[0.5], equal=[[1, 1]], values=[1])
    >>> np.round(share.at, 2)
    array([0.25, 0.75])
    >>> minimise([1], below=[[1]], bounds=[-1], equal=[[1]], values=[1]) is None
    True
    """
    import highspy

    rows = np.vstack([np.atleast_2d(below), np.atleast_2d(equal)]).astype(float)
    programme = highspy.HighsLp()
    programme.num_row_, programme.num_col_ = rows.shape
    programme.col_cost_ = np.asarray(cost, float)
    programme.col_lower_ = np.zeros(programme.num_col_)
    programme.col_upper_ = np.full(programme.num_col_, highspy.kHighsInf)
    programme.row_lower_ = np.r_[np.full(len(bounds), -highspy.kHighsInf), values].astype(float)
    programme.row_upper_ = np.r_[bounds, values].astype(float)
    at, of = np.nonzero(rows)
    programme.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    programme.a_matrix_.start_ = np.searchsorted(at, np.arange(len(rows) + 1))
    programme.a_matrix_.index_ = of
    programme.a_matrix_.value_ = rows[at, of]
    solver = highspy.Highs()
    solver.silent()
    solver.passModel(programme)
    solver.run()
    status = solver.getModelStatus()
    if status == highspy.HighsModelStatus.kInfeasible:
        return None
    if status != highspy.HighsModelStatus.kOptimal:
        raise BayesmigError(f"linear programme: {solver.modelStatusToString(status)}")
    return Solved(
        float(solver.getInfo().objective_function_value), np.array(solver.getSolution().col_value)
    )
