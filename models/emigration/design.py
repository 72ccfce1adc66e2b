"""What the graph of the cells observes, and what it looks up."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from bayesmig.errors import DataError
from bayesmig.factors import block_diagonal, zero_sum_basis
from bayesmig.models.emigration.data import (
    NUMBERS,
    OBSERVED,
    PUBLISHED,
    factor_names,
    printed_as_zero,
    validate,
)
from bayesmig.printed import multiplier
from bayesmig.printed import read as read_published

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

FATES = ("emigrated", "died", "moved", "lost", "followed")
FOREIGN_BORN, ADULTS_SECOND = 77_491, 48_694  # persons in the samples (report, Data section)
INFLATION = float(np.sqrt(FOREIGN_BORN / ADULTS_SECOND))  # of non-follow-up's error, whole sample
BY_LEVEL: Literal["by_level"] = "by_level"
ROUNDING = 0.1  # percent: the tables print one decimal
# Appendix F, a proportion a year, by sex and five-year age group (0: 0-4, ..., 15: 75 and over)
NATIVE_RATES = read_published(PUBLISHED / "native_rates.csv").set_index(["sex", "age_group"]).rate


@dataclass(frozen=True)
class Observations:
    """What the graph observes, percent: arrays (cell, component) in the order of `OBSERVED`.

    Attributes
    ----------
    estimate : ndarray
        The printed number, or the bound where only "below the bound" is known.
    standard_error : ndarray
        From the printed interval, with the rounding of the estimate in quadrature.
    bound : ndarray
        Half a decimal for numbers printed as 0.0 (0.0, 0.0), minus infinity otherwise.
    """

    estimate: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    bound: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Factors of a table and an orthonormal basis of their zero-sum effects.

    Attributes
    ----------
    coords : dict
        Coordinates of the graph: cell, component, and with factors also factor, level
        ("age 15-24") and contrast.
    factors : tuple of str
        Names of the factors with more than one level.
    contrast_factor : ndarray of int (contrast)
        Which factor a contrast belongs to.
    level_contrast : ndarray (level, contrast)
        Effects of the levels per unit of each contrast; each factor's sum to zero.
    cell_contrast : ndarray (cell, contrast)
        The same, for the levels that make up each cell.
    """

    coords: dict[str, list[str]]
    factors: tuple[str, ...]
    contrast_factor: NDArray[np.int64]
    level_contrast: NDArray[np.float64]
    cell_contrast: NDArray[np.float64]


def observations(
    data: xr.Dataset, residual_inflation: float | Literal["by_level"] = BY_LEVEL
) -> Observations:
    """Return what the graph observes, with standard errors from the printed intervals.

    Parameters
    ----------
    data : Dataset
    residual_inflation : float or "by_level"
        Factor on the standard error of non-follow-up; or that error as the data have it in
        ``residual_error``, and `INFLATION` where they have none.

    Raises
    ------
    DataError
        For errors that are no positive percentages.
    """
    cells = validate(data)
    data = cells[list(NUMBERS)].transpose("cell", "component").sel(component=list(OBSERVED))
    z = multiplier(float(data.attrs["ci_prob"]))
    error = (data.ci_high - data.ci_low).values / (2 * z)
    residual = np.array(OBSERVED) == "non_follow_up"
    if residual_inflation == BY_LEVEL and "residual_error" in cells:
        own = cells["residual_error"].values
        if own.shape != (data.sizes["cell"],) or not (np.isfinite(own) & (own > 0)).all():
            raise DataError("residual_error must be a positive percentage for each cell")
        error[:, residual] = own[:, None]
    else:
        error[:, residual] *= INFLATION if residual_inflation == BY_LEVEL else residual_inflation
    zero = printed_as_zero(data).values
    bound = np.where(zero, ROUNDING / 2, -np.inf)
    return Observations(
        np.where(zero, bound, data.estimate.values),
        np.sqrt(error**2 + ROUNDING**2 / 12),
        bound,
    )


def design(data: xr.Dataset) -> Design:
    """Return the factors of the cells and a basis of their zero-sum effects."""
    factors = factor_names(data)
    labels: list[str] = []
    owner: list[int] = []
    blocks, rows = [], []
    for k, factor in enumerate(factors):
        values = data[factor].values.astype(str)
        levels = list(dict.fromkeys(values))
        basis = zero_sum_basis(len(levels))
        blocks.append(basis)
        rows.append(basis[[levels.index(v) for v in values]])
        labels += [f"{factor} {level}" for level in levels]
        owner += [k] * (len(levels) - 1)
    coords = {"cell": [str(c) for c in data.cell.values], "component": list(OBSERVED)}
    if not factors:
        without = np.zeros((data.sizes["cell"], 0))
        return Design(coords, (), np.zeros(0, int), np.zeros((0, 0)), without)
    coords |= {
        "factor": list(factors),
        "level": labels,
        "contrast": [f"{factors[k]} {i}" for i, k in enumerate(owner)],
    }
    return Design(
        coords, factors, np.array(owner), block_diagonal(blocks), np.concatenate(rows, axis=1)
    )


def native_rates(data: xr.Dataset) -> NDArray[np.float64]:
    """Native emigration rates of Appendix F for each cell, a year, as proportions (cell,).

    Plain means over the five-year age groups and sexes that the cell covers: the
    report gives no native population to weight them by.
    """
    cells = []
    for cell in data.cell.values:
        at = data.sel(cell=cell).coords
        sexes = [str(at["sex"].item()).lower()] if "sex" in at else ["male", "female"]
        groups = _age_groups(str(at["age"].item())) if "age" in at else range(16)
        try:
            cells.append(np.mean([NATIVE_RATES[sex, group] for sex in sexes for group in groups]))
        except KeyError:
            raise DataError(
                f"cell {cell!r}: no native rate for sex {sexes[0]!r}; valid: Male, Female"
            ) from None
    return np.array(cells)


def _age_groups(label: str) -> range:
    """Five-year groups of Appendix F (0: 0-4, ..., 15: 75 and over) that an age label covers."""
    bounds = re.fullmatch(r"(\d+)(?:-(\d+)|\+)", label)
    if bounds is None:
        raise DataError(f"age {label!r} is neither like '15-24' nor like '65+'")
    low, high = int(bounds[1]), int(bounds[2] or 200)
    if high < low:
        raise DataError(f"age {label!r} ends before it begins")
    return range(min(low // 5, 15), min(high // 5, 15) + 1)
