"""The report's printed numbers, and those that belong to the cells of a fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.models.emigration.data import DERIVED, OBSERVED, PUBLISHED, printed_as_zero
from bayesmig.printed import COLUMNS, MEASURES, matching, read, with_intervals


def published() -> pd.DataFrame:
    """Return every printed number of Tables 1-15 and Appendix F, tidy.

    Returns
    -------
    DataFrame
        quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note;
        percentages as printed, coefficients on the logit scale, rates as proportions.
    """
    cells = read(PUBLISHED / "cells.csv")
    errors = read(PUBLISHED / "standard_errors.csv")
    cells = cells.merge(errors.drop(columns="source"), how="left")
    cells = cells.assign(
        quantity=cells.component,
        coordinates=_joined(cells, "table", "panel", "row"),
        note="percent",
    )
    terms = read(PUBLISHED / "coefficients.csv")
    terms = terms.assign(
        quantity=terms.model + "_coefficient",
        coordinates=_joined(terms, "table", "origin", "group", "generation", "term"),
        note=terms.stars,
    )
    rates = read(PUBLISHED / "native_rates.csv")
    rates = rates.assign(
        quantity="native_emigration_rate",
        coordinates=rates.sex + ", age group " + rates.age_group.astype(str),
        estimate=rates.rate,
        note="proportion; computed in the program and not used",
    )
    program = read(PUBLISHED / "mortality_program.csv")
    program = program.assign(
        quantity="mortality_program_coefficient",
        coordinates=program.generation + ", " + program.term,
        note="",
    )
    return pd.concat(
        [part.reindex(columns=list(COLUMNS)) for part in (cells, terms, rates, program)],
        ignore_index=True,
    )


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the numbers given for the cells of ``data``, one row per quantity and cell.

    Columns: quantity, cell, estimate, se, ci_low, ci_high, ci_prob, source, note.
    """
    zeros = printed_as_zero(data)
    parts = []
    for component in (*DERIVED, *OBSERVED):
        at, zero = data.sel(component=component), zeros.sel(component=component).values
        numbers = {name: at[name].values for name in ("estimate", "ci_low", "ci_high")}
        cells = {
            "cell": data["cell"].values.astype(str),
            **numbers,
            "note": _notes(component, zero),
        }
        parts.append(pd.DataFrame({"quantity": component, **cells}))
    table = pd.concat(parts, ignore_index=True).dropna(subset="estimate")
    table = with_intervals(table, float(data.attrs["ci_prob"]))
    table = table.assign(source=data.attrs["title"])[["quantity", "cell", *MEASURES]]
    return matching(table, estimands).reset_index(drop=True)


def _notes(component: str, zero: np.ndarray, how: str) -> np.ndarray:
    if component in DERIVED:
        return np.full(len(zero), "derived; not in the likelihood")
    return np.where(zero, f"{how} 0.0 (0.0, 0.0): read as below 0.05", "")


def _joined(table: pd.DataFrame, *columns: str) -> pd.Series:
    """Label rows by the columns that are not empty: ``Table 10, Mexican Males, 15-24``."""

    def label(row: Any) -> str:
        words = [f"Table {row.table}", *(str(getattr(row, c)) for c in columns if c != "table")]
        return ", ".join(w for w in words if w and w != "all")

    return pd.Series([label(row) for row in table.itertuples()], index=table.index)
