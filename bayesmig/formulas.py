"""Formulas: what may be in one, looked at before formulaic evaluates any of it.

Formulaic evaluates the factors of a formula as Python.  A formula may come from a file that
somebody sent, so that only what is listed here gets that far: columns, operators, literals
and formulaic's own transforms.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig.errors import StudyError

if TYPE_CHECKING:
    import formulaic
    import pandas as pd

TRANSFORMS = (
    *("log", "log10", "log2", "exp", "exp10", "exp2"),
    *("bs", "cc", "cr", "cs", "poly", "hashed"),
    *("center", "scale", "standardize", "lag", "I", "C", "Q"),
    *("Treatment", "Poly", "Sum", "Helmert", "Diff"),
)
CONTRASTS = ("treatment", "sum", "helmert", "poly", "SAS", "diff")  # contr.treatment(...)
SIZED = ("bs", "cc", "cr", "cs", "poly", "hashed", "lag")  # make as many columns as asked for
LENGTH, DEPTH, TERMS, LEVELS = 5000, 20, 500, 1000
POWER, SIZE, NUMBER = 10, 1000, 1e15  # of exponents, of what `SIZED` make, of any number
TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<number>\d+(\.\d*)?|\.\d+)|(?P<name>[^\W\d][\w.]*)|(?P<quoted>`[^`]+`)"
    r"|(?P<operator>\*\*|%in%|[-+*/:^()])|(?P<python>\{)|(?P<other>.)",
    re.DOTALL,
)
QUOTED = re.compile(r"`[^`]*`")
BINDING: Mapping[str, int] = MappingProxyType(
    {"+": 1, "-": 1, "*": 2, "/": 2, "%in%": 2, ":": 3, "**": 4, "^": 4}
)
ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)


def parse(formula: str) -> formulaic.Formula:
    """Parse the right-hand side of a formula that is safe to evaluate.

    Parameters
    ----------
    formula : str
        As formulaic reads it: columns (in backticks where their names are no words),
        ``+ - * / : ** ^ ( )``, numbers, `TRANSFORMS`, ``contr`` with one of `CONTRASTS`, and
        ``{arithmetic}``.

    Raises
    ------
    StudyError
        Naming what is not allowed, and what is.

    Examples
    --------
    >>> list(map(str, parse("age + I(age ** 2)")))
    ['1', 'age', 'I(age ** 2)']
    >>> parse("age.__class__('x')")
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: formula "age.__class__('x')": age.__class__ is no transform; \
valid: log, log10, log2, exp, exp10, exp2, bs, cc, cr, cs, poly, hashed, center, scale, \
standardize, lag, I, C, Q, Treatment, Poly, Sum, Helmert, Diff
    """
    import formulaic

    if not isinstance(formula, str):
        raise StudyError(f"formula: must be text, got {type(formula).__name__}")
    said = f"formula {formula[:200]!r}"
    try:
        _check_size(formula)
        _Terms(formula).check()
        parsed = formulaic.Formula(formula)
        if not isinstance(parsed, formulaic.formula.SimpleFormula):
            raise StudyError("give the right-hand side only")
        for term in parsed:  # once more, on what formulaic will evaluate
            for factor in term.factors:
                if factor.eval_method is factor.EvalMethod.PYTHON:
                    check_python(factor.expr)
    except StudyError as error:
        raise StudyError(f"{said}: {error}") from None
    except (formulaic.errors.FormulaicError, ValueError, RecursionError) as error:
        words = str(error).strip().split("\n")[0]
        raise StudyError(f"{said}: {words or type(error).__name__}") from None
    return parsed


def check_levels(parsed: formulaic.Formula, table: pd.DataFrame) -> None:
    """Refuse a formula that would make a column for each of very many levels.

    Raises
    ------
    StudyError
        Naming the column of the table.
    """
    crossed = [str(f.expr) for term in parsed for f in term.factors]
    for name in sorted(map(str, parsed.required_variables)):
        if name not in table:
            continue
        words = table[name].dtype.kind not in "iufb"
        as_levels = any(re.search(rf"\b(C|hashed)\(\s*`?{re.escape(name)}\b", e) for e in crossed)
        if words or as_levels:
            levels = table[name].nunique()
            if levels > LEVELS:
                raise StudyError(
                    f"column {name!r} has {levels} levels; a formula may have {LEVELS} of one "
                    "column: make groups of them first"
                )


def check_python(expression: str) -> None:
    """Refuse an expression of Python that is not arithmetic on columns and transforms.

    Raises
    ------
    StudyError
    """
    quoted = QUOTED.sub("column", expression)
    try:
        tree = ast.parse(quoted.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise StudyError(f"{expression[:100]!r} cannot be read") from None
    _check(tree.body, DEPTH)


class _Terms:
    """Counts the terms of a formula without expanding them, and checks its words."""

    def __init__(self, formula: str):
        self.formula = formula
        self.tokens = list(_tokens(formula))
        self.at = 0

    def check(self) -> None:
        if not self.tokens:
            raise StudyError("is empty")
        terms = self._sum(0, DEPTH)
        if self.at < len(self.tokens):
            raise StudyError(f"{self.tokens[self.at][1]!r} is not expected there")
        if terms > TERMS:
            raise StudyError(f"has {terms:.3g} terms, more than {TERMS}")

    def _peek(self) -> tuple[str, str]:
        return self.tokens[self.at] if self.at < len(self.tokens) else ("end", "the end")

    def _next(self) -> tuple[str, str]:
        found = self._peek()
        self.at += 1
        return found

    def _sum(self, binding: int, depth: int) -> float:
        """Bound the number of terms of what binds tighter than ``binding``."""
        if depth < 0:
            raise StudyError(f"is nested more than {DEPTH} deep")
        count = self._atom(depth)
        while True:
            kind, operator = self._peek()
            if kind != "operator" or BINDING.get(operator, -1) <= binding:
                return count
            self.at += 1
            if operator in ("**", "^"):
                count = self._power(count)
                continue
            right = self._sum(BINDING[operator], depth - 1)
            many = {"+": count + right, "-": count, ":": count * right, "%in%": count * right}
            count = min(many.get(operator, count + right + count * right), 1e12)

    def _power(self, count: float) -> float:
        kind, word = self._next()
        if kind != "number" or not word.isdigit() or not 1 <= int(word[:9]) <= POWER:
            raise StudyError(f"a power must be a whole number from 1 to {POWER}, got {word!r}")
        return min((1 + count) ** int(word), 1e12)

    def _atom(self, depth: int) -> float:
        kind, word = self._next()
        while kind == "operator" and word in "+-":
            kind, word = self._next()
        if kind == "operator" and word == "(":
            count = self._sum(0, depth - 1)
            if self._next()[1] != ")":
                raise StudyError("has a bracket that is not closed")
            return count
        if kind in ("number", "name", "quoted", "python"):
            return 1
        raise StudyError(f"{word!r} is not expected there")


def _check_size(formula: str) -> None:
    if len(formula) > LENGTH:
        raise StudyError(f"has {len(formula)} characters, more than {LENGTH}")
    depth = 0
    for character in formula:
        depth += (character in "([{") - (character in ")]}")
        if depth > DEPTH:
            raise StudyError(f"is nested more than {DEPTH} deep")


def _tokens(formula: str) -> Iterator[tuple[str, str]]:
    """Yield kind and text of a formula's words; expressions of Python are checked and whole."""
    at = 1 if formula.startswith("~") else 0
    while at < len(formula):
        match = TOKEN.match(formula, at)
        assert match is not None  # "other" takes any character
        kind, word = str(match.lastgroup), match.group()
        at = match.end()
        if kind == "space":
            continue
        if kind == "other":
            raise StudyError(
                f"{word!r} is not allowed; a formula has columns, numbers, + - * / : ** ^ ( ) "
                f"and {', '.join(TRANSFORMS)}"
            )
        called = kind == "name" and formula[at : at + 1] == "("
        if called or kind == "python":
            begin, at = match.start(), _closed(formula, at - (kind == "python"))
            word = formula[begin:at]
            check_python(word[1:-1] if kind == "python" else word)
            kind = "python"
        elif kind == "name":
            _check_name(word)
        yield kind, word


