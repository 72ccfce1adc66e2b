"""Statements of the text, by kind, and whether the tables bear them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from bayesmig.audit import Claim, Finding, Verdict, judged
from bayesmig.models.social_capital.audit.manuscript import (
    DENIED,
    STATED,
    Cell,
    Manuscript,
    figure,
    goes,
    row_name,
)


class Evidence(NamedTuple):
    """What print says of one coefficient: C is A + B, its p known between bounds only."""

    value: float
    p_least: float
    p_most: float
    words: str


def _evidence(report: Manuscript, claim: Claim) -> Evidence:
    cell = report.cell(claim)
    if claim["contrast"] != "C":
        return Evidence(cell.estimate, cell.p, cell.p, f"{cell}, two-sided p = {cell.p:.3f}")
    value, least, most = report.implied(claim)
    p_least = Cell(value, least).p if least else 0.0
    p_most = Cell(value, most).p
    words = (
        f"printed {cell}; A + B = {value:+.3f}, its se between {least:.3f} and {most:.3f}, so "
        f"two-sided p between {p_least:.2g} and {p_most:.2g}"
    )
    return Evidence(value, p_least, p_most, words)


def _association(report: Manuscript, claim: Claim) -> Verdict:
    found = _evidence(report, claim)
    return found.p_least < STATED and goes(found.value, claim["stated"]), found.words


def _no_association(report: Manuscript, claim: Claim) -> Verdict:
    found = _evidence(report, claim)
    return found.p_most >= DENIED, found.words


def _stronger(report: Manuscript, claim: Claim) -> Verdict:
    names = claim["contrast"].split(" > ")
    was = [report.cell(claim, name).estimate for name in names]
    now = [
        report.implied(claim)[0] if name == "C" else value
        for name, value in zip(names, was, strict=True)
    ]
    sign = -1 if claim["stated"] == "negative" else 1
    before = ", ".join(f"{n} {v:+.3f}" for n, v in zip(names, was, strict=True))
    after = ", ".join(f"{n} {v:+.3f}" for n, v in zip(names, now, strict=True))
    return sign * now[0] > sign * now[1], f"printed {before}; with C = A + B {after}"


def _how_many_differ(report: Manuscript, claim: Claim) -> Verdict:
    found = report.differences[report.differences.contrast == claim["contrast"]]
    two, one, fair = ((p < STATED).sum() for p in (found.p, found.p / 2, found.fair_p))
    return int(two) == int(claim["stated"]), (
        f"of {len(found)} differences {two} have a two-sided p below {STATED:.2f} by the printed "
        f"errors, {one} a one-sided; by errors that have the covariance of A and B {fair}, below "
        f"{DENIED:.2f} {(found.fair_p < DENIED).sum()}"
    )


def _fewer_differ(report: Manuscript, claim: Claim) -> Verdict:
    names, found = claim["contrast"].split(" < "), report.differences
    printed, fair = (
        [int((found[p][found.contrast == name] < STATED).sum()) for name in names]
        for p in ("p", "fair_p")
    )
    return fair[0] < fair[1], (
        f"two-sided p below {STATED:.2f} by the printed errors: {names[0]} {printed[0]}, "
        f"{names[1]} {printed[1]}; by errors that have the covariance of A and B: {fair[0]} and "
        f"{fair[1]}"
    )


def _example(report: Manuscript, claim: Claim) -> Verdict:
    strata = claim["stratum"].split(" - ")
    values = [report.cell({**claim, "stratum": name}).estimate for name in strata]
    stated = [float(number) for number in claim["stated"].split(" - ")]
    return values == stated, f"printed {' - '.join(map(figure, values))}"


def _categories(report: Manuscript, claim: Claim) -> Verdict:
    levels = {key[1] for key in report.cells if key[0] == claim["term"]}
    own = sorted({key[0] for key in report.cells} & set(claim["stated"].split("|")))
    return not own, (
        f"printed beside the reference: {', '.join(sorted(levels))}; a row of its own: "
        f"{', '.join(own) or 'none'}"
    )


def _how_many(report: Manuscript, claim: Claim) -> Verdict:
    named = claim["term"].split("|")
    return len(named) == int(claim["stated"]), f"it names {len(named)}: {', '.join(named)}"


Judge = Callable[[Manuscript, Claim], Verdict]
KINDS: dict[str, Judge] = {
    "association": _association,
    "no_association": _no_association,
    "stronger": _stronger,
    "how_many_differ": _how_many_differ,
    "fewer_differ": _fewer_differ,
    "example": _example,
    "categories": _categories,
    "how_many": _how_many,
}
# Statements that other checks use; footnote 3's formula is that of `strata_differences`
FACTS = {"meaning", "head", "coding", "legend", "difference", "formula"}


def prose(report: Manuscript) -> Iterator[Finding]:
    """Compare what the text says of the tables with the tables, C being A + B."""
    yield from judged(
        report,
        KINDS,
        section=_section,
        place=_claim_place,
        what="statements are not contradicted",
        facts=FACTS,
    )


def undecided(report: Manuscript) -> Iterator[Finding]:
    """Statements on C that its true standard error, which is not in print, would decide."""
    for kind, level in (("association", STATED), ("no_association", DENIED)):
        for claim in report.said(kind):
            found = _evidence(report, claim)
            stated = kind == "no_association" or goes(found.value, claim["stated"])
            if stated and found.p_least < level <= found.p_most:
                detail = f"{claim['quote']!r}: {found.words}"
                yield Finding(_claim_place(claim), True, f"cannot be decided, {detail}")


def _section(claim: Claim) -> str:
    name = claim["section"]
    return f"section {name}" if name[0].isdigit() else name


def _claim_place(claim: Claim) -> str:
    place = f"Table {claim['table']}" if claim["table"] else _section(claim)
    row = "" if "|" in claim["term"] else row_name(claim["term"], claim["level"])
    return ", ".join(filter(None, (place, row, claim["contrast"])))
