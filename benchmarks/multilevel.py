"""Households in municipalities, and slopes that vary: what they cost, and a peer.

    python benchmarks/multilevel.py [--n 2500] [--municipalities 25] [--only ...]

One twin whose households share effects: seconds to compile, milliseconds of a gradient, and how
much a gradient is worth (worst bulk ESS of coefficients, intercepts and spreads for 1,000 of them),
for municipalities alone, with households, and with a slope that varies; then Bambi's categorical
family with both columns of groups, its effects independent on each logit.  Chains one after the
other.  A peer that is not installed is left out with a line that says so (brms would need R).
"""

import argparse
import json
import time
import warnings
from importlib.util import find_spec

import numpy as np
from multinomial_logit import PRIORS, best_times, native_gradient

FORMULA = (
    "network + household_migrations + baseline_aspirations + male + age + married + log_expenditure"
)
BOTH = ["household", "municipality"]
CASES = {
    "municipalities": {},
    "municipalities, a slope": {"varying": "male"},
    "households, too": {"group": BOTH},
    "households, too, and a slope": {"group": BOTH, "varying": "male | municipality"},
}


def twin(how):
    import bayesmig as bm

    study = bm.load_study("social_capital")
    sizes = {"n": how.n, "municipalities": how.municipalities}
    return study, study.simulate(seed=how.seed, household_sd=1.0, **sizes)


def worth(arrays, gradients):
    """Worst bulk ESS, and for 1,000 gradients; arrays (chain, draw, ...)."""
    import arviz as az

    worst = min(float(np.nanmin(az.ess(az.convert_to_dataset({"v": a}))["v"])) for a in arrays)
    return {"ess": round(worst), "ess_1000_gradients": round(1000 * worst / gradients, 2)}


def run(name, how):
    """Fit one case at default settings, but for its draws."""
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
    (gradient,) = best_times({name: native_gradient(ready.graph, ready.model)}).values()
    return {
        "compile_s": round(fit.attrs["seconds_compile"], 1),
        "sample_s": round(fit.attrs["seconds_sample"], 1),
        "gradient_ms": round(gradient, 3),
        "steps": round(float(stats["n_steps"].mean()), 1),
        "divergences": int(stats["diverging"].sum()),
        **worth([found[n].values for n in names if n in found], int(stats["n_steps"].sum())),
    }


def bambi(how):
    """Bambi's graph of both columns of groups, by nutpie as it comes."""
    import bambi as bmb
    import nutpie
    import pandas as pd

    from bayesmig.models.social_capital.design import design

    study, data = twin(how)
    asked = {"formula": FORMULA, "group": BOTH}
    table = design(data, outcome="outcome", reference="no_aspirations", collapse=False, **asked)
    frame = pd.DataFrame(table.column, columns=[f"x{j}" for j in range(table.column.shape[1])])
    slopes = list(frame)
    frame["y"] = pd.Categorical.from_codes(table.count.argmax(1), ["none", "aspires", "migrated"])
    for level in table.levels:
        codes = level.of_cell[table.group]
        frame[level.name] = pd.Categorical.from_codes(codes, [str(g) for g in level.groups])
    scale = bmb.Prior("LogNormal", mu=PRIORS["scale"][0], sigma=PRIORS["scale"][1])
    mu, sigma = PRIORS["intercept"]
    priors = {name: bmb.Prior("Normal", mu=0, sigma=PRIORS["slope"]) for name in slopes}
    priors |= {f"1|{name}": bmb.Prior("Normal", mu=0, sigma=scale) for name in BOTH}
    priors["Intercept"] = bmb.Prior("Normal", mu=mu, sigma=sigma)
    groups = " + ".join(f"(1|{name})" for name in BOTH)
    model = bmb.Model(
        f"y ~ {' + '.join(slopes)} + {groups}", frame, family="categorical", priors=priors
    )
    model.build()
    began = time.perf_counter()
    ready = nutpie.compile_pymc_model(model.backend.model)
    compiled = time.perf_counter()
    drawn = nutpie.sample(
        ready, draws=how.draws, tune=how.tune, chains=how.chains, cores=1, seed=how.seed,
        progress_bar=False,
    )  # fmt: skip
    sampled = time.perf_counter()
    stats = drawn.sample_stats
    names = ["Intercept", *slopes, *(f"1|{name}_sigma" for name in BOTH)]
    return {
        "compile_s": round(compiled - began, 1),
        "sample_s": round(sampled - compiled, 1),
        "steps": round(float(stats["n_steps"].mean()), 1),
        "divergences": int(stats["diverging"].sum()),
        **worth([drawn.posterior[n].values for n in names], int(stats["n_steps"].sum())),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("n", 2500), ("municipalities", 25), ("draws", 1000), ("tune", 500)):
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--chains", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=[*CASES, "bambi"], default=[*CASES, "bambi"])
    how = parser.parse_args()
    warnings.simplefilter("ignore")
    for name in how.only:
        if name == "bambi" and find_spec("bambi") is None:
            print("bambi: left out, it is not installed (pip install bambi)")
            continue
        found = bambi(how) if name == "bambi" else run(name, how)
        print(json.dumps({"case": name, **found}), flush=True)


if __name__ == "__main__":
    main()
