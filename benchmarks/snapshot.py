"""The snapshot model's graph against plain PyMC and Stan: the same data, priors and posterior.

    python benchmarks/snapshot.py [--quick] [--skip plain] [--skip stan]

``bayesmig``: the study's graph, distinct answers with counts, triangular solves.
``plain``: the model as the paper tells it, in PyMC: a scan over the years, respondents one
by one, `pm.sample` as it comes.  ``stan``: loops over years and distinct answers, rstan; left
out, with the reason, where R has no rstan.  First the three log densities and gradients are
compared; then they are sampled one after the other, each in a process of its own.  "Cold"
starts from an empty cache of compiled code, "warm" reads it.
"""

import argparse
import ctypes
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
HEADLINE = (
    "solitary_share",
    "retirement_prob",
    "mean_solitary_sojourn",
    "mean_circular_sojourn",
    "mean_trips_2016",
    "circular_share_of_crossings",
    "population_2016",
)
POINTS, SPREAD, TOLERANCE = 5, 0.5, 1e-6  # where the densities are compared, and how closely
GRADIENTS = 2000  # evaluated to time one
GOAL_MS = 0.18  # one gradient of the prototype
PEER_CHAINS = 2  # one for each core
KNOTS, SINGLE_YEARS = (1989, 1998, 2007, 2016), 20  # Section 11
# what the other two are written for
PRIORS, OPTIONS = "long_share", {"trips_of": "everybody", "trips_error": "sample"}


# --- what all contenders share -----------------------------------------------------------


def study_and_data():
    import bayesmig as bm

    study = bm.load_study("snapshot")
    return study, study.example()


def numbers_of_priors(study):
    """Distribution and numbers of each parameter that the graph has."""
    found = {}
    for name, spec in study.priors(PRIORS).specs.items():
        numbers = {k: v["default"] if isinstance(v, dict) else v for k, v in spec.numbers.items()}
        if not all(np.isscalar(v) for v in numbers.values()):
            raise SystemExit(f"the prior of {name} is not one for all of its elements: {spec}")
        found[name] = spec.dist, numbers
    return found


def covariates(data):
    """What the curves are made of: trend, log years, knots; all years count from 0."""
    first, last = data.attrs["first_year"], data.attrs["last_year"]
    years = np.arange(first, last + 1)
    x = np.linspace(-1, 1, len(years))
    knots = [first + 1, *KNOTS]
    return {
        "years": len(years),
        "powers": np.column_stack([x, x**2 - np.mean(x**2)]),
        "log_steps": np.diff(np.log(np.arange(1, SINGLE_YEARS + 1))),
        "knot_steps": np.diff(knots) / 10,
        "knot_weights": np.column_stack([np.interp(years, knots, row) for row in np.eye(5)]),
    }


def respondents(data):
    """One row each; years of the model count from 0."""
    table = data.to_dataframe()
    for name in ("survey", "departure"):
        table[name] = table[f"{name}_year"] - data.attrs["first_year"]
    return table


def points(size):
    """Unconstrained points at which densities are compared, (point, parameter)."""
    return np.random.default_rng(1).normal(0, SPREAD, (POINTS, size))


def native(address, user_data):
    """Log density and gradient through the C function that nutpie calls."""
    word = ctypes.c_void_p
    function = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[word] * 4)(address)

    def call(x):
        gradient, value = np.zeros(len(x)), np.zeros(1)
        function(len(x), x.ctypes.data, gradient.ctypes.data, value.ctypes.data, user_data)
        return value[0], gradient

    return call


