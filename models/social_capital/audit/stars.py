"""Stars, against two-sided tests at the legend's levels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from bayesmig.audit import Claim, Finding
from bayesmig.models.social_capital.audit.manuscript import (
    TABLE,
    Cell,
    Manuscript,
    place_of,
    table_of,
)
from bayesmig.models.social_capital.paper import CONTRASTS
from bayesmig.models.social_capital.tables import half_unit, two_sided

DAGGER = "†"
LEVELS = {"***": 0.001, "**": 0.01, "*": 0.05}  # the legend
UNDECLARED = {**LEVELS, DAGGER: 0.10}  # with the level that the printed daggers fit


def possible_stars(cell: Cell, levels: Mapping[str, float], sides: int = 2) -> set[str]:
    """Return the stars that a coefficient may have, given that it and its se are rounded."""
    more, less = float(half_unit(cell.estimate)), float(half_unit(cell.se))
    size = abs(cell.estimate)
    smallest = np.maximum(size - more, 0) / (cell.se + less)
    ends = [smallest, (size + more) / np.maximum(cell.se - less, 1e-12)]
    ps = two_sided(np.array(ends)) * sides / 2
    marks = sorted(levels, key=levels.__getitem__)
    reached = [next((mark for mark in marks if p < levels[mark]), "") for p in ps]
    order = [*marks, ""]
    low, high = (order.index(mark) for mark in reversed(reached))
    return set(order[low : high + 1])


def stars(report: Manuscript) -> Iterator[Finding]:
    """Stars are those of two-sided tests at the legend's levels."""
    legends = {claim["table"]: _legend(claim) for claim in report.said("legend")}
    for contrast in CONTRASTS:
        cells = {key: cell for key, cell in report.cells.items() if key[2] == contrast}
        fits: Counter[str] = Counter()
        wrong = []
        for key, cell in cells.items():
            legend = legends[table_of(contrast, key[3])]
            two = cell.stars in possible_stars(cell, legend)
            fits["two"] += two
            fits["one"] += cell.stars in possible_stars(cell, UNDECLARED, sides=1)
            if not two:
                wrong.append((key, cell, legend))
        n = len(cells)
        where = f"Tables 1 and {TABLE[contrast]}, {contrast}"
        yield Finding(
            where,
            fits["two"] == n,
            f"stars of {fits['two']} of {n} coefficients are those of two-sided tests at the "
            f"legend's levels, within rounding; of one-sided tests with {DAGGER} at "
            f"{UNDECLARED[DAGGER]:.2f}: {fits['one']}",
        )
        for key, cell, legend in wrong:
            mark = " or ".join(repr(m) for m in sorted(possible_stars(cell, legend)))
            unknown = "" if not cell.stars or cell.stars in legend else ", not in the legend"
            yield Finding(
                place_of(*key),
                False,
                f"printed {cell}{unknown}; two-sided p = {cell.p:.3f} would have {mark}, "
                f"one-sided it is {cell.p / 2:.3f}",
            )


def _legend(claim: Claim) -> dict[str, float]:
    pairs = (part.split() for part in claim["stated"].split("|"))
    return {mark: float(level) for mark, level in pairs}
