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
from bayesmig.readers import as_frame
from bayesmig.study import load_study

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["expected", "drawn"]
Comparison = Literal["difference", "ratio"]
DRAWS = 200
BLOCK = 20_000  # people at once


def predict(
    fitted: xr.DataTree,
    new_data: Any = None,
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
    DataArray (draw, person, outcome), or (draw, person) if drawn
        With ``units`` if expected.  Where a person has several outcomes at once, what is
        drawn has the dim ``outcome`` too.

    Raises
    ------
    DataError, StudyError
        For people who lack a column, values that the fit has not seen or beyond the range
        of a spline, an unknown group, a study that predicts nobody.

    Examples
    --------
    Rates of cells, or of cells that no table has; those of people take a table of people:

    >>> import bayesmig as bm
    >>> cells = {"origin": ["Mexican"] * 2, "sex": ["Male", "Female"]}
    >>> rates = bm.predict(fit, cells)
    >>> dict(rates.sel(outcome="emigration").sizes), rates.units
    ({'draw': 200, 'person': 2}, 'percent a year')
    """
    part = _part(fitted)
    check_option("kind", kind, get_args(Kind))
    _check_draws(draws)
    table = part.people(fitted)[0] if new_data is None else _frame(new_data)
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
        Covariates whose values are changed: answers from no to yes, categories from the
        first level to each other one, numbers up by one unit from where they are.  A
        mapping gives values: ``{"age": [30, 40]}``; of several each is compared with the
        first.  Only this column is changed, and what the formula makes of it.
    conditional : str, sequence of str or mapping, optional
        Values of other covariates: a grid of people who are otherwise typical (means, and
        the commonest level); ``{}`` is one typical person.  Named without values: the levels
        of categories, no and yes, and mean and mean plus or minus one standard deviation of
        numbers.  By default the fit's own people, by what each counts, and their average.
    average_by : str or sequence of str, optional
        Of the fit's own people: averages within the levels of these covariates.
    comparison : {"difference", "ratio"}
        Of the second expectation to the first; averages are taken before it.
    group, draws, seed
        As for `predict`; a new group is the same before and after.

    Returns
    -------
    DataArray (draw, change, at, outcome)
        ``change`` says "age: 30 to 40", ``at`` of whom ("everybody", "male=1, urban=0").

    Raises
    ------
    DataError, StudyError

    Examples
    --------
    >>> import bayesmig as bm
    >>> found = bm.comparisons(fit, "sex", average_by="origin", group="own")
    >>> found.sel(outcome="emigration")["change"].values.tolist()
    ['sex: Female to Male']
    """
    part = _part(fitted)
    check_option("comparison", comparison, get_args(Comparison))
    _check_draws(draws)
    own, weight = part.people(fitted)
    if conditional is None:
        names = [] if average_by is None else _names(average_by)
        table = own
    else:
        if average_by is not None:
            raise StudyError("average_by averages the fit's own people: not with conditional")
        names = _names(conditional)
        table = grid(own, weight, conditional)
        weight = np.ones(len(table))
    at, labels = _places(table, names)
    if conditional is not None and not names:
        labels = ["somebody typical"]
    fixed = [] if conditional is None else names
    bounds, found = part.bounds(fitted), {}
    for label, pair in _changes(own, table, contrast, fixed).items():
        ends = []
        for people in pair:
            _check_bounds(bounds, people)
            how = {"group": group, "draws": draws, "seed": seed}
            ends.append(_averages(part, fitted, people, at, labels, weight, how))
        found[label] = ends[1] - ends[0] if comparison == "difference" else ends[1] / ends[0]
        units = ends[0].attrs["units"]
    whole = xr.concat(list(found.values()), pd.Index(list(found), name="change"))
    words = f"difference of {units}" if comparison == "difference" else f"ratio of {units}"
    return whole.transpose("draw", "change", "at", ...).assign_attrs(units=words).rename(comparison)


def grid(own: pd.DataFrame, weight: NDArray[np.float64], conditional: Any) -> pd.DataFrame:
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
    _check_names(own, given)
    values = {}
    for name, asked in given.items():
        values[name] = _usual(own[name], weight) if asked is None else _list(asked)
        if not values[name]:
            raise StudyError(f"conditional {name!r}: no values")
    rows = list(product(*values.values()))
    found = {}
    for name in own:
        column = [_typical(own[name], weight)] * len(rows)
        if name in values:
            column = [row[list(values).index(name)] for row in rows]
        found[name] = _as(own[name], column)
    return pd.DataFrame(found)


def thinned(posterior: xr.Dataset, draws: int) -> xr.Dataset:
    """Return so many of a posterior's draws, evenly thinned, with dims (sample, ...).

    Parameters
    ----------
    posterior : Dataset
        Dims chain and draw, and others.
    draws : int
        All that there are, if there are fewer.

    Examples
    --------
    >>> dict(thinned(fit["posterior"].to_dataset(), 50)["intercept"].sizes)
    {'sample': 50, 'outcome': 5}
    """
    flat = posterior.stack(sample=("chain", "draw"), create_index=False)
    at = np.unique(np.linspace(0, flat.sizes["sample"] - 1, draws).round().astype(int))
    return flat.isel(sample=at).transpose("sample", ...)


def draw_labels(chance: xr.DataArray, dim: str, seed: int) -> xr.DataArray:
    """Return labels (draw, person) drawn with probabilities (draw, person, dim).

    Examples
    --------
    >>> fates = {"fate": ["stays", "goes"]}
    >>> chance = xr.DataArray([[[0.0, 1.0]]], fates, ("draw", "person", "fate"))
    >>> draw_labels(chance, "fate", seed=1).item()
    'goes'
    """
    ends = chance.transpose("draw", "person", dim).cumsum(dim).values
    rng = np.random.default_rng((seed, 1))
    at = (rng.random(ends.shape[:2])[..., None] > ends[..., :-1]).sum(-1)
    coords = {"draw": np.arange(len(ends))}
    return xr.DataArray(chance[dim].values[at], coords, ("draw", "person"), name=dim)


def levels(column: pd.Series) -> list[Any]:
    """Return the levels of a covariate that somebody has, no and yes; none of numbers.

    Numbers that are 0 or 1 are answers.

    Examples
    --------
    >>> import pandas as pd
    >>> levels(pd.Series([1.0, 0.0])), levels(pd.Series([1.5, 0.0]))
    ([0.0, 1.0], [])
    """
    if isinstance(column.dtype, pd.CategoricalDtype):
        present = set(column)
        return [level for level in column.cat.categories if level in present]
    if column.dtype.kind == "b":
        return [False, True]
    return [0.0, 1.0] if set(column.unique()) <= {0, 1} else []


def _part(fitted: xr.DataTree) -> Any:
    study = load_study(fitted.attrs["study"])
    part = study.ability(contract.Predicts)
    if part is None:
        raise StudyError(f"study {study.name!r} predicts nobody: it has no prediction.py")
    return part


def _frame(given: Any) -> pd.DataFrame:
    table = pd.DataFrame(given) if isinstance(given, Mapping) else as_frame(given)
    if table is None or table.empty:
        raise DataError(f"new_data must be a table of people, got {type(given).__name__}")
    return table


def _check_draws(draws: Any) -> None:
    if isinstance(draws, bool) or not isinstance(draws, int | np.integer) or draws < 1:
        raise StudyError(f"draws must be a whole number from 1 on, got {draws!r}")


def _names(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given)


def _list(given: Any) -> list[Any]:
    single = isinstance(given, str) or not isinstance(given, Sequence | np.ndarray | pd.Series)
    return [given] if single else list(given)


def _check_names(own: pd.DataFrame, names: Any) -> None:
    for name in names:
        if name not in own:
            raise StudyError(unknown("covariate", name, map(str, own.columns)))


def _places(table: pd.DataFrame, names: Sequence[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Number the combinations of some covariates by first appearance, and label them."""
    if not names:
        return np.zeros(len(table), dtype=np.int64), ["everybody"]
    _check_names(table, names)
    rows = list(table[list(names)].itertuples(index=False, name=None))
    each = list(dict.fromkeys(rows))
    number = {row: i for i, row in enumerate(each)}

    def labels(written: Any) -> list[str]:
        return [
            ", ".join(f"{n}={written(v)}" for n, v in zip(names, row, strict=True)) for row in each
        ]

    short = labels(word)
    return np.array([number[row] for row in rows]), (
        short if len(set(short)) == len(short) else labels(repr)
    )


def _averages(
    part: Any,
    fitted: xr.DataTree,
    people: pd.DataFrame,
    at: NDArray[np.int64],
    labels: list[str],
    weight: NDArray[np.float64],
    how: Mapping[str, Any],
) -> xr.DataArray:
    """Weighted means of expectations over the people of each place."""
    share = np.zeros((len(labels), len(at)))
    share[at, np.arange(len(at))] = weight
    share /= share.sum(1, keepdims=True)
    total: Any = 0.0
    for start in range(0, len(people), BLOCK):  # expectations of all at once may be many
        rows = slice(start, start + BLOCK)
        chance = part.expected(fitted, people.iloc[rows].reset_index(drop=True), **how)
        own = xr.DataArray(share[:, rows], {"at": labels}, ("at", "person"))
        total = total + xr.dot(chance, own, dim="person")
    found: xr.DataArray = total.assign_attrs(units=chance.attrs["units"])
    return found


def _changes(
    own: pd.DataFrame, table: pd.DataFrame, contrast: Any, fixed: Sequence[str]
) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """People before and after each change; only a step from a value that is fixed has one."""
    found = {}
    names = _names(contrast)
    _check_names(own, names)
    for name in names:
        values = _list(contrast[name]) if isinstance(contrast, Mapping) else levels(own[name])
        if not values and not isinstance(contrast, Mapping):
            found[f"{name} + 1"] = (table, table.assign(**{name: table[name] + 1}))
            continue
        if len(values) < 2:
            raise StudyError(f"contrast {name!r}: two values or more, got {values!r}")
        if name in fixed:
            raise StudyError(f"conditional: {name!r} is what the contrast changes")
        first, *others = values
        for value in others:
            label = f"{name}: {word(first)} to {word(value)}"
            if label in found:
                label = f"{name}: {first!r} to {value!r}"
            found[label] = (
                table.assign(**{name: _as(own[name], [first] * len(table))}),
                table.assign(**{name: _as(own[name], [value] * len(table))}),
            )
    if not found:
        raise StudyError("contrast: name a covariate")
    return found


def _usual(column: pd.Series, weight: NDArray[np.float64]) -> list[Any]:
    known = levels(column)
    if known:
        return known
    mean = np.average(column, weights=weight)
    deviation = np.sqrt(np.average((column - mean) ** 2, weights=weight))
    return [mean - deviation, mean, mean + deviation]


def _typical(column: pd.Series, weight: NDArray[np.float64]) -> Any:
    """Mean of numbers, 0 and 1 among them; the commonest of labels and of yes and no."""
    if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype.kind == "b":
        return pd.Series(weight).groupby(column.to_numpy()).sum().idxmax()
    return float(np.average(column, weights=weight))


def _as(column: pd.Series, given: Sequence[Any]) -> Any:
    """Values in the type of a column; raise `DataError` for those that it cannot have."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        known = {word(level): level for level in column.cat.categories}
        for value in map(word, given):
            if value not in known:
                raise DataError(f"{column.name}: {unknown('level', value, known)}")
        return pd.Categorical([known[word(value)] for value in given], dtype=column.dtype)
    if column.dtype.kind == "b":
        answers = {"True": True, "False": False, "1": True, "0": False}
        for value in map(word, given):
            if value not in answers:
                raise DataError(f"{column.name}: {value!r} is neither True nor False")
        return np.array([answers[word(value)] for value in given])
    for value in given:
        if not isinstance(value, Real) or not np.isfinite(float(value)):
            raise DataError(f"{column.name}: {value!r} is no number")
    return np.asarray(given, dtype=float)


def _check_bounds(bounds: Mapping[str, tuple[float, float]], table: pd.DataFrame) -> None:
    """Refuse values of which a spline knows nothing."""
    for name, (low, high) in bounds.items():
        if name not in table or table[name].dtype.kind not in "iuf":
            continue
        value = table[name].to_numpy(dtype=float, na_value=np.nan)
        beyond = (value < low) | (value > high)
        if beyond.any():
            raise DataError(
                f"{name}: {int(beyond.sum())} of {len(table)} values are beyond the fit's "
                f"{low:g} to {high:g}, first {value[beyond][0]:g}, and a spline says "
                f"nothing there; contrast={{{name!r}: [{low:g}, {high:g}]}} stays inside"
            )


def word(value: Any) -> str:
    """Write a value as a label: whole numbers without decimals.

    Examples
    --------
    >>> word(2000.0), word("2000"), word(True)
    ('2000', '2000', 'True')
    """
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        return str(value)
    number = float(value)
    return str(int(number)) if number.is_integer() else f"{number:g}"
