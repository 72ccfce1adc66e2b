"""People as a Dataset, one row each, and back as a DataFrame: the door for tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import attrs
from bayesmig.errors import DataError, DataWarning, unknown, warn
from bayesmig.models.social_capital import values
from bayesmig.models.social_capital.paper import IDENTIFIERS, LEVELS, OUTCOMES, STRATA, Stratum

Missing = Literal["raise", "casewise"]

PERSON = "row"  # dim


def from_frame(table: pd.DataFrame) -> xr.Dataset:
    """Turn a DataFrame, one row per person, into the Dataset that the graph takes.

    Nothing is made of the columns but what they are: numbers, answers yes or no (bool) and
    labels.  Labels keep the order of their levels, a Categorical's own, else the alphabet's,
    whole numbers' by size; the first is the reference.  Named levels of the index are columns
    too.  A column that can be none of these is refused when it is asked for.

    Raises
    ------
    DataError
        For a table without rows, columns of the same name, several levels of columns.
    """
    return _dataset(table).assign_attrs(title="a table of one's own", own_data=1)


def of_paper(table: pd.DataFrame) -> xr.Dataset:
    """Turn a table with the paper's columns into a Dataset, with its levels and age squared."""
    ordered = {**LEVELS, "outcome": OUTCOMES}
    categories = {n: pd.Categorical(table[n], list(v)) for n, v in ordered.items() if n in table}
    names = {name: table[name].astype(object) for name in IDENTIFIERS}
    if "age_squared" not in table:
        categories["age_squared"] = table["age"] ** 2
    return _dataset(table.assign(**categories, **names))


def frame(data: xr.Dataset) -> pd.DataFrame:
    """Return the people of a Dataset as a DataFrame, categories with their levels in order."""
    check_people(data)
    return pd.DataFrame({name: values.decode(v) for name, v in columns(data).items()})


