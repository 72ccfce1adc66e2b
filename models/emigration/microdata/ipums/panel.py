"""A panel: persons of one year, recoded, and whether each was found in the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

if TYPE_CHECKING:
    import duckdb

ADULT = 15  # children are 0-14 (Native-born Comparison Group)
COLUMNS = {
    "year": "INTEGER",
    "serial": "BIGINT",
    "pernum": "INTEGER",
    "month": "INTEGER",
    "generation": "VARCHAR",
    "age": "INTEGER",
    "age_group": "VARCHAR",
    "sex": "VARCHAR",
    "country": "VARCHAR",
    "origin": "VARCHAR",
    "duration": "VARCHAR",
    "years_in_us": "DOUBLE",
    "citizen": "VARCHAR",
    "owner": "BOOLEAN",
    "oversample": "BOOLEAN",
    "enrolment": "VARCHAR",
    "education": "VARCHAR",
    "race": "VARCHAR",
    "health": "VARCHAR",
    "weight": "DOUBLE",
    "followed": "BOOLEAN",
    "moved": "TINYINT",
    "returned": "TINYINT",
    "parent_pernum": "INTEGER",
    "parent_generation": "VARCHAR",
    "parent_age": "INTEGER",
    "parent_age_group": "VARCHAR",
    "parent_sex": "VARCHAR",
    "parent_origin": "VARCHAR",
    "parent_enrolment": "VARCHAR",
    "parent_education": "VARCHAR",
    "parent_followed": "BOOLEAN",
}
PARENT = tuple(name for name in COLUMNS if name.startswith("parent_"))
NULLABLE = ("years_in_us", "owner", "health", "moved", "returned", *PARENT)
DTYPES = {"INTEGER": "int64", "BIGINT": "int64", "TINYINT": "Int8", "DOUBLE": "float64",
          "BOOLEAN": "bool", "VARCHAR": "str"}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Persons eligible for follow-up, recoded and linked.

    Attributes
    ----------
    connection : DuckDBPyConnection
        Table ``person``, one row per person-year: `COLUMNS`.
    flow : DataFrame
        ``year`` (a number, or "total"), ``step``, ``persons`` left after it, ``lost`` by it
        (missing where the row only counts).
    attrs : dict of str
        title, synthetic, and as JSON: years, rules, codes.
    keep : object
        What must live as long as the table does.
    """

    connection: duckdb.DuckDBPyConnection
    flow: pd.DataFrame
    attrs: dict[str, str]
    keep: Any = field(default=None, repr=False)

    def frame(self) -> pd.DataFrame:
        """Return the persons as a DataFrame (person), labels as text."""
        order = "year, month, serial, pernum"
        table = self.connection.execute(f"SELECT * FROM person ORDER BY {order}").df()
        return typed(table)


def typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a panel their types."""
    types = {name: DTYPES[kind] for name, kind in COLUMNS.items()}
    for name in NULLABLE:
        if types[name] in ("int64", "bool"):
            types[name] = {"int64": "Int64", "bool": "boolean"}[types[name]]
    return table[list(COLUMNS)].astype(types)
