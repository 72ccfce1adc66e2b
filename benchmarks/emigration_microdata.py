"""Emigration from person records: what a gradient costs as the persons become more.

    python benchmarks/emigration_microdata.py [--rows 100000 1000000 10000000]

SYNTHETIC persons.  They are written to a database on disk, counted by their covariates,
and the graph of the counts is compiled once.  Each number of persons is a process of its
own, whose greatest memory is what it prints.  The last line of the first table is not
measured but extrapolated from the two largest.  Beside it the same model with a
pm.Bernoulli for every person.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings

import numpy as np

CHUNK = 1_000_000
COARSE = {"covariates": ("country", "duration", "owner", "education"), "mortality": "marginal"}
FORMULAS = {"emigrated": "country + age_group + sex + duration",
            "returned": "country + age_group + sex + duration",
            "moved": "origin + age_group + sex + owner",
            "lost": "origin + age_group + sex + owner + education"}  # fmt: skip


def panel(rows, seed=1):
    """A panel of so many persons, simulated and stored chunk by chunk."""
    from bayesmig.models.emigration.microdata import synthetic
    from bayesmig.models.emigration.microdata.ipums.frames import panel_of_frame

    whole = None
    for i in range(-(-rows // CHUNK)):
        size = min(CHUNK, rows - i * CHUNK)
        frame = synthetic.simulate_panel(persons=size, years=range(1996, 2000), seed=seed + i)
        if whole is None:
            whole = panel_of_frame(frame, frame.attrs)
        else:
            whole.connection.register("more", frame)
            whole.connection.execute("INSERT INTO person BY NAME SELECT * FROM more")
            whole.connection.unregister("more")
    return whole


def gradient_ms(graph, model, seconds=2.0):
    """Milliseconds of one gradient, called as the sampler calls it: the best of many."""
    bound = graph.bind(model, 0)
    function, table = bound.native()
    point = np.concatenate([p.ravel() for p in bound.points])
    gradient, value = np.zeros(bound.size), np.zeros(1)
    at = [array.ctypes.data for array in (point, gradient, value, table)]
    best, until = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        function.ctypes(bound.size, *at)
        best = min(best, time.perf_counter() - began)
    return best * 1e3


def memory():
    """Greatest memory of this process so far, GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def counted(rows):
    """Simulate, count, compile and call the gradient."""
    import bayesmig as bm
    from bayesmig.models.emigration.microdata.counts.collapse import collapse

    began = time.perf_counter()
    people = panel(rows)
    stored = time.perf_counter()
    data = collapse(people, **COARSE)
    done = time.perf_counter()
    peak = memory()
    ready = bm.compile("emigration_microdata", data, **FORMULAS)
    dims = ("pattern", "native_pattern", "moved_pattern", "returned_pattern")
    return {
        "simulate": stored - began,
        "count": done - stored,
        "memory": peak,
        "patterns": sum(data.sizes[dim] for dim in dims),
        "compile": ready.seconds["compile"],
        "gradient": gradient_ms(ready.graph, ready.model),
    }


def row_level(people):
    """The same factors, a pm.Bernoulli for every person: as one would write it down."""
    import pandas as pd
    import pymc as pm

    def effects(name, frame, formula):
        total = pm.Normal(f"{name}_intercept", -2, 1)
        for factor in formula.split(" + "):
            codes, levels = pd.factorize(frame[factor])
            scale = pm.LogNormal(f"{name}_{factor}_scale", -1.2, 0.7)
            effect = pm.ZeroSumNormal(f"{name}_{factor}", scale, shape=len(levels))
            total = total + effect[codes]
        return pm.math.invlogit(total)

    first = people[people.generation == "first"]
    second = people[people.generation == "second"]
    with pm.Model() as model:
        e = effects("emigrated", first, FORMULAS["emigrated"])
        m = effects("moved", first, FORMULAS["moved"])
        lost = effects("lost", people, FORMULAS["lost"])
        m_second = effects("moved_second", second, FORMULAS["moved"])
        at_first = np.flatnonzero(people.generation == "first")
        at_second = np.flatnonzero(people.generation == "second")
        pm.Bernoulli("followed", (1 - e) * (1 - m) * (1 - lost[at_first]),
                     observed=first.followed.astype(int))  # fmt: skip
        pm.Bernoulli("native_followed", (1 - m_second) * (1 - lost[at_second]),
                     observed=second.followed.astype(int))  # fmt: skip
        for name, p, whose in (("moved", m, first), ("moved_too", m_second, second)):
            asked = whose.moved.notna().to_numpy()
            pm.Bernoulli(name, p[np.flatnonzero(asked)], observed=whose.moved[asked].astype(int))
        returned = effects("returned", first, FORMULAS["returned"])
        asked = first.returned.notna().to_numpy()
        pm.Bernoulli("returned", returned[np.flatnonzero(asked)],
                     observed=first.returned[asked].astype(int))  # fmt: skip
    return model


def by_row(rows):
    """Compile the row-level model and call its gradient."""
    from bayesmig import compiled
    from bayesmig.models.emigration.microdata import synthetic

    people = synthetic.simulate_panel(persons=rows, years=range(1996, 2000), seed=1)
    people = people.astype(dict.fromkeys(people.select_dtypes("category"), str))
    model = row_level(people)
    graph, _ = compiled.compile_graph(model)
    return {"compile": graph.seconds, "gradient": gradient_ms(graph, model), "memory": memory()}


def apart(what, rows):
    """Run one number of persons in a process of its own."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", what, "--rows", str(rows)],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{what}, {rows} persons: {done.stderr[-800:]}")
    return json.loads(done.stdout.splitlines()[-1])


def extrapolated(found, rows):
    """Straight lines through the two largest: what grows with the persons, and what does not."""
    (n, a), (m, b) = sorted(found.items())[-2:]
    at = (rows - n) / (m - n)
    return {key: a[key] + (b[key] - a[key]) * at for key in ("simulate", "count")}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="+", default=[100_000, 1_000_000, 10_000_000])
    parser.add_argument("--row-level", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--one", choices=("counted", "by_row"), help=argparse.SUPPRESS)
    how = parser.parse_args()
    if how.one:
        warnings.simplefilter("ignore")
        print(json.dumps({"counted": counted, "by_row": by_row}[how.one](how.rows[0])))
        return
    print("SYNTHETIC persons, counted by their covariates")
    columns = ("simulate s", "count s", "memory GB", "patterns", "compile s", "gradient ms")
    print(f"{'persons':>14}" + "".join(f"{column:>12}" for column in columns))
    found = {}
    for rows in how.rows:
        one = found[rows] = apart("counted", rows)
        print(
            f"{rows:>14,}{one['simulate']:>12.1f}{one['count']:>12.2f}{one['memory']:>12.2f}"
            f"{one['patterns']:>12,}{one['compile']:>12.1f}{one['gradient']:>12.2f}",
            flush=True,
        )
    if len(found) > 1 and max(found) < 100_000_000:
        more = extrapolated(found, 100_000_000)
        print(f"{100_000_000:>14,}{more['simulate']:>12.0f}{more['count']:>12.0f}"
              "   (extrapolated, not run)")  # fmt: skip
    print("\nthe same factors, a pm.Bernoulli for every person")
    print(f"{'persons':>14}{'':>36}{'memory GB':>12}{'compile s':>12}{'gradient ms':>12}")
    for rows in how.row_level:
        one = apart("by_row", rows)
        print(f"{rows:>14,}{'':>36}{one['memory']:>12.2f}{one['compile']:>12.1f}"
              f"{one['gradient']:>12.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
