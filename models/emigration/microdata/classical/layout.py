"""The estimates laid out as the printed Tables 4-13."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from bayesmig.models.emigration.microdata.classical.cells import B_HISPANIC, COMPONENTS, cells_of
from bayesmig.models.emigration.microdata.classical.estimator import Classical
from bayesmig.models.emigration.microdata.classical.people import TEN_YEARS, Variant
from bayesmig.models.emigration.microdata.levels import AGES, DURATIONS, REGIONS

PRINTED_ORDER = (*COMPONENTS[4:], *COMPONENTS[:4])  # of Tables 5-13; Table 4 has COMPONENTS
ROWS_OF_13 = (  # two of them hold the rows below
    *("Mexico", "Central America", "North America", "Caribbean", *REGIONS["Caribbean"]),
    *("Europe", "Asia", *REGIONS["Asia"], "Africa", "Other"),
)


def tables(classical: Classical, *, b: float = B_HISPANIC, ci_prob: float = 0.90) -> pd.DataFrame:
    """Lay out the estimates as the printed Tables 4-13.

    Parameters
    ----------
    classical : Classical
    b, ci_prob : float
        As in `Classical.cells`.

    Returns
    -------
    DataFrame
        Columns table, panel ("" where the print has none), row, component, estimate, se,
        ci_low, ci_high (percent), with the labels of ``published/cells.csv``.  Rows without
        anybody in the data are absent; years are those of the data.  Tables 14 and 15
        need the legal status, which a CPS extract does not have.
    """
    people = classical.people
    parts = [
        _table(classical, number, panel, column, rows, selected, b, ci_prob)
        for number, panel, column, rows, selected in _layout(people)
    ]
    return pd.concat(parts, ignore_index=True)


def _layout(people: pd.DataFrame) -> list[tuple[int, str, str, Sequence[Any], pd.Series]]:
    """Table, panel, column of its rows, the rows in printed order, and whom it is about."""
    everyone = pd.Series(True, people.index)
    mexican, male = people.mexican == "Mexican", people.sex == "Male"
    years = sorted(people.year.unique())
    origins = (("Mexican", mexican), ("Non-Mexican", ~mexican))
    born, all_of = ("All Foreign-born", everyone), ("All", everyone)
    layout: list[tuple[int, str, str, Sequence[Any], pd.Series]] = [
        (4, "", "", ["Total"], everyone),
        *((5, name, "year", years, who) for name, who in (born, *origins)),
        (6, "", "age_group", AGES, everyone),
        *((7, name, "sex", ["Female", "Male"], who) for name, who in (all_of, *origins)),
        (8, "", "age_group", AGES, male),
        (9, "", "age_group", AGES, ~male),
    ]
    for number, (name, who) in zip((10, 11), origins, strict=True):
        for sexes, of_sex in (("Males", male), ("Females", ~male)):
            layout.append((number, f"{name} {sexes}", "age10", TEN_YEARS, who & of_sex))
    layout += [(12, name, "duration", DURATIONS, who) for name, who in (born, *origins)]
    return [*layout, (13, "", "country", ROWS_OF_13, everyone)]


def _table(
    classical: Classical,
    number: int,
    panel: str,
    column: str,
    rows: Sequence[Any],
    selected: pd.Series,
    b: float,
    ci_prob: float,
) -> pd.DataFrame:
    people = classical.people[selected.to_numpy()]
    by = [column] if column else []
    cells = cells_of(people, by, classical.variant, b, ci_prob)
    cells["row"] = cells[column].astype(object) if column else "Total"
    if number == 13:
        cells = pd.concat([cells, *_aggregates(people, classical.variant, b, ci_prob)])
    order = {row: k for k, row in enumerate(rows)}
    components = COMPONENTS if number == 4 else PRINTED_ORDER
    place = cells["row"].map(order) * len(components) + cells.component.map(components.index)
    cells = cells.iloc[np.argsort(place.to_numpy(), kind="stable")]
    cells = cells.assign(table=number, panel=panel, row=cells["row"].astype(str))
    names = ["table", "panel", "row", "component", "estimate", "se", "ci_low", "ci_high"]
    return cells[names]


def _aggregates(
    people: pd.DataFrame, variant: Variant, b: float, ci_prob: float
) -> list[pd.DataFrame]:
    """Rows of Table 13 that hold several countries."""
    parts = []
    for name, countries in REGIONS.items():
        members = people[people.country.isin(countries)]
        if len(members):
            parts.append(cells_of(members, [], variant, b, ci_prob).assign(row=name))
    return parts
