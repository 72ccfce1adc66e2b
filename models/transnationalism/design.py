"""What the graph of printed coefficients looks up: predictors and how far apart bounds are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError


@dataclass(frozen=True)
class Design:
    """Arrays (term) of the graph.

    Attributes
    ----------
    coords : dict
        ``term``, ``predictor`` (each once).
    predictor : ndarray of int
        Which predictor a coefficient belongs to.
    difference : ndarray
        Of the predictor, its units.
    estimate, half_unit : ndarray
        As printed, a unit of the predictor.
    log_least, log_width : ndarray
        Of the ratio |estimate| / standard error: log of its least value, and how far above
        it the log of the greatest is.
    """

    coords: dict[str, list[str]]
    predictor: NDArray[np.int64]
    difference: NDArray[np.float64]
    estimate: NDArray[np.float64]
    half_unit: NDArray[np.float64]
    log_least: NDArray[np.float64]
    log_width: NDArray[np.float64]


def design(data: xr.Dataset, weakest: float, strongest: float) -> Design:
    """Return the arrays of a table of coefficients.

    Parameters
    ----------
    data : Dataset
        As `data.from_frame` makes it.
    weakest, strongest : float
        What the ratio is at least and at most where stars do not say.

    Raises
    ------
    DataError
        If stars leave no ratio between the two.
    """
    names = [str(name) for name in data["predictor"].values]
    each = list(dict.fromkeys(names))
    least = np.maximum(data["least_ratio"].values, weakest)
    greatest = np.minimum(data["greatest_ratio"].values, strongest)
    if np.any(least >= greatest):
        label = data["term"].values[least >= greatest][0]
        raise DataError(
            f"{label}: its stars leave no ratio of estimate to standard error between "
            f"weakest={weakest:g} and strongest={strongest:g}"
        )
    return Design(
        {"term": [str(c) for c in data["term"].values], "predictor": each},
        np.array([each.index(name) for name in names]),
        data["difference"].values.astype(float),
        data["estimate"].values.astype(float),
        data["half_unit"].values.astype(float),
        np.log(least),
        np.log(greatest) - np.log(least),
    )
