"""Table 2: coefficients, their stars, and the effects derived from them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from bayesmig.audit import Claim, Finding, Verdict, held
from bayesmig.models.transnationalism.audit.essay import Essay
from bayesmig.models.transnationalism.stars import LEGEND, VALID, reading
from bayesmig.models.transnationalism.statements import listed
from bayesmig.printed import EPS, Number

TABLE = "Table 2"
DUMMIES = (
    "male",
    "married",
    "high_school",
    "college",
    "professional",
    "us_citizen",
    "discrimination",
)
GRID = np.linspace(0, 1, 20_001)[1:-1]  # of base probabilities
MOST = 10  # times one dummy's standard error may be another's: then one in 400 has it, our reading


def percent_change(essay: Essay) -> Iterator[Finding]:
    """A percent change is 100 (exp b - 1) of a coefficient that rounds to the printed one."""
    found = {at: x for at, x in essay.derived.items() if at[0] == "political"}
    agree = 0
    for at, change in found.items():
        printed = essay.coefficients[at]
        low, high = (log(1 + end / 100) for end in change.ends)
        if low <= printed.high + EPS and high >= printed.low - EPS:
            agree += 1
            continue
        exact = log(1 + change.value / 100)
        unit = printed.high - printed.low
        cut = low < printed.value + unit - EPS and high >= printed.value - EPS
        reach = 100 * (exp(printed.high) - 1), 100 * (exp(printed.low) - 1)
        yield Finding(
            TABLE,
            cut,
            f"{_words(at)}: {change.value:g} percent needs a coefficient of {exact:.4f} "
            f"({low:.4f} to {high:.4f}); rounded to {printed.value:g} it gives "
            f"{reach[1]:.2f} to {reach[0]:.2f}; "
            + (
                f"rounded down to {printed.value:g} it agrees"
                if cut
                else "rounding down does not explain it either"
            ),
            rounding=cut,
        )
    yield from held(agree, len(found), "percent changes follow from the coefficients", TABLE)


def signs(essay: Essay) -> Iterator[Finding]:
    """A derived effect has its coefficient's sign."""
    agree = 0
    for at, effect in essay.derived.items():
        printed = essay.coefficients[at]
        if printed.value * effect.value > 0:
            agree += 1
        else:
            yield Finding(
                TABLE,
                False,
                f"{_words(at)}: coefficient {printed.value:+g}, derived effect "
                f"{effect.value:+g}: opposite signs",
            )
    yield from held(
        agree, len(essay.derived), "derived effects have their coefficient's sign", TABLE
    )


def base_probability(essay: Essay) -> Iterator[Finding]:
    """One probability at the start makes all changes of net probability agree."""
    found = {
        at: change
        for at, change in essay.derived.items()
        if at[0] == "economic" and change.value * essay.coefficients[at].value > 0
    }
    slope, step = (
        {at: _possible(essay.coefficients[at], change, how) for at, change in found.items()}
        for how in ("slope", "step")
    )
    for possible, words in ((slope, "b p (1 - p)"), (step, "the step from p to logit p + b")):
        common = GRID[np.logical_and.reduce(list(possible.values()))]
        if len(common):
            span = f"{common.min():.4f} to {common.max():.4f}"
            yield Finding(TABLE, True, f"{words}: a base probability of {span} fits all")
            continue
        clash = [
            f"{_words(a)} with {_words(b)}"
            for a, b in combinations(possible, 2)
            if not (possible[a] & possible[b]).any()
        ]
        most = max(
            (c for n in range(len(possible)) for c in combinations(possible, n)
             if np.logical_and.reduce([possible[at] for at in c] or [GRID > 0]).any()),
            key=len,
        )  # fmt: skip
        each = ", ".join(f"{at[1]} {_span(possible[at])}" for at in possible)
        yield Finding(
            TABLE,
            False,
            f"{words}: no base probability fits the {len(possible)} effects whose sign is right "
            f"({each}); {len(most)} at most agree; apart: {'; '.join(clash) or 'no two'}",
        )


def _possible(printed: Number, change: Number, how: str) -> NDArray[np.bool_]:
    """Base probabilities at which some coefficient within rounding gives the printed change."""
    ends = [_change(b, how) for b in printed.ends]
    low, high = np.minimum(*ends), np.maximum(*ends)
    return (low <= change.high + EPS) & (high >= change.low - EPS)


def _change(b: float, how: str) -> NDArray[np.float64]:
    if how == "slope":
        return b * GRID * (1 - GRID)
    return GRID * np.exp(b) / (1 - GRID + GRID * np.exp(b)) - GRID


def _span(possible: NDArray[np.bool_]) -> str:
    """The lower of the two spans of base probabilities (p and 1 - p do alike)."""
    there = GRID[possible & (GRID < 0.5)]
    return f"{there.min():.3f}-{there.max():.3f}" if len(there) else "none below one half"


def legend(essay: Essay) -> Iterator[Finding]:
    """Every sign of significance is one of the usual three."""
    signs_there = [stars for stars in essay.stars.values() if stars]
    unknown = [at for at, stars in essay.stars.items() if stars not in LEGEND]
    yield from held(
        len(signs_there) - len(unknown),
        len(signs_there),
        "signs of significance are *, ** or ***; the table has no legend, these are the usual ones",
        TABLE,
    )
    for at in unknown:
        yield Finding(TABLE, False, f"{_words(at)}: {essay.stars[at]!r} is explained by no legend")


