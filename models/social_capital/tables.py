"""Tables 1 and 2a-c as numbers, and the differences between strata that follow from them.

Three contrasts are printed: A, log odds of aspiring against no aspirations; B, of having
migrated against aspiring; C, of having migrated against no aspirations.  So C = A + B.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayesmig.errors import DataError
from bayesmig.models.social_capital.paper import CONTRASTS, TIES
from bayesmig.printed import EPS

PUBLISHED = Path(__file__).parent / "published"
FIELDS = ["term", "level", "contrast", "stratum", "estimate", "se", "stars", "source"]
PAIRS = (("extended", "none"), ("close", "none"), ("close", "extended"))
# on the scale of log odds; the largest standard error of the other rows is 1.8
SEPARATED = 100.0


def read(path: Path | None = None) -> pd.DataFrame:
    """Return Tables 1 and 2a-c as printed, tidy and numeric.

    Parameters
    ----------
    path : Path, optional
        Another file with the columns of ``published/coefficients.csv``.

    Returns
    -------
    DataFrame
        See `tidy`.

    Raises
    ------
    DataError
        As `tidy` does.
    """
    path = PUBLISHED / "coefficients.csv" if path is None else path
    return tidy(pd.read_csv(path, keep_default_na=False, dtype=str))


def tidy(table: pd.DataFrame) -> pd.DataFrame:
    """Return ``coefficients.csv``, however it was read, with numbers as numbers.

    Parameters
    ----------
    table : DataFrame
        Columns term, level, contrast, stratum, estimate, se, stars, source, one row per
        printed coefficient, in printed order.

    Returns
    -------
    DataFrame
        The same columns; estimate and se are floats (log odds), the others text, an empty
        field an empty text.

    Raises
    ------
    DataError
        If a column is absent, a coefficient is there twice, an estimate is not a number, or
        a standard error not a positive one.
    """
    absent = [name for name in FIELDS if name not in table]
    if absent:
        raise DataError(f"coefficients: no column {', '.join(absent)}; needed: {FIELDS}")
    text = table[FIELDS].astype(object)
    rows = text.where(text.notna(), "").astype(str).reset_index(drop=True)
    for name in ("estimate", "se"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce")
    bad = ~np.isfinite(rows.estimate) | ~(np.isfinite(rows.se) & (rows.se > 0))
    if bad.any():
        raise DataError(f"coefficients: estimate or se is no number for {_names(rows[bad])}")
    twice = rows.duplicated(FIELDS[:4])
    if twice.any():
        raise DataError(f"coefficients: given twice: {_names(rows[twice])}")
    return rows


def half_unit(value: np.ndarray | pd.Series | float) -> np.ndarray:
    """Return half a unit of the last digit that the tables print of ``value``.

    They print three decimals, and four significant figures of what is larger (-60.81, 5517).
    """
    magnitude = np.floor(np.log10(np.maximum(np.abs(np.asarray(value, dtype=float)), 1)))
    return 0.5 * 10.0 ** (magnitude - 3)


def rounding(*values: pd.Series) -> np.ndarray:
    """Return how far rounding alone can move a sum of printed values."""
    return np.sum([half_unit(value) for value in values], axis=0) + EPS


def separated(printed: pd.DataFrame) -> pd.Series:
    """Tell which rows are of a complete separation: the likelihood has no maximum there."""
    return printed.se >= SEPARATED


def contrasts(printed: pd.DataFrame) -> pd.DataFrame:
    """Return A, B and C side by side, with what C must be.

    Parameters
    ----------
    printed : DataFrame
        From `read` or `tidy`.

    Returns
    -------
    DataFrame
        One row per term, level and stratum in printed order, these being the index; columns
        A, B, C (estimates), se_A, se_B, se_C, and ``sum``, A + B.

    Raises
    ------
    DataError
        If a row has not all three contrasts.
    """
    keys = ["term", "level", "stratum"]
    wide = printed.pivot(index=keys, columns="contrast", values=["estimate", "se"])
    wide = wide.reindex(pd.MultiIndex.from_frame(printed[keys].drop_duplicates()))
    wide.columns = pd.Index(
        [name if what == "estimate" else f"se_{name}" for what, name in wide.columns]
    )
    needed = [*CONTRASTS, *(f"se_{name}" for name in CONTRASTS)]
    wide = wide.reindex(columns=needed)
    incomplete = wide.isna().any(axis=1)
    if incomplete.any():
        names = _names(wide[incomplete].reset_index())
        raise DataError(f"coefficients: contrasts A, B and C are not all there for {names}")
    return wide.assign(sum=(wide.A + wide.B).round(3))


def strata_differences(printed: pd.DataFrame) -> pd.DataFrame:
    """Return the differences of coefficients between strata, as footnote 3 computes them.

    Parameters
    ----------
    printed : DataFrame
        From `read` or `tidy`.

    Returns
    -------
    DataFrame
        term, level, contrast, first, second (the strata), estimate (first less second, log
        odds), se (root of the sum of the squares of the two), z and p (two-sided, normal).

    Raises
    ------
    DataError
        If a row of Tables 2a-c is not there for each of the three strata.
    """
    keys = ["term", "level", "contrast"]
    rows = printed[printed.stratum.isin(TIES)]
    strata = {name: rows[rows.stratum == name].set_index(keys) for name in TIES}
    index = pd.MultiIndex.from_frame(rows[keys].drop_duplicates())
    for name, part in strata.items():
        absent = index.difference(part.index)
        if len(absent):
            raise DataError(
                f"coefficients: not there for stratum {name}: {_names(absent.to_frame())}"
            )
    parts = []
    for first, second in PAIRS:
        one, other = strata[first].reindex(index), strata[second].reindex(index)
        part = pd.DataFrame(
            {
                "first": first,
                "second": second,
                "estimate": (one.estimate - other.estimate).round(3),
                "se": np.hypot(one.se, other.se),
            }
        ).reset_index()
        parts.append(part)
    found = pd.concat(parts, ignore_index=True)
    found["z"] = found.estimate / found.se
    found["p"] = two_sided(found.z)
    return found


def two_sided(z: np.ndarray | pd.Series) -> np.ndarray:
    """Return the two-sided p of standard normal statistics."""
    from scipy.special import ndtr

    return 2 * ndtr(-np.abs(np.asarray(z, dtype=float)))


def _names(rows: pd.DataFrame) -> str:
    """Name some rows: 'network close A all'; the first five, and how many."""
    keys = [name for name in ("term", "level", "contrast", "stratum") if name in rows]
    names = [" ".join(filter(None, row)) for row in rows[keys].itertuples(index=False)]
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(names[:5]) + more
