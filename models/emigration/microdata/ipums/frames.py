"""Persons that are already recoded and linked, in a DataFrame, as a panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from bayesmig.errors import DataError
from bayesmig.models.emigration.microdata.ipums import codes
from bayesmig.models.emigration.microdata.ipums.database import schema, workspace
from bayesmig.models.emigration.microdata.ipums.panel import ADULT, COLUMNS, NULLABLE, PARENT, Panel
from bayesmig.models.emigration.microdata.ipums.rules import LINKED, PANEL
from bayesmig.models.emigration.microdata.levels import AGES, DURATIONS


def panel_of_frame(frame: pd.DataFrame, attrs: Mapping[str, str] | None = None) -> Panel:
    """Make a panel of persons that are already recoded and linked.

    Parameters
    ----------
    frame : DataFrame
        Columns `COLUMNS`, labels as text or categories; other columns are left aside.
    attrs : mapping of str, optional

    Returns
    -------
    Panel
        Its flow has the rows "panel", "linked" and "not linked".

    Raises
    ------
    DataError
        For a column that lacks, and for what a panel cannot have: row, column, value.
    """
    table = _validated(frame)
    base = workspace()
    connection = schema(base, "panel")
    connection.register("frame", table)
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE person AS SELECT {columns} FROM frame")
    connection.unregister("frame")
    rows = []
    parts = [(int(year), part) for year, part in table.groupby("year")]
    for year, part in (*parts, ("total", table)):
        linked = int(part["followed"].sum())
        rows += [(year, PANEL, len(part)), (year, LINKED, linked)]
        rows += [(year, "not linked", len(part) - linked)]
    flow = pd.DataFrame(rows, columns=["year", "step", "persons"], dtype=object)
    flow = flow.astype({"persons": "Int64"}).assign(lost=pd.array([None] * len(rows), "Int64"))
    return Panel(connection, flow, {"synthetic": "", **(attrs or {})}, base)


def _levels() -> dict[str, list[str]]:
    """Labels of each column."""

    def levels(name: str) -> list[str]:
        return [level for level in dict.fromkeys(codes.table(name)["level"]) if level]

    origins = codes.table("origin")
    race = [*levels("race"), *(level for level in levels("hispanic") if level != "by race")]
    own = {
        "generation": ["first", "second"],
        "age_group": list(AGES),
        "sex": levels("sex"),
        "country": list(origins["country"]),
        "origin": list(dict.fromkeys(origins["origin"])),
        "duration": [*DURATIONS, ""],
        "citizen": [*(level for level in levels("citizen") if level != "native"), ""],
        "enrolment": levels("enrolment"),
        "education": levels("education"),
        "race": race,
        "health": levels("health"),
    }
    parents = {f"parent_{name}": known for name, known in own.items()}
    return {n: known for n, known in {**own, **parents}.items() if n in COLUMNS}


def _validated(frame: pd.DataFrame) -> pd.DataFrame:
    """Check a user's persons column by column, and then row by row."""
    import pandera.pandas as pa

    lacking = [name for name in COLUMNS if name not in frame]
    if lacking:
        raise DataError(f"the frame lacks the columns {', '.join(lacking)} of a panel")
    if frame.empty:
        raise DataError("the frame has no persons")
    table = frame[list(COLUMNS)].reset_index(drop=True)
    for name, kind in COLUMNS.items():
        if kind == "VARCHAR":
            table[name] = table[name].astype(object).where(table[name].notna(), None)
        if kind == "BOOLEAN":
            table[name] = _booleans(table[name])
    levels = _levels()
    checks: dict[str, Any] = {
        n: pa.Check.isin(known, error=f"is none of {', '.join(map(repr, known))}")
        for n, known in levels.items()
    }
    checks |= {n: pa.Check.isin([0, 1], error="is neither 0 nor 1") for n in ("moved", "returned")}
    checks["weight"] = pa.Check.in_range(
        0, float("inf"), include_min=False, include_max=False, error="is not a positive weight"
    )
    checks["age"] = pa.Check.in_range(1, 120, error="is not an age of 1-120")
    # pandas refuses to make 15.5 a nullable whole number; a plain one it would be cut to
    types = {"INTEGER": "Int64", "BIGINT": "Int64", "TINYINT": "Int8", "DOUBLE": "float64",
             "BOOLEAN": "boolean", "VARCHAR": object}  # fmt: skip
    columns = {
        name: pa.Column(
            types[kind], checks.get(name), nullable=name in NULLABLE, coerce=kind != "VARCHAR"
        )
        for name, kind in COLUMNS.items()
    }
    try:
        table = pa.DataFrameSchema(columns).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"the frame: {_failures(error.failure_cases)}") from None
    _check_rows(table)
    return table


def _booleans(values: pd.Series) -> pd.Series:
    try:
        return values.astype("boolean")
    except (TypeError, ValueError):
        raise DataError(
            f"the frame: column {values.name}: {values.dropna().unique()[:3].tolist()} are not "
            "true or false"
        ) from None


def _failures(cases: pd.DataFrame, most: int = 5) -> str:
    cases = cases.sort_values("index", kind="stable")
    words = [
        (f"row {int(case['index'])}, " if pd.notna(case["index"]) else "")
        + f"column {case['column']}: {case['failure_case']!r} "
        + (str(case["check"]) if " " in str(case["check"]) else f"fails {case['check']}")
        for case in cases.head(most).to_dict("records")
    ]
    return "; ".join(words) + (f" (and {len(cases) - most} more)" if len(cases) > most else "")


def _check_rows(table: pd.DataFrame) -> None:
    """Check what columns on their own do not show."""
    first = (table.generation == "first").to_numpy(bool)
    child = (table.age < ADULT).to_numpy(bool)
    group = pd.cut(table.age, [0, *range(15, 80, 5), 200], right=False, labels=list(AGES))
    wrong = {
        "age_group": (table.age_group != group.astype(str), "is not that of the age"),
        "generation": (~first & child, "is of a child under 15, who is not in a panel"),
        "duration": ((table.duration == "") == first, "is for the first generation, and only it"),
        "citizen": ((table.citizen == "") == first, "is for the first generation, and only it"),
        "years_in_us": (table.years_in_us.notna() != first,
                        "is for the first generation, and only it"),
        "returned": (table.returned.notna() & ~first, "is for the first generation only"),
        "pernum": (table.duplicated(["year", "month", "serial", "pernum"]), "is there twice"),
        **{n: (table[n].notna() != child, "is for children under 15, and only them")
           for n in PARENT},
    }  # fmt: skip
    for column, (bad, reason) in wrong.items():
        if bad.any():
            row = int(bad.idxmax())
            raise DataError(
                f"the frame: row {row}, column {column}: {table[column][row]!r} {reason}"
                + (f" (and {int(bad.sum()) - 1:,} more rows)" if bad.sum() > 1 else "")
            )
