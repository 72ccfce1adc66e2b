"""SYNTHETIC persons followed up, or not: the person table of a panel."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.errors import StudyError
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.microdata.synthetic import people as people_of
from bayesmig.models.emigration.microdata.synthetic.chances import (
    CHILD,
    first_generation,
    hazards,
    lots,
)
from bayesmig.models.emigration.microdata.synthetic.truth import checked, checked_years

SYNTHETIC = "SYNTHETIC persons, simulated from stated probabilities: no record of any survey"


def simulate_panel(
    truth: Mapping[str, Any] | None = None,
    *,
    persons: int = 20_000,
    years: Iterable[int] = range(1996, 2001),
    adults_together: int = 1,
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate the person table of a panel: who is eligible, and who is followed up.

    In proportion to the report's sample: 61 % foreign born, of whom 7 % are children of
    1-14, and 39 % second-generation adults.  By default each adult is a household, independent
    of the others; in larger ones an adult draws the same lot as the first one with the chance
    ``survey: adult_with_householder``.  A child belongs to one of the adults; with the chance
    ``survey: child_with_parent`` it draws the same lot as its parent and else a lot of its own,
    so that each person alone has the probabilities of `expected` whatever happens to others.

    Parameters
    ----------
    truth : mapping, optional
        See `default_truth`.
    persons : int
        Rows, at least 200.
    years : iterable of int
        Years t, of those in the truth; persons are spread evenly over them.
    adults_together : int
        Adults of a household on average; there are from 1 to twice as many less one.
    seed : int

    Returns
    -------
    DataFrame
        One row per person-year with the columns of a panel's table ``person``; labels are
        categoricals, ``moved``, ``returned`` and ``parent_followed`` nullable.
        ``attrs``: title, synthetic (words), seed, simulated_from (the truth, JSON).

    Raises
    ------
    DataError
        For a truth that is not one.
    StudyError
        For fewer than 200 persons, households without adults, or a year that the truth does
        not have.
    """
    truth = checked(truth)
    if persons < 200:
        raise StudyError(f"persons={persons}; at least 200, so that all kinds of persons occur")
    if not isinstance(adults_together, int) or adults_together < 1:
        raise StudyError(f"adults_together={adults_together!r}; a whole number from 1 on")
    rng = np.random.default_rng(seed)
    table = people_of.panel(rng, persons, checked_years(truth, years), adults_together)
    table = table.assign(**_lived(table, truth, rng))
    table = people_of.with_parents(table)
    table.attrs = {
        "title": f"SYNTHETIC panel of {len(table):,} persons",
        "synthetic": SYNTHETIC,
        "seed": str(seed),
        "simulated_from": json.dumps(truth),
    }
    return table


def _lived(
    table: pd.DataFrame, truth: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Draw who is followed up next year, and who moved or returned in the year before."""
    hazard = hazards(table, truth)
    first, n = first_generation(table), len(table)
    child = (table["age_group"] == CHILD).to_numpy()
    same = child & (rng.random(n) < truth["survey"]["child_with_parent"])
    parent, head = table["parent_row"].to_numpy(), table["head_row"].to_numpy()
    joins = ~child & (head != np.arange(n))
    if joins.any():
        joins &= rng.random(n) < truth["survey"]["adult_with_householder"]

    def alone() -> NDArray[np.float64]:
        own = rng.random(n)
        return np.where(joins, own[head], own)

    def drawn() -> NDArray[np.float64]:
        own = alone()
        return np.where(same, own[parent], own)

    fate = lots(hazard, truth, drawn())
    came = table["just_came"].to_numpy()
    back = first & ~came & (alone() < np.nan_to_num(hazard["returned"]))
    moved = drawn() < hazard["moved"]
    return {
        "followed": fate == FATES.index("followed"),
        "moved": pd.arrays.IntegerArray(moved.astype("int8"), came | back),
        "returned": pd.arrays.IntegerArray(back.astype("int8"), ~first),
    }
