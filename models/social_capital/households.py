"""What households do to standard errors: people who share effects, fitted as if they did not.

    python -m bayesmig.models.social_capital.households

simulates a twin in whose households people share effects, fits it as the paper does, with
municipalities alone, and with both, and stores in ``results/`` what the posterior says of the
coefficients either way, and how both fits sampled.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import xarray as xr

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.models.social_capital.paper import CONTRASTS
from bayesmig.stored import Stored

TABLES, SEED = Stored(Path(__file__).parent), 1
TWIN = {"n": 2500, "municipalities": 25, "household_sd": 1.0}
GROUPS = {"municipality": "municipality", "both": ["household", "municipality"]}


def fits() -> dict[str, xr.DataTree]:
    """Fit one twin with municipalities, and with households, too."""
    study = bm.load_study("social_capital")
    data = study.simulate(seed=SEED, **TWIN)
    return {
        label: bm.fit(study, data, group=group, seed=SEED, progress=False)
        for label, group in GROUPS.items()
    }


def beside(fitted: dict[str, xr.DataTree]) -> pd.DataFrame:
    """Return posterior means and standard deviations of contrasts A and C, either way."""
    found = {}
    for letter in "AC":
        contrast = ":".join(CONTRASTS[letter])
        sd = {}
        for label, fit in fitted.items():
            draws = fit["estimands"].to_dataset()["coefficient"].sel(contrast=contrast)
            found[f"{letter}, {label}"] = draws.mean(("chain", "draw")).to_series()
            sd[label] = draws.std(("chain", "draw"), ddof=1).to_series()
            found[f"{letter}, {label}: sd"] = sd[label]
        found[f"{letter}: ratio of sd"] = sd["both"] / sd["municipality"]
    return pd.DataFrame(found).rename_axis("column")


if __name__ == "__main__":
    of = TABLES.origin(__spec__.name, [], SEED)
    made = fits()
    print(TABLES.write("results/households", beside(made), of))
    print(TABLES.write("results/households_sampling", table_of(made, "groups"), of))
