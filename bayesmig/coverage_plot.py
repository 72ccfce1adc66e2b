"""How often intervals held the truth, drawn from a card's stored tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bayesmig.drawing import INK, PRIOR, SERIES, blank, broken, styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SHARES = {0.5: ("inside 50%", "se 50%"), 0.9: ("inside 90%", "se 90%")}
SE = "se"  # of tables with one probability
COLUMNS, WIDTH, ROW, LETTERS = 2, 4.6, 0.19, 42  # inches


@styled
def plot_coverage(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the shares of truths inside intervals, with two standard errors, table by table.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        As `bayesmig.stored.Stored.read` returns them, by what each is called: a row for each
        quantity, columns ``inside 90%`` and ``se 90%`` (or ``se``), perhaps those of 50 %, perhaps
        ``method``, each of which has a marker of its own.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"inside 90%": [0.91], "se 90%": [0.02]}, index=["emigration"])
    >>> figure = plot_coverage({"prior": table})
    """
    columns = min(COLUMNS, len(tables))
    names = list(tables)
    lines = [names[i : i + columns] for i in range(0, len(names), columns)]
    rows = [max(_labels(tables[name]).nunique() for name in line) for line in lines]
    figure = blank(0.6 + WIDTH * columns, 0.7 + sum(0.75 + ROW * n for n in rows))
    axes = figure.subplots(len(lines), columns, squeeze=False, height_ratios=[n + 1 for n in rows])
    for line, row in zip(lines, axes, strict=True):
        for name, axis in zip(line, row, strict=False):
            _draw(axis, name, tables[name])
        for axis in row[len(line) :]:
            axis.set_visible(False)
    figure.supxlabel(
        "share of simulated data sets whose interval holds the truth, and two standard errors\n"
        "90% intervals filled, 50% intervals hollow; dashed: as often as they say",
        fontsize=8.5,
    )  # fmt: skip
    return figure


def _labels(table: pd.DataFrame) -> pd.Series:
    words = table.index.to_series().astype(str).str.replace("_", " ")
    return words.map(lambda label: broken(label, LETTERS))


def _draw(axis: Any, name: str, table: pd.DataFrame) -> None:
    labels = _labels(table)
    heights = {label: -i for i, label in enumerate(labels.unique())}
    methods = table["method"] if "method" in table else labels.map(lambda _: "")
    for probability, (inside, error) in SHARES.items():
        if inside not in table:
            continue
        axis.axvline(probability, color=PRIOR, lw=0.8, ls="--")
        width = 2 * table[error if error in table else SE]
        for series, method in zip(SERIES, methods.unique(), strict=False):
            own = (methods == method).to_numpy()
            axis.errorbar(
                table[inside][own], labels[own].map(heights), xerr=width[own], ls="",
                marker=series.marker, color=series.color, ms=4, lw=1.2,
                mfc="white" if probability < 0.9 else None,
                label=method if probability == 0.9 and method else None,
            )  # fmt: skip
    axis.set_yticks(list(heights.values()), list(heights), parse_math=False, fontsize=7.5)
    axis.set_ylim(-len(heights) + 0.4, 0.6)
    axis.set_xlim(0, 1.02)
    axis.tick_params(axis="x", labelsize=7.5)
    axis.set_title(name.replace("_", " "), fontsize=9, loc="left", color=INK, parse_math=False)
    if methods.nunique() > 1:
        axis.legend(loc="lower left", fontsize=7)
