"""Contrast C of Table 1 as A + B, beside what is printed; nothing printed is replaced."""

from __future__ import annotations

import pandas as pd

from bayesmig.models.social_capital.tables import contrasts, read, rounding, separated


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
