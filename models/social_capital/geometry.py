"""Where the posterior is and how wide: numbers that make the sampler's work easy.

They only choose coordinates.  Whatever they are, the model is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmig.models.social_capital.design import Design
from bayesmig.models.social_capital.logit import probabilities

RIDGE = 1 / 2.5**2  # of the slopes: keeps a separated column finite
INTERCEPT_RIDGE = 1 / 10.0**2
FIRST_SCALE, LEAST_SCALE = 0.5, 0.1  # of the groups
ITERATIONS, TOLERANCE = 50, 1e-6


@dataclass(frozen=True)
class Geometry:
    """A Gaussian approximation around the mode, one for each stratum.

    Attributes
    ----------
    centre : ndarray (stratum, alternative, 1 + column)
        Intercept and slopes at the mode.
    root : ndarray (stratum, coefficient, coefficient)
        Lower Cholesky factor of their covariance, the groups integrated out; coefficients
        in the order of ``centre``.
    information : ndarray (group, alternative)
        What the people of a group say of its intercept: sum of w n p (1 - p).
    focus : ndarray (group, alternative, column)
        Mean columns of the group's people by that information; what they say of the
        intercept there is uncorrelated with the slopes.
    location : ndarray (group, alternative)
        The logit there that the group's people alone point to.
    further : ndarray (member, alternative)
        What the members of other effects say of them.
    further_location : ndarray (member, alternative)
        What they point to, all else at the mode.
    """

    centre: NDArray[np.float64]
    root: NDArray[np.float64]
    information: NDArray[np.float64]
    focus: NDArray[np.float64]
    location: NDArray[np.float64]
    further: NDArray[np.float64]
    further_location: NDArray[np.float64]


def geometry(table: Design) -> Geometry:
    """Approximate the posterior of each stratum by Newton's method (a tenth of a second)."""
    groups, alternatives = len(table.groups), len(table.alternatives)
    columns = len(table.terms)
    information = np.empty((groups, alternatives))
    focus, location = np.empty((groups, alternatives, columns)), np.empty((groups, alternatives))
    centre = np.empty((len(table.strata), alternatives, 1 + columns))
    size = alternatives * (1 + columns)
    root = np.empty((len(table.strata), size, size))
    of_row = table.stratum[table.group]
    further = np.zeros((2, 0, alternatives))
    for s in range(len(table.strata)):
        rows, those = of_row == s, np.flatnonzero(table.stratum == s)
        found = _Mode(table, rows, np.searchsorted(those, table.group[rows]), len(those)).find()
        centre[s], root[s] = found.coefficient, np.linalg.cholesky(np.linalg.inv(found.schur))
        information[those], focus[those], location[those] = found.groups()
        if table.further:  # of one stratum then
            further = found.further(table)
    return Geometry(centre, root, information, focus, location, *further)


