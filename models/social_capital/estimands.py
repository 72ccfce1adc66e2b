"""From the graph's variables to what the paper prints: every contrast, not only two."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import StudyError, unknown
from bayesmig.models.social_capital.paper import OUTCOMES

LOGISTIC_VARIANCE = np.pi**2 / 3  # of the latent error of a log odds
LOG_ODDS, SHARE, CORRELATION = "log odds", "share of variance", "correlation"  # units
UNITS = {"variance_share": SHARE, "slope_correlation": CORRELATION}  # of the others: log odds


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return coefficients and spread of every contrast between two outcomes.

    Parameters
    ----------
    draws : Dataset
        ``log_odds`` (..., outcome, term), ``intercept`` (..., outcome) and
        ``group_covariance`` (..., outcome, outcome_too) against the first outcome, the
        reference; perhaps with a dim ``stratum``, or ``grouping``, and with
        ``slope_covariance`` or ``varying_covariance`` of slopes that vary.
    data : Dataset
        The people; nothing of them is needed.

    Returns
    -------
    Dataset
        For each contrast "outcome:against", draw by draw, each variable with its ``units``:
        ``coefficient`` (contrast, term), unless the formula has no column,
        log odds per unit of the formula's columns; ``intercept`` (contrast), log odds of
        somebody at the means of all columns in a typical group; ``group_sd`` (contrast),
        standard deviation of the groups' log odds; ``variance_share`` (contrast), the part
        of the latent variance between groups, s^2 / (s^2 + pi^2 / 3).  With strata each has
        the dim ``stratum`` too, and ``stratum_difference`` (pair, contrast, term) is the
        difference of coefficients; without, and of the paper's outcomes,
        ``coefficient_as_printed`` repeats the coefficients, to be compared with what is
        printed wrong.  With several columns of groups ``group_sd`` and ``variance_share``
        have the dim ``grouping``, and the share is of the variance of all groups and the
        latent error.  Of slopes that vary ``slope_sd`` (slope, contrast), log odds per unit
        of the formula's column, and, if they are correlated, ``slope_correlation`` (pair,
        contrast) with each other and with the intercept.
    """
    return _contrasted(draws, [str(label) for label in draws.outcome.values])


def rebase(draws: xr.Dataset, reference: str) -> xr.Dataset:
    """Return the estimands with contrasts against another outcome first: exact, per draw.

    Raises
    ------
    StudyError
        For an outcome that is not there.
    """
    outcomes = [str(label) for label in draws.outcome.values]
    first = str(reference)  # labels are text, also of outcomes that were numbers
    if first not in outcomes:
        raise StudyError(f"reference: {unknown('outcome', reference, outcomes)}")
    return _contrasted(draws, [first, *(label for label in outcomes if label != first)])


def contrasts(outcomes: list[str]) -> list[tuple[str, str]]:
    """Return pairs (outcome, against): A, B and C in the paper's order for its outcomes."""
    pairs = [(k, j) for k in range(1, len(outcomes)) for j in reversed(range(k))]
    return [(outcomes[k], outcomes[j]) for k, j in pairs]


def _contrasted(draws: xr.Dataset, outcomes: list[str]) -> xr.Dataset:
    pairs = contrasts(outcomes)
    labels = xr.DataArray([":".join(pair) for pair in pairs], dims="contrast", name="contrast")
    first = xr.DataArray([pair[0] for pair in pairs], dims="contrast")
    second = xr.DataArray([pair[1] for pair in pairs], dims="contrast")

    def against(array: xr.DataArray) -> xr.DataArray:
        values = array.sel(outcome=first) - array.sel(outcome=second)
        return values.drop_vars("outcome", errors="ignore").assign_coords(contrast=labels)

    def of_pair(covariance: xr.DataArray) -> xr.DataArray:
        """Covariance of what effects of two kinds (or of one) add to each contrast."""
        one, other, both, turned = (
            covariance.sel(outcome=i, outcome_too=j).drop_vars(["outcome", "outcome_too"])
            for i, j in ((first, first), (second, second), (first, second), (second, first))
        )
        return (one + other - (both + turned)).assign_coords(contrast=labels)

    variance = of_pair(draws["group_covariance"])
    whole = variance.sum("grouping") if "grouping" in variance.dims else variance
    found = xr.Dataset(
        {
            "coefficient": against(draws["log_odds"]),
            "intercept": against(draws["intercept"]),
            "group_sd": np.sqrt(variance),
            "variance_share": variance / (whole + LOGISTIC_VARIANCE),
        },
        attrs={"reference": outcomes[0]},
    )
    if "slope_covariance" in draws:
        found = found.assign(slope_sd=np.sqrt(of_pair(draws["slope_covariance"])))
    if "varying_covariance" in draws:
        found = found.assign(_of_slopes(of_pair(draws["varying_covariance"])))
    order = ("stratum", "grouping", "slope", "pair", "contrast", "term")
    found = found.transpose(..., *(dim for dim in order if dim in found.dims))
    if not found.sizes["term"]:  # the null model's coefficients are none
        found = found.drop_dims("term")
    elif "stratum" in found.dims:
        found = found.assign(stratum_difference=stratum_differences(found["coefficient"]))
    elif set(outcomes) == set(OUTCOMES):
        found = found.assign(coefficient_as_printed=found["coefficient"])
    units = {name: UNITS.get(str(name), LOG_ODDS) for name in found}
    return found.assign({n: array.assign_attrs(units=units[n]) for n, array in found.items()})


def _of_slopes(covariance: xr.DataArray) -> dict[str, xr.DataArray]:
    """Spread of slopes, and how they go with each other and with the intercept."""
    kinds = [str(kind) for kind in covariance.effect.values]
    sd: Any = {k: np.sqrt(covariance.sel(effect=k, effect_too=k, drop=True)) for k in kinds}
    pairs = list(combinations(kinds, 2))
    together: Any = [
        covariance.sel(effect=a, effect_too=b, drop=True) / (sd[a] * sd[b]) for a, b in pairs
    ]
    found: dict[str, Any] = {
        "slope_sd": xr.concat([sd[k] for k in kinds[1:]], pd.Index(kinds[1:], name="slope")),
        "slope_correlation": xr.concat(
            together, pd.Index([", ".join(pair) for pair in pairs], name="pair")
        ),
    }
    return found


def stratum_differences(coefficient: xr.DataArray) -> xr.DataArray:
    """Differences of coefficients between strata, later less earlier: (pair, contrast, term).

    The draws of separate fits may be put side by side along ``stratum`` first: they are
    independent, so any pairing of draws will do.
    """
    labels = [str(label) for label in coefficient.stratum.values]
    pairs = list(combinations(range(len(labels)), 2))
    parts = [
        coefficient.isel(stratum=j, drop=True) - coefficient.isel(stratum=i, drop=True)
        for i, j in pairs
    ]
    names = pd.Index([f"{labels[j]} - {labels[i]}" for i, j in pairs], name="pair")
    return xr.concat(parts, names).transpose(..., "pair", "contrast", "term")
