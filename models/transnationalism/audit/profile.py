"""Table 1 and the figures on visas in the text."""

from __future__ import annotations

from collections.abc import Iterator

from bayesmig.audit import Claim, Finding, Verdict, held
from bayesmig.models.transnationalism.audit.essay import Essay
from bayesmig.models.transnationalism.statements import listed
from bayesmig.printed import EPS, Number

TABLE = "Table 1"
ALL = "All"
RENEWED = 0.5  # "approximately half" of 2003's permits, which a ceiling does not count


def shares(essay: Essay) -> Iterator[Finding]:
    """An industry's percent is its number over that of all."""
    rows = essay.records("table1")
    total = next(float(row["number"]) for row in rows if row["industry"] == ALL)
    agree = 0
    for row in rows:
        stated = Number.of(f"{float(row['percent']):.{int(float(row['decimals']))}f}")
        percent = 100 * float(row["number"]) / total
        if stated.low - EPS <= percent <= stated.high + EPS:
            agree += 1
        else:
            yield Finding(
                TABLE,
                False,
                f"{row['industry']}: {row['number']} of {total:.0f} is {percent:.2f} percent, "
                f"printed {row['percent']}",
            )
    yield from held(agree, len(rows), "percents follow from the numbers", TABLE)


def order(essay: Essay) -> Iterator[Finding]:
    """The industries are the top ones, from the largest down, and no more than all."""
    rows = [row for row in essay.records("table1") if row["industry"] != ALL]
    total = next(float(r["number"]) for r in essay.records("table1") if r["industry"] == ALL)
    numbers = [float(row["number"]) for row in rows]
    falling = numbers == sorted(numbers, reverse=True)
    whole = sum(numbers)
    yield Finding(
        TABLE,
        falling and whole <= total,
        f"the {len(rows)} industries, {'from the largest down' if falling else 'not in order'}, "
        f"are {whole:,.0f} of {total:,.0f}, {100 * whole / total:.1f} percent",
    )


def _number(essay: Essay, name: str) -> float:
    return float(essay.prose[name])


def _sum(essay: Essay, claim: Claim) -> Verdict:
    parts = [_number(essay, name) for name in listed(claim["reference"])]
    stated = _number(essay, claim["groups"])
    words = " + ".join(f"{part:g}" for part in parts)
    return sum(parts) == stated, f"{words} = {sum(parts):g}, said {stated:g}"


def _ceiling(essay: Essay, claim: Claim) -> Verdict:
    ceiling = _number(essay, claim["groups"])
    issued = float(essay.records("table1")[0]["number"])
    new = issued * (1 - RENEWED)
    return new <= ceiling, (
        f"Table 1 has {issued:,.0f} for the same year; if half of them were renewals, as of "
        f"2003's, {new:,.0f} were new"
    )


def _parts(essay: Essay, claim: Claim) -> Verdict:
    parts = [_number(essay, name) for name in listed(claim["groups"])]
    whole = _number(essay, claim["reference"])
    falling = parts == sorted(parts, reverse=True)
    return falling and sum(parts) <= whole, (
        f"{sum(parts):,.0f} of {whole:,.0f}, {100 * sum(parts) / whole:.1f} percent, "
        + ("from the largest down" if falling else "not in order")
    )


KINDS = {"sum": _sum, "ceiling": _ceiling, "parts": _parts}