def _closed(formula: str, at: int) -> int:
    """Return where the bracket that opens at a place is closed."""
    closing = {"(": ")", "[": "]", "{": "}"}
    open_, quote = [], ""
    while at < len(formula):
        character = formula[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "\"'`":
            quote = character
        elif character in closing:
            open_.append(closing[character])
        elif open_ and character == open_[-1]:
            open_.pop()
            if not open_:
                return at + 1
        at += 1
    raise StudyError("has a bracket or a quote that is not closed")


def _check(node: ast.AST, depth: int) -> None:
    """Refuse what is not on the list, at any depth."""
    if depth < 0:
        raise StudyError(f"is nested more than {DEPTH} deep")
    if isinstance(node, ast.Name):
        _check_name(node.id)
    elif isinstance(node, ast.Constant):
        _check_literal(node.value)
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
        _check(node.operand, depth - 1)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ARITHMETIC):
        _check_arithmetic(node)
        _check(node.left, depth - 1)
        _check(node.right, depth - 1)
    elif isinstance(node, ast.Call):
        _check_call(node, depth)
    elif isinstance(node, ast.List | ast.Tuple):
        for element in node.elts:
            _check(element, depth - 1)
    else:
        raise StudyError(f"{ast.unparse(node)[:100]!r} is not allowed in a formula")


