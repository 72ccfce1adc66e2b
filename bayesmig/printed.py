"""Printed numbers: how well they are known, and which belong to a fit's estimands."""

from __future__ import annotations

from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

MEASURES = ("estimate", "se", "ci_low", "ci_high", "ci_prob", "source", "note")
COLUMNS = ("quantity", "coordinates", *MEASURES)  # of a study's ``published()``
SAMPLE_DIMS = ("chain", "draw")
EPS = 1e-9  # for comparisons of decimals that are not exact in binary


class Number(NamedTuple):
    """A printed number: what it says, and the least and most that it can be."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, text: Any) -> Number:
        """Read a number as printed: its last digit says how well it is known.

        Examples
        --------
        >>> Number.of("0.50").ends
        (0.495, 0.505)
        """
        digits = text if isinstance(text, str) else f"{text:.12g}"
        half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
        return cls(float(digits), float(digits) - half, float(digits) + half)

    @property
    def ends(self) -> tuple[float, float]:
        """The least and the most."""
        return self.low, self.high


def read(path: Path) -> pd.DataFrame:
    """Read a file of a folder ``published/``; empty fields are empty texts."""
    import pandas as pd

    return pd.read_csv(path, keep_default_na=False)


def multiplier(prob: float) -> float:
    """Half the width of a normal interval of that probability, in standard errors.

    Examples
    --------
    >>> round(multiplier(0.9), 3)
    1.645
    """
    return NormalDist().inv_cdf(0.5 + prob / 2)


def with_intervals(table: pd.DataFrame, prob: float, z: float | None = None) -> pd.DataFrame:
    """Fill in what is not printed of standard error and interval from what is.

    Parameters
    ----------
    table : DataFrame
        estimate and, printed or NaN, se, ci_low, ci_high, ci_prob.
    prob : float
        Of the intervals made from a standard error, and printed.
    z : float, optional
        The multiplier that the paper used, if it is not that of a normal distribution.

    Examples
    --------
    >>> import pandas as pd
    >>> with_intervals(pd.DataFrame({"estimate": [8.4], "se": [2.0]}), 0.95).round(2)
       estimate   se  ci_low  ci_high  ci_prob
    0       8.4  2.0    4.48    12.32     0.95
    """
    z = multiplier(prob) if z is None else z
    table = table.reindex(columns=[*table, *(c for c in MEASURES[:5] if c not in table)])
    se = table.se.fillna((table.ci_high - table.ci_low) / (2 * z))
    return table.assign(
        se=se,
        ci_low=table.ci_low.fillna(table.estimate - z * se),
        ci_high=table.ci_high.fillna(table.estimate + z * se),
        ci_prob=table.ci_prob.where(se.isna(), prob),
    )


def label_columns(table: pd.DataFrame) -> list[str]:
    """Columns of a table of printed numbers that label a row by the estimands' dims."""
    return [c for c in table if c not in ("quantity", "coordinates", *MEASURES)]


def at_label(array: xr.DataArray, dim: str, label: Any) -> Any:
    """Return the label of an array that a table, where all may be text, names; None if none."""
    for own in array[dim].values.tolist():
        if own == label or str(own) == str(label):
            return own
    return None


def matching(table: pd.DataFrame, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the printed numbers whose quantity and labels the estimands have.

    Parameters
    ----------
    table : DataFrame
        quantity, a column for each dim (empty where a quantity has no such dim), and
        `MEASURES`.
    estimands : Dataset
        With or without the dims chain and draw.

    Examples
    --------
    >>> import pandas as pd, xarray as xr
    >>> table = nothing("group").reindex(range(2))
    >>> table = table.assign(quantity="rate", group=["a", "b"])
    >>> found = xr.Dataset({"rate": ("group", [8.0])}, {"group": ["b"]})
    >>> matching(table, found)[["quantity", "group"]]
      quantity group
    1     rate     b
    """
    dims = label_columns(table)

    def there(row: dict[str, Any]) -> bool:
        if row["quantity"] not in estimands:
            return False
        given = {name: row[name] for name in dims if row[name] != ""}
        array = estimands[row["quantity"]]
        return set(given) == set(array.dims) - set(SAMPLE_DIMS) and all(
            at_label(array, name, label) is not None for name, label in given.items()
        )

    return table[np.array([there(row) for row in table.to_dict("records")], dtype=bool)]


def nothing(*dims: str) -> pd.DataFrame:
    """Return a table of printed numbers without a row: none belongs to the data."""
    import pandas as pd

    return pd.DataFrame({n: pd.Series(dtype=object) for n in ("quantity", *dims, *MEASURES)})