def probe(density, size):
    """Log densities and gradients at the points, and the time of one of them in ms."""
    at = points(size)
    values, slopes = zip(*(density(x) for x in at), strict=True)
    best = np.inf
    for _ in range(5):  # the least disturbed of five
        began = time.perf_counter()
        for _ in range(GRADIENTS // 5):
            density(at[0])
        best = min(best, (time.perf_counter() - began) / (GRADIENTS // 5))
    return {"values": values, "slopes": np.array(slopes).tolist(), "gradient_ms": 1e3 * best}


def summary(headline):
    """Mean, its Monte Carlo error and bulk ESS of each headline quantity, and worst R-hat."""
    import arviz as az

    chosen = headline[list(HEADLINE)]
    measures = {
        "mean": chosen.mean(),
        "error": az.mcse(chosen),
        "ess": az.ess(chosen, method="bulk"),
        "rhat": az.rhat(chosen),
    }
    return {k: {n: float(v[n]) for n in HEADLINE} for k, v in measures.items()}


def from_parameters(draws):
    """Headline quantities of draws of the parameters, by the study's formulas."""
    study, data = study_and_data()
    return summary(study.estimands(draws, data))


# --- bayesmig ----------------------------------------------------------------------------


def bayesmig_compile(folder):
    import bayesmig as bm

    study, data = study_and_data()
    began = time.perf_counter()
    ready = bm.compile(study, data, PRIORS, **OPTIONS)
    took = time.perf_counter() - began
    density = ready.graph.bind(ready.model, 0)
    function, table = density.native()
    return {"compile": took, **probe(native(function.address, table.ctypes.data), density.size)}


def bayesmig_sample(folder, quick):
    import bayesmig as bm

    study, data = study_and_data()
    began = time.perf_counter()
    bm.compile(study, data, PRIORS, **OPTIONS)
    took = time.perf_counter() - began
    size = {"draws": 100, "tune": 300} if quick else {}
    fit = bm.fit(study, data, PRIORS, **OPTIONS, progress=False, **size)
    stats = fit["sample_stats"]
    return {
        "compile": took,
        "sampler": "nutpie, low-rank",
        "size": [fit.attrs["chains"], fit.attrs["tune"], fit.attrs["draws"]],
        "seconds": fit.attrs["seconds_sample"],
        "steps": float(stats["n_steps"].mean()),
        "divergences": int(stats["diverging"].sum()),
        **summary(fit["estimands"].to_dataset()),
    }


# --- plain PyMC --------------------------------------------------------------------------


def plain_model():
    """Build the paper's model year by year and respondent by respondent."""
    import pymc as pm
    import pytensor
    import pytensor.tensor as pt

    study, data = study_and_data()
    priors, known, table = numbers_of_priors(study), covariates(data), respondents(data)
    years = known["years"]
    lags = np.arange(years)[:, None] - np.arange(years)[None]  # (year, departure)

    def parameter(name, **shape):
        family, numbers = priors[name]
        return getattr(pm, family)(name, **numbers, **shape)

    def departures(name):
        trend, step = parameter(f"{name}_trend", shape=2), parameter(f"{name}_step")
        noise = pm.Normal(f"{name}_noise", shape=years - 1)
        walk = pt.concatenate([pt.zeros(1), pt.cumsum(noise)])
        return pm.math.softmax(known["powers"] @ trend + step * (walk - walk.mean()))

    def sojourns(name):
        long, slope = parameter(f"{name}_long"), parameter(f"{name}_slope")
        step = parameter(f"{name}_step")
        noise = pm.Normal(f"{name}_noise", shape=SINGLE_YEARS - 1)
        walk = pt.concatenate([pt.zeros(1), pt.cumsum((step * noise - slope) * known["log_steps"])])
        rest = years - SINGLE_YEARS
        return pt.concatenate([(1 - long) * pm.math.softmax(walk), pt.repeat(long / rest, rest)])

    def year(rookies, rho, ends, t, solitary_home, left, carried, active, retired, active_trips,
             retired_trips, solitary, solitary_stay, circular_stay, q):  # fmt: skip
        again = rho * active
        left = pt.set_subtensor(left[t], rookies + again)
        carried = pt.set_subtensor(carried[t], rookies + again + rho * active_trips)
        ended = pt.switch(ends >= 0, circular_stay[ends], 0)
        returned, trips_returned = (left * ended).sum(), (carried * ended).sum()
        solitary_returned = (solitary * pt.switch(ends >= 0, solitary_stay[ends], 0)).sum()
        return (
            solitary_home + solitary_returned,
            left,
            carried,
            active - again + (1 - q) * returned,
            retired + q * returned,
            (1 - rho) * active_trips + (1 - q) * trips_returned,
            retired_trips + q * trips_returned,
        )

    with pm.Model() as model:
        phi, q = parameter("solitary_share"), parameter("retirement_prob")
        solitary = phi * departures("solitary_departures")
        solitary_stay, circular_stay = sojourns("solitary_sojourn"), sojourns("circular_sojourn")
        rookies = (1 - phi) * departures("rookie_departures")
        start, step = parameter("repeat_start"), parameter("repeat_step")
        noise = pm.Normal("repeat_noise", shape=len(KNOTS))
        walk = pt.cumsum(step * np.sqrt(known["knot_steps"]) * noise)
        logit = known["knot_weights"] @ (start + pt.concatenate([pt.zeros(1), walk]))
        rho = pt.set_subtensor(pm.math.invlogit(logit)[0], 0.0)

        none, zero = pt.zeros(years), pt.zeros(())
        solitary_home, left, _, active, retired, active_trips, retired_trips = pytensor.scan(
            year,
            sequences=[rookies, rho, pt.as_tensor(lags), pt.arange(years)],
            outputs_info=[zero, none, none, zero, zero, zero, zero],
            non_sequences=[solitary, solitary_stay, circular_stay, q],
            return_updates=False,
        )
        home = solitary_home + active + retired
        trips = (solitary_home + active_trips + retired_trips) / home
        stayed = pt.cumprod(1 - rho)

        t, d, j = (table[name].to_numpy() for name in ("survey", "departure", "sojourn_years"))
        stays = q + (1 - q) * stayed[t] / stayed[d + j - 1]
        single = solitary[d] * solitary_stay[j - 1] + rookies[d] * circular_stay[j - 1] * stays
        repeat = (left[-1] - rookies)[d] * circular_stay[j - 1] * stays
        chance = pt.switch(table["repeat"].to_numpy(), repeat, single) / home[t]
        pm.Potential("answers", pt.log(chance).sum())
        told = table.groupby("survey")["trips"].agg(["mean", "sem"])
        pm.Normal("trips", trips[told.index.to_numpy()], told["sem"], observed=told["mean"])
    return model


def plain_fit(**size):
    """Return the model, its fit by `pm.sample` and the seconds that came before sampling."""
    import pymc as pm

    began = time.perf_counter()
    with plain_model() as model:
        fit = pm.sample(
            random_seed=1,
            progressbar=False,
            quiet=True,
            compute_convergence_checks=False,
            **size,
        )
    took = time.perf_counter() - began
    return model, fit, took - float(fit["posterior"].attrs["sampling_time"])


def plain_compile(folder):
    import nutpie

    kept, compile_model = [], nutpie.compile_pymc_model

    def compile_and_keep(*args, **settings):
        kept.append(compile_model(*args, **settings))
        return kept[-1]

    nutpie.compile_pymc_model = compile_and_keep  # pm.sample does not hand out what it compiles
    _, _, took = plain_fit(chains=1, tune=1, draws=1)
    (compiled,) = kept
    density = native(compiled.compiled_logp_func.address, compiled.user_data.ctypes.data)
    return {"compile": took, **probe(density, compiled.n_dim)}


def plain_sample(folder, quick):
    size = {"draws": 100, "tune": 300} if quick else {}
    model, fit, took = plain_fit(chains=PEER_CHAINS, **size)
    posterior, stats = fit["posterior"], fit["sample_stats"]
    return {
        "compile": took,
        "sampler": posterior.attrs["inference_library"],
        "size": [PEER_CHAINS, size.get("tune", 1000), posterior.sizes["draw"]],
        "seconds": float(posterior.attrs["sampling_time"]),
        "steps": float(stats["n_steps"].mean()),
        "divergences": int(stats["diverging"].sum()),
        **from_parameters({rv.name: posterior[rv.name].values for rv in model.free_RVs}),
    }


# --- Stan --------------------------------------------------------------------------------


def stan_missing():
    """Say why Stan cannot run here; empty if it can."""
    if not shutil.which("Rscript"):
        return "no R (Rscript) on this machine"
    try_it = ["Rscript", "-e", "quit(status = !requireNamespace('rstan', quietly = TRUE))"]
    if subprocess.run(try_it, capture_output=True, check=False).returncode:
        return "R has no package rstan (Debian: r-cran-rstan, r-cran-bh and libboost-dev)"
    return "" if shutil.which("g++") or shutil.which("clang++") else "no C++ compiler"


def stan_data():
    """What snapshot.stan reads: distinct answers with their counts, years count from 1."""
    study, data = study_and_data()
    table, known = respondents(data), covariates(data)
    told = table.groupby("survey")["trips"].agg(["mean", "sem"])
    given = {
        **known,
        "single_years": SINGLE_YEARS,
        "knots": len(KNOTS),
        "respondents": table["survey"].value_counts().reindex(range(known["years"]), fill_value=0),
        "surveys": len(told),
        "trips_survey": told.index + 1,
        "trips_mean": told["mean"],
        "trips_error": told["sem"],
    }
    for kind, repeat in (("single", False), ("repeat", True)):
        answers = ["survey", "departure", "sojourn_years"]
        cells = table[table["repeat"] == repeat].groupby(answers).size().reset_index(name="count")
        given |= {
            f"{kind}s": len(cells),
            f"{kind}_survey": cells["survey"] + 1,
            f"{kind}_departure": cells["departure"] + 1,
            f"{kind}_sojourn": cells["sojourn_years"],
            f"{kind}_count": cells["count"],
        }
    for name, (_, numbers) in numbers_of_priors(study).items():
        given |= {f"{name}_{key}": value for key, value in numbers.items()}
    return given


def as_r(given):
    """Write arrays as assignments that R sources."""
    lines = []
    for name, value in given.items():
        array = np.asarray(value)
        text = ", ".join(repr(number) for number in array.ravel(order="F").tolist())
        if array.ndim == 2:
            text = f"structure(c({text}), dim = c({array.shape[0]}, {array.shape[1]}))"
        lines.append(f"{name} <- c({text})" if array.ndim == 1 else f"{name} <- {text}")
    return "\n".join(lines) + "\n"


def parameters():
    """Names and shapes of the free parameters, in the order in which all contenders have them."""
    study, data = study_and_data()
    model = study.build(data, PRIORS, **OPTIONS)
    start = model.initial_point()
    pairs = zip(model.free_RVs, model.value_vars, strict=True)
    return {rv.name: np.shape(start[value.name]) for rv, value in pairs}


def rscript(folder, stage, *words):
    # with -march=native as well, rstan as packaged crashes: Eigen then aligns arrays otherwise
    flags = folder / "Makevars"
    flags.write_text("CXX14FLAGS = -O3\n", encoding="utf-8")
    command = ["Rscript", HERE / "snapshot_peer.R", stage, folder, *words]
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "R_MAKEVARS_USER": str(flags)},
    )
    if done.returncode:
        raise SystemExit(f"Rscript ended with {done.returncode}:\n{done.stderr[-2000:]}")


def stan_compile(folder):
    size = sum(int(np.prod(shape)) for shape in parameters().values())
    (folder / "data.R").write_text(as_r(stan_data()), encoding="utf-8")
    (folder / "points.R").write_text(as_r({"points": points(size)}), encoding="utf-8")
    rscript(folder, "compile", HERE / "snapshot.stan")
    took, one = np.fromfile(folder / "seconds.bin")
    return {
        "compile": took,
        "values": np.fromfile(folder / "values.bin").tolist(),
        "slopes": np.fromfile(folder / "slopes.bin").reshape(POINTS, size).tolist(),
        "gradient_ms": 1e3 * one,
    }


def stan_sample(folder, quick):
    tune, draws = (300, 100) if quick else (1000, 1000)
    rscript(folder, "sample", HERE / "snapshot.stan", PEER_CHAINS, tune, draws)
    took, seconds, steps, divergences = np.fromfile(folder / "run.bin")
    flat = np.fromfile(folder / "draws.bin").reshape((draws, PEER_CHAINS, -1), order="F")
    shapes = parameters()
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes.values()])[:-1]
    parts = np.split(flat.transpose(1, 0, 2), ends, axis=-1)
    named = zip(shapes.items(), parts, strict=True)
    return {
        "compile": took,
        "sampler": "rstan",
        "size": [PEER_CHAINS, tune, draws],
        "seconds": seconds,
        "steps": steps,
        "divergences": int(divergences),
        **from_parameters({n: x.reshape(PEER_CHAINS, draws, *shape) for (n, shape), x in named}),
    }


