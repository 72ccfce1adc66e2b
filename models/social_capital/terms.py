"""From a formula and people to columns of numbers, labelled as people write them."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig import formulas
from bayesmig.errors import DataError, StudyError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

QUOTED = re.compile(r"`([^`]+)`")
OFFSET = re.compile(r"\boffset\s*\(")
SPLINE = re.compile(r"\b(bs|cc|cr|cs)\s*\(")


def parsed(formula: str) -> Any:
    """Return formulaic's reading of the right-hand side of a formula that is safe to evaluate.

    Raises
    ------
    StudyError
        Naming the formula, and what to do.
    """
    if not isinstance(formula, str):
        raise StudyError(f"formula: must be text, got {type(formula).__name__}")
    where = f"formula {formula!r}"
    plain = QUOTED.sub("_", formula)
    if "~" in plain:
        raise StudyError(f"{where}: give the right-hand side only, and the outcome as outcome=")
    if "|" in plain:
        raise StudyError(
            f"{where}: `|` has no place here; groups are named beside the formula, group='village'"
        )
    if "`1`" in formula:
        raise StudyError(f"{where}: a column called '1' is taken for the intercept; rename it")
    if "`.`" in formula:
        raise StudyError(f"{where}: a column called '.' is taken for all columns; rename it")
    if plain.strip() == ".":
        raise StudyError(f"{where}: name the columns, e.g. 'age + sex'")
    if OFFSET.search(plain):
        raise StudyError(
            f"{where}: offset() has no place among outcomes that are compared with each other; put "
            "the column into the formula, and its coefficient's prior near what it is known to be"
        )
    return formulas.parse(formula)


def variables(formula: Any, columns: Collection[str]) -> list[str]:
    """Names of the columns that a formula needs, sorted; those that are not there among them.

    Parameters
    ----------
    formula
        As `parsed` returns it.
    columns : collection of str
        Of the people: tells ``age.mean()`` from ``np.log(age)``.
    """
    return sorted({name for names in factors(formula, columns).values() for name in names})


def factors(formula: Any, columns: Collection[str]) -> dict[str, set[str]]:
    """Return the names of the columns that each factor of a formula needs, by its words."""
    found: dict[str, set[str]] = {}
    for factor in (factor for term in formula for factor in term.factors):
        kind = factor.eval_method.value
        if kind == "lookup":
            found[factor.expr] = {factor.expr}
        elif kind == "python":
            found[factor.expr] = _names(factor.expr, columns)
    return found


def matrix(people: pd.DataFrame, formula: str) -> tuple[Any, NDArray[np.float64]]:
    """Return formulaic's specification and the columns, without the constant.

    Parameters
    ----------
    people : DataFrame
        No value of the formula's columns is missing.
    formula : str

    Raises
    ------
    StudyError
        For what formulaic cannot make, a formula without the intercept.
    DataError
        For a column that is not finite, or of one level only.
    """
    import formulaic

    where = f"formula {formula!r}"
    right = parsed(formula)
    formulas.check_levels(right, people)
    try:
        made = formulaic.model_matrix(right, people, na_action="raise", output="pandas", context={})
    except (formulaic.errors.FormulaicError, ValueError, TypeError, AttributeError) as error:
        raise StudyError(f"{where}: {_first_line(error)}") from None
    if "Intercept" not in made.columns:
        raise StudyError(f"{where} takes the intercept away, which the graph needs")
    for factor, levels in levels_of(made.model_spec).items():
        if len(levels) < 2:  # formulaic makes no column of it, and says nothing
            raise DataError(
                f"column {factor!r} of the formula has one level only, {', '.join(levels)!r}, for "
                f"all {len(people)} rows: leave it out"
            )
    raw = made.drop(columns="Intercept").to_numpy(dtype=float)
    _check_finite(raw, list(made.columns.drop("Intercept")))
    return made.model_spec, raw


def of_others(people: pd.DataFrame, spec: Any) -> NDArray[np.float64]:
    """Columns of a specification for other people, levels checked against those that were seen."""
    import formulaic

    for factor, levels in levels_of(spec).items():
        if factor not in people:
            continue
        values = people[factor]
        unseen = ~values.astype(str).isin(levels)
        if unseen.any():
            raise DataError(
                f"{factor}: level {values[unseen].iloc[0]!r} in {int(unseen.sum())} rows was not "
                f"in the data of the fit; valid: {', '.join(levels)}"
            )
    with warnings.catch_warnings():  # a level that C(...) has not seen, which would become zeros
        warnings.simplefilter("error", formulaic.errors.DataMismatchWarning)
        try:
            made = spec.get_model_matrix(people, context={})
        except (formulaic.errors.FormulaicError, Warning, ValueError, TypeError) as error:
            words = _first_line(error).split(". ")[0]
            raise DataError(f"the fit's formula and these people: {words}") from None
    raw = made.drop(columns="Intercept").to_numpy(dtype=float)
    _check_finite(raw, list(made.columns.drop("Intercept")))
    return raw


def labels(spec: Any) -> tuple[str, ...]:
    """Label the columns but the constant: ``network: close x male``.

    Raises
    ------
    StudyError
        If two columns have the same label.
    """
    whole = _whole(spec)
    found = tuple(
        label(column, [factor.expr for factor in row.term.factors], whole)
        for row in spec.structure
        for column in row.columns
        if column != "Intercept"
    )
    twice = [name for i, name in enumerate(found) if name in found[:i]]
    if twice:
        raise StudyError(f"two columns of the formula are called {twice[0]!r}: rename one of them")
    return found


def label(column: str, factors: Sequence[str], whole: Collection[str] = ()) -> str:
    """Read formulaic's ``network[T.close]:male`` as ``network: close x male``.

    Parameters
    ----------
    column : str
    factors : sequence of str
        Of the column's term, in order: a level may hold any sign.
    whole : collection of str
        Those of them whose levels are whole numbers, written without decimals.

    Examples
    --------
    >>> label("age[T.(0, 10]]:male", ["age", "male"])
    'age: (0, 10] x male'
    """
    first, *rest = factors
    level = column.removeprefix(first)
    if rest and not (column.startswith(first) and level.startswith((":", "["))):
        return label(
            column, rest, whole
        )  # a column in which the first factor is taken up by others
    tail = ""
    if rest:
        following = "|".join(map(re.escape, rest))
        at = re.search(rf"(?:^|(?<=\])):(?:{following})", level)
        if at is not None:
            level, tail = level[: at.start()], " x " + label(level[at.start() + 1 :], rest, whole)
    level = level.removeprefix("[T.").removeprefix("[").removesuffix("]")
    level = level.removesuffix(".0") if first in whole else level
    return (f"{first}: {level}" if level else first) + tail


def levels_of(spec: Any) -> dict[str, list[str]]:
    """Levels of each category of a specification, by the words for it in the formula."""
    return {factor: [str(c) for c in levels] for factor, levels in _categories(spec).items()}


def level_labels(spec: Any) -> dict[str, dict[str, str]]:
    """Levels of each category of a specification by the labels that their columns would have."""
    whole = _whole(spec)
    return {
        factor: {label(f"{factor}[T.{level}]", [factor], whole): level for level in levels}
        for factor, levels in levels_of(spec).items()
    }


def _whole(spec: Any) -> set[str]:
    """Categories whose levels are whole numbers."""
    return {
        factor
        for factor, levels in _categories(spec).items()
        if all(not isinstance(level, str) and float(level).is_integer() for level in levels)
    }


def _categories(spec: Any) -> dict[str, list[Any]]:
    return {
        getattr(factor, "expr", str(factor)): list(state[1]["categories"])
        for factor, state in spec.encoder_state.items()
        if state[0].name == "CATEGORICAL"
    }


def _names(expression: str, columns: Collection[str]) -> set[str]:
    """Names in an expression of Python that are no functions, quoted ones among them."""
    from formulaic.transforms import TRANSFORMS

    found = set(QUOTED.findall(expression))
    tree = ast.parse(QUOTED.sub("0", expression), mode="eval")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    roots = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and id(node) not in called:
            module = id(node) in roots or node.id in TRANSFORMS
            if not module or node.id in columns:
                found.add(node.id)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Q":
            found |= {a.value for a in node.args if isinstance(a, ast.Constant)}
    return found


def _check_finite(raw: NDArray[np.float64], names: list[str]) -> None:
    bad = ~np.isfinite(raw)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"column {names[column]!r} of the formula is not finite in {bad.any(1).sum()} rows, "
            f"first in person {row}"
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
