"""Pairs of years counted one by one, by whatever runs them, and added up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from bayesmig import jobs
from bayesmig.models.emigration.microdata.counts.collapse import Counting, Part, add, count
from bayesmig.models.emigration.microdata.ipums import linking, parts


@dataclass(frozen=True)
class Pair:
    """A year and the next, to be counted by a worker that has nothing but this.

    Attributes
    ----------
    folder : str
        Of the extract in parts.
    year : int
    linking : mapping
        Options of `linking.link`.
    counting : Counting
    """

    folder: str
    year: int
    linking: Mapping[str, Any]
    counting: Counting


def counted(
    folder: str | Path,
    counting: Counting,
    executor: Executor | None = None,
    *,
    years: Sequence[int] | None = None,
    **how: Any,
) -> xr.Dataset:
    """Count the persons of an extract in parts; what one process finds of the whole extract.

    Parameters
    ----------
    folder : str or Path
        From `parts.write`.
    counting : Counting
    executor : concurrent.futures.Executor, optional
        One pair after the other in this process without it.
    years, **how
        Of `linking.link`, whose generations must be there in each pair.

    Raises
    ------
    DataError, StudyError
        When all pairs have run, with a note of which failed.
    """
    base = linking.base_years(parts.whole(folder), years)
    todo = [Pair(str(Path(folder).resolve()), year, how, counting) for year in base]
    found = dict(jobs.run(of_pair, todo, executor))
    return add(jobs.results(found, "pairs of years"), counting)


def of_pair(pair: Pair) -> Part:
    """Link a year to the next and count its persons."""
    records = parts.whole(pair.folder, (pair.year, pair.year + 1))
    return count(linking.link(records, years=(pair.year,), **pair.linking), pair.counting)
