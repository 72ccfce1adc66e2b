"""Seconds that the graph of each study takes to compile, cold and warm, and its gradient.

    python benchmarks/compiling.py

With few of LLVM's passes, as bayesmig compiles, and with all of them (NUMBA_OPT=3).  Each line is
a process of its own; "cold" starts from an empty cache of compiled code.  The density must be the
same number in all.
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


def run(study, cache, level):
    """Compile a study's graph in a process of its own."""
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={cache}".strip(",")
    environment = {**os.environ, "PYTENSOR_FLAGS": flags}
    environment.pop("NUMBA_OPT", None)
    if level:
        environment["NUMBA_OPT"] = level
    done = subprocess.run(
        [sys.executable, "-c", ONE, study],
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    import bayesmig as bm

    print(f"{'study':40}{'passes':>8}{'cold, s':>9}{'warm, s':>9}{'gradient, ms':>14}")
    for study in bm.list_studies():
        densities = set()
        for words, level in (("few", ""), ("all", "3")):
            cache = tempfile.mkdtemp()
            try:
                cold, warm = (run(study, cache, level) for _ in range(2))
            finally:
                shutil.rmtree(cache)
            densities |= {tuple(found["density"]) for found in (cold, warm)}
            print(
                f"{study:40}{words:>8}{cold['seconds']:>9.1f}{warm['seconds']:>9.1f}"
                f"{min(cold['ms'], warm['ms']):>14.3f}",
                flush=True,
            )
        assert len(densities) == 1, f"{study}: {densities}"


if __name__ == "__main__":
    main()
