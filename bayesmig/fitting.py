"""Fit a study, refit it with other numbers, save and open what came of it."""

from __future__ import annotations

import hashlib
import json
import os
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from bayesmig import compiled, evaluate
from bayesmig.comparison import MEASURES
from bayesmig.errors import ConvergenceWarning, RecompiledWarning, StudyError, unknown
from bayesmig.priors import PriorSet, read_text
from bayesmig.study import Study, load_study

if TYPE_CHECKING:
    import pymc as pm

GROUPS = ("log_likelihood", "log_prior", "prior", "posterior_predictive")
LIBRARIES = ("pymc", "pytensor", "nutpie", "numba", "numpy", "arviz", "xarray", "bayesmig")
STATS = ("diverging", "energy", "n_steps", "depth", "step_size", "mean_tree_accept", "logp")
RHAT, ESS, BFMI = 1.01, 400, 0.3
PRIOR_DRAWS = 500  # for the spread of the estimands under the prior
FEWEST = 4  # draws that a diagnostic needs


@dataclass(frozen=True, eq=False)
class Compiled:
    """A study's graph for one data set and set of priors, compiled and ready to sample.

    Attributes
    ----------
    study : Study
    data : Dataset
    priors : PriorSet
    options : dict
        All options of the graph.
    model : pm.Model
    graph : compiled.CompiledGraph
    reused : bool
        Whether the graph had been compiled in this process before.
    seconds : dict
        What building and compiling took.
    """

    study: Study
    data: xr.Dataset
    priors: PriorSet
    options: dict[str, Any]
    model: pm.Model
    graph: compiled.CompiledGraph
    reused: bool
    seconds: dict[str, float]


def compile(study: Study | str, data: xr.Dataset, priors: Any = None, **options: Any) -> Compiled:
    """Build and compile a study's graph without sampling it.

    Parameters
    ----------
    study : Study or str
    data : Dataset
    priors
        As for `fit`.
    **options
        Of the graph.
    """
    started = time.perf_counter()
    study = load_study(study) if isinstance(study, str) else study
    chosen, complete = study.resolve(priors, options)
    data = study.dataset(data)
    model = study.build(data, chosen, **complete)
    built = time.perf_counter()
    compiled_graph, reused = compiled.compile_graph(model)
    seconds = {"build": built - started, "compile": time.perf_counter() - built}
    return Compiled(study, data, chosen, complete, model, compiled_graph, reused, seconds)


def fit(
    study: Study | str,
    data: xr.Dataset,
    priors: Any = None,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    seed: int = 1,
    progress: bool = True,
    groups: Iterable[str] = (),
    sampling: Mapping[str, Any] | None = None,
    **options: Any,
) -> xr.DataTree:
    """Sample a study's posterior with NUTS (nutpie).

    Parameters
    ----------
    study : Study or str
    data : Dataset
        From the study's ``example``, ``read`` or ``simulate``.
    priors : None, str, Path, mapping or PriorSet
        The default, a named set, a TOML file, overrides of the default, or a set.
    draws, tune, chains : int
        Draws kept and thrown away in each chain; without the first two what the study
        needs (1000 where it says nothing).
    seed : int
        The same seed gives the same draws.
    progress : bool
        Show progress bars.
    groups : iterable of {"log_likelihood", "log_prior", "prior", "posterior_predictive"}
        Groups to add; `add_groups` adds them later.
    sampling : mapping, optional
        Settings of nutpie over the study's own, e.g. ``{"target_accept": 0.99}``.
    **options
        Of the study's graph; ``study.options`` lists them.

    Returns
    -------
    DataTree
        Groups ``posterior``, ``estimands`` (what the paper prints, in its unit),
        ``prior_sd`` (standard deviations of the estimands under the prior), ``published``
        (the numbers it prints), ``sample_stats``, ``observed_data``, ``constant_data``,
        ``data``; attributes that say all that was done.

    Warns
    -----
    ConvergenceWarning
        When R-hat, ESS, divergences or energy say that the draws are not to be
        trusted, or the run was interrupted.

    Raises
    ------
    DataError, PriorError, StudyError
    """
    groups = _known_groups(groups)
    with _status(progress, "compiling the graph (longest the first time on a machine)"):
        ready = compile(study, data, priors, **options)
    return _sample(ready, draws, tune, chains, seed, progress, groups, sampling or {})


