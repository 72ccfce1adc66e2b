"""Coefficients to what Table 2 prints beside them."""

from __future__ import annotations

import numpy as np
import xarray as xr

LOGIT = "logit"


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the numbers of Table 2, from draws or from a truth.

    Parameters
    ----------
    draws : Dataset
        ``coefficient``, ``base_probability`` and, where there is one, ``standard_error``.
    data : Dataset
        With the coordinate ``family`` (term).

    Returns
    -------
    Dataset
        ``coefficient`` and ``standard_error``; ``percent_change`` (term), of the odds
        or the count, 100 (exp b - 1); ``net_probability`` (logit_term), b p (1 - p) at
        the base probability p, and ``net_probability_step``, what one unit moves p by, of
        logits if there are any.
    """
    b, p = draws["coefficient"], draws["base_probability"]
    labels = data["term"].values[data["family"].values == LOGIT]
    each = {
        "coefficient": (b, "log odds or log count a unit"),
        "percent_change": (100 * (np.exp(b) - 1), "percent of odds or count"),
        "base_probability": (p, "probability"),
    }
    if len(labels):
        logit = b.sel(term=labels).rename(term="logit_term").reset_coords(drop=True)
        odds = p / (1 - p) * np.exp(logit)
        each["net_probability"] = (logit * p * (1 - p), "probability a unit")
        each["net_probability_step"] = (odds / (1 + odds) - p, "probability")
    if "standard_error" in draws:
        each["standard_error"] = (draws["standard_error"], "log odds or log count a unit")
    return xr.Dataset(
        {
            name: x.reset_coords(drop=True)
            .transpose(*(d for d in ("chain", "draw") if d in x.dims), ...)
            .assign_attrs(units=units)
            for name, (x, units) in each.items()
        }
    )
