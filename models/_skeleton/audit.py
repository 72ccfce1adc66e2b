"""What the printed numbers of the paper say of each other, and of the prose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property

from bayesmig.audit import Check, Claim, Finding, Print, Tables, Verdict, held, judged
from bayesmig.printed import EPS, Number, multiplier

from .printed import PROBABILITY

TABLE = "Table 1"
Row = dict[str, str]


class Paper(Print):
    """Table 1 and the claims."""

    @cached_property
    def rates(self) -> list[Row]:
        """Rows of Table 1."""
        return self.records("rates")

    def total(self, column: str) -> int:
        """Return the sum of a column of counts."""
        return sum(int(row[column]) for row in self.rates)


def paper(tables: Tables) -> Paper:
    """Return what the checks ask, from the files of ``published/``."""
    return Paper(tables)


def _allows(printed: str, value: float) -> bool:
    """Whether a value rounds to what is printed."""
    number = Number.of(printed)
    return number.low - EPS <= value <= number.high + EPS


def _each(paper: Paper, what: str, fault: Callable[[Row], str]) -> Iterator[Finding]:
    """Ask each row of Table 1 for its fault, in words; empty if it has none."""
    faults = {row["group"]: fault(row) for row in paper.rates}
    wrong = {group: said for group, said in faults.items() if said}
    yield from held(len(faults) - len(wrong), len(faults), what, TABLE)
    yield from (Finding(f"{TABLE}, {group}", False, said) for group, said in wrong.items())


def _share(row: Row) -> float:
    return int(row["returned"]) / int(row["people"])


def _rate(row: Row) -> str:
    share = 100 * _share(row)
    return "" if _allows(row["percent"], share) else f"{share:.2f} %, printed {row['percent']}"


def _interval(row: Row) -> str:
    """The normal interval about a binomial share."""
    share = _share(row)
    half = multiplier(PROBABILITY) * (share * (1 - share) / int(row["people"])) ** 0.5
    low, high = 100 * (share - half), 100 * (share + half)
    if _allows(row["ci_low"], low) and _allows(row["ci_high"], high):
        return ""
    return f"({low:.2f}, {high:.2f}), printed ({row['ci_low']}, {row['ci_high']})"


def _possible(row: Row) -> str:
    inside = float(row["ci_low"]) >= 0 and float(row["ci_high"]) <= 100
    return "" if inside else f"({row['ci_low']}, {row['ci_high']}) percent"


def _total(paper: Paper, claim: Claim) -> Verdict:
    people = paper.total("people")
    return people == int(claim["value"]), f"the groups have {people} people"


def _below(paper: Paper, claim: Claim) -> Verdict:
    share = 100 * paper.total("returned") / paper.total("people")
    return share < float(claim["value"]), f"{share:.1f} % of all returned"


def _highest(paper: Paper, claim: Claim) -> Verdict:
    first = max(paper.rates, key=lambda row: float(row["percent"]))
    return first["group"] == claim[
        "group"
    ], f"it is highest, {first['percent']} %, {first['group']}"


KINDS = {"total": _total, "below": _below, "highest": _highest}


def _claims(paper: Paper) -> Iterator[Finding]:
    """What the text says of the table."""
    yield from judged(
        paper,
        KINDS,
        section=lambda claim: f"p. {claim['page']}",
        place=lambda claim: f"p. {claim['page']}",
        what="statements hold",
    )


CHECKS = (
    Check("A rate is returned over people", lambda p: _each(p, "rates follow", _rate)),
    Check("An interval follows from its rate", lambda p: _each(p, "intervals follow", _interval)),
    Check("An interval holds shares only", lambda p: _each(p, "intervals can be", _possible)),
    Check("The text says what the table says", _claims),
)
