"""Persons of any profile, put beside the counted ones: what they look up is then the graph's."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.attrs import pack
from bayesmig.errors import DataError, unknown
from bayesmig.models.emigration.microdata.counts.attributes import decoded, labels
from bayesmig.models.emigration.microdata.counts.collapse import OWN, OWN_HEALTH, SHARED
from bayesmig.models.emigration.microdata.paper import AGES, COUNTRIES
from bayesmig.prediction import word

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHILD = AGES[0]  # children die with nobody and are followed up, and move, with a parent
OF_THE_HOUSEHOLD = ("enrolment", "education")  # a child's are its parent's
PARENT = ("generation", "mexican", "origin", "age_group", "sex")
SELF = "own"  # of somebody who is no child: moves and is lost as a person of its own
HEALTH = ("generation", "mexican", "age_group", "sex", *OWN_HEALTH)


def profiles(data: xr.Dataset) -> pd.DataFrame:
    """Return the covariates of the foreign born, one row for each counted pattern.

    ``enrolment`` and ``education`` of a child are its parent's, and so are the columns
    ``parent_...``, which for everybody else are "own".

    Examples
    --------
    >>> import bayesmig as bm
    >>> found = profiles(bm.load_study("emigration_microdata").example(persons=2000, years=2))
    >>> found[["country", "age_group", "parent_age_group"]].iloc[0].tolist()
    ['Mexico', '0-14', '25-29']
    """
    child = decoded(data, "age_group") == CHILD
    found = {}
    for name, variable in _variables(data).items():
        values, order = decoded(data, variable), labels(data, variable)
        if name.startswith("parent_"):
            values, order = np.where(child, values, SELF), [SELF, *order]
        found[name] = pd.Categorical(values, order)
    return pd.DataFrame(found)


def beside(data: xr.Dataset, table: pd.DataFrame, used: Collection[str]) -> xr.Dataset:
    """Return the counts with persons of a table behind them, of whom there are none.

    Parameters
    ----------
    data : Dataset
        From `collapse.collapse`.
    table : DataFrame
        Columns of `profiles`.
    used : collection of str
        Covariates that the graph's formulas have.  Columns of others may be missing.

    Returns
    -------
    Dataset
        ``pattern`` is as much longer as the table has rows.

    Raises
    ------
    DataError
        Naming a column that is missing, a label that nobody has, or a child without a parent.
    """
    rows = _labelled(data, table, used)
    added = {name: _codes(data, name, rows) for name in data if data[name].dims == ("pattern",)}
    longer = _behind(data, "pattern", added)
    if data.attrs["mortality"] == "marginal":
        _check_deaths(data, rows)
        return longer
    return _with_deaths(longer, rows)


def _variables(data: xr.Dataset) -> dict[str, str]:
    """Columns of a table of persons, and what the counts call them."""
    own = [name for name in (*OWN, *SHARED[1:], *OWN_HEALTH) if name in data]
    found = {name: name for name in own}
    found |= {name: f"household_{name}" for name in OF_THE_HOUSEHOLD}
    found |= {f"parent_{name}": f"household_{name}" for name in PARENT}
    if "country" in data:  # who is Mexican follows from it
        del found["mexican"]
    if "household_origin" in data:
        del found["parent_mexican"]
    return {name: variable for name, variable in found.items() if variable in data}


def _labelled(data: xr.Dataset, table: pd.DataFrame, used: Collection[str]) -> pd.DataFrame:
    """Labels of every variable of a pattern (row), None where nothing looks it up."""
    variables = _variables(data)
    needed = {"age_group", "sex", "race", "health", *used}
    if needed & {"mexican", "origin"} or data.attrs["mortality"] == "marginal":
        needed |= {"country", "mexican"}
    lacking = [
        n for n in variables if n in needed and n not in table and not n.startswith("parent_")
    ]
    if lacking:
        raise DataError(
            f"these people lack the column {lacking[0]!r}; they need "
            + ", ".join(n for n in variables if n in needed)
        )
    found: dict[str, NDArray[Any]] = {}
    for name, variable in variables.items():
        if name not in table and not name.startswith("parent_"):
            found[name] = np.full(len(table), None, dtype=object)
            continue
        given = table[name] if name in table else pd.Series(SELF, table.index)
        found[name] = np.array([word(value) for value in given.astype(object)], dtype=object)
        order = labels(data, variable) + [SELF] * name.startswith("parent_")
        strange = [(i, label) for i, label in enumerate(found[name]) if label not in order]
        if strange:
            row, label = strange[0]
            raise DataError(f"row {row}, column {name}: {unknown('level', label, order)}")
    return pd.DataFrame(_households(found, needed, variables))


def _households(
    found: dict[str, NDArray[Any]], needed: set[str], variables: dict[str, str]
) -> dict[str, NDArray[Any]]:
    """Add what follows: who is Mexican, and whose household a person is of."""
    origin = np.array([COUNTRIES.get(c) for c in found.get("country", [])], dtype=object)
    if "country" in variables:
        found["mexican"] = np.where(found["country"] == "Mexico", "Mexican", "Non-Mexican")
    own = {**found, "origin": origin, "generation": np.full(len(found["sex"]), "first", object)}
    child = found["age_group"] == CHILD
    for name in PARENT:
        parent = found.pop(f"parent_{name}", None)
        if parent is None:
            continue
        orphan = child & (parent == SELF)
        if orphan.any() and name in (*needed, "generation"):
            raise DataError(
                f"row {int(np.flatnonzero(orphan)[0])}: a child moves and is lost with its "
                f"parent, and parent_{name} says nothing of it ({int(orphan.sum())} of "
                f"{len(child)} rows); ages from {AGES[1]} on need no parent: among them, "
                f"{{'age_group': ['{AGES[2]}', '{AGES[-1]}']}}"
            )
        found[f"household_{name}"] = np.where(child & ~orphan, parent, own[name])
    if "household_origin" in found:
        mexican = found["household_origin"] == "Mexico"
        found["household_mexican"] = np.where(mexican, "Mexican", "Non-Mexican")
    for name in OF_THE_HOUSEHOLD:
        if name in found:
            found[f"household_{name}"] = found.pop(name)
    return found


def _codes(data: xr.Dataset, name: Any, rows: pd.DataFrame) -> NDArray[Any]:
    """Codes of labels; numbers of persons and weights are zero."""
    if name not in rows:
        return np.zeros(len(rows), dtype=data[name].dtype)
    place = {label: i for i, label in enumerate(labels(data, name))}
    for label in rows[name]:
        if label is not None and label not in place:
            raise DataError(f"{name}: nobody of the fit is {label!r}, by country, age and parent")
    return np.array([place.get(label, 0) for label in rows[name]], dtype=data[name].dtype)


def _behind(data: xr.Dataset, dim: str, added: dict[Any, NDArray[Any]]) -> xr.Dataset:
    """Lengthen one dim; variables keep their places, for levels are in the order of those."""
    longer = {
        name: (dim, np.concatenate([data[name].values, added[name]]), data[name].attrs)
        if name in added
        else data[name]
        for name in data
    }
    return xr.Dataset(longer, attrs=data.attrs)


def _check_deaths(data: xr.Dataset, rows: pd.DataFrame) -> None:
    """Refuse those of whose race and health the panel knows nothing."""
    names = HEALTH[1:4]
    there = set(zip(*(decoded(data, f"health_{name}") for name in HEALTH[:4]), strict=True))
    for i, person in enumerate(rows[list(names)].itertuples(index=False, name=None)):
        if person[1] != CHILD and ("first", *person) not in there:
            raise DataError(
                f"row {i}: nobody of the fit is {', '.join(person)}, so that the mean chance to "
                "die over their race and health is unknown; read with mortality='own'"
            )


def _with_deaths(data: xr.Dataset, rows: pd.DataFrame) -> xr.Dataset:
    """Add the adults' combinations of age, sex, race and health to those that die."""
    adults = rows[rows.age_group != CHILD].assign(generation="first").fillna("Non-Mexican")
    added: dict[Any, NDArray[Any]] = {"health_people": np.ones(len(adults))}
    for name in HEALTH:
        variable = f"health_{name}"
        order = list(dict.fromkeys([*labels(data, variable), *adults[name]]))
        data[variable].attrs["labels"] = pack(order)
        added[variable] = np.array([order.index(label) for label in adults[name]], dtype="int16")
    return _behind(data, "health_pattern", added)
