"""The printed numbers as numbers: Tables 1 and 2a-c, their corrections and differences.

Three contrasts are printed: A, log odds of aspiring against no aspirations; B, of having
migrated against aspiring; C, of having migrated against no aspirations.  So C = A + B.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from bayesmig.errors import DataError

PUBLISHED = Path(__file__).parent / "published"
COLUMNS = ["term", "level", "contrast", "stratum", "estimate", "se", "stars", "source"]
CONTRASTS = {"A": "aspires : none", "B": "migrated : aspires", "C": "migrated : none"}
STRATA = ("none", "extended", "close")  # columns (1), (2) and (3) of Tables 2a-c
PAIRS = (("extended", "none"), ("close", "none"), ("close", "extended"))
EPS = 1e-9  # for comparisons of decimals that are not exact in binary
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
    absent = [name for name in COLUMNS if name not in table]
    if absent:
        raise DataError(f"coefficients: no column {', '.join(absent)}; needed: {COLUMNS}")
    text = table[COLUMNS].astype(object)
    rows = text.where(text.notna(), "").astype(str).reset_index(drop=True)
    for name in ("estimate", "se"):
        rows[name] = pd.to_numeric(rows[name], errors="coerce")
    bad = ~np.isfinite(rows.estimate) | ~(np.isfinite(rows.se) & (rows.se > 0))
    if bad.any():
        raise DataError(f"coefficients: estimate or se is no number for {_names(rows[bad])}")
    twice = rows.duplicated(COLUMNS[:4])
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


def corrected(printed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the printed rows, and beside them Table 1's C as A + B.

    Nothing printed is replaced: ``estimate`` and ``se`` stay as they are.

    Parameters
    ----------
    printed : DataFrame, optional
        From `read` or `tidy`; by default the former.

    Returns
    -------
    DataFrame
        The printed columns, and ``corrected`` (log odds: A + B where C is printed and differs
        from it by more than rounding can explain, the printed estimate elsewhere) and
        ``note``, which says so, that se(C) leaves out a covariance, or that the row is of a
        complete separation.
    """
    rows = (read() if printed is None else printed).reset_index(drop=True)
    wide = contrasts(rows).reset_index()
    wrong = (wide["sum"] - wide.C).abs() > rounding(wide.A, wide.B, wide.C)
    wide = wide.assign(contrast="C", wrong=wrong)
    keys = ["term", "level", "contrast", "stratum"]
    both = rows.merge(wide[[*keys, "sum", "wrong"]], on=keys, how="left")
    wrong = both.wrong.eq(True)
    rows["corrected"] = both["sum"].where(wrong, both.estimate)
    note = pd.Series("", index=rows.index)
    printed_as = both.estimate.map("{:+.3f} ".format) + both.stars
    note[wrong] = (
        "correction: A + B = " + both["sum"].map("{:+.3f}".format) + "; printed " + printed_as
    ).str.rstrip()[wrong]
    note[rows.contrast == "C"] += "; printed se leaves out the covariance of A and B"
    note[separated(rows)] += "; complete separation"
    rows["note"] = note.str.removeprefix("; ")
    return rows


def corrected_table_1(printed: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return Table 1 as it is laid out, contrast C corrected and labelled so.

    Parameters
    ----------
    printed : DataFrame, optional
        From `read` or `tidy`; by default the former.

    Returns
    -------
    DataFrame
        One row per term and level; text as the table has it, "estimate (se) stars", in
        columns ``A``, ``B`` and ``C as printed``; ``C corrected`` (A + B, log odds), and
        ``correction``, which says of each row whether that is a correction of this
        project's and not the authors', and whether it turns the sign.  A corrected C has no
        standard error: it would need the covariance of A and B, which is not in print.
    """
    rows = corrected(printed)
    rows = rows[rows.stratum == "all"]
    text = rows.estimate.map("{:.3f}".format) + rows.se.map(" ({:.3f}) ".format) + rows.stars
    rows = rows.assign(text=text.str.strip())
    keys = ["term", "level"]
    wide = rows.pivot(index=keys, columns="contrast", values="text")
    wide = wide.reindex(pd.MultiIndex.from_frame(rows[keys].drop_duplicates()))
    wide = wide.rename(columns={"C": "C as printed"}).rename_axis(columns=None)
    last = rows[rows.contrast == "C"].set_index(keys)
    changed = last.estimate != last.corrected
    turned = changed & (last.estimate * last.corrected < 0)
    said = pd.Series("", index=last.index).mask(changed, "correction, not the authors'")
    return wide.assign(
        **{"C corrected": last.corrected, "correction": said.mask(turned, said + "; other sign")}
    )


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
    rows = printed[printed.stratum.isin(STRATA)]
    strata = {name: rows[rows.stratum == name].set_index(keys) for name in STRATA}
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
