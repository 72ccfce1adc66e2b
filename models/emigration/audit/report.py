"""The report as the checks see it: printed rows by table, panel and row, and how to name them.

Every figure in Tables 4-15 is rounded to one decimal, hence known to 0.05 (`HALF`); the
tolerances of the checks follow from that.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from bayesmig.audit import Claim, Print
from bayesmig.printed import EPS

PARTS = ("non_match", "internal_migration", "mortality", "non_follow_up")
COMPONENTS = (*PARTS, "emigration", "return_immigration", "net_emigration")
NON_NEGATIVE = COMPONENTS[:-1]  # net emigration is a difference and may be negative
HALF = 0.05
ROUNDED = 2 * HALF + EPS  # two rounded figures may differ by that much
Z90, Z95 = 1.645, 1.960

Key = tuple[int, str, str]  # table, panel, row
TOTAL: Key = (4, "", "Total")
MEXICO: Key = (13, "", "Mexico")
EVERYONE = "All Foreign-born"
ALL_TABLES = "Tables 4-15"


class Cell(NamedTuple):
    """A printed estimate with its interval."""

    estimate: float
    low: float
    high: float

    @property
    def half(self) -> float:
        """Half the width of the interval; its two rounded ends leave it known to `HALF`."""
        return (self.high - self.low) / 2

    @property
    def ordered(self) -> bool:
        """Whether the estimate is within the interval."""
        return self.low <= self.estimate <= self.high

    def __str__(self) -> str:
        return f"{self.estimate:.1f} ({self.low:.1f} to {self.high:.1f})"


class Report(Print):
    """The published files; of Tables 4-15, `rows` has the printed rows in printed order."""

    @cached_property
    def rows(self) -> dict[Key, dict[str, Cell]]:
        """Seven cells of each printed row, by component."""
        rows: dict[Key, dict[str, Cell]] = defaultdict(dict)
        for cell in self.records("cells"):
            key = (int(cell["table"]), cell["panel"], cell["row"])
            numbers = (float(cell[name]) for name in ("estimate", "ci_low", "ci_high"))
            rows[key][cell["component"]] = Cell(*numbers)
        return dict(rows)

    def keys(self, table: int, panel: str = "", rows: Iterable[str] | None = None) -> list[Key]:
        """Keys of one panel; ``rows`` picks some of them."""
        wanted = None if rows is None else set(rows)
        keys = [key for key in self.rows if key[:2] == (table, panel)]
        return keys if wanted is None else [key for key in keys if key[2] in wanted]

    def panels(self, table: int) -> list[str]:
        """Panels of one table."""
        return list(dict.fromkeys(key[1] for key in self.rows if key[0] == table))

    def cell(self, claim: Claim, row: str | None = None) -> Cell:
        """Return the cell that a claim is about, or the one of another row of its panel."""
        key = (table_of(claim), claim["panel"], claim["row"] if row is None else row)
        return self.rows[key][claim["component"]]

    def column(self, claim: Claim) -> dict[str, float]:
        """Estimates of the claim's component in its panel, by row."""
        keys = self.keys(table_of(claim), claim["panel"])
        if not keys:
            raise KeyError(f"claims.csv: no Table {claim['table']}, panel {claim['panel']!r}")
        return {key[2]: self.rows[key][claim["component"]].estimate for key in keys}

    def matrix(self, keys: Iterable[Key]) -> np.ndarray:
        """Estimates of some rows: one line per component, one column per row."""
        return np.array([[self.rows[key][c].estimate for key in keys] for c in COMPONENTS])


def place_of(key: Sequence[object]) -> str:
    """Name a printed row, as in 'Table 10, Mexican Females, 45-54'."""
    table, *rest = key
    return ", ".join([f"Table {table}", *(str(part) for part in rest if part)])


def words_of(component: str) -> str:
    """Name a component, as in 'non-match'."""
    return component.replace("_", " ").replace("non ", "non-").replace("follow up", "follow-up")


def numbers_of(text: str) -> list[int]:
    """Numbers of tables, or years: '4-6' and '4 5 6' are 4, 5, 6."""
    ends = [int(number) for number in re.findall(r"\d+", text)]
    return list(range(ends[0], ends[1] + 1)) if re.fullmatch(r"\d+-\d+", text) else ends


def table_of(claim: Claim) -> int:
    """Number of the table that a claim is about."""
    return int(float(claim["table"]))


def listed(column: Mapping[str, float], rows: Iterable[str] | None = None) -> str:
    """Rows, all of them or some, with their estimates: 'Cuba 1.2, Korea 2.3'."""
    return ", ".join(f"{row} {column[row]:.1f}" for row in (column if rows is None else rows))


def cells_of(report: Report) -> Iterator[tuple[Key, str, Cell]]:
    """Yield each printed estimate with its row and component."""
    for key, row in report.rows.items():
        for component, cell in row.items():
            yield key, component, cell


def implied(row: Mapping[str, Cell]) -> float:
    """Emigration as the paper defines it: non-match less the other three."""
    first, *others = (row[name].estimate for name in PARTS)
    return first - sum(others)