# --- the run -----------------------------------------------------------------------------

CONTENDERS = {
    "bayesmig": (bayesmig_compile, bayesmig_sample),
    "plain": (plain_compile, plain_sample),
    "stan": (stan_compile, stan_sample),
}


def child(stage, contender, folder, *more):
    """Run one stage of one contender in a process of its own, with its own cache."""
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={folder / 'cache'}".strip(",")
    command = [sys.executable, __file__, "--stage", stage, contender, folder, *more]
    print(f"{contender}: {stage}", file=sys.stderr)
    done = subprocess.run(
        [str(word) for word in command],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        env={**os.environ, "PYTENSOR_FLAGS": flags},
    )
    if done.returncode:
        raise SystemExit(f"{contender}, {stage}: ended with {done.returncode}")
    return json.loads(done.stdout.splitlines()[-1])


def disagreement(cold):
    """Largest difference from bayesmig of log densities (less a constant) and of gradients."""
    ours = cold["bayesmig"]
    found = {}
    for name, other in cold.items():
        gap = np.subtract(other["values"], ours["values"])
        slopes = np.abs(np.subtract(other["slopes"], ours["slopes"]))
        scale = np.maximum(1, np.abs(ours["slopes"]))
        found[name] = float(np.ptp(gap)), float(np.max(slopes / scale))
    return found


