"""An IPUMS CPS extract as a table in duckdb: read in chunks, checked, bounded in memory.

Fixed width with its DDI codebook, or comma separated with or without one; gzipped or not.
What the file says is kept as it is: recodes are `codes`, years are linked by `linking`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import pandas as pd

from bayesmig.errors import DataError, StudyError, check_option
from bayesmig.models.emigration.microdata.ipums.codebook import (
    MARCH,
    Labels,
    columns_of,
    compare_labels,
    lacking_of,
    needed,
    optional,
    read_codebook,
    synthetic_words,
)
from bayesmig.models.emigration.microdata.ipums.database import schema, transaction, workspace
from bayesmig.models.emigration.microdata.ipums.lines import check_lines
from bayesmig.readers import ordinary

if TYPE_CHECKING:
    import duckdb
    from ipumspy.ddi import VariableDescription

ENDINGS = (".dat", ".dat.gz", ".csv", ".csv.gz")
FORMATS = ".dat or .dat.gz (fixed width, with its DDI .xml) or .csv or .csv.gz, in lower case"
WEIGHTS = ("asecwt", "wtfinl")
EXACT = 1 << 53  # whole numbers up to here survive as they are
PLAIN = {
    "BIGINT": r"[+-]?[0-9]+(\.0*)?",
    "DOUBLE": r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?",
}


@dataclass(frozen=True)
class Extract:
    """The records of an extract in a duckdb table ``record``.

    Attributes
    ----------
    connection : DuckDBPyConnection
        Table ``record``: ``line`` (of the file, from 1), the variables in lower case, and
        ``asked``, whether the record is of the supplement or month asked for.
    month : int
        3 is the March supplement.
    years : tuple of int
        Those with records of that month.
    variables : frozenset of str
        Columns of ``record`` that the file has, in lower case.
    attrs : dict of str
        title, file, codebook, labels, month, weight, citation, synthetic.
    keep : object
        What must live as long as the table does.
    """

    connection: duckdb.DuckDBPyConnection
    month: int
    years: tuple[int, ...]
    variables: frozenset[str]
    attrs: dict[str, str]
    keep: Any = dataclasses.field(default=None, repr=False)

    @property
    def weight(self) -> str:
        """Column of the weight: ``asecwt``, or ``wtfinl`` of a month that is not March."""
        return WEIGHTS[self.month != MARCH]


def load(
    path: str | Path,
    ddi: str | Path | None = None,
    *,
    connection: duckdb.DuckDBPyConnection | None = None,
    chunk: int = 100_000,
    progress: bool = False,
    month: int = MARCH,
    labels: Labels = "check",
) -> Extract:
    """Read an IPUMS CPS extract into a duckdb table.

    Only the variables that the study uses are read; their names may be in any case.  The
    file is gone through twice: once for its lines, and once by ipumspy, in chunks.

    Parameters
    ----------
    path : str or Path
        Fixed width (``.dat``, ``.dat.gz``) or comma separated (``.csv``, ``.csv.gz``).
    ddi : str or Path, optional
        The DDI codebook.  By default ``cps_00001.xml`` beside ``cps_00001.dat.gz``; a
        comma separated file can do without, and its labels are then not compared.
    connection : DuckDBPyConnection, optional
        Where to put the table, in a schema of its own.  By default a temporary file, which
        goes when the extract and all that was made of it are gone.
    chunk : int
        Records read at once.
    progress : bool
        Show a progress bar.
    month : int
        3: the March supplement (ASEC).  Another: the basic survey of that month, which has
        no migration question and perhaps neither health nor home ownership; its weight is
        WTFINL.
    labels : {"check", "ignore"}
        What to do with a label of the codebook that contradicts the recodes: raise, or read on.

    Returns
    -------
    Extract

    Raises
    ------
    DataError
        For what is no such extract (says what it is), a truncated or empty file, variables
        that lack (all of them, with what each is for), a codebook that does not fit its data
        (with the line) or whose labels contradict the recodes (variable, code, both labels),
        what is no number (line, variable, value), and an extract of another month.
    StudyError
        For an option that does not exist.
    """
    check_option("labels", labels, get_args(Labels))
    if month not in range(1, 13) or chunk < 1:
        raise StudyError(f"month={month!r}, chunk={chunk!r}; valid: 1 to 12, and at least 1")
    path = Path(path)
    fixed = _is_fixed(path)
    book = read_codebook(path, ddi, needed=fixed)
    columns = columns_of(path, book, fixed)
    lacking = lacking_of(columns, month)
    if lacking:
        raise DataError(f"{path}: {lacking}; it has {', '.join(list(columns)[:30])}")
    said = compare_labels(book, labels, str(path))
    wanted = {n: v for n, v in columns.items() if n in (*needed(month), *optional(month))}
    lines = check_lines(path, columns, fixed)
    base = connection or workspace()
    cursor = schema(base, "extract")
    with transaction(cursor), _bar(progress, lines - (not fixed)) as advance:
        _create(cursor, wanted)
        line = 1 if fixed else 2
        for part in _chunks(path, wanted, fixed, chunk):
            _insert(cursor, part, line, wanted, fixed, month, str(path))
            line += len(part)
            advance(len(part))
    years = _years(cursor, month, str(path))
    attrs = {
        "title": f"IPUMS CPS, {path.name}",
        "file": path.name,
        "codebook": Path(book[0]).name if book else "none",
        "labels": said,
        "month": str(month),
        "weight": "ASECWT" if month == MARCH else "WTFINL",
        "citation": book[1].ipums_citation.strip() if book and book[1].ipums_citation else "",
        "synthetic": synthetic_words(book),
    }
    return Extract(cursor, month, years, frozenset(n.lower() for n in wanted), attrs, base)


def _is_fixed(path: Path) -> bool:
    """Whether the file is fixed width; raise if it is neither that nor comma separated."""
    if path.is_dir():
        raise DataError(f"{path}: a folder; give the data file: {FORMATS}")
    ordinary(path)
    if not path.name.endswith(ENDINGS):
        raise DataError(f"{path}: no IPUMS CPS extract by its name; valid: {FORMATS}")
    if not path.stat().st_size:
        raise DataError(f"{path}: empty")
    return path.name.endswith(ENDINGS[:2])


def _create(connection: duckdb.DuckDBPyConnection, wanted: Iterable[str]) -> None:
    columns = ", ".join(f"{n.lower()} {kind}" for n, kind in _types(wanted).items())
    connection.execute(f"CREATE TABLE record (line BIGINT, {columns}, asked BOOLEAN)")


def _types(wanted: Iterable[str]) -> dict[str, str]:
    return {name: "DOUBLE" if name.lower() in WEIGHTS else "BIGINT" for name in wanted}


def _insert(
    connection: duckdb.DuckDBPyConnection,
    part: pd.DataFrame,
    line: int,
    wanted: Mapping[str, VariableDescription],
    fixed: bool,
    month: int,
    where: str,
) -> None:
    """Let duckdb make numbers of the text of some records, the first of which is in ``line``."""
    types = _types(wanted)
    table = part.set_axis([name.lower() for name in wanted], axis=1)
    table.insert(0, "line", range(line, line + len(table)))
    connection.register("chunk", table)
    _check_numbers(connection, types, where)
    values = ", ".join(
        f"CAST({_number(n)} AS {kind}){_decimals(wanted[n], fixed)} AS {n.lower()}"
        for n, kind in types.items()
    )
    asked = f"month = {month}"
    if month == MARCH and "ASECFLAG" in wanted:
        asked += " AND coalesce(asecflag, 1) = 1"
    connection.execute(
        f"INSERT INTO record SELECT *, coalesce({asked}, false) FROM "
        f"(SELECT line, {values} FROM chunk)"
    )
    connection.unregister("chunk")


def _chunks(
    path: Path, wanted: Mapping[str, VariableDescription], fixed: bool, chunk: int
) -> Iterator[pd.DataFrame]:
    """Yield the wanted variables as text."""
    from ipumspy import readers
    from ipumspy.ddi import Codebook, FileDescription

    # Described as characters: ipumspy would turn what is no number into a zero.
    described = [dataclasses.replace(v, vartype="character", shift=None) for v in wanted.values()]
    encoding = "iso-8859-1" if fixed else "utf-8-sig"
    book = Codebook(
        FileDescription(path.name, "", "rectangular", [], "", "", encoding, "", ""),
        described, [], "", "", "cps", "",
    )  # fmt: skip
    types = {variable.name: pd.StringDtype() for variable in described}
    parts = readers.read_microdata_chunked(book, path, chunksize=chunk, dtype=types)
    for part in parts:
        yield part[list(types)]


def _number(name: str) -> str:
    return f"TRY_CAST(nullif(trim({name.lower()}), '') AS DOUBLE)"


def _decimals(variable: VariableDescription, fixed: bool) -> str:
    """Divide by the implied decimals; a comma separated file has its points."""
    return f" / {10**variable.shift}" if fixed and variable.shift else ""


def _check_numbers(
    connection: duckdb.DuckDBPyConnection, types: Mapping[str, str], where: str
) -> None:
    """Raise at the first value of a chunk that is no number, or no whole one."""

    def bad(name: str) -> str:
        number = _number(name)
        whole = ""
        if types[name] == "BIGINT":
            whole = f" OR {number} <> floor({number}) OR abs({number}) > {EXACT}"
        plain = f"NOT regexp_full_match(trim({name.lower()}), '{PLAIN[types[name]]}')"
        return (
            f"trim({name.lower()}) <> '' AND "
            f"({number} IS NULL OR NOT isfinite({number}) OR {plain}{whole})"
        )

    first = ", ".join(f"min(line) FILTER (WHERE {bad(name)})" for name in types)
    lines = connection.execute(f"SELECT {first} FROM chunk").fetchone() or ()
    found = {name: line for name, line in zip(types, lines, strict=True) if line is not None}
    if found:
        name = min(found, key=lambda n: found[n])
        (value,) = connection.execute(
            f"SELECT {name.lower()} FROM chunk WHERE line = {found[name]}"
        ).fetchone() or ("",)
        kind = "a whole number" if types[name] == "BIGINT" else "a number"
        if "e+" in str(value).lower():
            raise DataError(
                f"{where}: line {found[name]}, {name}: {value!r}: digits were lost, as a "
                "spreadsheet does when it saves long numbers; take the file that IPUMS made"
            )
        raise DataError(
            f"{where}: line {found[name]}, {name}: {value!r} is not {kind}; the codebook is of "
            "another extract, or the file is damaged"
        )


@contextmanager
def _bar(show: bool, records: int) -> Iterator[Any]:
    """Give a function that takes the number of records read."""
    if not show:
        yield lambda n: None
        return
    from rich.progress import Progress

    with Progress() as bar:
        task = bar.add_task("reading records", total=records)
        yield lambda n: bar.advance(task, n)


# The records asked for


def _years(connection: duckdb.DuckDBPyConnection, month: int, where: str) -> tuple[int, ...]:
    """Years with records asked for; raise if there are none, or a record is there twice."""
    years = connection.execute(
        "SELECT DISTINCT year FROM record WHERE asked ORDER BY year"
    ).fetchall()
    if not years:
        months = connection.execute(
            "SELECT month, count(*) FROM record GROUP BY month ORDER BY month"
        ).fetchall()
        there = ", ".join(f"{n:,} of month {m}" for m, n in months)
        if month != MARCH:
            raise DataError(f"{where}: no records of month {month}; it has {there}")
        raise DataError(
            f"{where}: no records of the March supplement (ASEC), only of the basic monthly survey "
            f"({there}), which has no migration question; select the supplement instead, or link "
            "another month than March by month="
        )
    twice = connection.execute(
        "SELECT year, serial, pernum, count(*) AS n, min(line), max(line) FROM record WHERE asked "
        "GROUP BY year, serial, pernum HAVING n > 1 ORDER BY 5"
    ).fetchall()
    if twice:
        year, serial, pernum, n, first, last = twice[0]
        raise DataError(
            f"{where}: lines {first} and {last} are the same person (YEAR {year}, SERIAL {serial}, "
            f"PERNUM {pernum}, {n} times), and so with {len(twice) - 1:,} more: an extract joined "
            "to itself, or March basic records without ASECFLAG"
        )
    return tuple(int(year) for (year,) in years)
