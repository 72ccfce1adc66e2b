"""Tables of the cards, stored as files with what made them.

    python -m bayesmig.stored FOLDER ...

writes the tables of each paper's folder into its cards again: each stands between two lines,
``<!-- NAME -->`` and ``<!-- end -->``, NAME being a file below the folder without its ending.  The
tables of how often intervals held the truth are drawn, too: ``calibration.png`` beside the card.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayesmig.coverage_plot import plot_coverage
from bayesmig.saving import installed

NOT_CODE = tuple(
    f":(exclude,top){path}"
    for path in ("*/calibration/*.csv", "*/results/*", "benchmarks/*.json", "docs/speed.md")
)
SAMPLING = ("pymc", "pytensor", "nutpie", "numba", "numpy")
RAN, PICTURE = "calibration/", "calibration.png"
TABLE = re.compile(r"(<!-- (?P<name>[a-z]+/\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """What made a table.

    Attributes
    ----------
    command : str
    seed : int
    commit : str
        Of the code that ran; "-dirty" if files, stored tables apart, differed from it.
    versions : str
        Of the libraries that ran.  "(pinned)" where the table did not say them when it was made:
        those of its commit's ``constraints.txt``.
    """

    command: str
    seed: int
    commit: str
    versions: str

    def __str__(self) -> str:
        return f"{self.command}; seed {self.seed}; commit {self.commit}; {self.versions}"


@dataclass(frozen=True)
class Stored:
    """The stored tables of a paper, and the cards that they are in.

    Attributes
    ----------
    folder : Path
        The paper's own; studies in subfolders are of the same paper.

    Examples
    --------
    >>> from pathlib import Path
    >>> import bayesmig as bm
    >>> tables = Stored(Path(bm.load_study("transnationalism").folder))
    >>> tables.read("results/claims").loc["more than doubles", "stated"]
    '2'
    """

    folder: Path

    @property
    def cards(self) -> list[Path]:
        """The paper's cards."""
        return [self.folder / "CARD.md", *sorted(self.folder.glob("*/CARD.md"))]

    def origin(self, module: str, arguments: Sequence[str], seed: int) -> Origin:
        """Say what is about to make a table: before it runs, while files are what they were."""
        commit, versions = code_commit(self.folder), sampling_versions()
        return Origin(" ".join(["python -m", module, *arguments]), seed, commit, versions)

    def write(self, name: str, table: pd.DataFrame, of: Origin) -> Path:
        """Write a table, its index the first column, below a line that says what made it."""
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"# {of}\n{table.to_csv(float_format='%.6g')}", encoding="utf-8")
        return path

    def make(
        self, module: str, names: Iterable[str], run: Callable[[str], pd.DataFrame], seed: int
    ) -> None:
        """Run and write tables ``calibration/NAME`` one by one, and print where each is.

        Parameters
        ----------
        module : str
            What is run as ``python -m``.
        names : iterable of str
        run : callable
            From a name to its table.
        seed : int
        """
        for name in names:
            of = self.origin(module, [name], seed)
            print(self.write(f"calibration/{name}", run(name), of), flush=True)

    def read(self, name: str) -> pd.DataFrame:
        """Return a table, the first column its index."""
        path = self._path(name)
        return pd.read_csv(path, skiprows=1, index_col=0, keep_default_na=False, na_values=[""])

    def said_of(self, name: str) -> str:
        """Return what made a table: command, seed, commit and versions."""
        first = self._path(name).read_text(encoding="utf-8").partition("\n")[0]
        return first.removeprefix("# ")

    def filled(self, card: str) -> str:
        """Return a card with its tables as they are stored, each with what made it."""

        def table(found: re.Match[str]) -> str:
            name = found["name"]
            return f"{found[1]}{markdown(self.read(name))}\n\n`{self.said_of(name)}`\n{found[3]}"

        return TABLE.sub(table, card)

    def coverages(self, card: Path) -> dict[str, pd.DataFrame]:
        """Return a card's tables of how often intervals held the truth, by name."""
        found = names(card.read_text(encoding="utf-8"))
        tables = {name.partition("/")[2]: self.read(name) for name in found if name.startswith(RAN)}
        return {name: table for name, table in tables.items() if "inside 90%" in table}

    def draw(self, card: Path) -> None:
        """Draw a card's `coverages`; the picture says in a text of its own what it was drawn of."""
        tables = self.coverages(card)
        if tables:
            said = {"Description": digest(tables)}
            plot_coverage(tables).savefig(card.parent / PICTURE, dpi=110, metadata=said)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.csv"


def code_commit(folder: Path) -> str:
    """Return the commit of a folder's code, "-dirty" if files, stored results apart, differ."""

    def git(*words: str) -> str:
        run = ["git", *words]
        done = subprocess.run(run, cwd=folder, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    changed = git("diff", "--name-only", "HEAD", "--", ":/", *NOT_CODE)
    return git("rev-parse", "--short", "HEAD") + ("-dirty" if changed else "")


def sampling_versions() -> str:
    """Return the versions of the libraries that sample."""
    return ", ".join(f"{name} {installed(name)}" for name in SAMPLING)


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


def interval(low: Any, high: Any, digits: int) -> str:
    """Return the ends of an interval as a cell of a table.

    Examples
    --------
    >>> interval(3.361, 4.912, 2)
    '3.36 to 4.91'
    """
    return f"{float(low):.{digits}f} to {float(high):.{digits}f}"


def estimate(middle: Any, low: Any, high: Any, digits: int) -> str:
    """Return a number and its interval as a cell of a table.

    Examples
    --------
    >>> estimate(4.126, 3.361, 4.912, 2)
    '4.13 (3.36 to 4.91)'
    """
    return f"{float(middle):.{digits}f} ({interval(low, high, digits)})"


def digest(tables: Mapping[str, pd.DataFrame]) -> str:
    """Return what tells tables from others: a SHA-256 of what is in them."""
    words = "".join(f"{name}\n{table.to_csv()}" for name, table in tables.items())
    return hashlib.sha256(words.encode()).hexdigest()


def names(card: str) -> list[str]:
    """Return the names of a card's tables."""
    return [found["name"] for found in TABLE.finditer(card)]


def _plain(words: object) -> str:
    return str(words).replace("*", r"\*").replace("|", r"\|")


def _cell(value: float, whole: bool) -> str:
    if pd.isna(value):
        return ""
    return f"{value:,.0f}" if whole else f"{value:.3f}"


if __name__ == "__main__":
    for tables in map(Stored, map(Path, sys.argv[1:])):
        for path in tables.cards:
            path.write_text(tables.filled(path.read_text(encoding="utf-8")), encoding="utf-8")
            tables.draw(path)
