"""The multinomial logit of 10,012 people against its peers: one run, same data, same priors.

    python benchmarks/multinomial_logit.py [--draws 1000] [--tune 1000] [--chains 2] [--only ...]

Gradient: this graph, ``pm.Categorical(logit_p=...)`` written plainly, and a fused numba
loop written by hand for these data.  Sampling: this graph, the plain one, Bambi's
categorical family, NumPyro, the plain graph by nutpie through JAX, and a Stan program by rstan;
chains one after the other or, NumPyro's, at once on one core.  A peer that
is not installed is left out with a line that says so.  Compiling is timed apart, from an
empty cache of compiled code.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path

import numpy as np

PRIORS = {"slope": 2.0, "intercept": (-2.0, 3.0), "scale": (-0.7, 0.7)}  # the set "fixed"
OPTIONS = {"priors": "fixed", "intercepts": "independent_contrasts"}  # what the peers can write
PEERS = (
    *("gradients", "bayesmig", "bayesmig, its defaults", "pm.Categorical", "bambi"),
    *("numpyro", "nutpie, JAX", "rstan"),
)
STAN = """
data {
  int<lower=1> N; int<lower=1> P; int<lower=1> G; int<lower=2> K;
  matrix[N, P] x; int<lower=1, upper=K> y[N]; int<lower=1, upper=G> g[N];
}
parameters {
  vector[K - 1] a; matrix[P, K - 1] b; vector<lower=0>[K - 1] s; matrix[G, K - 1] z;
}
model {
  matrix[N, K - 1] eta = x * b;
  a ~ normal(-2, 3);
  to_vector(b) ~ normal(0, 2);
  s ~ lognormal(-0.7, 0.7);
  to_vector(z) ~ std_normal();
  for (n in 1:N) {
    vector[K] full;
    full[1] = 0;
    for (k in 2:K) full[k] = eta[n, k - 1] + a[k - 1] + s[k - 1] * z[g[n], k - 1];
    y[n] ~ categorical_logit(full);
  }
}
"""
R = """
suppressMessages(library(rstan))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
numbers <- as.numeric(arguments[2:4])
d <- read.csv(file.path(folder, "people.csv"))
x <- as.matrix(d[, grep("^x", names(d))])
data <- list(N = nrow(d), P = ncol(x), G = max(d$g), K = max(d$y), x = x, y = d$y, g = d$g)
began <- proc.time()[3]
# Debian keeps Boost's headers with the system's, not in R's package of them
boost <- if (nzchar(system.file("include", package = "BH"))) NULL else "/usr/include"
program <- stan_model(file.path(folder, "logit.stan"), boost_lib = boost)
compiled <- proc.time()[3]
fit <- sampling(program, data, chains = numbers[3], iter = numbers[1] + numbers[2],
                warmup = numbers[2], cores = 1, refresh = 0, seed = 1)
sampled <- proc.time()[3]
draws <- extract(fit, pars = c("a", "b", "s"), permuted = FALSE)
out <- data.frame(matrix(draws, nrow = dim(draws)[1] * dim(draws)[2]))
write.csv(out, file.path(folder, "draws.csv"), row.names = FALSE)
divergent <- sum(sapply(get_sampler_params(fit, FALSE), function(p) sum(p[, "divergent__"])))
cat(sprintf("{\\"compile\\": %f, \\"sample\\": %f, \\"divergences\\": %d}\\n",
            compiled - began, sampled - compiled, divergent))
