"""Groups of several columns, or whose slopes vary: known, new and average ones, draw by draw."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.social_capital.values import text_of

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from bayesmig.models.social_capital.design import Design

OF_GROUPS = (  # of the posterior
    "group_effect",
    "group_covariance",
    "group_slope",
    "slope_covariance",
    "varying_covariance",
)
Where = Sequence[Any]  # for each column the number of everybody's group, None for the average


class Population:
    """Effects of the groups of each column, and their covariances.

    Parameters
    ----------
    draws : Dataset
        ``sample`` first.
    table : Design
    """

    def __init__(self, draws: xr.Dataset, table: Design):
        self.table = table
        self.effect: list[NDArray[np.float64]] = []  # (sample, group, coefficient, alternative)
        # (sample, coefficient, alternative, coefficient, alternative)
        self.covariance: list[NDArray[np.float64]] = []
        several = len(table.levels) > 1
        every = draws["group_effect"].transpose("sample", ..., "outcome").values[..., 1:]
        spread = draws["group_covariance"]
        start = 0
        for at, level in enumerate(table.levels):
            of_level = spread.isel(grouping=at) if several else spread
            of_level = of_level.transpose("sample", "outcome", "outcome_too")
            effect = every[:, start : start + len(level.groups), None]
            covariance = of_level.values[:, None, 1:, None, 1:]
            start += len(level.groups)
            if table.slopes.columns and at == table.slopes.level:
                effect, covariance = self._with_slopes(draws, effect, covariance)
            self.effect.append(effect)
            self.covariance.append(covariance)

    def _with_slopes(
        self, draws: xr.Dataset, effect: NDArray[Any], intercepts: NDArray[Any]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Put slopes of the graph's columns after the intercept."""
        columns = list(self.table.slopes.columns)
        back = np.linalg.inv(self.table.to_terms[np.ix_(columns, columns)])
        slope = draws["group_slope"].transpose("sample", "slope", ..., "outcome").values[..., 1:]
        effect = np.concatenate([effect, np.einsum("ab,sbgk->sgak", back, slope)], axis=2)
        size, width = len(columns) + 1, intercepts.shape[2]
        whole = np.zeros((len(slope), size, width, size, width))
        if "varying_covariance" in draws:
            order = ("sample", "effect", "outcome", "effect_too", "outcome_too")
            given = draws["varying_covariance"].transpose(*order).values[:, :, 1:, :, 1:]
            turn = np.eye(size)
            turn[1:, 1:] = back
            whole = np.einsum("ab,sbkcl,dc->sakdl", turn, given, turn)
        else:
            given = draws["slope_covariance"].transpose("sample", "slope", ...).values[..., 1:, 1:]
            whole[:, 0, :, 0, :] = intercepts[:, 0, :, 0, :]
            for c in range(len(columns)):
                whole[:, c + 1, :, c + 1, :] = given[:, c] * back[c, c] ** 2
        return effect, whole

    def cells(self, i: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """What cells add: intercepts (cell, alternative), slopes (cell, alternative, slope)."""
        levels, slopes = self.table.levels, self.table.slopes
        each = [e[i][level.of_cell] for e, level in zip(self.effect, levels, strict=True)]
        intercept = np.sum([e[:, 0] for e in each], axis=0)
        return intercept, each[slopes.level][:, 1:].swapaxes(1, 2)

    def varies(self, columns: NDArray[Any]) -> NDArray[np.float64]:
        """Columns of the graph whose slopes vary (person, slope)."""
        return columns[:, list(self.table.slopes.columns)]

    def known(self, i: int, columns: NDArray[Any], where: Where) -> NDArray[np.float64]:
        """What known groups add (person, alternative)."""
        found = np.zeros((len(columns), self.effect[0].shape[-1]))
        for at, group in enumerate(where):
            if group is not None:
                own = self.effect[at][i][group]
                found += np.einsum("nc,nck->nk", self._times(at, columns), own)
        return found

    def new(self, i: int, columns: NDArray[Any], rng: np.random.Generator) -> NDArray[np.float64]:
        """What one new group of each column adds (person, alternative)."""
        found = np.zeros((len(columns), self.effect[0].shape[-1]))
        for at, covariance in enumerate(self.covariance):
            size = covariance.shape[1] * covariance.shape[2]
            root = _root(covariance[i].reshape(size, size))
            effect = (root @ rng.standard_normal(size)).reshape(covariance.shape[1:3])
            found += self._times(at, columns) @ effect
        return found

    def spread(self, i: int, columns: NDArray[Any], where: Where) -> NDArray[np.float64]:
        """Roots (person, alternative, factor) of the covariance of what other groups add.

        One for everybody if no slope among them varies.
        """
        found: Any = 0.0
        for at, group in enumerate(where):
            if group is None:
                z = self._times(at, columns)
                z = z if z.shape[1] > 1 else z[:1]
                found = found + np.einsum("nc,nd,ckdj->nkj", z, z, self.covariance[at][i])
        return _root(found)

    def _times(self, at: int, columns: NDArray[Any]) -> NDArray[np.float64]:
        """What the effects of a column's groups are multiplied by (person, coefficient)."""
        ones = np.ones((len(columns), 1))
        return np.hstack([ones, self.varies(columns)]) if at == self.table.slopes.level else ones


def named(table: Design, label: str, people: int) -> Where:
    """Everybody in the one group of that label, the groups of other columns averaged.

    Raises
    ------
    StudyError
        For a label of no group, or of groups of several columns.
    """
    found: list[Any] = [None] * len(table.levels)
    for at, level in enumerate(table.levels):
        own = label.removeprefix(f"{level.name}, ") if len(table.levels) > 1 else label
        if own in level.groups:
            found[at] = np.full(people, level.groups.index(own))
    hits = [i for i, group in enumerate(found) if group is not None]
    if not hits:
        every = [g for level in table.levels for g in level.groups]
        raise StudyError(unknown("group", label, ["average", "new", "own", *every]))
    if len(hits) > 1:
        names = [table.levels[i].name for i in hits]
        raise StudyError(
            f"group {label!r} is one of {' and of '.join(map(repr, names))}: "
            f"say group='{names[0]}, {label}'"
        )
    return found


def own(table: Design, frame: pd.DataFrame) -> Where:
    """Everybody's own group of each column.

    Raises
    ------
    DataError
        For a column that the people lack, and for groups that the fit has not.
    """
    found = []
    for level in table.levels:
        if level.name not in frame:
            raise DataError(
                f"group='own' needs the column {level.name!r}, which these people lack; "
                f"group='new' or 'average', or the label of a group, for them"
            )
        labels = [str(label) for label in text_of(frame[level.name])]
        place = {label: g for g, label in enumerate(level.groups)}
        group = np.array([place.get(label, -1) for label in labels])
        if (group < 0).any():
            raise DataError(
                f"{level.name}: {(group < 0).sum()} people are of groups that the fit has not, "
                f"first {labels[int(np.argmax(group < 0))]!r}; group='new' or 'average', or the "
                "label of a group, for them"
            )
        found.append(group)
    return found


def _root(covariance: NDArray[Any]) -> NDArray[np.float64]:
    """A square root of covariances, singular ones too (..., row, factor)."""
    values, vectors = np.linalg.eigh(covariance)
    return vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