class _Mode:
    """Newton's method on coefficients and group effects, the groups eliminated."""

    def __init__(self, table: Design, rows: NDArray[Any], group: NDArray[Any], groups: int):
        order = self.order = np.argsort(group, kind="stable")
        column = table.column[rows][order]
        self.x = np.column_stack([np.ones(len(column)), column])
        self.group = group[order]
        self.starts = np.searchsorted(self.group, np.arange(groups))
        weight = table.weight[rows][order]
        self.count = table.count[rows][order][:, 1:] * weight[:, None]
        self.people = table.count[rows][order].sum(1) * weight
        alternatives = self.count.shape[1]
        share = (self.count.sum(0) + 0.5) / (self.people.sum() + 1)
        self.coefficient = np.zeros((alternatives, self.x.shape[1]))
        self.coefficient[:, 0] = np.log(share / max(1 - share.sum(), 1e-3))
        self.effect = np.zeros((groups, alternatives))
        self.scale = np.full(alternatives, FIRST_SCALE)
        self.ridge = np.full(self.coefficient.shape, RIDGE)
        self.ridge[:, 0] = INTERCEPT_RIDGE
        self.prior_mean = np.zeros_like(self.coefficient)
        self.prior_mean[:, 0] = self.coefficient[:, 0]

    def find(self) -> _Mode:
        for _ in range(ITERATIONS):
            step = self._step()
            self._move(step)
            if np.abs(step[0]).max() < TOLERANCE * 1e2:
                break
            self._rescale()
        self._step()
        return self

    def groups(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Information, focus and location of each group."""
        diagonal = np.einsum("gkkp->gkp", self.cross)
        information = diagonal[..., 0]
        focus = diagonal[..., 1:] / information[..., None]
        at_mode = self.coefficient[:, 0] + self.effect + (focus * self.coefficient[:, 1:]).sum(-1)
        return information, focus, at_mode + self.score / information

    def further(self, table: Design) -> NDArray[Any]:
        """Information and location of the members of other effects, which the mode leaves out."""
        p = self._chances(self.coefficient, self.effect)[:, 1:]
        residual = self.count - self.people[:, None] * p
        weight = self.people[:, None] * p * (1 - p)
        member = table.member[self.order][:, 1:] - len(table.groups)
        multiplier = table.multiplier[self.order][:, 1:]
        size = sum(len(one.members) for one in table.further)
        found = np.zeros((2, size, p.shape[1]))
        for m in range(member.shape[1]):
            z = multiplier[:, m, None]
            np.add.at(found[0], member[:, m], z**2 * weight)
            np.add.at(found[1], member[:, m], z * residual)
        found[1] /= np.maximum(found[0], 1e-12)
        return found

    def _chances(self, coefficient: NDArray[Any], effect: NDArray[Any]) -> NDArray[Any]:
        return probabilities(self.x @ coefficient.T + effect[self.group])

    def _density(self, coefficient: NDArray[Any], effect: NDArray[Any]) -> float:
        logp = np.log(self._chances(coefficient, effect))
        likelihood = (self.count * logp[:, 1:]).sum()
        likelihood += ((self.people - self.count.sum(1)) * logp[:, 0]).sum()
        prior = (self.ridge * (coefficient - self.prior_mean) ** 2).sum()
        return float(likelihood - (prior + ((effect / self.scale) ** 2).sum()) / 2)

    def _step(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Newton's step; leaves the parts of the Hessian behind."""
        p = self._chances(self.coefficient, self.effect)[:, 1:]
        alternatives, columns = self.coefficient.shape
        residual = self.count - self.people[:, None] * p
        gradient = residual.T @ self.x - self.ridge * (self.coefficient - self.prior_mean)
        self.score = np.add.reduceat(residual, self.starts, axis=0)
        by_effect = self.score - self.effect / self.scale**2
        curvature = self.people[:, None, None] * (
            p[:, :, None] * np.eye(alternatives) - p[:, :, None] * p[:, None, :]
        )
        self.cross = np.empty((len(self.starts), alternatives, alternatives, columns))
        hessian = np.empty((alternatives, columns, alternatives, columns))
        for j in range(alternatives):
            for k in range(j + 1):
                weighted = self.x * curvature[:, j, k, None]
                block = weighted.T @ self.x
                hessian[j, :, k, :], hessian[k, :, j, :] = block, block.T
                sums = np.add.reduceat(weighted, self.starts, axis=0)
                self.cross[:, j, k] = self.cross[:, k, j] = sums
        size = alternatives * columns
        hessian = hessian.reshape(size, size) + np.diag(self.ridge.ravel())
        inner = self.cross[..., 0] + np.diag(1 / self.scale**2)
        cross = self.cross.reshape(len(self.starts), alternatives, size)
        self.inverse = np.linalg.inv(inner)
        solved = self.inverse @ cross
        self.schur = hessian - np.einsum("gks,gkt->st", cross, solved)
        right = gradient.ravel() - np.einsum("gks,gk->s", solved, by_effect)
        move = np.linalg.solve(self.schur, right)
        effect = np.einsum("gkj,gj->gk", self.inverse, by_effect) - solved @ move
        return move.reshape(self.coefficient.shape), effect

    def _move(self, step: tuple[NDArray[Any], NDArray[Any]]) -> None:
        """Take the step, or as much of it as raises the density."""
        before, part = self._density(self.coefficient, self.effect), 1.0
        while part > 1e-4:
            coefficient = self.coefficient + part * step[0]
            effect = self.effect + part * step[1]
            if self._density(coefficient, effect) >= before - 1e-9 * abs(before):
                self.coefficient, self.effect = coefficient, effect
                return
            part /= 2

    def _rescale(self) -> None:
        """Guess the spread of the groups from their effects, as the EM algorithm does."""
        spread = np.einsum("gkk->gk", self.inverse)
        scale = np.sqrt((self.effect**2 + spread).mean(0))
        self.scale = np.maximum(scale, LEAST_SCALE)
