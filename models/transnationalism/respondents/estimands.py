"""Coefficients to what Table 2 prints, and what an average respondent does."""

from __future__ import annotations

import xarray as xr

from bayesmig.models.transnationalism import estimands as printed
from bayesmig.models.transnationalism.data import FAMILIES

UNITS = {
    "base_count": "activities",
    "dispersion": "none",
    "category_probability": "probability",
}


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return the numbers of Table 2, and those of a respondent of mean predictors.

    Parameters
    ----------
    draws : Dataset
        ``coefficient`` (term), ``base_probability``, ``base_count``, ``dispersion`` and
        ``category_probability`` (level).
    data : Dataset

    Returns
    -------
    Dataset
        As `bayesmig.models.transnationalism.estimands.estimands`, less the standard error,
        and the last four.
    """
    labels = draws["term"].values
    families = [FAMILIES[str(label).split(": ", 1)[0]] for label in labels]
    found = printed.estimands(
        draws, xr.Dataset(coords={"term": labels, "family": ("term", families)})
    )
    return found.assign({name: draws[name].assign_attrs(units=u) for name, u in UNITS.items()})
