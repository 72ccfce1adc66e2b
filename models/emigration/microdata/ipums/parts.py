"""An extract in parts, one file for each year: what no machine could hold is counted by pairs.

A person is met in one year and looked for in the next, and in no other: pairs of years are
independent, and their counts add up.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from bayesmig.errors import DataError
from bayesmig.models.emigration.microdata.ipums.database import schema, workspace
from bayesmig.models.emigration.microdata.ipums.extract import Extract

SAID = "extract.json"  # beside the years' folders: month, variables and what the file said
MEMORY = "1GB"  # what duckdb may hold of a pair of years before it goes to disk


def write(extract: Extract, folder: str | Path) -> Path:
    """Write the records of an extract as Parquet, in a folder for each year.

    Parameters
    ----------
    extract : Extract
    folder : str or Path
        Must not be there yet.  It is there once all of it is.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DataError
        If the folder is there, or cannot be written.
    """
    folder = Path(folder)
    if folder.exists():
        raise DataError(f"{folder}: is there already; give a folder that is not")
    begun = folder.with_name(f".{folder.name}.begun")
    shutil.rmtree(begun, ignore_errors=True)
    said = {
        "month": extract.month,
        "years": extract.years,
        "variables": sorted(extract.variables),
        "attrs": extract.attrs,
    }
    try:
        begun.parent.mkdir(parents=True, exist_ok=True)
        extract.connection.execute(
            f"COPY record TO {_text(begun)} (FORMAT parquet, PARTITION_BY (year))"
        )
        (begun / SAID).write_text(json.dumps(said, indent=1), encoding="utf-8")
        begun.rename(folder)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror}") from None
    finally:
        shutil.rmtree(begun, ignore_errors=True)
    return folder


def whole(folder: str | Path, years: tuple[int, ...] = (), memory: str = MEMORY) -> Extract:
    """Open the records of some years, where they are.

    Parameters
    ----------
    folder : str or Path
        From `write`.
    years : tuple of int
        All by default.
    memory : str
        What duckdb may hold before it writes to disk, like "1GB".

    Raises
    ------
    DataError
        If the folder is no such, a year lacks, or a file is no Parquet.
    """
    import duckdb

    folder = Path(folder)
    said = _said(folder)
    there = tuple(said["years"])
    asked = years or there
    for year in asked:
        if not list(folder.glob(f"year={year}/*.parquet")):
            raise DataError(f"{folder}: no records of {year}; it has {', '.join(map(str, there))}")
    base = workspace(memory)
    base.execute("SET threads = 1")  # workers are many
    cursor = schema(base, "extract")
    files = ", ".join(_text(folder / f"year={year}" / "*.parquet") for year in asked)
    try:
        cursor.execute(
            f"CREATE VIEW record AS SELECT * FROM read_parquet([{files}], "
            "hive_partitioning = true, hive_types = {'year': BIGINT})"
        )
        cursor.execute("SELECT count(*) FROM record").fetchone()
    except duckdb.Error as error:
        raise DataError(f"{folder}: {str(error).splitlines()[0]}") from None
    attributes, variables = dict(said["attrs"]), frozenset(said["variables"])
    return Extract(cursor, said["month"], asked, variables, attributes, base)


def _said(folder: Path) -> dict[str, Any]:
    try:
        said = json.loads((folder / SAID).read_text(encoding="utf-8"))
        kinds = {"month": int, "years": list, "variables": list, "attrs": dict}
        if all(isinstance(said[name], kind) for name, kind in kinds.items()):
            return said
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise DataError(
        f"{folder}: a folder, and none of an extract in parts (no {SAID} that says what it is)"
    )


def _text(path: Path) -> str:
    """A path as SQL has it."""
    return "'" + str(path).replace("'", "''") + "'"
