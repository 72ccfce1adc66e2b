"""What the snapshot's default finds, and how prior sets sample: tables of the card.

    python -m bayesmig.models.snapshot.results

fits the SYNTHETIC twin with default settings and each of `SETS`, and stores in ``results/`` the
posterior beside print, and how fits sampled.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.models.snapshot.printed import HEADLINE
from bayesmig.stored import Stored, estimate

TABLES, SEED = Stored(Path(__file__).parent), 1
SETS = ("default", "long_share", "per_class", "ffk", "capps")  # those of less than an hour


def fits() -> dict[str, xr.DataTree]:
    """Fit the twin with each of `SETS`."""
    study = bm.load_study("snapshot")
    data = study.example()
    return {name: bm.fit(study, data, name, seed=SEED, progress=False) for name in SETS}


def headline(fit: xr.DataTree) -> pd.DataFrame:
    """Return posterior and print side by side, one row for each headline number."""
    rows = bm.compare(fit, quantity=HEADLINE, ci_prob=0.95)
    found = {
        "printed": [f"{number:g}" for number in rows.published],
        "posterior, 95 %": [
            estimate(*each, 2) for each in zip(rows["mean"], rows.low, rows.high, strict=True)
        ],
        "contraction": rows.contraction.to_numpy(),
    }
    return pd.DataFrame(found, pd.Index(rows.quantity, name="quantity"))


def sampling(each: dict[str, xr.DataTree]) -> pd.DataFrame:
    """Return how each set sampled, and the population that it finds."""
    table = table_of({f"`{name}`": fit for name, fit in each.items()}, "set")
    found = [float(fit["estimands"]["population_2016"].mean()) for fit in each.values()]
    table.insert(0, "population 2016", found)
    return table


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEED)
    every = fits()
    for name, made in {"headline": headline(every["default"]), "sampling": sampling(every)}.items():
        print(TABLES.write(f"results/{name}", made, of), flush=True)
