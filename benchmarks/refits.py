"""Short refits a second in this process and in one and two workers of a Dask cluster.

    python benchmarks/refits.py

SYNTHETIC data sets of emigration's Table 7, each fitted by one chain of 250 + 250 draws; workers
compile the graph from the cache of compiled code once each, which is the time to their start.
"""

import time
import warnings

import bayesmig as bm
from bayesmig.clusters import dask_executor

SETS, RUN = 40, {"draws": 250, "tune": 250, "chains": 1, "progress": False}


def main():
    warnings.simplefilter("ignore", bm.ConvergenceWarning)
    study = bm.load_study("emigration")
    start = bm.compile(study, study.example(table=7))
    sets = [study.simulate(seed=seed, table=7) for seed in range(SETS)]
    first = bm.refit(start, data=sets[0], **RUN)

    began = time.perf_counter()
    fits = [bm.refit(start, data=data, **RUN) for data in sets]
    seconds = time.perf_counter() - began
    sampling = sum(fit.attrs["seconds_sample"] for fit in fits)
    print(f"{'workers':>8}{'start, s':>10}{'refits a second':>17}{'a second and core':>19}")
    print(f"{0:>8}{'':>10}{SETS / seconds:>17.2f}{SETS / seconds:>19.2f}")
    for workers in (1, 2):
        began = time.perf_counter()
        with dask_executor("local", workers=workers) as executor:
            bm.refit(start, data=sets[:workers], executor=executor, **RUN)
            ready = time.perf_counter() - began
            began = time.perf_counter()
            found = bm.refit(start, data=sets, executor=executor, **RUN)
            seconds = time.perf_counter() - began
        rate = SETS / seconds
        print(f"{workers:>8}{ready:>10.1f}{rate:>17.2f}{rate / workers:>19.2f}", flush=True)
        assert all(
            one.posterior.identical(two.posterior) for one, two in zip(fits, found, strict=True)
        )
    assert fits[0].posterior.identical(first.posterior)
    print(f"of a refit in this process {sampling / sum(f.attrs['seconds_total'] for f in fits):.0%}"
          " is sampling")  # fmt: skip


if __name__ == "__main__":
    main()
