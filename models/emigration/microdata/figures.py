"""Emigration by row of the printed tables: posterior, the report's estimator, print, truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmig.comparison import interval
from bayesmig.drawing import INK, PAPER, SERIES, Series, new_figure, styled, tall
from bayesmig.models.emigration.microdata.counts.cells import name, printed
from bayesmig.truth import PREFIX
from bayesmig.truth import of as truth_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

TABLES = (4, 7, 10, 11, 12)
CI_PROB = 0.9
PRINT = "print (1996-2004)"


def methods(
    fitted: xr.DataTree, estimates: Mapping[str, pd.DataFrame] | None = None
) -> pd.DataFrame:
    """Set emigration beside itself: posterior, the report's estimator, print and truth.

    Parameters
    ----------
    fitted : DataTree
        A fit of a panel.
    estimates : mapping of str to DataFrame, optional
        By name, `classical.tables` of the same persons.

    Returns
    -------
    DataFrame
        One row for each printed row and method: cell, method, estimate, low, high (percent
        a year, 90 %); the truth, known for simulated panels only, has no interval.
    """
    draws = fitted["estimands"].to_dataset()["emigration"]
    rows: list[dict[str, Any]] = []
    for cell in map(str, draws.cell.values):
        values = draws.sel(cell=cell).values.ravel()
        low, high = interval(values, CI_PROB)
        rows.append(_row(cell, "posterior", values.mean(), low, high))
    for method, table in {PRINT: printed(), **(estimates or {})}.items():
        of = table[table.component == "emigration"]
        names = map(name, of.table, of.panel, of.row)
        rows += [
            _row(cell, method, *numbers)
            for cell, *numbers in zip(names, of.estimate, of.ci_low, of.ci_high, strict=True)
            if cell in draws.cell.values
        ]
    data = fitted["data"].to_dataset()
    if f"{PREFIX}cell_share" in data:
        truth = 100 * truth_of(data)["cell_share"].sel(fate="emigrated")
        rows += [
            _row(str(cell), "truth", value, np.nan, np.nan)
            for cell, value in zip(truth["cell"].values, truth.values, strict=True)
        ]
    return pd.DataFrame(rows)


@styled
def plot_methods(
    fitted: xr.DataTree,
    estimates: Mapping[str, pd.DataFrame] | None = None,
    tables: Sequence[int] = TABLES,
) -> Figure:
    """Draw `methods` for the rows of some printed tables.

    Parameters
    ----------
    fitted, estimates
        As for `methods`.
    tables : sequence of int
    """
    found = methods(fitted, estimates)
    wanted = found[found.cell.map(lambda cell: int(cell.split(",")[0].split()[1]) in tables)]
    cells = list(dict.fromkeys(wanted.cell))
    names = [method for method in wanted.method.unique() if method != "truth"]
    figure, (axes,) = new_figure(fitted, 1, "Emigration by method")
    figure.set_size_inches(8, 1.8 + 0.3 * len(cells))
    step = 0.7 / len(names)
    drawn = dict(zip([n for n in names if n != PRINT], cycle(SERIES), strict=False))
    drawn[PRINT] = Series(INK, "D", "-")
    for k, method in enumerate(names):
        series, face = drawn[method], PAPER if method == PRINT else None
        one = wanted[wanted.method == method].set_index("cell").reindex(cells)
        at = np.arange(len(cells)) + (k - (len(names) - 1) / 2) * step
        axes.hlines(at, one.low, one.high, color=series.color, lw=1.5)
        axes.plot(
            one.estimate, at, series.marker, ms=3.5, color=series.color, mfc=face, label=method
        )
    truth = wanted[wanted.method == "truth"].set_index("cell").reindex(cells)
    if truth.estimate.notna().any():
        axes.plot(truth.estimate, np.arange(len(cells)), "k|", ms=11, mew=1.5, label="truth")
    axes.axvline(0, color="0.7", lw=0.8, zorder=0)
    axes.set_yticks(range(len(cells)), cells, fontsize=8)
    axes.set_ylim(len(cells) - 0.5, -0.5)
    axes.set_xlabel("emigration, percent a year; 90 % intervals")
    tall(axes, len(cells))
    figure.legend(loc="outside lower center", ncols=5)
    return figure


def _row(cell: str, method: str, estimate: float, low: float, high: float) -> dict[str, Any]:
    return {"cell": cell, "method": method, "estimate": estimate, "low": low, "high": high}
