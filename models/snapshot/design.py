"""What the graph observes: counts of answers, and the mean trips of each survey."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError, DataWarning

Which = Literal["answered", "possible"]
Errors = Literal["pooled", "sample"]
STEEPEST = 100  # of the largest of the surveys' variances to the smallest
Whose = Literal["repeaters", "everybody"]


@dataclass(frozen=True)
class Cells:
    """Distinct answers with their counts; indices are 0-based years of the model.

    Attributes
    ----------
    survey, departure : ndarray of int (cell)
        Indices of years.
    sojourn : ndarray of int (cell)
        Years stayed less one.
    repeat : ndarray of float (cell)
        1 for a repeat trip, 0 for the one trip since the first year.
    count, survey_size : ndarray of int (cell)
        Respondents, and all respondents of the cell's survey.
    """

    survey: NDArray[np.int64]
    departure: NDArray[np.int64]
    sojourn: NDArray[np.int64]
    repeat: NDArray[np.float64]
    count: NDArray[np.int64]
    survey_size: NDArray[np.int64]

    def labels(self, first_year: int) -> list[str]:
        """Say what each cell's respondents answered."""
        kinds = np.where(self.repeat == 1, "repeat", "single")
        return [
            f"{first_year + t}: left {first_year + d}, stayed {j + 1}, {kind} trip"
            for t, d, j, kind in zip(self.survey, self.departure, self.sojourn, kinds, strict=True)
        ]


def cells(data: xr.Dataset, which: Which = "answered") -> Cells:
    """Count respondents by survey, departure, sojourn and whether the trip was a repeat.

    Parameters
    ----------
    data : Dataset
    which : {"answered", "possible"}
        Cells with respondents, or every cell that a respondent of one of the surveys
        could fall into.
    """
    first = data.attrs["first_year"]
    answers = np.column_stack(
        [
            data["survey_year"].values - first,
            data["departure_year"].values - first,
            data["sojourn_years"].values - 1,
            data["repeat"].values.astype(np.int64),
        ]
    )
    if which == "answered":
        distinct, count = np.unique(answers, axis=0, return_counts=True)
    else:
        distinct = np.array(
            [
                (t, d, j, r)
                for t in np.unique(answers[:, 0])
                for d in range(t + 1)
                for j in range(t - d + 1)
                for r in (0, 1)
                if not (r and d == 0)
            ]
        )
        index = {tuple(cell): i for i, cell in enumerate(distinct.tolist())}
        count = np.bincount([index[tuple(a)] for a in answers.tolist()], minlength=len(distinct))
    size = np.bincount(answers[:, 0])[distinct[:, 0]]
    survey, departure, sojourn, repeat = distinct.T
    return Cells(survey, departure, sojourn, repeat.astype(float), count, size)


@dataclass(frozen=True)
class MeanTrips:
    """Mean trips to date of each survey's respondents, or repeaters, and its standard error.

    Attributes
    ----------
    survey : ndarray of int (survey)
        Index of the year.
    mean, error : ndarray (survey)
        Trips.
    """

    survey: NDArray[np.int64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]


def mean_trips(data: xr.Dataset, errors: Errors = "pooled", of: Whose = "repeaters") -> MeanTrips:
    """Return the sample means that calibrate the trips, and their standard errors.

    Parameters
    ----------
    data : Dataset
    errors : {"pooled", "sample"}
        From the variance of trips among all surveys' respondents, whose log is linear in the
        survey's year, or from each survey's own variance.
    of : {"repeaters", "everybody"}
        Respondents whose last trip was a repeat, or all.  A survey without any has no mean.

    Warns
    -----
    DataWarning
        Naming the surveys that have no usable standard error and are left out: with
        ``errors="sample"`` those of fewer than two respondents, or all with the same number of
        trips; otherwise all surveys, if each is one of these.

    Raises
    ------
    DataError
        If no survey has an error, of everybody: of repeaters the answers say all that is known.
    """
    if of == "repeaters":
        data = data.isel(respondent=np.flatnonzero(data["repeat"].values))
    trips = data["trips"].to_series().groupby(data["survey_year"].values)
    table = pd.DataFrame({"mean": trips.mean(), "variance": trips.var(), "n": trips.size()})
    usable = table["variance"] > 0
    who = "respondents" if of == "everybody" else "repeaters"
    if of == "everybody" and not usable.any():
        raise DataError("no survey has two respondents with different numbers of trips")
    if errors == "pooled" and usable.any():
        table["variance"] = _pooled(table)
    elif not usable.all():
        left = ", ".join(f"{year} ({n} {who})" for year, n in table.loc[~usable, "n"].items())
        warnings.warn(
            f"mean trips have no standard error, and are not used, in {left}",
            DataWarning,
            stacklevel=2,
        )
        table = table[usable]
    return MeanTrips(
        table.index.to_numpy() - data.attrs["first_year"],
        table["mean"].to_numpy(),
        np.sqrt(table["variance"] / table["n"]).to_numpy(),
    )


def _pooled(table: pd.DataFrame) -> NDArray[np.float64]:
    """Variances whose log is linear in the year: a gamma regression of the surveys' own.

    One for all where fewer than three surveys tell, or where the line is so steep (`STEEPEST`)
    that it follows surveys of a few, all with the same number of trips.
    """
    from scipy.optimize import root

    freedom = table["n"].to_numpy() - 1.0
    own = table["variance"].fillna(0.0).to_numpy()  # one respondent has none, and no weight
    year = table.index.to_numpy(dtype=float)
    year = (year - year.mean()) / 10
    level = np.log(freedom @ own / freedom.sum())
    if np.count_nonzero(freedom) < 3:
        return np.full(len(table), np.exp(level))

    def score(line: NDArray[np.float64]) -> NDArray[np.float64]:
        over = freedom * (own * np.exp(-line[0] - line[1] * year) - 1)
        return np.array([over.sum(), over @ year])

    line = root(score, [level, 0.0], tol=1e-13).x
    log_variance = line[0] + line[1] * year
    if not np.ptp(log_variance) <= np.log(STEEPEST):  # nor what is no number
        return np.full(len(table), np.exp(level))
    return np.exp(log_variance)