def standard_errors(essay: Essay) -> Iterator[Finding]:
    """Standard errors that the stars imply for two dummies of one regression are of one order."""
    asked = failed = 0
    for outcome in dict.fromkeys(outcome for outcome, _ in essay.coefficients):
        there = [name for name in DUMMIES if (outcome, name) in essay.coefficients]
        for a, b in combinations(there, 2):
            asked += 1
            least, most = (_error(essay, (outcome, name)) for name in (a, b))
            if least[0] < most[0]:
                (a, b), (least, most) = (b, a), (most, least)
            ratio = least[0] / most[1] if np.isfinite(most[1]) else 0.0
            if ratio > MOST:
                failed += 1
                stars = {name: essay.stars[outcome, name] or "no star" for name in (a, b)}
                swapped = [
                    _bounds(essay.coefficients[outcome, x], essay.stars[outcome, y])
                    for x, y in ((a, b), (b, a))
                ]
                fits = (
                    swapped[0][0] <= MOST * swapped[1][1] and swapped[1][0] <= MOST * swapped[0][1]
                )
                yield Finding(
                    TABLE,
                    False,
                    f"{outcome}: {essay.coefficients[outcome, a].value:g} with {stars[a]} needs a "
                    f"standard error of {least[0]:.3f} or more for {a}, "
                    f"{essay.coefficients[outcome, b].value:g} with {stars[b]} one of "
                    f"{most[1]:.3f} or less for {b}: {ratio:.1f} times; two shares s of one sample "
                    f"have errors as 1/sqrt(s(1-s)), so one in {4 * ratio**2:.0f} at most is {a}"
                    + (" (with the stars exchanged there is no such contrast)" if fits else ""),
                )
    yield from held(
        asked - failed,
        asked,
        f"pairs of dummies have errors within {MOST} times of each other",
        TABLE,
    )


def _error(essay: Essay, at: tuple[str, str]) -> tuple[float, float]:
    return _bounds(essay.coefficients[at], essay.stars[at])


def _bounds(printed: Number, stars: str) -> tuple[float, float]:
    """The least and the most that a standard error can be, given stars."""
    low, high = reading(stars, "ten_percent") if stars in VALID else (0.0, np.inf)
    ends = sorted(abs(end) for end in printed.ends)
    return ends[0] / high if np.isfinite(high) else 0.0, ends[1] / low if low else np.inf


def digits(essay: Essay) -> Iterator[Finding]:
    """Rounding is a small part of a coefficient."""
    coarse = {
        at: (x.high - x.value) / abs(x.value)
        for at, x in essay.coefficients.items()
        if x.high - x.value > 0.1 * abs(x.value)
    }
    n = len(essay.coefficients)
    yield from held(n - len(coarse), n, "coefficients are rounded by less than a tenth", TABLE)
    for at, share in coarse.items():
        x = essay.coefficients[at]
        yield Finding(
            TABLE,
            False,
            f"{_words(at)}: {x.value:g} has one digit and may be {x.low:g} to {x.high:g}, "
            f"{share:.0%} off" + _turning(essay, at),
        )


def _turning(essay: Essay, at: tuple[str, str]) -> str:
    linear = essay.coefficients.get((at[0], at[1].removesuffix("_squared")))
    if not at[1].endswith("_squared") or linear is None:
        return ""
    ages = sorted(-a / (2 * b) for a in linear.ends for b in essay.coefficients[at].ends)
    return f"; the effect turns at an age between {ages[0]:.0f} and {ages[-1]:.0f}"


# Statements of the prose


def _percent(essay: Essay, claim: Claim) -> Verdict:
    change = essay.derived[claim["measure"], claim["groups"]]
    stated = Number.of(claim["stated"])
    holds = stated.low - EPS <= change.value <= stated.high + EPS
    cut = not holds and int(change.value) == int(stated.value)
    return holds or cut, f"{change.value:g} in the table{', rounded down' if cut else ''}", cut


def _positive_in_all(essay: Essay, claim: Claim) -> Verdict:
    """A predictor, or one of several that stand for it, is positive with a star everywhere."""
    said, holds = [], True
    for outcome in listed(claim["measure"]):
        there = [(outcome, name) for name in listed(claim["groups"])]
        there = [at for at in there if at in essay.coefficients]
        good = [at for at in there if essay.coefficients[at].value > 0 and essay.stars[at]]
        holds &= bool(good)
        shown = [f"{essay.coefficients[at].value:g}{essay.stars[at]}" for at in there]
        said.append(f"{outcome} {' and '.join(shown) or 'not in the regression'}")
    return holds, ", ".join(said)


def _omitted(essay: Essay, claim: Claim) -> Verdict:
    """Derived effects are printed for coefficients with a star, and for no others."""
    outcome = claim["measure"]
    starred = {at for at, stars in essay.stars.items() if at[0] == outcome and stars}
    shown = {at for at in essay.derived if at[0] == outcome}
    wrong = sorted(name for _, name in starred ^ shown)
    return not wrong, f"{len(shown)} printed, {len(starred)} starred" + (
        f"; not alike: {', '.join(wrong)}" if wrong else ""
    )


def _listed(essay: Essay, claim: Claim) -> Verdict:
    rows = [name for _, name in essay.coefficients if claim["groups"] in name]
    return bool(rows), f"{len(rows)} of Table 2's rows are such: it is another paper's Table 2"


KINDS = {
    "percent_change": _percent,
    "positive_in_all": _positive_in_all,
    "omitted": _omitted,
    "listed": _listed,
}


def _words(at: tuple[str, str]) -> str:
    return f"{at[0]}, {at[1].replace('_', ' ')}"
