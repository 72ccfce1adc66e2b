"""Twins of known truth, refitted: what intervals hold of it, one row for each quantity.

    python -m bayesmig.models.social_capital.recovery FILE.csv [--people 2500] [--twins 60] ...

The file is written twin by twin, and a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import csv
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

import bayesmig as bm

QUANTITIES = ("coefficient", "intercept", "group_sd")
COLUMNS = (
    "seed", "quantity", "contrast", "truths", "inside_50", "inside_90", "bias", "rmse",
    "posterior_sd", "divergences", "steps",
)  # fmt: skip


def rows(fitted: xr.DataTree, truth: xr.Dataset, seed: int) -> list[dict[str, object]]:
    """Return what a fit holds of the truth, by quantity and contrast, averaged over terms."""
    found = []
    stats = fitted["sample_stats"]
    for name in QUANTITIES:
        draws = fitted["estimands"][name].stack(sample=("chain", "draw"))
        right = truth[name].sel({dim: draws[dim] for dim in draws.dims if dim != "sample"})
        error = draws.mean("sample") - right
        inside = {}
        for probability in (0.5, 0.9):
            low, high = (
                draws.quantile(q, "sample") for q in (0.5 - probability / 2, 0.5 + probability / 2)
            )
            inside[probability] = (low <= right) & (right <= high)
        for contrast in draws.contrast.values:
            at = {"contrast": contrast}
            found.append(
                {
                    "seed": seed,
                    "quantity": name,
                    "contrast": contrast,
                    "truths": int(error.sel(at).size),
                    "inside_50": float(inside[0.5].sel(at).mean()),
                    "inside_90": float(inside[0.9].sel(at).mean()),
                    "bias": float(error.sel(at).mean()),
                    "rmse": float(np.sqrt((error.sel(at) ** 2).mean())),
                    "posterior_sd": float(draws.sel(at).std("sample").mean()),
                    "divergences": int(stats["diverging"].sum()),
                    "steps": float(stats["n_steps"].mean()),
                }
            )
    return found


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--people", type=int, default=2500)
    parser.add_argument("--municipalities", type=int, default=25)
    parser.add_argument("--twins", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="seed of the first twin")
    parser.add_argument("--priors", default="default")
    parser.add_argument("--intercepts", default="correlated")
    parser.add_argument("--draws", type=int, default=300)
    how = parser.parse_args()
    study = bm.load_study("social_capital")
    warnings.simplefilter("ignore")
    done: set[int] = set()
    if how.file.exists():
        with how.file.open(encoding="utf-8") as file:
            lines = [line for line in file if not line.startswith("#")]
        done = {int(row["seed"]) for row in csv.DictReader(lines)}
    else:
        commit = subprocess.run(
            ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
        ).stdout.strip()
        command = " ".join(["python -m bayesmig.models.social_capital.recovery", *sys.argv[1:]])
        with how.file.open("w", encoding="utf-8") as file:
            file.write(f"# {command}\n# commit {commit}, bayesmig {bm.__version__}\n")
            file.write(",".join(COLUMNS) + "\n")
    ready = None
    for seed in range(how.first, how.first + how.twins):
        if seed in done:
            continue
        data = study.simulate(seed=seed, n=how.people, municipalities=how.municipalities)
        if ready is None:
            ready = bm.compile(study, data, how.priors, intercepts=how.intercepts)
        fitted = bm.refit(
            ready, data=data, draws=how.draws, tune=how.draws, chains=1, seed=seed, progress=False
        )
        truth = study.estimands(study.truth(data), data)
        with how.file.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writerows(rows(fitted, truth, seed))


if __name__ == "__main__":
    main()
