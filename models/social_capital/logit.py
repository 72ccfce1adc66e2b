"""From coefficients to logits, and from these to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np


def probabilities(logit: np.ndarray) -> np.ndarray:
    """Probabilities (..., outcome), the reference first, of free logits (..., alternative)."""
    whole = np.concatenate([np.zeros((*logit.shape[:-1], 1)), logit], axis=-1)
    whole -= whole.max(-1, keepdims=True)
    np.exp(whole, out=whole)
    whole /= whole.sum(-1, keepdims=True)
    return whole


def logits(
    slope: Any,
    intercept: Any,
    column: Any,
    group: Any,
    stratum: Any,
    varying: Any = None,
    varies: Any = None,
) -> np.ndarray:
    """Free logits (row, alternative), by NumPy; as `likelihood.MultinomialLogit` has them.

    Its inputs, but for ``column`` (row, column).
    """
    slope, intercept, column = map(np.asarray, (slope, intercept, column))
    found = np.empty((len(column), intercept.shape[1]))
    of_row = np.asarray(stratum)[group]
    for s in range(len(slope)):
        rows = of_row == s
        found[rows] = column[rows] @ slope[s].T
    if varying is not None and np.shape(varying)[-1]:
        found += (np.asarray(varying)[group] * np.asarray(varies)[:, None, :]).sum(-1)
    return found + intercept[group]
