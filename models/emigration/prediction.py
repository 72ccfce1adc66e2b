"""Cells that no table has: what the factors' effects say of any combination of their levels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp
from scipy.stats import norm

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.emigration import graph
from bayesmig.models.emigration.data import factor_names
from bayesmig.models.emigration.design import FATES, design, native_rates, observations
from bayesmig.models.emigration.estimands import UNITS, estimands
from bayesmig.prediction import draw_labels, thinned
from bayesmig.ready import built_from
from bayesmig.saving import data_of

NODES = 21  # of the quadrature over a cell's own term
TERMS = 1000  # own terms of a cell that is left out, for each draw of the parameters


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


def groups(fitted: xr.DataTree) -> list[str]:
    """Return the cells that can be left out: all of whose levels are in other cells, too.

    Raises
    ------
    StudyError
        If there is none, as in a table of one factor.
    """
    data = _cells(fitted)
    names = factor_names(data)
    counts = [pd.Series(data[f].values.astype(str)) for f in names]
    others = np.all([each.map(each.value_counts()) > 1 for each in counts], axis=0)
    if len(names) < 2 or not others.any():
        raise StudyError(
            f"no cell can be left out: each is the only one of a level of {' or '.join(names)}, of "
            "which nothing would be known"
        )
    return [str(cell) for cell in data["cell"].values[others]]


def split(fitted: xr.DataTree, groups: Sequence[str]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the other cells, and the cells named.

    Raises
    ------
    StudyError
        If the other cells lack a level.
    """
    data = _cells(fitted)
    out = np.isin(data["cell"].values.astype(str), list(groups))
    kept, left = (data.isel(cell=np.flatnonzero(rows)) for rows in (~out, out))
    for factor in factor_names(data):
        lacking = set(left[factor].values.tolist()) - set(kept[factor].values.tolist())
        if lacking:
            raise StudyError(
                f"without {', '.join(groups)} no cell is left of {factor} {', '.join(lacking)}: "
                "more folds, or others by seed="
            )
    title = data.attrs["title"]
    return (
        kept.assign_attrs(title=f"{title}, without {len(groups)} cells"),
        left.assign_attrs(title=f"{title}, {len(groups)} cells left out"),
    )


def held_out(fitted: xr.DataTree, data: xr.Dataset, *, draws: int, seed: int) -> xr.DataArray:
    """Return the log predictive density (group) of each of other cells: its five numbers together.

    The mean of the density over draws of the parameters, and of `TERMS` own terms for each.

    Parameters
    ----------
    fitted : DataTree
    data : Dataset
        Cells of the fit's levels that the fit has not.
    draws : int
        Of the posterior, thinned from all.
    seed : int
        Of the own terms.
    """
    options = built_from(fitted).options
    flat = thinned(fitted["posterior"].to_dataset(), draws)
    table = pd.DataFrame({factor: data[factor].values for factor in factor_names(_cells(fitted))})
    mean = _additive(flat, _levels(_cells(fitted), table))
    scale = flat["cell_scale"].values[:, None]
    rng = np.random.default_rng(seed)
    alone = data.assign_attrs(factors="")  # what is printed of them; a level may be the only one
    observed = observations(alone, options["residual_inflation"])
    known = [_known_of(data.isel(cell=[k]), flat) for k in range(data.sizes["cell"])]
    compute = _printing(options["residual"], list(known[0]))
    found = []
    for k in range(data.sizes["cell"]):
        terms = rng.normal(size=(TERMS, *mean[:, k].shape))
        hazard = _invlogit(mean[:, k] + scale[:, 0] * terms)
        more = [np.tile(x, TERMS) for x in known[k].values()]
        printed = compute(hazard.reshape(-1, hazard.shape[-1]), *more)
        density = censored(
            observed.estimate[k], printed, observed.standard_error[k], observed.bound[k]
        ).sum(-1)
        found.append(logsumexp(density) - np.log(density.size))
    return xr.DataArray(found, {"group": data["cell"].values.astype(str)}, name="log_density")


def censored(
    estimate: NDArray[np.float64],
    expected: NDArray[np.float64],
    error: NDArray[np.float64],
    bound: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the log density of printed numbers, and the log probability of "below the bound"."""
    below = np.isfinite(bound)
    at = np.where(below, bound, estimate)
    return np.where(below, norm.logcdf(at, expected, error), norm.logpdf(at, expected, error))


def _printing(residual: graph.Residual, asked: Sequence[str]) -> Callable[..., Any]:
    """Return what the graph expects to be printed (row, component) of hazards (row, outcome)."""
    import pytensor
    import pytensor.tensor as pt

    at, more = pt.matrix("hazard"), {name: pt.vector(name) for name in asked}
    expected = graph.expected(at, residual=residual, **more)
    compute: Callable[..., Any] = pytensor.function(
        [at, *more.values()], expected, mode="FAST_COMPILE"
    )
    return compute


def _known_of(cell: xr.Dataset, flat: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """What else the graph knows of one cell (sample): the second generation's emigration, a gap."""
    known = {}
    if "native_rate_log_ratio" in flat:
        known["second"] = native_rates(cell) * np.exp(flat["native_rate_log_ratio"].values)
    if "generation_gap" in flat:
        known["gap"] = flat["generation_gap"].values
    return known


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
    mean = _additive(flat, levels)
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
    term = flat["cell_logit"].values - _additive(flat, _levels(data, own))
    return _invlogit(mean + term[:, _known(data, levels, _levels(data, own), group)])


def _additive(flat: xr.Dataset, levels: NDArray[np.int64]) -> NDArray[np.float64]:
    """What the effects of levels (cell, factor) add up to: logits (sample, cell, outcome)."""
    found = flat["intercept"].values[:, None] + flat["level_effect"].values[:, levels].sum(2)
    return np.asarray(found)


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
