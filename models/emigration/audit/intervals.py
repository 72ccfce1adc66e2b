"""The printed intervals: their form, their ends, and what those of differences leave out."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median

from bayesmig.audit import Finding, held
from bayesmig.models.emigration.audit.report import (
    ALL_TABLES,
    COMPONENTS,
    HALF,
    NON_NEGATIVE,
    PARTS,
    Z90,
    Cell,
    Key,
    Report,
    cells_of,
    implied,
    place_of,
    words_of,
)
from bayesmig.printed import EPS


def interval_symmetric(report: Report) -> Iterator[Finding]:
    """Intervals are estimate plus or minus the same, hence normal ones."""
    cells = list(cells_of(report))
    off = [c for c in cells if abs((c[2].low + c[2].high) / 2 - c[2].estimate) > HALF + EPS]
    yield from held(
        len(cells) - len(off),
        len(cells),
        f"intervals have their middle within {HALF} of the estimate (three roundings could move "
        "it by 0.1)",
        ALL_TABLES,
    )
    for key, component, cell in off:
        yield Finding(place_of(key), False, f"{words_of(component)} {cell}")


def interval_below_zero(report: Report) -> Iterator[Finding]:
    """Find intervals that reach below zero; only net emigration can be negative."""
    below = [found for found in cells_of(report) if found[2].low < 0]
    count = Counter(component for _, component, _ in below)
    others = ", ".join(f"{words_of(c)} {count[c]}" for c in NON_NEGATIVE if count[c]) or "none"
    yield Finding(
        ALL_TABLES,
        True,
        f"{count['net_emigration']} of the {len(below)} intervals that reach below zero are of "
        f"net emigration, which may; the others: {others}",
    )
    for key, component, cell in below:
        if component in NON_NEGATIVE:
            yield Finding(place_of(key), False, f"{words_of(component)} {cell} cannot be negative")


def _implied_half(row: Mapping[str, Cell], less: float = 0.0) -> float:
    """Half-width of a difference of four independent estimates, each narrowed by ``less``."""
    return math.hypot(*(max(row[name].half - less, 0) for name in PARTS))


def net_half(row: Mapping[str, Cell]) -> float:
    """Half-width of net emigration as the intervals of its five components imply it."""
    return math.hypot(_implied_half(row), row["return_immigration"].half)


def net_below_zero(report: Report) -> Iterator[Finding]:
    """Negative net emigration: the text names measurement and sampling error as its cause."""
    negative = {k: r for k, r in report.rows.items() if r["net_emigration"].estimate < 0}
    spread = {key: net_half(row) for key, row in negative.items()}
    printed = [key for key, row in negative.items() if row["net_emigration"].high >= 0]
    enough = [
        key
        for key, row in negative.items()
        if key in printed or spread[key] >= -row["net_emigration"].estimate
    ]
    yield from held(
        len(enough),
        len(negative),
        f"negative net rates are within sampling error of zero: {len(printed)} by the printed "
        "interval, the others by what the intervals of the components imply (the printed ones "
        "of emigration are too narrow)",
        ALL_TABLES,
    )
    for key, row in negative.items():
        if key not in enough:
            yield Finding(
                place_of(key),
                False,
                f"emigration {row['emigration']}, return immigration {row['return_immigration']}, "
                f"net {row['net_emigration']}: sampling error does not reach zero, neither as "
                f"printed nor as the components' intervals imply it, +-{spread[key]:.1f}",
            )


def emigration_zero(report: Report) -> Iterator[Finding]:
    """Emigration printed as exactly 0.0, beside what its four components imply."""
    zero = {k: r for k, r in report.rows.items() if r["emigration"].estimate == 0}
    n = len(report.rows)
    yield from held(n - len(zero), n, "rows print a positive emigration", ALL_TABLES)
    for key, row in zero.items():
        rounded = abs(implied(row)) <= HALF * (1 + len(PARTS)) + EPS
        yield Finding(
            place_of(key),
            rounded,
            f"printed {row['emigration']}, so at most {HALF}; its four components imply "
            f"{abs(implied(row)):.1f} +-{_implied_half(row):.1f} by their own intervals; the "
            "interval's width is that of an observed proportion of zero. Return immigration "
            f"{row['return_immigration']}",
            rounding=rounded,
        )


def worth(cell: Cell) -> float:
    """Persons that an interval is worth, if it is that of an observed proportion."""
    share, error = cell.estimate / 100, cell.half / (100 * Z90)
    return share * (1 - share) / error**2 if error and share > 0 else math.nan


def _relative_worth(report: Report, component: str) -> float:
    """Median over rows of a component's worth, that of non-match being 1."""
    ratios = (worth(r[component]) / worth(r["non_match"]) for r in report.rows.values())
    return median(ratio for ratio in ratios if not math.isnan(ratio))


