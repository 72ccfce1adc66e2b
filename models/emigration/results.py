"""How the graph of the cells samples: the table of convergence of the card.

    python -m bayesmig.models.emigration.results

fits every table with every prior set that is for fitting, default settings, and stores in
``results/`` the worst of all parameters and estimands, and for how many seeds.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.stored import Stored

TABLES, SEEDS = Stored(Path(__file__).parent), (1, 2, 3)
LEVELS: tuple[int | tuple[int, ...], ...] = (4, 5, 6, 7, (8, 9), (10, 11), 12, 13, 14, 15)
FOR_SIMULATION = "calibration"


def sampling() -> pd.DataFrame:
    """Fit all `LEVELS` with all prior sets and `SEEDS`; return the worst seed of each."""
    study = bm.load_study("emigration")
    rows = []
    for level in LEVELS:
        data = study.example(table=level)
        for name in study.sets:
            if name != FOR_SIMULATION:
                fits = {
                    str(seed): bm.fit(study, data, name, seed=seed, progress=False)
                    for seed in SEEDS
                }
                rows.append(worst(table_of(fits, "seed"), f"{_named(level)}, `{name}`"))
                print(rows[-1].to_csv(header=False), end="", flush=True)
    return pd.concat(rows)


def worst(seeds: pd.DataFrame, label: str) -> pd.DataFrame:
    """Return one row: most divergences, R-hat and steps, least ESS of several seeds."""
    least = ["bulk ESS", "tail ESS"]
    row = seeds.max().where(~seeds.columns.isin(least), seeds.min())
    one = pd.DataFrame([row], [label]).rename_axis("data, priors")
    whole = one.columns.difference(["R-hat", "leapfrog steps a draw"])
    return one.astype(dict.fromkeys(whole, int)).assign(seeds=len(seeds))


def _named(level: int | tuple[int, ...]) -> str:
    numbers = (level,) if isinstance(level, int) else level
    return f"Table{'s' * (len(numbers) > 1)} {' and '.join(map(str, numbers))}"


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEEDS[0])
    print(TABLES.write("results/sampling", sampling(), of), flush=True)