"""


def people():
    """The twin as arrays: columns of the graph, groups, and outcomes with the reference 0."""
    import bayesmig as bm
    from bayesmig.models.social_capital.design import design

    study = bm.load_study("social_capital")
    data = study.example()
    options = study.options
    names = ("formula", "group", "outcome", "reference", "weights", "strata")
    table = design(data, **{n: options[n] for n in names}, collapse=False)
    return study, data, table.column, table.group, table.count.argmax(1), len(table.groups)


def plain_model(x, group, y, groups):
    """The model as one would write it down in PyMC."""
    import pymc as pm

    with pm.Model() as model:
        a = pm.Normal("a", *PRIORS["intercept"], shape=2)
        b = pm.Normal("b", 0, PRIORS["slope"], shape=(x.shape[1], 2))
        s = pm.LogNormal("s", *PRIORS["scale"], shape=2)
        z = pm.Normal("z", 0, 1, shape=(groups, 2))
        eta = a + pm.math.dot(x, b) + (s * z)[group]
        logit = pm.math.concatenate([np.zeros((len(y), 1)), eta], axis=1)
        pm.Categorical("y", logit_p=logit, observed=y)
    return model


def hand_written(x, group, y, groups):
    """A fused loop for value and gradient of two free outcomes, and nothing else."""
    import numba

    @numba.njit(fastmath=True)
    def loop(b1, b2, v, x, group, y):
        value, g1, g2, gv = 0.0, np.zeros(len(b1)), np.zeros(len(b2)), np.zeros(v.shape)
        for i in range(len(y)):
            g = group[i]
            e1, e2 = v[g, 0], v[g, 1]
            for p in range(len(b1)):
                e1 += b1[p] * x[i, p]
                e2 += b2[p] * x[i, p]
            o1, o2 = np.exp(e1), np.exp(e2)
            q = 1 / (1 + o1 + o2)
            value += np.log(q)
            r1, r2 = -o1 * q, -o2 * q
            if y[i] == 1:
                value, r1 = value + e1, r1 + 1
            elif y[i] == 2:
                value, r2 = value + e2, r2 + 1
            gv[g, 0] += r1
            gv[g, 1] += r2
            for p in range(len(b1)):
                g1[p] += r1 * x[i, p]
                g2[p] += r2 * x[i, p]
        return value, g1, g2, gv

    b1, b2, v = np.zeros(x.shape[1]), np.zeros(x.shape[1]), np.full((groups, 2), -3.0)
    return lambda: loop(b1, b2, v, x, group, y)


def native_gradient(graph, model):
    """The compiled gradient of a model, called as nutpie calls it."""
    bound = graph.bind(model, 0)
    function, table = bound.native()
    point = np.concatenate([p.ravel() for p in bound.points])
    gradient, value = np.zeros(bound.size), np.zeros(1)
    at = [array.ctypes.data for array in (point, gradient, value, table)]

    def call(keep=(bound, table, point, gradient, value)):
        return function.ctypes(bound.size, *at)

    return call


def best_times(calls, repeats=40, each=25):
    """Milliseconds of each call: the best of many, taken in turn so that all meet one machine."""
    best = dict.fromkeys(calls, np.inf)
    for call in calls.values():
        call()
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            for _ in range(each):
                call()
            best[name] = min(best[name], (time.perf_counter() - began) / each * 1e3)
    return best


def gradients(_):
    import bayesmig as bm
    from bayesmig import compiled

    study, data, x, group, y, groups = people()
    ready = bm.compile(study, data, **OPTIONS)
    plain = plain_model(x, group, y, groups)
    graph, _ = compiled.compile_graph(plain)
    return best_times(
        {
            "this graph": native_gradient(ready.graph, ready.model),
            "pm.Categorical, written plainly": native_gradient(graph, plain),
            "numba loop by hand": hand_written(x, group, y, groups),
        }
    )


def summary(draws, compile_, sample, divergences, steps=None):
    """Worst bulk ESS over intercepts, slopes and scales: arrays (chain, draw, ...)."""
    import arviz as az

    worst = min(
        float(az.ess(az.convert_to_dataset({"v": array}), method="bulk")["v"].min())
        for array in draws
    )
    return {
        "compile": compile_, "sample": sample, "ess": worst, "ess_second": worst / sample,
        "divergences": divergences, "steps": steps,
    }  # fmt: skip


def nutpie_run(model, names, how, **compiling):
    """Compile and sample a PyMC model with nutpie as it comes."""
    import nutpie

    began = time.perf_counter()
    ready = nutpie.compile_pymc_model(model, **compiling)
    compiled = time.perf_counter()
    found = nutpie.sample(
        ready, draws=how.draws, tune=how.tune, chains=how.chains, cores=1, seed=1,
        progress_bar=False,
    )  # fmt: skip
    sampled = time.perf_counter()
    posterior = found.posterior
    stats = found.sample_stats
    return summary(
        [posterior[name].values for name in names if name in posterior],
        compiled - began,
        sampled - compiled,
        int(stats["diverging"].sum()),
        float(stats["n_steps"].mean()),
    )


def run_bayesmig(how, defaults=False):
    import bayesmig as bm

    study, data, *_ = people()
    sizes = {} if defaults else {"draws": how.draws, "tune": how.tune}
    fit = bm.fit(
        study, data, chains=how.chains, progress=False, sampling={"cores": 1}, collapse=False,
        **sizes, **OPTIONS,
    )  # fmt: skip
    posterior, stats = fit["posterior"], fit["sample_stats"]
    return summary(
        [posterior[name].values for name in ("coefficient", "group_scale")],
        fit.attrs["seconds_build"] + fit.attrs["seconds_compile"],
        fit.attrs["seconds_sample"],
        int(stats["diverging"].sum()),
        float(stats["n_steps"].mean()),
    )


def run_categorical(how):
    _, _, x, group, y, groups = people()
    return nutpie_run(plain_model(x, group, y, groups), ("a", "b", "s"), how)


def run_bambi(how):
    import bambi
    import pandas as pd

    _, _, x, group, y, _ = people()
    table = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])])
    table["y"] = pd.Categorical(np.array(["none", "aspires", "migrated"])[y],
                                categories=["none", "aspires", "migrated"])  # fmt: skip
    table["g"] = pd.Categorical(group.astype(str))
    slopes = [f"x{j}" for j in range(x.shape[1])]
    scale = bambi.Prior("LogNormal", mu=PRIORS["scale"][0], sigma=PRIORS["scale"][1])
    mu, sigma = PRIORS["intercept"]
    priors = {name: bambi.Prior("Normal", mu=0, sigma=PRIORS["slope"]) for name in slopes}
    priors |= {
        "Intercept": bambi.Prior("Normal", mu=mu, sigma=sigma),
        "1|g": bambi.Prior("Normal", mu=0, sigma=scale),
    }
    model = bambi.Model(
        f"y ~ {' + '.join(slopes)} + (1|g)", table, family="categorical", priors=priors
    )
    model.build()
    return nutpie_run(model.backend.model, ("Intercept", "1|g_sigma", *slopes), how)


def run_numpyro(how):
    """Chains vectorised; what XLA compiles, it compiles while it warms up."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # a core, as the others have
    import jax
    import jax.numpy as jnp
    import numpyro
    import numpyro.distributions as dist
    from numpyro.infer import MCMC, NUTS

    numpyro.enable_x64()
    _, _, x, group, y, groups = people()

    def model():
        a = numpyro.sample("a", dist.Normal(*PRIORS["intercept"]).expand([2]))
        b = numpyro.sample("b", dist.Normal(0, PRIORS["slope"]).expand([x.shape[1], 2]))
        s = numpyro.sample("s", dist.LogNormal(*PRIORS["scale"]).expand([2]))
        z = numpyro.sample("z", dist.Normal(0, 1).expand([groups, 2]))
        eta = a + x @ b + (s * z)[group]
        logits = jnp.concatenate([jnp.zeros((len(y), 1)), eta], axis=1)
        numpyro.sample("y", dist.Categorical(logits=logits), obs=y)

    mcmc = MCMC(
        NUTS(model), num_warmup=how.tune, num_samples=how.draws, num_chains=how.chains,
        chain_method="vectorized", progress_bar=False,
    )  # fmt: skip
    seconds = []
    for _ in range(2):  # the second time it is compiled
        began = time.perf_counter()
        mcmc.run(jax.random.key(1), extra_fields=("num_steps", "diverging"))
        jax.block_until_ready(mcmc.get_samples())
        seconds.append(time.perf_counter() - began)
    draws, stats = mcmc.get_samples(True), mcmc.get_extra_fields(True)
    return summary(
        [np.asarray(draws[name]) for name in ("a", "b", "s")],
        seconds[0] - seconds[1],
        seconds[1],
        int(stats["diverging"].sum()),
        float(stats["num_steps"].mean()),
    )


