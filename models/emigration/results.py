"""What the graph of the cells finds and how it samples: tables of the card.

    python -m bayesmig.models.emigration.results [NAME ...]

``emigration`` stores in ``results/`` posteriors beside print where the error of the residual
decides; ``sampling`` fits every table with every prior set that is for fitting, default settings,
and stores the worst of all parameters and estimands, and for how many seeds.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.models.emigration.design import INFLATION
from bayesmig.stored import Stored, estimate

TABLES, SEEDS = Stored(Path(__file__).parent), (1, 2, 3)
LEVELS: tuple[int | tuple[int, ...], ...] = (4, 5, 6, 7, (8, 9), (10, 11), 12, 13, 14, 15)
FOR_SIMULATION = "calibration"
EQUAL, ALIKE = "share lost equal", "chance of being lost equal"
ASKED: tuple[tuple[int | tuple[int, ...], str, dict[str, Any], tuple[str, ...]], ...] = (
    (4, EQUAL, {}, ("Total",)),
    (4, ALIKE, {"residual": "hazard"}, ("Total",)),
    (13, EQUAL, {}, ("Africa", "India")),
    (
        (10, 11),
        EQUAL,
        {},
        ("Mexican, Male, 55-64", "Mexican, Female, 45-54", "Mexican, Female, 55-64"),
    ),
)


def emigration() -> pd.DataFrame:
    """Return printed and posterior emigration of `ASKED`, of the default and two others.

    The error of the residual is by level, or the printed one times `design.INFLATION` everywhere;
    the last is without pooling.
    """
    study = bm.load_study("emigration")
    parts = []
    for level, words, options, cells in ASKED:
        data = study.example(table=level)
        fit = bm.fit(study, data, seed=SEEDS[0], progress=False, **options)
        inflated = bm.refit(fit, residual_inflation=INFLATION, seed=SEEDS[0], progress=False)
        apart = bm.refit(fit, "no_pooling", seed=SEEDS[0], progress=False)
        print_ = bm.compare(fit, quantity="emigration").set_index("coordinates").loc[list(cells)]
        ends = (print_.published, print_.published_low, print_.published_high)
        part = {
            "printed": [estimate(*each, 1) for each in zip(*ends, strict=True)],
            "posterior": _found(fit, cells),
            f"printed error times {INFLATION:.2f}": _found(inflated, cells),
            "`no_pooling`": _found(apart, cells),
        }
        labels = [f"{_named(level)}: {cell}; {words}" for cell in cells]
        parts.append(pd.DataFrame(part, pd.Index(labels, name="emigration, percent a year")))
    return pd.concat(parts)


def _found(fit: xr.DataTree, cells: tuple[str, ...]) -> list[str]:
    rows = bm.compare(fit, quantity="emigration").set_index("coordinates").loc[list(cells)]
    return [estimate(*each, 2) for each in zip(rows["mean"], rows.low, rows.high, strict=True)]


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


MAKERS = {"emigration": emigration, "sampling": sampling}


if __name__ == "__main__":
    for name in sys.argv[1:] or MAKERS:
        of = TABLES.origin(__spec__.name, [name], SEEDS[0])
        print(TABLES.write(f"results/{name}", MAKERS[name](), of), flush=True)
