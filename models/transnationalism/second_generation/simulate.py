"""Samples of known rates, counted and printed: SYNTHETIC."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.models.transnationalism.second_generation.data import (
    REFERENCES,
    TOTALS,
    Tables,
    example,
    from_frame,
)
from bayesmig.truth import attach

LEAST = 0.0002  # a rate where 0.0 is printed


def simulate(truth: Any = None, *, seed: int = 0, table: Tables = 4) -> xr.Dataset:
    """Ask whole numbers of people, count, and print percentages and totals to one decimal.

    Parameters
    ----------
    truth : Dataset, optional
        ``rate`` and ``sample_size`` (group, measure); by default the table's own rates and
        the sizes of ``sizes.csv``.
    seed : int
    table : {3, 4}

    Returns
    -------
    Dataset
        As `data.from_frame`, with the truth; its sizes are the guesses, not the true ones.
    """
    like = example(table)
    if truth is None:
        truth = xr.Dataset(
            {
                "rate": (like["percent"] / 100).clip(LEAST, 1 - LEAST),
                "sample_size": like["sample_size"].round(),
            }
        )
    truth = truth.sel(group=like.group, measure=like.measure)
    rng = np.random.default_rng(seed)
    n = truth["sample_size"].round().astype(int)
    count = xr.zeros_like(n) + rng.binomial(n.values, truth["rate"].values)
    rows = [
        (g, m, f"{100 * count.sel(group=g, measure=m) / n.sel(group=g, measure=m):.1f}",
         float(like["sample_size"].sel(group=g, measure=m)))
        for g in map(str, like.group.values) for m in map(str, like.measure.values)
    ]  # fmt: skip
    if not np.isnan(like["total"]).any():
        share = 100 * count.sum("group") / n.sum("group")
        rows += [
            (TOTALS, m, f"{share.sel(measure=m):.1f}", 0.0) for m in map(str, like.measure.values)
        ]
    frame = pd.DataFrame(rows, columns=["group", "measure", "percent", "sample_size"])
    data = from_frame(frame)
    data = data.drop_vars("reference").assign_coords(reference=list(REFERENCES[table]))
    data = data.assign_attrs(
        title=f"SYNTHETIC samples of known rates, printed as Table {table}", table=table
    )
    return attach(data, truth)
