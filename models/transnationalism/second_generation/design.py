"""What the graph of rates looks up, and coordinates in which totals are one number each."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from numpy.typing import NDArray
from pymc.distributions.transforms import Transform

from bayesmig.factors import zero_sum_basis


@dataclass(frozen=True)
class Design:
    """Arrays of a table of rates.

    Attributes
    ----------
    coords : dict
    percent, half_unit, size : ndarray (group, measure)
    total, total_half_unit : ndarray (measure), or None
    basis : ndarray (group, contrast)
        Of what sums to zero over the groups; standard normal numbers make variances of one.
    """

    coords: dict[str, list[str]]
    percent: NDArray[np.float64]
    half_unit: NDArray[np.float64]
    size: NDArray[np.float64]
    total: NDArray[np.float64] | None
    total_half_unit: NDArray[np.float64]
    basis: NDArray[np.float64]


def design(data: xr.Dataset) -> Design:
    """Return the arrays of data as `data.from_frame` makes them."""
    total, groups = data["total"].values, data.sizes["group"]
    coords = {name: [str(x) for x in data[name].values] for name in ("group", "measure")}
    return Design(
        {**coords, "contrast": [f"contrast {k + 1}" for k in range(groups - 1)]},
        data["percent"].values,
        data["half_unit"].values,
        data["sample_size"].values,
        None if np.isnan(total).any() else total,
        data["total_half_unit"].values,
        zero_sum_basis(groups) * np.sqrt(groups / (groups - 1)),
    )


def pairs(measures: list[str]) -> list[tuple[str, str]]:
    """Return each two measures once."""
    return list(combinations(measures, 2))


class Balanced(Transform):
    """Log sizes of groups in coordinates of which the first says how a measure's total lies.

    A total T is a mean of rates x with sizes n as weights just if the groups above it
    outweigh those below: sum of n (x - T) over the first is A, of n (T - x) over the second
    B, and A = B.  The posterior of the sizes is a thin curved sheet around A = B.  Moving the
    log sizes of all groups above up by s and of all below down by s moves log A - log B by
    2 s, exactly; so log A - log B can take the place of that direction, with a Jacobian of
    one, and the sheet is flat.  A reflection then makes it the first coordinate.

    Attributes
    ----------
    far : pm.Data (group, measure)
        Guessed size times the distance of the rate from the total.
    side : pm.Data (group, measure)
        One above, minus one below, over the root of the number of both.
    mirror : pm.Data (measure, group, group)
    """

    name = "balanced"

    def __init__(self, table: Design, total: NDArray[np.float64]):
        distance = table.percent - total
        sign = np.sign(distance)
        side = sign / np.sqrt((sign**2).sum(0))
        self.far = pm.Data("size_from_total", table.size * abs(distance))
        self.above = pm.Data("above_total", (sign > 0).astype(float))
        self.below = pm.Data("below_total", (sign < 0).astype(float))
        self.side = pm.Data("side_of_total", side)
        self.half_norm = pm.Data("side_half_norm", np.sqrt((sign**2).sum(0)) / 2)
        self.mirror = pm.Data("size_mirror", np.stack([_mirror(u) for u in side.T]))
        self.data = (self.far, self.above, self.below, self.side, self.half_norm, self.mirror)

    def balance(self, value: Any) -> Any:
        """Log A - log B of each measure, of log ratios of size to guess (group, measure)."""
        weight = self.far * pt.exp(value)
        return pt.log((weight * self.above).sum(0)) - pt.log((weight * self.below).sum(0))

    def forward(self, value: Any, *inputs: Any) -> Any:
        """From log sizes to coordinates."""
        along = (self.side * value).sum(0)
        new = self.half_norm * self.balance(value)
        return self._reflect(value + self.side * (new - along)[None, :])

    def backward(self, value: Any, *inputs: Any) -> Any:
        """From coordinates to log sizes."""
        straight = self._reflect(value)
        new = (self.side * straight).sum(0)
        flat = straight - self.side * new[None, :]
        return flat + self.side * (new - self.half_norm * self.balance(flat))[None, :]

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Zero: the map keeps volumes."""
        return pt.zeros_like(value)

    def _reflect(self, value: Any) -> Any:
        return (self.mirror * value.T[:, None, :]).sum(-1).T


def _mirror(unit: NDArray[np.float64]) -> NDArray[np.float64]:
    """The reflection that takes a unit vector to the first axis, and back."""
    normal = unit.copy()
    normal[0] -= 1
    square = normal @ normal
    eye = np.eye(len(unit))
    return eye if square == 0 else eye - 2 * np.outer(normal, normal) / square
