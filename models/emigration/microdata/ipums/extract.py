"""An IPUMS CPS extract as a table in duckdb: read in chunks, checked, bounded in memory.

Fixed width with its DDI codebook, or comma separated with or without one; gzipped or not.
What the file says is kept as it is: recodes are `codes`, years are linked by `linking`.
"""

from __future__ import annotations

import csv
import dataclasses
import gzip
import shutil
import tempfile
import warnings
import weakref
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import ParseError

import pandas as pd

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.microdata import codes

if TYPE_CHECKING:
    import duckdb
    from ipumspy.ddi import Codebook, VariableDescription

# What ipumspy raises for a file that is not XML, or XML that is not a DDI codebook
UNREADABLE = (
    ParseError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
    OSError,
    NotImplementedError,
)
MARCH = 3  # the month of the Annual Social and Economic Supplement (ASEC)
MEMORY = "2GB"  # what duckdb may hold before it goes to disk
ENDINGS = (".dat", ".dat.gz", ".csv", ".csv.gz")
FORMATS = ".dat or .dat.gz (fixed width, with its DDI .xml) or .csv or .csv.gz, in lower case"
# What every month needs, and what for
PURPOSE = {
    "YEAR": "the year of the interview",
    "MONTH": "the March supplement, or another month",
    "SERIAL": "the household",
    "PERNUM": "the person in the household",
    "CPSIDP": "to find a person again a year later",
    "MISH": "who is due for an interview a year later (months in sample 1-4)",
    "AGE": "covariate, and a rule of linking",
    "SEX": "covariate, and a rule of linking",
    "RACE": "mortality",
    "HISPAN": "mortality; Mexican origin where the birthplace is unknown",
    "BPL": "country of birth",
    "MBPL": "the second generation, and its origin",
    "FBPL": "the second generation, and its origin",
    "CITIZEN": "who is foreign born",
    "YRIMMIG": "years in the United States",
    "EDUC": "education",
    "SCHLCOLL": "school enrolment",
    "MOMLOC": "a child's parent",
    "POPLOC": "a child's parent",
}
OF_MARCH = {
    "ASECWT": "the weight",
    "ASECOVERP": "the oversample",
    "OWNERSHP": "home ownership",
    "HEALTH": "mortality",
    "MIGRATE1": "internal migration and return immigration",
}
OF_A_MONTH = {"WTFINL": "the weight"}
USED_IF_THERE = {True: ("ASECFLAG",), False: ("ASECFLAG", "ASECOVERP", "OWNERSHP", "HEALTH")}
WEIGHTS = ("asecwt", "wtfinl")


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
    labels: str = "check",
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
    if labels not in ("check", "ignore"):
        raise StudyError(f"labels={labels!r}; valid: check, ignore")
    if month not in range(1, 13) or chunk < 1:
        raise StudyError(f"month={month!r}, chunk={chunk!r}; valid: 1 to 12, and at least 1")
    path = Path(path)
    fixed = _is_fixed(path)
    book = _codebook(path, ddi, needed=fixed)
    columns = _columns(path, book, fixed)
    lacking = _lacking(columns, month)
    if lacking:
        raise DataError(f"{path}: {lacking}; it has {', '.join(list(columns)[:30])}")
    said = _compare_labels(book, labels, str(path))
    wanted = {n: v for n, v in columns.items() if n in (*_needed(month), *_optional(month))}
    lines = _check_lines(path, columns, fixed)
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
        "synthetic": _synthetic(book),
    }
    return Extract(cursor, month, years, frozenset(n.lower() for n in wanted), attrs, base)


