"""The lines of an extract: opened, gzipped or not, and held against the codebook or header."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmig.errors import DataError

if TYPE_CHECKING:
    from ipumspy.ddi import VariableDescription


LONGEST = 1 << 20  # bytes of a line: a small gzip file may hold one of gigabytes


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open a file as lines of bytes; damage to it is a `DataError`."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield file
    except (EOFError, zlib.error) as error:
        raise DataError(f"{path}: the gzip file is truncated or damaged: {error}") from None
    except gzip.BadGzipFile:
        raise DataError(f"{path}: no gzip file, in spite of its name") from None


def check_lines(path: Path, columns: Mapping[str, VariableDescription], fixed: bool) -> int:
    """Return the number of lines; raise at the first that the codebook or header does not fit."""
    with opened(path) as file:
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
    for number, line in enumerate(_bounded(path, file), 1):
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
        for number, row in enumerate(csv.reader(_decoded(_bounded(path, file))), 1):
            if row and len(row) != len(columns):
                raise DataError(
                    f"{path}: line {number}: {len(row)} values for {len(columns)} columns"
                )
            yield number, bool(row)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a CSV file of text: {error}") from None


def _bounded(path: Path, file: Any) -> Iterator[bytes]:
    """Yield lines; raise at the first that is longer than a record can be."""
    number = 0
    while line := file.readline(LONGEST + 1):
        number += 1
        if len(line) > LONGEST:
            raise DataError(f"{path}: line {number}: longer than {LONGEST} bytes, and no record")
        yield line


def _decoded(file: Iterable[bytes]) -> Iterator[str]:
    for line in file:
        yield line.decode("utf-8")


def header(path: Path) -> list[str]:
    """Names of the columns of a comma separated file."""
    with opened(path) as file:
        first = next(_bounded(path, file), b"").decode("utf-8-sig", errors="replace")
    names = next(csv.reader([first.rstrip("\r\n")]), [])
    if not any(names) or not "".join(names).isprintable():
        raise DataError(f"{path}: line 1: no names of columns; not a comma separated extract")
    return names
