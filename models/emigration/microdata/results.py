"""What counting households, and not persons, does to the posterior: a table of the card.

    python -m bayesmig.models.emigration.microdata.results

fits one SYNTHETIC panel in which households share fates, default settings, with and without
`clustering`, and stores means and 90 % intervals of emigration in the paper's folder ``results/``.
"""

from __future__ import annotations

import pandas as pd

import bayesmig as bm
from bayesmig.models.emigration.microdata.recovery import (
    BY_ROW,
    PANEL,
    PROB,
    SEED,
    STUDY,
    TABLES,
    TOTAL,
    truth_of,
)
from bayesmig.models.emigration.microdata.simulate import simulate

CLUSTERING = {"counted": "household", "left out": "none"}


def clustering() -> pd.DataFrame:
    """Return posteriors of the total, sexes and durations, one row for each way to count."""
    study = bm.load_study(STUDY)
    panel = simulate(truth_of(), seed=SEED, **PANEL)
    truth = study.estimands(study.truth(panel), panel)["emigration"]
    shown = [cell for cell in truth["cell"].values if cell.startswith((TOTAL, *BY_ROW))]
    parts = []
    for words, option in CLUSTERING.items():
        fit = bm.fit(study, panel, seed=SEED, progress=False, clustering=option)
        drawn = fit["estimands"]["emigration"].sel(cell=shown)
        low, high = (drawn.quantile((1 + s * PROB) / 2, ("chain", "draw")) for s in (-1, 1))
        part = {
            "households": words,
            "truth": truth.sel(cell=shown),
            "mean": drawn.mean(("chain", "draw")),
            "low": low,
            "high": high,
            "width": high - low,
        }
        parts.append(pd.DataFrame(part, pd.Index(shown, name="rows")))
    return pd.concat(parts)


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEED)
    print(TABLES.write("results/clustering", clustering(), of), flush=True)
