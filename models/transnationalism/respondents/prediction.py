"""What the three regressions say of other people than the respondents."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError, DataWarning, StudyError, warn
from bayesmig.models.transnationalism.respondents.design import (
    OUTCOMES,
    predictors_of,
    standardised,
)
from bayesmig.models.transnationalism.respondents.schema import SQUARE
from bayesmig.prediction import thinned
from bayesmig.saving import data_of

SQUARED = f"{SQUARE}_squared"
UNITS = "probability (economic), activities (political), level (sociocultural)"


def people(fitted: xr.DataTree) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the respondents' predictors, and a one for each; age squared follows from age.

    Warns
    -----
    DataWarning
        Counting respondents who lack a predictor of an outcome that they did not answer.
    """
    data = _respondents(fitted)
    table = pd.DataFrame(data["covariate"].values, columns=list(map(str, data.predictor.values)))
    if _follows(data):
        table = table.drop(columns=SQUARED)
    whole = table.notna().all(axis=1)
    if not whole.all():
        warn(
            f"{int((~whole).sum())} of {len(table)} respondents lack a predictor and are in no "
            "average",
            DataWarning,
        )
    table = table[whole].reset_index(drop=True)
    return table, np.ones(len(table))


def bounds(fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
    """No predictor is a spline."""
    return {}


def expected(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return what is expected of people (draw, person, outcome).

    The probability of being a transnational entrepreneur, the number of regular political
    activities, the level of the index of socio-cultural ones.
    """
    point, eta = _linear(fitted, table, group, draws)
    above = 1 - _below(point, eta["sociocultural"])
    values = [_chance(point, eta["economic"]), _mean(point, eta["political"]), above.sum(-1)]
    coords = {"draw": np.arange(len(values[0])), "outcome": list(OUTCOMES)}
    found = xr.DataArray(np.stack(values, axis=-1), coords, ("draw", "person", "outcome"))
    return found.assign_attrs(units=UNITS)


def drawn(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return answers drawn for people (draw, person, outcome)."""
    point, eta = _linear(fitted, table, group, draws)
    rng = np.random.default_rng(seed)
    alpha, mean = point["dispersion"].values[:, None], _mean(point, eta["political"])
    below = _below(point, eta["sociocultural"])
    values = [
        rng.random(mean.shape) < _chance(point, eta["economic"]),
        rng.poisson(rng.gamma(alpha, mean / alpha)),
        (rng.random(mean.shape)[..., None] > below).sum(-1),
    ]
    coords = {"draw": np.arange(len(mean)), "outcome": list(OUTCOMES)}
    return xr.DataArray(np.stack(values, axis=-1).astype(float), coords,
                        ("draw", "person", "outcome"), name="answer")  # fmt: skip


def _respondents(fitted: xr.DataTree) -> xr.Dataset:
    return data_of(fitted, "the respondents")


def _follows(data: xr.Dataset) -> bool:
    """Whether a predictor is the square of another, and not one of its own."""
    names = data.predictor.values
    if SQUARED not in names or SQUARE not in names:
        return False
    age, square = (data["covariate"].sel(predictor=name) for name in (SQUARE, SQUARED))
    return bool(np.allclose(square, age**2, equal_nan=True))


def _linear(
    fitted: xr.DataTree, table: pd.DataFrame, group: str, draws: int
) -> tuple[xr.Dataset, dict[str, NDArray[np.float64]]]:
    """Draws of the posterior, and each regression's predictor less that at the means."""
    if group != "average":
        raise StudyError(f"these respondents are in no groups: group='average', not {group!r}")
    data = _respondents(fitted)
    point = thinned(fitted["posterior"].to_dataset(), draws)
    mean = standardised(data)[0].to_series()
    covariate = _covariates(data, table)
    found = {}
    for outcome, names in predictors_of(data).items():
        slope = point["coefficient"].sel(term=[f"{outcome}: {name}" for name in names]).values
        found[outcome] = slope @ (covariate[names] - mean[names]).to_numpy().T
    return point, found


def _covariates(data: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Return the predictors of people as numbers."""
    if _follows(data) and SQUARE in table:
        table = table.assign(**{SQUARED: pd.to_numeric(table[SQUARE], errors="coerce") ** 2})
    names = [str(name) for name in data.predictor.values]
    lacking = [name for name in names if name not in table]
    if lacking:
        asked = [n for n in names if not (n == SQUARED and _follows(data))]
        raise DataError(f"these people lack the column {lacking[0]!r}; needed: {', '.join(asked)}")
    numbers = table[names].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers)
    for name in names:
        if wrong[name].any():
            row = int(np.flatnonzero(wrong[name])[0])
            value = table[name].iloc[row]
            raise DataError(
                f"new_data: row {table.index[row]}, column {name}: {value} is no number "
                f"({int(wrong[name].sum())} such rows)"
            )
    return numbers


def _chance(point: xr.Dataset, eta: NDArray[np.float64]) -> NDArray[np.float64]:
    p = point["base_probability"].values[:, None]
    return 1 / (1 + (1 - p) / p * np.exp(-eta))


def _mean(point: xr.Dataset, eta: NDArray[np.float64]) -> NDArray[np.float64]:
    return point["base_count"].values[:, None] * np.exp(eta)


def _below(point: xr.Dataset, eta: NDArray[np.float64]) -> NDArray[np.float64]:
    """Chances (draw, person, level) of each level or less, but the last."""
    share = point["category_probability"].transpose("sample", "level").values.cumsum(-1)[:, :-1]
    odds = (share / (1 - share))[:, None, :]
    return 1 / (1 + np.exp(eta)[..., None] / odds)
