"""Questions to a fit: what is expected of whom, and what a change of a covariate would change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import contract
from bayesmig.errors import DataError, StudyError, check_option, unknown
from bayesmig.study import load_study

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["expected", "drawn"]
Comparison = Literal["difference", "ratio"]
Change = tuple[Any, Any]
DRAWS = 200


def predict(
    fitted: xr.DataTree,
    new_data: pd.DataFrame | None = None,
    *,
    kind: Kind = "expected",
    group: str = "average",
    draws: int = DRAWS,
    seed: int = 1,
) -> xr.DataArray:
    """Return what a fit expects of people, or answers drawn for them, draw by draw.

    Parameters
    ----------
    fitted : DataTree
    new_data : DataFrame, optional
        One row per person with the formula's columns; the fit's own people by default.
    kind : {"expected", "drawn"}
        Expectations (probabilities of outcomes), or one outcome drawn for each draw.
    group : str
        "average": over the population of groups; "new": one group drawn from it for each
        draw; "own": each one's own, from the table's column of groups; or the label of a
        group of the fit.
    draws : int
        How many of the posterior's draws, evenly thinned.
    seed : int

    Returns
    -------
    DataArray (draw, person, ...)
        With ``units`` if expected.

    Raises
    ------
    DataError, StudyError
        For people who lack a column, values that the fit has not seen or beyond the range
        of a spline, an unknown group, a study that predicts nobody.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.predict(fit, people, group="new")  # doctest: +SKIP
    """
    part = _part(fitted)
    check_option("kind", kind, get_args(Kind))
    table = part.people(fitted)[0] if new_data is None else new_data
    _check_bounds(part.bounds(fitted), table)
    function = part.expected if kind == "expected" else part.drawn
    found: xr.DataArray = function(fitted, table, group=group, draws=draws, seed=seed)
    return found


def comparisons(
    fitted: xr.DataTree,
    contrast: str | Sequence[str] | Mapping[str, Sequence[Any]],
    conditional: str | Sequence[str] | Mapping[str, Any] | None = None,
    average_by: str | Sequence[str] | None = None,
    *,
    comparison: Comparison = "difference",
    group: str = "average",
    draws: int = DRAWS,
    seed: int = 1,
) -> xr.DataArray:
    """Return how expectations differ if a covariate were another, draw by draw.

    Parameters
    ----------
    fitted : DataTree
    contrast : str, sequence of str or mapping
        Covariates whose values are changed: yes-or-no columns from 0 to 1, categories from
        the first level to each other one, numbers up by one unit from where they are.  A
        mapping gives values: ``{"age": [30, 40]}``; of several each is compared with the
        first.
    conditional : str, sequence of str or mapping, optional
        Values of other covariates: a grid of people who are otherwise typical (means, and
        the commonest level).  Named without values: the levels of categories, 0 and 1, and
        mean and mean plus or minus one standard deviation of numbers.  By default the
        fit's own people, by what each counts, and their average.
    average_by : str or sequence of str, optional
        Of the fit's own people: averages within the levels of these covariates.
    comparison : {"difference", "ratio"}
        Of the second expectation to the first; averages are taken before it.
    group, draws, seed
        As for `predict`; a new group is the same before and after.

    Returns
    -------
    DataArray (draw, change, at, ...)
        ``change`` says "age: 30 to 40", ``at`` of whom ("everybody", "male=1, urban=0").

    Raises
    ------
    DataError, StudyError

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.comparisons(fit, "male", average_by="urban")  # doctest: +SKIP
    >>> bm.comparisons(fit, {"age": [20, 40]}, {"male": [0, 1]}, comparison="ratio")
    ... # doctest: +SKIP
    """
    part = _part(fitted)
    check_option("comparison", comparison, get_args(Comparison))
    own, weight = part.people(fitted)
    if conditional is None:
        table, number, at = own, weight, _labels_of(own, average_by)
    else:
        if average_by is not None:
            raise StudyError("average_by averages the fit's own people: not with conditional")
        table = grid(own, weight, conditional)
        at = _labels_of(table, _names(conditional))
        number = np.ones(len(table))
    bounds, found = part.bounds(fitted), {}
    for label, (before, after) in _changes(own, table, contrast).items():
        ends = []
        for people in (before, after):
            _check_bounds(bounds, people)
            chance = part.expected(fitted, people, group=group, draws=draws, seed=seed)
            ends.append(_averages(chance, at, number))
        found[label] = ends[1] - ends[0] if comparison == "difference" else ends[1] / ends[0]
    units = chance.attrs.get("units", "")
    whole = xr.concat(list(found.values()), pd.Index(list(found), name="change"))
    words = f"difference of {units}" if comparison == "difference" else f"ratio of {units}"
    return whole.transpose("draw", "change", "at", ...).assign_attrs(units=words).rename(comparison)


def grid(own: pd.DataFrame, weight: NDArray, conditional: Any) -> pd.DataFrame:
    """Return typical people, one for each combination of the values of some covariates.

    Parameters
    ----------
    own : DataFrame
        The people of whom they are typical: means, and the commonest levels.
    weight : ndarray
    conditional : str, sequence of str or mapping
        As for `comparisons`.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> own = pd.DataFrame({"age": [20.0, 40.0], "sex": pd.Categorical(["f", "m"])})
    >>> grid(own, np.ones(2), {"sex": ["f", "m"]})["age"].tolist()
    [30.0, 30.0]
    """
    given = conditional if isinstance(conditional, Mapping) else dict.fromkeys(_names(conditional))
    for name in given:
        if name not in own:
            raise StudyError(unknown("covariate", name, map(str, own.columns)))
    values = {
        name: _usual(own[name], weight)
        if given[name] is None
        else list(np.atleast_1d(np.asarray(given[name], dtype=object)))
        for name in given
    }
    rows = [
        dict(zip(values, combination, strict=True)) for combination in product(*values.values())
    ]
    typical = {name: _typical(own[name], weight) for name in own}
    found = pd.DataFrame([{**typical, **row} for row in rows])
    return pd.DataFrame({name: _as(own[name], found[name]) for name in own})


def _part(fitted: xr.DataTree) -> Any:
    study = load_study(fitted.attrs["study"])
    part = study.ability(contract.Predicts)
    if part is None:
        raise StudyError(f"study {study.name!r} predicts nobody: it has no prediction.py")
    return part


def _names(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _labels_of(table: pd.DataFrame, by: str | Sequence[str] | None) -> list[str]:
    """Say of each row which of the averages it belongs to."""
    if by is None:
        return ["everybody"] * len(table)
    names = _names(by)
    for name in names:
        if name not in table:
            raise StudyError(unknown("covariate", name, map(str, table.columns)))
    return [
        ", ".join(f"{name}={_word(value)}" for name, value in zip(names, row, strict=True))
        for row in table[names].itertuples(index=False)
    ]


def _averages(chance: xr.DataArray, at: Sequence[str], weight: NDArray) -> xr.DataArray:
    """Weighted means over the people of each label, in order of appearance."""
    labels = list(dict.fromkeys(at))
    share = np.zeros((len(labels), len(at)))
    share[[labels.index(label) for label in at], np.arange(len(at))] = weight
    share /= share.sum(1, keepdims=True)
    weights = xr.DataArray(share, {"at": labels}, ("at", "person"))
    found: xr.DataArray = xr.dot(chance, weights, dim="person")
    return found


def _changes(
    own: pd.DataFrame, table: pd.DataFrame, contrast: Any
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """People before and after each change."""
    found = {}
    for name in _names(contrast):
        if name not in own:
            raise StudyError(unknown("covariate", name, map(str, own.columns)))
        values = list(contrast[name]) if isinstance(contrast, Mapping) else _levels(own[name])
        if not values:
            after = table.assign(**{name: table[name] + 1})
            found[f"{name} + 1"] = (table, after)
            continue
        if len(values) < 2:
            raise StudyError(f"contrast {name!r}: two values or more, got {values!r}")
        first, *others = values
        for value in others:
            found[f"{name}: {_word(first)} to {_word(value)}"] = (
                table.assign(**{name: _as(own[name], [first] * len(table))}),
                table.assign(**{name: _as(own[name], [value] * len(table))}),
            )
    return found


def _levels(column: pd.Series) -> list[Any]:
    """Levels of a category, 0 and 1 of what is yes or no; none of numbers."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column)
        return [level for level in column.cat.categories if level in present]
    if set(column.unique()) <= {0, 1}:
        return [0.0, 1.0]
    return []


