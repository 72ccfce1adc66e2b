"""The printed rates of Tables 3 and 4, and which of them belong to a fit."""

from __future__ import annotations

import pandas as pd
import xarray as xr

from bayesmig.models.transnationalism.printed import measured, table
from bayesmig.printed import COLUMNS, MEASURES, matching, nothing

TOTALS = "Totals"


def published() -> pd.DataFrame:
    """Return every number of Tables 3 and 4.

    Returns
    -------
    DataFrame
        The columns of `bayesmig.printed.COLUMNS`.
    """
    rows = _rates()
    rows = rows.assign(quantity="rate", coordinates=rows.group + ": " + rows.measure)
    return measured(rows)[list(COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return the rates of the data's table, and the ratios and differences of printed rates.

    Parameters
    ----------
    data, estimands : Dataset
    """
    if "table" not in data.attrs:
        return nothing("group", "measure", "contrast")
    rows = _rates()
    rows = rows[(rows.number == data.attrs["table"]) & (rows.group != TOTALS)]
    found = [rows.assign(quantity="rate", contrast="", note="")]
    by = rows.set_index(["group", "measure"]).estimate
    for reference in map(str, data["reference"].values):
        others = rows[rows.group != reference]
        base = [by[reference, m] for m in others.measure]
        labels = others.group + f" : {reference}"
        note = "computed from the printed rates"
        plain = others.assign(group="", contrast=labels, note=note)
        found.append(plain.assign(quantity="ratio", estimate=others.estimate / base))
        found.append(plain.assign(quantity="difference", estimate=others.estimate - base))
    whole = measured(pd.concat(found, ignore_index=True))
    return matching(whole[["quantity", "group", "measure", "contrast", *MEASURES]], estimands)


def _rates() -> pd.DataFrame:
    return pd.concat([table(f"table{n}").assign(number=n) for n in (3, 4)], ignore_index=True)
