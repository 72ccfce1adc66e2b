"""Where the posterior of several levels of groups is, and how wide: numbers for the sampler.

As in `geometry`, they only choose coordinates, and the model is the same whatever they are.
There each group has one effect on each logit and groups do not meet; here a person's logit
is a sum over blocks of effects (the municipality's, the household's, a slope), which the
data tell apart only together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bayesmig.models.social_capital.design import Design
from bayesmig.models.social_capital.geometry import (
    FIRST_SCALE,
    INTERCEPT_RIDGE,
    ITERATIONS,
    LEAST_SCALE,
    RIDGE,
    TOLERANCE,
)
from bayesmig.models.social_capital.logit import probabilities

INTERCEPT = -1  # in the place of a column of the graph
LITTLE = 1.0  # what groups say, over what their prior says


@dataclass(frozen=True, eq=False)
class Block:
    """Effects of the groups of one column that go together.

    Attributes
    ----------
    level : int
        Which column of groups.
    columns : tuple of int
        What they multiply: columns of the graph, or `INTERCEPT`.
    of_row : ndarray of int (row)
    of_cell : ndarray of int (cell)
    multiplier : ndarray (row, coefficient)
    size : int
        How many groups.
    """

    level: int
    columns: tuple[int, ...]
    of_row: NDArray[np.int64]
    of_cell: NDArray[np.int64]
    multiplier: NDArray[np.float64]
    size: int


@dataclass(frozen=True, eq=False)
class Link:
    """What the people whom groups of a block and of one before share say of both at once.

    Attributes
    ----------
    other : int
        The block before.
    own_group, other_group : ndarray of int (pair)
    information : ndarray (pair, effect, other's effect)
    """

    other: int
    own_group: NDArray[np.int64]
    other_group: NDArray[np.int64]
    information: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Loss:
    """What is lost of the information on a block because one after it is not known.

    Of what the data say, v most / (1 + v bend) is lost if the effects after have the variance
    v: exactly with groups alike, and nearly otherwise.

    Attributes
    ----------
    other : int
        The block after.
    most, bend : ndarray (group, effect, other's effect)
    """

    other: int
    most: NDArray[np.float64]
    bend: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Told:
    """What the data say of a block at the mode; effects are by alternative, then coefficient.

    Attributes
    ----------
    little : bool
        Whether that is less than what their prior says.
    mode, score : ndarray (group, effect)
        The effects there, and the slope of the log likelihood.
    information : ndarray (group, effect, effect)
    focus : ndarray (group, effect, 1 + column)
        What they say at once of the effects and of intercept and slopes.
    links : tuple of Link
    losses : tuple of Loss
    """

    little: bool
    mode: NDArray[np.float64]
    score: NDArray[np.float64]
    information: NDArray[np.float64]
    focus: NDArray[np.float64]
    links: tuple[Link, ...]
    losses: tuple[Loss, ...]


@dataclass(frozen=True, eq=False)
class Joint:
    """A Gaussian approximation around the mode.

    Attributes
    ----------
    centre : ndarray (1, alternative, 1 + column)
    root : ndarray (1, coefficient, coefficient)
        As of `geometry.Geometry`.
    told : tuple of Told
        For each block.
    """

    centre: NDArray[np.float64]
    root: NDArray[np.float64]
    told: tuple[Told, ...]


def blocks(table: Design, together: bool) -> tuple[Block, ...]:
    """Return the blocks of effects in the order in which they are sampled.

    Columns of few groups come first: what is said of their effects takes into account that
    those of the others are not known.

    Parameters
    ----------
    table : Design
    together : bool
        Whether slopes that vary go together with each other and the intercepts.
    """
    found = []
    for at in sorted(range(len(table.levels)), key=lambda i: len(table.levels[i].groups)):
        level, own = table.levels[at], (INTERCEPT,)
        varying = table.slopes.columns if at == table.slopes.level else ()
        parts = [own + varying] if together else [own, *((j,) for j in varying)]
        for columns in parts:
            ones = np.ones(len(table.column))
            z = [ones if j == INTERCEPT else table.column[:, j] for j in columns]
            of_row = level.of_cell[table.group]
            found.append(
                Block(at, columns, of_row, level.of_cell, np.column_stack(z), len(level.groups))
            )
    return tuple(found)


def joint(table: Design, blocks: tuple[Block, ...]) -> Joint:
    """Approximate the posterior by Newton's method on everything at once."""
    found = _Mode(table, blocks)
    found.find()
    root = np.linalg.cholesky(np.linalg.inv(found.schur))
    told = tuple(found.told(b) for b in range(len(blocks)))
    return Joint(found.coefficient[None], root[None], told)


class _Mode:
    """Newton's method on coefficients and effects, the effects eliminated."""

    def __init__(self, table: Design, blocks: tuple[Block, ...]):
        from scipy import sparse

        self.blocks = blocks
        self.x = np.column_stack([np.ones(len(table.column)), table.column])
        self.count = table.count[:, 1:] * table.weight[:, None]
        self.people = table.count.sum(1) * table.weight
        alternatives = self.count.shape[1]
        parts, self.starts = [], [0]
        for block in blocks:
            rows, width = block.multiplier.shape
            at = block.of_row[:, None] * width + np.arange(width)
            where = (np.repeat(np.arange(rows), width), at.ravel())
            shape = (rows, block.size * width)
            parts.append(sparse.csr_matrix((block.multiplier.ravel(), where), shape))
            self.starts.append(self.starts[-1] + shape[1])
        self.z = sparse.hstack(parts, format="csr")
        share = (self.count.sum(0) + 0.5) / (self.people.sum() + 1)
        self.coefficient = np.zeros((alternatives, self.x.shape[1]))
        self.coefficient[:, 0] = np.log(share / max(1 - share.sum(), 1e-3))
        self.prior_mean = np.zeros_like(self.coefficient)
        self.prior_mean[:, 0] = self.coefficient[:, 0]
        self.ridge = np.full(self.coefficient.shape, RIDGE)
        self.ridge[:, 0] = INTERCEPT_RIDGE
        self.effect = np.zeros((self.z.shape[1], alternatives))
        self.scale = np.full(self.effect.shape, FIRST_SCALE)

    def find(self) -> None:
        for _ in range(ITERATIONS):
            step = self._step()
            self._move(step)
            if np.abs(step[0]).max() < TOLERANCE * 1e2:
                break
            self._rescale()
        self._step()

    def told(self, b: int) -> Told:
        """What the data say of a block."""
        block = self.blocks[b]
        alternatives, width = self.count.shape[1], block.multiplier.shape[1]
        rows = slice(self.starts[b], self.starts[b + 1])

        def shaped(values: NDArray[Any]) -> NDArray[np.float64]:
            return values.reshape(block.size, width, alternatives).swapaxes(1, 2)

        weighted = self.weight[:, :, None] * block.multiplier[:, None, :]
        information = _sums(weighted[..., None] * block.multiplier[:, None, None, :], block)
        diagonal = np.einsum("gkcc->gkc", information)
        spread = shaped(self.scale[rows]) ** 2
        focus = _sums(weighted[..., None] * self.x[:, None, None, :], block)
        others, size = range(len(self.blocks)), alternatives * width
        return Told(
            float((diagonal * spread).mean(0).max()) < LITTLE,
            shaped(self.effect[rows]).reshape(-1, size),
            shaped(self.z[:, rows].T @ self.residual).reshape(-1, size),
            _apart(information),
            focus.reshape(-1, size, self.x.shape[1]),
            tuple(self._link(b, other) for other in others[:b]),
            tuple(self._loss(b, other, diagonal) for other in others[b + 1 :]),
        )

    def _link(self, b: int, other: int) -> Link:
        pairs, information = self._shared(b, other)
        return Link(other, pairs[:, 0], pairs[:, 1], _apart(information))

    def _loss(self, b: int, other: int, diagonal: NDArray[Any]) -> Loss:
        pairs, information = self._shared(b, other)
        one, two = self.blocks[b], self.blocks[other]
        square = two.multiplier[:, None, :] ** 2 * self.weight[:, :, None]
        alone = _sums(square, two)[pairs[:, 1]][:, :, None, :]
        own = np.maximum(diagonal[..., None], np.finfo(float).tiny)
        most = _added(information**2, pairs[:, 0], one.size) / own
        bend = _added(information**2 * alone, pairs[:, 0], one.size) / own
        bend /= np.maximum(most, np.finfo(float).tiny)
        return Loss(other, _apart(most), _apart(bend))

    def _shared(self, b: int, other: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Pairs of groups with people in both, and what these say of both at once."""
        one, two = self.blocks[b], self.blocks[other]
        groups = np.column_stack([one.of_row, two.of_row])
        pairs, of_row = np.unique(groups, axis=0, return_inverse=True)
        both = one.multiplier[:, None, :, None] * two.multiplier[:, None, None, :]
        each = self.weight[:, :, None, None] * both
        return pairs, _added(each, of_row.reshape(-1), len(pairs))

    def _chances(self, coefficient: NDArray[Any], effect: NDArray[Any]) -> NDArray[Any]:
        return probabilities(self.x @ coefficient.T + self.z @ effect)

    def _density(self, coefficient: NDArray[Any], effect: NDArray[Any]) -> float:
        logp = np.log(self._chances(coefficient, effect))
        likelihood = (self.count * logp[:, 1:]).sum()
        likelihood += ((self.people - self.count.sum(1)) * logp[:, 0]).sum()
        prior = (self.ridge * (coefficient - self.prior_mean) ** 2).sum()
        return float(likelihood - (prior + ((effect / self.scale) ** 2).sum()) / 2)

    def _step(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """Newton's step; leaves the parts of the Hessian behind."""
        from scipy import sparse
        from scipy.sparse.linalg import splu

        p = self._chances(self.coefficient, self.effect)[:, 1:]
        alternatives, columns = self.coefficient.shape
        self.residual = self.count - self.people[:, None] * p
        self.weight = self.people[:, None] * p * (1 - p)
        gradient = self.residual.T @ self.x - self.ridge * (self.coefficient - self.prior_mean)
        by_effect = self.z.T @ self.residual - self.effect / self.scale**2
        hessian = np.empty((alternatives, columns, alternatives, columns))
        inner: list[list[Any]] = [[None] * alternatives for _ in range(alternatives)]
        cross = np.empty((alternatives, len(self.effect), alternatives, columns))
        for j in range(alternatives):
            for k in range(alternatives):
                curvature = self.people * p[:, j] * (float(j == k) - p[:, k])
                weighted = self.x * curvature[:, None]
                hessian[j, :, k, :] = self.x.T @ weighted
                cross[j, :, k, :] = self.z.T @ weighted
                inner[j][k] = self.z.T @ self.z.multiply(curvature[:, None]).tocsr()
            inner[j][j] = inner[j][j] + sparse.diags(1 / self.scale[:, j] ** 2)
        size = alternatives * columns
        hessian = hessian.reshape(size, size) + np.diag(self.ridge.ravel())
        cross = cross.reshape(-1, size)
        solver = splu(
            sparse.bmat(inner, format="csc"),
            permc_spec="MMD_AT_PLUS_A",
            diag_pivot_thresh=0.0,
            options={"SymmetricMode": True},
        )
        solved = solver.solve(cross)
        self.schur = hessian - cross.T @ solved
        right = gradient.ravel() - solved.T @ by_effect.T.ravel()
        move = np.linalg.solve(self.schur, right)
        effect = solver.solve(by_effect.T.ravel()) - solved @ move
        return move.reshape(self.coefficient.shape), effect.reshape(alternatives, -1).T

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
        """Guess the spread of each kind of effect, nearly as the EM algorithm does."""
        told = self.z.multiply(self.z).T @ self.weight
        spread = self.effect**2 + 1 / (told + 1 / self.scale**2)
        for block, first in zip(self.blocks, self.starts, strict=False):
            width = block.multiplier.shape[1]
            for c in range(width):
                those = slice(first + c, first + block.size * width, width)
                self.scale[those] = np.maximum(np.sqrt(spread[those].mean(0)), LEAST_SCALE)


def _apart(values: NDArray[Any]) -> NDArray[np.float64]:
    """Matrices (..., alternative, a, b) as one of all alternatives, which say nothing of others."""
    first, alternatives, rows, columns = values.shape
    found = np.zeros((first, alternatives, rows, alternatives, columns))
    for k in range(alternatives):
        found[:, k, :, k, :] = values[:, k]
    return found.reshape(first, alternatives * rows, alternatives * columns)


def _sums(each: NDArray[Any], block: Block) -> NDArray[np.float64]:
    """Sums over the people of each group of a block."""
    return _added(each, block.of_row, block.size)


def _added(each: NDArray[Any], at: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    order = np.argsort(at, kind="stable")
    starts = np.searchsorted(at[order], np.arange(size))
    return np.add.reduceat(each[order], starts, axis=0)
