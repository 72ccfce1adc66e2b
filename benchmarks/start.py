"""Seconds from ``bm.fit`` to the first draw, cold and warm, and what follows.

    python benchmarks/start.py

Each line is a process of its own; "cold" starts from an empty cache of compiled code.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

ONE = """
import json, time
began = time.perf_counter()
import bayesmig as bm
import bayesmig.fitting, pymc, nutpie, arviz
imported = time.perf_counter() - began
study = bm.load_study("emigration")
rows = []
for what, data, priors in [
    ("first fit, Tables 10 and 11", study.example(), None),
    ("again, other priors (wide)", study.example(), "wide"),
    ("again, other data (Table 5)", study.example(table=5), None),
]:
    fit = bm.fit(study, data, priors, progress=False)
    keys = ("to_first_draw", "build", "compile", "sample", "total")
    rows.append((what, {k: round(fit.attrs[f"seconds_{k}"], 2) for k in keys}))
density = bm.compile(study, study.example()).graph.bind(study.build(study.example()), 0)
import numpy as np
point = np.concatenate([p.ravel() for p in density.points])
function, table = density.native()
gradient, value = np.zeros(density.size), np.zeros(1)
at = [array.ctypes.data for array in (point, gradient, value, table)]
began = time.perf_counter()
for _ in range(20000):
    function.ctypes(density.size, *at)
print(json.dumps({"import": round(imported, 2), "rows": rows,
                  "gradient_us": round((time.perf_counter() - began) / 20000 * 1e6, 1)}))
"""


def run(cache):
    """Time one process with its own folder of compiled code."""
    flags = f"{os.environ.get('PYTENSOR_FLAGS', '')},base_compiledir={cache}".strip(",")
    done = subprocess.run(
        [sys.executable, "-c", ONE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTENSOR_FLAGS": flags},
    )
    return json.loads(done.stdout.splitlines()[-1])


def main():
    cache = tempfile.mkdtemp()
    try:
        print(f"{'':34}{'first draw':>11}{'build':>8}{'compile':>9}{'sample':>8}{'total':>8}")
        for state in ("cold", "warm"):
            found = run(cache)
            print(f"{state} (import {found['import']} s, gradient {found['gradient_us']} us)")
            for what, s in found["rows"]:
                print(
                    f"  {what:32}{s['to_first_draw']:>11}{s['build']:>8}"
                    f"{s['compile']:>9}{s['sample']:>8}{s['total']:>8}"
                )
    finally:
        shutil.rmtree(cache)


if __name__ == "__main__":
    main()
