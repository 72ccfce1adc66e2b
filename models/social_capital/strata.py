"""Differences between strata: posterior beside the tests of footnote 3."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import StudyError
from bayesmig.models.social_capital import tables
from bayesmig.models.social_capital.estimands import stratum_differences
from bayesmig.models.social_capital.paper import CONTRASTS, term_label


def together(fits: Mapping[str, xr.DataTree]) -> xr.DataArray:
    """Put the coefficients of separate fits side by side.

    Parameters
    ----------
    fits : mapping of str to DataTree
        A fit for each stratum, of one formula, reference, and number of draws.

    Returns
    -------
    DataArray (chain, draw, stratum, contrast, term)
        Log odds.

    Raises
    ------
    StudyError
        If the fits differ in terms, contrasts or draws.
    """
    arrays = {
        name: fitted["estimands"].to_dataset()["coefficient"] for name, fitted in fits.items()
    }
    if len(arrays) < 2:
        raise StudyError(f"two strata or more make a difference; got {', '.join(arrays) or 'none'}")
    first = next(iter(arrays.values()))
    for name, array in arrays.items():
        for dim in ("contrast", "term", "chain", "draw"):
            if list(array[dim].values) != list(first[dim].values):
                raise StudyError(f"the fit of stratum {name!r} has another {dim} than the first")
    return xr.concat(list(arrays.values()), pd.Index(list(arrays), name="stratum"))


def differences(source: xr.DataTree | Mapping[str, xr.DataTree]) -> pd.DataFrame:
    """Compare differences between strata with the paper's tests by hand.

    Parameters
    ----------
    source : DataTree or mapping of str to DataTree
        A fit over strata (``strata="network"``), or separate fits by stratum.

    Returns
    -------
    DataFrame
        For each pair, contrast and term: mean, sd and 95 % interval (low, high) of the
        posterior difference, ``probability`` that it is positive, and where print has it
        ``printed``, ``printed_se`` and two-sided ``printed_p`` as in footnote 3.
    """
    if isinstance(source, xr.DataTree):
        found = source["estimands"].to_dataset()
        if "stratum_difference" not in found:
            raise StudyError("this fit has no strata: bm.fit(study, data, strata='network')")
        draws = found["stratum_difference"]
    else:
        draws = stratum_differences(together(source))
    flat = draws.stack(sample=("chain", "draw"))
    low, high = flat.quantile(0.025, "sample"), flat.quantile(0.975, "sample")
    table = xr.Dataset(
        {
            "mean": flat.mean("sample"),
            "sd": flat.std("sample", ddof=1),
            "low": low.drop_vars("quantile"),
            "high": high.drop_vars("quantile"),
            "probability": (flat > 0).mean("sample"),
        }
    ).to_dataframe()
    table = table.reorder_levels(["pair", "contrast", "term"]).join(_footnote())
    return table.reset_index()


def _footnote() -> pd.DataFrame:
    """The tests of footnote 3, by pair, contrast and term."""
    table = tables.strata_differences(tables.read())
    rows: dict[str, Any] = {
        "pair": table["first"] + " - " + table["second"],
        "contrast": [":".join(CONTRASTS[letter]) for letter in table.contrast],
        "term": [term_label(t, v) for t, v in zip(table.term, table.level, strict=True)],
        "printed": table.estimate,
        "printed_se": table.se,
        "printed_p": np.asarray(table.p),
    }
    return pd.DataFrame(rows).set_index(["pair", "contrast", "term"])
