"""Of this study alone: the tables of the cards, stored as files with what made them.

    python -m bayesmig.models.transnationalism.stored

writes them into the cards again: each stands between two lines, ``<!-- NAME -->`` and
``<!-- end -->``.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

FOLDER = Path(__file__).parent
CARDS = [FOLDER / "CARD.md", *sorted(FOLDER.glob("*/CARD.md"))]
TABLE = re.compile(r"(<!-- (?P<name>[a-z]+/\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """What made a table.

    Attributes
    ----------
    command : str
    seed : int
    commit : str
        Of the code that ran; "-dirty" if files differed from it.
    """

    command: str
    seed: int
    commit: str

    def __str__(self) -> str:
        return f"{self.command}; seed {self.seed}; commit {self.commit}"


def origin(module: str, arguments: Sequence[str], seed: int) -> Origin:
    """Say what is about to make a table: before it runs, while files are what they were."""
    said = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    commit = subprocess.run(said, cwd=FOLDER, capture_output=True, text=True).stdout.strip()
    return Origin(" ".join(["python -m", module, *arguments]), seed, commit)


def write(name: str, table: pd.DataFrame, of: Origin) -> Path:
    """Write a table, its index the first column, below a line that says what made it."""
    path = _path(name)
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"# {of}\n{table.to_csv(float_format='%.6g')}", encoding="utf-8")
    return path


def read(name: str) -> pd.DataFrame:
    """Return a table, the first column its index.

    Examples
    --------
    >>> from bayesmig.models.transnationalism import stored
    >>> stored.read("results/claims").loc["more than doubles", "stated"]
    '2'
    """
    return pd.read_csv(_path(name), skiprows=1, index_col=0, keep_default_na=False, na_values=[""])


def said_of(name: str) -> str:
    """Return what made a table: command, seed and commit."""
    return _path(name).read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown; numbers with three digits after the point, stars as stars."""
    whole = {c: pd.api.types.is_integer_dtype(table[c]) for c in table}
    number = {c: pd.api.types.is_numeric_dtype(table[c]) for c in table}
    cells = pd.DataFrame(
        {c: [_cell(x, whole[c]) for x in table[c]] if number[c] else table[c].fillna("").map(_plain)
         for c in table}
    )  # fmt: skip
    head = [table.index.name or "", *map(str, table)]
    marks = ["---", *("---:" if number[c] else "---" for c in table)]
    rows = [[_plain(name), *row] for name, row in zip(table.index, cells.to_numpy(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *rows])


def filled(card: str) -> str:
    """Return a card with its tables as they are stored, each with what made it."""

    def table(found: re.Match[str]) -> str:
        name = found["name"]
        return f"{found[1]}{markdown(read(name))}\n\n`{said_of(name)}`\n{found[3]}"

    return TABLE.sub(table, card)


def names(card: str) -> list[str]:
    """Return the names of a card's tables."""
    return [found["name"] for found in TABLE.finditer(card)]


def _plain(words: object) -> str:
    return str(words).replace("*", r"\*").replace("|", r"\|")


def _cell(value: float, whole: bool) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if whole else f"{value:.3f}"


def _path(name: str) -> Path:
    return FOLDER / f"{name}.csv"


if __name__ == "__main__":
    for path in CARDS:
        path.write_text(filled(path.read_text(encoding="utf-8")), encoding="utf-8")
