"""Nesting: a total is a weighted average of its parts."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from bayesmig.audit import Finding
from bayesmig.linear import minimise
from bayesmig.models.emigration.audit.report import (
    ALL_TABLES,
    COMPONENTS,
    EVERYONE,
    HALF,
    MEXICO,
    ROUNDED,
    TOTAL,
    Key,
    Report,
    place_of,
)

REGIONS = (
    "Mexico",
    "Central America",
    "North America",
    "Caribbean",
    "Europe",
    "Asia",
    "Africa",
    "Other",
)
WITHIN = {
    "Caribbean": ("Cuba", "Dominican Republic", "Other Caribbean"),
    "Asia": ("China", "India", "Philippines", "Korea", "Other Asia"),
}


class Nest(NamedTuple):
    """Two sets of printed rows that divide the same people."""

    family: str
    parts: list[Key]
    whole: list[Key]


def _years(report: Report) -> Iterator[Nest]:
    yield Nest("years of Table 5 to Table 4", report.keys(5, EVERYONE), [TOTAL])
    yield Nest("Mexicans' years of Table 5 to Mexico", report.keys(5, "Mexican"), [MEXICO])


def _ages(report: Report) -> Iterator[Nest]:
    yield Nest("ages of Table 6 to Table 4", report.keys(6), [TOTAL])
    for key in report.keys(6):
        parts: list[Key] = [(table, "", key[2]) for table in (8, 9)]
        yield Nest("sexes of Tables 8 and 9 to Table 6", parts, [key])
    for table, sex in ((8, "Male"), (9, "Female")):
        yield Nest(f"ages of Table {table} to Table 7", report.keys(table), [(7, "All", sex)])
        for *_, ages in report.keys(10, f"Mexican {sex}s"):
            parts = [(10, f"Mexican {sex}s", ages), (11, f"Non-Mexican {sex}s", ages)]
            family = f"origins of Tables 10 and 11 to Table {table}"
            yield Nest(family, parts, _finer(report, table, ages))
    for table, origin in ((10, "Mexican"), (11, "Non-Mexican")):
        for sex in ("Male", "Female"):
            parts = report.keys(table, f"{origin} {sex}s")
            yield Nest(f"ages of Table {table} to Table 7", parts, [(7, origin, sex)])


def _finer(report: Report, table: int, ages: str) -> list[Key]:
    """Rows of ``table`` that lie within ``ages``: '15-19' and '20-24' within '15-24'."""
    first, last = _span(ages)
    spans = {key: _span(key[2]) for key in report.keys(table)}
    return [key for key, (low, high) in spans.items() if first <= low and high <= last]


def _span(ages: str) -> tuple[float, float]:
    low, *high = re.findall(r"\d+", ages)
    return int(low), int(high[0]) if high else math.inf


def sexes(report: Report) -> Iterator[Nest]:
    """Yield the sexes of Table 7, and the totals that they make up."""
    yield Nest("sexes of Table 7 to Table 4", report.keys(7, "All"), [TOTAL])
    yield Nest("Mexicans' sexes of Table 7 to Mexico", report.keys(7, "Mexican"), [MEXICO])


def _durations(report: Report) -> Iterator[Nest]:
    yield Nest("durations of Table 12 to Table 4", report.keys(12, EVERYONE), [TOTAL])
    yield Nest("Mexicans' durations of Table 12 to Mexico", report.keys(12, "Mexican"), [MEXICO])


def _places(report: Report) -> Iterator[Nest]:
    yield Nest("regions of Table 13 to Table 4", report.keys(13, rows=REGIONS), [TOTAL])
    for region, countries in WITHIN.items():
        parts = report.keys(13, rows=countries)
        yield Nest("countries of Table 13 to their region", parts, [(13, "", region)])


def _origins(report: Report) -> Iterator[Nest]:
    for table in (5, 7, 12, 14):
        for key in report.keys(table, report.panels(table)[0]):
            parts: list[Key] = [(table, panel, key[2]) for panel in ("Mexican", "Non-Mexican")]
            if all(part in report.rows for part in parts):
                yield Nest(f"origins of Table {table} to its first panel", parts, [key])


def _statuses(report: Report) -> Iterator[Nest]:
    yield Nest("statuses of Table 14 to Table 4", report.keys(14, EVERYONE), [TOTAL])
    yield Nest("Mexicans' statuses of Table 14 to Mexico", report.keys(14, "Mexican"), [MEXICO])
    for origin in ("Mexican", "Non-Mexican"):
        periods = [panel for panel in report.panels(15) if panel.startswith(f"{origin}s,")]
        for key in report.keys(14, origin):
            parts: list[Key] = [(15, panel, key[2]) for panel in periods]
            yield Nest("periods of Table 15 to Table 14", parts, [key])


NESTS: dict[str, Callable[[Report], Iterator[Nest]]] = {
    "years": _years,
    "ages": _ages,
    "sexes": sexes,
    "durations": _durations,
    "places of birth": _places,
    "origins": _origins,
    "statuses": _statuses,
}


def gaps_of(report: Report, nests: Sequence[Nest]) -> np.ndarray:
    """Smallest largest residual over the seven components, for each nest by itself.

    Weights on either side are non-negative and add to 1.  The nests share no variable, so
    that one linear programme, minimising the sum of the gaps, solves them all.
    """
    wide = sum(len(nest.parts) + len(nest.whole) + 1 for nest in nests)
    below, equal, cost = [], [], np.zeros(wide)
    start = 0
    for nest in nests:
        n, k = len(nest.parts), len(nest.whole)
        stop = start + n + k
        difference = np.zeros((len(COMPONENTS), wide))
        difference[:, start:stop] = np.hstack(
            [report.matrix(nest.parts), -report.matrix(nest.whole)]
        )
        gap = np.zeros(wide)
        gap[stop] = cost[stop] = 1
        below += [difference - gap, -difference - gap]
        weights = np.zeros((2, wide))
        weights[0, start : start + n] = weights[1, start + n : stop] = 1
        equal.append(weights)
        start = stop + 1
    solved = minimise(
        cost,
        below=np.vstack(below),
        bounds=np.zeros(2 * len(COMPONENTS) * len(nests)),
        equal=np.vstack(equal),
        values=np.ones(2 * len(nests)),
    )
    assert solved is not None  # weights always exist: a gap may be of any size
    return solved.at[cost == 1]


def nesting(report: Report) -> Iterator[Finding]:
    """Is each total a weighted average of its parts, in all seven components at once?

    Both sides are rounded, so that a residual of 0.1 needs no explanation.
    """
    nests = [(subject, nest) for subject, of in NESTS.items() for nest in of(report)]
    fits: dict[str, dict[str, list[float]]] = {subject: defaultdict(list) for subject in NESTS}
    failed = []
    gaps = gaps_of(report, [nest for _, nest in nests])
    for (subject, nest), gap in zip(nests, gaps, strict=True):
        if gap <= ROUNDED:
            fits[subject][nest.family].append(gap)
            continue
        whole = " and ".join(place_of(key) for key in nest.whole)
        detail = (
            f"no weights make the {len(nest.parts)} rows average to {whole} in all seven "
            f"components: the best leave {gap:.2f}, rounding allows 0.1"
        )
        failed.append(Finding(nest.family, False, detail))
    for subject, families in fits.items():
        if families:
            figures = (f"{name}: {len(g)} fit, worst {max(g):.2f}" for name, g in families.items())
            yield Finding(subject, True, "; ".join(figures))
    yield from failed


def _joint_slack(report: Report, nests: Sequence[Nest]) -> float:
    """How far from one population that satisfies every nest, as a share of the total.

    Unknown: the size of each printed row's group, Table 4's being 1.  A nest asks that both
    sides have the same size and, within rounding, the same number in each component.
    """
    keys = list(dict.fromkeys(key for nest in nests for key in (*nest.parts, *nest.whole)))
    column = {key: i for i, key in enumerate(keys)}
    sign = np.zeros((len(nests), len(keys)))
    for row, nest in enumerate(nests):
        sign[row, [column[key] for key in nest.parts]] = 1
        sign[row, [column[key] for key in nest.whole]] = -1
    numbers = (sign[:, None, :] * report.matrix(keys)).reshape(-1, len(keys))
    allowed = HALF * np.repeat(np.abs(sign), len(COMPONENTS), axis=0)
    slack = np.ones((len(numbers), 1))
    size = np.zeros(len(keys))
    size[column[TOTAL]] = 1
    solved = minimise(
        np.r_[np.zeros(len(keys)), 1],
        below=np.block([[numbers - allowed, -slack], [-numbers - allowed, -slack]]),
        bounds=np.zeros(2 * len(numbers)),
        equal=np.c_[np.vstack([sign, size]), np.zeros(len(nests) + 1)],
        values=np.r_[np.zeros(len(nests)), 1],
    )
    assert solved is not None  # no people in any group but Table 4's fit with enough slack
    return solved.cost


def nesting_jointly(report: Report) -> Iterator[Finding]:
    """Does one population fit all tables at once, with and without Tables 14 and 15?"""
    nests = [nest for of in NESTS.values() for nest in of(report)]
    early = [nest for nest in nests if all(key[0] < 14 for key in (*nest.parts, *nest.whole))]
    for where, some in (("Tables 4-13", early), (ALL_TABLES, nests)):
        slack = _joint_slack(report, some)
        fits = slack < 1e-6
        verdict = (
            "one population fits them all within rounding"
            if fits
            else f"no one population fits them all; the closest leaves {slack:.2f} per 100 of the "
            "foreign born"
        )
        yield Finding(where, fits, f"{len(some)} nests: {verdict}")
