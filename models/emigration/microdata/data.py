"""Person records as counts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.emigration.microdata.counts import pairs
from bayesmig.models.emigration.microdata.counts.collapse import (
    COVARIATES,
    Counting,
    Covariate,
    Mortality,
    Weights,
    add,
    count,
)
from bayesmig.models.emigration.microdata.ipums import extract, linking, parts, rules
from bayesmig.models.emigration.microdata.ipums.codebook import MARCH, Labels
from bayesmig.models.emigration.microdata.ipums.codes import China, MiddleEast, NorthAfrica
from bayesmig.models.emigration.microdata.simulate import simulate

if TYPE_CHECKING:
    from bayesmig.models.emigration.microdata.ipums.panel import Panel


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


def read(
    path: str | Path,
    *,
    ddi: str | None = None,
    month: int = MARCH,
    labels: Labels = "check",
    years: Sequence[int] | None = None,
    sex: bool = True,
    age_difference: Sequence[int] | None = (0, 1, 2),
    month_in_sample: bool = True,
    oversample: rules.Oversample = "exclude",
    duplicates: rules.Duplicates = "drop",
    unlinkable: rules.Unlinkable = "exclude",
    weights: rules.Weights = "raise",
    china: China = "program",
    middle_east: MiddleEast = "program",
    north_africa: NorthAfrica = "program",
    covariates: Sequence[Covariate] = COVARIATES,
    mortality: Mortality = "own",
    counted: Weights = "counts",
    citizens: bool = False,
    executor: Executor | None = None,
    **how: Any,
) -> xr.Dataset:
    """Read an IPUMS CPS extract, link its years and count persons by their covariates.

    Parameters
    ----------
    path : str or Path
        ``.dat`` or ``.dat.gz`` with its DDI ``.xml`` beside it, or ``.csv`` or ``.csv.gz``; or
        the folder of an extract in parts (`parts.write`), whose pairs of years are counted one
        by one, or at once by the workers of an executor, and the counts added up.
    ddi, month, labels
        As for `extract.load`.
    years, sex, age_difference, month_in_sample, oversample, duplicates, unlinkable, weights
        Rules of linking, as for `linking.link`.
    china, middle_east, north_africa
        Choices of codes, as for `codes.Choices`.
    covariates, mortality, citizens
        As for `collapse.collapse`.
    counted : {"counts", "effective"}
        Its ``weights``: what enters the likelihood.
    executor : concurrent.futures.Executor, optional
        Of a folder: where pairs of years are counted.
    **how
        connection, chunk and progress, of `extract.load`.

    Returns
    -------
    Dataset
        Counts; `attributes.flow` gives its table of losses.

    Raises
    ------
    DataError
        Naming the file and what is wrong with it.
    StudyError
        For an option that does not exist.
    """
    counting = Counting(tuple(covariates), mortality, counted, citizens)
    linked: dict[str, Any] = {
        "years": years,
        "sex": sex,
        "age_difference": age_difference,
        "month_in_sample": month_in_sample,
        "oversample": oversample,
        "duplicates": duplicates,
        "unlinkable": unlinkable,
        "weights": weights,
        "china": china,
        "middle_east": middle_east,
        "north_africa": north_africa,
    }
    if Path(path).is_dir():
        given = {"ddi": ddi, "labels": None if labels == "check" else labels, **how}
        _check_loaded(path, month, given)
        return pairs.counted(path, counting, executor, **linked)
    if executor is not None:
        raise StudyError(f"{path}: a file is counted whole; give executor= with a folder of parts")
    people = panel(path, ddi=ddi, month=month, labels=labels, **linked, **how)
    return add([count(people, counting)], counting)


def _check_loaded(folder: str | Path, month: int, how: Mapping[str, Any]) -> None:
    """Refuse options of loading, which is done."""
    given = [name for name, value in how.items() if value is not None]
    if given:
        raise StudyError(f"{folder}: loaded already; {', '.join(given)} can change nothing")
    loaded = parts.whole(folder).month
    if month != loaded:
        raise DataError(f"{folder}: records of month {loaded}; month={loaded} reads them")


def panel(path: str | Path, **how: Any) -> Panel:
    """Read and link an extract, and keep its persons, for `classical.estimate` too.

    Parameters
    ----------
    path : str or Path
    **how
        Of `extract.load` and `linking.link`.

    Raises
    ------
    DataError, StudyError
    """
    loading, linked = (
        {n for n, p in inspect.signature(f).parameters.items() if p.kind is p.KEYWORD_ONLY}
        for f in (extract.load, linking.link)
    )
    loading |= {"ddi"}
    for name in how:
        if name not in loading | linked:
            raise StudyError(unknown("option of reading", name, sorted(loading | linked)))
    loaded = extract.load(path, **{n: v for n, v in how.items() if n in loading})
    return linking.link(loaded, **{n: v for n, v in how.items() if n in linked})
