"""The posterior beside the printed number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import StudyError
from bayesmig.priors import unknown

COLUMNS = (
    "quantity coordinates published published_low published_high published_prob mean sd low high "
    "ci_prob difference_se overlap width_ratio ess r_hat source note"
).split()
MEASURES = ("quantity", "estimate", "se", "ci_low", "ci_high", "ci_prob", "source", "note")


def published_rows(fitted: xr.DataTree) -> pd.DataFrame:
    """Return the printed numbers that belong to a fit, one row each."""
    group = fitted["published"].to_dataset()
    return pd.DataFrame({name: array.values for name, array in group.data_vars.items()})


def quantities(fitted: xr.DataTree) -> list[str]:
    """Names of the quantities of a fit that have a printed number, the headline first."""
    return list(dict.fromkeys(published_rows(fitted).quantity))


def compare(
    fitted: xr.DataTree, ci_prob: float | None = None, quantity: str | list[str] | None = None
) -> pd.DataFrame:
    """Set each posterior beside the number that the paper prints.

    Works on a fit from a file, in a process that has not seen the model.

    Parameters
    ----------
    fitted : DataTree
    ci_prob : float, optional
        Probability of the posterior's interval; each printed interval's own by default.
    quantity : str or list of str, optional
        Only these.

    Returns
    -------
    DataFrame
        quantity, coordinates, published, published_low, published_high, published_prob,
        mean, sd, low, high, ci_prob (equal-tailed interval), difference_se (posterior
        mean less published, in published standard errors), overlap (of the two
        intervals: intersection over union), width_ratio (posterior interval over the
        published one at its probability), ess (the lower of bulk and tail), r_hat,
        source, note.  Values in the study's unit; ``attrs`` name study, unit and data.
        No rows where no printed number belongs to the data.

    Raises
    ------
    StudyError
        For an unknown quantity or a probability outside (0, 1).
    """
    rows = published_rows(fitted)
    names = list(dict.fromkeys(rows.quantity))
    if quantity is not None:
        wanted = [quantity] if isinstance(quantity, str) else list(quantity)
        if not wanted:
            raise StudyError(f"no quantity asked for; valid: {', '.join(names)}")
        for name in wanted:
            if name not in names:
                raise StudyError(unknown("quantity", name, names))
        rows, names = rows[rows.quantity.isin(wanted)], wanted
    if ci_prob is not None and not 0 < ci_prob < 1:
        raise StudyError(f"ci_prob must be between 0 and 1, got {ci_prob!r}")
    estimands = fitted["estimands"].to_dataset()
    dims = [column for column in rows if column not in MEASURES]
    table = pd.DataFrame(columns=COLUMNS)  # no printed number belongs to these data
    if len(rows):
        ess, rhat = _diagnostics(estimands[names])
        records = rows.to_dict("records")
        table = pd.DataFrame(
            [_compare_row(row, dims, estimands, ess, rhat, ci_prob) for row in records]
        )
    table.attrs = {
        name: fitted.attrs[name] for name in ("study", "unit", "data_title", "synthetic")
    }
    return table


def _compare_row(
    row: dict[str, Any],
    dims: list[str],
    estimands: xr.Dataset,
    ess: xr.Dataset,
    rhat: xr.Dataset,
    ci_prob: float | None,
) -> dict[str, Any]:
    name, at = row["quantity"], {dim: row[dim] for dim in dims if row[dim] != ""}
    draws = estimands[name].sel(at).values.ravel()
    own = float(row["ci_prob"])
    prob = own if ci_prob is None else ci_prob
    low, high = interval(draws, prob)
    own_low, own_high = interval(draws, own)
    mean, width = float(draws.mean()), row["ci_high"] - row["ci_low"]
    return {
        "quantity": name,
        "coordinates": ", ".join(map(str, at.values())),
        "published": row["estimate"],
        "published_low": row["ci_low"],
        "published_high": row["ci_high"],
        "published_prob": own,
        "mean": mean,
        "sd": float(draws.std(ddof=1)),
        "low": low,
        "high": high,
        "ci_prob": prob,
        "difference_se": (mean - row["estimate"]) / row["se"] if row["se"] > 0 else np.nan,
        "overlap": _overlap((own_low, own_high), (row["ci_low"], row["ci_high"])),
        "width_ratio": (own_high - own_low) / width if width > 0 else np.nan,
        "ess": float(ess[name].sel(at)),
        "r_hat": float(rhat[name].sel(at)),
        "source": row["source"],
        "note": row["note"],
    }


def interval(draws: np.ndarray, prob: float) -> tuple[float, float]:
    """Equal-tailed interval of draws."""
    low, high = np.quantile(draws, [(1 - prob) / 2, (1 + prob) / 2])
    return float(low), float(high)


def _overlap(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Intersection over union; a printed interval of no width is inside (1) or not (0)."""
    if other[0] == other[1]:
        return float(one[0] <= other[0] <= one[1])
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(common, 0.0) / (max(one[1], other[1]) - min(one[0], other[0]))


def _diagnostics(estimands: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    import arviz as az

    bulk, tail = az.ess(estimands, method="bulk"), az.ess(estimands, method="tail")
    several = estimands.sizes["chain"] > 1
    rhat = az.rhat(estimands) if several else xr.full_like(bulk, np.nan)
    return np.minimum(bulk, tail), rhat