def run_jax(how):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    _, _, x, group, y, groups = people()
    model = plain_model(x, group, y, groups)
    return nutpie_run(model, ("a", "b", "s"), how, backend="jax", gradient_backend="jax")


def run_rstan(how):
    import pandas as pd

    _, _, x, group, y, _ = people()
    table = pd.DataFrame(x, columns=[f"x{j}" for j in range(x.shape[1])]).assign(
        g=group + 1, y=y + 1
    )
    said, draws = run_r(
        R, {"people.csv": table, "logit.stan": STAN}, how.draws, how.tune, how.chains
    )
    # R's arrays run through the draws first, then the chains
    shaped = draws.to_numpy().reshape(how.chains, how.draws, -1)
    return summary([shaped], said["compile"], said["sample"], said["divergences"])


def missing(peer):
    """Say why a peer cannot run, or nothing."""
    if peer == "bambi" and find_spec("bambi") is None:
        return "bambi is not installed (pip install bambi)"
    if peer == "numpyro" and find_spec("numpyro") is None:
        return "numpyro is not installed (pip install numpyro)"
    if peer == "nutpie, JAX" and find_spec("jax") is None:
        return "jax is not installed (pip install jax)"
    return missing_in_r("rstan") if peer == "rstan" else ""


def missing_in_r(package):
    """Say why a package of R cannot run, or nothing."""
    if shutil.which("Rscript") is None:
        return "R is not installed"
    asked = subprocess.run(["Rscript", "-e", f"library({package})"], capture_output=True)
    return f"R has no {package} (Debian: apt-get install r-cran-{package})" * bool(asked.returncode)


