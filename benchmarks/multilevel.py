"""Households in municipalities, and slopes that vary: what they cost, and two peers.

    python benchmarks/multilevel.py [--n 2500] [--municipalities 25] [--only ...]

One twin whose households share effects.  For municipalities alone, with households, and with a
slope that varies: seconds to compile, milliseconds of a gradient, and how much a gradient is worth
(worst bulk ESS of coefficients, intercepts and spreads for 1,000 of them).  Then the model that
Bambi's categorical family and brms have, both columns of groups with independent effects on each
logit: by this graph and by them.  Every run is a process of its own, from an empty cache of
compiled code; chains one after the other.  A peer that is not installed is left out with a line
that says so.
"""

import argparse
import json
import time
import warnings
from importlib.util import find_spec

import numpy as np
from multinomial_logit import (
    OPTIONS,
    PRIORS,
    apart,
    best_times,
    missing_in_r,
    native_gradient,
    run_r,
)

FORMULA = (
    "network + household_migrations + baseline_aspirations + male + age + married + log_expenditure"
)
BOTH = ["household", "municipality"]
CASES = {
    "municipalities": {},
    "municipalities, a slope": {"varying": "male"},
    "households, too": {"group": BOTH},
    "households, too, and a slope": {"group": BOTH, "varying": "male | municipality"},
    "municipalities, as the peers": OPTIONS,
    "households, too, as the peers": {"group": BOTH, **OPTIONS},
}
NUMBERS = ("n", "municipalities", "draws", "tune", "chains", "seed")
BRMS = """
suppressMessages(library(brms))
arguments <- commandArgs(TRUE)
folder <- arguments[1]
numbers <- as.numeric(arguments[2:5])
d <- read.csv(file.path(folder, "people.csv"))
d$y <- factor(d$y)
slopes <- grep("^x", names(d), value = TRUE)
model <- as.formula(paste("y ~", paste(slopes, collapse = " + "),
                          "+ (1 | household) + (1 | municipality)"))
priors <- empty_prior()
for (part in paste0("mu", levels(d$y)[-1])) priors <- c(
  priors, set_prior(SLOPE, class = "b", dpar = part),
  set_prior(INTERCEPT, class = "Intercept", dpar = part),
  set_prior(SCALE, class = "sd", dpar = part))
began <- proc.time()[3]
# Debian keeps Boost's headers with the system's, not in R's package of them
boost <- if (nzchar(system.file("include", package = "BH"))) NULL else "/usr/include"
program <- brm(model, d, family = categorical(), prior = priors, chains = 0, silent = 2,
               stan_model_args = list(boost_lib = boost))
compiled <- proc.time()[3]
fit <- update(program, recompile = FALSE, chains = numbers[3], iter = numbers[1] + numbers[2],
              warmup = numbers[2], cores = 1, seed = numbers[4], silent = 2, refresh = 0)
sampled <- proc.time()[3]
draws <- rstan::extract(fit$fit, permuted = FALSE)
kept <- grep("^(b_|sd_)", dimnames(draws)[[3]])
out <- data.frame(matrix(draws[, , kept], nrow = dim(draws)[1] * dim(draws)[2]))
names(out) <- dimnames(draws)[[3]][kept]
write.csv(out, file.path(folder, "draws.csv"), row.names = FALSE)
stats <- rstan::get_sampler_params(fit$fit, FALSE)
said <- '{"compile_s": %.1f, "sample_s": %.1f, "divergences": %d, "gradients": %d}\\n'
cat(sprintf(said, compiled - began, sampled - compiled,
            sum(sapply(stats, function(p) sum(p[, "divergent__"]))),
            sum(sapply(stats, function(p) sum(p[, "n_leapfrog__"])))))
"""


def twin(how):
    import bayesmig as bm

    study = bm.load_study("social_capital")
    sizes = {"n": how.n, "municipalities": how.municipalities}
    return study, study.simulate(seed=how.seed, household_sd=1.0, **sizes)


def people(how):
    """The twin as a table: columns of the graph, both columns of groups, and outcomes."""
    import pandas as pd

    from bayesmig.models.social_capital.design import design

    data = twin(how)[1]
    table = design(
        data, formula=FORMULA, group=BOTH, outcome="outcome", reference="no_aspirations",
        collapse=False,
    )  # fmt: skip
    frame = pd.DataFrame(table.column, columns=[f"x{j}" for j in range(table.column.shape[1])])
    for level in table.levels:
        frame[level.name] = [str(g) for g in np.array(level.groups)[level.of_cell[table.group]]]
    return frame.assign(y=np.array(["0none", "aspires", "migrated"])[table.count.argmax(1)])


def worth(arrays, gradients, sds):
    """Worst bulk ESS, and for 1,000 gradients; arrays (chain, draw, ...); means of two spreads."""
    import arviz as az

    worst = min(float(np.nanmin(az.ess(az.convert_to_dataset({"v": a}))["v"])) for a in arrays)
    return {
        "ess": round(worst),
        "ess_1000_gradients": round(1000 * worst / gradients, 2),
        "household_sd": [round(float(value), 2) for value in sds],
    }


