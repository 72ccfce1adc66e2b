"""Three printed numbers."""

from pathlib import Path

import pandas as pd
import xarray as xr

from bayesmig import printed

PUBLISHED = Path(__file__).parent / "published" / "numbers.csv"


def published() -> pd.DataFrame:
    """Return the three printed numbers."""
    table = printed.with_intervals(_table(), prob=0.95)
    return table.assign(coordinates=table.outcome)[list(printed.COLUMNS)]


def targets(data: xr.Dataset, estimands: xr.Dataset) -> pd.DataFrame:
    """Return those of the estimands."""
    return printed.matching(printed.with_intervals(_table(), prob=0.95), estimands)


def _table() -> pd.DataFrame:
    return printed.read(PUBLISHED)