def show(cold, warm, gaps):
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table

    table = Table(box=SIMPLE_HEAD, title="Snapshot model, 3,480 synthetic respondents, 2 cores")
    table.add_column("")
    for name in warm:
        table.add_column(name, justify="right")

    def row(label, cell, last=False):
        table.add_row(label, *(cell(name) for name in warm), end_section=last)

    def worst(name):
        return min(warm[name]["ess"], key=warm[name]["ess"].get)

    def per_thousand(name):
        return 1000 * warm[name]["seconds"] / warm[name]["ess"][worst(name)]

    row("log density differs by", lambda n: f"{gaps[n][0]:.0e}" if gaps[n][0] else "-")
    row("gradient differs by", lambda n: f"{gaps[n][1]:.0e}" if gaps[n][1] else "-", True)
    row("compile, cold (s)", lambda n: f"{cold[n]['compile']:.1f}")
    row("compile, warm (s)", lambda n: f"{warm[n]['compile']:.1f}")
    row("one gradient (ms)", lambda n: f"{cold[n]['gradient_ms']:.3f}", True)
    row("sampler", lambda n: warm[n]["sampler"])
    row("chains x (tune + draws)", lambda n: "{} x ({} + {})".format(*warm[n]["size"]))
    row("divergences", lambda n: str(warm[n]["divergences"]))
    row("worst R-hat", lambda n: f"{max(warm[n]['rhat'].values()):.3f}")
    row("sampling (s)", lambda n: f"{warm[n]['seconds']:.1f}")
    row("leapfrog steps a draw", lambda n: f"{warm[n]['steps']:.0f}")
    row("worst bulk ESS", lambda n: f"{warm[n]['ess'][worst(n)]:.0f}")
    row("of", worst)
    row("s per 1,000 effective draws", lambda n: f"{per_thousand(n):.1f}", True)
    for quantity in HEADLINE:
        row(quantity, lambda n, q=quantity: f"{warm[n]['mean'][q]:.3f} ± {warm[n]['error'][q]:.3f}")
    table.caption = "± Monte Carlo error; sampling includes tuning; Stan's gradient is timed from R"
    Console(width=110).print(table)