def run(name, how):
    """Fit one case."""
    import bayesmig as bm

    study, data = twin(how)
    options = {"formula": FORMULA, **CASES[name]}
    sizes = {"draws": how.draws, "tune": how.tune, "chains": how.chains}
    fit = bm.fit(
        study, data, seed=how.seed, progress=False, sampling={"cores": 1}, **sizes, **options
    )
    ready = bm.compile(study, data, **options)
    stats = fit["sample_stats"].to_dataset()
    found = fit["estimands"].to_dataset()
    names = ("coefficient", "intercept", "group_sd", "slope_sd")
    sds = []
    if "grouping" in found["group_sd"].dims:
        sds = found["group_sd"].sel(grouping="household").mean(("chain", "draw")).values
    (gradient,) = best_times({name: native_gradient(ready.graph, ready.model)}).values()
    return {
        "compile_s": round(fit.attrs["seconds_compile"], 1),
        "sample_s": round(fit.attrs["seconds_sample"], 1),
        "gradient_ms": round(gradient, 3),
        "steps": round(float(stats["n_steps"].mean()), 1),
        "divergences": int(stats["diverging"].sum()),
        **worth([found[n].values for n in names if n in found], int(stats["n_steps"].sum()), sds),
    }


def bambi_model(how):
    import bambi as bmb

    frame = people(how)
    slopes = [name for name in frame if name.startswith("x")]
    scale = bmb.Prior("LogNormal", mu=PRIORS["scale"][0], sigma=PRIORS["scale"][1])
    mu, sigma = PRIORS["intercept"]
    priors = {name: bmb.Prior("Normal", mu=0, sigma=PRIORS["slope"]) for name in slopes}
    priors |= {f"1|{name}": bmb.Prior("Normal", mu=0, sigma=scale) for name in BOTH}
    priors["Intercept"] = bmb.Prior("Normal", mu=mu, sigma=sigma)
    groups = " + ".join(f"(1|{name})" for name in BOTH)
    model = bmb.Model(
        f"y ~ {' + '.join(slopes)} + {groups}",
        frame.astype(dict.fromkeys(["y", *BOTH], "category")),
        family="categorical",
        priors=priors,
    )
    model.build()
    return model.backend.model, ["Intercept", *slopes, *(f"1|{name}_sigma" for name in BOTH)]


def run_bambi(how):
    """Bambi's graph of both columns of groups, by nutpie as it comes."""
    import nutpie

    from bayesmig import compiled

    model, names = bambi_model(how)
    began = time.perf_counter()
    ready = nutpie.compile_pymc_model(model)
    ended = time.perf_counter()
    drawn = nutpie.sample(
        ready, draws=how.draws, tune=how.tune, chains=how.chains, cores=1, seed=how.seed,
        progress_bar=False,
    )  # fmt: skip
    sampled = time.perf_counter()
    graph, _ = compiled.compile_graph(model)
    (gradient,) = best_times({"bambi": native_gradient(graph, model)}).values()
    stats, posterior = drawn.sample_stats, drawn.posterior
    return {
        "compile_s": round(ended - began, 1),
        "sample_s": round(sampled - ended, 1),
        "gradient_ms": round(gradient, 3),
        "steps": round(float(stats["n_steps"].mean()), 1),
        "divergences": int(stats["diverging"].sum()),
        **worth(
            [posterior[n].values for n in names],
            int(stats["n_steps"].sum()),
            posterior["1|household_sigma"].mean(("chain", "draw")).values.ravel(),
        ),
    }


def run_brms(how):
    """brms's program by rstan; its steps are all of the length that NUTS chooses."""
    mu, sigma = PRIORS["intercept"]
    script = BRMS.replace("SLOPE", f'"normal(0, {PRIORS["slope"]})"')
    script = script.replace("INTERCEPT", f'"normal({mu}, {sigma})"')
    script = script.replace("SCALE", '"lognormal({}, {})"'.format(*PRIORS["scale"]))
    frame = people(how)
    said, draws = run_r(script, {"people.csv": frame}, how.draws, how.tune, how.chains, how.seed)
    gradients = said.pop("gradients")
    households = draws.filter(regex="^sd_household").mean().to_numpy()
    # R's arrays run through the draws first, then the chains
    shaped = draws.to_numpy().reshape(how.chains, how.draws, -1)
    return {
        **said,
        "steps": round(gradients / shaped[..., 0].size, 1),
        **worth([shaped], gradients, households),
    }


PEERS = {"bambi": run_bambi, "brms": run_brms}


def missing(name):
    """Say why a case cannot run, or nothing."""
    if name == "bambi" and find_spec("bambi") is None:
        return "bambi is not installed (pip install bambi)"
    return missing_in_r("brms") if name == "brms" else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = {"n": 2500, "municipalities": 25, "draws": 1000, "tune": 1000, "chains": 2}
    for name, value in {**defaults, "seed": 1}.items():
        parser.add_argument(f"--{name}", type=int, default=value)
    every = [*CASES, *PEERS]
    parser.add_argument("--only", nargs="*", choices=every, default=every)
    parser.add_argument("--one", choices=every, help=argparse.SUPPRESS)
    how = parser.parse_args()
    if how.one:
        warnings.simplefilter("ignore")
        print(json.dumps(PEERS[how.one](how) if how.one in PEERS else run(how.one, how)))
        return
    for name in how.only:
        why = missing(name)
        found = (
            {"left out": why}
            if why
            else apart(__file__, name, **{number: getattr(how, number) for number in NUMBERS})
        )
        print(json.dumps({"case": name, **found}), flush=True)


if __name__ == "__main__":
    main()
