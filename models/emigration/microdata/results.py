"""What counting households does to the posterior, and what assumptions are worth: of the card.

    python -m bayesmig.models.emigration.microdata.results [NAME ...]

stores means and 90 % intervals of emigration in the paper's folder ``results/``.  ``clustering``:
one SYNTHETIC panel in which households share fates, default settings, with and without
`clustering`.  ``assumptions``: the report's own total, and a SYNTHETIC panel, with each of its two
assumptions as it is and loosened.
"""

from __future__ import annotations

import sys
from typing import Any

import pandas as pd

import bayesmig as bm
from bayesmig.models.emigration.assumptions import assumptions
from bayesmig.models.emigration.microdata import synthetic
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
from bayesmig.stored import estimate

CLUSTERING = {"counted": "household", "left out": "none"}
LONG = {"of cells": 6000, "of persons": 1500}  # draws of a chain: a gap mixes slowly
SMALL: dict[str, Any] = {
    "persons": 4_000,
    "years": range(1996, 1999),
    "covariates": ("country", "duration", "owner"),
    "mortality": "marginal",
}
COARSE: dict[str, Any] = {
    "emigrated": "country + age_group + sex + duration",
    "returned": "country + age_group + sex + duration",
    "moved": "origin + age_group + sex + owner",
    "lost": "origin + age_group + sex + owner",
}


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


def loosened() -> pd.DataFrame:
    """Return emigration of all foreign born, a row for each pair of assumptions."""
    report, study = bm.load_study("emigration"), bm.load_study(STUDY)
    how: dict[str, Any] = {"seed": SEED, "progress": False}
    cells = assumptions(report, report.example(table=4), draws=LONG["of cells"], **how)
    panel = simulate(synthetic.default_truth("probability"), seed=SEED + 1, **SMALL)
    persons = assumptions(
        study,
        panel,
        gaps=(0.3,),
        residual=("probability",),
        draws=LONG["of persons"],
        **how,
        **COARSE,
    )
    true = study.estimands(study.truth(panel), panel)["emigration"]
    truth = float(true.sel(cell=persons.attrs["cell"]))
    by_form = {
        "print: share lost equal": cells[cells.residual == "probability"],
        "print: chance of being lost equal": cells[cells.residual == "hazard"],
        f"SYNTHETIC panel, truth {truth:.1f}": persons,
    }
    pair = ["second_generation", "generation_gap"]
    columns = {}
    for name, table in by_form.items():
        found = zip(table.emigration, table.low, table.high, strict=True)
        columns[name] = pd.Series([estimate(*each, 1) for each in found], [table[k] for k in pair])
    found = pd.DataFrame(columns).fillna("").reset_index()
    return found.replace({"zero": "none"}).set_index("second_generation")


MAKERS = {"clustering": clustering, "assumptions": loosened}


if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        of = TABLES.origin(__spec__.name, [name], SEED)
        print(TABLES.write(f"results/{name}", MAKERS[name](), of), flush=True)
