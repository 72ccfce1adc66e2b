"""The posterior beside the printed number."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.diagnostics import worst_of
from bayesmig.errors import StudyError, unknown
from bayesmig.printed import MEASURES, SAMPLE_DIMS, at_label, label_columns
from bayesmig.showing import Comparison, is_own

PRIOR_SETS, PRIOR_SET = "prior_sets", "prior_set"  # a group of posterior means, and its dim
PRIOR_SPREAD = "prior_spread"  # a group: `spread` of the estimands under the prior
ONE_SD = 0.6826894921370859  # of a normal distribution's probability within one sd of its mean
USUAL = 0.95  # probability of the posterior's interval where print, or a user's file, has none
COLUMNS = (
    "quantity coordinates units published published_low published_high published_prob mean sd low "
    "high ci_prob difference_se difference_sd overlap width_ratio contraction ess r_hat source "
    "note"
).split()


def published_rows(fitted: xr.DataTree) -> pd.DataFrame:
    """Return the printed numbers that belong to a fit, one row each."""
    group = fitted["published"].to_dataset()
    return pd.DataFrame({name: array.values for name, array in group.data_vars.items()})


def quantities(fitted: xr.DataTree) -> list[str]:
    """Names of the quantities of a fit: those with a printed number, first the headline.

    All where none has one, and of a user's own data.
    """
    printed = list(dict.fromkeys(published_rows(fitted).quantity))
    return printed if printed and not is_own(fitted.attrs) else _estimands(fitted)


def headline(fitted: xr.DataTree) -> list[str]:
    """Names of the quantities to show first: those without coordinates, or the first one."""
    names = quantities(fitted)
    array = fitted["estimands"].to_dataset()
    scalar = [name for name in names if set(array[name].dims) == set(SAMPLE_DIMS)]
    return scalar or names[:1]


def _estimands(fitted: xr.DataTree) -> list[str]:
    return [str(name) for name in fitted["estimands"].data_vars]


def elements(array: xr.DataArray) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the labels of each element, as a comparison has them, and its draws."""
    dims = [dim for dim in array.dims if dim not in SAMPLE_DIMS]
    values = array.transpose(*SAMPLE_DIMS, *dims).values
    for at in itertools.product(*(range(array.sizes[dim]) for dim in dims)):
        words = (str(array[dim].values[i]) for dim, i in zip(dims, at, strict=True))
        where: Any = (..., *at)
        yield ", ".join(words), values[where]


def compare(
    fitted: xr.DataTree,
    ci_prob: float | None = None,
    quantity: str | list[str] | None = None,
    *,
    full: bool = False,
) -> Comparison:
    """Set each posterior beside the number that the paper prints.

    Works on a fit from a file, in a process that has not seen the model.

    Parameters
    ----------
    fitted : DataTree
    ci_prob : float, optional
        Probability of the posterior's interval; each printed interval's own by default.
    quantity : str or list of str, optional
        Only these; also estimands that nobody printed.
    full : bool
        Whether the table prints all of its columns, and not only the numbers of most use.

    Returns
    -------
    DataFrame
        quantity, coordinates, units, published, published_low, published_high, published_prob,
        mean, sd, low, high, ci_prob (equal-tailed interval), difference_se (posterior mean less
        published, in published standard errors, which may be too small), difference_sd (the
        same in posterior standard deviations), overlap (of the two intervals: intersection over
        union), width_ratio (posterior interval over the published one at its probability),
        contraction (the share of the prior's variance that the data have taken away, variances
        by `spread`; NaN where draws of the prior ignore a part of it), ess (the lower of bulk
        and tail), r_hat, source, note. Values in the quantity's units, NaN where nothing is
        printed; ``attrs`` name study and data. One row for each printed number; for a quantity
        that has none, if no number is printed for these data, and of a user's own data, one for
        each of its values, as `summary` has them. A fit of `across_priors` has sets_low and
        sets_high, too: the least and the greatest posterior mean over prior sets.

    Raises
    ------
    StudyError
        For an unknown quantity or a probability outside (0, 1).

    Examples
    --------
    >>> import bayesmig as bm
    >>> table = bm.compare(fit, quantity="emigration")
    >>> table[["units", "published", "published_low", "published_high", "published_prob"]]
                units  published  published_low  published_high  published_prob
    0  percent a year        3.1            2.7             3.6             0.9
    1  percent a year        7.1            6.5             7.6             0.9
    2  percent a year        3.3            3.0             3.5             0.9
    3  percent a year        4.4            4.1             4.7             0.9
    """
    if is_own(fitted.attrs):
        return summary(fitted, ci_prob, quantity, full=full)
    names = _asked(fitted, quantity, quantities(fitted))
    printed = published_rows(fitted)
    parts = [
        rows if len(rows := printed[printed.quantity == name]) else _unprinted(fitted, name)
        for name in names
    ]
    return _compared(fitted, parts, ci_prob, full)


