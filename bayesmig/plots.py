"""Forest plots of posterior and print side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig.comparison import compare, headline
from bayesmig.drawing import (
    INK,
    PAPER,
    PRINTED,
    SERIES,
    WORDS,
    Series,
    blank,
    broken,
    styled,
    tall,
    titled,
)
from bayesmig.errors import StudyError
from bayesmig.showing import is_own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

ROW_HEIGHT, HEAD, NARROW = 0.27, 1.5, 4.6  # inches


@styled
def plot_compare(
    fitted: xr.DataTree,
    quantity: str | list[str] | None = None,
    ci_prob: float | None = None,
) -> Figure:
    """Draw posterior intervals beside the printed ones, a row for each number.

    Parameters
    ----------
    fitted : DataTree
    quantity : str or list of str, optional
        The study's headline quantities by default.  A panel each with a row for each
        label, or, of quantities without coordinates, a row each on a scale of its own.
    ci_prob : float, optional
        Probability of the posterior's intervals; the printed ones' own by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    StudyError
        For an unknown quantity.

    Examples
    --------
    >>> import bayesmig as bm
    >>> figure = bm.plot_compare(fit)
    """
    names = _names(fitted, quantity)
    return forest(fitted, compare(fitted, ci_prob, names), names)


@styled
def forest(
    fitted: xr.DataTree, whole: pd.DataFrame, names: Sequence[str], letters: int = WORDS
) -> Figure:
    """Draw a comparison, its labels broken into lines of some letters.

    Parameters
    ----------
    fitted : DataTree
    whole : DataFrame
        Of `bayesmig.compare`.
    names : sequence of str
        Its quantities, in the order of their panels.
    letters : int
        Fewer make a narrower picture, with its legend in one column.
    """
    ncols = 2 if letters == WORDS else 1
    if (whole.coordinates == "").all():
        figure, axes = _scalar_axes(whole, 1, letters)
        for axis, (_, row) in zip(axes, whole.iterrows(), strict=True):
            _draw_rows(axis, whole[whole.quantity == row.quantity], np.zeros(1))
        interval = int(np.argmax(whole.published_prob.notna()))
        return _dressed(figure, axes[interval], fitted, ncols)
    figure, axes, labels = _label_axes(whole, names, 1, letters)
    rows = np.arange(len(labels))[::-1]
    for axis, name in zip(axes, names, strict=True):
        table = whole[whole.quantity == name]
        _draw_rows(axis, table, rows[[labels.index(label) for label in table.coordinates]])
    return _dressed(figure, axes[0], fitted, ncols)


@styled
def plot_fits(
    fits: Mapping[str, xr.DataTree],
    quantity: str | list[str] | None = None,
    ci_prob: float | None = None,
) -> Figure:
    """Draw the posteriors of several fits beside each other, and print below them.

    Parameters
    ----------
    fits : mapping of str to DataTree
        By what they are to be called, e.g. by their priors; six at most.  Printed numbers are
        those of the first.
    quantity, ci_prob
        As for `plot_compare`.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    StudyError
        For no fit or more than six, an unknown quantity, or one whose units differ.

    Examples
    --------
    >>> import bayesmig as bm
    >>> figure = bm.plot_fits({"one": fit, "the same": fit}, "mortality")
    """
    if not 0 < len(fits) <= len(SERIES):
        raise StudyError(f"plot_fits takes one fit to {len(SERIES)} by name, got {len(fits)}")
    first = next(iter(fits.values()))
    names = _names(first, quantity)
    found = {name: compare(fitted, ci_prob, names) for name, fitted in fits.items()}
    _check_units(found)
    whole = found[next(iter(found))]
    for table in found.values():  # labels of any of them
        new = ~(table.quantity + table.coordinates).isin(whole.quantity + whole.coordinates)
        whole = _joined(whole, table[new])
    beside = len(fits) + int(whole.published.notna().any())
    offsets = (0.5 - (np.arange(beside) + 0.5) / beside) * 0.8
    if (whole.coordinates == "").all():
        figure, axes = _scalar_axes(whole, beside)
        labels, wanted = [""], list(whole.quantity)
    else:
        figure, axes, labels = _label_axes(whole, names, beside)
        wanted = names
    rows = np.arange(len(labels))[::-1]
    for axis, quantity_ in zip(axes, wanted, strict=True):
        for (name, table), series, offset in zip(found.items(), SERIES, offsets, strict=False):
            part = table[table.quantity == quantity_]
            at = rows[[labels.index(label) for label in part.coordinates]] + offset
            _draw_posterior(axis, part, at, series, name)
        table = whole[whole.quantity == quantity_]
        at = rows[[labels.index(label) for label in table.coordinates]] + offsets[-1]
        _draw_print(axis, table, at, INK)
    interval = int(np.argmax([(whole.quantity == q).any() for q in wanted]))
    return _dressed(figure, axes[interval], first)


def _names(fitted: xr.DataTree, quantity: str | list[str] | None) -> list[str]:
    names = headline(fitted) if quantity is None else quantity
    return [names] if isinstance(names, str) else list(names)


def _joined(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    import pandas as pd

    if not len(other):
        return one
    joined = pd.concat([pd.DataFrame(one), pd.DataFrame(other)], ignore_index=True)
    joined.attrs = dict(one.attrs)
    return joined


def _check_units(found: Mapping[str, pd.DataFrame]) -> None:
    """Refuse to draw numbers of different units on one axis."""
    units: dict[str, tuple[str, str]] = {}
    for name, table in found.items():
        for row in table.drop_duplicates("quantity").itertuples():
            first, unit = units.setdefault(row.quantity, (name, row.units))
            if unit != row.units:
                raise StudyError(
                    f"{row.quantity} is in {unit} in the fit {first!r}, in {row.units} in {name!r}"
                )


def _label_axes(
    whole: pd.DataFrame, names: Sequence[str], beside: int, letters: int = WORDS
) -> tuple[Figure, Sequence[Any], list[str]]:
    """Make a panel for each quantity, with a row for each label."""
    labels = list(dict.fromkeys(whole.coordinates))
    words = [broken(label, letters) for label in labels]
    lines = max(label.count("\n") + 1 for label in words)
    height = max(ROW_HEIGHT, 0.17 * lines, 0.15 * (beside + 1) if beside > 1 else 0)
    longest = max(len(line) for label in words for line in label.split("\n"))
    panel = 4.6 if letters == WORDS else NARROW - 0.08 * letters
    figure = blank(
        (2.0 if letters == WORDS else 0.0) + 0.08 * longest + panel * len(names),
        HEAD + height * len(labels),
    )
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    rows = np.arange(len(labels))[::-1]
    for axis, name in zip(axes, names, strict=True):
        units = whole[whole.quantity == name].units.iloc[0]
        axis.axvline(0, color="0.6", lw=0.8, zorder=0)
        for position in rows[::2]:
            axis.axhspan(position - 0.5, position + 0.5, color="0.5", alpha=0.1, lw=0, zorder=-1)
        axis.set_yticks(rows, words, parse_math=False)  # a $ in a label is a $
        axis.set_ylim(-0.7, len(labels) - 0.3)
        axis.set_xlabel(f"{name.replace('_', ' ')} ({units})")
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
        tall(axis, round(len(labels) * height / ROW_HEIGHT))
    return figure, list(axes), labels


def _scalar_axes(
    whole: pd.DataFrame, beside: int = 1, letters: int = WORDS
) -> tuple[Figure, Sequence[Any]]:
    """Make a row for each quantity, each on its own scale."""
    figure = blank(
        7.5 if letters == WORDS else NARROW,
        HEAD + (0.62 if beside == 1 else 0.35 + 0.16 * beside) * len(whole),
    )
    axes = figure.subplots(len(whole), 1, squeeze=False)[:, 0]
    for axis, (_, row) in zip(axes, whole.iterrows(), strict=True):
        words = f"{broken(row.quantity.replace('_', ' '), letters)}\n"
        words += broken(f"({row.units})", letters)
        axis.set_yticks([0.0], [words], parse_math=False)
        axis.set_ylim(-0.5, 0.5)
        axis.spines["left"].set_visible(False)
        axis.tick_params(axis="y", length=0)
    return figure, list(axes)


def _draw_rows(axis: Any, table: pd.DataFrame, y: np.ndarray) -> None:
    """Posterior above, print below, at heights ``y``."""
    _draw_posterior(axis, table, y + 0.14, SERIES[0], "posterior mean")
    _draw_print(axis, table, y - 0.16, PRINTED)


def _draw_posterior(
    axis: Any, table: pd.DataFrame, y: np.ndarray, series: Series, name: str
) -> None:
    if not len(table):
        return
    axis.hlines(y, table.low, table.high, color=series.color, lw=2.4)
    axis.plot(
        table["mean"], y, series.marker, color=series.color, ms=4.5,
        label=f"{name}, {table.ci_prob.iloc[0]:.0%} interval",
    )  # fmt: skip


def _draw_print(axis: Any, table: pd.DataFrame, y: np.ndarray, color: str) -> None:
    if table.published.isna().all():
        return
    known = table.published_prob.dropna()
    interval = f", {known.iloc[0]:.0%} interval" if len(known) else ""
    kind = "given" if is_own(table.attrs) else "printed"
    axis.hlines(y, table.published_low, table.published_high, color=color, lw=1.4)
    axis.plot(
        table.published, y, "D", color=color, ms=4, mfc=PAPER,
        label=f"{kind} estimate{interval}",
    )  # fmt: skip


def _dressed(figure: Figure, axis: Any, fitted: xr.DataTree, ncols: int = 2) -> Figure:
    """Add the legend and the title."""
    handles, words = axis.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower right", ncols=ncols)
    return titled(figure, fitted)
