"""The multinomial logit of 10,000 to a million people: seconds, memory, gradient.

    python benchmarks/scale.py [--people 10000 100000 1000000] [--fit 10000 100000]

SYNTHETIC: people in 1,000 municipalities, the paper's covariates with ages to
the day, so that no two rows are alike; each size in a process of its own.  With
``--fit``, also a fit at default settings of these sizes.
"""

import argparse
import resource
import subprocess
import sys
import time
import warnings

MUNICIPALITIES = 1000


def measured(people, fit):
    """Build and compile the graph of so many people, and time what a sampler calls."""
    import numpy as np
    from multinomial_logit import best_times, native_gradient

    import bayesmig as bm

    warnings.simplefilter("ignore", bm.DataWarning)
    study = bm.load_study("social_capital")
    began = time.perf_counter()
    data = study.simulate(seed=1, n=people, municipalities=MUNICIPALITIES)
    age = data["age"] + np.random.default_rng(1).random(data.sizes["row"])
    data = data.assign(age=age, age_squared=age**2)
    simulated, before = time.perf_counter() - began, memory()

    began = time.perf_counter()
    model = study.build(data)
    built, began = time.perf_counter() - began, time.perf_counter()
    ready = bm.compile(study, data)
    compiled = time.perf_counter() - began - ready.seconds["build"]
    call = {"gradient": native_gradient(ready.graph, model)}
    gradient = best_times(call, 5, max(1, 100_000 // people))["gradient"]
    print(
        f"{people:>10,}{simulated:>10.1f}{built:>8.1f}{compiled:>9.1f}{gradient:>13.2f}"
        f"{before:>11.2f}{memory():>7.2f}", end="", flush=True,
    )  # fmt: skip
    if fit:
        began = time.perf_counter()
        fitted = bm.refit(ready, progress=False)
        steps = float(fitted["sample_stats"]["n_steps"].mean())
        divergences = int(fitted["sample_stats"]["diverging"].sum())
        print(f"{time.perf_counter() - began:>8.0f}{steps:>7.1f}{divergences:>13}", end="")
    print(flush=True)


def memory():
    """Most that this process has held, gigabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--people", nargs="*", type=int, default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--fit", nargs="*", type=int, default=[])
    parser.add_argument("--one", type=int)
    asked = parser.parse_args()
    if asked.one:
        measured(asked.one, asked.one in asked.fit)
        return
    print(
        f"{'people':>10}{'simulate':>10}{'build':>8}{'compile':>9}{'gradient, ms':>13}"
        f"{'GiB: data':>11}{'all':>7}{'fit':>8}{'steps':>7}{'divergences':>13}", flush=True,
    )  # fmt: skip
    for people in asked.people:
        fits = ["--fit", *map(str, asked.fit)]
        subprocess.run([sys.executable, __file__, "--one", str(people), *fits], check=True)


if __name__ == "__main__":
    main()
