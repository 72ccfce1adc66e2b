"""What a user's cells are perhaps not meant to be: proportions, totals, parts above the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesmig.printed import multiplier

PARTS = ("internal_migration", "mortality", "non_follow_up")  # of those not matched
ALL = re.compile(r"^(all|total|both|any|overall|everyone)\b|\b(total|combined)$", re.IGNORECASE)
ALIKE = np.log(1.25)  # of sample sizes: a total's is the sum of the others', about
FEWEST = 3  # percentages to judge by
OFTEN = 0.9  # of the percentages are means of the others, to half a standard error
SHOWN = 3


def doubts(data: xr.Dataset, factors: Sequence[str]) -> Iterator[str]:
    """Say what is doubtful of cells, a sentence each.

    Parameters
    ----------
    data : Dataset
        Cells as `data.read` arranges them.
    factors : sequence of str
        Coordinates of the cells that make up the table.
    """
    highest = float(data.estimate.max())
    if highest <= 1:
        yield (
            f"no estimate exceeds one (the highest is {highest:g}): percentages are expected, "
            "30.7 and not 0.307"
        )
    for factor in factors:
        levels = [str(level) for level in dict.fromkeys(data[factor].values.tolist())]
        for level in levels:
            why = (
                "by its name" if ALL.search(level) else _total(data, factors, factor, levels, level)
            )
            if why:
                yield (
                    f"{factor} {level!r} looks like a total of other levels ({why}): its people "
                    "would count twice; leave its rows out"
                )
    yield from _above_the_whole(data)


def _total(
    data: xr.Dataset, factors: Sequence[str], factor: str, levels: Sequence[str], level: str
) -> str:
    """Say of which levels one looks like the sum; empty if of none.

    Tried are all others, and those that come next before or after it.  The sample behind a
    percentage p with standard error s has about p (100 - p) / s^2 people; that of a total is
    the sum of the others', and its percentage their mean.
    """
    at, many = levels.index(level), len(levels)
    runs = [[*levels[:at], *levels[at + 1 :]]]
    runs += [list(levels[at + 1 : end]) for end in range(at + 3, many + 1)]
    runs += [list(levels[start:at]) for start in range(at - 1)]
    of_cell, others = data[factor].values.astype(str), [f for f in factors if f != factor]
    keys = np.array(["|".join(str(data[f].values[i]) for f in others) for i in range(len(of_cell))])
    for run in (run for run in runs if len(run) > 1):
        blocks = [
            (here & (of_cell == level), here & np.isin(of_cell, run))
            for here in (keys == key for key in dict.fromkeys(keys.tolist()))
        ]
        whole = [(w, p) for w, p in blocks if w.sum() == 1 and p.sum() == len(run)]
        if whole and _is_sum(data, whole):
            shown = ", ".join(run[:SHOWN]) + (", ..." if len(run) > SHOWN else "")
            return f"its numbers are the means of {shown}, and its sample their sum"
    return ""


def _is_sum(data: xr.Dataset, blocks: Sequence[tuple[NDArray[Any], NDArray[Any]]]) -> bool:
    """Whether in each block one cell has the sum of the samples of others, and their means."""
    estimate, size, error = _sizes(data)
    ratios, distances = [], []
    for whole, parts in blocks:
        total = size[parts].sum(0)
        mean = (size[parts] * estimate[parts]).sum(0) / total
        ratios.append(np.log(size[whole][0] / total))
        distances.append(np.abs(estimate[whole][0] - mean) / np.maximum(error[whole][0] / 2, 0.1))
    known = np.isfinite(ratios)
    if known.sum() < FEWEST or np.median(np.abs(np.array(ratios)[known])) > ALIKE:
        return False
    return bool((np.array(distances)[known] <= 1).mean() > OFTEN)


def _sizes(data: xr.Dataset) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Estimates, sizes of the samples behind them and standard errors (cell, component)."""
    at = data.sel(component=["non_match", *PARTS]).transpose("cell", "component", ...)
    estimate = at.estimate.values
    error = (at.ci_high - at.ci_low).values / (2 * multiplier(float(data.attrs["ci_prob"])))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(
            (error > 0) & (estimate > 0) & (estimate < 100),
            estimate * (100 - estimate) / error**2,
            np.nan,
        )
    return estimate, size, error


def _above_the_whole(data: xr.Dataset) -> Iterator[str]:
    """Name the cells whose parts exceed all who were not matched by more than their error."""
    parts = data.sel(component=list(PARTS))
    whole = data.sel(component="non_match")
    excess = parts.estimate.sum("component") - whole.estimate
    half = (data.ci_high - data.ci_low) / 2
    squares = (half.sel(component=list(PARTS)) ** 2).sum("component")
    error = np.sqrt(squares + half.sel(component="non_match") ** 2)
    cells = data.cell.values[(excess > error).values].tolist()
    if cells:
        more = f" and {len(cells) - SHOWN} more" if len(cells) > SHOWN else ""
        worst = float(excess.max())
        yield (
            f"those who moved, died or were lost for other reasons are more than all who were not "
            f"matched, by up to {worst:.1f} percent and by more than their intervals allow: "
            f"{'; '.join(cells[:SHOWN])}{more}"
        )
