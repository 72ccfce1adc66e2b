"""Checks of what is printed: findings, claims, and what runs them.

A study's ``audit`` module has `CHECKS` and ``paper(tables)``; every finding is computed
from the files of its folder ``published/``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import pandas as pd

from bayesmig.showing import Findings

Tables = Mapping[str, pd.DataFrame]
Claim = Mapping[str, str]  # a row of claims.csv
# whether a claim holds, the figures that say so, and perhaps whether rounding alone makes it hold
Verdict = tuple[bool, str] | tuple[bool, str, bool]


class Finding(NamedTuple):
    """One row of an audit, less the name of its check.

    Attributes
    ----------
    where : str
    holds : bool
        Whether what is printed can be so.
    detail : str
        The figures.
    rounding : bool
        Whether it holds only because figures are rounded: as they stand they do not agree,
        but unrounded ones may have.
    """

    where: str
    holds: bool
    detail: str
    rounding: bool = False


@dataclass(frozen=True)
class Check:
    """One question to the print.

    Attributes
    ----------
    name : str
        What is checked; several checks may have one name.
    find : callable
        From the paper to findings: one for all that holds, one for each thing that does not.
    notes : bool
        Whether it only notes what print leaves open, and finds nothing that does not hold.
    breaks : callable, optional
        From the tables to other tables, a mutation under which this check must fail, for a
        check that no change of a column breaks (`bayesmig.testing` tries these).
    """

    name: str
    find: Callable[[Any], Iterable[Finding]]
    notes: bool = False
    breaks: Callable[[dict[str, pd.DataFrame]], dict[str, pd.DataFrame]] | None = None


class Print:
    """The files of ``published/``, by stem; ``claims.csv`` holds what the paper says.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    """

    def __init__(self, tables: Tables):
        self.tables = tables
        self._records: dict[str, list[dict[str, str]]] = {}  # checks ask again and again

    def records(self, name: str) -> list[dict[str, str]]:
        """Rows of one file as text; an empty field is an empty text, however it was read."""
        if name not in self._records:
            table = self.tables[name]
            # as an array of objects: taken one by one, Arrow's strings cost ten times as much
            columns = [map(_text, table[column].to_numpy(object)) for column in table.columns]
            rows = zip(*columns, strict=True)
            self._records[name] = [dict(zip(table.columns, row, strict=True)) for row in rows]
        return self._records[name]

    @cached_property
    def claims(self) -> list[dict[str, str]]:
        """Rows of ``claims.csv``."""
        return self.records("claims")

    def said(self, kind: str) -> list[dict[str, str]]:
        """Claims of one kind."""
        return [claim for claim in self.claims if claim["kind"] == kind]


def run(checks: Sequence[Check], paper: Any) -> Findings:
    """Ask every question of a paper.

    Parameters
    ----------
    checks : sequence of Check
    paper
        What the checks' ``find`` take, a `Print` as a rule.

    Returns
    -------
    DataFrame
        Columns ``check``, ``where``, ``holds``, ``detail`` and ``rounding``, whether it holds
        within rounding only; printed, what does not hold.

    Raises
    ------
    KeyError
        If a file or a printed number is missing, or a claim names another.

    Examples
    --------
    >>> def total(paper):
    ...     yield Finding("p. 1", sum(paper) == 10, f"the parts add up to {sum(paper)}")
    >>> run([Check("Parts add up to what is printed, 10", total)], [3, 6])["detail"].item()
    'the parts add up to 9'
    """
    found = [(check.name, *finding) for check in checks for finding in check.find(paper)]
    return Findings(
        pd.DataFrame(found, columns=["check", *Finding._fields]).astype(
            {"holds": bool, "rounding": bool}
        )
    )


def held(n: int, of: int, what: str, where: str) -> Iterator[Finding]:
    """Yield one finding for the ``n`` of ``of`` things that hold; none if none does.

    Examples
    --------
    >>> list(held(2, 3, "rates follow", "Table 1"))
    [Finding(where='Table 1', holds=True, detail='2 of 3 rates follow', rounding=False)]
    """
    if n:
        yield Finding(where, True, f"{n} of {of} {what}")


def judged(
    paper: Any,
    kinds: Mapping[str, Callable[[Any, Claim], Verdict]],
    *,
    section: Callable[[Claim], str],
    place: Callable[[Claim], str],
    what: str,
    facts: Container[str] = (),
) -> Iterator[Finding]:
    """Judge the claims of a paper: those that hold counted by section, the others one by one.

    What holds within rounding only is counted and has a finding of its own.

    Parameters
    ----------
    paper : Print
    kinds : mapping of str to callable
        How claims of each kind are judged.
    section, place : callable
        Where a claim is said, and what it is about, in words.
    what : str
        What is counted, e.g. "statements hold".
    facts : container of str
        Kinds of claims that other checks use.
    """
    verdicts: dict[str, list[bool]] = defaultdict(list)
    failed = []
    for claim in paper.claims:
        if claim["kind"] in facts:
            continue
        holds, figures, *rounding = kinds[claim["kind"]](paper, claim)
        verdicts[section(claim)].append(holds)
        if not holds or any(rounding):
            failed.append(Finding(place(claim), holds, f"{claim['quote']!r}: {figures}", *rounding))
    for name, all_of in verdicts.items():
        yield from held(sum(all_of), len(all_of), what, name)
    yield from failed


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if pd.isna(value):
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)
