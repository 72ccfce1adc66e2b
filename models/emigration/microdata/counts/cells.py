"""The rows of the printed Tables 4-14, as memberships of the foreign born of a panel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from bayesmig.models.emigration.data import PUBLISHED
from bayesmig.models.emigration.microdata.levels import REGIONS
from bayesmig.printed import read

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

COLUMNS = ("mexican", "country", "age_group", "sex", "duration", "year", "citizen")


def name(table: int, panel: str, row: str) -> str:
    """Name a printed row: "Table 10, Mexican Males, 15-24"."""
    return ", ".join([f"Table {table}", *(part for part in (panel, row) if part)])


def printed() -> pd.DataFrame:
    """Return the printed numbers of Tables 4-15 with the names of their cells."""
    table = read(PUBLISHED / "cells.csv")
    cell = [name(*row) for row in zip(table.table, table.panel, table.row, strict=True)]
    return table.assign(cell=cell)


NAMES = tuple(dict.fromkeys(printed().cell))  # of the printed rows, in their order


def cells(get: Mapping[str, NDArray[np.object_]]) -> dict[str, NDArray[np.object_]]:
    """Return for each printed panel the row that each of the foreign born belongs to.

    Parameters
    ----------
    get : mapping of ndarray of str (row)
        mexican, age_group, sex and, where kept, country, duration, year and citizen, of
        persons or patterns.  Tables by what is not kept are left out.

    Returns
    -------
    dict of ndarray of str (row)
        Names of printed rows, "" for who is in none.  Tables 14 and 15 cut by legal status,
        which no public file has; of Table 14 the naturalized are given if they are known.
    """
    mexican = get["mexican"]
    sexes = np.where(get["sex"] == "Male", "Males", "Females")
    wide = np.array([_ten_years(age) for age in get["age_group"]], dtype=object)
    found = {
        "4": _named(4, "", np.full(len(mexican), "Total")),
        "6": _named(6, "", get["age_group"]),
        "7": _named(7, "All", get["sex"]),
        "7 by origin": _named(7, mexican, get["sex"]),
        "8 and 9": _named(np.where(get["sex"] == "Male", 8, 9), "", get["age_group"]),
        "10 and 11": _named(np.where(mexican == "Mexican", 10, 11), _joined(mexican, sexes), wide),
    }
    for table, by in ((5, "year"), (12, "duration")):
        if by in get:
            found[f"{table}"] = _named(table, "All Foreign-born", get[by])
            found[f"{table} by origin"] = _named(table, mexican, get[by])
    if "country" in get:
        region = {c: r for r, countries in REGIONS.items() for c in countries}
        found["13"] = _named(13, "", get["country"])
        regions = [region.get(country, "") for country in get["country"]]
        found["13 by region"] = _named(13, "", regions)
    if "citizen" in get:
        naturalized = np.where(get["citizen"] == "Naturalized", "Naturalized", "")
        found["14"] = _named(14, "All Foreign-born", naturalized)
        found["14 by origin"] = _named(14, mexican, naturalized)
    return found


def _named(table: object, panel: object, row: object) -> NDArray[np.object_]:
    """Names of cells; no row, no cell."""
    rows = np.asarray(row, dtype=object)
    tables = np.broadcast_to(np.asarray(table, dtype=object), rows.shape)
    panels = np.broadcast_to(np.asarray(panel, dtype=object), rows.shape)
    key = zip(tables, panels, rows, strict=True)
    return np.array([name(*k) if k[2] else "" for k in key], dtype=object)


def _joined(*parts: NDArray[np.object_]) -> NDArray[np.object_]:
    return np.array([" ".join(words) for words in zip(*parts, strict=True)], dtype=object)


def _ten_years(age_group: str) -> str:
    """Ten-year group of Tables 10 and 11."""
    if age_group in ("0-14",):
        return age_group
    first = int(age_group.split("-")[0].rstrip("+"))
    if first >= 65:
        return "65+"
    low = (first - 5) // 10 * 10 + 5
    return f"{low}-{low + 9}"
