"""One printed row by itself: its seven estimates, and what they add up to."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping

from bayesmig.audit import Finding, held
from bayesmig.models.emigration.audit.report import (
    ALL_TABLES,
    COMPONENTS,
    HALF,
    PARTS,
    Key,
    Report,
    implied,
    place_of,
    words_of,
)
from bayesmig.printed import EPS


def rows_printed(report: Report) -> Iterator[Finding]:
    """Every printed row has its seven estimates within their intervals."""
    wrong = {
        key: [f"{words_of(c)} {row[c]}" for c in COMPONENTS if not row[c].ordered]
        for key, row in report.rows.items()
    }
    n, alone = len(wrong), len(report.keys(4))
    yield from held(
        sum(not names for names in wrong.values()),
        n,
        f"rows (Table 4's {alone}, and {n - alone} of Tables 5-15) have {len(COMPONENTS)} "
        "estimates, each within its interval",
        ALL_TABLES,
    )
    for key, names in wrong.items():
        if names:
            yield Finding(place_of(key), False, f"outside its interval: {', '.join(names)}")


def rounding_odds(terms: int, residual: int) -> float:
    """Probability of a residual, in units of the last digit, of an exact identity.

    Each of the ``terms`` is rounded on its own; the residual is then distributed as the
    density of a sum of ``terms`` uniforms on (-1/2, 1/2) at that integer (Irwin-Hall).
    """
    pieces = (
        (-1) ** k * math.comb(terms, k) * max(0.0, residual + terms / 2 - k) ** (terms - 1)
        for k in range(terms + 1)
    )
    return sum(pieces) / math.factorial(terms - 1)


def _identity(terms: int, gaps: Mapping[Key, tuple[float, str]]) -> Iterator[Finding]:
    """Compare an identity's residuals with 0.1, and with what rounding alone produces."""
    size = Counter({key: abs(round(10 * gap)) for key, (gap, _) in gaps.items()})
    seen = Counter(size.values())
    none, one = len(gaps) * rounding_odds(terms, 0), 2 * len(gaps) * rounding_odds(terms, 1)
    worst = math.floor(terms / 2 - EPS)
    yield from held(
        seen[0] + seen[1],
        len(gaps),
        f"rows within 0.1: residual 0.0 in {seen[0]}, 0.1 in {seen[1]}; {terms} independent "
        f"roundings (together at most {terms * HALF:.2f}, so {worst / 10} in print) would give "
        f"{none:.1f} and {one:.1f}",
        ALL_TABLES,
    )
    for key, (_, figures) in gaps.items():
        if size[key] > 1:
            rounded = size[key] <= worst
            yield Finding(
                place_of(key),
                rounded,
                f"{figures}: off by {size[key] / 10}, which rounding alone "
                f"{'can' if rounded else 'cannot'} give (beyond 0.1 in about "
                f"{len(gaps) - none - one:.1f} of {len(gaps)} rows)",
                rounding=rounded,
            )


def components_add_up(report: Report) -> Iterator[Finding]:
    """Emigration is non-match less internal migration, mortality and non-follow-up."""
    gaps = {}
    for key, row in report.rows.items():
        terms = " - ".join(f"{row[name].estimate:.1f}" for name in PARTS)
        printed = row["emigration"].estimate
        figures = f"{terms} = {implied(row):.1f}, printed {printed:.1f}"
        gaps[key] = implied(row) - printed, figures
    yield from _identity(5, gaps)


def net_adds_up(report: Report) -> Iterator[Finding]:
    """Net emigration is emigration less return immigration."""
    gaps = {}
    for key, row in report.rows.items():
        gross, back, net = (row[name].estimate for name in COMPONENTS[4:])
        gaps[key] = gross - back - net, f"{gross:.1f} - {back:.1f}, printed {net:.1f}"
    yield from _identity(3, gaps)
