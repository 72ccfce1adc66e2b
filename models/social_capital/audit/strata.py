"""Strata beside the whole, and beside each other."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayesmig.audit import Finding, held
from bayesmig.models.social_capital.audit.manuscript import (
    ALL_TABLES,
    DENIED,
    EVERYONE,
    STATED,
    STRATIFIED,
    TABLE,
    Manuscript,
    goes,
    place_of,
    row_name,
)
from bayesmig.models.social_capital.tables import separated


def strata_average(report: Manuscript) -> Iterator[Finding]:
    """Strata, averaged by the inverse of their variances, give about Table 1.

    The network itself is in Table 1 only.  Rows of a complete separation have no weight.
    """
    rows = report.rows[report.rows.stratum != EVERYONE]
    weight = 1 / rows.se**2
    sums = (
        pd.DataFrame({"wx": weight * rows.estimate, "w": weight})
        .groupby([rows.term, rows.level, rows.contrast])
        .sum()
    )
    average = (sums.wx / sums.w).unstack("contrast")
    error = (sums.w**-0.5).unstack("contrast")
    whole = report.contrasts[report.contrasts.stratum == EVERYONE].set_index(["term", "level"])
    whole = whole.loc[average.index]
    for contrast, column, name in (
        ("A", "A", "A"),
        ("B", "B", "B"),
        ("C", "C", "C as printed"),
        ("C", "sum", "C as A + B"),
    ):
        gap = average[contrast] - whole[column]
        distance = float(np.sqrt((gap**2).mean()))
        errors = float(np.sqrt(((gap / error[contrast]) ** 2).mean()))
        own = "; 2c is itself 2a + 2b" if column == "sum" else ""
        yield Finding(
            f"Tables 1 and {TABLE[contrast]}, {name}",
            errors <= 1,
            f"root-mean-square distance {distance:.2f} over {len(gap)} rows, {errors:.2f} "
            f"standard errors of the average{own}",
        )


def separation(report: Manuscript) -> Iterator[Finding]:
    """Estimates are finite: no complete separation."""
    apart = separated(report.rows)
    yield from held(
        int((~apart).sum()),
        len(report.rows),
        f"standard errors are {report.rows.se[~apart].max():.3f} or less",
        ALL_TABLES,
    )
    for row in report.rows[apart].itertuples(index=False):
        cell = report.cells[row.term, row.level, row.contrast, row.stratum]
        why = (
            "A and B run off together and C is finite; its se too, with their covariance"
            if row.contrast == "C"
            else "one of the two outcomes is empty, and the likelihood has no maximum"
        )
        yield Finding(
            place_of(row.term, row.level, row.contrast, row.stratum),
            False,
            f"printed {cell}; {why}",
        )


def differences_stated(report: Manuscript) -> Iterator[Finding]:
    """Differences between strata that the prose states, by its own footnote 3.

    The manuscript names no level; most of what it states is clear by one-sided tests at 0.10
    only, and its one significant difference of C is one of 57 by just these.  The printed errors of
    C are too large by what they leave out.  A difference that is clear by either is not held
    against the prose.
    """
    said = report.said("difference")
    verdicts = [(claim, report.difference(claim)) for claim in said]
    p = np.array([row.p for _, row in verdicts])
    fair = np.array([row.fair_p for _, row in verdicts])
    way = np.array([goes(row.estimate, claim["stated"]) for claim, row in verdicts])
    clear = way & ((p / 2 < STATED) | (fair < STATED))
    yield from held(
        int(clear.sum()),
        len(said),
        f"have the sign stated and one-sided p below {STATED:.2f} by printed errors "
        f"({(way & (p / 2 < STATED)).sum()}; two-sided {(way & (p < STATED)).sum()}, below 0.05 "
        f"{(way & (p < 0.05)).sum()}), or, for C, two-sided by errors that have the covariance of "
        "A and B",
        STRATIFIED,
    )
    for (claim, row), holds in zip(verdicts, clear, strict=True):
        if not holds:
            name = row_name(claim["term"], claim["level"])
            yield Finding(
                f"Table {claim['table']}, {name}, {claim['stratum']}",
                False,
                f"said to be {claim['stated']}: {row.estimate:+.3f} (se {row.se:.3f}), one-sided "
                f"p = {row.p / 2:.3f}",
            )


def differences_unstated(report: Manuscript) -> Iterator[Finding]:
    """No difference between strata is left out that is clearer than those stated."""
    found = report.differences
    clear = found[(found.p < DENIED) & ~found.said]
    n = int((found.p < DENIED).sum())
    yield from held(
        n - len(clear),
        n,
        f"differences with two-sided p below {DENIED} are in the prose; of {len(found)} made, "
        f"{DENIED * len(found):.1f} would be so by chance",
        STRATIFIED,
    )
    for row in clear.itertuples(index=False):
        name = row_name(row.term, row.level)
        yield Finding(
            f"Table {TABLE[row.contrast]}, {name}, {row.first} - {row.second}",
            False,
            f"{row.estimate:+.3f} (se {row.se:.3f}), two-sided p = {row.p:.4f}, is not mentioned",
        )
