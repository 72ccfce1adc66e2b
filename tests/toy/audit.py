"""Does the printed odds ratio follow from the printed slope?"""

import math
from collections.abc import Iterator

from bayesmig.audit import Check, Finding, Print, Tables
from bayesmig.printed import Number


def paper(tables: Tables) -> Print:
    """Return the files."""
    return Print(tables)


def ratio(paper: Print) -> Iterator[Finding]:
    """exp(slope) is the odds ratio, within rounding."""
    rows = {(r["quantity"], r["outcome"]): r["estimate"] for r in paper.records("numbers")}
    slope, stated = Number.of(rows["slope", "moved"]), Number.of(rows["odds_ratio", ""])
    holds = stated.low <= math.exp(slope.high) and math.exp(slope.low) <= stated.high
    yield Finding("Table 1", holds, f"exp({slope.value}) = {math.exp(slope.value):.2f}")


CHECKS = (Check("odds ratio", ratio),)
