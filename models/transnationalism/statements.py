"""What the essay says of its groups' rates, as margins: a statement is true where its margin is.

A margin is a number made of rates that is zero or more where the statement is true.  The
audit evaluates it at the printed rates; the posterior of `second_generation`, at its draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce
from typing import Any

import numpy as np

from bayesmig.printed import Number

Claim = Mapping[str, str]  # a row of claims.csv
Rate = Callable[[str, str], Any]  # percent of a group and a measure: a number or an array
Margin = Callable[[Claim, Rate], Any]

NEAR = 1 / 6  # "close to", "approaching": within a sixth of what is stated, our reading
MULTIPLE = 0.5  # "quadruples": 3.5 times or more, our reading


def listed(field: str) -> list[str]:
    """Return the names in a field of claims.csv."""
    return field.split("|") if field else []


def pairs(claim: Claim) -> list[tuple[str, str]]:
    """Return the groups and measures whose rates a statement is made of."""
    groups = [*listed(claim["groups"]), *listed(claim["reference"])]
    return [(group, measure) for measure in listed(claim["measure"]) for group in groups]


def margin(claim: Claim, rate: Rate) -> Any:
    """Return the margin of a statement, percent or a ratio.

    Parameters
    ----------
    claim : mapping
        A row of claims.csv whose ``kind`` is one of `MARGINS`.
    rate : callable
        ``rate(group, measure)``, percent: a number, or an array of draws.
    """
    return MARGINS[claim["kind"]](claim, rate)


def _least(values: list[Any]) -> Any:
    return reduce(np.minimum, values)


def _rates(claim: Claim, rate: Rate, field: str = "groups") -> list[Any]:
    return [rate(group, claim["measure"]) for group in listed(claim[field])]


def _each(of: Callable[[Any, float], Any]) -> Margin:
    """The margin of the group that is nearest to making a statement on each group untrue."""
    return lambda claim, rate: _least([of(x, float(claim["stated"])) for x in _rates(claim, rate)])


def _ratio(less: float) -> Margin:
    def of(claim: Claim, rate: Rate) -> Any:
        ratios = [a / b for a in _rates(claim, rate) for b in _rates(claim, rate, "reference")]
        return _least(ratios) - (float(claim["stated"]) - less)

    return of


def _rounds(claim: Claim, rate: Rate) -> Any:
    stated = Number.of(claim["stated"])
    half = stated.high - stated.value
    return half - reduce(np.maximum, [abs(x - stated.value) for x in _rates(claim, rate)])


def _almost(claim: Claim, rate: Rate) -> Any:
    low = Number.of(claim["stated"]).low
    return _least([np.minimum(float(claim["stated"]) - x, x - low) for x in _rates(claim, rate)])


def _between(claim: Claim, rate: Rate) -> Any:
    low, high = map(float, listed(claim["stated"]))
    return _least([np.minimum(x - low, high - x) for x in _rates(claim, rate)])


def _increase(claim: Claim, rate: Rate) -> Any:
    first, second = listed(claim["measure"])
    return _least([rate(g, second) - rate(g, first) for g in listed(claim["groups"])])


def _nearer(claim: Claim, rate: Rate) -> Any:
    near, far = _rates(claim, rate, "reference")
    return _least([abs(x - far) - abs(x - near) for x in _rates(claim, rate)])


def _only_above(claim: Claim, rate: Rate) -> Any:
    (than,) = _rates(claim, rate, "reference")
    others = [g for g in OTHERS if g not in (claim["reference"], *listed(claim["groups"]))]
    below = [than - rate(group, claim["measure"]) for group in others]
    return _least([x - than for x in _rates(claim, rate)] + below)


OTHERS = (  # the groups of Table 3, among whom "only" looks
    "Mexican",
    "Guatemalan, Salvadoran",
    "Chinese",
    "Indian",
    "Korean",
    "Filipino",
    "Non-Hispanic Whites",
    "Non-Hispanic Blacks",
)
MARGINS: dict[str, Margin] = {
    "near": _each(lambda x, stated: NEAR * stated - abs(x - stated)),
    "approaching": _each(lambda x, stated: np.minimum(stated - x, x - (1 - NEAR) * stated)),
    "above": _each(lambda x, stated: x - stated),
    "below": _each(lambda x, stated: stated - x),
    "more_than_times": _ratio(0.0),
    "times": _ratio(MULTIPLE),
    "rounds": _rounds,
    "almost": _almost,
    "between": _between,
    "increase": _increase,
    "nearer": _nearer,
    "only_above": _only_above,
}
