"""What the draws say about themselves."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig import attrs

if TYPE_CHECKING:
    import pandas as pd

RHAT, ESS, BFMI = 1.01, 400, 0.3
FEWEST = 4  # draws that a diagnostic needs


def diagnose(fitted: xr.DataTree) -> dict[str, Any]:
    """Return what the draws say about themselves, over parameters and estimands.

    Returns
    -------
    dict
        ``divergences``; ``rhat``, ``ess_bulk``, ``ess_tail``: the worst value, the
        variable it belongs to and how many are beyond the threshold (1.01, 400);
        ``bfmi``: the lowest of the chains.
    """
    import arviz as az

    found: dict[str, Any] = {"divergences": int(fitted["sample_stats"]["diverging"].sum())}
    free = [n for n in fitted["posterior"].data_vars if n not in _derived_names(fitted)]
    sets = [fitted["posterior"].to_dataset()[free], fitted["estimands"].to_dataset()]
    measures: dict[str, tuple[Callable[[xr.Dataset], Any], float, int]] = {
        "rhat": (lambda ds: az.rhat(ds), RHAT, 1),
        "ess_bulk": (lambda ds: az.ess(ds, method="bulk"), ESS, -1),
        "ess_tail": (lambda ds: az.ess(ds, method="tail"), ESS, -1),
    }
    if fitted["posterior"].sizes["chain"] < 2:
        del measures["rhat"]
    for name, (measure, threshold, sign) in measures.items():
        worst, where, beyond = -np.inf, "", 0
        with np.errstate(invalid="ignore"):  # a constant has no variance to divide by
            measured = [measure(values) for values in sets]
        for values in measured:
            for array in values.data_vars.values():
                flat = sign * array.values.ravel().astype(float)
                if flat.size == 0 or np.all(np.isnan(flat)):  # a constant has neither
                    continue
                beyond += int(np.nansum(flat > sign * threshold))
                if np.nanmax(flat) > worst:
                    worst, where = float(np.nanmax(flat)), _name_of(array, int(np.nanargmax(flat)))
        if np.isfinite(worst):
            found[name] = {"worst": sign * worst, "variable": where, "beyond": beyond}
    energy = np.asarray(fitted["sample_stats"].to_dataset()["energy"].values)
    if energy.shape[1] >= FEWEST:
        ratio = np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)
        found["bfmi"] = float(np.min(ratio))
    return found


def problems(fitted: xr.DataTree) -> list[str]:
    """Say in words what is wrong with the draws; empty if nothing is.

    Parameters
    ----------
    fitted : DataTree

    Returns
    -------
    list of str
        What is beyond the thresholds of R-hat (1.01), effective draws (400) and energy (0.3),
        and last what to try.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.problems(fit)[-1].partition(" (")[0]  # of 2 chains of 300 draws
    'try longer chains'
    """
    found, words = attrs.unpack(fitted.attrs, "diagnostics", dict), []
    if fitted.attrs["interrupted"]:
        words.append(str(fitted.attrs["interrupted"]))
    if found["divergences"]:
        words.append(f"{found['divergences']} divergences")
    for name, label, threshold in (
        ("rhat", "R-hat above", RHAT),
        ("ess_bulk", "bulk ESS below", ESS),
        ("ess_tail", "tail ESS below", ESS),
    ):
        measure = found.get(name)
        if measure and measure["beyond"]:
            words.append(
                f"{label} {threshold} in {measure['beyond']} quantities, worst "
                f"{measure['variable']} ({measure['worst']:.4g})"
            )
    if found.get("bfmi", 1.0) < BFMI:
        words.append(f"energy fraction (E-BFMI) {found['bfmi']:.2f} below {BFMI}")
    if fitted["posterior"].sizes["draw"] < FEWEST:
        words.append(f"fewer than {FEWEST} draws: no diagnostic can be computed")
    if fitted["posterior"].sizes["chain"] < 2:
        words.append("one chain: R-hat cannot be computed")
    return [*words, _advice(fitted, found)] if words else words


def _advice(fitted: xr.DataTree, found: Mapping[str, Any]) -> str:
    """Say what to try: draws for half as many effective ones again as are asked for, or twice."""
    said = fitted.attrs
    least = min((found[m]["worst"] for m in ("ess_bulk", "ess_tail") if m in found), default=ESS)
    times = max(2, math.ceil(1.5 * ESS / max(least, 1.0)))
    longer = f"longer chains (draws={times * int(said['draws'])}, tune={2 * int(said['tune'])})"
    if found["divergences"] or found.get("bfmi", 1.0) < BFMI:
        return f"try sampling={{'target_accept': 0.99}}, narrower priors of scales, or {longer}"
    return f"try {longer}"


def table_of(fits: Mapping[str, xr.DataTree], named: str) -> pd.DataFrame:
    """Return how fits sampled, a row each: the worst of all parameters and estimands.

    Parameters
    ----------
    fits : mapping of str to DataTree
    named : str
        What the labels of the fits are.
    """
    import pandas as pd

    rows = []
    for label, fit in fits.items():
        said = attrs.unpack(fit.attrs, "diagnostics", dict)
        steps = fit["sample_stats"].to_dataset()["n_steps"].values
        rows.append(
            {
                named: label,
                "draws": steps.size,
                "divergences": said["divergences"],
                "R-hat": said["rhat"]["worst"],
                "bulk ESS": round(said["ess_bulk"]["worst"]),
                "tail ESS": round(said["ess_tail"]["worst"]),
                "leapfrog steps a draw": float(steps.mean()),
                "most": int(steps.max()),
            }
        )
    return pd.DataFrame(rows).set_index(named)


def worst_of(estimands: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the lower of bulk and tail ESS, and R-hat (NaN of one chain), by element."""
    import arviz as az

    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has neither: NaN
        bulk, tail = az.ess(estimands, method="bulk"), az.ess(estimands, method="tail")
        several = estimands.sizes["chain"] > 1
        rhat = az.rhat(estimands) if several else xr.full_like(bulk, np.nan)
    return np.minimum(bulk, tail), rhat


def _name_of(array: xr.DataArray, flat: int) -> str:
    """Name one element of a variable by its labels."""
    index = np.unravel_index(flat, array.shape) if array.shape else ()
    labels = [
        str(array[dim].values[i]) if dim in array.coords else str(i)
        for dim, i in zip(array.dims, index, strict=True)
    ]
    return f"{array.name}[{', '.join(labels)}]" if labels else str(array.name)


def _derived_names(fitted: xr.DataTree) -> list[str]:
    return str(fitted["posterior"].attrs.get("derived", "")).split(",")