def interval_of_emigration(report: Report) -> Iterator[Finding]:
    """The interval of a difference of four estimates, printed like that of a proportion."""

    def narrow(row: Mapping[str, Cell]) -> bool:
        # the printed one as wide, the implied one as narrow, as rounding allows
        return row["emigration"].half + HALF < _implied_half(row, HALF)

    for key in report.keys(4):
        row = report.rows[key]
        printed = row["emigration"]
        yield Finding(
            place_of(key),
            not narrow(row),
            f"printed {printed}, +-{printed.half:.2f}; the four components' own intervals imply, "
            f"if independent, +-{_implied_half(row):.2f} (at least "
            f"{_implied_half(row, HALF):.2f} whatever the rounding)",
        )
    rows = report.rows.values()
    count = sum(map(narrow, rows))
    ratios = [_implied_half(r) / r["emigration"].half for r in rows if r["emigration"].half > 0]
    yield Finding(
        ALL_TABLES,
        count == 0,
        f"too narrow for a difference of independent estimates in {count} of {len(rows)} rows "
        f"whatever the rounding; implied over printed: median {median(ratios):.1f}, smallest "
        f"{min(ratios):.1f}. As an observed proportion the interval is worth "
        f"{_relative_worth(report, 'emigration'):.2f} (median) times the persons that the one of "
        "non-match is: emigration is treated as observed, and so is non-follow-up "
        f"({_relative_worth(report, 'non_follow_up'):.2f}), though it comes from the second "
        "generation",
    )


def interval_of_net(report: Report) -> Iterator[Finding]:
    """Net emigration's error is that of a difference of independent estimates, as noted."""
    off = []
    for key, row in report.rows.items():
        gross, back, net = (row[name].half for name in COMPONENTS[4:])
        low = math.hypot(max(gross - HALF, 0), max(back - HALF, 0)) - HALF - EPS
        high = math.hypot(gross + HALF, back + HALF) + HALF + EPS
        if not low <= net <= high:
            implied = math.hypot(gross, back)
            off.append(
                Finding(place_of(key), False, f"+-{net:.2f}; from its two terms +-{implied:.2f}")
            )
    n = len(report.rows)
    yield from held(
        n - len(off),
        n,
        "half-widths are the root of the sum of squares of those of emigration and return "
        "immigration, within rounding",
        ALL_TABLES,
    )
    yield from off


def multipliers(report: Report) -> Iterator[tuple[Key, str, float, float, float]]:
    """Each printed standard error, and the multipliers that its interval leaves possible."""
    for error in report.records("standard_errors"):
        key, se = (int(error["table"]), error["panel"], error["row"]), float(error["se"])
        half = report.rows[key][error["component"]].half
        least = max(half - HALF, 0) / (se + HALF)
        most = (half + HALF) / (se - HALF) if se > HALF + EPS else math.inf
        yield key, error["component"], se, least, most


def standard_errors(report: Report) -> Iterator[Finding]:
    """Table 4's standard errors times 1.645 are its half-widths."""
    every = list(multipliers(report))
    off = [found for found in every if not found[3] - EPS <= Z90 <= found[4] + EPS]
    yield from held(
        len(every) - len(off),
        len(every),
        f"standard errors times {Z90} give the interval, within rounding",
        "Table 4",
    )
    for key, component, se, _, _ in off:
        cell = report.rows[key][component]
        yield Finding(place_of(key), False, f"{words_of(component)} {cell}, standard error {se}")
