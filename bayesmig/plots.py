"""Forest plots of posterior and print side by side."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from bayesmig.comparison import compare, quantities
from bayesmig.errors import StudyError

if TYPE_CHECKING:
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


def plot_compare(
    fitted: xr.DataTree,
    quantity: str | list[str] | None = None,
    ci_prob: float | None = None,
) -> Figure:
    """Draw posterior intervals beside the printed ones, a row for each printed number.

    Parameters
    ----------
    fitted : DataTree
    quantity : str or list of str, optional
        One panel each; the study's headline quantity by default.
    ci_prob : float, optional
        Probability of the posterior's intervals; the printed ones' own by default.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    StudyError
        For an unknown quantity, or data to which no printed number belongs.
    """
    names = quantities(fitted)[:1] if quantity is None else quantity
    names = [names] if isinstance(names, str) else list(names)
    if not names:
        raise StudyError("no printed number belongs to these data: there is nothing to compare")
    whole = compare(fitted, ci_prob, names)
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
        prob, own = table.ci_prob.iloc[0], table.published_prob.iloc[0]
        axis.hlines(y + 0.14, table.low, table.high, color=POSTERIOR, lw=2.4)
        axis.plot(
            table["mean"], y + 0.14, "o", color=POSTERIOR, ms=4.5,
            label=f"posterior mean, {prob:.0%} interval",
        )  # fmt: skip
        axis.hlines(y - 0.16, table.published_low, table.published_high, color=PRINTED, lw=1.4)
        axis.plot(
            table.published, y - 0.16, "D", color=PRINTED, ms=4, mfc="white",
            label=f"printed estimate, {own:.0%} interval",
        )  # fmt: skip
        axis.axvline(0, color="0.6", lw=0.8, zorder=0)
        for position in rows[::2]:
            axis.axhspan(position - 0.5, position + 0.5, color="0.95", zorder=-1)
        axis.set_yticks(rows, labels, parse_math=False)  # a $ in a label is a $
        axis.set_ylim(-0.7, len(labels) - 0.3)
        axis.set_xlabel(f"{name.replace('_', ' ')} ({fitted.attrs['unit']})")
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    handles, words = axes[0].get_legend_handles_labels()
    figure.legend(handles, words, loc="outside lower right", ncols=2, frameon=False)
    made = "SYNTHETIC DATA: " if fitted.attrs["synthetic"] else ""
    title = f"{made}{fitted.attrs['data_title']}"
    figure.suptitle(title, x=0.01, ha="left", fontsize=11, parse_math=False)
    return figure
