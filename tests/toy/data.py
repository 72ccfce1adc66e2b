"""People with a distance and seven outcomes."""

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import readers
from toy.simulate import simulate

KINDS = ("income", "moved", "letters", "visits", "calls", "place", "satisfaction")
TRIALS = 12  # letters that could have been answered


def example(people: int = 80) -> xr.Dataset:
    """Return simulated people."""
    return simulate(seed=7, people=people)


def read(path: str | Path) -> xr.Dataset:
    """Read a file with a column for the distance and each outcome."""
    rows = readers.read_table(path).rows
    return from_frame(rows.apply(pd.to_numeric), title=Path(path).name)


def from_frame(table: pd.DataFrame, title: str = "a table") -> xr.Dataset:
    """Return a table as data."""
    columns = {name: ("person", table[name].to_numpy()) for name in ("distance", *outcomes(table))}
    return xr.Dataset(
        columns,
        coords={"person": np.arange(len(table))},
        attrs={"title": title, "synthetic": 0, "left_out": ""},
    )


def outcomes(data) -> list[str]:
    """Outcomes that a table or a Dataset has."""
    return [name for name in KINDS if name in data]
