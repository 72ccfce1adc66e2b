"""The posterior beside the printed number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.diagnostics import worst_of
from bayesmig.errors import StudyError, unknown
from bayesmig.printed import label_columns

USUAL = 0.95  # probability of the posterior's interval where print has none
COLUMNS = (
    "quantity coordinates units published published_low published_high published_prob mean sd low "
    "high ci_prob difference_se overlap width_ratio contraction ess r_hat source note"
).split()


def published_rows(fitted: xr.DataTree) -> pd.DataFrame:
    """Return the printed numbers that belong to a fit, one row each."""
    group = fitted["published"].to_dataset()
    return pd.DataFrame({name: array.values for name, array in group.data_vars.items()})


def quantities(fitted: xr.DataTree) -> list[str]:
    """Names of the quantities of a fit that have a printed number, the headline first."""
    return list(dict.fromkeys(published_rows(fitted).quantity))


def headline(fitted: xr.DataTree) -> list[str]:
    """Names of the quantities to show first: those without coordinates, or the first one."""
    rows = published_rows(fitted)
    dims = label_columns(rows)
    scalar = rows.loc[(rows[dims] == "").all(axis=1), "quantity"]
    return list(dict.fromkeys(scalar)) or quantities(fitted)[:1]


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Cut a comparison into tables to show: numbers without coordinates together, then by quantity.

    Each has columns ``label``, the coordinates or, where there are none, the quantity with
    its units; and ``decimals``, the digits after the point with which the quantity is printed.
    """
    scalar = table.coordinates == ""
    words = table.quantity.str.replace("_", " ") + " (" + table.units + ")"
    digits = table.published.map(_decimals).groupby(table.quantity).transform("max")
    table = table.assign(label=table.coordinates.where(~scalar, words), decimals=digits)
    named = dict.fromkeys(table.quantity[~scalar])
    parts = {"headline numbers": table[scalar]} if scalar.any() else {}
    return parts | {n.replace("_", " "): table[~scalar & (table.quantity == n)] for n in named}


def title_of(name: str, table: pd.DataFrame) -> str:
    """Name one of the `tables` with its units, where its rows do not say them."""
    several = (table.coordinates == "").any()
    return name if several or not len(table) else f"{name}, {table.units.iloc[0]}"


def data_title(attrs: Mapping[Any, Any]) -> str:
    """Title of the data of a fit or a comparison, which says so if they are synthetic."""
    title = str(attrs["data_title"])
    plain = attrs["synthetic"] and not title.startswith("SYNTHETIC")
    return f"SYNTHETIC DATA: {title}" if plain else title


def _decimals(estimate: float) -> int:
    return len(f"{estimate:.10f}".rstrip("0").partition(".")[2])


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
        quantity, coordinates, units, published, published_low, published_high, published_prob,
        mean, sd, low, high, ci_prob (equal-tailed interval), difference_se (posterior
        mean less published, in published standard errors), overlap (of the two
        intervals: intersection over union), width_ratio (posterior interval over the
        published one at its probability), contraction (the share of the prior's variance
        that the data have taken away), ess (the lower of bulk and tail), r_hat, source,
        note.  Values in the quantity's units, NaN where print has no interval; ``attrs``
        name study and data.  No rows where no printed number belongs to the data.

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
    dims = label_columns(rows)
    table = pd.DataFrame(columns=COLUMNS)  # no printed number belongs to these data
    if len(rows):
        ess, rhat = worst_of(estimands[names])
        prior_sd = fitted["prior_sd"].to_dataset() if "prior_sd" in fitted else ess * np.nan
        records = rows.to_dict("records")
        table = pd.DataFrame(
            [_compare_row(row, dims, estimands, prior_sd, ess, rhat, ci_prob) for row in records]
        )
    table.attrs = {name: fitted.attrs[name] for name in ("study", "data_title", "synthetic")}
    return table


def _compare_row(
    row: dict[str, Any],
    dims: list[str],
    estimands: xr.Dataset,
    prior_sd: xr.Dataset,
    ess: xr.Dataset,
    rhat: xr.Dataset,
    ci_prob: float | None,
) -> dict[str, Any]:
    name, at = row["quantity"], {dim: row[dim] for dim in dims if row[dim] != ""}
    draws = estimands[name].sel(at).values.ravel()
    own = float(row["ci_prob"]) if row["ci_prob"] > 0 else USUAL
    prob = own if ci_prob is None else ci_prob
    low, high = interval(draws, prob)
    own_low, own_high = interval(draws, own)
    mean, width = float(draws.mean()), row["ci_high"] - row["ci_low"]
    sd = float(draws.std(ddof=1))
    return {
        "quantity": name,
        "coordinates": ", ".join(map(str, at.values())),
        "units": estimands[name].attrs["units"],
        "published": row["estimate"],
        "published_low": row["ci_low"],
        "published_high": row["ci_high"],
        "published_prob": float(row["ci_prob"]),
        "mean": mean,
        "sd": sd,
        "low": low,
        "high": high,
        "ci_prob": prob,
        "difference_se": (mean - row["estimate"]) / row["se"] if row["se"] > 0 else np.nan,
        "overlap": _overlap((own_low, own_high), (row["ci_low"], row["ci_high"])),
        "width_ratio": (own_high - own_low) / width if width > 0 else np.nan,
        "contraction": _contraction(sd, float(prior_sd[name].sel(at))),
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
    if np.isnan(other[0]):
        return np.nan
    if other[0] == other[1]:
        return float(one[0] <= other[0] <= one[1])
    common = min(one[1], other[1]) - max(one[0], other[0])
    return max(common, 0.0) / (max(one[1], other[1]) - min(one[0], other[0]))


def _contraction(sd: float, prior_sd: float) -> float:
    return 1 - (sd / prior_sd) ** 2 if prior_sd > 0 else np.nan
