"""Temporary databases in which no table touches another's."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmig.outputs import alive

if TYPE_CHECKING:
    import duckdb

PREFIX = "bayesmig-persons-"  # of folders with people in them, then the process
MEMORY = "2GB"  # what duckdb may hold before it goes to disk


def workspace(memory: str = MEMORY) -> duckdb.DuckDBPyConnection:
    """Open a database in a temporary file that goes when the connection does.

    Parameters
    ----------
    memory : str
        What duckdb may hold before it writes to disk, like "2GB".
    """
    import duckdb

    sweep()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")  # readable by its owner only
    connection = duckdb.connect(str(Path(folder) / "persons.duckdb"))
    connection.execute(f"SET memory_limit = '{memory}'")
    connection.execute(f"SET temp_directory = '{folder}'")
    connection.execute("SET preserve_insertion_order = false")  # else large inserts are buffered
    weakref.finalize(connection, shutil.rmtree, folder, ignore_errors=True)
    return connection


def sweep() -> None:
    """Remove the persons that killed processes of this user left in temporary files."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        process = folder.name.removeprefix(PREFIX).partition("-")[0]
        own = folder.is_dir() and not folder.is_symlink() and folder.stat().st_uid == os.getuid()
        if own and process.isdigit() and not alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


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
