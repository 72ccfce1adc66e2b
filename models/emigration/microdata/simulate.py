"""Panels of known truth: SYNTHETIC persons, counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.graph import Residual
from bayesmig.models.emigration.microdata import synthetic
from bayesmig.models.emigration.microdata.counts.cells import COLUMNS, cells
from bayesmig.models.emigration.microdata.counts.collapse import (
    COVARIATES,
    Covariate,
    Mortality,
    Weights,
    collapse,
)
from bayesmig.models.emigration.microdata.ipums.frames import panel_of_frame
from bayesmig.truth import attach


def simulate(
    truth: Mapping[str, Any] | str | None = None,
    *,
    seed: int = 0,
    persons: int = 9_000,
    years: Sequence[int] = range(1996, 2000),
    adults_together: int = 1,
    residual: Residual = "probability",
    covariates: Sequence[Covariate] = COVARIATES,
    mortality: Mortality = "own",
    weights: Weights = "counts",
    citizens: bool = False,
) -> xr.Dataset:
    """Simulate a panel of known truth, and count it.

    Parameters
    ----------
    truth : mapping or str, optional
        The truth of persons, as `synthetic.default_truth` gives it, or the name of a
        `synthetic.scenario`.  It is a table of effects on the logit scale by outcome, factor
        and level, to be changed at will; the data carry what it comes to in the printed
        rows, and the whole of it as JSON in ``attrs["simulated_from"]``.
    seed : int
    persons : int
        Of both generations.
    years : sequence of int
    adults_together : int
        Adults of a household on average, who share fates; see `synthetic.simulate_panel`.
    residual : {"probability", "hazard"}
        What is equal in both generations, if the truth is not given in full.
    covariates, mortality, weights, citizens
        Of `collapse.collapse`.

    Returns
    -------
    Dataset
        Like `data.read`.  Its truth (`bayesmig.truth.of`) is ``cell_share`` (cell, fate) and
        ``cell_return`` (cell) of `true_cells`.

    Raises
    ------
    DataError
        For a truth that is not one.
    StudyError
        For an option or a scenario that does not exist.
    """
    name = "assumptions_hold" if truth is None else truth
    chosen = synthetic.scenario(name, residual) if isinstance(name, str) else name
    people = synthetic.simulate_panel(
        chosen, persons=persons, years=years, adults_together=adults_together, seed=seed
    )
    data = collapse(
        panel_of_frame(people, people.attrs),
        covariates=covariates,
        mortality=mortality,
        weights=weights,
        citizens=citizens,
    )
    return attach(data, true_cells(people, chosen))


def true_cells(people: pd.DataFrame, truth: Mapping[str, Any]) -> xr.Dataset:
    """Weighted mean probabilities of the foreign born of each printed row, under a truth.

    Returns
    -------
    Dataset
        ``cell_share`` (cell, fate), and ``cell_return`` (cell): return immigrants per person
        at risk, (1 - e - d) times the share of those asked.
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
    return xr.Dataset(
        {
            "cell_share": (("cell", "fate"), rows[list(FATES)].to_numpy()),
            "cell_return": ("cell", rows["returned"].to_numpy()),
        },
        {"cell": list(rows.index), "fate": list(FATES)},
    )
