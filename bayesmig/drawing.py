"""How pictures look: one style sheet, colours and markers that everybody can tell apart."""

from __future__ import annotations

import functools
import io
import re
import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from bayesmig.showing import data_title

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr
    from matplotlib.figure import Figure

POSTERIOR, PRINTED, PRIOR, INK, PAPER = "#1b5e8c", "#c1440e", "#6b7280", "#222222", "#ffffff"
STYLE: Any = {  # of matplotlib's rcParams, whose names are a type of their own
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "bayesmig",
}
WORDS = 38  # letters of a label before it is broken
TALL = 25  # rows from which a plot has its axis at the top too
COLOURS_OF_A_PAGE = {
    POSTERIOR: "var(--post)",
    PRINTED: "var(--print)",
    PRIOR: "var(--prior)",
    INK: "var(--ink)",
    PAPER: "var(--paper)",
}


class Series(NamedTuple):
    """How one of several things in a picture is drawn: none has another's colour or marker.

    Hollow diamonds are print's.
    """

    color: str
    marker: str
    line: Any


SERIES = (
    Series(POSTERIOR, "o", "-"),
    Series(PRINTED, "s", "--"),
    Series("#0f8a6a", "^", "-."),
    Series("#111111", "v", ":"),
    Series("#c77cb0", "P", (0, (6, 1.5))),
    Series("#d4a017", "X", (0, (3, 1, 1, 1, 1, 1))),
)


def styled[**Given, Made](draw: Callable[Given, Made]) -> Callable[Given, Made]:
    """Let a function draw in the style of all pictures."""

    @functools.wraps(draw)
    def within(*args: Given.args, **named: Given.kwargs) -> Made:
        import matplotlib

        with matplotlib.rc_context(STYLE):
            return draw(*args, **named)

    return within


def blank(width: float, height: float) -> Figure:
    """Return a figure (inches) that notebooks show without pyplot, which would show it twice."""
    from matplotlib.figure import Figure

    class ShownFigure(Figure):
        def _repr_png_(self) -> bytes:
            buffer = io.BytesIO()
            self.savefig(buffer, format="png", dpi=100)
            return buffer.getvalue()

    return ShownFigure(figsize=(width, height), layout="constrained")


def new_figure(fitted: xr.DataTree, panels: int, title: str = "") -> tuple[Figure, np.ndarray]:
    """Make a figure with panels side by side, titled by what it shows and what the data are."""
    figure = blank(1.5 + 5.0 * panels, 3.6 + (0.2 if title else 0.0))
    axes = figure.subplots(1, panels, squeeze=False, sharey=True)[0]
    return titled(figure, fitted, title), axes


def titled(figure: Figure, fitted: xr.DataTree | xr.Dataset, title: str = "") -> Figure:
    """Say what a figure shows, and of which data."""
    words = "\n".join(filter(None, (title, data_title(fitted.attrs))))
    figure.suptitle(words, x=0.01, ha="left", fontsize=11, parse_math=False)
    return figure


def broken(label: str, letters: int = WORDS) -> str:
    """Break a long label into lines."""
    return "\n".join(textwrap.wrap(label, letters, break_long_words=False)) or label


def tall(axis: Any, rows: int) -> None:
    """Repeat the axis at the top of a plot so tall that its foot is out of sight."""
    if rows > TALL:
        axis.tick_params(axis="x", top=True, labeltop=True)
        axis.set_title(axis.get_xlabel(), fontsize=STYLE["font.size"])


def svg(figure: Figure, name: str) -> str:
    """Return a figure as SVG to stand within a page, in the page's own colours.

    Parameters
    ----------
    figure : Figure
    name : str
        Letters, digits and hyphens; no two figures of a page may have the same.
    """
    import matplotlib

    buffer = io.StringIO()
    with matplotlib.rc_context(STYLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for colour, variable in COLOURS_OF_A_PAGE.items():
        text = text.replace(colour, variable)
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(?<= id=")', f"{name}-", text)
    text = re.sub(r'(?<=href="#)|(?<=url\(#)', f"{name}-", text)
    return text.replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
