"""The door for users' files: rows numbered as the file numbers them, errors that name them."""

from __future__ import annotations

import csv
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bayesmig.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

KINDS = (".csv", ".dta", ".sav", ".parquet")
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}  # that are not commas
NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?"
MARKS = ("na", "n/a", "#n/a", "nan", "null", "none", ".", "-", "missing")  # of missing values
MOST = 5  # faults of a table that are told one by one


class Table(NamedTuple):
    """A file as a table.

    Attributes
    ----------
    rows : DataFrame
        Indexed by the row of the file: the header of a text file is row 1, other files
        begin with row 1.
    labels : dict of str to dict
        Value labels by column and code, of a Stata or SPSS file.
    """

    rows: pd.DataFrame
    labels: dict[str, dict[Any, str]]


def exists(path: str | Path, kinds: Sequence[str]) -> Path:
    """Return the path of a file of one of the kinds.

    Raises
    ------
    DataError
        If it is of another kind or not there.
    """
    path = Path(path)
    if path.suffix.lower() not in kinds:
        raise DataError(f"{path}: {unknown('kind of file', path.suffix, kinds)}")
    return ordinary(path)


def ordinary(path: str | Path) -> Path:
    """Return the path of a file that can be read to its end: no folder, pipe or device.

    Raises
    ------
    DataError

    Examples
    --------
    >>> ordinary("nowhere.csv")
    Traceback (most recent call last):
        ...
    bayesmig.errors.DataError: nowhere.csv: no such file
    """
    path = Path(path)
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        raise DataError(f"{path}: no such file") from None
    if stat.S_ISDIR(mode):
        raise DataError(f"{path}: a folder, not a file")
    if not stat.S_ISREG(mode):
        raise DataError(f"{path}: a pipe or a device, not a file")
    return path


def read_table(path: str | Path, kinds: Sequence[str] = KINDS) -> Table:
    """Read a table of any kind: text of a .csv as text, codes of .dta and .sav as codes.

    Raises
    ------
    DataError
        Naming the file and, of a text file, the row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder) / "mine.csv"
    ...     _ = path.write_text("group,people\\na,20\\n")
    ...     read_table(path).rows
      group people
    2     a     20
    """
    path = exists(path, kinds)
    kind = path.suffix.lower()
    if kind == ".csv":
        found = Table(read_text(path), {})
    elif kind == ".parquet":
        found = Table(_read_parquet(path), {})
    else:
        found = _read_labelled(path)
    if found.rows.empty:
        raise DataError(f"{path}: no rows")
    return found


def read_text(path: Path, encoding_errors: str = "strict") -> pd.DataFrame:
    """Read a .csv file as text, indexed by the row of the file; empty lines are left out.

    Parameters
    ----------
    path : Path
    encoding_errors : {"strict", "replace"}
        Whether what is no UTF-8 is refused, or read as signs that stand for any.

    Raises
    ------
    DataError
    """
    import pandas as pd

    rows = text_rows(path, encoding_errors)
    _, header = next(rows, (1, []))
    if not any(header):
        raise DataError(f"{path}: not a CSV file: empty, not even a header in row 1")
    if len(header) == 1:
        other = next((mark for mark in SEPARATORS if mark in header[0]), None)
        if other:
            raise DataError(
                f"{path}: row 1: columns are separated by {SEPARATORS[other]}; save the file "
                "with commas"
            )
    kept = {}
    for i, row in rows:
        if len(row) != len(header):
            column = header[len(row)] if len(row) < len(header) else len(header) + 1
            raise DataError(
                f"{path}: row {i}, column {column}: {len(row)} values for {len(header)} columns"
            )
        kept[i] = row
    return pd.DataFrame(list(kept.values()), index=list(kept), columns=header, dtype=str)


