"""Person records by the hundred million: pairs of years counted in one process, and by a cluster.

    python benchmarks/persons.py [--records 1000000 10000000] [--workers 1 2]

SYNTHETIC: a simulated survey of six years, each household copied many times, as Parquet in a
folder for each year.  So each count must be so many times that of the survey itself, which is
checked.  Memory is the most that any one process held, gigabytes.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

YEARS = range(1996, 2002)
HOUSEHOLDS = 3000
COUNTS = ("people", "followed", "native_people", "native_followed", "moved_people", "moved",
          "returned_people", "returned", "health_people")  # fmt: skip


def survey(folder):
    """Simulate the survey that is copied, and write it in parts."""
    from bayesmig.models.emigration.microdata import synthetic
    from bayesmig.models.emigration.microdata.ipums import parts
    from bayesmig.models.emigration.microdata.ipums.extract import load

    path = synthetic.write_extract(folder, households=HOUSEHOLDS, years=YEARS, seed=1, format="csv")
    return parts.write(load(path), folder / "once")


def copied(once, folder, copies):
    """Write the survey with so many copies of each household; return its records."""
    import duckdb

    folder.mkdir()
    (folder / "extract.json").write_bytes((once / "extract.json").read_bytes())
    records = 0
    connection = duckdb.connect()
    connection.execute("SET memory_limit = '1GB'; SET preserve_insertion_order = false")
    for year in YEARS:
        to = folder / f"year={year}"
        to.mkdir()
        connection.execute(
            f"COPY (SELECT r.* EXCLUDE (year) REPLACE (serial * {copies} + i AS serial, "
            f"cpsidp * {copies} + CASE WHEN cpsidp > 0 THEN i ELSE 0 END AS cpsidp) "
            f"FROM range({copies}) AS t(i), read_parquet('{once}/year={year}/*.parquet') AS r) "
            f"TO '{to}/data.parquet' (FORMAT parquet)"
        )
        (count,) = connection.execute(f"SELECT count(*) FROM '{to}/data.parquet'").fetchone()
        records += count
    return records


def counted(folder, workers):
    """Count by one process, or by workers of Dask; print sums of counts, seconds and memory."""
    import bayesmig as bm
    from bayesmig.clusters import dask_executor

    warnings.simplefilter("ignore", bm.DataWarning)
    study = bm.load_study("emigration_microdata")
    began = time.perf_counter()
    if workers == 1:
        data = study.read(folder)
    else:
        with dask_executor(workers=workers) as executor:
            data = study.read(folder, executor=executor)
    seconds = time.perf_counter() - began
    of = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    print(json.dumps({
        "seconds": seconds,
        "memory": max(resource.getrusage(whose).ru_maxrss for whose in of) / 2**20,
        "effect": float(data.design_effect.sel(observed="followed")),
        "patterns": data.sizes["pattern"],
        **{name: data[name].values.tolist() for name in COUNTS},
    }))  # fmt: skip


def apart(*arguments):
    """Run in a process of its own."""
    command = [sys.executable, __file__, *map(str, arguments)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        folder, workers = asked.one
        counted(folder, int(workers))
        return
    print("      records  workers  seconds  memory   a second  patterns")
    with tempfile.TemporaryDirectory() as here:
        folder = Path(here)
        once = survey(folder)
        single = apart("--one", once, 1)
        size = copied(once, folder / "again", 1)
        for records in asked.records:
            copies = max(1, round(records / size))
            written = copied(once, folder / f"{records}", copies)
            for workers in asked.workers:
                found = apart("--one", folder / f"{records}", workers)
                for name in COUNTS:
                    if found[name] != [copies * count for count in single[name]]:
                        raise SystemExit(f"{name} is not {copies} times that of the survey")
                print(
                    f"{written:>13,}{workers:>9}{found['seconds']:>9.0f}{found['memory']:>8.2f}"
                    f"{written / found['seconds']:>11,.0f}{found['patterns']:>10,}", flush=True,
                )  # fmt: skip


if __name__ == "__main__":
    main()
