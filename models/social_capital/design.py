"""From people to what the graph observes: columns of a formula, groups, counts of outcomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig import attrs
from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.social_capital import levels, people, terms, values
from bayesmig.models.social_capital.levels import Level, Slopes
from bayesmig.models.social_capital.paper import TERMS
from bayesmig.models.social_capital.people import Missing
from bayesmig.saving import data_of

DEFAULTS = {  # the names of the paper's own columns and outcome
    "group": "municipality",
    "outcome": "outcome",
    "reference": "no_aspirations",
}
MARGINAL = "intercept"  # the column that is one for everybody
FEW = 10  # labels: more of them, mostly numbers, are rather a number with signs for missing
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
        Group of each row (with several columns of groups the combination of them), and row
        of each person.
    groups : tuple of str
        Labels; with strata "stratum, group".
    levels : tuple of Level
        The columns of groups.
    slopes : Slopes
        What varies between groups beside the intercept.
    stratum : ndarray of int (group)
    strata : tuple of str
        Labels; one, "all", without strata.
    count : ndarray of int (row, outcome)
    weight : ndarray (row)
    chosen : ndarray of int (person)
        Outcome of each row of the data.
    people : ndarray (person)
        How many people each row of the data stands for.
    variables : tuple of str
        The data's columns that the formula names.
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
    levels: tuple[Level, ...]
    slopes: Slopes
    stratum: NDArray[np.int64]
    strata: tuple[str, ...]
    count: NDArray[np.int32]
    weight: NDArray[np.float64]
    chosen: NDArray[np.int64]
    people: NDArray[np.int64]
    variables: tuple[str, ...]
    spec: Any

    @property
    def plain(self) -> bool:
        """Whether there is one column of groups, between which intercepts alone vary."""
        return len(self.levels) == 1 and not self.slopes.columns

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Outcomes other than the reference."""
        return self.outcomes[1:]

    def columns_of(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Columns of the graph for other people; raise `DataError` for what it cannot make."""
        lacking = [name for name in self.variables if name not in table]
        if lacking:
            raise DataError(
                f"these people lack {', '.join(lacking)}, which the fit's formula needs"
            )
        gaps = table[list(self.variables)].isna()
        if gaps.to_numpy().any():
            each = ", ".join(f"{name} {n}" for name, n in gaps.sum().items() if n)
            raise DataError(
                f"{gaps.any(axis=1).sum()} of {len(table)} rows have missing values ({each})"
            )
        raw = terms.of_others(table, self.spec)
        return (raw - self.mean) @ self.to_terms


def design(
    data: xr.Dataset,
    *,
    formula: str | None = None,
    group: str | Sequence[str] = "municipality",
    varying: str | None = None,
    outcome: str = "outcome",
    reference: str = "no_aspirations",
    weights: str | None = None,
    counts: str | None = None,
    strata: str | None = None,
    missing: Missing = "raise",
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
    people.check_people(data)
    formula = paper_formula(data, strata) if formula is None else formula
    varies = levels.slopes(varying, names_of(group), strata)
    asked = asked_for(data, formula, group, outcome, weights, counts, strata)
    table = people.frame(people.used(data, asked, counts, missing, names_of(group)))
    spec, raw = terms.matrix(table, formula)
    names = terms.labels(spec)
    outcomes = _outcomes(table[outcome], reference)
    strata_labels = _labels(table[strata]) if strata else ("all",)
    of_stratum = _codes(table[strata], strata_labels) if strata else np.zeros(len(table), int)
    number = _counts(table[counts]) if counts else np.ones(len(table), dtype=np.int64)
    chosen = _codes(table[outcome], outcomes)
    _check_outcomes(chosen, number, of_stratum, outcomes, strata_labels)
    _check_columns(raw, names, number, of_stratum, strata_labels)
    mean, to_terms = _standardise(raw, number)
    groups, of_group, stratum, columns = _all_groups(
        table, names_of(group), of_stratum, strata_labels, number
    )
    slopes = Slopes()
    if varies is not None:
        _check_varying(varies[0], formula, list(table))
        wanted = terms.labels(terms.matrix(table, varies[0])[0])
        slopes = Slopes(varies[1], levels.columns(wanted, names, to_terms))
    weight = _weights(table[weights], number) if weights else np.ones(len(table))
    keys = np.column_stack([of_group, weight, raw])
    row_of = _same_rows(keys) if collapse else np.arange(len(table))
    first = np.unique(row_of, return_index=True)[1]
    count = np.zeros((len(first), len(outcomes)), dtype=np.int32)
    np.add.at(count, (row_of, chosen), number)
    return Design(
        outcomes,
        names,
        (raw[first] - mean) @ to_terms,
        mean,
        to_terms,
        of_group[first],
        row_of,
        groups,
        columns,
        slopes,
        stratum,
        strata_labels,
        count,
        weight[first],
        chosen,
        number,
        tuple(terms.variables(terms.parsed(formula), list(table))),
        spec,
    )


def asked_for(
    data: xr.Dataset,
    formula: str,
    group: str | Sequence[str],
    outcome: str,
    weights: str | None,
    counts: str | None,
    strata: str | None,
) -> list[str]:
    """Names of the columns that the options ask for, each of them there and fit for its use.

    Raises
    ------
    StudyError
        Naming the option, the column and what is there instead.
    """
    there = people.columns(data)
    unusable = attrs.unpack(data.attrs, "unusable", dict) if "unusable" in data.attrs else {}
    needed = terms.variables(terms.parsed(formula), list(there))
    others = {"weights": weights, "counts": counts, "strata": strata}
    asked = [(f"formula {formula!r}", name) for name in needed]
    asked += [("group", name) for name in names_of(group)] + [("outcome", outcome)]
    asked += [(option, name) for option, name in others.items() if name is not None]
    for option, name in asked:
        if name in unusable:
            raise StudyError(f"{option}: {unusable[name]}")
        if name not in there:
            words = unknown("column", name, there)
            if DEFAULTS.get(option) == name:
                words = f"say which column it is; there are {', '.join(there)}"
            raise StudyError(f"{option}: {words}")
    dates = [name for name in needed if values.is_date(there[name])]
    if dates:
        raise StudyError(
            f"formula {formula!r}: column {dates[0]!r} holds dates or times: make a number of it "
            "first (days since the first, say) or a category (its year as text)"
        )
    return [name for _, name in asked]


def names_of(group: str | Sequence[str]) -> list[str]:
    """Names of the columns of groups."""
    return [group] if isinstance(group, str) else list(group)


def doubts(data: xr.Dataset, formula: str, weights: str | None) -> Iterator[str]:
    """Say what columns that are asked for are perhaps not meant to be."""
    there = people.columns(data)
    for name in terms.variables(terms.parsed(formula), list(there)):
        column = values.decode(there[name])
        if not isinstance(column.dtype, pd.CategoricalDtype):
            continue
        labels = pd.Series(list(column.cat.categories), dtype=object)
        words = labels[pd.to_numeric(labels, errors="coerce").isna()]
        if len(labels) > FEW and 0 < len(words) < len(labels) / 2:
            more = f" and {len(words) - 1} more" if len(words) > 1 else ""
            yield (
                f"column {name!r} is mostly numbers, and labels because of {words.iloc[0]!r}{more}"
            )
    if weights is not None and there[weights].dtype.kind in "fiu":
        weight = there[weights].values
        if (weight % 1 == 0).all() and weight.max() > 1:
            yield (
                f"the weights {weights!r} are whole numbers: if they count people, "
                f"counts={weights!r} is as if rows were repeated; weights are scaled to mean one, "
                f"and {len(weight)} rows say as much as {len(weight)} people"
            )


def paper_formula(data: xr.Dataset, strata: str | None) -> str:
    """Return the paper's formula; without ties where everybody's are the same (Tables 2a-c)."""
    lacking = [name for name in TERMS if name not in people.columns(data)]
    if lacking and data.attrs.get("own_data"):
        raise DataError(
            "give formula=, the columns that explain the outcome ('age + sex', say, or '1'); there "
            f"are {', '.join(people.columns(data))}"
        )
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
    for factor, names in terms.level_labels(table.spec).items():
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


def _labels(column: pd.Series) -> tuple[str, ...]:
    """Labels that occur, in their own order where the column has one, else sorted."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column.dropna())
        return tuple(str(label) for label in column.cat.categories if label in present)
    return tuple(values.text_of(column.dropna().drop_duplicates().sort_values()))


def _codes(column: pd.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    return pd.Index(labels, dtype=object).get_indexer(values.text_of(column))


def _outcomes(column: pd.Series, reference: Any) -> tuple[str, ...]:
    labels, first = _labels(column), values.text(reference)
    if isinstance(column.dtype, pd.CategoricalDtype):
        labels = tuple(map(str, column.cat.categories))
    if first not in labels:
        words = unknown("outcome", reference, labels)
        if reference == DEFAULTS["reference"]:
            words = f"say with which outcome others are compared, one of {', '.join(labels)}"
        raise StudyError(f"reference: {words}")
    if len(labels) < 2:
        raise DataError(f"one outcome only, {labels[0]!r}: there is nothing to explain")
    return (first, *(label for label in labels if label != first))


def _check_outcomes(
    chosen: NDArray[np.int64],
    number: NDArray[np.int64],
    of_stratum: NDArray[np.int64],
    outcomes: Sequence[str],
    strata: Sequence[str],
) -> None:
    """Every outcome occurs, in every stratum."""
    for s, stratum in enumerate(strata):
        rows = of_stratum == s
        totals = np.zeros(len(outcomes), dtype=np.int64)
        np.add.at(totals, chosen[rows], number[rows])
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
    names: Sequence[str],
    number: NDArray[np.int64],
    of_stratum: NDArray[np.int64],
    strata: Sequence[str],
) -> None:
    """No column is constant, or a sum of others (within any stratum)."""
    for s, stratum in enumerate(strata):
        where = f" in stratum {stratum!r}" if len(strata) > 1 else ""
        block, many = raw[of_stratum == s], number[of_stratum == s].sum()
        for j, name in enumerate(names):
            if np.ptp(block[:, j]) == 0:
                level = ": " in name and block[0, j] == 0
                raise DataError(
                    f"column {name!r} of the formula is constant{where}, {block[0, j]:g} for all "
                    f"{many} people: leave it out of the formula"
                    + (", or nobody's level out of the column's categories" if level else "")
                )
        if many <= len(names):
            raise DataError(
                f"{many} people{where} are too few for the formula's {len(names)} columns"
            )
        scaled = (block - block.mean(0)) / block.std(0)
        triangle = np.linalg.qr(scaled, mode="r")
        size = np.abs(np.diag(triangle))
        flat = np.append(size < 1e-8 * np.sqrt(len(block)), np.full(len(names) - len(size), True))
        if flat.any():
            raise DataError(
                f"column {names[int(np.argmax(flat))]!r} of the formula follows from the columns "
                f"before it{where}: leave one of them out"
            )


def _standardise(
    raw: NDArray[np.float64], number: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means, and the matrix that turns centred columns into the graph's (and back for slopes).

    Columns of two values are only centred; others are divided by their standard deviation;
    a column that is the square of another becomes the square of what is standardised,
    (x - m)^2 / s^2 = (x^2 - 2 m x + m^2) / s^2, which is nearly orthogonal to it.
    """
    mean, deviation = raw.mean(0), raw.std(0)
    if (number != 1).any():
        mean = np.average(raw, axis=0, weights=number)
        deviation = np.sqrt(np.average((raw - mean) ** 2, axis=0, weights=number))
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
    column: pd.Series, of_stratum: NDArray[np.int64], strata: Sequence[str]
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64]]:
    """Label groups (within strata), number people's groups, and give each group's stratum."""
    own = _labels(column)
    code = of_stratum * len(own) + _codes(column, own)
    present, of_group = np.unique(code, return_inverse=True)
    stratum = present // len(own)
    labels = [
        own[c % len(own)] if len(strata) == 1 else f"{strata[c // len(own)]}, {own[c % len(own)]}"
        for c in present
    ]
    if len(labels) < 2:
        raise DataError(f"one group only, {labels[0]!r}: no spread between groups to estimate")
    return tuple(labels), of_group.astype(np.int64), stratum.astype(np.int64)


def _check_varying(varying: str, formula: str, there: Sequence[str]) -> None:
    """What varies is made of columns of the formula, which have been looked at already."""
    known = terms.variables(terms.parsed(formula), there)
    for name in terms.variables(terms.parsed(varying), there):
        if name not in known:
            raise StudyError(
                f"varying: {unknown('column of the formula', name, known)}; what varies has a "
                "mean, which the formula names"
            )


def _all_groups(
    table: pd.DataFrame,
    names: Sequence[str],
    of_stratum: NDArray[np.int64],
    strata: Sequence[str],
    number: NDArray[np.int64],
) -> tuple[tuple[str, ...], NDArray[np.int64], NDArray[np.int64], tuple[Level, ...]]:
    """As `_groups`, of several columns their combinations, and each column's own groups."""
    if len(names) == 1:
        groups, of_group, stratum = _groups(table[names[0]], of_stratum, strata)
        own = Level(names[0], groups, np.arange(len(groups)))
        return groups, of_group, stratum, (own,)
    each = [_groups(table[name], of_stratum, strata) for name in names]
    codes = np.column_stack([one[1] for one in each])
    found, cell = levels.combined(names, [one[0] for one in each], codes)
    levels.check(found, cell, number)
    parts = [[level.groups[g] for g in level.of_cell] for level in found]
    cells = tuple(", ".join(labels) for labels in zip(*parts, strict=True))
    return cells, cell, np.zeros(len(cells), dtype=np.int64), found


def _weights(column: pd.Series, number: NDArray[np.int64]) -> NDArray[np.float64]:
    weight = _numbers(column, "weights")
    bad = ~(np.isfinite(weight) & (weight > 0))
    if bad.any():
        raise DataError(
            f"weights {column.name!r}: {bad.sum()} are not positive, first {weight[bad][0]:g} "
            f"of person {int(np.argmax(bad))}"
        )
    return weight / np.average(weight, weights=number)


def _counts(column: pd.Series) -> NDArray[np.int64]:
    count = _numbers(column, "counts")
    bad = ~(np.isfinite(count) & (count >= 0) & (count % 1 == 0))
    if bad.any():
        raise DataError(
            f"counts {column.name!r}: {bad.sum()} are no whole numbers of people, first "
            f"{count[bad][0]:g} in row {int(np.argmax(bad))}; survey weights are weights="
        )
    return count.astype(np.int64)


def _numbers(column: pd.Series, option: str) -> NDArray[np.float64]:
    if column.dtype.kind not in "fiu":
        raise DataError(f"{option} {column.name!r} are not numbers")
    return column.to_numpy(dtype=float)


def _same_rows(keys: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number distinct rows by first appearance."""
    table = pd.DataFrame(keys)
    return table.groupby(list(table.columns), sort=False).ngroup().to_numpy(dtype=np.int64)


def of_fit(fitted: xr.DataTree) -> Design:
    """Arrange the people of a fit as its graph has them."""
    return design(data_of(fitted, "the design"), **options_of(fitted))


def options_of(fitted: xr.DataTree) -> dict[str, Any]:
    """Options of the design that a fit was made with."""
    options = attrs.unpack(fitted.attrs, "options", dict)
    names = "formula group varying outcome reference weights counts strata missing collapse".split()
    return {name: options[name] for name in names if name in options}  # a fit may be older
