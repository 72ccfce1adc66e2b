"""Data of known truth: returns counted among people who each return or do not."""

from __future__ import annotations

import numpy as np
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.truth import attach

from .data import example

RATES = {"with papers": 0.08, "naturalised": 0.05, "without papers": 0.2}  # ours, not printed


def simulate(
    truth: xr.Dataset | None = None, *, seed: int = 0, people: int | None = None
) -> xr.Dataset:
    """Simulate the returns of groups; the data carry their truth.

    Parameters
    ----------
    truth : Dataset, optional
        ``rate`` (group), probabilities.
    seed : int
    people : int, optional
        Of each group; as many as Table 1 counts by default, 100 in other groups.

    Raises
    ------
    DataError
        If a rate is no probability, or a group has nobody.
    """
    if people is not None and people < 1:
        raise DataError(f"simulate: people must be from 1 on, got {people!r}")
    if truth is None:
        truth = xr.Dataset({"rate": ("group", list(RATES.values()))}, {"group": list(RATES)})
    rates = truth["rate"].values
    if not np.all((rates >= 0) & (rates <= 1)):
        raise DataError(f"simulate: a rate is a probability, got {rates.tolist()}")
    printed = example()["people"].reindex(group=truth["group"], fill_value=100)
    size = printed.values if people is None else np.full(len(rates), people)
    returned = np.random.default_rng(seed).binomial(size, rates)
    data = xr.Dataset(
        {"people": ("group", size), "returned": ("group", returned)},
        coords={"group": truth["group"]},
        attrs={"title": f"simulated groups, seed {seed}", "synthetic": 1, "left_out": ""},
    )
    return attach(data, truth[["rate"]])
