"""What the choice among a study's prior sets does to its answers."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import xarray as xr

from bayesmig.comparison import PRIOR_SET, PRIOR_SETS
from bayesmig.errors import (
    ConvergenceWarning,
    PriorWarning,
    RecompiledWarning,
    StudyError,
    unknown,
    warn,
)
from bayesmig.fitting import refit
from bayesmig.printed import SAMPLE_DIMS
from bayesmig.ready import compiled_from
from bayesmig.study import load_study

FOR_SIMULATION = "calibration"  # what a study names the set that is not for fitting


def across_priors(
    fitted: xr.DataTree, sets: Sequence[str] | None = None, **settings: Any
) -> xr.DataTree:
    """Fit with the study's other prior sets, and keep with the fit what each says.

    Sets of the same graph compile nothing; one whose options ask for another graph compiles that,
    as a fit with it would.  `compare`, `summary` and the report then have the least and the
    greatest posterior mean over the sets: how much is the prior's, also where `sensitivity` cannot
    see it (a flat prior to any power is itself).

    Parameters
    ----------
    fitted : DataTree
    sets : sequence of str, optional
        Names of prior sets; all of the study but ``calibration`` by default.
    **settings
        Of `refit`: draws, tune, chains, seed, progress and so on.

    Returns
    -------
    DataTree
        The fit with a group ``prior_sets``: for each estimand its posterior means, dims
        (prior_set, ...), the fit's own first.

    Warns
    -----
    ConvergenceWarning
        For each set whose chains are not to be trusted, by its name.
    PriorWarning
        Naming estimands whose posterior mean the sets move by more than its standard deviation.

    Raises
    ------
    StudyError
        For an unknown set, no other set, or a set of which an estimand has other dims.

    Examples
    --------
    >>> import bayesmig as bm
    >>> more = bm.across_priors(fit, ["wide"], draws=1000, progress=False)
    >>> bm.compare(more, quantity="emigration")[["sets_low", "mean", "sets_high"]].shape
    (4, 3)
    """
    study, own = load_study(fitted.attrs["study"]), str(fitted.attrs["prior_set"])
    valid = [name for name in study.sets if name != own]
    asked = [name for name in valid if name != FOR_SIMULATION] if sets is None else list(sets)
    for name in asked:
        if name not in valid:
            raise StudyError(unknown("prior set", name, valid))
    if not asked:
        raise StudyError(f"there is no other prior set to compare with {own!r}")
    start = compiled_from(fitted)
    found = {own: _means(fitted)}
    for name in asked:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            found[name] = _means(refit(start, name, **settings))
        for each in caught:
            if issubclass(each.category, RecompiledWarning):
                continue  # sets with options of their own are other graphs
            if issubclass(each.category, ConvergenceWarning):
                warn(f"prior set {name!r}: {each.message}", ConvergenceWarning)
            else:
                warnings.warn_explicit(
                    each.message, each.category, each.filename, each.lineno, source=each.source
                )
    more, means = fitted.copy(), _together(found)
    more[PRIOR_SETS] = xr.DataTree(means)
    moved = list(_moved(means, fitted["estimands"].to_dataset().std(SAMPLE_DIMS)))
    if moved:
        warn(
            "the choice among prior sets moves by more than a posterior standard deviation: "
            + ", ".join(moved),
            PriorWarning,
        )
    return more


def _means(fitted: xr.DataTree) -> xr.Dataset:
    return fitted["estimands"].to_dataset().mean(SAMPLE_DIMS)


def _moved(means: xr.Dataset, sd: xr.Dataset) -> Iterator[str]:
    """Name estimands that the sets move by more than their spread, and in how many places."""
    for name, each in means.data_vars.items():
        beyond = each.max(PRIOR_SET) - each.min(PRIOR_SET) > sd[name]
        count = int(beyond.sum())
        if count and beyond.size == 1:
            yield f"{name} ({float(each.min()):.3g} to {float(each.max()):.3g})"
        elif count:
            yield f"{name} ({count} of {beyond.size})"


def _together(found: dict[str, xr.Dataset]) -> xr.Dataset:
    """Stack what the sets say of the first one's estimands; a set may say nothing of one."""
    first = next(iter(found.values()))
    for name, each in found.items():
        for quantity in first.data_vars:
            if quantity in each and each[quantity].dims != first[quantity].dims:
                raise StudyError(
                    f"prior set {name!r}: {quantity} has dims {each[quantity].dims}, and "
                    f"{first[quantity].dims} in the fit: ask for the other sets by name"
                )
    kept = [each[[q for q in first.data_vars if q in each]] for each in found.values()]
    dim = xr.Variable(PRIOR_SET, list(found))
    alike: Any = {"join": "outer", "coords": "minimal", "compat": "override"}
    whole: xr.Dataset = xr.concat(kept, dim, data_vars="all", **alike).reindex_like(first)
    return whole
