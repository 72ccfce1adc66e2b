"""Does the model recover what it should: calibration by simulation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, replace
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import attrs, evaluate, observed, outputs
from bayesmig.compiled import NativeDensity, compile_graph
from bayesmig.errors import StudyError, unknown
from bayesmig.jobs import Plain, alone, refuse
from bayesmig.keeping import flat
from bayesmig.ready import Built, Compiled, build, compile_built, fingerprint
from bayesmig.replicates import replicates
from bayesmig.saving import installed, opened, sealed
from bayesmig.signals import deferred, ignored
from bayesmig.study import Study, load_study
from bayesmig.threads import one_thread

PROBABILITIES = (0.5, 0.9)
RANKS = 100  # draws kept for a rank, thinned so that they are nearly independent
KEPT = Path("out", "calibration")  # where tables of cards in the making are, until they are whole
LEAST_ESS = 50  # an interval of fewer effective draws is too short
LARGEST_RHAT = 1.1  # of chains this short, as they come: 1.01 is that of chains four times as long
TARGET_ACCEPT = 0.8  # nutpie's own
OTHER_SEED = 1_000_003  # from the seed of one attempt to that of the next
LOG_DENSITY = "log_density"  # of parameters and data together: a quantity that knows the data


@dataclass(frozen=True)
class Job:
    """One refit of a calibration.

    Attributes
    ----------
    data : Dataset, optional
        Simulated data; where there are none the graph's own give its sizes.
    truth : Dataset
        Estimands, those to look at.
    held : mapping of str to ndarray
        Simulated data of the graph by name, in the place of its own.
    seed : int
    point : ndarray (parameter), optional
        The true parameters as the sampler sees them, where they are known.
    """

    data: xr.Dataset | None
    truth: xr.Dataset
    held: Mapping[str, np.ndarray]
    seed: int
    point: np.ndarray | None = None

    @property
    def fingerprint(self) -> str:
        """Of truth and data: of two ways to simulate, neither's results are the other's."""
        return fingerprint(self.truth) + (fingerprint(self.data) if self.data is not None else "")


def calibrate(
    study: Study | str,
    data: xr.Dataset,
    priors: Any = None,
    *,
    n: int = 200,
    quantity: str | Sequence[str] | None = None,
    simulate: Callable[[int], xr.Dataset] | None = None,
    draws: int = 600,
    tune: int = 600,
    chains: int = 1,
    attempts: int = 3,
    seed: int = 1,
    workers: int = 2,
    executor: Executor | None = None,
    progress: bool = True,
    keep: str | Path | None = None,
    **options: Any,
) -> xr.Dataset:
    """Simulate data of known truth many times and see how often the intervals hold it.

    The graph is compiled once; each simulated data set is one refit.

    Parameters
    ----------
    study : Study or str
    data : Dataset
        Gives the layout and the errors of the simulated data.
    priors
        As for `fit`.
    n : int
        Number of simulated data sets.
    quantity : str or sequence of str, optional
        Estimands to look at; all by default, and where truths come from the prior also
        ``log_density``, that of parameters (as the sampler sees them) and data together,
        which sees what no parameter alone does (Modrák et al. 2023).  It can be asked for with
        ``simulate`` too, whose data must then carry the truth of every free variable.
    simulate : callable, optional
        ``simulate(seed)`` returns a data set with its truth, as ``study.simulate``
        does.  By default the truth is drawn from the prior and the data through the
        graph (simulation-based calibration): coverage must then be nominal and ranks
        uniform.
    draws, tune, seed, workers : int
        Draws and tuning draws of each chain; refits running at once, in threads.
    chains : int
        Of each refit, one after the other.  A chain alone does not know of a place where it has
        not been: two that disagree say so.
    attempts : int
        How often at most one data set is fitted: a refit that diverges, has fewer than
        `LEAST_ESS` effective draws of a quantity, or chains of which one is elsewhere (R-hat above
        `LARGEST_RHAT`), is made again from another seed with twice the draws and tuning draws and
        half the way from ``target_accept`` to one, as anybody would whose fit warns.  The last
        attempt counts, whatever it is.
    executor : concurrent.futures.Executor, optional
        Where to run the refits in the place of threads: other processes compile the graph
        once each, and draw the same.
    progress : bool
    keep : str or Path, optional
        A folder in which each refit's result is kept as it is made, so that the same
        calibration, run again after it was killed, goes on where it was; removed at the end.
    **options
        Of the graph.

    Raises
    ------
    Exception
        What a refit ended in, once all others have run (and are kept).
    StudyError
        If the graph observes what other data cannot take the place of, for a quantity that the
        study has not, for ``log_density`` where simulated data do not tell the parameters, or for
        no attempt or chain.

    Returns
    -------
    Dataset
        Of the refits that were finished if it was interrupted (``attrs["interrupted"]``):
        ``truth``, ``mean``, ``sd``, ``rank`` (where the truth stands among thinned draws,
        ties broken at random: uniform on (0, 1) if all is well), ``inside`` (0 or 1) and
        ``width`` (probability, ...) of intervals, dims (quantity, simulation, ...); ``ess`` and
        ``rhat`` (quantity, simulation), the least bulk ESS and the largest R-hat (NaN of one
        chain); ``divergences`` and ``steps``
        of the attempt that counts, and which that is, ``attempts`` (simulation).  NaN where a
        quantity has no such place, no truth, or is a constant.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> found = bm.calibrate(
    ...     study, study.example(table=7), "calibration", n=2, draws=50, tune=50, progress=False
    ... )
    >>> found["inside"].sizes["simulation"], found["inside"].sizes["quantity"]
    (2, 8)
    """
    study = load_study(study) if isinstance(study, str) else study
    for name, number in {"attempts": attempts, "chains": chains}.items():
        if not isinstance(number, Integral) or number < 1:
            raise StudyError(f"{name} must be a whole number, 1 or more, got {number!r}")
    if simulate is None:  # the graph is refitted to what it draws: it must hold all of it
        options = {**options, **study.simulating}
    built = build(study, data, priors, **options)
    asked = [quantity] if isinstance(quantity, str) else list(quantity or ())
    point = LOG_DENSITY in asked or not (asked or simulate)
    jobs = (
        _prior_jobs(built, n, seed, point)
        if simulate is None
        else _given_jobs(built, n, seed, simulate, point)
    )
    names = [*map(str, jobs[0].truth.data_vars), *[LOG_DENSITY] * point]
    for name in asked:
        if name not in names:
            raise StudyError(unknown("quantity", name, names))
    asked = asked or names
    kept = [name for name in asked if name != LOG_DENSITY]
    jobs = [replace(job, truth=job.truth[kept]) for job in jobs]
    ready = compile_built(built)
    said = {
        "study": study.name,
        "data_title": str(data.attrs.get("title", "")),
        "synthetic": 1,
        "truth": "drawn from the prior" if simulate is None else "given",
        "prior_set": ready.priors.name,
        "draws": draws,
        "seed": seed,
    }
    every = [str(ready.priors), fingerprint(data), attrs.pack(ready.options), str(n), str(tune)]
    every += [*asked, *(job.fingerprint for job in jobs), attrs.pack(ready.sampling)]
    every += [str(chains), str(attempts), str(installed("bayesmig"))]
    store = None if keep is None else _Store(Path(keep), study.name, [*said.values(), *every])
    with one_thread():
        size = (draws, tune, chains, attempts)
        done = _finished(ready, jobs, size, workers, executor, progress, store)
    found: xr.Dataset = xr.concat([done[k] for k in sorted(done)], "simulation")
    interrupted = "" if len(done) == n else f"interrupted: {len(done)} of {n} data sets"
    found.attrs = {**said, "interrupted": interrupted}
    if store is not None and not interrupted:
        store.remove()
    return found


def coverage(found: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """Summarise a calibration, one row per quantity.

    Parameters
    ----------
    found : Dataset
        Of `calibrate`.
    by : str, optional
        A dim of the quantities: a row then for each of its coordinates, "quantity, coordinate";
        quantities without it have one row.

    Returns
    -------
    DataFrame
        For each probability the share of truths inside and its standard error over
        data sets (numbers of one data set are not independent of each other); mean
        error and root mean square error in the estimands' unit; mean posterior sd; the
        p-value of a chi-squared test that ranks are uniform (10 bins), each data set's rank
        taken at one place at random; the least bulk ESS of a refit, and of several chains the
        largest R-hat.  Quantities without a place to compare (constants) have no row.

    Examples
    --------
    >>> import bayesmig as bm
    >>> study = bm.load_study("emigration")
    >>> found = bm.calibrate(
    ...     study, study.example(table=7), "calibration", n=2, draws=50, tune=50, progress=False
    ... )
    >>> list(bm.coverage(found).columns)[:4]
    ['inside 50%', 'se 50%', 'inside 90%', 'se 90%']
    """
    from scipy.stats import chisquare

    rng = np.random.default_rng(0)
    rows = []
    for quantity, one in _parts(found, by):
        one_each = _one_rank_each(one, rng)
        if not one_each.size:
            continue
        inside = one.inside.mean(
            [d for d in one.inside.dims if d not in ("simulation", "probability")]
        )
        error = one["mean"] - one.truth
        row: dict[str, Any] = {"quantity": quantity}
        for prob in found.probability.values:
            each = inside.sel(probability=prob)
            row[f"inside {prob:.0%}"] = float(each.mean())
            sd = each.std(ddof=1) if each.size > 1 else np.nan
            row[f"se {prob:.0%}"] = float(sd / np.sqrt(each.count()))
        counts = np.histogram(one_each, bins=10, range=(0, 1))[0]
        row |= {
            "bias": float(error.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "posterior sd": float(one.sd.mean()),
            "rank p-value": float(chisquare(counts).pvalue),
            "least ESS": round(float(one.ess.min())),
        }
        if one.rhat.notnull().any():
            row["largest R-hat"] = float(one.rhat.max())
        rows.append(row)
    table = pd.DataFrame(rows).set_index("quantity")
    table.attrs = {
        **found.attrs,
        "n": found.sizes["simulation"],
        "divergences": int(found.divergences.sum()),
        "again": _again(found),
    }
    return table


def ranks(found: xr.Dataset) -> dict[str, np.ndarray]:
    """Return by quantity one rank from each data set, at one of its places at random.

    The ranks of one data set are not independent of each other.  Quantities without a place to
    compare (constants) are left out.
    """
    rng = np.random.default_rng(0)
    each = {quantity: _one_rank_each(one, rng) for quantity, one in _parts(found)}
    return {quantity: picked for quantity, picked in each.items() if picked.size}


def _parts(found: xr.Dataset, by: str | None = None) -> Iterator[tuple[str, xr.Dataset]]:
    """Cut a calibration by quantity, and by a dim where a quantity has it."""
    if by is not None and by not in found["rank"].dims:
        raise StudyError(unknown("dim", by, list(map(str, found["rank"].dims))))
    for quantity in map(str, found.quantity.values):
        one = found.sel(quantity=quantity)
        cuts = [] if by is None else [one.sel({by: at}) for at in one[by].values]
        # a quantity without the dim has numbers at its first coordinate alone
        if any(np.isfinite(cut["rank"]).any() for cut in cuts[1:]):
            yield from ((f"{quantity}, {cut[by].item()}", cut) for cut in cuts)
        else:
            yield quantity, one


def _one_rank_each(one: xr.Dataset, rng: np.random.Generator) -> np.ndarray:
    """Return one rank from each data set; none of a constant."""
    rank = one["rank"].transpose("simulation", ...).values
    flat = rank.reshape(len(rank), -1)
    there = [row[np.isfinite(row)] for row in flat]
    return np.array([rng.choice(row) for row in there if row.size])


def recovery(
    study: str, data: xr.Dataset, *, draws: int, by: str | None = None, **how: Any
) -> pd.DataFrame:
    """Calibrate, and return `coverage` with what it rests on, as cards store it.

    Parameters
    ----------
    study : str
    data : Dataset
    draws : int
        Of each refit, and as many to tune.
    by : str, optional
        As of `coverage`.
    **how
        Of `calibrate`.  What is finished is kept below ``out`` until all is.

    Returns
    -------
    DataFrame
        One row for each estimand; data sets, divergences in all, steps a draw.  Where all
        data sets have the same truth, single numbers have it in the column ``truth``.
    """
    found = calibrate(study, data, draws=draws, tune=draws, keep=KEPT, **how)
    table = to_store(found, by)
    truth = found.truth
    if found.attrs["truth"] == "given" and set(truth.dims) == {"quantity", "simulation"}:
        first = truth.isel(simulation=0)
        if (truth == first).all():
            table.insert(0, "truth", first.to_series()[table.index])
    return table


def to_store(found: xr.Dataset, by: str | None = None) -> pd.DataFrame:
    """Return `coverage` with what it rests on.

    Data sets, those whose refit was made again, divergences in all, steps a draw.
    """
    return coverage(found, by).assign(
        simulations=found.sizes["simulation"],
        again=_again(found),
        divergences=int(found.divergences.sum()),
        steps=float(found.steps.mean()),
    )


def _again(found: xr.Dataset) -> int:
    """How many data sets were fitted more than once."""
    return int((found.attempts > 1).sum())


class _Store:
    """Results of refits in files, in a folder that is named by all that they depend on."""

    def __init__(self, parent: Path, name: str, depends: Sequence[Any]):
        digest = hashlib.sha256("\n".join(map(str, depends)).encode()).hexdigest()
        self.folder = parent / f"{name}-{digest[:12]}"
        outputs.check(self.folder / "0.nc")

    def read(self) -> dict[int, xr.Dataset]:
        paths = sorted(self.folder.glob("*.nc"))
        return {int(path.stem): opened(path).to_dataset() for path in paths}

    def write(self, k: int, result: xr.Dataset) -> None:
        outputs.write(self.folder / f"{k}.nc", sealed(xr.DataTree(result)), private=True)

    def remove(self) -> None:
        for path in self.folder.glob("*.nc"):
            outputs.sweep(path)
            path.unlink()
        with suppress(OSError):  # other files are left
            self.folder.rmdir()
            self.folder.parent.rmdir()


def _finished(
    ready: Compiled,
    jobs: Sequence[Job],
    size: tuple[int, int, int, int],
    workers: int,
    executor: Executor | None,
    progress: bool,
    store: _Store | None,
) -> dict[int, xr.Dataset]:
    """Run the refits that are not in the store; after Ctrl-C those that had begun."""
    done = store.read() if store else {}
    failed: dict[int, Exception] = {}
    rest = [k for k in range(len(jobs)) if k not in done]

    def take(future: Future[xr.Dataset]) -> None:
        with deferred():  # in memory and on disk, or in neither
            k = of[future]
            try:
                done[k] = future.result()
            except Exception as error:  # of any kind: raised once the others have run
                failed[k] = error
                return
            if store:
                store.write(k, done[k])

    pool = executor or ThreadPoolExecutor(workers)
    away = alone(executor)
    graph: Any = Plain.of(ready) if away else ready
    one: Callable[..., xr.Dataset] = _one_away if away else _one
    of = {pool.submit(one, graph, jobs[k], *size): k for k in rest}
    try:
        for future in _track(as_completed(of), len(rest), progress):
            take(future)
    except KeyboardInterrupt:
        with ignored():
            for future in of:
                future.cancel()
            for future in of:
                if of[future] not in done and not future.cancelled():
                    take(future)
        if not done:
            raise
    finally:
        for future in of:
            future.cancel()
        if executor is None:
            pool.shutdown()
    refuse(failed, len(jobs), "refits", "the others are kept" if store else "")
    return done


def _prior_jobs(built: Built, n: int, seed: int, point: bool) -> list[Job]:
    """Truths from the prior, data through the graph."""
    model, study = built.model, built.study
    held = observed.data_names(model)
    values = replicates(built, n, seed)
    drawn = {name: value[None] for name, value in values.items() if name not in held}
    truths = evaluate.dataset(model, drawn, ("chain", "draw"))
    truth = study.estimands(truths, built.data).isel(chain=0)
    points = _points(model, values, n) if point else [None] * n
    return [
        Job(
            None,
            truth.isel(draw=i),
            {data: values[rv][i] for rv, data in held.items()},
            seed + i,
            points[i],
        )
        for i in range(n)
    ]


def _given_jobs(
    built: Built, n: int, seed: int, simulate: Callable[[int], xr.Dataset], point: bool
) -> list[Job]:
    """Data sets with their truth, as a study simulates them."""
    study = built.study
    drawn = [simulate(seed + i) for i in range(n)]
    truths = [study.truth(data) for data in drawn]
    points = _points(built.model, _free(built, truths), n) if point else [None] * n
    return [
        Job(data, study.estimands(truth, data), {}, seed + i, points[i])
        for i, (data, truth) in enumerate(zip(drawn, truths, strict=True))
    ]


def _free(built: Built, truths: Sequence[xr.Dataset]) -> dict[str, np.ndarray]:
    """Return the free variables of truths that simulated data carry, (draw, *shape)."""
    names = [rv.name for rv in built.model.free_RVs]
    lacking = [name for name in names if any(name not in truth for truth in truths)]
    if lacking:
        raise StudyError(
            f"study {built.study.name!r}: {LOG_DENSITY} needs the truth of every free variable, "
            f"and simulated data do not carry {', '.join(lacking)}"
        )
    dims = built.model.named_vars_to_dims
    return {
        name: np.stack([_in_order(truth[name], dims.get(name)).values for truth in truths])
        for name in names
    }


def _in_order(values: xr.DataArray, dims: Sequence[str] | None) -> xr.DataArray:
    """Bring the dims of an array into the order that the graph has them in."""
    return values.transpose(*dims) if dims and {*dims} == {*values.dims} else values


def _points(model: Any, values: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Return free variables as the sampler sees them, (draw, parameter)."""
    moved = evaluate.unconstrained(model, {rv.name: values[rv.name] for rv in model.free_RVs})
    return np.concatenate([value.reshape(n, -1) for value in moved], axis=1)


