"""The printed coefficients: all of them, and those that belong to a fit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import printed
from bayesmig.models.social_capital import paper, tables
from bayesmig.models.social_capital.corrections import corrected
from bayesmig.models.social_capital.paper import CONTRASTS, term_label

PROB = 0.95  # of intervals: the tables print none
DIMS = ("contrast", "term", "stratum", "pair")
COLUMNS = ["quantity", *DIMS, *printed.MEASURES]


def published() -> pd.DataFrame:
    """Return every printed coefficient of Tables 1 and 2a-c, tidy, as printed.

    Returns
    -------
    DataFrame
        quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note (stars);
        log odds.  The tables print no intervals: these are 95 %, estimate -+ 1.96 se.
    """
    rows = _rows(tables.read(), "coefficient")
    labels = rows.contrast + ", " + rows.term
    labels += np.where(rows.of == "all", "", ", ties: " + rows.of)
    rows = rows.assign(coordinates=labels, note=rows.stars)
    return rows[list(printed.COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the printed numbers that belong to data with the paper's columns.

    ``coefficient``: Table 1 with contrast C corrected to A + B, or the stratum's column of
    Tables 2a-c for data of one stratum; for a model over strata (rows with a ``stratum``)
    all columns of Tables 2a-c.  ``coefficient_as_printed``: contrast C of Table 1 as it is
    printed.  ``stratum_difference``: as footnote 3 computes them.  None for other data, and
    for a table of one's own.

    The sign of a printed contrast that the estimands have the other way round is turned,
    and the note says so; so does that of every row if the fit has other terms than the
    table.

    Columns: quantity, contrast, term, stratum, pair (empty where a quantity has no such
    dim), estimate, se, ci_low, ci_high, ci_prob, source, note.
    """
    lacking = [n for n in paper.COLUMNS if n not in data and n not in paper.IDENTIFIERS]
    if lacking or data.attrs.get("own_data"):
        return printed.nothing(*DIMS)
    table = _of_stratum(str(data.attrs.get("stratum", "all")))
    return printed.matching(_turned(_noted(table, estimands), estimands), estimands)


def _of_stratum(own: str) -> pd.DataFrame:
    """Printed numbers for everybody ("all"), or for the people of one stratum."""
    right = corrected()
    changed = right.estimate != right.corrected
    source = right.source.where(~changed, right.source + ", corrected")
    rows = _rows(right.assign(estimate=right.corrected, source=source), "coefficient")
    parts = [rows[rows.of == own]]
    if own == "all":
        wrong = pd.Series("as printed, which is not A + B; ", right.index).where(changed, "")
        words = (wrong + right.stars).str.strip("; ")
        as_printed = _rows(right.assign(note=words), "coefficient_as_printed")
        unplanned = as_printed.contrast == ":".join(CONTRASTS["C"])
        parts.append(as_printed[(as_printed.of == "all") & unplanned])
        parts.append(rows[rows.of != "all"].assign(stratum=lambda part: part.of))
        parts.append(_differences(tables.strata_differences(tables.read())))
    table = pd.concat(parts, ignore_index=True).reindex(columns=COLUMNS)
    texts = table[["stratum", "pair", "note"]].astype(object)
    return table.assign(**texts.where(texts.notna(), ""))


def _rows(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Label printed rows as the graph does, with 95 % intervals; ``of`` is their stratum."""
    pairs = zip(table.term, table.level, strict=True)
    return printed.with_intervals(table, PROB).assign(
        quantity=quantity,
        of=table.get("stratum"),
        stratum="",
        contrast=[":".join(CONTRASTS[letter]) for letter in table.contrast],
        term=[term_label(term, level) for term, level in pairs],
    )


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Label the differences between strata of footnote 3."""
    return _rows(table, "stratum_difference").assign(
        pair=table["first"] + " - " + table["second"],
        source="Tables 2a-c, differences and their standard errors as in footnote 3",
        note=[f"two-sided p {p:.3f}" for p in table.p],
    )


def _turned(table: pd.DataFrame, found: xr.Dataset) -> pd.DataFrame:
    """Turn the sign of printed contrasts that the estimands have the other way round."""
    known = set(found.contrast.values)
    other = table.contrast.map(lambda label: ":".join(reversed(label.split(":"))))
    turn = ~table.contrast.isin(known) & other.isin(known)
    if not turn.any():
        return table
    table = table.copy()
    rows = table[turn]
    words = rows.note + " (printed as " + rows.contrast + ", sign turned)"
    table.loc[turn, ["contrast", "note"]] = np.column_stack([other[turn], words.str.strip()])
    table.loc[turn, "estimate"] = -rows.estimate
    table.loc[turn, "ci_low"], table.loc[turn, "ci_high"] = -rows.ci_high, -rows.ci_low
    return table


def _noted(table: pd.DataFrame, found: xr.Dataset) -> pd.DataFrame:
    """Say where the print is of another formula than the fit's."""
    strata = "stratum" in found.dims
    own = table[(table.quantity == "coefficient") & ((table.stratum != "") == strata)]
    if set(own.term) == set(found.term.values):
        return table
    note = (table.note + "; the fit has other terms than the table").str.removeprefix("; ")
    return table.assign(note=note)
