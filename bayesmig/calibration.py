"""Does the model recover what it should, and what do the priors decide?"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig import evaluate
from bayesmig.errors import StudyError
from bayesmig.fitting import Compiled, _array, add_groups, compile
from bayesmig.study import Study, load_study

PROBABILITIES = (0.5, 0.9)
RANKS = 100  # draws kept for a rank, thinned so that they are nearly independent


def calibrate(
    study: Study | str,
    data: xr.Dataset,
    priors: Any = None,
    *,
    n: int = 200,
    simulate: Callable[[int], xr.Dataset] | None = None,
    draws: int = 600,
    tune: int = 600,
    seed: int = 1,
    workers: int = 2,
    progress: bool = True,
    **options: Any,
) -> xr.Dataset:
    """Simulate data of known truth many times and see how often the intervals hold it.

    The graph is compiled once; each simulated data set is one refit of one chain.

    Parameters
    ----------
    study : Study or str
    data : Dataset
        Gives the layout and the errors of the simulated data.
    priors
        As for `fit`.
    n : int
        Number of simulated data sets.
    simulate : callable, optional
        ``simulate(seed)`` returns a data set with its truth, as ``study.simulate``
        does.  By default the truth is drawn from the prior and the data through the
        graph (simulation-based calibration): coverage must then be nominal and ranks
        uniform.
    draws, tune, seed, workers : int
        Draws and tuning draws of each refit; chains running at once.
    progress : bool
    **options
        Of the graph.

    Returns
    -------
    Dataset
        ``truth``, ``mean``, ``sd``, ``rank`` (share of draws below the truth), ``inside`` and
        ``width`` (probability, ...) of intervals, dims (quantity, simulation, ...), and
        ``divergences`` and ``steps`` (simulation).
    """
    study = load_study(study) if isinstance(study, str) else study
    if simulate is None:  # the graph is refitted to what it draws: it must hold all of it
        options = {**options, **study.simulating}
    ready = compile(study, data, priors, **options)
    jobs = (
        _prior_jobs(ready, n, seed) if simulate is None else _given_jobs(ready, n, seed, simulate)
    )
    with ThreadPoolExecutor(workers) as executor:
        results = list(
            _track(executor.map(lambda job: _one(ready, job, draws, tune), jobs), n, progress)
        )
    found = xr.concat(results, "simulation")
    found.attrs = {
        "study": study.name,
        "data_title": str(data.attrs.get("title", "")),
        "truth": "drawn from the prior" if simulate is None else "given",
        "prior_set": ready.priors.name,
        "draws": draws,
        "seed": seed,
    }
    return found


def coverage(found: xr.Dataset) -> pd.DataFrame:
    """Summarise a calibration, one row per quantity.

    Returns
    -------
    DataFrame
        For each probability the share of truths inside and its standard error over
        data sets (numbers of one data set are not independent of each other); mean
        error and root mean square error in the estimands' unit; mean posterior sd; the
        p-value of a chi-squared test that ranks are uniform, each data set's rank taken
        at one place at random; divergences in all.
    """
    from scipy.stats import chisquare

    rng = np.random.default_rng(0)
    rows = []
    for quantity in found.quantity.values:
        one = found.sel(quantity=quantity)
        inside = one.inside.mean(
            [d for d in one.inside.dims if d not in ("simulation", "probability")]
        )
        error = one["mean"] - one.truth
        row: dict[str, Any] = {"quantity": quantity}
        for prob in found.probability.values:
            each = inside.sel(probability=prob)
            row[f"inside {prob:.0%}"] = float(each.mean())
            row[f"se {prob:.0%}"] = float(each.std(ddof=1) / np.sqrt(each.size))
        flat = one["rank"].transpose("simulation", ...).values.reshape(one.sizes["simulation"], -1)
        picked = flat[np.arange(len(flat)), rng.integers(flat.shape[1], size=len(flat))]
        counts = np.histogram(picked, bins=10, range=(0, 1))[0]
        row |= {
            "bias": float(error.mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "posterior sd": float(one.sd.mean()),
            "rank p-value": float(chisquare(counts).pvalue),
        }
        rows.append(row)
    table = pd.DataFrame(rows).set_index("quantity")
    table.attrs = {
        **found.attrs,
        "n": found.sizes["simulation"],
        "divergences": int(found.divergences.sum()),
    }
    return table


def sensitivity(fitted: xr.DataTree, quantity: str | None = None) -> pd.DataFrame:
    """Power-scaling sensitivity of the estimands to the priors and to the likelihood.

    Only the priors of the study's own parameters are scaled, not the density of the
    effects that they govern, which ArviZ would scale too.

    Parameters
    ----------
    fitted : DataTree
    quantity : str, optional
        One of the estimands; all of them by default.

    Returns
    -------
    DataFrame
        ``prior`` and ``likelihood`` sensitivity and ArviZ's ``diagnosis`` per quantity.
    """
    import arviz as az

    whole = add_groups(fitted, ("log_likelihood", "log_prior"))
    population = set(load_study(fitted.attrs["study"]).priors().specs)
    names = [name for name in whole["log_prior"].data_vars if name in population]
    estimands = whole["estimands"].to_dataset()
    if quantity is not None:
        if quantity not in estimands:
            raise StudyError(f"no quantity {quantity!r}; it has {', '.join(map(str, estimands))}")
        estimands = estimands[[quantity]]
    tree = xr.DataTree.from_dict(
        {
            "posterior": estimands,
            "log_prior": whole["log_prior"].to_dataset(),
            "log_likelihood": whole["log_likelihood"].to_dataset(),
        }
    )
    with np.errstate(invalid="ignore"):  # a constant has no density to compare
        return az.psense_summary(tree, prior_var_names=names, round_to=12)


def _prior_jobs(ready: Compiled, n: int, seed: int) -> list[tuple[Any, ...]]:
    """Truths from the prior, data through the graph."""
    model = ready.model
    values = evaluate.prior_draws(model, n, seed)
    observed = {rv.name: model.rvs_to_values[rv].name for rv in model.observed_RVs}
    truths = evaluate.dataset(
        model, {k: v[None] for k, v in values.items() if k not in observed}, ("chain", "draw")
    )
    truth = ready.study.estimands(truths, ready.data).isel(chain=0)
    return [
        (
            model,
            ready.data,
            truth.isel(draw=i),
            {held: values[rv][i] for rv, held in observed.items()},
            seed + i,
        )
        for i in range(n)
    ]


def _given_jobs(
    ready: Compiled, n: int, seed: int, simulate: Callable[[int], xr.Dataset]
) -> list[tuple[Any, ...]]:
    """Data sets with their truth, as a study simulates them."""
    jobs: list[tuple[Any, ...]] = []
    for i in range(n):
        data = simulate(seed + i)
        truth = ready.study.estimands(ready.study._part("data").truth(data), data)
        model = ready.study.build(data, ready.priors, **ready.options)
        jobs.append((model, data, truth, {}, seed + i))
    return jobs


def _one(ready: Compiled, job: tuple[Any, ...], draws: int, tune: int) -> xr.Dataset:
    """Refit one simulated data set and set its draws against the truth."""
    model, data, truth, held, seed = job
    density = ready.graph.bind(model, seed, held)
    settings = {**ready.study.sampling, **ready.priors.sampling}
    settings = {k: v for k, v in settings.items() if k not in ("draws", "tune")}
    raw = density.sample(seed=seed, progress=False, draws=draws, tune=tune, chains=1, **settings)
    values = evaluate.parameters(model, density.split(_array(raw, "posterior", "unconstrained")))
    posterior = evaluate.dataset(model, values, ("chain", "draw"))
    estimands = ready.study.estimands(posterior, data).isel(chain=0, drop=True)
    names = pd.Index(list(estimands.data_vars), name="quantity")
    sampled = estimands.to_dataarray("quantity").transpose("draw", ...)
    known = truth[list(names)].to_dataarray("quantity")
    known = known.drop_vars([c for c in known.coords if c not in known.dims])
    ends = [(1 - p) / 2 for p in PROBABILITIES], [(1 + p) / 2 for p in PROBABILITIES]
    probability = {"probability": list(PROBABILITIES)}
    low, high = (
        sampled.quantile(end, "draw").rename(quantile="probability").assign_coords(probability)
        for end in ends
    )
    inside = (known >= low) & (known <= high)
    thin = max(1, draws // RANKS)
    return xr.Dataset(
        {
            "truth": known,
            "mean": sampled.mean("draw"),
            "sd": sampled.std("draw"),
            "rank": (sampled[::thin] < known).mean("draw"),
            "inside": inside,
            "width": high - low,
            "divergences": int(raw["sample_stats"]["diverging"].sum()),
            "steps": float(raw["sample_stats"]["n_steps"].mean()),
        }
    )


def _track(results: Any, n: int, progress: bool) -> Any:
    if not progress:
        return results
    from rich.progress import track

    return track(results, total=n, description="refits")
