"""Where a model misses its data: what was observed beside what it predicts, group by group."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import contract
from bayesmig.comparison import elements
from bayesmig.errors import StudyError, unknown
from bayesmig.groups import add_groups
from bayesmig.prediction import word
from bayesmig.printed import SAMPLE_DIMS
from bayesmig.study import load_study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

COLUMNS = ("variable", "by", "group", "observed", "expected", "low", "high", "z", "p")
PROB = 0.9
ALONE = "each"  # what no group is named of


def misfit(fitted: xr.DataTree, by: str | Sequence[str] | None = None) -> pd.DataFrame:
    """Return what was observed beside what the posterior predicts, the worst first.

    What is observed is summed within groups of its rows, as the study names them (years,
    municipalities, countries), and so is each predictive draw.  Where a study names none, each
    number stands for itself.

    Parameters
    ----------
    fitted : DataTree
        Predictive draws are made if it has none.
    by : str or sequence of str, optional
        Groupings; all of the study by default.

    Returns
    -------
    DataFrame
        variable, by, group; observed; expected (mean of the predictive draws), low and high
        (their 90 % interval); z, the distance in their standard deviations; p, the share of
        draws as far out or farther, both sides (no less than two over their number).
        ``attrs["outside"]`` is the share of rows beyond their interval: a tenth or less if the
        model is right, for it has seen the same data.

    Raises
    ------
    StudyError
        For an unknown grouping, or a study of people that names none.

    Examples
    --------
    >>> import bayesmig as bm
    >>> table = bm.misfit(fit, by="sex")
    >>> sorted(set(table.group))[:2]
    ['Female, internal_migration', 'Female, mortality']
    """
    whole = fitted if "posterior_predictive" in fitted else add_groups(
        fitted, ["posterior_predictive"]
    )  # fmt: skip
    study = load_study(fitted.attrs["study"])
    part = study.ability(contract.Groups)
    if part is None and study.people:
        raise StudyError(f"study {study.name!r} names no groups of people: it has no checks.py")
    named = part.groupings(whole) if part is not None else {}
    known = list(dict.fromkeys(name for labels in named.values() for name in labels)) or [ALONE]
    asked = known if by is None else [by] if isinstance(by, str) else list(by)
    for name in asked:
        if name not in known:
            raise StudyError(unknown("grouping", name, known))
    seen, drawn = whole["observed_data"].to_dataset(), whole["posterior_predictive"].to_dataset()
    rows: list[dict[str, Any]] = []
    for variable in seen.data_vars:
        for grouping in asked:
            labels = named.get(str(variable), {ALONE: None} if not named else {})
            if grouping in labels:
                sums = _summed(seen[variable], drawn[variable], labels[grouping])
                rows += [{"variable": variable, "by": grouping, **row} for row in sums]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    table = table.iloc[(-table.z.abs()).argsort(kind="stable")].reset_index(drop=True)
    outside = (table.observed < table.low) | (table.observed > table.high)
    table.attrs = {"outside": float(outside.mean()) if len(table) else float("nan")}
    return table


def parts(column: pd.Series, most: int = 10, into: int = 4) -> NDArray[np.object_]:
    """Return labels of a column; a number of many values by quarters of the people.

    Examples
    --------
    >>> parts(pd.Series([1.0, 0.0])).tolist(), parts(pd.Series(range(12)))[0]
    (['1', '0'], '(-0.001, 2.75]')
    """
    if column.dtype.kind in "iuf" and column.nunique() > most:
        column = pd.qcut(column, into, duplicates="drop")
    return np.array([word(value) for value in column.astype(object)], dtype=object)


def _summed(seen: xr.DataArray, drawn: xr.DataArray, labels: Any) -> Iterator[dict[str, Any]]:
    """Sum over the rows of each group; what was not observed counts in neither."""
    drawn = drawn.where(seen.notnull())
    if labels is not None:
        dim = seen.dims[0]
        key = xr.DataArray(np.asarray(labels, dtype=str), dims=(dim,), name="group")
        seen = seen.groupby(key).sum(min_count=1)
        drawn = drawn.groupby(key).sum(min_count=1)
    draws = [dim for dim in drawn.dims if dim in SAMPLE_DIMS]
    drawn = drawn.transpose(*draws, *seen.dims)
    for (words, value), (_, values) in zip(
        elements(seen.expand_dims(SAMPLE_DIMS)), elements(drawn), strict=True
    ):
        observed, draw = float(value.ravel()[0]), values.ravel()
        if not np.isfinite(observed):
            continue
        sd, n = draw.std(ddof=1), len(draw)
        tail = min((draw >= observed).mean(), (draw <= observed).mean())
        low, high = np.quantile(draw, [(1 - PROB) / 2, (1 + PROB) / 2])
        yield {
            "group": words,
            "observed": observed,
            "expected": draw.mean(),
            "low": low,
            "high": high,
            "z": (observed - draw.mean()) / sd if sd > 0 else 0.0,
            "p": min(1.0, max(2 * tail, 2 / n)),
        }
