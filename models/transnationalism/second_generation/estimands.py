"""Rates to percentages, ratios and differences."""

from __future__ import annotations

import xarray as xr

UNITS = {
    "rate": "percent",
    "ratio": "none",
    "difference": "percentage points",
    "sample_size": "persons",
    "share": "percent of those counted",
    "correlation": "none",
}


def estimands(draws: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Return rates, and what they are to those of the groups that are the data's references.

    Parameters
    ----------
    draws : Dataset
        ``rate`` (group, measure), a probability, and where they are there ``sample_size``
        (group, measure) and ``correlation`` (pair).
    data : Dataset
        With ``reference`` (reference).

    Returns
    -------
    Dataset
        ``rate`` (group, measure), percent; ``ratio`` and ``difference`` (contrast, measure),
        contrasts "group : reference"; ``sample_size`` and ``share`` (group, measure);
        ``correlation`` (pair).
    """
    rate = 100 * draws["rate"]
    references = [str(name) for name in data["reference"].values]
    found = {"rate": rate, **_contrasts(rate, references)}
    if "sample_size" in draws:
        size = draws["sample_size"]
        found |= {"sample_size": size, "share": 100 * size / size.sum("group")}
    if "correlation" in draws:
        found["correlation"] = draws["correlation"]
    return _labelled(found)


def rebase(draws: xr.Dataset, reference: str) -> xr.Dataset:
    """Return the estimands against another group.

    Parameters
    ----------
    draws : Dataset
        Estimands.
    reference : str
    """
    kept = {n: draws[n] for n in draws.data_vars if n not in ("ratio", "difference")}
    return _labelled({**kept, **_contrasts(draws["rate"], [reference])})


def _contrasts(rate: xr.DataArray, references: list[str]) -> dict[str, xr.DataArray]:
    pairs = [(str(g), r) for r in references for g in rate["group"].values if str(g) != r]
    first, second = (
        rate.sel(group=[pair[k] for pair in pairs])
        .rename(group="contrast")
        .assign_coords(contrast=[f"{a} : {b}" for a, b in pairs])
        for k in (0, 1)
    )
    return {"ratio": first / second, "difference": first - second}


def _labelled(found: dict[str, xr.DataArray]) -> xr.Dataset:
    dims = [d for d in ("chain", "draw") if d in found["rate"].dims]
    return xr.Dataset(
        {n: x.transpose(*dims, ...).assign_attrs(units=UNITS[n]) for n, x in found.items()}
    )