def text_rows(path: Path, encoding_errors: str = "strict") -> Iterator[tuple[int, list[str]]]:
    """Yield the records of a .csv file with the line that each begins on, empty ones left out.

    Raises
    ------
    DataError
    """
    last = 0
    ordinary(path)
    try:
        with path.open(encoding="utf-8-sig", errors=encoding_errors, newline="") as file:
            reader = csv.reader(file, skipinitialspace=True)
            for row in reader:
                if len(row) > 1 or "".join(row).strip():
                    yield last + 1, row
                last = reader.line_num
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a CSV file of text: {error}") from None
    except MemoryError:
        raise DataError(f"{path}: a line that does not fit into memory") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def as_frame(data: Any) -> pd.DataFrame | None:
    """Return a table of any library that narwhals reads as pandas' own, None for other things.

    Categories whose order is that of their storage are text.
    """
    import pandas as pd

    if isinstance(data, pd.DataFrame):
        return data
    import narwhals as nw

    table = nw.from_native(data, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if not isinstance(table, nw.DataFrame):
        return None
    stored = [name for name, kind in table.schema.items() if kind == nw.Categorical]
    return (
        table.with_columns(nw.col(*stored).cast(nw.String)).to_pandas()
        if stored
        else table.to_pandas()
    )


def validated(schema: Any, table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Return a table as a pandera schema makes it.

    Raises
    ------
    DataError
        Naming ``where``, and row and column of the first faults.
    """
    import pandera.pandas as pa

    numbers = [n for n, c in schema.columns.items() if c.dtype and str(c.dtype) == "float64"]
    check_numbers(table, [name for name in numbers if name in table], where)
    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{where}: {first_failures(error.failure_cases)}") from None


def check_numbers(table: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    """Refuse text that is no plain number where a number should be; empty cells pass.

    Raises
    ------
    DataError
        Naming row, column and value, and what it seems to be.

    Examples
    --------
    >>> import pandas as pd
    >>> check_numbers(pd.DataFrame({"age": ["31", "1_000"]}, [2, 3]), ["age"], "mine.csv")
    Traceback (most recent call last):
        ...
    bayesmig.errors.DataError: mine.csv: row 3, column age: '1_000' is not a number
    """
    for name in columns:
        column = table[name]
        if column.dtype.kind in "iufb":
            continue
        text = column[column.notna()].astype(str).str.strip()
        wrong = text[(text != "") & ~text.str.fullmatch(NUMBER)]
        if len(wrong):
            value = str(wrong.iloc[0])
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise DataError(
                f"{where}: row {wrong.index[0]}, column {name}: {value[:50]!r} is not a number"
                f"{_instead(value)}{more}"
            )


def check_names(table: pd.DataFrame, columns: Iterable[str], where: str) -> None:
    """Refuse names that stand for a missing value, or that a blank makes another name.

    Raises
    ------
    DataError
        Naming row, column and value.
    """
    for name in columns:
        column = table[name][table[name].notna()]
        text = column.astype(str)
        for wrong, words in (
            (text.str.strip().str.lower().isin(MARKS), "marks a missing value: leave it empty"),
            (text != text.str.strip(), "begins or ends in a blank"),
            (~text.map(str.isprintable), "has a sign that cannot be printed"),
        ):
            if wrong.any():
                more = f" (and {wrong.sum() - 1} more)" if wrong.sum() > 1 else ""
                raise DataError(
                    f"{where}: row {text.index[wrong][0]}, column {name}: "
                    f"{text[wrong].iloc[0][:50]!r} {words}{more}"
                )


def _instead(value: str) -> str:
    """Say what text in the place of a number seems to be."""
    if value.lower() in MARKS:
        return ": a missing value is an empty cell"
    if re.fullmatch(r"[+-]?\d+,\d+", value):
        return ": a decimal comma; save the file with points"
    if any(c.isalpha() for c in value) and not any(c.isdigit() for c in value):
        return ": a value label in the place of a code? save the file with codes"
    return ""


def first_failures(cases: pd.DataFrame, most: int = MOST) -> str:
    """Say which rows and columns failed a schema, the first few of them."""
    cases = cases[cases["index"].notna()].drop_duplicates(["index", "column"])
    cases = cases.sort_values(["index", "column"])
    words = []
    for case in cases.head(most).to_dict("records"):
        check = str(case["check"])
        reason = "is not a number" if check.startswith(("coerce", "dtype", "not_null")) else check
        words.append(
            f"row {int(case['index'])}, column {case['column']}: {case['failure_case']!r} {reason}"
        )
    more = f" (and {len(cases) - most} more)" if len(cases) > most else ""
    return "; ".join(words) + more


def named(rows: pd.DataFrame, labels: Mapping[Any, str], name: str, where: str) -> pd.Series:
    """Return a column with value labels in the place of its codes.

    Raises
    ------
    DataError
        For a code that has no label, naming its row.
    """
    found = rows[name].map(labels)
    nameless = rows[name].notna() & found.isna()
    if nameless.any():
        raise DataError(
            f"{where}: row {rows.index[nameless][0]}, column {name}: "
            f"{rows[name][nameless].tolist()[0]!r} has no value label"
        )
    return found


def _read_labelled(path: Path) -> Table:
    import numpy as np
    import pyreadstat

    kind, read = {
        ".dta": ("a Stata", pyreadstat.read_dta),
        ".sav": ("an SPSS", pyreadstat.read_sav),
    }[path.suffix.lower()]
    try:
        rows, meta = read(str(path))
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: has text that is not UTF-8: {error}") from None
    except Exception as error:  # what pyreadstat raises of damaged files is of any kind
        raise DataError(f"{path}: not {kind} file: {_first_line(error)}") from None
    rows.index = range(1, len(rows) + 1)
    return Table(rows.replace("", np.nan), dict(meta.variable_value_labels))


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = pd.read_parquet(path)
    except Exception as error:  # what Arrow and pandas raise of damaged files is of any kind
        raise DataError(f"{path}: not a Parquet file: {_first_line(error)}") from None
    strange = [name for name in rows.columns if not isinstance(name, str)]
    if strange:
        raise DataError(f"{path}: a column is named {strange[0]!r}, which is no text")
    rows.index = range(1, len(rows) + 1)
    return rows


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300] or type(error).__name__