def summary(
    fitted: xr.DataTree,
    ci_prob: float | None = None,
    quantity: str | list[str] | None = None,
    *,
    full: bool = False,
) -> Comparison:
    """Summarise every estimand, with print beside it where there is any.

    Parameters
    ----------
    fitted : DataTree
    ci_prob : float, optional
        Probability of the intervals; a printed interval's own, or 0.95, by default.
    quantity : str or list of str, optional
        Only these.
    full : bool
        As for `compare`.

    Returns
    -------
    DataFrame
        As `compare`, with one row for each value of each estimand; the columns about print
        are NaN or empty where nothing is printed.

    Raises
    ------
    StudyError
        For an unknown quantity or a probability outside (0, 1).

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.summary(fit)["quantity"].unique().tolist()[:3]
    ['emigration', 'return_immigration', 'net_emigration']
    """
    names = _asked(fitted, quantity, _estimands(fitted))
    printed = published_rows(fitted)
    parts = []
    for name in names:
        rows, every = printed[printed.quantity == name], _unprinted(fitted, name)
        dims = label_columns(every)
        there = {tuple(map(str, row)) for row in rows.reindex(columns=dims).to_numpy()}
        rest = [tuple(map(str, row)) not in there for row in every[dims].to_numpy()]
        parts += [rows, every[rest]]
    return _compared(fitted, parts, ci_prob, full)


def _asked(fitted: xr.DataTree, quantity: str | list[str] | None, usual: list[str]) -> list[str]:
    """Names of the quantities asked for, checked."""
    if quantity is None:
        return usual
    wanted = [quantity] if isinstance(quantity, str) else list(quantity)
    valid = list(dict.fromkeys([*usual, *_estimands(fitted)]))
    if not wanted:
        raise StudyError(f"no quantity asked for; valid: {', '.join(valid)}")
    for name in wanted:
        if name not in valid:
            raise StudyError(unknown("quantity", name, valid))
    return [name for name in valid if name in wanted]


def _unprinted(fitted: xr.DataTree, name: str) -> pd.DataFrame:
    """One row for each value of an estimand, in the form of printed numbers that are not there."""
    array = fitted["estimands"][name]
    dims = [str(dim) for dim in array.dims if dim not in SAMPLE_DIMS]
    labels = [np.asarray(array[dim]).tolist() for dim in dims]
    rows = [dict(zip(dims, at, strict=True)) for at in itertools.product(*labels)]
    blank = {**dict.fromkeys(MEASURES, np.nan), "source": "", "note": ""}
    return pd.DataFrame([{"quantity": name, **row, **blank} for row in rows])


def _compared(
    fitted: xr.DataTree, parts: list[pd.DataFrame], ci_prob: float | None, full: bool
) -> Comparison:
    """Set draws beside rows of printed numbers."""
    if ci_prob is not None and not 0 < ci_prob < 1:
        raise StudyError(f"ci_prob must be between 0 and 1, got {ci_prob!r}")
    records = [row for part in parts for row in part.to_dict("records")]
    names = list(dict.fromkeys(row["quantity"] for row in records))
    printed = published_rows(fitted).ci_prob.dropna().unique()
    usual = float(printed[0]) if len(printed) == 1 and is_own(fitted.attrs) else USUAL
    estimands = fitted["estimands"].to_dataset()
    ess, rhat = worst_of(estimands[names])
    before = _before(fitted) or ess * np.nan
    table = Comparison(
        [_compare_row(row, estimands, before, ess, rhat, ci_prob, usual) for row in records],
        columns=COLUMNS,
    )
    if PRIOR_SETS in fitted:
        means = fitted[PRIOR_SETS].to_dataset()
        for name, ends in (("sets_low", means.min(PRIOR_SET)), ("sets_high", means.max(PRIOR_SET))):
            values = [_at(ends[row["quantity"]], row) for row in records]
            table.insert(table.columns.get_loc("contraction"), name, values)
    table.attrs = {
        name: fitted.attrs[name]
        for name in ("study", "data_title", "synthetic", "own_data")
        if name in fitted.attrs
    }
    table.full = full
    return table