def _check_name(name: str) -> None:
    if name.startswith("_") or "__" in name:
        raise StudyError(f"{name!r} is not allowed: put a column of that name in backticks")


def _check_literal(value: object) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str) and len(value) <= LENGTH:
        return
    if isinstance(value, int | float) and np.isfinite(value) and abs(value) <= NUMBER:
        return
    raise StudyError(f"{str(value)[:50]!r} is no number or text that a formula may have")


def _check_arithmetic(node: ast.BinOp) -> None:
    for side in (node.left, node.right):
        if isinstance(side, ast.Constant) and not isinstance(side.value, int | float):
            raise StudyError(f"{ast.unparse(node)[:100]!r}: no arithmetic on text")
        if isinstance(side, ast.List | ast.Tuple):
            raise StudyError(f"{ast.unparse(node)[:100]!r}: no arithmetic on lists")
    if isinstance(node.op, ast.Pow):
        power = node.right.operand if isinstance(node.right, ast.UnaryOp) else node.right
        number = power.value if isinstance(power, ast.Constant) else None
        of_column = any(isinstance(part, ast.Name) for part in ast.walk(node.left))
        if not isinstance(number, int | float) or abs(number) > POWER or not of_column:
            raise StudyError(
                f"{ast.unparse(node)[:100]!r}: a power is of a column, by a number up to {POWER}"
            )


def _check_call(node: ast.Call, depth: int) -> None:
    name = ast.unparse(node.func)[:100]
    called = isinstance(node.func, ast.Name) and name in TRANSFORMS
    contrast = (
        isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "contr"
        and node.func.attr in CONTRASTS
    )
    if not called and not contrast:
        raise StudyError(f"{name} is no transform; valid: {', '.join(TRANSFORMS)}")
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg.startswith("_"):
            raise StudyError(f"{ast.unparse(node)[:100]!r}: {keyword.arg or '**'} is not allowed")
    arguments: list[Any] = [*node.args, *(keyword.value for keyword in node.keywords)]
    for argument in arguments:
        _check(argument, depth - 1)
    if name in SIZED:
        for argument in arguments[1:]:
            number = argument.value if isinstance(argument, ast.Constant) else 0
            large = isinstance(number, int | float) and abs(number) > SIZE
            if large or isinstance(argument, ast.BinOp):
                raise StudyError(
                    f"{ast.unparse(node)[:100]!r}: {ast.unparse(argument)} must be a number up "
                    f"to {SIZE}"
                )
