"""Forest plots of posterior and print side by side."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig.comparison import compare, data_title, headline, is_own

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

POSTERIOR, PRINTED = "#1b5e8c", "#c1440e"
ROW_HEIGHT, HEAD = 0.27, 1.5  # inches


def _shown_figure() -> type[Figure]:
    """A Figure that notebooks show without pyplot, which would show it twice."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    return ShownFigure


def new_figure(fitted: xr.DataTree, panels: int, sharey: bool = True) -> tuple[Figure, np.ndarray]:
    """Make a figure with panels side by side, and a title that says what the data are."""
    figure = _shown_figure()(figsize=(1.5 + 5.0 * panels, 3.6), layout="constrained")
    return _titled(figure, fitted), figure.subplots(1, panels, squeeze=False, sharey=sharey)[0]


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
    names = headline(fitted) if quantity is None else quantity
    names = [names] if isinstance(names, str) else list(names)
    whole = compare(fitted, ci_prob, names)
    if (whole.coordinates == "").all():
        return _plot_scalars(fitted, whole)
    tables = [whole[whole.quantity == name] for name in names]
    labels = list(dict.fromkeys(label for table in tables for label in table.coordinates))
    figure = _shown_figure()(
        figsize=(
            2.0 + 0.08 * max(map(len, labels)) + 4.6 * len(names),
            HEAD + ROW_HEIGHT * len(labels),
        ),
        layout="constrained",
    )
    axes = figure.subplots(1, len(names), squeeze=False, sharey=True)[0]
    rows = np.arange(len(labels))[::-1]
    for axis, name, table in zip(axes, names, tables, strict=True):
        y = rows[[labels.index(label) for label in table.coordinates]]
        _draw_rows(axis, table, y)
        axis.axvline(0, color="0.6", lw=0.8, zorder=0)
        for position in rows[::2]:
            axis.axhspan(position - 0.5, position + 0.5, color="0.95", zorder=-1)
        axis.set_yticks(rows, labels, parse_math=False)  # a $ in a label is a $
        axis.set_ylim(-0.7, len(labels) - 0.3)
        axis.set_xlabel(f"{name.replace('_', ' ')} ({table.units.iloc[0]})")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    return _dressed(figure, axes[0], fitted)


def _draw_rows(axis: Any, table: pd.DataFrame, y: np.ndarray) -> None:
    """Posterior above, print below, at heights ``y``."""
    prob, known = table.ci_prob.iloc[0], table.published_prob.dropna()
    axis.hlines(y + 0.14, table.low, table.high, color=POSTERIOR, lw=2.4)
    axis.plot(
        table["mean"], y + 0.14, "o", color=POSTERIOR, ms=4.5,
        label=f"posterior mean, {prob:.0%} interval",
    )  # fmt: skip
    if table.published.isna().all():
        return
    interval = f", {known.iloc[0]:.0%} interval" if len(known) else ""
    kind = "given" if is_own(table.attrs) else "printed"
    axis.hlines(y - 0.16, table.published_low, table.published_high, color=PRINTED, lw=1.4)
    axis.plot(
        table.published, y - 0.16, "D", color=PRINTED, ms=4, mfc="white",
        label=f"{kind} estimate{interval}",
    )  # fmt: skip


def _plot_scalars(fitted: xr.DataTree, table: pd.DataFrame) -> Figure:
    """One row a quantity, each on its own scale."""
    figure = _shown_figure()(figsize=(7.5, HEAD + 0.62 * len(table)), layout="constrained")
    axes = figure.subplots(len(table), 1, squeeze=False)[:, 0]
    for axis, (_, row) in zip(axes, table.iterrows(), strict=True):
        _draw_rows(axis, table[table.quantity == row.quantity], np.zeros(1))
        words = f"{row.quantity.replace('_', ' ')}\n({row.units})"
        axis.set_yticks([0.0], [words], parse_math=False)
        axis.set_ylim(-0.5, 0.5)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    interval = int(np.argmax(table.published_prob.notna()))
    return _dressed(figure, axes[interval], fitted)


def _dressed(figure: Figure, axis: Any, fitted: xr.DataTree) -> Figure:
    """Add the legend and the title."""
    handles, words = axis.get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower right", ncols=2, frameon=False)
    return _titled(figure, fitted)


def _titled(figure: Figure, fitted: xr.DataTree) -> Figure:
    figure.suptitle(data_title(fitted.attrs), x=0.01, ha="left", fontsize=11, parse_math=False)
    return figure
