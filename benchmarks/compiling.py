"""Seconds that the graph of each study takes to compile, cold and warm, and its gradient.

    python benchmarks/compiling.py

As bayesmig compiles, with helpers on the other cores; alone, in one process; and as numba does:
the whole graph as one function, every function again in all that call it, with all of LLVM's
passes, and with garbage collected meanwhile.  Each line is a process of its own; "cold" starts from
an empty cache of compiled code.  The density must be the same number in all.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

ONE = """
import json, sys, time
import bayesmig as bm
import numpy as np
import pymc, nutpie, arviz
from contextlib import nullcontext
from bayesmig import _numba, compiled, helpers
if sys.argv[2] != "bayesmig":
    helpers.MOST = 0
if sys.argv[2] == "numba":
    in_pieces, _numba.compiling = compiled.in_pieces, nullcontext
    compiled.in_pieces = lambda *graph: in_pieces(*graph, size=float("inf"))
study = bm.load_study(sys.argv[1])
data = study.example()
began = time.perf_counter()
ready = bm.compile(study, data)
seconds = time.perf_counter() - began
density = ready.graph.bind(ready.model, 0)
point = np.concatenate([p.ravel() for p in density.points])
best = []
for _ in range(5):
    began = time.perf_counter()
    for _ in range(500):
        density(point)
    best.append((time.perf_counter() - began) / 500)
value, gradient = density(point)
print(json.dumps({"seconds": seconds, "ms": 1e3 * min(best),
                  "density": [float(value).hex(), float(gradient.sum()).hex()]}))
"""


def run(study, cache, way):
    """Compile a study's graph in a process of its own."""
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={cache}".strip(",")
    environment = {**os.environ, "PYTENSOR_FLAGS": flags}
    environment.pop("NUMBA_OPT", None)
    done = subprocess.run(
        [sys.executable, "-c", ONE, study, way],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    import bayesmig as bm

    print(f"{'study':40}{'as':>10}{'cold, s':>9}{'warm, s':>9}{'gradient, ms':>14}")
    for study in bm.list_studies():
        densities = set()
        for way in ("bayesmig", "alone", "numba"):
            cache = tempfile.mkdtemp()
            try:
                cold, warm = (run(study, cache, way) for _ in range(2))
            finally:
                shutil.rmtree(cache)
            densities |= {tuple(found["density"]) for found in (cold, warm)}
            print(
                f"{study:40}{way:>10}{cold['seconds']:>9.1f}{warm['seconds']:>9.1f}"
                f"{min(cold['ms'], warm['ms']):>14.3f}",
                flush=True,
            )
        assert len(densities) == 1, f"{study}: {densities}"


if __name__ == "__main__":
    main()