def columns(data: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the columns of the people by the names that the table had for them."""
    return {
        str(array.attrs.get("column", name)): array
        for name, array in data.data_vars.items()
        if array.dims == (PERSON,)
    }


def check_people(data: Any) -> None:
    """Raise `DataError` for what is no Dataset of people."""
    if not isinstance(data, xr.Dataset) or PERSON not in data.dims:
        raise DataError(
            "data must be a DataFrame of people or a Dataset of study.example(), "
            f"study.simulate() or study.read(path), got {type(data).__name__}"
        )


def used(
    data: xr.Dataset,
    names: Iterable[str],
    counts: str | None,
    missing: Missing,
    groups: Collection[str] = (),
    where: str = "",
) -> xr.Dataset:
    """Return the people who are asked about: rows that have a value in each column, and a count.

    Parameters
    ----------
    data : Dataset
    names : iterable of str
        The columns that are asked for; those that are not there are left to others to refuse.
    counts : str, optional
        The one among them that says how many people a row stands for; of none, the row goes.
    missing : {"raise", "casewise"}
        What to do with rows that lack a value: refuse, or leave them out, counted by column
        in ``attrs["left_out"]``.
    groups : collection of str
        Those among the names whose levels are groups: nobody expects all of them.
    where : str
        The file, for messages.

    Warns
    -----
    DataWarning
        For levels of a table of one's own that nobody has: they are left out.

    Raises
    ------
    DataError
    """
    there = columns(data)
    asked = {name: there[name] for name in dict.fromkeys(names) if name in there}
    data = _complete(data, {n: values.missing(a) for n, a in asked.items()}, missing, where)
    if counts in asked:
        nobody = columns(data)[counts].values == 0
        data = data.isel({PERSON: np.flatnonzero(~nobody)}) if nobody.any() else data
    own = [name for name in asked if name not in groups] if data.attrs.get("own_data") else []
    return _without_unused(data, own)


def _complete(
    data: xr.Dataset, gaps: Mapping[str, np.ndarray], missing: Missing, where: str
) -> xr.Dataset:
    if missing not in get_args(Missing):
        raise DataError(f"missing={missing!r}; valid: {', '.join(get_args(Missing))}")
    bad = np.logical_or.reduce([np.zeros(data.sizes[PERSON], dtype=bool), *gaps.values()])
    if not bad.any():
        return data
    rows = f"{bad.sum()} of {len(bad)} rows"
    each = ", ".join(f"{name} {gap.sum()}" for name, gap in gaps.items() if gap.any())
    if missing == "raise":
        raise DataError(
            f"{where}{rows} have missing values ({each}); missing='casewise' leaves them out "
            f"and counts them; the first is row {data[PERSON].values[bad][0]}"
        )
    if bad.all():
        raise DataError(f"{where}every row has a missing value ({each})")
    said = [data.attrs.get("left_out", ""), f"{rows} with a missing value ({each})"]
    kept = data.isel({PERSON: np.flatnonzero(~bad)})
    return kept.assign_attrs(left_out="; ".join(part for part in said if part))


def _without_unused(data: xr.Dataset, asked: Iterable[str]) -> xr.Dataset:
    """Leave out levels that nobody has, and say so."""
    there, said, changed = columns(data), [], {}
    for name in asked:
        array, unused = values.without_unused(there[name])
        if unused:
            changed[array.name] = array
            said.append(f"{name}: {', '.join(unused)}")
    if said:
        warn(f"levels that nobody has are left out ({'; '.join(said)})", DataWarning)
    return data.assign(changed)


def select(data: xr.Dataset, stratum: Stratum) -> xr.Dataset:
    """Take the people of one stratum of migrant ties; "all" takes everybody."""
    if stratum not in STRATA:
        raise DataError(unknown("stratum", stratum, STRATA))
    if stratum == "all":
        return data
    taken = data.isel({PERSON: np.flatnonzero(data["network"].values.astype(str) == stratum)})
    title = f"{data.attrs['title']}, network: {stratum}"
    return taken.assign_attrs(stratum=stratum, title=title)


def check_once(names: Sequence[Any], where: str = "") -> None:
    """Raise `DataError` for a name of a column that is there twice."""
    index = pd.Index(names)
    twice = index[index.duplicated()]
    if len(twice):
        raise DataError(f"{where}column {twice[0]!r} is there twice")


def _dataset(table: pd.DataFrame) -> xr.Dataset:
    """Write each column of a table as a variable, under its name if a file can keep it."""
    if table.empty:
        raise DataError("the table has no rows" if len(table.columns) else "the table is empty")
    table = _flat(table)
    arrays, unusable = {}, {}
    for i, name in enumerate(table.columns):
        try:
            variable = values.encode(table[name].reset_index(drop=True), PERSON)
        except DataError as error:
            unusable[name] = str(error)
            continue
        kept = name
        if name in ("", ".", "..", PERSON) or name.strip() != name or "/" in name:
            variable.attrs["column"], kept = name, f"column {i} of the table"
        arrays[kept] = variable
    found = xr.Dataset(
        arrays,
        coords={PERSON: np.arange(len(table))},
        attrs={"title": "people", "synthetic": 0, "left_out": "", "stratum": "all"},
    )
    return found.assign_attrs(unusable=attrs.pack(unusable)) if unusable else found


def _flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns have one name each, and whose index is none of them."""
    for axis, words in ((table.columns, "columns"), (table.index, "rows")):
        if isinstance(axis, pd.MultiIndex):
            names = ", ".join(str(name) for name in axis.names)
            advice = (
                "table.reset_index() makes columns of them"
                if words == "rows"
                else "table.columns.map('_'.join), say, makes one name of them"
            )
            raise DataError(f"the {words} have an index of several levels ({names}): {advice}")
    table = table.set_axis([str(name) for name in table.columns], axis="columns")
    check_once(table.columns)
    named = table.index.name is not None and str(table.index.name) not in table
    return table.reset_index(names=str(table.index.name)) if named else table
