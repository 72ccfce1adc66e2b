"""Weighted logits, with Stata's treatment of columns that cannot be estimated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import expit

from bayesmig.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

INTERCEPT = "Intercept"
CONSTANT = "constant, or a sum of terms before it"


@dataclass(frozen=True)
class Logit:
    """One weighted logit, with Stata's treatment of columns that cannot be estimated.

    Attributes
    ----------
    sample : str
        Who it was fitted to.
    coefficients : Series (term)
        Log odds; the intercept last; 0 for dropped terms.
    notes : dict of str
        Term and why it was dropped.
    persons : int
        Used in the fit: weight positive, not in the rows that a dropped term determines.
    determined : int
        Persons whose fitted probability is 0 or 1 to eight digits: columns that together,
        but not singly, predict perfectly.
    """

    sample: str
    coefficients: pd.Series
    notes: dict[str, str]
    persons: int
    determined: int

    def predict(self, columns: pd.DataFrame) -> Array:
        """Probabilities of persons with these columns (those of the fit), in their order."""
        slopes = self.coefficients.drop(INTERCEPT)
        eta = columns[slopes.index].to_numpy() @ slopes.to_numpy()
        return expit(eta + self.coefficients[INTERCEPT])


def weighted_logit(columns: pd.DataFrame, outcome: Array, weight: Array, sample: str) -> Logit:
    """Fit a logit by weighted maximum likelihood, as Stata's ``logit [pw=weight]``.

    Columns that are constant or depend on those before them are dropped.  A column of
    zeros and ones one of whose values goes with one outcome only is dropped with its
    persons, until there is none.  A dropped column counts as 0 in predictions, so that its
    persons are predicted as if they were of the reference group.  Persons without weight
    are not used.

    Parameters
    ----------
    columns : DataFrame (person, term)
        Without an intercept.
    outcome, weight : ndarray (person)
        Zeros and ones; weights that are not negative.
    sample : str
        Named in errors.

    Returns
    -------
    Logit

    Raises
    ------
    DataError
        If there is nobody, the outcome does not vary, a column is the outcome, or Newton's
        method does not converge.
    """
    used = weight > 0
    x = np.column_stack([columns.to_numpy(dtype=float), np.ones(len(columns))])[used]
    y, w = np.asarray(outcome, dtype=float)[used], weight[used]
    names = [*columns, INTERCEPT]
    notes: dict[str, str] = {}
    while True:
        _must_vary(y, sample)
        kept = _independent(x, [k for k, name in enumerate(names) if name not in notes])
        for k, name in enumerate(names):
            if name not in notes and k not in kept:
                notes[name] = CONSTANT
        found = _perfect(x, y, kept, names, sample)
        if found is None:
            break
        k, value, result = found
        rows = x[:, k] == value
        notes[names[k]] = (
            f"{names[k]} = {value:.0f} goes with outcome {result:.0f} only: dropped with "
            f"its {rows.sum()} persons"
        )
        x, y, w = x[~rows], y[~rows], w[~rows]
    beta = np.zeros(len(names))
    beta[kept] = _newton(x[:, kept], y, w / w.mean(), sample)
    fitted = expit(x @ beta)
    determined = int(((fitted < 1e-8) | (fitted > 1 - 1e-8)).sum())
    return Logit(sample, pd.Series(beta, index=names), notes, len(y), determined)


def _must_vary(y: Array, sample: str) -> None:
    if len(y) == 0:
        raise DataError(f"{sample}: no person to fit a logit to")
    if y.min() == y.max():
        raise DataError(f"{sample}: the outcome is {y[0]:.0f} for all {len(y)} persons")


def _independent(x: Array, candidates: list[int]) -> list[int]:
    """Columns of ``candidates`` that do not depend on the intercept (the last) and those before."""
    gram = x.T @ x
    kept = [candidates[-1]]
    for k in candidates[:-1]:
        left = gram[k, k] - gram[k, kept] @ np.linalg.solve(gram[np.ix_(kept, kept)], gram[kept, k])
        if left > 1e-9 * max(gram[k, k], 1e-300):
            kept.append(k)
    return sorted(kept)


def _perfect(
    x: Array, y: Array, kept: list[int], names: list[str], sample: str
) -> tuple[int, float, float] | None:
    """First column of zeros and ones with a value that goes with one outcome only."""
    for k in kept[:-1]:
        single = {}
        for value in (1.0, 0.0):
            seen = y[x[:, k] == value]
            if len(seen) and seen.min() == seen.max():
                single[value] = seen[0]
        if len(single) == 2:
            raise DataError(f"{sample}: {names[k]} alone predicts the outcome of all {len(y)}")
        if single:
            return k, *next(iter(single.items()))
    return None


def _newton(x: Array, y: Array, w: Array, sample: str) -> Array:
    beta = np.zeros(x.shape[1])
    value = _log_likelihood(x @ beta, y, w)
    for _ in range(100):
        fitted = expit(x @ beta)
        gradient = x.T @ (w * (y - fitted))
        hessian = (x * (w * fitted * (1 - fitted))[:, None]).T @ x
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        gain = gradient @ step
        while (new := _log_likelihood(x @ (beta + step), y, w)) < value - 1e-9 * abs(value):
            step = step / 2
        beta, value = beta + step, new
        # Quadratic convergence: what is left after this step is the square of this gain.
        if gain < 1e-12:
            return beta
    raise DataError(f"{sample}: Newton's method has not converged in 100 steps")


def _log_likelihood(eta: Array, y: Array, w: Array) -> float:
    return float(w @ (y * eta - np.logaddexp(0, eta)))