def run_r(script, tables, *numbers):
    """Run a program of R in a folder of tables and texts; return its last line and its draws."""
    import pandas as pd

    folder = Path(tempfile.mkdtemp())
    try:
        for name, content in tables.items():
            if isinstance(content, str):
                (folder / name).write_text(content)
            else:
                content.to_csv(folder / name, index=False)
        (folder / "run.R").write_text(script)
        done = subprocess.run(
            ["Rscript", folder / "run.R", folder, *map(str, numbers)],
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr[-600:])
        return json.loads(done.stdout.splitlines()[-1]), pd.read_csv(folder / "draws.csv")
    finally:
        shutil.rmtree(folder)


RUNS = {
    "gradients": gradients,
    "bayesmig": run_bayesmig,
    "bayesmig, its defaults": lambda how: run_bayesmig(how, defaults=True),
    "pm.Categorical": run_categorical,
    "bambi": run_bambi,
    "numpyro": run_numpyro,
    "nutpie, JAX": run_jax,
    "rstan": run_rstan,
}


def apart(script, what, **numbers):
    """Run ``script --one what`` in a process of its own, from an empty cache of compiled code."""
    cache = tempfile.mkdtemp()
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={cache}".strip(",")
    command = [sys.executable, script, "--one", what]
    for name, number in numbers.items():
        command += [f"--{name}", str(number)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True,
            env={**os.environ, "PYTENSOR_FLAGS": flags, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
    finally:
        shutil.rmtree(cache)
    if done.returncode:
        sys.exit(f"{what}: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def print_gradients(found):
    hand = found["numba loop by hand"]
    print("one gradient, milliseconds (best of 40 rounds)")
    for name, value in found.items():
        print(f"  {name:34}{value:8.3f}{value / hand:8.2f} x by hand")
    print(flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=1000)
    parser.add_argument("--chains", type=int, default=2)
    parser.add_argument("--only", nargs="*", choices=PEERS, default=PEERS)
    parser.add_argument("--one", choices=RUNS, help=argparse.SUPPRESS)
    how = parser.parse_args()
    if how.one:
        warnings.simplefilter("ignore")
        print(json.dumps(RUNS[how.one](how)))
        return
    if "gradients" in how.only:
        print_gradients(apart(__file__, "gradients"))
    print(f"{how.chains} chains, {how.tune} + {how.draws} iterations, one after the other")
    columns = ("compile s", "sample s", "worst ESS", "ESS / s", "steps", "divergences")
    print(f"  {'':26}" + "".join(f"{column:>12}" for column in columns))
    speed = {}
    for peer in [name for name in how.only if name != "gradients"]:
        why = missing(peer)
        if why:
            print(f"  {peer:26}left out: {why}")
            continue
        one = apart(__file__, peer, draws=how.draws, tune=how.tune, chains=how.chains)
        speed[peer] = one["ess_second"]
        steps = "" if one["steps"] is None else f"{one['steps']:.1f}"
        print(
            f"  {peer:26}{one['compile']:12.1f}{one['sample']:12.1f}{one['ess']:12.0f}"
            f"{one['ess_second']:12.2f}{steps:>12}{one['divergences']:>12}",
            flush=True,
        )
    if "bayesmig" in speed:
        for peer in speed:
            if not peer.startswith("bayesmig"):
                print(
                    f"  ESS a second of bayesmig over {peer}: {speed['bayesmig'] / speed[peer]:.1f}"
                )


if __name__ == "__main__":
    main()