def _one_away(graph: Plain, job: Job, *size: int) -> xr.Dataset:
    """Refit in a process that has nothing but the job."""
    with one_thread():
        return _one(graph.compiled(), job, *size)


def _one(
    ready: Compiled, job: Job, draws: int, tune: int, chains: int, attempts: int
) -> xr.Dataset:
    """Refit one simulated data set, again if it sampled badly; set draws against the truth."""
    built: Built = ready
    graph = ready.graph
    if job.data is not None:
        built = build(ready.study, job.data, ready.priors, **ready.options)
        if not graph.matches(built.model):
            graph, _ = compile_graph(built.model)
    density = graph.bind(built.model, job.seed, job.held)
    settings = {"target_accept": TARGET_ACCEPT, **ready.sampling, "chains": chains, "cores": 1}
    for attempt in range(attempts):
        settings |= {
            "draws": draws * 2**attempt,
            "tune": tune * 2**attempt,
            "seed": job.seed + OTHER_SEED * attempt,
        }
        found = _attempt(built, density, job, **settings)
        if not (
            found.divergences or (found.ess < LEAST_ESS).any() or (found.rhat > LARGEST_RHAT).any()
        ):
            break
        settings["target_accept"] = (1 + settings["target_accept"]) / 2
    return found.assign(attempts=attempt + 1)