def refit(
    fitted: xr.DataTree | Compiled,
    priors: Any = None,
    data: xr.Dataset | Sequence[xr.Dataset] | None = None,
    *,
    executor: Executor | None = None,
    **settings: Any,
) -> Any:
    """Fit the same graph with other priors or data, without compiling it again.

    Parameters
    ----------
    fitted : DataTree or Compiled
        What to start from: its study, data, priors and options.
    priors
        Other priors, as for `fit`; a list of them gives a list of fits.
    data : Dataset or sequence of Dataset, optional
        Other data, of the same or another length; a list gives a list of fits.
    executor : concurrent.futures.Executor, optional
        Where to run a list of fits; one after the other without it.
    **settings
        ``draws``, ``tune``, ``chains``, ``seed``, ``progress``, ``groups``,
        ``sampling`` as for `fit`, or options of the graph.

    Returns
    -------
    DataTree or list of DataTree

    Warns
    -----
    RecompiledWarning
        If the graph is another one (a prior of another family, another option) and
        had to be compiled; says what differs.
    """
    start = fitted if isinstance(fitted, Compiled) else _rebuild(fitted)
    many_priors = priors if isinstance(priors, list) else [priors]
    many_data = list(data) if isinstance(data, list | tuple) else [data]
    many_data = [d if d is None else start.study.dataset(d) for d in many_data]
    jobs = [(p, d) for p in many_priors for d in many_data]

    def one(job: tuple[Any, Any]) -> xr.DataTree:
        return _refit_one(start, *job, dict(settings))

    if isinstance(priors, list) or isinstance(data, list | tuple):
        return list(executor.map(one, jobs) if executor else map(one, jobs))
    return one(jobs[0])


