"""Columns of groups, nested or crossed, and slopes that vary between groups: as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig.errors import DataError, StudyError, unknown

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST = 4  # columns of groups; the study's dims of people name each


@dataclass(frozen=True, eq=False)
class Level:
    """One column of groups.

    Attributes
    ----------
    name : str
        Of the column.
    groups : tuple of str
        Labels.
    of_cell : ndarray of int (cell)
        The group of each combination of groups that occurs.
    """

    name: str
    groups: tuple[str, ...]
    of_cell: NDArray[np.int64]


@dataclass(frozen=True)
class Slopes:
    """What varies between the groups of one column beside the intercept.

    Attributes
    ----------
    level : int
        Which column of groups.
    columns : tuple of int
        Columns of the graph; none if nothing varies.
    """

    level: int = 0
    columns: tuple[int, ...] = ()


def combined(
    names: Sequence[str], labels: Sequence[tuple[str, ...]], codes: NDArray[np.int64]
) -> tuple[tuple[Level, ...], NDArray[np.int64]]:
    """Return columns of groups, and the cell of each row: the combination of its groups.

    Parameters
    ----------
    names : sequence of str
    labels : sequence of tuple of str
        Of the groups of each column.
    codes : ndarray of int (row, column)
        The group of each row.

    Raises
    ------
    StudyError
        For a column that is named twice, or too many.
    """
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise StudyError(f"group: {twice[0]!r} is there twice")
    if len(names) > MOST:
        raise StudyError(f"group: at most {MOST} columns, got {len(names)}")
    present, cell = np.unique(codes, axis=0, return_inverse=True)
    levels = zip(names, labels, present.T, strict=True)
    return tuple(Level(*one) for one in levels), cell.reshape(-1).astype(np.int64)


def check(levels: Sequence[Level], cell: NDArray[np.int64], people: NDArray[Any]) -> None:
    """Refuse two columns of the same groups, and a column whose groups are one person each.

    Raises
    ------
    DataError
    """
    for few, many in _pairs(levels):
        pairs = np.unique(np.column_stack([few.of_cell, many.of_cell]), axis=0)
        if len(pairs) == len(few.groups) == len(many.groups):
            raise DataError(
                f"group: {few.name!r} and {many.name!r} are the same groups: name one of them"
            )
    for level in levels:
        counts = np.bincount(level.of_cell[cell], weights=people, minlength=len(level.groups))
        if counts.max() < 2:
            raise DataError(
                f"group: each of the {len(level.groups)} groups of {level.name!r} is one person, "
                "and what a single person's group adds cannot be told from chance: leave it out"
            )


def doubts(levels: Sequence[Level]) -> Iterator[str]:
    """Say of which columns neither is nested in the other: perhaps they are meant to be."""
    for few, many in _pairs(levels):
        pairs = np.unique(np.column_stack([few.of_cell, many.of_cell]), axis=0)
        places = np.bincount(pairs[:, 1], minlength=len(many.groups))
        if (places == 1).all():
            continue
        first = int(np.argmax(places > 1))
        yield (
            f"group: {(places > 1).sum()} of {len(places)} labels of {many.name!r} are in several "
            f"groups of {few.name!r}, {many.groups[first]!r} in {places[first]} of "
            f"{len(few.groups)}; a label is one group wherever it is (crossed).  If {many.name!r} "
            f"is numbered anew in each {few.name!r}, join the labels: table[{many.name!r}] = "
            f"table[{few.name!r}].astype(str) + '-' + table[{many.name!r}].astype(str)"
        )


def _pairs(levels: Sequence[Level]) -> Iterator[tuple[Level, Level]]:
    """Pairs of columns, the one of fewer groups first."""
    return combinations(sorted(levels, key=lambda level: len(level.groups)), 2)


def slopes(varying: str | None, names: Sequence[str], strata: str | None) -> tuple[str, int] | None:
    """Read ``"age + male | municipality"``: a formula, and whose groups' slopes vary.

    Parameters
    ----------
    varying : str, optional
    names : sequence of str
        Columns of groups.  Of one the name may be left out.
    strata : str, optional

    Raises
    ------
    StudyError
    """
    if strata is not None and (varying is not None or len(names) > 1):
        raise StudyError(
            "strata have one column of groups and no slopes that vary: a fit of each stratum's "
            "people can have both"
        )
    if varying is None:
        return None
    if not isinstance(varying, str):
        raise StudyError(f"varying: must be text, got {type(varying).__name__}")
    formula, bar, column = varying.rpartition("|")
    if not bar:
        if len(names) > 1:
            raise StudyError(
                f"varying {varying!r}: say between which groups, one of {', '.join(names)}: "
                f"varying='{varying} | {names[0]}'"
            )
        return varying, 0
    column = column.strip().strip("`")
    if column not in names:
        raise StudyError(f"varying: {unknown('column of group=', column, names)}")
    return formula.strip(), list(names).index(column)


def columns(
    asked: Sequence[str], terms: Sequence[str], to_terms: NDArray[np.float64]
) -> tuple[int, ...]:
    """Return which columns of the graph vary.

    Parameters
    ----------
    asked : sequence of str
        Labels of the columns of the formula that vary.
    terms : sequence of str
        Those of the whole formula.
    to_terms : ndarray (term, term)

    Raises
    ------
    StudyError
        For a column that is not in the formula, or a square that varies without what it is
        the square of.
    """
    if not asked:
        raise StudyError("varying: name a column whose slope varies; intercepts vary anyway")
    for name in asked:
        if name not in terms:
            words = unknown("column of the formula", name, terms)
            raise StudyError(f"varying: {words}; what varies has a mean, which the formula names")
    found = [list(terms).index(name) for name in asked]
    for j in found:
        base = [i for i in np.flatnonzero(to_terms[:, j]) if i not in found]
        if base:
            other = terms[int(base[0])]
            raise StudyError(
                f"varying: {terms[j]!r} is the square of {other!r}, which must vary, too"
            )
    return tuple(found)
