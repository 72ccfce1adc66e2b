"""From people to what the graph observes: columns of a formula, groups, counts of outcomes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig import attrs
from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.paper import TERMS

MARGINAL = "intercept"  # the column that is one for everybody
SEPARATION = 1e-9  # a level so rare that an outcome does not occur at all


@dataclass(frozen=True, eq=False)
class Design:
    """What the graph observes, and how its columns follow from the formula's.

    Attributes
    ----------
    outcomes : tuple of str
        The reference first.
    terms : tuple of str
        Columns of the formula, e.g. "male" or "network: close", on the data's scale.
    column : ndarray (row, term)
        Columns of the graph: centred, continuous ones in standard deviations, the square
        of a column as the square of what is standardised.
    mean : ndarray (term)
        Means of the formula's columns.
    to_terms : ndarray (term, term)
        Coefficients of the formula's columns are this times those of the graph's.
    group, row_of : ndarray of int (row), (person)
        Group of each row, and row of each person.
    groups : tuple of str
        Labels; with strata "stratum, group".
    stratum : ndarray of int (group)
    strata : tuple of str
        Labels; one, "all", without strata.
    count : ndarray of int (row, outcome)
    weight : ndarray (row)
    spec : object
        Formulaic's specification of the columns, which makes those of other people.
    """

    outcomes: tuple[str, ...]
    terms: tuple[str, ...]
    column: NDArray[np.float64]
    mean: NDArray[np.float64]
    to_terms: NDArray[np.float64]
    group: NDArray[np.int64]
    row_of: NDArray[np.int64]
    groups: tuple[str, ...]
    stratum: NDArray[np.int64]
    strata: tuple[str, ...]
    count: NDArray[np.int32]
    weight: NDArray[np.float64]
    spec: Any

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Outcomes other than the reference."""
        return self.outcomes[1:]

    def columns_of(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Columns of the graph for other people; raise `DataError` for what it cannot make."""
        raw = _raw_columns(table, self.spec)
        return (raw - self.mean) @ self.to_terms


def design(
    data: xr.Dataset,
    *,
    formula: str | None = None,
    group: str = "municipality",
    outcome: str = "outcome",
    reference: str = "no_aspirations",
    weights: str | None = None,
    strata: str | None = None,
    collapse: bool = True,
) -> Design:
    """Arrange people for the graph; the options are those of `graph.build`.

    Raises
    ------
    DataError
        For a missing value, a constant or collinear column, an outcome that does not occur
        (in a stratum), a weight that is not positive.
    StudyError
        For a formula, column or reference that the data do not have.
    """
    table = people.frame(data)
    for option, name in (("group", group), ("outcome", outcome)):
        _check_column(table, option, name)
    for option, maybe in (("weights", weights), ("strata", strata)):
        if maybe is not None:
            _check_column(table, option, maybe)
    formula = paper_formula(data, strata) if formula is None else formula
    spec, raw = _matrix(table, formula)
    _check_missing(table, [group, outcome, *(c for c in (weights, strata) if c)])
    terms = tuple(_label(name) for name in spec.column_names if name != "Intercept")
    outcomes = _outcomes(table[outcome], reference)
    strata_labels = _labels(table[strata]) if strata else ("all",)
    of_stratum = _codes(table[strata], strata_labels) if strata else np.zeros(len(table), int)
    chosen = _codes(table[outcome], outcomes)
    _check_outcomes(chosen, of_stratum, outcomes, strata_labels)
    _check_columns(raw, terms, of_stratum, strata_labels)
    mean, to_terms = _standardise(raw)
    groups, of_group, stratum = _groups(table[group], of_stratum, strata_labels)
    weight = _weights(table[weights]) if weights else np.ones(len(table))
    keys = np.column_stack([of_group, weight, raw])
    row_of = _same_rows(keys) if collapse else np.arange(len(table))
    first = np.unique(row_of, return_index=True)[1]
    count = np.zeros((len(first), len(outcomes)), dtype=np.int32)
    np.add.at(count, (row_of, chosen), 1)
    return Design(
        outcomes,
        terms,
        (raw[first] - mean) @ to_terms,
        mean,
        to_terms,
        of_group[first],
        row_of,
        groups,
        stratum,
        strata_labels,
        count,
        weight[first],
        spec,
    )


def paper_formula(data: xr.Dataset, strata: str | None) -> str:
    """Return the paper's formula; without ties where everybody's are the same (Tables 2a-c)."""
    lacking = [n for n in TERMS if n not in data and n != "age_squared"]
    if lacking:
        raise DataError(
            f"the paper's formula needs the columns {', '.join(lacking)}, which these data lack; "
            "give formula="
        )
    within = strata == "network" or data.attrs.get("stratum", "all") != "all"
    return " + ".join(term for term in TERMS if not (within and term == "network"))


def single_groups(table: Design) -> list[str]:
    """Labels of the groups with one person."""
    people_of = np.bincount(table.group, weights=table.count.sum(1), minlength=len(table.groups))
    return [table.groups[g] for g in np.flatnonzero(people_of == 1)]


def separated(table: Design) -> list[str]:
    """Name the levels of the formula in which some outcome does not occur, or always does.

    Their coefficients have no maximum-likelihood estimate; the prior keeps them finite.
    """
    found = []
    for label, has_level in _levels(table):
        for s, stratum in enumerate(table.strata):
            rows = table.stratum[table.group] == s
            totals = table.count[rows & has_level].sum(0)
            where = f" in stratum {stratum!r}" if len(table.strata) > 1 else ""
            for k, outcome in enumerate(table.outcomes):
                if totals[k] == 0 and totals.sum() > 0 and table.count[rows][:, k].sum() > 0:
                    found.append(
                        f"{label}{where}: none of {totals.sum()} people has outcome {outcome!r}"
                    )
    return found


def _levels(table: Design) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Label each level of each 0/1 column, and of each category the reference; tell its rows."""
    raw = table.column @ np.linalg.inv(table.to_terms) + table.mean
    binary = [j for j in range(len(table.terms)) if np.all(np.isin(raw[:, j].round(9), (0, 1)))]
    for j in binary:
        for level in (1, 0):
            yield _level_name(table.terms[j], level), np.abs(raw[:, j] - level) < SEPARATION
    for factor, state in table.spec.encoder_state.items():
        names = {_label(f"{factor}[T.{c}]"): str(c) for c in state[1].get("categories", ())}
        own = [j for j in binary if table.terms[j] in names]
        reference = [level for name, level in names.items() if name not in table.terms]
        if len(own) > 1 and len(reference) == 1:  # of two levels the other one is said above
            yield f"{factor} = {reference[0]}", raw[:, own].sum(1) < SEPARATION


def _level_name(term: str, level: int) -> str:
    """Name a level: "urban = 0"; "network = close", or all "network other than close"."""
    name, of_category, category = term.partition(": ")
    if not of_category:
        return f"{term} = {level}"
    return f"{name} = {category}" if level else f"{name} other than {category}"


def _check_column(table: pd.DataFrame, option: str, name: str) -> None:
    if name not in table:
        raise StudyError(f"{option}: {unknown('column', name, map(str, table.columns))}")


def _matrix(table: pd.DataFrame, formula: str) -> tuple[Any, NDArray[np.float64]]:
    """Return formulaic's specification and the columns, without the constant."""
    import formulaic

    try:
        parsed = formulaic.Formula(formula)
        if not isinstance(parsed, formulaic.formula.SimpleFormula):
            raise StudyError(f"formula {formula!r}: give the right-hand side only")
        used = sorted(parsed.required_variables)
    except formulaic.errors.FormulaicError as error:
        raise StudyError(f"formula {formula!r}: {_first_line(error)}") from None
    for name in used:
        if name not in table:
            raise StudyError(
                f"formula {formula!r}: {unknown('column', name, map(str, table.columns))}"
            )
    _check_missing(table, used)
    try:
        matrix = formulaic.model_matrix(
            parsed, table, na_action="raise", output="pandas", context={}
        )
    except (formulaic.errors.FormulaicError, ValueError, TypeError) as error:
        raise StudyError(f"formula {formula!r}: {_first_line(error)}") from None
    spec = matrix.model_spec
    if "Intercept" not in matrix.columns:
        raise StudyError(f"formula {formula!r} takes the intercept away, which the graph needs")
    if matrix.shape[1] == 1:
        raise StudyError(f"formula {formula!r} has no column but the intercept")
    raw = matrix.drop(columns="Intercept").to_numpy(dtype=float)
    _check_finite(raw, list(matrix.columns.drop("Intercept")))
    return spec, raw


def _raw_columns(table: pd.DataFrame, spec: Any) -> NDArray[np.float64]:
    """Columns of the formula for other people, levels checked against those that were seen."""
    import formulaic

    lacking = sorted(name for name in spec.required_variables if name not in table)
    if lacking:
        raise DataError(f"these people lack {', '.join(lacking)}, which the fit's formula needs")
    _check_missing(table, sorted(spec.required_variables))
    for factor, state in spec.encoder_state.items():
        kind, known = state
        if kind.name != "CATEGORICAL" or str(factor) not in table:
            continue
        levels = [str(level) for level in known["categories"]]
        values = table[str(factor)]
        unseen = ~values.astype(str).isin(levels)
        if unseen.any():
            raise DataError(
                f"{factor}: level {values[unseen].iloc[0]!r} in {int(unseen.sum())} rows was not "
                f"in the data of the fit; valid: {', '.join(levels)}"
            )
    with warnings.catch_warnings():  # a level that C(...) has not seen, which would become zeros
        warnings.simplefilter("error", formulaic.errors.DataMismatchWarning)
        try:
            matrix = spec.get_model_matrix(table, context={})
        except (formulaic.errors.FormulaicError, Warning, ValueError, TypeError) as error:
            words = _first_line(error).split(". ")[0]
            raise DataError(f"the fit's formula and these people: {words}") from None
    raw = matrix.drop(columns="Intercept").to_numpy(dtype=float)
    _check_finite(raw, list(matrix.columns.drop("Intercept")))
    return raw


def _check_missing(table: pd.DataFrame, columns: Sequence[str]) -> None:
    missing = table[list(dict.fromkeys(columns))].isna()
    if missing.to_numpy().any():
        rows = int(missing.any(axis=1).sum())
        each = ", ".join(f"{c} {n}" for c, n in missing.sum().items() if n)
        raise DataError(
            f"{rows} of {len(table)} rows have missing values ({each}); "
            "DataFrame.dropna leaves them out; study.read(path, missing='casewise') does and "
            "counts them"
        )


def _check_finite(raw: NDArray[np.float64], names: list[str]) -> None:
    bad = ~np.isfinite(raw)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        raise DataError(
            f"column {names[column]!r} of the formula is not finite in {bad.any(1).sum()} rows, "
            f"first in person {row}"
        )


def _labels(values: pd.Series) -> tuple[str, ...]:
    """Labels in their own order where the column has one, else sorted."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.dropna())
        return tuple(str(label) for label in values.cat.categories if label in present)
    return tuple(people.text_of(values.dropna().drop_duplicates().sort_values()))


def _codes(values: pd.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    return pd.Categorical(people.text_of(values), categories=list(labels)).codes.astype(np.int64)


def _outcomes(values: pd.Series, reference: str) -> tuple[str, ...]:
    labels = _labels(values)
    if isinstance(values.dtype, pd.CategoricalDtype):
        labels = tuple(map(str, values.cat.categories))
    if str(reference) not in labels:
        raise StudyError(f"reference: {unknown('outcome', reference, labels)}")
    if len(labels) < 2:
        raise DataError(f"one outcome only, {labels[0]!r}: there is nothing to explain")
    return (str(reference), *(label for label in labels if label != str(reference)))


def _check_outcomes(
    chosen: NDArray[np.int64],
    of_stratum: NDArray[np.int64],
    outcomes: Sequence[str],
    strata: Sequence[str],
) -> None:
    """Every outcome occurs, in every stratum."""
    for s, stratum in enumerate(strata):
        totals = np.bincount(chosen[of_stratum == s], minlength=len(outcomes))
        for k, outcome in enumerate(outcomes):
            if totals[k] == 0:
                where = f" in stratum {stratum!r}" if len(strata) > 1 else ""
                raise DataError(
                    f"outcome {outcome!r} never occurs{where} ({totals.sum()} people): its "
                    "coefficients would be the prior's alone; leave the outcome out"
                    + (" or join strata" if where else "")
                )


def _check_columns(
    raw: NDArray[np.float64],
    terms: Sequence[str],
    of_stratum: NDArray[np.int64],
    strata: Sequence[str],
) -> None:
    """No column is constant, or a sum of others (within any stratum)."""
    for s, stratum in enumerate(strata):
        where = f" in stratum {stratum!r}" if len(strata) > 1 else ""
        block = raw[of_stratum == s]
        for j, term in enumerate(terms):
            if np.ptp(block[:, j]) == 0:
                level = ": " in term and block[0, j] == 0
                raise DataError(
                    f"column {term!r} of the formula is constant{where}, {block[0, j]:g} for all "
                    f"{len(block)} people: leave it out of the formula"
                    + (", or nobody's level out of the column's categories" if level else "")
                )
        if len(block) <= len(terms):
            raise DataError(
                f"{len(block)} people{where} are too few for the formula's {len(terms)} columns"
            )
        scaled = (block - block.mean(0)) / block.std(0)
        _, triangle = np.linalg.qr(scaled)
        flat = np.abs(np.diag(triangle)) < 1e-8 * np.sqrt(len(block))
        if flat.any():
            raise DataError(
                f"column {terms[int(np.argmax(flat))]!r} of the formula follows from the columns "
                f"before it{where}: leave one of them out"
            )


def _standardise(raw: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means, and the matrix that turns centred columns into the graph's (and back for slopes).

    Columns of two values are only centred; others are divided by their standard deviation;
    a column that is the square of another becomes the square of what is standardised,
    (x - m)^2 / s^2 = (x^2 - 2 m x + m^2) / s^2, which is nearly orthogonal to it.
    """
    mean, deviation = raw.mean(0), raw.std(0)
    binary = np.array([len(np.unique(column)) == 2 for column in raw.T])
    scale = np.where(binary, 1.0, deviation)
    matrix = np.diag(1 / scale)
    for j in range(raw.shape[1]):
        for i in range(raw.shape[1]):
            if i != j and not binary[i] and np.allclose(raw[:, i] ** 2, raw[:, j], rtol=1e-9):
                matrix[:, j] = 0.0
                matrix[j, j], matrix[i, j] = 1 / scale[i] ** 2, -2 * mean[i] / scale[i] ** 2
    return mean, matrix


def _groups(
    values: pd.Series, of_stratum: NDArray[np.int64], strata: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Label groups (within strata), number people's groups, and give each group's stratum."""
    own = _labels(values)
    code = of_stratum * len(own) + _codes(values, own)
    present, of_group = np.unique(code, return_inverse=True)
    stratum = present // len(own)
    labels = [
        own[c % len(own)] if len(strata) == 1 else f"{strata[c // len(own)]}, {own[c % len(own)]}"
        for c in present
    ]
    if len(labels) < 2:
        raise DataError(f"one group only, {labels[0]!r}: no spread between groups to estimate")
    return tuple(labels), of_group.astype(np.int64), stratum.astype(np.int64)


def _weights(values: pd.Series) -> NDArray[np.float64]:
    try:
        weight = values.to_numpy(dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"weights {values.name!r} are not numbers") from None
    bad = ~(np.isfinite(weight) & (weight > 0))
    if bad.any():
        raise DataError(
            f"weights {values.name!r}: {bad.sum()} are not positive, first {weight[bad][0]:g} "
            f"of person {int(np.argmax(bad))}"
        )
    return weight / weight.mean()


def _same_rows(keys: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number distinct rows by first appearance."""
    table = pd.DataFrame(keys)
    return table.groupby(list(table.columns), sort=False).ngroup().to_numpy(dtype=np.int64)


def _label(name: str) -> str:
    """Read formulaic's ``network[T.close]:male`` as ``network: close x male``."""
    crossed = re.sub(r":(?![^\[(]*[\])])", " x ", name)  # not the colons inside of brackets
    return re.sub(r"\[(?:T\.)?([^\]]*)\]", r": \1", crossed)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def of_fit(fitted: xr.DataTree) -> Design:
    """Arrange the people of a fit as its graph has them."""
    return design(fitted["data"].to_dataset(), **options_of(fitted))


def options_of(fitted: xr.DataTree) -> dict[str, Any]:
    """Options of the design that a fit was made with."""
    options = attrs.unpack(fitted.attrs, "options", dict)
    names = ("formula", "group", "outcome", "reference", "weights", "strata", "collapse")
    return {name: options[name] for name in names}
