"""Where the printed numbers are and how well they are known: what makes the sampler's work easy.

These numbers only choose coordinates.  Whatever they are, the model is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig.models.emigration.design import FATES, Design, Observations

if TYPE_CHECKING:
    from numpy.typing import NDArray

RIDGE = 1 / 2.0**2  # of a logit: keeps those finite of which a cell says nothing
CELL_SCALE, FACTOR_SCALE = 0.2, 0.5  # how far cells lie from their factors, and levels apart
LEAST, MOST = 0.1, 90.0  # percent: where Newton's steps begin
ITERATIONS, LONGEST, TOLERANCE = 50, 1.0, 1e-6
TINY = 1e-20  # of complex steps, which lose no digit however small
UNKNOWN = 1e-6  # information of a logit of which the data say nothing


@dataclass(frozen=True, eq=False)
class Geometry:
    """A Gaussian approximation of the likelihood around its mode.

    Attributes
    ----------
    location, information : ndarray (cell, outcome)
        The logit hazards that a cell's own numbers point to, and one over their variances.
    turn : ndarray (contrast, contrast, outcome)
        Turns each factor's basis to directions of which the data speak separately.
    contrast_location, contrast_information : ndarray (contrast, outcome)
        Of those directions, if the intercept is ``intercept``.
    lean : ndarray (contrast, outcome)
        By how much less they are where the intercept is one more.
    intercept : ndarray (outcome)
    """

    location: NDArray[np.float64]
    information: NDArray[np.float64]
    turn: NDArray[np.float64]
    contrast_location: NDArray[np.float64]
    contrast_information: NDArray[np.float64]
    lean: NDArray[np.float64]
    intercept: NDArray[np.float64]


def geometry(observed: Observations, design: Design) -> Geometry:
    """Approximate the likelihood of the cells, and by it that of their factors' effects."""
    location, information = _cells(observed)
    scale = CELL_SCALE if len(design.factors) > 1 else 0.0
    weight = information / (1 + scale**2 * information)
    each = [_effects(design, location[:, k], weight[:, k]) for k in range(location.shape[1])]
    of_factors = (np.stack(part, axis=-1) for part in zip(*each, strict=True))
    return Geometry(location, information, *of_factors)


def expected(logit: NDArray[Any]) -> NDArray[Any]:
    """Percentages (cell, component) at logit hazards (cell, outcome), as the report has them."""
    hazard = 1 / (1 + np.exp(-logit))
    stayed = np.cumprod(1 - hazard[:, : len(FATES) - 1], axis=1)
    before = np.concatenate([np.ones_like(stayed[:, :1]), stayed[:, :-1]], axis=1)
    _, died, moved, lost = (before * hazard[:, : len(FATES) - 1]).T
    return 100 * np.stack([1 - stayed[:, -1], moved, died, lost, hazard[:, -1]], axis=1)


def _cells(observed: Observations) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Logit hazards and their information (cell, outcome), each cell on its own.

    Gauss and Newton's steps.  Of a number printed as 0.0 nothing is taken.
    """
    precision = np.where(np.isfinite(observed.bound), 0.0, observed.standard_error**-2)
    start = _start(observed.estimate)
    logit = start.copy()
    one = np.eye(start.shape[1])
    for _ in range(ITERATIONS):
        slope = np.stack([expected(logit + 1j * TINY * k).imag / TINY for k in one], axis=-1)
        left = precision * (observed.estimate - expected(logit))
        score = np.einsum("cio,ci->co", slope, left)
        information = np.einsum("cio,ci,cip->cop", slope, precision, slope)
        by_prior = score - RIDGE * (logit - start)
        step = np.linalg.solve(information + RIDGE * one, by_prior[..., None])[..., 0]
        if np.abs(step).max() < TOLERANCE:
            break
        logit = logit + np.clip(step, -LONGEST, LONGEST)
    own = np.einsum("coo->co", information)
    known = own > UNKNOWN
    return logit + score / np.where(known, own, np.inf), np.where(known, own, 0.0)


def _start(estimate: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logits of the means over all cells (cell, outcome)."""
    non_match, moved, died, lost, returned = estimate.mean(0)
    percent = [non_match - moved - died - lost, died, moved, lost, returned]
    share = np.clip(percent, LEAST, MOST) / 100
    return np.tile(np.log(share / (1 - share)), (len(estimate), 1))


def _effects(
    design: Design, location: NDArray[np.float64], weight: NDArray[np.float64]
) -> tuple[Any, ...]:
    """Weighted least squares of one outcome's cells on intercept and contrasts."""
    size = len(design.contrast_factor)
    turn = np.zeros((size, size))
    for factor in range(len(design.factors)):
        own = np.flatnonzero(design.contrast_factor == factor)
        basis = design.cell_contrast[:, own]
        turn[np.ix_(own, own)] = np.linalg.eigh(basis.T @ (weight[:, None] * basis))[1]
    column = np.column_stack([np.ones(len(location)), design.cell_contrast @ turn])
    normal = column.T @ (weight[:, None] * column)
    ridge = np.diag([RIDGE, *np.full(size, FACTOR_SCALE**-2)])
    found = np.linalg.solve(normal + ridge, column.T @ (weight * location))
    lean = np.linalg.solve((normal + ridge)[1:, 1:], normal[1:, 0])
    information = np.diag(normal)[1:]
    known = information > UNKNOWN
    score = column.T @ (weight * (location - column @ found))
    at = found[1:] + score[1:] / np.where(known, information, np.inf)
    return turn, at, np.where(known, information, 0.0), lean, found[0]