def _usual(column: pd.Series, weight: NDArray) -> list[Any]:
    levels = _levels(column)
    if levels:
        return levels
    mean = np.average(column, weights=weight)
    deviation = np.sqrt(np.average((column - mean) ** 2, weights=weight))
    return [mean - deviation, mean, mean + deviation]


def _typical(column: pd.Series, weight: NDArray) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return pd.Series(weight).groupby(column.to_numpy()).sum().idxmax()
    return float(np.average(column, weights=weight))


def _as(column: pd.Series, given: Any) -> Any:
    """Values in the type of a column; raise `DataError` for a level that it has not."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        return np.asarray(given, dtype=float)
    levels = list(column.cat.categories)
    words = [str(value) for value in given]
    for word in words:
        if word not in map(str, levels):
            raise DataError(f"{column.name}: {unknown('level', word, map(str, levels))}")
    return pd.Categorical(words, list(map(str, levels)))


def _check_bounds(bounds: Mapping[str, Change], table: pd.DataFrame) -> None:
    """Refuse values of which a spline knows nothing."""
    for name, (low, high) in bounds.items():
        if name not in table:
            continue
        beyond = (table[name] < low) | (table[name] > high)
        if beyond.any():
            raise DataError(
                f"{name}: {int(beyond.sum())} of {len(table)} values are beyond the fit's "
                f"{low:g} to {high:g}, first {table[name][beyond].iloc[0]:g}, and a spline says "
                f"nothing there; contrast={{{name!r}: [{low:g}, {high:g}]}} stays inside"
            )


def _word(value: Any) -> str:
    return f"{value:g}" if isinstance(value, Real) else str(value)
