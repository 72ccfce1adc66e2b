"""The essay's statements on groups as posterior probabilities, as a table and drawn."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.drawing import PAPER, SERIES, blank, styled, tall
from bayesmig.errors import StudyError
from bayesmig.models.transnationalism.printed import table
from bayesmig.models.transnationalism.statements import MARGINS, Rate, margin

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TABLES = (3, 4)


def claims(*fits: xr.DataTree) -> pd.DataFrame:
    """Return how probable each statement of the essay is.

    Parameters
    ----------
    *fits : DataTree
        Of Table 3, of Table 4, or of both.

    Returns
    -------
    DataFrame
        One row for each statement on the fits' tables: ``claim``, ``quote``, ``place``,
        ``stated`` (its number), ``printed`` (whether it is true of the rates as printed) and
        ``probability``.

    Raises
    ------
    StudyError
        For a fit of other data.
    """
    rows = []
    for fitted in fits:
        number = fitted["data"].attrs.get("table")
        if number not in TABLES:
            raise StudyError("the essay says nothing of these data: they are not its Table 3 or 4")
        drawn = fitted["estimands"].to_dataset()["rate"]
        printed = fitted["data"].to_dataset()["percent"]
        for claim in table("claims").astype(str).to_dict("records"):
            if claim["table"] != str(number) or claim["kind"] not in MARGINS:
                continue
            margins = margin(claim, _rates(drawn))
            as_printed = margin(claim, _rates(printed))
            rows.append(
                {
                    "claim": claim["claim"],
                    "quote": claim["quote"],
                    "place": claim["source"].partition("), ")[2],
                    "stated": claim["stated"],
                    "printed": bool(as_printed >= -ROUNDED),
                    "probability": float(np.mean(margins >= 0)),
                }
            )
    return pd.DataFrame(rows)


def _rates(of: xr.DataArray) -> Rate:
    return lambda group, measure: of.sel(group=group, measure=measure).values


ROUNDED = 0.05  # percent: the tables print one decimal


@styled
def plot_claims(found: pd.DataFrame) -> Figure:
    """Draw the probabilities of statements; those untrue of the printed rates are hollow.

    Parameters
    ----------
    found : DataFrame
        As `claims` returns it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    places = list(dict.fromkeys(found.place))
    figure = blank(9, 0.32 * len(found) + 1.5)
    axes = figure.subplots()
    at = np.arange(len(found))[::-1]
    for place, series in zip(places, cycle(SERIES), strict=False):
        rows = (found.place == place).to_numpy()
        axes.hlines(at[rows], 0, found.probability[rows], color=series.color, lw=1.2)
        for true, face in ((True, series.color), (False, PAPER)):
            those = rows & (found.printed == true).to_numpy()
            axes.plot(
                found.probability[those], at[those], series.marker, color=series.color, mfc=face,
                ms=7,
                label=f"{place}, {'' if true else 'not '}true as printed" if those.any() else None,
            )  # fmt: skip
    axes.set_yticks(at, [_label(row) for row in found.to_dict("records")])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("posterior probability that it is true of the groups, not only of the sample")
    tall(axes, len(found))
    figure.suptitle("How probable the essay's statements are", x=0.01, ha="left", fontsize=11)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def _label(row: Mapping[Hashable, Any]) -> str:
    """A statement's name; of one on a group's rate, the number said too."""
    return f"{row['claim']}: {row['stated']} %" if ", " in row["claim"] else str(row["claim"])
