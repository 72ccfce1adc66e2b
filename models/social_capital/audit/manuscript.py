"""The published files, and what follows from them."""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bayesmig.audit import Claim, Print, Tables
from bayesmig.models.social_capital.tables import (
    contrasts,
    half_unit,
    rounding,
    strata_differences,
    tidy,
    two_sided,
)

STATED, DENIED = 0.10, 0.05  # two-sided p of what prose states, and of what it denies
TABLE = {"A": "2a", "B": "2b", "C": "2c"}  # of Tables 2a-c, by contrast
EVERYONE = "all"  # Table 1's stratum
KEY = ["term", "level", "contrast", "first", "second"]  # of a difference between strata
ALL_TABLES, STRATIFIED = "Tables 1 and 2a-c", "Tables 2a-c"


class Cell(NamedTuple):
    """A printed coefficient, log odds, and its standard error."""

    estimate: float
    se: float
    stars: str = ""

    @property
    def p(self) -> float:
        """Two-sided, normal."""
        return float(two_sided(np.array(self.estimate / self.se)))

    def __str__(self) -> str:
        return f"{figure(self.estimate)} ({figure(self.se)}) {self.stars}".rstrip()


class Manuscript(Print):
    """The published files, and what follows from them.

    Parameters
    ----------
    tables : mapping of str to DataFrame
    """

    def __init__(self, tables: Tables):
        super().__init__(tables)
        self.rows = tidy(tables["coefficients"])
        self.cells = {
            (row.term, row.level, row.contrast, row.stratum): Cell(row.estimate, row.se, row.stars)
            for row in self.rows.itertuples(index=False)
        }

    @cached_property
    def contrasts(self) -> pd.DataFrame:
        """A, B, C and A + B side by side, with whether C is A + B, or B - A."""
        wide = contrasts(self.rows).reset_index()
        allowed = rounding(wide.A, wide.B, wide.C)
        return wide.assign(
            is_sum=(wide.A + wide.B - wide.C).abs() <= allowed,
            is_difference=(wide.B - wide.A - wide.C).abs() <= allowed,
        )

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Differences between strata, with ``said``: whether the prose names them.

        ``fair_se`` and ``fair_p`` are as if C's errors had the covariance of A and B, which
        print leaves out.  With 'no aspirations' by far the commonest outcome A and C are
        nearly independent, so that se(C)^2 is near se(B)^2 - se(A)^2; where print makes that
        negative its own error is kept.
        """
        found = strata_differences(self.rows)
        rows = self.contrasts.set_index(["term", "level", "stratum"])
        square = rows.se_B**2 - rows.se_A**2
        narrow = np.sqrt(square.where(square > 0, rows.se_C**2))
        ends = [
            narrow.reindex(pd.MultiIndex.from_frame(found[["term", "level", end]])).to_numpy()
            for end in ("first", "second")
        ]
        found["fair_se"] = np.where(found.contrast == "C", np.hypot(*ends), found.se)
        found["fair_p"] = two_sided(found.estimate / found.fair_se)
        named = {_difference_key(claim) for claim in self.said("difference")}
        keys = found[KEY].itertuples(index=False, name=None)
        return found.assign(said=[key in named for key in keys])

    @cached_property
    def _by_key(self) -> pd.DataFrame:
        return self.differences.set_index(KEY)

    def cell(self, claim: Claim, contrast: str | None = None) -> Cell:
        """Return the cell that a claim is about, or the one of another contrast."""
        of = claim["contrast"] if contrast is None else contrast
        key = claim["term"], claim["level"], of, claim["stratum"]
        if key not in self.cells:
            raise KeyError(f"claims.csv, {claim['claim']}: no coefficient {', '.join(key)}")
        return self.cells[key]

    def difference(self, claim: Claim) -> Any:
        """Return the row of `differences` that a claim is about."""
        key = _difference_key(claim)
        if key not in self._by_key.index:
            raise KeyError(f"claims.csv, {claim['claim']}: no difference {', '.join(key)}")
        return self._by_key.loc[key]

    def implied(self, claim: Claim) -> tuple[float, float, float]:
        """C as A + B, and the least and the most that its standard error can be.

        The covariance of A and B, negative because they share 'aspires', is between
        -se(A) se(B) and 0, so that se(C) is between |se(B) - se(A)| and the root of the sum
        of squares.
        """
        a, b = self.cell(claim, "A"), self.cell(claim, "B")
        return a.estimate + b.estimate, abs(b.se - a.se), float(np.hypot(a.se, b.se))


def figure(value: float) -> str:
    """A number with the digits of the tables."""
    decimals = max(0, round(-np.log10(2 * float(half_unit(value)))))
    return f"{value:.{decimals}f}"


def row_name(term: str, level: str) -> str:
    """Name a row of the tables in words."""
    return f"{term.replace('_', ' ')} {level.replace('_', ' ')}".strip()


def table_of(contrast: str, stratum: str) -> str:
    """Name the table of a contrast."""
    return "1" if stratum == EVERYONE else TABLE[contrast]


def place_of(term: str, level: str, contrast: str, stratum: str) -> str:
    """Name a printed cell, as in 'Table 2a, children 3, extended'."""
    column = contrast if stratum == EVERYONE else stratum
    return f"Table {table_of(contrast, stratum)}, {row_name(term, level)}, {column}"


def _difference_key(claim: Claim) -> tuple[str, str, str, str, str]:
    first, second = claim["stratum"].split(" - ")
    return claim["term"], claim["level"], claim["contrast"], first, second


def goes(value: float, way: str) -> bool:
    """Tell whether a value goes the way that is stated."""
    return {
        "positive": value > 0,
        "higher": value > 0,
        "negative": value < 0,
        "lower": value < 0,
        "either": True,
    }[way]
