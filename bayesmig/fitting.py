"""Fit a study, and refit it with other numbers."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import nullcontext
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmig import attrs, jobs, outputs
from bayesmig.diagnostics import diagnose, problems
from bayesmig.errors import (
    ConvergenceWarning,
    DataError,
    RecompiledWarning,
    StudyError,
    unknown,
    warn,
)
from bayesmig.groups import known as known_groups
from bayesmig.groups import with_groups
from bayesmig.keeping import (
    START,
    STATS,
    Keeper,
    counted,
    flat,
    found,
    refuse_leftover,
    seconds,
    tables,
    tree,
    untree,
)
from bayesmig.keptfits import KeptFits
from bayesmig.priors import read_text
from bayesmig.ready import Built, Compiled, build, built_from, compile, compiled_from
from bayesmig.results import assembled, begun, finished
from bayesmig.saving import opened, sealed
from bayesmig.signals import deferred
from bayesmig.study import load_study
from bayesmig.threads import one_thread
from bayesmig.waits import waiting

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.compiled import NativeDensity
    from bayesmig.study import Study

SETTINGS = ("draws", "tune", "chains", "seed", "progress", "groups", "sampling", "keep")
ELSEWHERE = {  # what PyMC, Bambi and nutpie call it, and what it is called here
    "random_seed": "seed=",
    "rng": "seed=",
    "samples": "draws=",
    "warmup": "tune=",
    "cores": "sampling={'cores': ...}",
    "target_accept": "sampling={'target_accept': ...}",
    "max_treedepth": "sampling={'maxdepth': ...}",
    "progressbar": "progress=",
    "progress_bar": "progress=",
    "idata_kwargs": "groups=",
}


def fit(
    study: Study | str,
    data: Any,
    priors: Any = None,
    *,
    draws: int | None = None,
    tune: int | None = None,
    chains: int = 4,
    seed: int = 1,
    progress: bool = True,
    groups: Iterable[str] = (),
    sampling: Mapping[str, Any] | None = None,
    keep: str | Path | None = None,
    **options: Any,
) -> xr.DataTree:
    """Sample a study's posterior with NUTS (nutpie).

    Parameters
    ----------
    study : Study or str
    data : Dataset or DataFrame
        From the study's ``example``, ``read`` or ``simulate``; a DataFrame where the study
        takes one.
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
    keep : str or Path, optional
        A folder, made here, into which draws are written as they are made: `recover` makes
        a fit of them whatever becomes of this process, `discard` removes them.
    **options
        Of the study's graph; ``study.options`` lists them.

    Returns
    -------
    DataTree
        Groups ``posterior``, ``estimands`` (what the paper prints, each with its units),
        ``prior_spread`` (half the width of the estimands' central 68.3 % under the prior),
        ``published`` (the numbers it prints), ``sample_stats``, ``observed_data``,
        ``constant_data``, ``data``; attributes that say all that was done.

    Warns
    -----
    ConvergenceWarning
        When R-hat, ESS, divergences or energy say that the draws are not to be
        trusted, or the run was interrupted.

    Raises
    ------
    DataError, PriorError, StudyError
    OSError
        If nothing can be written to ``keep``; before anything is compiled.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> fit = bm.fit(study, study.example(table=7), progress=False)
    >>> fit["estimands"]["emigration"].dims
    ('chain', 'draw', 'cell')
    """
    asked = {
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "seed": seed,
        "progress": progress,
        "groups": groups,
        "sampling": sampling,
        "keep": keep,
    }
    known_groups(groups)
    if keep is not None:
        refuse_leftover(Path(keep))
        outputs.check(Path(keep) / START)
    _refuse_other_names(study, options)
    name = study if isinstance(study, str) else study.name
    with waiting(f"compiling the graph of {name}", f"compile {name}", told=progress):
        ready = compile(study, data, priors, **options)
    return sample(ready, asked)


def refit(
    fitted: xr.DataTree | Compiled,
    priors: Any = None,
    data: Any = None,
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
        Where to run a list of fits; one after the other without it.  Threads share the
        compiled graph; other processes (a ProcessPoolExecutor whose workers are spawned, or
        those of another library) compile it once each, and draw the same.
    **settings
        ``draws``, ``tune``, ``chains``, ``seed``, ``progress``, ``groups``,
        ``sampling`` and ``keep`` as for `fit`, or options of the graph.  Of a list ``keep`` is a
        folder in which each fit is saved as it is made, with its data: the same call, made again
        after it was killed, takes from there what was finished.  It is yours to remove.

    Returns
    -------
    DataTree or list of DataTree

    Raises
    ------
    StudyError, DataError, PriorError
        Of a list once all have run: what the first failed of, with a note that says which
        failed; what the others came to is the list ``finished`` of the error.

    Warns
    -----
    RecompiledWarning
        If the graph is another one (a prior of another family, another option) and
        had to be compiled; says what differs.

    Examples
    --------
    >>> import bayesmig as bm
    >>> mine = {"factor_scale": {"dist": "LogNormal", "mu": -1, "sigma": 0.5}}
    >>> bm.refit(fit, mine, draws=500, tune=500, progress=False).attrs["prior_set"]
    'default with factor_scale'
    """
    start = fitted if isinstance(fitted, Compiled) else compiled_from(fitted)
    many_priors = priors if isinstance(priors, list) else [priors]
    many_data: Sequence[Any] = list(data) if isinstance(data, list | tuple) else [data]
    asked = [(p, d) for p in many_priors for d in many_data]

    if isinstance(priors, list) or isinstance(data, list | tuple):
        return _refit_many(start, asked, settings, executor)
    return _refit_one(start, *asked[0], dict(settings))


def _refit_many(
    start: Compiled,
    asked: Sequence[tuple[Any, Any]],
    settings: Mapping[str, Any],
    executor: Executor | None,
) -> list[xr.DataTree]:
    """Fit with each of several priors and data, wherever the executor has them run."""
    each = {name: value for name, value in settings.items() if name != "keep"}
    kept = KeptFits.of(settings.get("keep"), start, asked, each)
    found = {k: jobs.Outcome(fit, None, ()) for k, fit in kept.read().items()}
    rest = [k for k in range(len(asked)) if k not in found]
    run: Callable[[Any], xr.DataTree]
    todo: list[Any]
    if jobs.alone(executor):
        plain, said = jobs.Plain.of(start), {**each, "progress": False}
        toml = [None if p is None else start.study.priors(p).to_toml() for p, _ in asked]
        run, todo = _refit_away, [(plain, toml[k], asked[k][1], said) for k in rest]
    else:
        run, todo = partial(_refit_here, start, each), [asked[k] for k in rest]
    for number, outcome in jobs.run(run, todo, executor):
        found[rest[number]] = outcome
        if outcome.result is not None:
            kept.write(rest[number], outcome.result)
    return jobs.results(found, "fits")


def _refit_here(start: Compiled, settings: Mapping[str, Any], job: tuple[Any, Any]) -> xr.DataTree:
    return _refit_one(start, *job, dict(settings))


def _refit_away(job: tuple[jobs.Plain, str | None, Any, dict[str, Any]]) -> xr.DataTree:
    """Fit in a process that has nothing but the job."""
    plain, priors, data, settings = job
    start = plain.compiled()
    chosen = None if priors is None else read_text(priors, start.study.sets, "the job")
    return _refit_one(start, chosen, data, dict(settings))


def sample(ready: Compiled, asked: Mapping[str, Any]) -> xr.DataTree:
    """Sample a compiled graph, and say what came of it.

    Parameters
    ----------
    ready : Compiled
    asked : mapping
        Of `SETTINGS`; what is absent or None is the study's own.
    """
    draws, tune, chains, sampling = _settings(ready, asked)
    seed, progress = asked.get("seed", 1), asked.get("progress", True)
    # before any draw: what would be found wrong with estimands or print after all of them
    prior = ready.prior_estimands(seed)
    ready.study.targets(ready.data, prior)
    started = time.perf_counter()
    density = ready.graph.bind(ready.model, seed)
    said = {
        "seed": seed,
        "draws": draws,
        "tune": tune,
        "chains": chains,
        "sampler_settings": attrs.pack(sampling),
        "seconds_build": ready.seconds["build"],
        "seconds_compile": ready.seconds["compile"],
        "compiled": "reused" if ready.reused else "in this run",
    }
    start = begun(ready, prior, said)
    with one_thread(), _keeper(asked.get("keep"), start, density) as keeper:
        bound = time.perf_counter()
        size = chains * (draws + tune)
        name = ready.study.name
        with waiting(f"sampling {name}", f"sample {name}", size, told=progress) as wait:
            raw = density.sample(
                seed=seed,
                progress=progress,
                each=keeper.add if keeper else None,
                draws=draws,
                tune=tune,
                chains=chains,
                **sampling,
            )
            made = flat(raw)
            wait.whole = len(made) == chains and bool(np.isfinite(made).all())
        start.attrs["seconds_to_first_draw"] = sum(ready.seconds.values()) + bound - started
        start.attrs["seconds_sample"] = time.perf_counter() - bound
        try:
            fitted = _completed(start, ready, density.shapes, raw)
            fitted = with_groups(fitted, ready, known_groups(asked.get("groups") or ()), seed)
        except BaseException as error:
            if np.isfinite(flat(raw)).any():
                folder = keeper.folder if keeper else _rescued(start, density, raw)
                error.add_note(f"the draws are in {folder}: bm.recover makes a fit of them")
            raise
    fitted.attrs["seconds_total"] = sum(ready.seconds.values()) + time.perf_counter() - started
    words = problems(fitted)
    if words:
        warn("; ".join(words), ConvergenceWarning)
    return fitted


def recover(path: str | Path, priors: Any = None) -> xr.DataTree:
    """Make a fit of what a run had finished when it ended, however it ended.

    Parameters
    ----------
    path : str or Path
        The folder that ``keep`` named, or the file (.nc) that the command line was to write.
        It stays: `discard` removes it once the fit is saved.
    priors : optional
        Those of the run, if they were objects of another library.

    Returns
    -------
    DataTree
        As from `fit`; ``attrs["interrupted"]`` says what there is of what was asked for.

    Warns
    -----
    ConvergenceWarning

    Raises
    ------
    StudyError
        If there are no draws.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.recover("nowhere.nc")
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: no draws at nowhere.nc, nor at nowhere.nc.draws
    """
    folder = found(path)
    if not sum(counted(folder)):
        raise StudyError(f"{folder} holds no draws: its run ended before the first")
    start = opened(folder / START)
    shapes = [tuple(shape) for shape in attrs.unpack(start.attrs, "shapes", list)]
    del start.attrs["shapes"]
    start.attrs["seconds_sample"] = seconds(folder)
    if priors is None:
        built = built_from(start)
    else:
        said = attrs.unpack(start.attrs, "options", dict)
        built = build(start.attrs["study"], start["data"].to_dataset(), priors, **said)
    chains = tables(folder)
    asked = int(start.attrs["chains"])
    chains += [chains[0][:0]] * (asked - len(chains))
    with one_thread():
        fitted = _completed(start, built, shapes, tree(chains))
    words = problems(fitted)
    if words:
        warn("; ".join(words), ConvergenceWarning)
    return fitted


def _completed(
    start: xr.DataTree, built: Built, shapes: Sequence[tuple[int, ...]], raw: xr.DataTree
) -> xr.DataTree:
    """Put what was sampled into what was begun, and say what came of it."""
    raw, interrupted = finished(raw, int(start.attrs["draws"]), int(start.attrs["chains"]))
    fitted = assembled(start, built, shapes, raw)
    fitted.attrs["interrupted"] = interrupted
    fitted.attrs["diagnostics"] = attrs.pack(diagnose(fitted))
    return fitted


def _refuse_other_names(study: Study | str, named: Mapping[str, Any]) -> None:
    """Answer settings that other libraries call by another name with the name here.

    Raises
    ------
    StudyError
    """
    for name in named:
        if name in ELSEWHERE:
            study = load_study(study) if isinstance(study, str) else study
            if name not in study.options:
                raise StudyError(f"{name}= is {ELSEWHERE[name]} here")


def _keeper(folder: str | Path | None, start: xr.DataTree, density: NativeDensity) -> Any:
    """Keep draws in a folder, if there is one."""
    if folder is None:
        return nullcontext()
    marked = start.copy()
    marked.attrs = {**start.attrs, "shapes": attrs.pack([list(s) for s in density.shapes])}
    return Keeper(Path(folder), sealed(marked), len(STATS) + density.size)


def _rescued(start: xr.DataTree, density: NativeDensity, raw: xr.DataTree) -> Path:
    """Write draws that nobody asked to keep to a folder of their own."""
    with deferred():
        folder = Path(tempfile.mkdtemp(prefix="bayesmig-")) / "draws"
        with _keeper(folder, start, density) as keeper:
            keeper.add(untree(raw))
    return folder


def _settings(ready: Compiled, asked: Mapping[str, Any]) -> tuple[int, int, int, dict[str, Any]]:
    """Draws, tuning draws, chains and nutpie's settings: what was asked for, else the study's."""
    from bayesmig.compiled import check_sampling

    settings = {**ready.sampling, **(asked.get("sampling") or {})}
    usual = {"draws": settings.pop("draws", 1000), "tune": settings.pop("tune", 1000), "chains": 4}
    chosen = {name: usual[name] if asked.get(name) is None else asked[name] for name in usual}
    for name, value in chosen.items():
        if not isinstance(value, Integral) or value < 1:
            raise StudyError(f"{name} must be a whole number from 1 on, got {value!r}")
    try:
        attrs.pack(settings)
    except DataError as error:
        raise StudyError(f"sampling: {error}") from None
    check_sampling(settings)
    return int(chosen["draws"]), int(chosen["tune"]), int(chosen["chains"]), settings


def _refit_one(start: Compiled, priors: Any, data: Any, settings: dict[str, Any]) -> xr.DataTree:
    asked = {n: settings.pop(n) for n in list(settings) if n in start.options}
    _refuse_other_names(start.study, settings)
    for name in settings:
        if name not in SETTINGS:
            raise StudyError(unknown("setting", name, [*SETTINGS, *start.options]))
    priors = start.priors if priors is None else start.study.priors(priors)
    options = {**start.options, **priors.options, **asked}
    data = start.data if data is None else data
    ready = compile(start.study, data, priors, **options)
    if ready.graph is not start.graph and not start.graph.matches(ready.model):
        warn(
            "another graph, compiled "
            + ("before" if ready.reused else f"anew in {ready.seconds['compile']:.1f} s")
            + f": {start.graph.differences(ready.model)}",
            RecompiledWarning,
        )
    return sample(ready, settings)
