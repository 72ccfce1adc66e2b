"""Tables 3 and 4: rates by group, beside each other and beside the prose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

import numpy as np
import pandas as pd

from bayesmig.audit import Claim, Finding, Verdict
from bayesmig.linear import minimise
from bayesmig.models.transnationalism.audit.essay import FOURTH, TOTALS, Essay
from bayesmig.models.transnationalism.statements import MARGINS, Rate, listed, margin, pairs
from bayesmig.printed import EPS

FOURTH_TABLE = "Table 4"
READINGS = {  # of words that are no numbers: ours
    "near": "within a sixth of it",
    "approaching": "below it by a sixth at most",
    "times": "half a time less at most",
    "nearer": "nearer to the first of these two than to the second",
}


def _statement(essay: Essay, claim: Claim) -> Verdict:
    """A statement holds if its margin is not negative for some rates within rounding."""
    value = float(margin(claim, lambda g, m: essay.rates[g, m].value))
    shown = _figures(essay, claim)
    if value >= -EPS:
        return True, shown
    best = _best(essay, claim)
    if best >= -EPS:
        return True, f"{shown} (as rounded not, but the unrounded rates may)", True
    if claim["kind"] == "rounds" and all(_cut(essay.rates[at].value, claim) for at in pairs(claim)):
        return True, f"{shown}, rounded down", True
    return False, f"{shown}; rounding does not explain it"


def _cut(rate: float, claim: Claim) -> bool:
    """Whether what is stated is a rate without its decimals; nought is no rounding down."""
    return int(rate) == float(claim["stated"]) > 0


def _best(essay: Essay, claim: Claim) -> float:
    """The largest margin that rates within rounding have: at corners and middles."""
    asked = sorted(set(pairs(claim)))
    if claim["kind"] == "increase":  # all of one measure up and all of the other down is best
        first, _ = listed(claim["measure"])
        return float(margin(claim, lambda g, m: essay.rates[g, m].ends[m != first]))
    best = -np.inf
    for ends in product(*((n.low, n.value, n.high) for n in (essay.rates[at] for at in asked))):
        best = max(best, float(margin(claim, _with(essay, dict(zip(asked, ends, strict=True))))))
    return best


def _with(essay: Essay, others: Mapping[tuple[str, str], float]) -> Rate:
    """The printed rates, some of them in the place of what they round to."""
    return lambda group, measure: others.get((group, measure), essay.rates[group, measure].value)


def _figures(essay: Essay, claim: Claim) -> str:
    def shown(groups: str, measure: str) -> str:
        return ", ".join(f"{g} {essay.rates[g, measure].value:g}" for g in listed(groups))

    parts = [shown(claim["groups"], measure) for measure in listed(claim["measure"])]
    words = " against ".join(parts)
    if claim["reference"]:
        words += f"; {shown(claim['reference'], listed(claim['measure'])[0])}"
    read = READINGS.get(claim["kind"])
    return words + (f" (read as: {read})" if read else "")


def _wider(essay: Essay, claim: Claim) -> Verdict:
    """Differences between the second generation's groups: Table 4's beside Table 3's."""
    foreign = {r["group"] for r in essay.records("table3") if r["parentage"] == "foreign"}
    said, holds = [], True
    for ours, theirs in zip(listed(claim["measure"]), listed(claim["reference"]), strict=True):
        fourth = [essay.rates[g, ours].value for g in essay.groups(4)]
        third = [essay.rates[g, theirs].value for g in foreign]
        wide, narrow = max(fourth) - min(fourth), max(third) - min(third)
        holds &= wide > narrow
        said.append(f"{ours} {wide:.1f} points, {theirs} {narrow:.1f}")
    return holds, "; ".join(said)


KINDS = {**dict.fromkeys(MARGINS, _statement), "wider": _wider}


def totals(essay: Essay) -> Iterator[Finding]:
    """A total is a mean of its groups: it lies between them."""
    groups = essay.groups(4)
    for measure in FOURTH:
        total = essay.rates[TOTALS, measure]
        low = min(essay.rates[g, measure].low for g in groups)
        high = max(essay.rates[g, measure].high for g in groups)
        yield Finding(
            FOURTH_TABLE,
            low <= total.high and total.low <= high,
            f"{measure}: the total {total.value:g} is a mean of rates from {low + 0.05:.1f} to "
            f"{high - 0.05:.1f}; {_share(essay, (measure,))}",
        )


def other_total(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Return tables whose first total is beyond all groups."""
    table = tables["table4"]
    first = (table.group == TOTALS) & (table.measure == FOURTH[0])
    return {**tables, "table4": table.assign(estimate=table.estimate.where(~first, 60.0))}


def same_weights(essay: Essay) -> Iterator[Finding]:
    """Some shares of the groups make all three totals (each has a sample of its own)."""
    found = _share(essay, tuple(FOURTH))
    yield Finding(
        FOURTH_TABLE,
        not found.startswith("no shares"),
        f"the three totals with the same shares of the groups: {found}",
    )


def _share(essay: Essay, measures: tuple[str, ...]) -> str:
    """The least and the most that the first group's share can be, by linear programming."""
    groups = essay.groups(4)
    rows, bounds = [], []
    for measure in measures:
        total = essay.rates[TOTALS, measure]
        rows += [
            [essay.rates[g, measure].low for g in groups],
            [-essay.rates[g, measure].high for g in groups],
        ]
        bounds += [total.high, -total.low]
    ends = []
    for sign in (1, -1):
        cost = np.zeros(len(groups))
        cost[0] = sign
        solved = minimise(
            cost, below=rows, bounds=bounds, equal=np.ones((1, len(groups))), values=[1.0]
        )
        if solved is None:
            return "no shares give them"
        ends.append(sign * solved.cost)
    return f"{groups[0]} is {ends[0]:.0%} to {ends[1]:.0%} of those counted"


def both_sexes(essay: Essay) -> Iterator[Finding]:
    """If half of a group is male, its rate is the mean of the men's and a possible women's."""
    impossible = []
    for group in essay.groups(3):
        both, men = essay.rates[group, "dropout"], essay.rates[group, "dropout_males"]
        if 2 * both.high - men.low < 0:
            impossible.append(f"{group} {men.value:g} of men, {both.value:g} of both")
    yield Finding(
        "Table 3, note 1",
        not impossible,
        "if both columns on dropouts were on the same people, half of them men, "
        + (
            f"fewer than no women would have dropped out: {'; '.join(impossible)}.  By note 1 the "
            "second column holds the foreign born too: the two are not to be compared"
            if impossible
            else "the women's rates would be possible"
        ),
    )
