"""Respondents as the graph takes them: who answered what, standardised columns, coordinates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

OUTCOMES = ("economic", "political", "sociocultural")
INFORMATION_OF_PRIOR = 4.0  # of a standardised effect: a prior standard deviation of one half


@dataclass(frozen=True)
class Regression:
    """One outcome: those who answered, their answers and standardised predictors.

    Attributes
    ----------
    respondent : ndarray of int
        Their places among all.
    answer : ndarray
    column : ndarray (respondent, term)
        Predictors less their mean, over their standard deviation, of all respondents.
    """

    respondent: NDArray[np.int64]
    answer: NDArray[np.float64]
    column: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What the graph looks up.

    Attributes
    ----------
    coords : dict
        ``term`` ("outcome: predictor"), ``predictor``, ``level``.
    regressions : dict of str to Regression
    place : dict of str to slice
        Where an outcome's coefficients are among all terms.
    predictor : ndarray of int (term)
    scale : ndarray (term)
        Standard deviations of the predictors.
    root : ndarray (term, term)
        Lower triangular: coefficients that it makes of independent standard normal
        coordinates vary as they do in the posterior, nearly.
    """

    coords: dict[str, list]
    regressions: dict[str, Regression]
    place: dict[str, slice]
    predictor: NDArray[np.int64]
    scale: NDArray[np.float64]
    root: NDArray[np.float64]


def terms(included: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the labels of coefficients: outcome by outcome, in the order of its predictors."""
    return [f"{outcome}: {name}" for outcome in OUTCOMES for name in included[outcome]]


def predictors_of(data: xr.Dataset) -> dict[str, list[str]]:
    """Return each outcome's predictors."""
    names = data["predictor"].values
    used = data["included"].sel(outcome=list(OUTCOMES)).values.astype(bool)
    return {o: [str(n) for n in names[row]] for o, row in zip(OUTCOMES, used, strict=True)}


def standardised(data: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """Return mean and standard deviation (predictor) of all respondents who have a value."""
    return data["covariate"].mean("respondent"), data["covariate"].std("respondent")


def design(data: xr.Dataset) -> Design:
    """Return the arrays of a table of respondents, as `data.from_frame` makes it."""
    included = predictors_of(data)
    mean, scale = standardised(data)
    columns = (data["covariate"] - mean) / scale
    regressions, place, blocks = {}, {}, []
    for outcome in OUTCOMES:
        answer = data["answer"].sel(outcome=outcome).values
        there = np.flatnonzero(np.isfinite(answer))
        column = columns.sel(predictor=included[outcome]).values[there]
        regressions[outcome] = Regression(there, answer[there], column)
        start = sum(len(block) for block in blocks)
        place[outcome] = slice(start, start + column.shape[1])
        blocks.append(_root(outcome, answer[there], column))
    labels = terms(included)
    names = [label.split(": ", 1)[1] for label in labels]
    each = list(dict.fromkeys(names))
    return Design(
        {
            "term": labels,
            "predictor": each,
            "level": list(range(int(regressions["sociocultural"].answer.max()) + 1)),
        },
        regressions,
        place,
        np.array([each.index(name) for name in names]),
        scale.sel(predictor=names).values,
        _diagonal(blocks),
    )


def _root(outcome: str, answer: NDArray, column: NDArray) -> NDArray[np.float64]:
    """Cholesky factor of the covariance that coefficients near zero would have."""
    centred = column - column.mean(0)
    information = INFORMATION[outcome](answer) * centred.T @ centred
    information += INFORMATION_OF_PRIOR * np.eye(column.shape[1])
    return np.linalg.cholesky(np.linalg.inv(information))


def _of_logit(answer: NDArray) -> float:
    share = (answer.sum() + 0.5) / (len(answer) + 1)
    return float(share * (1 - share))


def _of_counts(answer: NDArray) -> float:
    mean, variance = answer.mean(), answer.var()
    overdispersion = max(variance - mean, 0.0) / mean**2  # one over alpha
    return float(mean / (1 + mean * overdispersion))


def _of_levels(answer: NDArray) -> float:
    share = np.bincount(answer.astype(int)) / len(answer)
    below = np.cumsum(share)
    slope = np.concatenate([[0.0], below * (1 - below)])
    return float((np.diff(slope) ** 2 / share).sum())


INFORMATION = {"economic": _of_logit, "political": _of_counts, "sociocultural": _of_levels}


def _diagonal(blocks: list[NDArray]) -> NDArray[np.float64]:
    whole = np.zeros((sum(map(len, blocks)),) * 2)
    at = 0
    for block in blocks:
        whole[at : at + len(block), at : at + len(block)] = block
        at += len(block)
    return whole
