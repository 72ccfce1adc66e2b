"""The door for users' files: rows numbered as the file numbers them, errors that name them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bayesmig.errors import DataError, unknown

if TYPE_CHECKING:
    import pandas as pd

KINDS = (".csv", ".dta", ".sav", ".parquet")
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
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    return path


def read_table(path: str | Path, kinds: Sequence[str] = KINDS) -> Table:
    """Read a table of any kind: text of a .csv as text, codes of .dta and .sav as codes.

    Raises
    ------
    DataError
        Naming the file and, of a text file, the row.
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

    try:
        return schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{where}: {first_failures(error.failure_cases)}") from None


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
    except (pyreadstat.ReadstatError, OSError) as error:
        raise DataError(f"{path}: not {kind} file: {error}") from None
    rows.index = range(1, len(rows) + 1)
    return Table(rows.replace("", np.nan), dict(meta.variable_value_labels))


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        rows = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: not a Parquet file: {error}") from None
    rows.index = range(1, len(rows) + 1)
    return rows
