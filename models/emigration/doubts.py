"""What a user's cells are perhaps not meant to be: proportions, totals, parts above the whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

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
        blocks = _blocks(data, factors, factor)
        for at, level in enumerate(blocks.levels):
            why = "by its name" if ALL.search(level) else _total(blocks, at)
            if why:
                yield (
                    f"{factor} {level!r} looks like a total of other levels ({why}): its people "
                    "would count twice; leave its rows out"
                )
    yield from _above_the_whole(data)


class _Blocks(NamedTuple):
    """Cells by the other factors' labels (block), one factor's levels and component.

    ``there`` (block, level) says which cells there are; ``estimate``, ``size`` and ``error``
    (block, level, component) are as of `_sizes`, NaN where there is no cell.
    """

    levels: list[str]
    there: NDArray[Any]
    estimate: NDArray[Any]
    size: NDArray[Any]
    error: NDArray[Any]


def _blocks(data: xr.Dataset, factors: Sequence[str], factor: str) -> _Blocks:
    others = [data[f].values.astype(str).tolist() for f in factors if f != factor]
    keys = list(zip(*others, strict=True)) if others else [()] * data.sizes["cell"]
    of_cell = data[factor].values.astype(str).tolist()
    levels, blocks = list(dict.fromkeys(of_cell)), list(dict.fromkeys(keys))
    at = [blocks.index(key) for key in keys], [levels.index(level) for level in of_cell]
    numbers = _sizes(data)
    tables = [np.full((len(blocks), len(levels), n.shape[1]), np.nan) for n in numbers]
    for table, number in zip(tables, numbers, strict=True):
        table[at] = number
    there = np.zeros((len(blocks), len(levels)), bool)
    there[at] = True
    return _Blocks(levels, there, *tables)


def _total(blocks: _Blocks, at: int) -> str:
    """Say of which levels one looks like the sum; empty if of none.

    Tried are all others, and those that come next before or after it.  The sample behind a
    percentage p with standard error s has about p (100 - p) / s^2 people; that of a total is
    the sum of the others', and its percentage their mean.
    """
    level = np.arange(len(blocks.levels))
    runs = [level != at]
    runs += [(level > at) & (level < end) for end in range(at + 3, len(level) + 1)]
    runs += [(level >= start) & (level < at) for start in range(at - 1)]
    run = np.array([r for r in runs if r.sum() > 1]).reshape(-1, len(level))
    size, mean = _summed(blocks, run)
    whole = (blocks.there.astype(int) @ run.T == run.sum(1)).T & blocks.there[:, at]  # (run, block)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.abs(np.log(blocks.size[:, at] / size))
        error = np.maximum(blocks.error[:, at] / 2, 0.1)
        near = np.abs(blocks.estimate[:, at] - mean) / error <= 1
    known = np.isfinite(ratio) & whole[..., None]
    for which, of in enumerate(known):
        if of.sum() < FEWEST or np.median(ratio[which][of]) > ALIKE:
            continue
        if near[which][of].mean() > OFTEN:
            parts = [blocks.levels[i] for i in np.flatnonzero(run[which])]
            shown = ", ".join(parts[:SHOWN]) + (", ..." if len(parts) > SHOWN else "")
            return f"its numbers are the means of {shown}, and its sample their sum"
    return ""


def _summed(blocks: _Blocks, run: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Sizes of runs of levels, and their means weighted by size (run, block, component)."""
    unknown = np.einsum("rl,blc->rbc", run, np.isnan(blocks.size)) > 0
    size = np.einsum("rl,blc->rbc", run, np.nan_to_num(blocks.size))
    sums = np.einsum("rl,blc->rbc", run, np.nan_to_num(blocks.size * blocks.estimate))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(unknown, np.nan, size), sums / size


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
