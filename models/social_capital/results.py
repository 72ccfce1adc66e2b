"""How the logit samples: the table of convergence of the card.

    python -m bayesmig.models.social_capital.results

fits the twin of the paper's size with default settings in every structure of effects, and its
strata, and stores in ``results/`` the worst of all parameters and estimands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.stored import Stored

TABLES, SEED = Stored(Path(__file__).parent), 1
STRATA = {"strata": "network", "formula": "male + age + age_squared + baseline_aspirations + urban"}
CASES: dict[str, dict[str, Any]] = {
    "`independent`": {},
    "`correlated`": {"intercepts": "correlated"},
    "`independent_contrasts`": {"intercepts": "independent_contrasts"},
    "`shared`": {"intercepts": "shared"},
    "`independent`, slopes `fixed`": {"priors": "fixed"},
    "`independent`, three strata partially pooled": STRATA,
    "`independent`, three strata completely pooled": {**STRATA, "pooling": "complete"},
    "`independent`, three strata apart": {**STRATA, "pooling": "none"},
    "`shared`, three strata partially pooled": {**STRATA, "intercepts": "shared"},
}


def sampling() -> pd.DataFrame:
    """Fit all of `CASES` and say how each sampled."""
    study = bm.load_study("social_capital")
    data = {1: study.example(), 2: study.example(tables=2)}
    fits = {
        label: bm.fit(study, data[2 if "strata" in how else 1], seed=SEED, progress=False, **how)
        for label, how in CASES.items()
    }
    return table_of(fits, "effects")


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEED)
    print(TABLES.write("results/sampling", sampling(), of), flush=True)