def save_fit(fitted: xr.DataTree, path: str | Path) -> Path:
    """Write a fit to a NetCDF file, whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        fitted.to_netcdf(part, engine="h5netcdf")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def open_fit(path: str | Path) -> xr.DataTree:
    """Open a saved fit; it compares and plots without its model.

    Raises
    ------
    StudyError
        If there is no such file, or it is not a fit.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"no fit at {path}")
    try:
        with xr.open_datatree(path, engine="h5netcdf") as tree:
            fitted = tree.load()
    except (OSError, ValueError, KeyError) as error:
        raise StudyError(f"{path} is not a saved fit: {error}") from None
    if "study" not in fitted.attrs or "estimands" not in fitted:
        raise StudyError(f"{path} is not a fit of bayesmig: it has groups {list(fitted.children)}")
    return fitted


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
    """
    study = load_study(fitted.attrs["study"])
    change = getattr(study._part("estimands"), "rebase", None)
    if change is None:
        raise StudyError(f"study {study.name!r} has no reference to change")
    estimands = change(fitted["posterior"].to_dataset(), reference)
    table = _published(study, fitted["data"].to_dataset(), estimands)
    changed = fitted.copy()
    if "prior_sd" in changed:
        del changed["prior_sd"]
    changed["estimands"] = xr.DataTree(estimands)
    changed["published"] = xr.DataTree(_table_to_dataset(table))
    changed.attrs = {**fitted.attrs, "reference": reference}
    changed.attrs["diagnostics"] = json.dumps(diagnose(changed))
    return changed


def prior_predictive(
    study: Study | str,
    data: xr.Dataset,
    priors: Any = None,
    *,
    draws: int = 500,
    seed: int = 1,
    **options: Any,
) -> xr.DataTree:
    """Draw parameters, estimands and data from the prior, through the graph.

    Returns
    -------
    DataTree
        Groups ``prior``, ``prior_predictive`` and ``estimands``, dims (chain, draw, ...)
        with one chain.
    """
    study = load_study(study) if isinstance(study, str) else study
    chosen, complete = study.resolve(priors, options)
    data = study.dataset(data)
    model = study.build(data, chosen, **{**complete, **study.simulating})
    prior, predictive = _prior_groups(model, draws, seed)
    return xr.DataTree.from_dict(
        {
            "prior": prior,
            "prior_predictive": predictive,
            "estimands": study.estimands(prior, data),
        }
    )


def add_groups(fitted: xr.DataTree, groups: Iterable[str], seed: int = 1) -> xr.DataTree:
    """Return a fit with more groups: log_likelihood, log_prior, prior, posterior_predictive.

    The graph is built again from what the fit says of itself; nothing is sampled anew.
    """
    ready = model_of(fitted)
    return _with_groups(fitted.copy(), ready, _known_groups(groups), seed)


def _status(progress: bool, words: str) -> Any:
    """Say what is being waited for, if progress is wanted."""
    if not progress:
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status(words)


def _refit_one(
    start: Compiled, priors: Any, data: xr.Dataset | None, settings: dict[str, Any]
) -> xr.DataTree:
    asked = {n: settings.pop(n) for n in list(settings) if n in start.options}
    known = ("draws", "tune", "chains", "seed", "progress", "groups", "sampling")
    for name in settings:
        if name not in known:
            raise StudyError(unknown("setting", name, [*known, *start.options]))
    priors = start.priors if priors is None else start.study.priors(priors)
    options = {**start.options, **priors.options, **asked}
    data = start.data if data is None else data
    ready = compile(start.study, data, priors, **options)
    if not start.graph.matches(ready.model):
        warnings.warn(
            "another graph, compiled "
            + ("before" if ready.reused else f"anew in {ready.seconds['compile']:.1f} s")
            + f": {start.graph.differences(ready.model)}",
            RecompiledWarning,
            stacklevel=4,
        )
    return _sample(
        ready,
        settings.get("draws"),
        settings.get("tune"),
        settings.get("chains", 4),
        settings.get("seed", 1),
        settings.get("progress", True),
        _known_groups(settings.get("groups", ())),
        settings.get("sampling") or {},
    )


def _sample(
    ready: Compiled,
    draws: int | None,
    tune: int | None,
    chains: int,
    seed: int,
    progress: bool,
    groups: tuple[str, ...],
    sampling: Mapping[str, Any],
) -> xr.DataTree:
    settings = {**ready.study.sampling, **ready.priors.sampling, **sampling}
    usual = settings.pop("draws", 1000), settings.pop("tune", 1000)
    draws, tune = usual[0] if draws is None else draws, usual[1] if tune is None else tune
    for name, value, least in (("draws", draws, 1), ("tune", tune, 1), ("chains", chains, 1)):
        if not isinstance(value, Integral) or value < least:
            raise StudyError(f"{name} must be a whole number from {least} on, got {value!r}")
    started = time.perf_counter()
    density = ready.graph.bind(ready.model, seed)
    bound = time.perf_counter()
    try:
        raw = density.sample(
            seed=seed, progress=progress, draws=draws, tune=tune, chains=chains, **settings
        )
    except AttributeError as error:  # what nutpie says of a setting that it does not have
        raise StudyError(f"sampling: {error}") from None
    sampled = time.perf_counter()
    raw, interrupted = _finished(raw, draws, chains)
    posterior, stats = _posterior(ready.model, density, raw)
    estimands = ready.study.estimands(posterior, ready.data)
    fitted = xr.DataTree.from_dict(
        {
            "posterior": posterior,
            "estimands": estimands,
            "prior_sd": _prior_sd(ready, seed),
            "published": _table_to_dataset(_published(ready.study, ready.data, estimands)),
            "sample_stats": stats,
            "observed_data": _data_group(ready.model, observed=True),
            "constant_data": _data_group(ready.model, observed=False),
            "data": ready.data,
        }
    )
    fitted.attrs = _attributes(ready, draws, tune, chains, seed, settings)
    fitted.attrs |= {
        "seconds_build": ready.seconds["build"],
        "seconds_compile": ready.seconds["compile"],
        "seconds_to_first_draw": sum(ready.seconds.values()) + bound - started,
        "seconds_sample": sampled - bound,
        "compiled": "reused" if ready.reused else "in this run",
        "interrupted": interrupted,
    }
    fitted.attrs["diagnostics"] = json.dumps(diagnose(fitted))
    fitted = _with_groups(fitted, ready, groups, seed)
    fitted.attrs["seconds_total"] = sum(ready.seconds.values()) + time.perf_counter() - started
    _warn(fitted)
    return fitted


def diagnose(fitted: xr.DataTree) -> dict[str, Any]:
    """Return what the draws say about themselves, over parameters and estimands.

    Returns
    -------
    dict
        ``divergences``; ``rhat``, ``ess_bulk``, ``ess_tail``: the worst value, the
        variable it belongs to and how many are beyond the threshold (1.01, 400);
        ``bfmi``: the lowest of the chains.
    """
    import arviz as az

    found: dict[str, Any] = {"divergences": int(fitted["sample_stats"]["diverging"].sum())}
    free = [n for n in fitted["posterior"].data_vars if n not in _derived_names(fitted)]
    sets = [fitted["posterior"].to_dataset()[free], fitted["estimands"].to_dataset()]
    measures = {
        "rhat": (lambda ds: az.rhat(ds), RHAT, 1),
        "ess_bulk": (lambda ds: az.ess(ds, method="bulk"), ESS, -1),
        "ess_tail": (lambda ds: az.ess(ds, method="tail"), ESS, -1),
    }
    if fitted["posterior"].sizes["chain"] < 2:
        del measures["rhat"]
    for name, (measure, threshold, sign) in measures.items():
        worst, where, beyond = -np.inf, "", 0
        with np.errstate(invalid="ignore"):  # a constant has no variance to divide by
            measured = [measure(values) for values in sets]
        for values in measured:
            for array in values.data_vars.values():
                flat = sign * array.values.ravel().astype(float)
                if flat.size == 0 or np.all(np.isnan(flat)):  # a constant has neither
                    continue
                beyond += int(np.nansum(flat > sign * threshold))
                if np.nanmax(flat) > worst:
                    worst, where = float(np.nanmax(flat)), _name_of(array, int(np.nanargmax(flat)))
        if np.isfinite(worst):
            found[name] = {"worst": sign * worst, "variable": where, "beyond": beyond}
    energy = _array(fitted, "sample_stats", "energy")
    if energy.shape[1] >= FEWEST:
        ratio = np.mean(np.diff(energy, axis=1) ** 2, axis=1) / np.var(energy, axis=1)
        found["bfmi"] = float(np.min(ratio))
    return found


def problems(fitted: xr.DataTree) -> list[str]:
    """Say in words what is wrong with the draws; empty if nothing is."""
    found, words = json.loads(fitted.attrs["diagnostics"]), []
    if fitted.attrs["interrupted"]:
        words.append(str(fitted.attrs["interrupted"]))
    if found["divergences"]:
        words.append(f"{found['divergences']} divergences")
    for name, label, threshold in (
        ("rhat", "R-hat above", RHAT),
        ("ess_bulk", "bulk ESS below", ESS),
        ("ess_tail", "tail ESS below", ESS),
    ):
        measure = found.get(name)
        if measure and measure["beyond"]:
            words.append(
                f"{label} {threshold} in {measure['beyond']} quantities, worst "
                f"{measure['variable']} ({measure['worst']:.4g})"
            )
    if found.get("bfmi", 1.0) < BFMI:
        words.append(f"energy fraction (E-BFMI) {found['bfmi']:.2f} below {BFMI}")
    if fitted["posterior"].sizes["draw"] < FEWEST:
        words.append(f"fewer than {FEWEST} draws: no diagnostic can be computed")
    if fitted["posterior"].sizes["chain"] < 2:
        words.append("one chain: R-hat cannot be computed")
    return words


def _warn(fitted: xr.DataTree) -> None:
    words = problems(fitted)
    if words:
        warnings.warn("; ".join(words), ConvergenceWarning, stacklevel=4)


def _array(tree: xr.DataTree, group: str, name: str) -> np.ndarray:
    return np.asarray(tree[group].to_dataset()[name].values)


def _name_of(array: xr.DataArray, flat: int) -> str:
    """Name one element of a variable by its labels."""
    index = np.unravel_index(flat, array.shape) if array.shape else ()
    labels = [
        str(array[dim].values[i]) if dim in array.coords else str(i)
        for dim, i in zip(array.dims, index, strict=True)
    ]
    return f"{array.name}[{', '.join(labels)}]" if labels else str(array.name)


def _derived_names(fitted: xr.DataTree) -> list[str]:
    return str(fitted["posterior"].attrs.get("derived", "")).split(",")


def _finished(raw: xr.DataTree, draws: int, chains: int) -> tuple[xr.DataTree, str]:
    """Keep the draws of an interrupted run: as many as the chains kept have in common."""
    flat = _array(raw, "posterior", "unconstrained")
    counts = np.isfinite(flat).all(axis=2).sum(axis=1)
    if len(flat) == chains and (counts == draws).all():
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


def _posterior(
    model: pm.Model, density: compiled.NativeDensity, raw: xr.DataTree
) -> tuple[xr.Dataset, xr.Dataset]:
    draws = _array(raw, "posterior", "unconstrained")
    values = evaluate.parameters(model, density.split(draws))
    posterior = evaluate.dataset(model, values, ("chain", "draw"))
    posterior.attrs = {
        "inference_library": "nutpie",
        "inference_library_version": version("nutpie"),
        "derived": ",".join(v.name for v in model.deterministics),
    }
    stats = raw["sample_stats"].to_dataset()
    kept = stats[[name for name in STATS if name in stats]]
    return posterior, xr.Dataset(
        {name: (("chain", "draw"), array.values) for name, array in kept.data_vars.items()},
        coords={"chain": posterior.chain, "draw": posterior.draw},
    )


def _data_group(model: pm.Model, observed: bool) -> xr.Dataset:
    """Observed values, or the data and numbers that entered the graph."""
    held = {model.rvs_to_values[rv].name: rv.name for rv in model.observed_RVs}
    values = {}
    for variable in model.data_vars:
        if (variable.name in held) == observed:
            name = held.get(variable.name, variable.name)
            values[name] = np.asarray(variable.get_value())
    return evaluate.dataset(model, values, ())


def _with_groups(
    fitted: xr.DataTree, ready: Compiled | Rebuilt, groups: tuple[str, ...], seed: int
) -> xr.DataTree:
    model = ready.model
    posterior = fitted["posterior"].to_dataset()
    point = {rv.name: posterior[rv.name].values for rv in model.free_RVs}
    dims = ("chain", "draw")
    if "log_likelihood" in groups:
        fitted["log_likelihood"] = xr.DataTree(
            evaluate.dataset(model, evaluate.log_likelihood(model, point), dims)
        )
    if "log_prior" in groups:
        fitted["log_prior"] = xr.DataTree(evaluate.dataset(model, evaluate.log_prior(model, point), dims))
    if {"posterior_predictive", "prior"} & set(groups):
        model = ready.study.build(
            ready.data, ready.priors, **{**ready.options, **ready.study.simulating}
        )
    if "posterior_predictive" in groups:
        values = evaluate.predictive(model, point, seed)
        fitted["posterior_predictive"] = xr.DataTree(evaluate.dataset(model, values, dims))
    if "prior" in groups:
        prior, predictive = _prior_groups(model, posterior.sizes["draw"], seed)
        fitted["prior"], fitted["prior_predictive"] = xr.DataTree(prior), xr.DataTree(predictive)
    return fitted


def _prior_groups(model: pm.Model, draws: int, seed: int) -> tuple[xr.Dataset, xr.Dataset]:
    values = {n: v[None] for n, v in evaluate.prior_draws(model, draws, seed).items()}
    observed = {rv.name for rv in model.observed_RVs}
    return (
        evaluate.dataset(model, {n: v for n, v in values.items() if n not in observed}, _DRAWS),
        evaluate.dataset(model, {n: v for n, v in values.items() if n in observed}, _DRAWS),
    )


_DRAWS = ("chain", "draw")


def _known_groups(groups: Iterable[str]) -> tuple[str, ...]:
    groups = (groups,) if isinstance(groups, str) else tuple(groups)
    for group in groups:
        if group not in GROUPS:
            raise StudyError(unknown("group", group, GROUPS))
    return groups


def _attributes(
    ready: Compiled, draws: int, tune: int, chains: int, seed: int, settings: Mapping[str, Any]
) -> dict[str, Any]:
    from bayesmig.errors import PriorError

    try:
        toml = ready.priors.to_toml()
    except PriorError:  # somebody else's objects: the table says what they were
        toml = ""
    return {
        "study": ready.study.name,
        "title": ready.study.title,
        "citation": ready.study.citation,
        "unit": ready.study.unit,
        "data_title": str(ready.data.attrs.get("title", "")),
        "synthetic": int(ready.data.attrs.get("synthetic", 0)),
        "fingerprint": fingerprint(ready.data),
        "options": json.dumps(ready.options, default=np.generic.item),
        "prior_set": ready.priors.name,
        "priors": str(ready.priors),
        "priors_toml": toml,
        "seed": seed,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "sampler": "nutpie NUTS",
        "sampler_settings": json.dumps(dict(settings)),
        "versions": json.dumps({name: _version(name) for name in LIBRARIES}),
    }


def fingerprint(data: xr.Dataset) -> str:
    """SHA-256 of a data set's values, labels, dims and attributes."""
    attributes = sorted(f"{name}={value}" for name, value in data.attrs.items())
    digest = hashlib.sha256("; ".join(attributes).encode())
    for name in sorted(map(str, data.variables)):
        variable = data[name]
        digest.update(f"{name}{variable.dims}{variable.dtype.kind}{variable.shape}".encode())
        values = variable.values
        numeric = values.dtype.kind in "fiub"
        digest.update(
            np.ascontiguousarray(values).tobytes() if numeric else str(values.tolist()).encode()
        )
    return digest.hexdigest()


