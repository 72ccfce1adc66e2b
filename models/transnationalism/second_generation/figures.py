"""The essay's statements on groups as posterior probabilities, as a table and drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import StudyError
from bayesmig.models.transnationalism.printed import table
from bayesmig.models.transnationalism.statements import MARGINS, margin

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
        ``printed`` (whether it is true of the rates as printed) and ``probability``.

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
        drawn = fitted["estimands"]["rate"]
        printed = fitted["data"]["percent"]
        for claim in table("claims").astype(str).to_dict("records"):
            if claim["table"] != str(number) or claim["kind"] not in MARGINS:
                continue
            margins = margin(claim, lambda g, m, x=drawn: x.sel(group=g, measure=m).values)
            as_printed = margin(claim, lambda g, m, x=printed: float(x.sel(group=g, measure=m)))
            rows.append(
                {
                    "claim": claim["claim"],
                    "quote": claim["quote"],
                    "place": claim["source"].partition("), ")[2],
                    "printed": bool(as_printed >= -ROUNDED),
                    "probability": float(np.mean(margins >= 0)),
                }
            )
    return pd.DataFrame(rows)


ROUNDED = 0.05  # percent: the tables print one decimal


def plot_claims(found: pd.DataFrame) -> Any:
    """Draw the probabilities of statements; those untrue of the printed rates are hollow.

    Parameters
    ----------
    found : DataFrame
        As `claims` returns it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    import matplotlib.pyplot as plt

    places = list(dict.fromkeys(found.place))
    figure, axes = plt.subplots(figsize=(9, 0.32 * len(found) + 1.2), layout="constrained")
    at = np.arange(len(found))[::-1]
    colours = dict(zip(places, ("#1f5a8a", "#b0522d"), strict=False))
    for place in places:
        rows = (found.place == place).to_numpy()
        colour = colours.get(place, "#444444")
        axes.hlines(at[rows], 0, found.probability[rows], color=colour, lw=1.2)
        for true, face in ((True, colour), (False, "white")):
            those = rows & (found.printed == true).to_numpy()
            axes.plot(
                found.probability[those], at[those], "o", color=colour, mfc=face, ms=7,
                label=f"{place}, {'' if true else 'not '}true as printed" if those.any() else None,
            )  # fmt: skip
    axes.set_yticks(at, found.claim)
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("posterior probability that it is true of the groups, not only of the sample")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
