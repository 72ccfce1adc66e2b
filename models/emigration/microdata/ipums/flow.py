"""What became of whom: the table of losses from the records to the panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayesmig.errors import DataError
from bayesmig.models.emigration.microdata.ipums import codes
from bayesmig.models.emigration.microdata.ipums.panel import ADULT
from bayesmig.models.emigration.microdata.ipums.rules import (
    ELIGIBLE,
    OF_CHILDREN,
    PANEL,
    RESULTS,
    steps,
)

if TYPE_CHECKING:
    import duckdb

    from bayesmig.models.emigration.microdata.ipums.rules import Rules


def flow(
    connection: duckdb.DuckDBPyConnection, base: tuple[int, ...], rules: Rules
) -> pd.DataFrame:
    """Count who is left after each step, in each year and in all."""

    def counts(query: str) -> dict[tuple[int, str], int]:
        return {(int(year), str(what)): int(n) for year, what, n in
                connection.execute(query).fetchall()}  # fmt: skip

    lost = counts("SELECT year, reason, count(*) FROM sorted GROUP BY ALL")
    fates = counts("SELECT year, fate, count(*) FROM fate GROUP BY ALL")
    kinds = counts(
        f"SELECT year, CASE WHEN age < {ADULT} THEN 'children' ELSE concat('adults, ', generation, "
        "' generation') END, count(*) FROM person GROUP BY ALL"
    )
    notes = counts(
        f"SELECT year, 'birthplace elsewhere or unknown', "
        f"count(*) FILTER (WHERE place = {codes.ELSEWHERE}) FROM fate GROUP BY ALL UNION ALL "
        "SELECT year, 'arrival interval ends after the survey', "
        "count(*) FILTER (WHERE arrives_later) FROM fate GROUP BY ALL"
    )
    counted = [*RESULTS, "adults, first generation", "adults, second generation", "children"]
    counted += sorted({what for _, what in notes})
    of_these = {**fates, **kinds, **notes}
    rows: list[tuple[Any, str, int, int | None]] = []
    for year in (*base, "total"):
        chosen = base if year == "total" else (year,)

        def number(table: Mapping[tuple[int, str], int], what: str, of: Any = chosen) -> int:
            return sum(table.get((y, what), 0) for y in of)

        left = sum(n for (y, _), n in lost.items() if y in chosen)
        rows.append((year, "records", left, None))
        for step in (*steps(rules), *OF_CHILDREN):
            gone = number(lost, step)
            left -= gone
            rows.append((year, step, left, None if step == ELIGIBLE else gone))
        rows.append((year, PANEL, left, None))
        rows += [(year, what, number(of_these, what), None) for what in counted]
    table = pd.DataFrame(rows, columns=["year", "step", "persons", "lost"], dtype=object)
    return table.astype({"persons": "Int64", "lost": "Int64"})


def merged(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Put together the tables of panels of different years, and count all of them again."""
    if len(tables) == 1:
        return tables[0]
    years = pd.concat([table[table.year != "total"] for table in tables], ignore_index=True)
    total = years.groupby("step", sort=False)[["persons", "lost"]].sum(min_count=1).reset_index()
    whole = pd.concat([years, total.assign(year="total")], ignore_index=True)
    return whole.astype({"persons": "Int64", "lost": "Int64"})


def reasons(table: pd.DataFrame) -> str:
    """Name the steps that lost somebody, with how many: "oversample 3,210; age 0 12"."""
    total = table[(table.year == "total") & (table.lost > 0)]
    return "; ".join(f"{step} {n:,}" for step, n in zip(total.step, total.lost, strict=True))


def check_generations(table: pd.DataFrame, where: str) -> None:
    """Raise unless both generations are there."""
    total = table[table.year == "total"].set_index("step")
    absent = [g for g in ("first", "second") if not total.persons[f"adults, {g} generation"]]
    if absent:
        raise DataError(
            f"{where}: no adult of the {' or '.join(absent)} generation among "
            f"{total.persons['records']:,} records; left out: {reasons(table) or 'nobody'}.  "
            "Emigration is what the first generation loses beyond the second, so both are needed"
        )
