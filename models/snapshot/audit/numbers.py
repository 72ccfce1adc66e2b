"""The printed numbers by name, each with the least and the most that it can be."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import product

from bayesmig.audit import Print
from bayesmig.printed import EPS, Number


class Paper(Print):
    """The published files; numbers of ``quantities.csv`` and ``others.csv`` by name."""

    @cached_property
    def rows(self) -> dict[str, dict[str, str]]:
        """Rows of quantities and others by name; of a name with several rows, the last."""
        return {row["quantity"]: row for n in ("quantities", "others") for row in self.records(n)}

    def __call__(self, name: str, field: str = "estimate") -> Number:
        """Return a printed number; `KeyError` if the name, or the field for it, is not there."""
        text = self.rows[name][field]
        if not text:
            raise KeyError(f"{name} has no {field}")
        return Number.of(text)

    def value(self, name: str, field: str = "estimate") -> float:
        """Return a printed number as it stands."""
        return self(name, field).value


def spread(f: Callable[..., float], *numbers: Number) -> Number:
    """Return a function of printed numbers, and the least and most that it can be.

    The extremes are those of the corners: right for functions that are monotone in each
    number, as all here are.
    """
    corners = [f(*ends) for ends in product(*(number.ends for number in numbers))]
    return Number(f(*(number.value for number in numbers)), min(corners), max(corners))


def between(number: Number, digits: int = 2) -> str:
    """Write a number with the least and the most that it can be."""
    return f"{number.value:.{digits}f} ({number.low:.{digits}f} to {number.high:.{digits}f})"


OPERATIONS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def calculate(expression: str) -> Number:
    """Evaluate sums, differences, products and quotients of printed numbers.

    A number with a decimal point is known to half a unit of its last digit, the same number
    twice is the same quantity, and whole numbers are exact.
    """
    tree = ast.parse(expression, mode="eval").body
    names = {
        ast.unparse(node): node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    }

    def evaluate(node: ast.expr, values: Mapping[str, float]) -> float:
        if isinstance(node, ast.BinOp):
            left, right = evaluate(node.left, values), evaluate(node.right, values)
            return OPERATIONS[type(node.op)](left, right)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return values.get(ast.unparse(node), node.value)
        raise ValueError(f"{expression!r}: not a sum, difference, product or quotient of numbers")

    def whole(*values: float) -> float:
        return evaluate(tree, dict(zip(names, values, strict=True)))

    return spread(whole, *(Number.of(name) for name in names))


def agrees(value: float, stated: str) -> bool:
    """Whether a value rounds to what is stated."""
    low, high = Number.of(stated).ends
    return low - EPS <= value <= high + EPS


def words(name: str) -> str:
    """Write a quantity's name as words."""
    return name.replace("_", " ")


def section(row: Mapping[str, str]) -> str:
    """Return where in the paper a row of a file is printed."""
    return row["source"].partition(", ")[2]