def _attempt(built: Built, density: NativeDensity, job: Job, **settings: Any) -> xr.Dataset:
    """Sample and set the draws against the truth."""
    raw = density.sample(progress=False, **settings)
    values = evaluate.parameters(built.model, density.split(flat(raw)))
    posterior = evaluate.dataset(built.model, values, ("chain", "draw"))
    estimands = built.study.estimands(posterior, built.data)
    known = job.truth
    sampled = estimands[list(known.data_vars)]
    known = known.drop_vars([c for c in known.coords if c not in known.dims])
    for name, drawn in sampled.data_vars.items():  # xarray would broadcast, and count all
        if set(known[name].dims) != set(drawn.dims) - {"chain", "draw"}:
            raise StudyError(
                f"study {built.study.name!r}: the truth of {name} has dims {known[name].dims}, its "
                f"draws {drawn.dims}: the simulated data are of another graph"
            )
    if job.point is not None:
        sampled[LOG_DENSITY] = raw["sample_stats"]["logp"]
        known[LOG_DENSITY] = density(job.point)[0]
    found = _against(sampled, known, job.seed)
    found["divergences"] = int(raw["sample_stats"]["diverging"].sum())
    found["steps"] = float(raw["sample_stats"]["n_steps"].mean())
    return found


def _against(sampled: xr.Dataset, known: xr.Dataset, seed: int) -> xr.Dataset:
    """Set draws against the truth: a dim for quantities, NaN where one has no number to compare."""
    import arviz as az

    ess = az.ess(sampled, method="bulk").map(lambda each: each.min())
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant has none: NaN
        rhat = az.rhat(sampled) if sampled.sizes["chain"] > 1 else xr.full_like(ess, np.nan)
    sampled = sampled.drop_vars(["chain", "draw"], errors="ignore")
    sampled = sampled.stack(every=("chain", "draw"), create_index=False).rename(every="draw")
    probability = {"probability": list(PROBABILITIES)}
    low, high = (
        sampled.quantile(end, "draw").rename(quantile="probability").assign_coords(probability)
        for end in ([(1 - p) / 2 for p in PROBABILITIES], [(1 + p) / 2 for p in PROBABILITIES])
    )
    # a constant is inside every interval, and a truth that is missing inside none
    counts = (sampled.max("draw") > sampled.min("draw")) & known.notnull()
    found = {  # summarised one by one: estimands with dims of their own need not be one array
        "truth": known,
        "mean": sampled.mean("draw"),
        "sd": sampled.std("draw"),
        "rank": _ranks(sampled, known, seed).where(counts),
        "inside": ((known >= low) & (known <= high)).astype(float).where(counts),
        "width": high - low,
    }
    return xr.Dataset(
        {
            **{name: _together(each) for name, each in found.items()},
            "ess": ess.to_dataarray("quantity"),
            "rhat": rhat.map(lambda each: each.max()).to_dataarray("quantity"),
        }
    )


