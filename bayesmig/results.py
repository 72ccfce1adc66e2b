"""What comes out of sampling: a DataTree that carries all that was done; recovered, rebased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig import attrs, evaluate, observed
from bayesmig.comparison import PRIOR_SETS, PRIOR_SPREAD, spread
from bayesmig.compiled import cut
from bayesmig.diagnostics import diagnose
from bayesmig.errors import PriorError
from bayesmig.keeping import flat
from bayesmig.ready import Built, fingerprint
from bayesmig.saving import FORMAT, data_of, installed
from bayesmig.study import load_study

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = ("pymc", "pytensor", "nutpie", "numba", "numpy", "arviz", "xarray", "bayesmig")


def rebase(fitted: xr.DataTree, reference: str) -> xr.DataTree:
    """Return a fit whose estimands are against another reference: exact, draw by draw.

    The parameters of the graph stay as they were sampled; printed numbers are turned where
    the estimands now say the opposite.  The spread of the estimands under the prior, and
    with it the contraction, belongs to the old reference and is left out.

    Parameters
    ----------
    fitted : DataTree
    reference : str
        An outcome of the fit.

    Raises
    ------
    StudyError
        If the study has no reference, or no such outcome.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.rebase(fit, "migrated")  # a fit of `emigration`
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: study 'emigration' has no reference to change
    """
    study = load_study(fitted.attrs["study"])
    estimands = study.rebased(fitted["posterior"].to_dataset(), reference)
    data = data_of(fitted, "rebase")
    table = study.targets(data, estimands)
    changed = fitted.copy()
    for group in (
        PRIOR_SPREAD,
        "prior_sd",
        PRIOR_SETS,
    ):  # of the estimands against the other reference
        if group in changed:
            del changed[group]
    changed["estimands"] = xr.DataTree(estimands)
    changed["published"] = xr.DataTree(as_dataset(table))
    changed.attrs = {**fitted.attrs, "reference": reference}
    changed.attrs["diagnostics"] = attrs.pack(diagnose(changed))
    return changed


def as_dataset(table: pd.DataFrame) -> xr.Dataset:
    """Turn a tidy table into a Dataset with one dim, ``row``, that NetCDF can hold."""
    return xr.Dataset(
        {
            name: ("row", column.to_numpy(dtype=float if column.dtype.kind == "f" else str))
            for name, column in table.items()
        }
    )


def finished(raw: xr.DataTree, draws: int, chains: int) -> tuple[xr.DataTree, str]:
    """Keep the draws of an interrupted run: as many as the chains kept have in common.

    Returns
    -------
    raw : DataTree
    words : str
        What was kept of what was asked for; empty if all was.
    """
    draws_of = flat(raw)
    counts = np.isfinite(draws_of).all(axis=2).sum(axis=1)
    if len(draws_of) == chains and (counts == draws).all():
        return raw, ""
    if counts.size == 0 or counts.max() == 0:
        raise KeyboardInterrupt("interrupted before the first draw was kept")
    order = np.argsort(-counts, kind="stable")
    best = int(np.argmax([counts[order[k]] * (k + 1) for k in range(len(order))]))
    keep, length = np.sort(order[: best + 1]), int(counts[order[best]])
    taken = {
        name: raw[name].to_dataset().isel(chain=keep, draw=slice(0, length))
        for name in ("posterior", "sample_stats")
    }
    said = (
        f"interrupted: kept {length} draws of {len(keep)} chains, asked for {draws} of {chains} "
        f"(finished: {', '.join(map(str, counts))})"
    )
    return xr.DataTree.from_dict(taken), said


def begun(built: Built, prior: xr.Dataset, settings: Mapping[str, Any]) -> xr.DataTree:
    """Put all that a fit is but its draws into one DataTree.

    Parameters
    ----------
    built : Built
    prior : Dataset
        The estimands under the prior; of one with a potential they say nothing.
    settings : mapping
        ``draws``, ``tune``, ``chains``, ``seed`` and ``sampler_settings``.
    """
    fitted = xr.DataTree.from_dict(
        {
            PRIOR_SPREAD: _unknown(prior) if built.potentials else spread(prior),
            "observed_data": _observed(built),
            "constant_data": _constant(built),
            "data": built.data,
        }
    )
    fitted.attrs = _attributes(built, settings)
    return fitted


def _unknown(prior: xr.Dataset) -> xr.Dataset:
    """No number for any estimand: draws of the prior ignore a part of it."""
    return xr.full_like(prior.isel(chain=0, draw=0, drop=True), np.nan, dtype=float)


def assembled(
    start: xr.DataTree, built: Built, shapes: Sequence[tuple[int, ...]], raw: xr.DataTree
) -> xr.DataTree:
    """Put draws and what they say into what was begun.

    Parameters
    ----------
    start : DataTree
        What `begun` made.
    built : Built
    shapes : sequence of tuple of int
        Of the free variables.
    raw : DataTree
        What was sampled.
    """
    posterior, stats = _posterior(built, shapes, raw)
    estimands = built.study.estimands(posterior, built.data)
    groups = {
        "posterior": posterior,
        "estimands": estimands,
        PRIOR_SPREAD: start[PRIOR_SPREAD].to_dataset(),
        "published": as_dataset(built.study.targets(built.data, estimands)),
        "sample_stats": stats,
    }
    rest = ("observed_data", "constant_data", "data")
    groups |= {name: start[name].to_dataset() for name in rest}
    fitted = xr.DataTree.from_dict(groups)
    fitted.attrs = dict(start.attrs)
    return fitted


def _posterior(
    built: Built, shapes: Sequence[tuple[int, ...]], raw: xr.DataTree
) -> tuple[xr.Dataset, xr.Dataset]:
    values = evaluate.parameters(built.model, cut(flat(raw), shapes))
    posterior = evaluate.dataset(built.model, values, ("chain", "draw"))
    posterior.attrs = {
        "inference_library": "nutpie",
        "inference_library_version": installed("nutpie"),
        "derived": ",".join(v.name for v in built.model.deterministics),
    }
    stats = raw["sample_stats"].to_dataset().drop_vars(["chain", "draw"])
    return posterior, stats.assign_coords(chain=posterior.chain, draw=posterior.draw)


def _observed(built: Built) -> xr.Dataset:
    return evaluate.dataset(built.model, observed.values(built.model), ())


def _constant(built: Built) -> xr.Dataset:
    """The data and numbers that entered the graph, less what was observed."""
    held = set(observed.data_names(built.model).values())
    rest = {v.name: np.asarray(v.get_value()) for v in built.model.data_vars if v.name not in held}
    return evaluate.dataset(built.model, rest, ())


def _attributes(built: Built, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        toml = built.priors.to_toml()
    except PriorError:  # somebody else's objects: the table says what they were
        toml = ""
    return {
        "format": FORMAT,
        "study": built.study.name,
        "title": built.study.title,
        "citation": built.study.citation,
        "data_title": built.data.attrs["title"],
        "synthetic": int(built.data.attrs["synthetic"]),
        "own_data": int(built.data.attrs.get("own_data", 0)),
        "fingerprint": fingerprint(built.data),
        "options": attrs.pack(built.options),
        "prior_set": built.priors.name,
        "priors": str(built.priors),
        "priors_toml": toml,
        **settings,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "sampler": "nutpie NUTS",
        "versions": attrs.pack({name: installed(name) or "not installed" for name in LIBRARIES}),
    }
