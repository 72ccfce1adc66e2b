"""Person records as counts, and the printed rows beside them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.emigration.data import DERIVED, OBSERVED, published
from bayesmig.models.emigration.microdata import extract, linking, synthetic
from bayesmig.models.emigration.microdata.cells import COLUMNS, cells, printed
from bayesmig.models.emigration.microdata.collapse import COVARIATES, collapse, flow
from bayesmig.models.emigration.microdata.synthetic import FATES

if TYPE_CHECKING:
    from bayesmig.models.emigration.microdata.linking import Panel

__all__ = ["comparable", "example", "flow", "published", "read", "simulate", "truth"]


def read(
    path: str | Path,
    *,
    covariates: Sequence[str] = COVARIATES,
    mortality: str = "own",
    counted: str = "counts",
    citizens: bool = False,
    **how: Any,
) -> xr.Dataset:
    """Read an IPUMS CPS extract, link its years and count persons by their covariates.

    Parameters
    ----------
    path : str or Path
        ``.dat`` or ``.dat.gz`` with its DDI ``.xml`` beside it, or ``.csv`` or ``.csv.gz``.
    covariates, mortality, citizens
        As for `collapse.collapse`.
    counted : {"counts", "effective"}
        Its ``weights``: what enters the likelihood.
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
    return collapse(
        panel(path, **how),
        covariates=covariates,
        mortality=mortality,
        weights=counted,
        citizens=citizens,
    )


def panel(path: str | Path, **how: Any) -> Panel:
    """Read and link an extract, and keep its persons, for `classical.estimate` too."""
    loading, rules = (
        {n for n, p in inspect.signature(f).parameters.items() if p.kind is p.KEYWORD_ONLY}
        for f in (extract.load, linking.link)
    )
    loading |= {"ddi"}
    for name in how:
        if name not in loading | rules:
            raise StudyError(unknown("option of reading", name, sorted(loading | rules)))
    loaded = extract.load(path, **{n: v for n, v in how.items() if n in loading})
    return linking.link(loaded, **{n: v for n, v in how.items() if n in rules})


def example(persons: int = 9_000, years: int = 4, seed: int = 1) -> xr.Dataset:
    """Return a SYNTHETIC panel, the same at every call; no survey's persons are shipped.

    Parameters
    ----------
    persons : int
        Of both generations.
    years : int
        Years in which they are met first, from 1996.
    seed : int
    """
    return simulate(persons=persons, years=range(1996, 1996 + years), seed=seed)


def simulate(
    truth: Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    persons: int = 9_000,
    years: Iterable[int] = range(1996, 2000),
    residual: str = "probability",
    **how: Any,
) -> xr.Dataset:
    """Simulate a panel of known truth, and count it.

    Parameters
    ----------
    truth : mapping or str, optional
        As `synthetic.default_truth` gives it, or the name of a `synthetic.scenario`.
    seed : int
    persons : int
        Of both generations.
    years : iterable of int
    residual : {"probability", "hazard"}
        What is equal in both generations, if the truth is not given in full.
    **how
        Of `collapse.collapse`.

    Returns
    -------
    Dataset
        Like `read`, with ``true_cell_share`` (cell, fate) and ``true_cell_return`` (cell).
    """
    name = "assumptions_hold" if truth is None else truth
    chosen = synthetic.scenario(name, residual) if isinstance(name, str) else name
    people = synthetic.simulate_panel(chosen, persons=persons, years=years, seed=seed)
    data = collapse(linking.panel_of_frame(people, people.attrs), **how)
    share, returned = true_cells(people, chosen)
    return data.assign(true_cell_share=share, true_cell_return=returned)


def true_cells(people: pd.DataFrame, truth: Mapping[str, Any]) -> tuple[xr.DataArray, xr.DataArray]:
    """Weighted mean probabilities of the foreign born of each printed row, under a truth.

    Returns
    -------
    share : DataArray (cell, fate)
    returned : DataArray (cell)
        Return immigrants per person at risk, (1 - e - d) times the share of those asked.
    """
    first = people[people.generation == "first"]
    chance = synthetic.expected(first, truth)
    chance["returned"] *= 1 - chance.emigrated - chance.died
    columns = {name: first[name].astype(str).to_numpy(dtype=object) for name in COLUMNS[1:-1]}
    columns["mexican"] = np.where(columns["country"] == "Mexico", "Mexican", "Non-Mexican")
    rows = pd.concat(
        [
            chance.mul(first["weight"], axis=0).groupby(members).sum()
            / first["weight"].groupby(members).sum().to_numpy()[:, None]
            for members in cells(columns).values()
        ]
    )
    rows = rows[rows.index != ""]
    share = xr.DataArray(
        rows[list(FATES)].to_numpy(), {"cell": list(rows.index), "fate": list(FATES)}
    )
    return share, xr.DataArray(rows["returned"].to_numpy(), {"cell": list(rows.index)})


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
    years = json.loads(data.attrs["years"])
    same = years == list(range(1996, 2005))
    note = "" if same else f"printed: 1996-2004; these data: {', '.join(map(str, years))}"
    table = table.rename(columns={"component": "quantity"}).assign(note=note)
    # what is shown first is emigration, as in the study of the cells
    order = {name: i for i, name in enumerate((*DERIVED, *OBSERVED))}
    table = table.sort_values("quantity", key=lambda names: names.map(order), kind="stable")
    half = (table.ci_high - table.ci_low) / 2
    table["se"] = half / 1.6448536269514722  # of the printed 90 % intervals
    return table["quantity cell estimate se ci_low ci_high ci_prob source note".split()]
