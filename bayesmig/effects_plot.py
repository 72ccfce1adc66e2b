"""What a fit expects along a covariate, drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig import contract
from bayesmig.drawing import SERIES, Series, blank, broken, styled, titled
from bayesmig.errors import StudyError, unknown
from bayesmig.prediction import DRAWS, grid, levels, predict
from bayesmig.study import load_study

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

POINTS = 40  # along a number
INTERVAL = 0.9
APART = 0.08  # of points of the same level
WIDTH, LETTERS = 3.4, 32  # inches of a panel, and of a line of its label


@styled
def plot_effects(
    fitted: xr.DataTree,
    covariate: str | Mapping[str, Sequence[Any]],
    conditional: str | Mapping[str, Sequence[Any]] | None = None,
    *,
    group: str = "average",
    draws: int = DRAWS,
    seed: int = 1,
) -> Figure:
    """Draw expectations along a covariate, with 90 % intervals: one panel for each outcome.

    Parameters
    ----------
    fitted : DataTree
    covariate : str or mapping
        A number, over the range of the fit's people, or the levels of a category.  A mapping
        gives the values: ``{"age": [20, 40, 60]}``.
    conditional : str or mapping, optional
        One other covariate, a line for each of its values; the rest is typical, as in
        `bayesmig.comparisons`.
    group, draws, seed
        As for `bayesmig.predict`.

    Returns
    -------
    Figure

    Raises
    ------
    StudyError, DataError

    Examples
    --------
    >>> import bayesmig as bm
    >>> figure = bm.plot_effects(fit, "sex", "origin")
    """
    part = load_study(fitted.attrs["study"]).ability(contract.Predicts)
    if part is None:
        raise StudyError(f"study {fitted.attrs['study']!r} predicts nobody")
    own, weight = part.people(fitted)
    asked: Sequence[Any] | None = None
    if not isinstance(covariate, str):
        if len(covariate) != 1:
            raise StudyError(f"covariate: one, got {', '.join(map(str, covariate)) or 'none'}")
        [(covariate, asked)] = covariate.items()
    if covariate not in own:
        raise StudyError(unknown("covariate", covariate, map(str, own.columns)))
    lines = dict.fromkeys([conditional]) if isinstance(conditional, str) else conditional or {}
    if len(lines) > 1 or covariate in lines:
        raise StudyError("conditional: one other covariate, a line for each of its values")
    known = levels(own[covariate])
    column = own[covariate]
    values = list(asked or known or np.linspace(column.min(), column.max(), POINTS))
    if known:
        known = values
    table = grid(own, weight, {**lines, covariate: values})
    chance = predict(fitted, table, group=group, draws=draws, seed=seed)
    outcomes = chance["outcome"].values
    figure = blank(1.5 + WIDTH * len(outcomes), 3.8)
    axes = figure.subplots(1, len(outcomes), squeeze=False)[0]
    tails = ((1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2)
    bands = chance.quantile(tails, "draw").transpose("outcome", "quantile", "person").values
    for axis, outcome, band in zip(axes, outcomes, bands, strict=True):
        for line in range(len(table) // len(values)):
            rows = slice(line * len(values), (line + 1) * len(values))
            words = "".join(f"{name}={table[name].iloc[rows.start]}" for name in lines)
            how = SERIES[line % len(SERIES)]
            _draw(axis, known or values, band[:, rows], words, how, APART * line if known else None)
        if known:
            axis.set_xticks(np.arange(len(known)), [str(v) for v in known], parse_math=False)
        axis.set_title(str(outcome), parse_math=False)
        axis.set_xlabel(covariate, parse_math=False)
    axes[0].set_ylabel(broken(chance.attrs["units"], LETTERS), parse_math=False)
    if lines:
        for text in axes[0].legend().get_texts():
            text.set_parse_math(False)
    return titled(figure, fitted, f"{covariate}: {group} group, {INTERVAL:.0%} intervals")


def _draw(
    axis: Any,
    values: Sequence[Any],
    band: np.ndarray,
    words: str,
    how: Series,
    apart: float | None,
) -> None:
    """Draw one line and its interval, or points of levels that stand ``apart`` from others'."""
    low, middle, high = band
    if apart is not None:
        place = np.arange(len(values)) + apart
        error = [list(middle - low), list(high - middle)]  # of one level, an array is a number
        style = {"fmt": how.marker, "ms": 4, "color": how.color, "label": words or None}
        axis.errorbar(place, middle, error, **style)
        return
    axis.plot(values, middle, color=how.color, ls=how.line, label=words or None)
    axis.fill_between(values, low, high, color=how.color, alpha=0.25, lw=0)