def _version(library: str) -> str:
    try:
        return version(library)
    except PackageNotFoundError:
        return "not installed"


def _prior_sd(ready: Compiled, seed: int) -> xr.Dataset:
    """Return the standard deviation of each estimand under the prior."""
    values = evaluate.prior_draws(ready.model, PRIOR_DRAWS, seed, observed=False)
    draws = {name: value[None] for name, value in values.items()}
    prior = evaluate.dataset(ready.model, draws, ("chain", "draw"))
    return ready.study.estimands(prior, ready.data).std(("chain", "draw"), ddof=1)


def _published(study: Study, data: xr.Dataset, estimands: xr.Dataset) -> Any:
    """Return the printed numbers whose quantity and labels the estimands have."""
    table = study._part("data").comparable(data)
    turn = getattr(study._part("estimands"), "turned", None)
    table = table if turn is None else turn(table, estimands)
    labels = [name for name in table if name not in MEASURES]

    def there(row: dict[str, Any]) -> bool:
        if row["quantity"] not in estimands:
            return False
        given = {name: row[name] for name in labels if row[name] != ""}
        array = estimands[row["quantity"]]
        return set(given) == set(array.dims) - {"chain", "draw"} and all(
            label in array[name].values for name, label in given.items()
        )

    return table[np.array([there(row) for row in table.to_dict("records")], dtype=bool)]


