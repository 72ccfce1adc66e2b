"""The third contrast is the sum of the other two, and so is what follows from that."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bayesmig.audit import Finding, held
from bayesmig.models.social_capital.audit.manuscript import (
    EVERYONE,
    STRATIFIED,
    Manuscript,
    figure,
    place_of,
)
from bayesmig.models.social_capital.tables import half_unit, rounding


def contrasts_add_up(report: Manuscript) -> Iterator[Finding]:
    """C is A + B, within rounding."""
    for where, rows in _by_table(report.contrasts):
        both = (rows.is_sum & rows.is_difference).sum()
        also = f"; in {both} of them B - A is the same within rounding" if both else ""
        yield from held(int(rows.is_sum.sum()), len(rows), f"rows have C = A + B{also}", where)
        for row in rows[~rows.is_sum].itertuples(index=False):
            c = report.cells[row.term, row.level, "C", row.stratum]
            rule = "is B - A" if row.is_difference else "is neither A + B nor B - A"
            flips = ", of the other sign" if row.sum * row.C < 0 else ""
            yield Finding(
                place_of(row.term, row.level, "C", row.stratum),
                False,
                f"printed {c} {rule}; A + B = {figure(row.A)} + {figure(row.B)} = "
                f"{figure(row.sum)}{flips}",
            )


def _by_table(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    first = rows.stratum == EVERYONE
    yield "Table 1", rows[first]
    yield STRATIFIED, rows[~first]


def labels_of_contrasts(report: Manuscript) -> Iterator[Finding]:
    """The heads of the columns, the text and the outcome's coding name the same contrasts."""
    meaning = {claim["contrast"]: claim["stated"] for claim in report.said("meaning")}
    base, *others = report.said("coding")[0]["stated"].split("|")
    coded = {f"{other} : {base}" for other in others}
    counts = {
        where: (int(rows.is_difference.sum()), len(rows))
        for where, rows in _by_table(report.contrasts)
    }
    right = []
    for claim in report.said("head"):
        head, contrast, place = claim["stated"], claim["contrast"], f"Table {claim['table']}"
        if head == meaning[contrast]:
            right.append(f"{place}, {contrast}")
            continue
        use = " as the outcome's coding in section 2.2 does" if head in coded else ""
        tally = "; ".join(f"{w}: {n} of {of} rows" for w, (n, of) in counts.items())
        baseline = report.cells["baseline_aspirations", "", contrast, EVERYONE]
        yield Finding(
            f"{place}, {contrast}",
            False,
            f"the head is {head!r}{use}, the text {meaning[contrast]!r}.  By the head, C would be "
            f"B - A ({tally}), and earlier aspirations, {baseline}, would make having none "
            "likelier; the text's reading is taken",
        )
    if right:
        yield Finding(", ".join(right), True, "head and text name the same contrast")


def covariance_left_out(report: Manuscript) -> Iterator[Finding]:
    """se(C) has the covariance of A and B, which share 'aspires'."""
    for where, rows in _by_table(report.contrasts):
        allowed = rounding(rows.se_C) + np.hypot(half_unit(rows.se_A), half_unit(rows.se_B))
        without = (np.hypot(rows.se_A, rows.se_B) - rows.se_C).abs() <= allowed
        yield from held(int((~without).sum()), len(rows), "rows have another se(C)", where)
        if without.mean() > 0.5:  # a few may be so by chance: 0.001 is a wide rounding
            # with 'no aspirations' by far the commonest, A and C are nearly independent
            narrow = np.sqrt(np.maximum(rows.se_B**2 - rows.se_A**2, 0)) / rows.se_C
            median = narrow[without].median()
            yield Finding(
                where,
                False,
                f"se(C) is the root of se(A)^2 + se(B)^2 in {without.sum()} of {len(rows)} rows: "
                "the covariance of A and B is left out.  It is negative, so that se(C) is too "
                "large; if 'no aspirations' is by far the commonest outcome, se(C) is near the "
                f"root of se(B)^2 - se(A)^2, {median:.2f} of the printed (median)",
            )
