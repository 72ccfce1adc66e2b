"""What a fit expects along a covariate, drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from bayesmig import contract
from bayesmig.errors import StudyError, unknown
from bayesmig.prediction import DRAWS, grid, predict
from bayesmig.study import load_study

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

POINTS = 40  # along a number
INTERVAL = 0.9


def plot_effects(
    fitted: xr.DataTree,
    covariate: str,
    conditional: Mapping[str, Any] | None = None,
    *,
    group: str = "average",
    draws: int = DRAWS,
    seed: int = 1,
) -> Figure:
    """Draw expectations along a covariate, with 90 % intervals: one panel for each outcome.

    Parameters
    ----------
    fitted : DataTree
    covariate : str
        A number, over the range of the fit's people, or the levels of a category.
    conditional : mapping, optional
        Values of one other covariate, a line for each; the rest is typical, as in
        `bayesmig.comparisons`.
    group, draws, seed
        As for `bayesmig.predict`.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.plot_effects(fit, "age", {"male": [0, 1]})  # doctest: +SKIP
    """
    import matplotlib.pyplot as plt

    part = load_study(fitted.attrs["study"]).ability(contract.Predicts)
    if part is None:
        raise StudyError(f"study {fitted.attrs['study']!r} predicts nobody")
    own, weight = part.people(fitted)
    if covariate not in own:
        raise StudyError(unknown("covariate", covariate, map(str, own.columns)))
    column = own[covariate]
    number = not isinstance(column.dtype, pd.CategoricalDtype) and column.nunique() > 2
    values = np.linspace(column.min(), column.max(), POINTS) if number else None
    lines = dict(conditional or {})
    if len(lines) > 1:
        raise StudyError("conditional: one other covariate, a line for each of its values")
    table = grid(own, weight, {**lines, covariate: values})
    chance = predict(fitted, table, group=group, draws=draws, seed=seed)
    panels = chance.sizes["outcome"]
    figure, axes = plt.subplots(1, panels, figsize=(3.4 * panels, 3.2), layout="constrained")
    low, middle, high = (
        chance.quantile(q, "draw").values for q in ((1 - INTERVAL) / 2, 0.5, (1 + INTERVAL) / 2)
    )
    each = len(np.unique(table[covariate].astype(str if not number else float)))
    for k, axis in enumerate(np.atleast_1d(axes)):
        for line in range(len(table) // each):
            rows = slice(line * each, (line + 1) * each)
            place = table[covariate].iloc[rows]
            where = place if number else np.arange(each) + 0.06 * line
            label = ", ".join(f"{name}={table[name].iloc[rows.start]}" for name in lines)
            if number:
                axis.plot(where, middle[rows, k], label=label or None)
                axis.fill_between(where, low[rows, k], high[rows, k], alpha=0.25)
            else:
                centre = middle[rows, k]
                error = [centre - low[rows, k], high[rows, k] - centre]
                axis.errorbar(where, centre, error, fmt="o", label=label or None)
                axis.set_xticks(np.arange(each), [str(v) for v in place])
        axis.set(title=str(chance["outcome"].values[k]), xlabel=covariate)
    first = np.atleast_1d(axes)[0]
    first.set_ylabel(chance.attrs.get("units", ""))
    if lines:
        first.legend()
    title = fitted.attrs["data_title"]
    synthetic = "SYNTHETIC" if fitted.attrs["synthetic"] and "SYNTHETIC" not in title else ""
    figure.suptitle(f"{synthetic} {title}: {group} group, 90% intervals".strip())
    return figure
