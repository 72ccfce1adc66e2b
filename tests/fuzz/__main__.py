"""``python tests/fuzz [FILES] [FIRST]``: so many damaged files, and what became of them.

Each door's files are read in a process of its own, so that one that dies is counted too.
"""

import collections
import multiprocessing
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import duckdb  # noqa: F401  # heavy libraries once, for all forks
import h5netcdf  # noqa: F401  # as duckdb
import ipumspy  # noqa: F401  # as duckdb
import pandera.pandas  # noqa: F401  # as duckdb
import pyreadstat  # noqa: F401  # as duckdb

from fuzz.doors import DOORS, run

STEP = 50


def work(name, seeds, pipe):
    with tempfile.TemporaryDirectory() as folder:
        pipe.send(run(name, seeds, Path(folder)))


def main(files, first):
    context, total, failures = multiprocessing.get_context("fork"), collections.Counter(), []
    for at in range(first, first + files // len(DOORS) + 1, STEP):
        for name in DOORS:
            ours, theirs = context.Pipe()
            process = context.Process(target=work, args=(name, range(at, at + STEP), theirs))
            process.start()
            theirs.close()
            try:
                counts, failed = ours.recv()
            except EOFError:
                counts, failed = {}, [f"{name}, seeds {at} to {at + STEP - 1}: the process died"]
            process.join()
            total.update(counts)
            total["failed"] += len(failed)
            failures += failed
            for words in failed:
                print(words, flush=True)
        print(at + STEP, dict(total), flush=True)
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main(*map(int, [*sys.argv[1:3], *(20_000, 0)[len(sys.argv[1:3]) :]])))