def _ranks(sampled: xr.Dataset, known: xr.Dataset, seed: int) -> xr.Dataset:
    """Where each truth stands among thinned draws: (r + U) / (L + 1), of r below and L in all.

    Draws that equal the truth are below it or not at random, and the ranks 0, ..., L are
    spread evenly over their cells, so that what is discrete is as uniform as what is not.
    """
    draws = sampled.isel(draw=slice(None, None, max(1, sampled.sizes["draw"] // RANKS)))

    def rank(drawn: xr.DataArray) -> xr.DataArray:
        truth = known[drawn.name]
        rng = np.random.default_rng([seed, *str(drawn.name).encode()])  # whatever else is asked
        below, equal = (drawn < truth).sum("draw"), (drawn == truth).sum("draw")
        at = below + rng.integers(0, equal.values + 1) + rng.random(below.shape)
        return at / (draws.sizes["draw"] + 1)

    return draws.map(rank)


def _together(found: xr.Dataset) -> xr.DataArray:
    """Make one array of quantities: NaN, and not copies, where one lacks another's dims."""
    whole = found.to_dataarray("quantity")
    for name, each in found.data_vars.items():
        for dim in set(whole.dims) - set(each.dims) - {"quantity"}:
            first = xr.DataArray(np.arange(whole.sizes[dim]) == 0, dims=(dim,))
            whole = whole.where((whole["quantity"] != name) | first)
    return whole


def _track(results: Any, n: int, progress: bool) -> Any:
    if not progress:
        return results
    from rich.progress import track

    return track(results, total=n, description="refits")
