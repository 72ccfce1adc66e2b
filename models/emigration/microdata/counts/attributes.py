"""What a counted panel says of itself: lists and tables, kept as JSON in its attributes.

A NetCDF file keeps no nested attributes; here is where they are read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.attrs import unpack
from bayesmig.errors import DataError


def labels(data: xr.Dataset, name: str) -> list[str]:
    """Labels of a covariate, in the order of its codes."""
    return _read(data[name], "labels", list)


def decoded(data: xr.Dataset, name: str) -> np.ndarray:
    """A covariate as labels (pattern)."""
    return np.asarray(labels(data, name), dtype=object)[data[name].values]


def years(data: xr.Dataset) -> list[int]:
    """Years in which the persons were met first."""
    return _read(data, "years", list)


def persons(data: xr.Dataset) -> dict[str, int]:
    """Persons of each generation, children among them."""
    return _read(data, "persons", dict)


def flow(data: xr.Dataset) -> pd.DataFrame:
    """Return the flow table of the panel that was counted: year, step, persons, lost."""
    return pd.DataFrame(_read(data, "flow", list))


def _read[Kind: (list[Any], dict[str, Any])](
    owner: xr.Dataset | xr.DataArray, name: str, kind: type[Kind]
) -> Kind:
    """Read an attribute.

    Raises
    ------
    DataError
        If it is not there, or no such thing.
    """
    try:
        return unpack(owner.attrs, name, kind)
    except DataError as error:
        source = "data come from study.read, study.example or study.simulate"
        raise DataError(f"{error}: {source}") from None