def _compare_row(
    row: dict[str, Any],
    estimands: xr.Dataset,
    before: xr.Dataset,
    ess: xr.Dataset,
    rhat: xr.Dataset,
    ci_prob: float | None,
    usual: float,
) -> dict[str, Any]:
    name = row["quantity"]
    at = _place(estimands[name], row)
    draws = estimands[name].sel(at).values.ravel()
    own = float(row["ci_prob"]) if row["ci_prob"] > 0 else usual
    prob = own if ci_prob is None else ci_prob
    low, high = interval(draws, prob)
    own_low, own_high = interval(draws, own)
    mean, width = float(draws.mean()), row["ci_high"] - row["ci_low"]
    sd = float(draws.std(ddof=1))
    return {
        "quantity": name,
        "coordinates": ", ".join(map(str, at.values())),
        "units": estimands[name].attrs["units"],
        "published": row["estimate"],
        "published_low": row["ci_low"],
        "published_high": row["ci_high"],
        "published_prob": float(row["ci_prob"]),
        "mean": mean,
        "sd": sd,
        "low": low,
        "high": high,
        "ci_prob": prob,
        "difference_se": (mean - row["estimate"]) / row["se"] if row["se"] > 0 else np.nan,
        "difference_sd": (mean - row["estimate"]) / sd if sd > 0 else np.nan,
        "overlap": _overlap((own_low, own_high), (row["ci_low"], row["ci_high"])),
        "width_ratio": (own_high - own_low) / width if width > 0 else np.nan,
        "contraction": _contraction(draws, float(before[name].sel(at))),
        "ess": float(ess[name].sel(at)),
        "r_hat": float(rhat[name].sel(at)),
        "source": row["source"],
        "note": row["note"],
    }


def _place(array: xr.DataArray, row: Mapping[str, Any]) -> dict[str, Any]:
    """Labels of an estimand's dims that a row of printed numbers is about."""
    dims = [str(dim) for dim in array.dims if dim not in SAMPLE_DIMS]
    return {dim: at_label(array, dim, row[dim]) for dim in dims}


def _at(array: xr.DataArray, row: Mapping[str, Any]) -> float:
    return float(array.sel(_place(array, row)))


def interval(draws: np.ndarray, prob: float) -> tuple[float, float]:
    """Equal-tailed interval of draws."""
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low), float(high)


def spread(estimands: xr.Dataset) -> xr.Dataset:
    """Half the width of the central 68.3 % of draws: a normal's standard deviation.

    A prior with heavy tails has a standard deviation that a few of its draws make, or none;
    against that every posterior would look as if the data had decided it.

    Parameters
    ----------
    estimands : Dataset
        Variables of dims (chain, draw, ...).

    Returns
    -------
    Dataset
        Without chain and draw, in the units of each.
    """
    tail = (1 - ONE_SD) / 2
    low, high = (estimands.quantile(q, SAMPLE_DIMS).drop_vars("quantile") for q in (tail, 1 - tail))
    width: xr.Dataset = (high - low) / 2
    return width


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Intersection over union; a printed interval of no width is inside (1) or not (0)."""
    if np.isnan(other[0]):
        return np.nan
    if other[0] == other[1]:
        return float(one[0] <= other[0] <= one[1])
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(common, 0.0) / (max(one[1], other[1]) - min(one[0], other[0]))


def _contraction(draws: np.ndarray, before: float) -> float:
    low, high = interval(draws, ONE_SD)
    return 1 - ((high - low) / 2 / before) ** 2 if before > 0 else np.nan


def _before(fitted: xr.DataTree) -> xr.Dataset | None:
    """Spread under the prior; what a fit of an earlier version has is a standard deviation."""
    for name in (PRIOR_SPREAD, "prior_sd"):
        if name in fitted:
            return fitted[name].to_dataset()
    return None
