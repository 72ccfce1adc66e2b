"""Person records as counts, and the printed rows beside them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError
from bayesmig.models.emigration.data import published
from bayesmig.models.emigration.microdata import extract, linking, synthetic
from bayesmig.models.emigration.microdata.cells import COLUMNS, cells, printed
from bayesmig.models.emigration.microdata.collapse import collapse, flow, labels

if TYPE_CHECKING:
    from bayesmig.models.emigration.microdata.linking import Panel

__all__ = ["comparable", "example", "flow", "published", "read", "simulate", "truth"]
FATES = ("emigrated", "died", "moved", "lost", "followed")
TITLE = "SYNTHETIC panel of persons, laid out as linked March supplements"


def read(
    path: str | Path, *, weights: str = "counts", citizens: bool = False, **how: Any
) -> xr.Dataset:
    """Read an IPUMS CPS extract, link its years and count persons by their covariates.

    Parameters
    ----------
    path : str or Path
        ``.dat`` or ``.dat.gz`` with its DDI ``.xml`` beside it, or ``.csv`` or ``.csv.gz``.
    weights, citizens
        As for `collapse.collapse`.
    **how
        Of `panel`: where the DDI is, rules of linking, choices of codes.

    Returns
    -------
    Dataset
        Counts; `flow` gives its table of losses.

    Raises
    ------
    DataError
    """
    return collapse(panel(path, **how), weights=weights, citizens=citizens)


def panel(path: str | Path, **how: Any) -> Panel:
    """Read and link an extract, and keep its persons, for `classical.estimate` too."""
    raise NotImplementedError


def example(persons: int = 9_000, years: int = 4, seed: int = 1) -> xr.Dataset:
    """Return the synthetic panel that ships with the study: its seed and its truth.

    Parameters
    ----------
    persons : int
        Persons of both generations.
    years : int
        Years in which they are met first, from 1996.
    seed : int
    """
    return simulate(persons=persons, years=range(1996, 1996 + years), seed=seed)


def simulate(
    truth: Mapping[str, Any] | None = None,
    *,
    seed: int = 0,
    persons: int = 9_000,
    years: Iterable[int] = range(1996, 2000),
    residual: str = "probability",
    weights: str = "counts",
) -> xr.Dataset:
    """Simulate a panel of known truth, and count it.

    Parameters
    ----------
    truth : mapping, optional
        As `synthetic.default_truth`, or a name of `synthetic.scenario`.
    seed : int
    persons : int
        Persons of both generations.
    years : iterable of int
    residual : {"probability", "hazard"}
        What is equal in both generations.
    weights : {"counts", "effective"}

    Returns
    -------
    Dataset
        Like `read`, with ``true_cell_share`` (cell, fate) and ``true_cell_return`` (cell).
    """
    people, chosen = simulated_people(truth, seed, persons, years, residual)
    attrs = {"title": TITLE, "synthetic": str(people.attrs["synthetic"])}
    data = collapse(linking.panel_of_frame(people, attrs), weights=weights)
    share, returned = true_cells(people, chosen, residual)
    data = data.assign(true_cell_share=share, true_cell_return=returned)
    return data.assign_attrs(seed=seed, truth=json.dumps(chosen), simulated_residual=residual)


def simulated_people(
    truth: Any, seed: int, persons: int, years: Iterable[int], residual: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the simulated persons and the truth that they come from."""
    chosen = synthetic.scenario(truth) if isinstance(truth, str) else truth
    chosen = dict(synthetic.default_truth() if chosen is None else chosen)
    people = synthetic.simulate_panel(
        chosen, persons=persons, years=years, seed=seed, residual=residual
    )
    return people, chosen


def true_cells(
    people: pd.DataFrame, truth: Mapping[str, Any], residual: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """Weighted mean probabilities of the foreign born in each printed row, under the truth."""
    first = people[people.generation == "first"]
    chances = synthetic.expected(first, truth, residual=residual)
    columns = {name: first[name].astype(str).to_numpy(dtype=object) for name in COLUMNS}
    weight = first["weight"].to_numpy()
    shares, returns = {}, {}
    for members in cells(columns).values():
        for name in dict.fromkeys(members):
            if name:
                at = members == name
                shares[name] = [np.average(chances[f].to_numpy()[at], weights=weight[at])
                                for f in FATES]  # fmt: skip
                returns[name] = np.average(chances["returned"].to_numpy()[at], weights=weight[at])
    names = list(shares)
    share = xr.DataArray([shares[n] for n in names], {"cell": names, "fate": list(FATES)})
    return share, xr.DataArray([returns[n] for n in names], {"cell": names})


def truth(data: xr.Dataset) -> xr.Dataset:
    """Return the truth that a simulated panel carries, as the graph's variables."""
    if "true_cell_share" not in data:
        raise DataError("these data are not simulated: they carry no truth")
    return xr.Dataset(
        {"cell_share": data["true_cell_share"], "cell_return": data["true_cell_return"]}
    )


def comparable(data: xr.Dataset) -> pd.DataFrame:
    """Return the printed numbers of the rows of Tables 4-14, to be set beside the panel's own.

    Columns: quantity, cell, estimate, se, ci_low, ci_high, ci_prob, source, note.  The note
    says which rows another choice of years or codes would change.
    """
    table = printed()
    years = set(labels(data, "year"))
    report = {str(year) for year in range(1996, 2005)}
    note = "" if years == report else f"printed: 1996-2004; these data: {', '.join(sorted(years))}"
    table = table.rename(columns={"component": "quantity"}).assign(note=note)
    half = (table.ci_high - table.ci_low) / 2
    table["se"] = half / 1.6448536269514722  # of the printed 90 % intervals
    return table["quantity cell estimate se ci_low ci_high ci_prob source note".split()]