def furthest(warm):
    """Largest distance of two contenders' means, in Monte Carlo errors, and where."""
    ours, found = warm["bayesmig"], (0.0, "", "")
    for name, other in warm.items():
        for quantity in HEADLINE:
            gap = abs(other["mean"][quantity] - ours["mean"][quantity])
            z = gap / np.hypot(other["error"][quantity], ours["error"][quantity])
            found = max(found, (float(z), quantity, name))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few draws: figures are not for print")
    parser.add_argument("--skip", action="append", default=[], choices=("plain", "stan"))
    parser.add_argument("--stage", nargs=3, help=argparse.SUPPRESS)  # what `child` runs
    given = parser.parse_args()
    if given.stage:
        stage, contender, folder = given.stage
        compiling, sampling = CONTENDERS[contender]
        warnings.simplefilter("ignore")  # convergence is in the table
        folder = Path(folder)
        found = compiling(folder) if stage == "compile" else sampling(folder, given.quick)
        print(json.dumps(found))
        return
    names = [name for name in CONTENDERS if name not in given.skip]
    if "stan" in names and (reason := stan_missing()):
        print(f"stan skipped: {reason}")
        names.remove("stan")
    with tempfile.TemporaryDirectory() as made:
        folders = {name: Path(made) / name for name in names}
        for folder in folders.values():
            folder.mkdir()
        cold = {name: child("compile", name, folder) for name, folder in folders.items()}
        gaps = disagreement(cold)
        for name, (density, slope) in gaps.items():
            print(f"{name}: log density at {POINTS} points {density:.1e}, gradient {slope:.1e} off")
        if max(density for density, _ in gaps.values()) > TOLERANCE:
            raise SystemExit("the contenders are not the same model")
        more = ["--quick"] if given.quick else []
        warm = {name: child("sample", name, folder, *more) for name, folder in folders.items()}
    show(cold, warm, gaps)
    z, quantity, name = furthest(warm)
    if name:
        print(f"means furthest apart: {quantity}, bayesmig and {name}, {z:.1f} Monte Carlo errors")
    ours = cold["bayesmig"]["gradient_ms"]
    print(f"gradient {ours:.3f} ms: {'within' if ours <= GOAL_MS else 'ABOVE'} {GOAL_MS} ms")


if __name__ == "__main__":
    main()
