"""Persons of any profile: what becomes of them within a year, by the graph of the panel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig import attrs
from bayesmig.errors import DataError, DataWarning, StudyError, warn
from bayesmig.models.emigration import estimands as of_cells
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.microdata.counts import profiles
from bayesmig.models.emigration.microdata.counts.design import (
    FORMULA,
    OUTCOMES,
    Design,
    design,
    factors_of,
)
from bayesmig.prediction import draw_labels, thinned
from bayesmig.saving import data_of

FORMULAS = tuple(dict.fromkeys(FORMULA.values()))


def people(fitted: xr.DataTree) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the foreign born of the panel by what they are, and the survey's weights of them."""
    data = data_of(fitted, "the persons")
    return profiles.profiles(data), data["weight"].values.astype(float)


def bounds(fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
    """No covariate is a number."""
    return {}


def expected(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return the columns of the report's tables (draw, person, outcome), percent a year."""
    point = _fates(fitted, table, group, draws)
    columns = of_cells.estimands(point, data_of(fitted, "the persons"))
    found: xr.DataArray = columns.to_array("outcome", name="percent")
    return found.transpose("draw", "person", "outcome").assign_attrs(units=of_cells.UNITS)


def drawn(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return the fate (draw, person) of each."""
    return draw_labels(_fates(fitted, table, group, draws)["share"], "fate", seed)


def _fates(fitted: xr.DataTree, table: pd.DataFrame, group: str, draws: int) -> xr.Dataset:
    """Shares of the fates (draw, person, fate) and of those who return (draw, person)."""
    if group != "average":
        raise StudyError(f"these people are in no groups: group='average', not {group!r}")
    options = attrs.unpack(fitted.attrs, "options", dict)
    formulas = {outcome: options[outcome] for outcome in FORMULAS}
    data = data_of(fitted, "the persons")
    used = {part for f in formulas.values() for name in factors_of(f) for part in name.split(":")}
    laid = design(profiles.beside(data, table, used), formulas)
    flat = thinned(fitted["posterior"].to_dataset(), draws)
    _check_levels(flat, laid)
    share = _first(Draws(flat, laid, len(table)), options["residual"])
    _warn_of_none_left(share["followed"])
    returned = share.pop("returned")
    return xr.Dataset(
        {
            "share": (("draw", "person", "fate"), np.stack([share[f] for f in FATES], axis=-1)),
            "return_immigration": (("draw", "person"), returned),
        },
        coords={"draw": np.arange(len(returned)), "fate": list(FATES)},
    )


def _warn_of_none_left(followed: NDArray[np.float64]) -> None:
    """Say where the report's identity loses more people than there are."""
    beyond = followed < 0
    if beyond.any():
        warn(
            f"{int(beyond.any(0).sum())} of {beyond.shape[1]} people are lost more often than they "
            f"are there in some of {len(beyond)} draws (u = e + d + m (1 - e - d) + r above 1); "
            "residual='hazard' cannot",
            DataWarning,
        )


def _check_levels(flat: xr.Dataset, laid: Design) -> None:
    """Refuse combinations of an interaction that no person of the fit has."""
    for outcome in OUTCOMES:
        level = f"{outcome}_level"
        known = list(map(str, flat[level].values))
        new = [label for label in laid.coords[level] if label not in known]
        if new:
            raise DataError(f"{outcome}: nobody of the fit is {new[0]!r}")
        assert laid.coords[level] == known  # else numbers would be looked up in wrong places


class Draws:
    """Draws of a fit, and what the last rows of a design look up in them."""

    def __init__(self, flat: xr.Dataset, laid: Design, rows: int):
        effects = [flat[f"{outcome}_effect"].values for outcome in OUTCOMES]
        self.number = np.concatenate([flat["intercept"].values, *effects], axis=1)
        self.laid, self.rows = laid, slice(len(laid.weight) - rows, None)
        mortality = flat["mortality"].values
        self.dying = _chances_to_die(np.pad(mortality, ((0, 0), (0, 1))), laid)
        none = np.zeros(len(mortality))
        self.native, self.gap = none, none
        if "native_rate_log_ratio" in flat:
            self.native = np.exp(flat["native_rate_log_ratio"].values)
        if "generation_gap" in flat:
            self.gap = flat["generation_gap"].values

    def chance(self, outcome: str, add: NDArray[np.float64] | float = 0.0) -> NDArray[np.float64]:
        """Probability (draw, person) of an outcome."""
        index = self.laid.index["pattern", outcome][self.rows]
        logit = np.zeros((len(self.number), len(index)))
        for column in index.T:  # one term at once: they are many rows
            logit += self.number[:, column]
        return _invlogit(logit + np.asarray(add)[..., None])

    def death(self, whose: str) -> NDArray[np.float64]:
        """Probability (draw, person) of dying, of the foreign born or as natives do."""
        group = self.laid.index["pattern", f"died_{whose}"][self.rows, 0]
        return self.laid.adult["pattern"][self.rows] * self.dying[:, group]

    def native_emigration(self) -> NDArray[np.float64]:
        """e^s (draw, person)."""
        return self.native[:, None] * self.laid.native_rate["pattern"][self.rows]


def _first(draws: Draws, residual: str) -> dict[str, NDArray[np.float64]]:
    """Fates of the foreign born (draw, person), as the graph has them."""
    emigrated, died = draws.chance("emigrated"), draws.death("first")
    moving, losing = draws.chance("moved"), draws.chance("lost", draws.gap)
    if residual == "hazard":
        died = (1 - emigrated) * died
        still = (1 - emigrated - died) * (1 - moving)
        lost = still * losing
    else:
        still = (1 - emigrated - died) * (1 - moving)
        second = 1 - draws.native_emigration() - draws.death("second")
        lost = second * (1 - draws.chance("moved_second")) * losing
    return {
        "emigrated": emigrated,
        "died": died,
        "moved": (1 - emigrated - died) * moving,
        "lost": lost,
        "followed": still - lost,
        "returned": draws.chance("returned") * (1 - emigrated - died),
    }


def _chances_to_die(mortality: NDArray[np.float64], laid: Design) -> NDArray[np.float64]:
    """Probability (draw, group) of dying, the mean over race and health if those are unknown."""
    each = laid.death_weight * _invlogit(mortality[:, laid.death_index].sum(-1))
    found = np.zeros((len(laid.death_groups), len(each)))
    np.add.at(found, laid.death_group[:, 0], each.T)
    return found.T


def _invlogit(logit: NDArray[Any]) -> NDArray[np.float64]:
    return 1 / (1 + np.exp(-logit))
