"""What the essay's printed numbers say about each other, and about the prose: no graph.

Every finding is computed from the files of ``published/``.  ``claims.csv`` holds what the
essay *says*, one statement per row; whether it holds is decided here.

A printed number is known to half a unit of its last digit.  What some values within these
bounds make true is held, and so is a number whose last digits were cut off: rounding, up or down,
is no fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from bayesmig.audit import Check, Finding, Tables
from bayesmig.models.transnationalism.audit import profile, rates, regressions
from bayesmig.models.transnationalism.audit.essay import Essay
from bayesmig.models.transnationalism.statements import MARGINS

KINDS = {**rates.KINDS, **regressions.KINDS, **profile.KINDS}
TOGETHER = "label"  # right or wrong only beside the others of the same name

__all__ = ["CHECKS", "KINDS", "MARGINS", "TOGETHER", "paper"]


def paper(tables: Tables) -> Essay:
    """Return the essay's printed numbers by what they are of.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem.
    """
    return Essay(tables)


def prose(essay: Essay) -> Iterator[Finding]:
    """What the text says of the numbers, beside the numbers."""
    for claim in essay.claims:
        if claim["kind"] == TOGETHER:
            continue
        holds, figures, *rounding = KINDS[claim["kind"]](essay, claim)
        yield Finding(essay.place(claim), holds, f"{claim['quote']!r}: {figures}", *rounding)


def labels(essay: Essay) -> Iterator[Finding]:
    """Find things that have more than one name."""
    names = dict.fromkeys(claim["claim"] for claim in essay.said(TOGETHER))
    for name in names:
        claims = [claim for claim in essay.said(TOGETHER) if claim["claim"] == name]
        said = dict.fromkeys(claim["stated"] for claim in claims)
        places = ", ".join(dict.fromkeys(claim["section"] for claim in claims))
        words = "; ".join(f"{c['stated']!r} ({c['quote']!r})" for c in claims)
        yield Finding(places, len(said) == 1, f"{name}: {words}")


CHECKS = (
    Check("prose", prose),
    Check("labels", labels),
    Check("percent change", regressions.percent_change),
    Check("net probability", regressions.signs),
    Check("net probability", regressions.base_probability),
    Check("stars", regressions.legend),
    Check("stars", regressions.standard_errors),
    Check("digits", regressions.digits),
    Check("shares", profile.shares),
    Check("shares", profile.order),
    Check("totals", rates.totals, breaks=rates.other_total),
    Check("totals", rates.same_weights, breaks=rates.other_total),
    Check("same people", rates.both_sexes),
)