def _table_to_dataset(table: Any) -> xr.Dataset:
    """Turn a tidy table into a Dataset with one dim, ``row``, that NetCDF can hold."""
    return xr.Dataset(
        {
            name: ("row", column.to_numpy(dtype=float if column.dtype.kind == "f" else str))
            for name, column in table.items()
        }
    )


@dataclass(frozen=True)
class Rebuilt:
    """What a fit says about the model it came from, built again."""

    study: Study
    data: xr.Dataset
    priors: PriorSet
    options: dict[str, Any]
    model: pm.Model


def model_of(fitted: xr.DataTree, **options: Any) -> Rebuilt:
    """Build a fit's model again from what the fit says of itself, perhaps with other options."""
    study = load_study(fitted.attrs["study"])
    if not fitted.attrs["priors_toml"]:
        raise StudyError(
            "this fit has priors of another library, which a file cannot carry: "
            "refit from bm.compile(study, data, priors=...) instead"
        )
    priors = read_text(fitted.attrs["priors_toml"], study._sets, "the fit")
    options = {**json.loads(fitted.attrs["options"]), **options}
    data = fitted["data"].to_dataset()
    return Rebuilt(study, data, priors, options, study.build(data, priors, **options))


def _rebuild(fitted: xr.DataTree) -> Compiled:
    was = model_of(fitted)
    return compile(was.study, was.data, was.priors, **was.options)
