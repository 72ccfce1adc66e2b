"""The loop of the multinomial logit against the same in C, vectorised: value and score.

    python benchmarks/logit_kernel.py

SYNTHETIC rows: 10,012 of 80 groups, 21 columns, 3 and 8 outcomes; one core, same process, taken
in turn.  C: gcc -O3 -march=native -ffast-math with libmvec's exponentials, its columns in
blocks as the loop's are.  Without a compiler that line is left out, and says so.
"""

import ctypes
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np

ROWS, COLUMNS, GROUPS, OUTCOMES = 10_012, 21, 80, (3, 8)
FLAGS = "-O3 -march=native -ffast-math -fopenmp-simd -shared -fPIC".split()
SOURCE = r"""
#include <math.h>
#include <stdint.h>
#define L 64
void kernel(long rows, const double *restrict slope, const double *restrict intercept,
            const double *restrict x, const int64_t *restrict group,
            const int32_t *restrict count, const double *restrict weight,
            double *restrict value, double *restrict by_slope, double *restrict by_intercept) {
  for (long b = 0; b * L < rows; b++) {
    double eta[K][L], share[K][L], total[L], v[L], n[L], y[K][L], w[L], high = 0;
    const double *restrict xb = x + b * P * L;
    long size = rows - b * L < L ? rows - b * L : L;
    for (int j = 0; j < L; j++) {
      long i = b * L + j;
      int in = j < size;
      long g = in ? group[i] : 0;
      w[j] = in ? weight[i] : 0;
      n[j] = in ? count[i * (K + 1)] : 0;
      for (int k = 0; k < K; k++) {
        eta[k][j] = intercept[g * K + k];
        y[k][j] = in ? count[i * (K + 1) + k + 1] : 0;
        n[j] += y[k][j];
      }
    }
    for (int p = 0; p < P; p++)
      for (int k = 0; k < K; k++)
        for (int j = 0; j < L; j++) eta[k][j] += slope[k * P + p] * xb[p * L + j];
    for (int j = 0; j < L; j++) total[j] = 1;
    for (int k = 0; k < K; k++)
      for (int j = 0; j < L; j++) {
        share[k][j] = exp(eta[k][j]);
        total[j] += share[k][j];
      }
    for (int j = 0; j < L; j++) {
      v[j] = -n[j] * log(total[j]);
      total[j] = 1 / total[j];
    }
    for (int k = 0; k < K; k++)
      for (int j = 0; j < L; j++) {
        v[j] += y[k][j] * eta[k][j];
        share[k][j] = w[j] * (y[k][j] - n[j] * share[k][j] * total[j]);
      }
    for (int j = 0; j < size; j++) {
      value[b * L + j] = w[j] * v[j];
      for (int k = 0; k < K; k++) by_intercept[group[b * L + j] * K + k] += share[k][j];
    }
    for (int p = 0; p < P; p++)
      for (int k = 0; k < K; k++) {
        double sum = 0;
        for (int j = 0; j < L; j++) sum += share[k][j] * xb[p * L + j];
        by_slope[k * P + p] += sum;
      }
  }
}
"""


def inputs(alternatives):
    """Rows in the order of their groups, as people of a survey come."""
    rng = np.random.default_rng(1)
    count = np.zeros((ROWS, alternatives + 1), dtype=np.int32)
    count[np.arange(ROWS), rng.integers(0, alternatives + 1, ROWS)] = 1
    return (
        rng.normal(0, 0.3, (1, alternatives, COLUMNS)),
        rng.normal(-2, 0.5, (GROUPS, alternatives)),
        rng.normal(size=(ROWS, COLUMNS)),
        np.sort(rng.integers(0, GROUPS, ROWS)),
        np.zeros(GROUPS, dtype=np.int64),
        count,
        np.ones(ROWS),
    )


def loop(alternatives, values):
    """The loop, called from Python."""
    import numba

    from bayesmig.models.social_capital import kernel

    slope, intercept, column, *rest = values
    compiled = kernel.loop(alternatives, False)
    column = kernel.in_blocks(column)
    varying, varied = np.zeros((GROUPS, alternatives, 0)), np.zeros((ROWS, 0))

    @numba.njit
    def call(a, b, c, d, e, f, g, h, i):
        return compiled(a, b, c, d, e, f, g, h, i)

    return lambda: call(slope, intercept, column, *rest, varying, varied)[:3]


def in_c(alternatives, values, folder):
    """The same in C."""
    from bayesmig.models.social_capital import kernel

    source, library = Path(folder) / "kernel.c", Path(folder) / f"kernel{alternatives}.so"
    source.write_text(SOURCE)
    sizes = [f"-DK={alternatives}", f"-DP={COLUMNS}"]
    subprocess.run(["gcc", *FLAGS, *sizes, source, "-o", library, "-lmvec", "-lm"], check=True)
    slope, intercept, column, group, _, count, weight = values
    column = kernel.in_blocks(column)
    found = np.zeros(ROWS), np.zeros(slope.shape), np.zeros(intercept.shape)
    given = (slope, intercept, column, group, count, weight, *found)
    function = ctypes.CDLL(str(library)).kernel
    at = [ctypes.c_long(ROWS), *(ctypes.c_void_p(array.ctypes.data) for array in given)]

    def call(keep=given):
        found[1].fill(0)
        found[2].fill(0)
        function(*at)
        return found

    return call


def best_times(calls, repeats=100, each=20):
    """Milliseconds of each call: the best of many, taken in turn so that all meet one machine."""
    best = [np.inf] * len(calls)
    for _ in range(repeats):
        for i, call in enumerate(calls):
            began = time.perf_counter()
            for _ in range(each):
                call()
            best[i] = min(best[i], (time.perf_counter() - began) / each * 1e3)
    return best


def main():
    print(f"{ROWS} rows x {COLUMNS} columns, {GROUPS} groups: milliseconds, best of 100 rounds")
    if shutil.which("gcc") is None:
        print("C left out: no gcc")
    print(f"{'outcomes':>10}{'loop':>10}{'C':>10}{'loop / C':>10}{'differ by':>12}")
    with tempfile.TemporaryDirectory() as folder:
        for outcomes in OUTCOMES:
            values = inputs(outcomes - 1)
            calls = [loop(outcomes - 1, values)]
            if shutil.which("gcc"):
                calls.append(in_c(outcomes - 1, values, folder))
            first, *other = (call() for call in calls)
            times = best_times(calls)
            line = f"{outcomes:>10}{times[0]:>10.3f}"
            for each in other:
                apart = max(
                    abs(a - b).max() / abs(b).max() for a, b in zip(first, each, strict=True)
                )
                line += f"{times[1]:>10.3f}{times[0] / times[1]:>10.2f}{apart:>12.1e}"
            print(line)


if __name__ == "__main__":
    main()
