"""People as a Dataset, one row each, and back as a DataFrame: the door for tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import attrs
from bayesmig.errors import DataError, unknown
from bayesmig.models.social_capital.paper import IDENTIFIERS, LEVELS, OUTCOMES, STRATA, Stratum

PERSON = "row"  # dim


def from_frame(table: pd.DataFrame) -> xr.Dataset:
    """Turn a DataFrame, one row per person, into the Dataset that the graph takes.

    Columns of text and categories keep the order of their levels (a pandas Categorical's
    own, the paper's for its columns, else sorted): the first is the reference.
    """
    if table.empty:
        raise DataError("the table has no rows")
    check_once(table)
    arrays = {}
    for name, column in table.items():
        if not isinstance(name, str) or name == PERSON:
            raise DataError(f"column {name!r}: columns have names, and none is {PERSON!r}")
        arrays[name] = _variable(name, column.reset_index(drop=True))
    return xr.Dataset(
        arrays,
        coords={PERSON: np.arange(len(table))},
        attrs={"title": "a table of one's own", "synthetic": 0, "left_out": "", "stratum": "all"},
    )


def frame(data: xr.Dataset) -> pd.DataFrame:
    """Return the people of a Dataset as a DataFrame, categories with their levels in order."""
    if not isinstance(data, xr.Dataset) or PERSON not in data.dims:
        raise DataError(
            "data must be a DataFrame of people or a Dataset of study.example(), "
            f"study.simulate() or study.read(path), got {type(data).__name__}"
        )
    columns = {}
    for name, variable in data.data_vars.items():
        if variable.dims != (PERSON,):
            continue
        if "levels" in variable.attrs:
            values = pd.Series(variable.values.astype(str))
            columns[name] = pd.Categorical(values, attrs.unpack(variable.attrs, "levels", list))
        elif variable.dtype.kind in "OU" and name != "person":  # a Dataset of one's own
            columns[name] = pd.Categorical(variable.values.astype(str))
        else:
            columns[name] = variable.values
    table = pd.DataFrame(columns)
    if "age" in table and "age_squared" not in table:
        table["age_squared"] = table["age"] ** 2
    return table


def select(data: xr.Dataset, stratum: Stratum) -> xr.Dataset:
    """Take the people of one stratum of migrant ties; "all" takes everybody."""
    if stratum not in STRATA:
        raise DataError(unknown("stratum", stratum, STRATA))
    if stratum == "all":
        return data
    taken = data.isel({PERSON: np.flatnonzero(data["network"].values.astype(str) == stratum)})
    title = f"{data.attrs['title']}, network: {stratum}"
    return taken.assign_attrs(stratum=stratum, title=title)


def text_of(values: pd.Series) -> pd.Series:
    """Write labels as text, whole numbers without decimals; missing ones stay missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        named = text_of(values.cat.categories.to_series())
        return values.cat.rename_categories(list(named)).astype(object)
    types = pd.api.types
    number = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if number and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).where(values.notna()).map(str, na_action="ignore")


def check_once(table: pd.DataFrame, where: str = "") -> None:
    """Raise `DataError` for a column that is there twice."""
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{where}column {twice[0]!r} is there twice")


def _variable(name: str, column: pd.Series) -> xr.Variable:
    if pd.api.types.is_bool_dtype(column.dtype):
        return xr.Variable(PERSON, column.to_numpy(dtype=float))
    if pd.api.types.is_numeric_dtype(column.dtype) and name not in IDENTIFIERS:
        return xr.Variable(PERSON, column.to_numpy(dtype=float, na_value=np.nan))
    lacking = column.isna().to_numpy()
    values = np.where(lacking, "", text_of(column).to_numpy(dtype=object)).astype(str)
    own = {**LEVELS, "outcome": OUTCOMES}.get(name, ())
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = list(text_of(column.cat.categories.to_series()))
    elif set(values[~lacking]) <= set(own):
        levels = [str(level) for level in own]
    elif pd.api.types.is_numeric_dtype(column.dtype):
        levels = list(text_of(column.dropna().drop_duplicates().sort_values()))
    else:
        levels = sorted(set(values[~lacking]))
    if name == "person":
        return xr.Variable(PERSON, values)
    return xr.Variable(PERSON, values, {"levels": attrs.pack(levels)})
