"""Cells that no table has: what the factors' effects say of any combination of their levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.emigration.data import factor_names
from bayesmig.models.emigration.design import FATES, design
from bayesmig.models.emigration.estimands import UNITS, estimands
from bayesmig.prediction import draw_labels, thinned
from bayesmig.saving import data_of

NODES = 21  # of the quadrature over a cell's own term


def people(fitted: xr.DataTree) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the cells' factors, and a one for each: a table does not say how large they are."""
    data = _cells(fitted)
    columns = {f: data[f].values.astype(str) for f in factor_names(data)}
    table = pd.DataFrame({f: pd.Categorical(v, list(dict.fromkeys(v))) for f, v in columns.items()})
    return table, np.ones(data.sizes["cell"])


def bounds(fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
    """No factor is a number."""
    return {}


def expected(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return the columns of the report's tables (draw, person, outcome), percent a year.

    A cell is what its factors' effects add up to, and a term of its own.  ``group``
    "average" is the mean over that term, "new" draws one for each draw and cell, "own" takes
    each cell's, which the table must have, and the label of a cell takes that cell's for all.
    """
    data, share = _cells(fitted), _hazards(fitted, table, group, draws, seed)
    point = xr.Dataset(
        {
            "share": (("draw", "person", "fate"), _shares(share)),
            "return_immigration": (("draw", "person"), share[..., 4]),
        },
        coords={"draw": np.arange(len(share)), "fate": list(FATES)},
    )
    found = estimands(point, data).to_array("outcome", name="percent")
    return found.transpose("draw", "person", "outcome").assign_attrs(units=UNITS)


def drawn(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return the fate (draw, person) of one person of each cell."""
    share = _shares(_hazards(fitted, table, group, draws, seed))
    chance = xr.DataArray(share, {"fate": list(FATES)}, ("draw", "person", "fate"))
    return draw_labels(chance, "fate", seed)


def _cells(fitted: xr.DataTree) -> xr.Dataset:
    data = data_of(fitted, "the cells")
    if not factor_names(data):
        raise StudyError("the fit has one cell only: no factor could be another")
    return data


def _hazards(
    fitted: xr.DataTree, table: pd.DataFrame, group: str, draws: int, seed: int
) -> NDArray[np.float64]:
    """Hazards (draw, person, outcome) of the graph, of other cells."""
    data = _cells(fitted)
    flat = thinned(fitted["posterior"].to_dataset(), draws)
    levels = _levels(data, table)
    mean = flat["intercept"].values[:, None] + flat["level_effect"].values[:, levels].sum(2)
    if "cell_scale" not in flat:  # one factor: its levels are the cells
        return _invlogit(mean)
    scale = flat["cell_scale"].values[:, None]
    if group == "average":
        nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
        each = _invlogit(mean[..., None] + scale[..., None] * nodes)
        return (each * weights).sum(-1) / weights.sum()
    if group == "new":
        return _invlogit(mean + scale * np.random.default_rng(seed).normal(size=mean.shape))
    own, _ = people(fitted)
    additive = flat["intercept"].values[:, None]
    additive = additive + flat["level_effect"].values[:, _levels(data, own)].sum(2)
    term = flat["cell_logit"].values - additive
    return _invlogit(mean + term[:, _known(data, levels, _levels(data, own), group)])


def _levels(data: xr.Dataset, table: pd.DataFrame) -> NDArray[np.int64]:
    """Number of each cell's level (person, factor) among the levels of all factors."""
    factors, labels = factor_names(data), design(data).coords["level"]
    lacking = [factor for factor in factors if factor not in table]
    if lacking:
        raise DataError(f"these cells lack the factor {lacking[0]!r}; it has {', '.join(factors)}")
    found = np.empty((len(table), len(factors)), dtype=np.int64)
    for k, factor in enumerate(factors):
        valid = list(dict.fromkeys(data[factor].values.astype(str).tolist()))
        for i, value in enumerate(table[factor].astype(object)):
            if str(value) not in valid:
                raise DataError(f"{factor}: {unknown('level', value, valid)}")
            found[i, k] = labels.index(f"{factor} {value}")
    return found


def _known(
    data: xr.Dataset, asked: NDArray[np.int64], own: NDArray[np.int64], group: str
) -> NDArray[np.int64]:
    """Number of the cell whose own term each takes."""
    cells = [str(cell) for cell in data["cell"].values]
    if group != "own":
        if group not in cells:
            raise StudyError(unknown("group", group, ["average", "new", "own", *cells]))
        return np.full(len(asked), cells.index(group))
    number = {tuple(row): i for i, row in enumerate(own.tolist())}
    for i, row in enumerate(asked.tolist()):
        if tuple(row) not in number:
            words = ", ".join(design(data).coords["level"][j] for j in row)
            raise DataError(
                f"cell {i} ({words}) is none of the fit's: group='average' or 'new' for it"
            )
    return np.array([number[tuple(row)] for row in asked.tolist()])


def _shares(hazard: NDArray[Any]) -> NDArray[np.float64]:
    """Shares of the fates: emigrate, else die, else move, else be lost, else be followed."""
    left = np.cumprod(1 - hazard[..., :4], axis=-1)
    before = np.concatenate([np.ones_like(left[..., :1]), left], axis=-1)
    return before * np.concatenate([hazard[..., :4], np.ones_like(left[..., :1])], axis=-1)


def _invlogit(logit: NDArray[Any]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logit))
