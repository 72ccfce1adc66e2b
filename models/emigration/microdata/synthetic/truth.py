"""The truth of synthetic persons: effects on the logit scale, in ``truth.json``."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from bayesmig.errors import DataError, StudyError, check_option

Residual = Literal["hazard", "probability"]
RESIDUALS = get_args(Residual)
TRUTH = Path(__file__).with_name("truth.json")
SCENARIOS: dict[str, dict[str, float]] = {
    "assumptions_hold": {},
    "second_generation_emigrates": {"second_generation_emigration": 0.01},
    "first_generation_harder": {"generation_gap": 0.4},
}


def default_truth(residual: Residual = "hazard") -> dict[str, Any]:
    """Return the truth that ships with the package (``truth.json``), to be changed at will.

    Parameters
    ----------
    residual : {"hazard", "probability"}
        What is equal in both generations at the same covariates.  ``hazard``: the chance to
        be lost of those who have neither emigrated nor died nor moved.  ``probability``: the
        share lost of all, r^f = r^s, as the report assumes (eq. 2).

    Returns
    -------
    dict
        ``emigrated``, ``moved``, ``lost``, ``returned``: an intercept and effects, logits;
        those of ``emigrated`` and ``returned`` sum to zero over the levels of a factor.
        ``died``: for each generation the coefficients of Table 3 with the program's digits
        (Appendix F); age groups 18-24 to 65-74, ages 15-17 with the youngest, 75+ the
        reference; children do not die.  ``second_generation_emigration``: probability a
        year.  ``generation_gap``: added to the logit of ``lost`` for the first generation.
        ``residual``.  ``survey``: chances that matter only for households (`ipums.write_extract`).

    Raises
    ------
    StudyError
        For another residual.
    """
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    check_option("residual", residual, RESIDUALS)
    truth["residual"] = residual
    return truth


def scenario(name: str, residual: Residual = "hazard") -> dict[str, Any]:
    """Return a truth in which the report's assumptions hold, or in which one is broken.

    Parameters
    ----------
    name : str
        ``assumptions_hold``; ``second_generation_emigrates`` (one per cent a year);
        ``first_generation_harder`` (the logit of being lost is 0.4 higher).
    residual : {"hazard", "probability"}
        See `default_truth`.  With ``hazard`` even the first scenario departs from eq. 2 by
        what the generations differ in emigration, mortality and internal migration.

    Raises
    ------
    StudyError
    """
    check_option("scenario", name, tuple(SCENARIOS))
    return {**default_truth(residual), **SCENARIOS[name]}


def checked_years(truth: Mapping[str, Any], years: Iterable[int]) -> list[int]:
    """Return the years in order, if the truth has them all."""
    asked = sorted({int(year) for year in years})
    valid = [int(year) for year in truth["emigrated"]["year"]]
    strange = [year for year in asked if year not in valid]
    if strange or not asked:
        raise StudyError(f"years={asked}; the truth has {min(valid)} to {max(valid)}")
    return asked


def checked(truth: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of the truth with the shape of the one that ships, and sensible numbers."""
    usual = default_truth()
    if truth is None:
        return usual
    _same_shape(truth, usual, "truth")
    check_option("residual", truth["residual"], RESIDUALS)
    for name in ("emigrated", "returned"):
        for factor, effect in truth[name].items():
            total = sum(effect.values()) if isinstance(effect, Mapping) else 0.0
            if abs(total) > 1e-9:
                raise DataError(f"truth, {name}, {factor}: effects sum to {total:g}, not to zero")
    chances = {"second_generation_emigration": truth["second_generation_emigration"]}
    for name, chance in {**chances, **truth["survey"]}.items():
        if not 0 <= chance < 1:
            raise DataError(f"truth, {name}={chance}: a probability from 0 to below 1")
    return copy.deepcopy(dict(truth))


def _same_shape(found: Any, usual: Any, where: str) -> None:
    """Raise unless two nested tables have the same names, and finite numbers below them."""
    if isinstance(usual, Mapping):
        if not isinstance(found, Mapping) or set(found) != set(usual):
            names = sorted(found) if isinstance(found, Mapping) else repr(found)
            raise DataError(f"{where}: has {names}, needs {sorted(usual)}")
        for name in usual:
            _same_shape(found[name], usual[name], f"{where}, {name}")
    elif isinstance(usual, float) and not (isinstance(found, float | int) and np.isfinite(found)):
        raise DataError(f"{where}: {found!r} is not a finite number")
