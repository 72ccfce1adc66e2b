"""The files of ``published/``, asked by what a number is of."""

from __future__ import annotations

from functools import cached_property

from bayesmig.audit import Claim, Print
from bayesmig.printed import Number

ESSAY = "Portes (essay on migration and development), "
FOURTH = "inactive child_24 incarcerated_24".split()  # measures of Table 4
TOTALS = "Totals"


def number(row: Claim) -> Number:
    """Read a number whose decimals as printed are counted beside it."""
    return Number.of(f"{float(row['estimate']):.{int(float(row['decimals']))}f}")


class Essay(Print):
    """Printed numbers by outcome and predictor, by group and measure, by name."""

    @cached_property
    def coefficients(self) -> dict[tuple[str, str], Number]:
        """Table 2's coefficients by outcome and predictor."""
        return {(r["outcome"], r["predictor"]): number(r) for r in self.records("coefficients")}

    @cached_property
    def stars(self) -> dict[tuple[str, str], str]:
        """Their stars."""
        return {(r["outcome"], r["predictor"]): r["stars"] for r in self.records("coefficients")}

    @cached_property
    def derived(self) -> dict[tuple[str, str], Number]:
        """Table 2's derived effects by outcome and predictor."""
        return {(r["outcome"], r["predictor"]): number(r) for r in self.records("derived")}

    @cached_property
    def rates(self) -> dict[tuple[str, str], Number]:
        """Percentages of Tables 3 and 4 by group and measure."""
        rows = [*self.records("table3"), *self.records("table4")]
        return {(row["group"], row["measure"]): number(row) for row in rows}

    @cached_property
    def prose(self) -> dict[str, str]:
        """Numbers of the text by name."""
        return {row["name"]: row["stated"] for row in self.records("prose")}

    def groups(self, table: int) -> list[str]:
        """Return the groups of Table 3 or 4, without the totals."""
        rows = self.records(f"table{table}")
        return list(dict.fromkeys(row["group"] for row in rows if row["group"] != TOTALS))

    def place(self, claim: Claim) -> str:
        """Say where a claim stands, and what it is on."""
        return claim["source"].removeprefix(ESSAY)