def workspace(memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a database in a temporary file that goes when the connection does.

    Parameters
    ----------
    memory : str
        What duckdb may hold before it writes to disk, like "2GB".
    """
    import duckdb

    folder = tempfile.mkdtemp(prefix="bayesmig-")
    connection = duckdb.connect(str(Path(folder) / "persons.duckdb"))
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET temp_directory = '{folder}'")
    connection.execute("SET preserve_insertion_order = false")  # else large inserts are buffered
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    return connection


def schema(connection: duckdb.DuckDBPyConnection, stem: str) -> duckdb.DuckDBPyConnection:
    """Return a cursor whose tables are in a new schema: no table of anybody else is touched."""
    cursor = connection.cursor()
    taken = {name for (name,) in cursor.execute(
        "SELECT schema_name FROM duckdb_schemas()").fetchall()}  # fmt: skip
    number = next(n for n in range(len(taken) + 1) if f"{stem}_{n}" not in taken)
    cursor.execute(f"CREATE SCHEMA {stem}_{number}; USE {stem}_{number}")
    return cursor


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Write to disk once, at the end, or nothing if there is an error."""
    connection.execute("BEGIN")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


# The file and its codebook


def _is_fixed(path: Path) -> bool:
    """Whether the file is fixed width; raise if it is neither that nor comma separated."""
    if path.is_dir():
        raise DataError(f"{path}: a folder; give the data file: {FORMATS}")
    if not path.exists():
        raise DataError(f"{path}: no such file")
    if not path.name.endswith(ENDINGS):
        raise DataError(f"{path}: no IPUMS CPS extract by its name; valid: {FORMATS}")
    if not path.stat().st_size:
        raise DataError(f"{path}: empty")
    return path.name.endswith(ENDINGS[:2])


def _codebook(path: Path, ddi: str | Path | None, needed: bool) -> tuple[str, Codebook] | None:
    """Read the codebook given, or that of the same name."""
    beside = path.with_name(path.name.removesuffix(".gz").rsplit(".", 1)[0] + ".xml")
    where = Path(ddi) if ddi is not None else beside
    if not where.exists():
        if ddi is None and not needed:
            return None
        raise DataError(
            f"{path}: no codebook {where}; a fixed-width extract is read by its DDI (.xml, from "
            "the same page of IPUMS): put it beside the data or give ddi="
        )
    from ipumspy import readers

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ipumspy asks to cite IPUMS; attrs["citation"] does
            book = readers.read_ipums_ddi(where)
    except UNREADABLE as error:
        raise DataError(f"{where}: no DDI codebook of IPUMS: {error!r}") from None
    if book.ipums_collection.lower() != "cps":
        raise DataError(
            f"{where}: the codebook of an extract from IPUMS {book.ipums_collection.upper()}; "
            "codes differ between the collections, and this study is of IPUMS CPS"
        )
    if book.file_description.structure != "rectangular":
        raise DataError(
            f"{where}: a {book.file_description.structure} extract; ask IPUMS for a rectangular "
            "one of persons"
        )
    return str(where), book


def _columns(
    path: Path, book: tuple[str, Codebook] | None, fixed: bool
) -> dict[str, VariableDescription]:
    """Describe the columns of the file, by upper-case name."""
    described = {}
    if book:
        for variable in book[1].data_description:
            if variable.name.upper() in described:
                raise DataError(f"{book[0]}: variable {variable.name.upper()} is there twice")
            described[variable.name.upper()] = variable
    if fixed:
        return described
    found: dict[str, VariableDescription] = {}
    for name in _header(path):
        if name.strip().upper() in found:
            raise DataError(f"{path}: line 1: column {name.strip().upper()} is there twice")
        found[name.strip().upper()] = _plain(name)
    absent = [name for name in described if name not in found]
    if absent:
        raise DataError(
            f"{path}: line 1: the codebook {book[0] if book else ''} does not fit: it has "
            f"{', '.join(absent)}, which the file has not"
        )
    return found


def _plain(name: str) -> VariableDescription:
    """Describe a column of which only the name is known."""
    from ipumspy.ddi import VariableDescription

    return VariableDescription(
        id=name, name=name, rectype="", codes={}, start=0, end=0, label="", description="",
        concept="", vartype="character", notes="", shift=None,
    )  # fmt: skip


def _header(path: Path) -> list[str]:
    with _opened(path) as file:
        first = next(iter(file), b"").decode("utf-8-sig", errors="replace")
    names = next(csv.reader([first.rstrip("\r\n")]), [])
    if not any(names) or not "".join(names).isprintable():
        raise DataError(f"{path}: line 1: no names of columns; not a comma separated extract")
    return names


def _needed(month: int) -> dict[str, str]:
    return {**PURPOSE, **(OF_MARCH if month == MARCH else OF_A_MONTH)}


def _optional(month: int) -> tuple[str, ...]:
    return USED_IF_THERE[month == MARCH]


def _lacking(found: Iterable[str], month: int) -> str:
    """Say which variables lack and what each is for; "" if none does."""
    lacking = {name: use for name, use in _needed(month).items() if name not in found}
    if not lacking:
        return ""
    words = "the extract lacks " + ", ".join(f"{name} ({use})" for name, use in lacking.items())
    if month == MARCH and "WTFINL" in found and "ASECWT" in lacking:
        words += (
            ".  It seems to be of the basic monthly survey, which has no migration question; "
            "select the March supplement (ASEC) instead, or link another month by month="
        )
    return words


def _synthetic(book: tuple[str, Codebook] | None) -> str:
    """Return the words by which a codebook says that its data are synthetic."""
    if book is None:
        return ""
    said = (book[1].file_description.description, book[1].ipums_citation)
    return next((w.strip() for w in said if w and "synthetic" in w.lower()), "")


def _compare_labels(book: tuple[str, Codebook] | None, labels: str, where: str) -> str:
    """Compare the labels of a codebook with those of the recodes."""
    if book is None:
        return "not compared: no codebook"
    if labels == "ignore":
        return "not compared: labels='ignore'"
    found = {
        v.name.upper(): {c: w or "" for w, c in v.codes.items() if isinstance(c, int)}
        for v in book[1].data_description
    }
    conflicts, compared = codes.compare(found)
    if conflicts:
        shown = "; ".join(
            f"{c.variable} {c.code} is {c.found!r} there and {c.expected!r} for the recodes"
            for c in conflicts[:8]
        )
        more = f" (and {len(conflicts) - 8} more)" if len(conflicts) > 8 else ""
        raise DataError(
            f"{where}: the codebook {book[0]} contradicts the recodes: {shown}{more}.  An extract "
            "of another release of IPUMS CPS may have other codes; labels='ignore' reads it anyway"
        )
    return f"compared: {compared} labels"


# The lines of the file


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a file as lines of bytes; damage to it is a `DataError`."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is truncated or damaged: {error}") from None
    except gzip.BadGzipFile:
        raise DataError(f"{path}: no gzip file, in spite of its name") from None


