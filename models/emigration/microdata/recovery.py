"""Bias and coverage of the posterior and of the report's estimator, on panels of known truth.

    python -m bayesmig.models.emigration.microdata.recovery

Every panel is simulated, counted and fitted by compile-once refits, and its persons given
to the report's own estimator in both variants: when the report's assumptions hold, and
when each is broken.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

import bayesmig as bm
from bayesmig.models.emigration.graph import Residual
from bayesmig.models.emigration.microdata import classical, synthetic
from bayesmig.models.emigration.microdata.counts.cells import name
from bayesmig.models.emigration.microdata.simulate import simulate, true_cells

CELLS = ("Table 4, Total", "Table 7, All, Male", "Table 7, All, Female",
         "Table 5, Mexican, 1997", "Table 12, All Foreign-born, 0-4 yrs")  # fmt: skip
PROB = 0.9
YEARS = range(1996, 2000)


def recovery(
    scenario: str,
    *,
    panels: int = 40,
    persons: int = 9_000,
    cells: Sequence[str] = CELLS,
    residual: Residual = "probability",
    priors: str = "default",
    draws: int = 400,
    tune: int = 400,
    seed: int = 1,
    progress: bool = True,
) -> pd.DataFrame:
    """Estimate many simulated panels, and set each estimate of emigration beside its truth.

    Parameters
    ----------
    scenario : str
        Of `synthetic.scenario`.
    panels, persons : int
        How many panels of how many persons.
    cells : sequence of str
        Printed rows.
    residual : {"probability", "hazard"}
        Of the truth and of the graph.
    priors : str
        Prior set; ``generation_gap``, ``native_rates`` and ``both_loosened`` loosen the
        assumptions.
    draws, tune, seed : int
    progress : bool

    Returns
    -------
    DataFrame
        scenario, method (posterior, text, program), cell, panel, truth, estimate (percent),
        inside (whether the 90 % interval holds the truth), width (of that interval).
    """
    truth = synthetic.scenario(scenario, residual)

    def panel(of: int) -> xr.Dataset:
        return simulate(truth, seed=of, persons=persons, years=YEARS)

    study = bm.load_study("emigration_microdata")
    found = bm.calibrate(
        study, panel(seed), priors, n=panels, simulate=panel, draws=draws, tune=tune,
        seed=seed, progress=progress, residual=residual,
    )  # fmt: skip
    rows = _posterior(found, cells)
    rows += [row for i in range(panels) for row in _classical(truth, seed + i, persons, i, cells)]
    return pd.DataFrame(rows).assign(scenario=scenario, priors=priors)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Bias, root mean square error, coverage of the 90 % interval and its width.

    Returns
    -------
    DataFrame
        One row for each scenario, cell and method; percent a year, coverage in percent.
    """
    error = found.estimate - found.truth
    groups = found.assign(error=error, square=error**2).groupby(
        ["scenario", "cell", "priors", "method"], sort=False
    )
    return pd.DataFrame(
        {
            "truth": groups.truth.mean(),
            "bias": groups.error.mean(),
            "rmse": np.sqrt(groups.square.mean()),
            "inside 90 %": 100 * groups.inside.mean(),
            "width": groups.width.mean(),
            "panels": groups.panel.count(),
        }
    )


def _posterior(found: xr.Dataset, cells: Sequence[str]) -> list[dict[str, Any]]:
    one = found.sel(quantity="emigration")
    rows = []
    for cell in cells:
        at = one.sel(cell=cell)
        for i in range(at.sizes["simulation"]):
            here = at.isel(simulation=i)
            rows.append(
                {
                    "method": "posterior",
                    "cell": cell,
                    "panel": i,
                    "truth": float(here.truth),
                    "estimate": float(here["mean"]),
                    "inside": bool(here.inside.sel(probability=PROB)),
                    "width": float(here.width.sel(probability=PROB)),
                }
            )
    return rows


def _classical(
    truth: dict[str, Any], seed: int, persons: int, panel: int, cells: Sequence[str]
) -> list[dict[str, Any]]:
    """The report's estimates of one panel, in both variants."""
    people = synthetic.simulate_panel(truth, persons=persons, years=YEARS, seed=seed)
    true = true_cells(people, truth)["cell_share"].sel(fate="emigrated")
    rows: list[dict[str, Any]] = []
    for variant in ("text", "program"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bm.DataWarning)
            table = classical.tables(classical.estimate(people, variant=variant))
        table = table[table.component == "emigration"]
        names = map(name, table.table, table.panel, table.row)
        table = table.assign(cell=list(names)).set_index("cell")
        for cell in cells:
            row, value = table.loc[cell], 100 * float(true.sel(cell=cell))
            rows.append(
                {
                    "method": variant,
                    "cell": cell,
                    "panel": panel,
                    "truth": value,
                    "estimate": float(row.estimate),
                    "inside": bool(row.ci_low <= value <= row.ci_high),
                    "width": float(row.ci_high - row.ci_low),
                }
            )
    return rows


def main() -> None:
    """Print the table of the card: three scenarios, and the loosened priors where one is broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--panels", type=int, default=24)
    parser.add_argument("--persons", type=int, default=6_000)
    parser.add_argument("--draws", type=int, default=300, help="of one chain; as many to tune")
    how = parser.parse_args()
    runs = [
        ("assumptions_hold", "default"),
        ("second_generation_emigrates", "default"),
        ("first_generation_harder", "default"),
        ("first_generation_harder", "generation_gap_wide"),
    ]
    print(f"SYNTHETIC panels of {how.persons:,} persons; emigration, percent a year")
    for scenario, priors in runs:
        found = recovery(
            scenario, priors=priors, panels=how.panels, persons=how.persons,
            draws=how.draws, tune=how.draws,
        )  # fmt: skip
        print(summary(found).round(2).to_string(), flush=True)


if __name__ == "__main__":
    main()
