"""Stars of significance: what they say of a ratio of estimate to standard error."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from bayesmig.errors import DataError, unknown
from bayesmig.printed import multiplier

Reading = Literal["ten_percent", "nothing"]
LEGEND = {"": 1.0, "*": 0.05, "**": 0.01, "***": 0.001}  # p below; none: .05 or above
SIGN = "#"  # of Table 2, in no legend
VALID = (*LEGEND, SIGN)


def reading(stars: str, unexplained: Reading = "ten_percent") -> tuple[float, float]:
    """Return the least and the most of |estimate| / standard error that stars allow.

    Parameters
    ----------
    stars : str
        "", "*", "**", "***" (p of .05 or more, below .05, .01, .001; two-sided, normal) or
        "#", which no legend explains.
    unexplained : {"ten_percent", "nothing"}
        What "#" says: p between .05 and .10, as in many tables, or nothing at all.

    Examples
    --------
    >>> [round(bound, 3) for bound in reading("*")]
    [1.96, 2.576]
    """
    if stars == SIGN:
        return (_z(0.10), _z(0.05)) if unexplained == "ten_percent" else (0.0, float("inf"))
    return {
        "": (0.0, _z(0.05)),
        "*": (_z(0.05), _z(0.01)),
        "**": (_z(0.01), _z(0.001)),
        "***": (_z(0.001), float("inf")),
    }[stars]


def check(stars: Iterable[tuple[object, str]], where: str) -> None:
    """Raise `DataError` for the first (row, stars) that are none."""
    for row, sign in stars:
        if sign not in VALID:
            raise DataError(
                f"{where}: row {row}, column stars: "
                f"{unknown('stars', sign, [s or '(none)' for s in VALID])}"
            )


def _z(p: float) -> float:
    return multiplier(1 - p)
