"""Cells of known truth, printed with the errors of the report's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.models.emigration.data import OBSERVED, example
from bayesmig.models.emigration.design import observations
from bayesmig.truth import attach


def simulate(
    truth: xr.Dataset | None = None, *, seed: int = 0, table: int | Sequence[int] = (10, 11)
) -> xr.Dataset:
    """Simulate the printed cells of a table from known shares, with the printed errors.

    Parameters
    ----------
    truth : Dataset, optional
        ``share`` (cell, fate) and ``return_immigration`` (cell), proportions.  By
        default the report's own estimates, negative ones raised to 0.1 %.
    seed : int
    table : int or sequence of int
        Whose cells and standard errors to take.

    Returns
    -------
    Dataset
        Like `data.example`, with its truth (`bayesmig.truth.of`).

    Raises
    ------
    DataError
        For another table, or a truth that is none of its cells.
    """
    printed = example(table)
    truth = printed_shares(printed) if truth is None else _checked_truth(truth, printed)
    means = expected_components(truth)
    observed = observations(printed)
    rng = np.random.default_rng(seed)
    noisy = means.transpose("cell", "component").values + rng.normal(0, observed.standard_error)
    rounded = np.round(noisy, 1)
    rounded = np.where(np.isfinite(observed.bound) & (rounded <= observed.bound), 0.0, rounded)
    half = (printed.ci_high - printed.ci_low) / 2
    estimate = printed.estimate.copy()
    estimate.loc[{"component": list(OBSERVED)}] = rounded
    lost = estimate.sel(component=["internal_migration", "mortality", "non_follow_up"])
    emigration = estimate.sel(component="non_match") - lost.sum("component")
    net = emigration - estimate.sel(component="return_immigration")
    estimate.loc[{"component": "emigration"}] = emigration
    estimate.loc[{"component": "net_emigration"}] = net
    cells = printed.assign(estimate=estimate, ci_low=estimate - half, ci_high=estimate + half)
    return attach(cells, truth).assign_attrs(
        title=f"SYNTHETIC cells, laid out as {printed.attrs['title']}", seed=seed
    )


def _checked_truth(truth: xr.Dataset, printed: xr.Dataset) -> xr.Dataset:
    """Return the truth for the cells of a table, if it is one."""
    lacking = [name for name in ("share", "return_immigration") if name not in truth]
    if lacking:
        raise DataError(f"the truth lacks {', '.join(lacking)}")
    absent = [cell for cell in printed.cell.values if cell not in truth.cell.values]
    if absent:
        raise DataError(f"the truth lacks the cells {', '.join(map(str, absent))}")
    truth = truth[["share", "return_immigration"]].sel(cell=printed.cell.values)
    for name in ("share", "return_immigration"):
        if not bool(((truth[name] >= 0) & (truth[name] <= 1)).all()):  # NaN is neither
            raise DataError(f"the truth's {name} must be proportions between 0 and 1")
    if not np.allclose(truth["share"].sum("fate"), 1):
        raise DataError("the truth's shares of a cell must add up to one")
    return truth


def printed_shares(data: xr.Dataset, least: float = 0.001) -> xr.Dataset:
    """Shares of the five fates by the report's own arithmetic: e = u - m - d - r.

    Parameters
    ----------
    data : Dataset
    least : float
        Shares below this are raised to it and taken from those followed up; pass
        ``-inf`` for the bare arithmetic.
    """
    percent = data.estimate
    known = {
        "died": percent.sel(component="mortality", drop=True),
        "moved": percent.sel(component="internal_migration", drop=True),
        "lost": percent.sel(component="non_follow_up", drop=True),
    }
    emigrated = percent.sel(component="non_match", drop=True) - sum(known.values())
    parts = {"emigrated": emigrated, **known}
    shares = [np.maximum(part / 100, least) for part in parts.values()]
    shares.append(1 - sum(shares))
    share = xr.concat(shares, pd.Index([*parts, "followed"], name="fate"))
    returned = percent.sel(component="return_immigration", drop=True) / 100
    return xr.Dataset(
        {
            "share": share.transpose("cell", "fate"),
            "return_immigration": np.maximum(returned, least),
        }
    )


def expected_components(truth: xr.Dataset) -> xr.DataArray:
    """Percentages that the report's five estimates have as means, under its own assumptions.

    Parameters
    ----------
    truth : Dataset
        ``share`` (..., cell, fate) and ``return_immigration`` (..., cell).

    Returns
    -------
    DataArray (..., cell, component), the components of `OBSERVED`.
    """
    share = truth["share"]

    def fate(name: str) -> xr.DataArray:
        return share.sel(fate=name, drop=True)

    parts = [
        1 - fate("followed"),
        fate("moved"),
        fate("died"),
        fate("lost"),
        truth["return_immigration"],
    ]
    return 100 * xr.concat(parts, pd.Index(OBSERVED, name="component"))