def _check_lines(path: Path, columns: Mapping[str, VariableDescription], fixed: bool) -> int:
    """Return the number of lines; raise at the first that the codebook or header does not fit."""
    with _opened(path) as file:
        lines = _fixed_lines(path, file, columns) if fixed else _csv_lines(path, file, columns)
        last = blank = 0
        for last, full in lines:
            if full and blank:
                raise DataError(f"{path}: line {blank}: blank, with records below it")
            blank = 0 if full else blank or last
        last = blank - 1 if blank else last
    if last < (1 if fixed else 2):
        raise DataError(f"{path}: no records")
    return last


def _fixed_lines(
    path: Path, file: Iterable[bytes], columns: Mapping[str, VariableDescription]
) -> Iterator[tuple[int, bool]]:
    """Yield the numbers of lines and whether they are full."""
    width = max(variable.end for variable in columns.values())
    longest = max(columns, key=lambda name: columns[name].end)
    for number, line in enumerate(file, 1):
        found = len(line.rstrip(b"\r\n"))
        if found != width and found:
            raise DataError(
                f"{path}: line {number}: {found} characters, but by the codebook {width} (up to "
                f"{longest}); the codebook is of another extract, or the file is damaged"
            )
        yield number, found > 0


def _csv_lines(
    path: Path, file: Iterable[bytes], columns: Mapping[str, VariableDescription]
) -> Iterator[tuple[int, bool]]:
    """Yield the numbers of lines and whether they are full."""
    try:
        for number, row in enumerate(csv.reader(_decoded(file)), 1):
            if row and len(row) != len(columns):
                raise DataError(
                    f"{path}: line {number}: {len(row)} values for {len(columns)} columns"
                )
            yield number, bool(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file of text: {error}") from None


def _decoded(file: Iterable[bytes]) -> Iterator[str]:
    for line in file:
        yield line.decode("utf-8")


# From the file to the table


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
        whole = f" OR {number} <> floor({number})" if types[name] == "BIGINT" else ""
        return f"trim({name.lower()}) <> '' AND ({number} IS NULL OR NOT isfinite({number}){whole})"

    first = ", ".join(f"min(line) FILTER (WHERE {bad(name)})" for name in types)
    lines = connection.execute(f"SELECT {first} FROM chunk").fetchone() or ()
    found = {name: line for name, line in zip(types, lines, strict=True) if line is not None}
    if found:
        name = min(found, key=lambda n: found[n])
        (value,) = connection.execute(
            f"SELECT {name.lower()} FROM chunk WHERE line = {found[name]}"
        ).fetchone() or ("",)
        kind = "a whole number" if types[name] == "BIGINT" else "a number"
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
