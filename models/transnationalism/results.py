"""Of this study alone: what each graph of the essay finds, as the tables of the cards.

    python -m bayesmig.models.transnationalism.results [NAME ...]

fits every prior set with default settings and stores in ``results/`` how that sampled and
what came out.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr

import bayesmig as bm
from bayesmig.diagnostics import table_of
from bayesmig.models.transnationalism.second_generation import figures
from bayesmig.stored import Stored, estimate, interval
from bayesmig.study import Study

TABLES = Stored(Path(__file__).parent)
SEED, NAMED = 1, "data, priors"
SHOWN = {  # measures of Tables 3 and 4 whose ratios the cards show
    3: ("dropout", "child_20_24", "incarcerated"),
    4: ("inactive", "child_24", "incarcerated_24"),
}
Tables = dict[str, pd.DataFrame]


def of_print() -> Tables:
    """Table 2 from its stars: how each prior set samples, coefficients, derived effects."""
    study = bm.load_study("transnationalism")
    fits = {name: _fit(study, study.example(), name) for name in study.sets}
    unexplained = _fit(study, study.example(unexplained="nothing"), "default")
    found = fits["default"]
    derived = bm.compare(found, quantity=["percent_change", "net_probability"])
    return {
        "sampling_print": table_of({f"Table 2, `{n}`": fit for n, fit in fits.items()}, NAMED),
        "coefficients": _coefficients(found),
        "derived": _beside(derived.dropna(subset="published"), 3),
        "sets": _sets({**fits, "# says nothing": unexplained}),
    }


def of_respondents() -> Tables:
    """Table 2 from respondents (the twin): how each prior set samples, coefficients."""
    study = bm.load_study("transnationalism_respondents")
    fits = {name: _fit(study, study.example(), name) for name in study.sets}
    return {
        "sampling_respondents": table_of({f"twin, `{n}`": fit for n, fit in fits.items()}, NAMED),
        "coefficients_respondents": _coefficients(fits["default"]).drop(columns="stars"),
    }


def of_second_generation() -> Tables:
    """Tables 3 and 4: how each prior set samples, ratios, shares, statements."""
    study = bm.load_study("transnationalism_second_generation")
    data = {number: study.example(table=number) for number in SHOWN}
    fits = {
        (number, name): _fit(study, data[number], name) for number in SHOWN for name in study.sets
    }
    without = _fit(study, data[4], "default", totals="ignored")
    third, fourth = (fits[number, "default"] for number in SHOWN)
    claims = figures.claims(third, fourth).set_index("claim")
    small = figures.claims(*(fits[number, "small_samples"] for number in SHOWN))
    said = {True: "true", False: "not true"}
    return {
        "sampling_second_generation": table_of(
            {f"Table {n}, `{name}`": fit for (n, name), fit in fits.items()}, NAMED
        ),
        "ratios_table3": _ratios(third, 3),
        "ratios_table4": _ratios(fourth, 4),
        "shares": _shares({"without totals": without, "with totals": fourth}),
        "claims": claims.assign(
            printed=claims.printed.map(said),
            **{"small samples": small.set_index("claim").probability},
        )[["place", "stated", "printed", "probability", "small samples"]],
    }


def _fit(study: Study, data: xr.Dataset, priors: str, **options: Any) -> xr.DataTree:
    return bm.fit(study, data, priors, seed=SEED, progress=False, **options)


def _beside(rows: pd.DataFrame, digits: int) -> pd.DataFrame:
    """Printed numbers beside posteriors: a row each."""
    found = pd.DataFrame(
        {
            "quantity": rows.quantity + " " + rows.coordinates,
            "printed": rows.published,
            "posterior mean": rows["mean"],
            "95 % interval": [
                interval(*ends, digits) for ends in zip(rows.low, rows.high, strict=True)
            ],
        }
    )
    return found.set_index("quantity")


def _coefficients(fit: xr.DataTree) -> pd.DataFrame:
    rows = bm.compare(fit, quantity="coefficient")
    table = _beside(rows, 3).set_axis(rows.coordinates).rename_axis("coefficient")
    table.insert(1, "stars", [note.replace("no star", "") for note in rows.note])
    return table.assign(contraction=rows.contraction.to_numpy())


def _sets(fits: Mapping[str, xr.DataTree]) -> pd.DataFrame:
    """Posterior mean and standard deviation of some coefficients under each prior set."""
    shown = ["political: male", "political: married", "sociocultural: education",
             "sociocultural: us_years", "economic: age"]  # fmt: skip
    columns = {}
    for name, fit in fits.items():
        drawn = fit["estimands"]["coefficient"].sel(term=shown)
        mean, sd = (getattr(drawn, how)(("chain", "draw")).values for how in ("mean", "std"))
        columns[name] = [f"{m:.3f} ± {s:.3f}" for m, s in zip(mean, sd, strict=True)]
    return pd.DataFrame(columns, pd.Index(shown, name="coefficient"))


def _ratios(fit: xr.DataTree, number: int) -> pd.DataFrame:
    """Ratios of rates to those of the references, with 95 % intervals."""
    drawn = fit["estimands"]["ratio"]
    columns = {}
    for measure in SHOWN[number]:
        low, middle, high = drawn.sel(measure=measure).quantile(
            [0.025, 0.5, 0.975], ("chain", "draw")
        )
        columns[measure] = [
            estimate(m, a, b, 2)
            for a, m, b in zip(low.values, middle.values, high.values, strict=True)
        ]
    labels = [str(label) for label in drawn.contrast.values]
    return pd.DataFrame(columns, pd.Index(labels, name="ratio, median"))


def _shares(fits: Mapping[str, xr.DataTree]) -> pd.DataFrame:
    """Groups' shares of those counted, with 95 % intervals, one row a measure and group."""
    columns = {}
    for name, fit in fits.items():
        drawn = fit["estimands"].to_dataset()["share"]
        low, high = drawn.quantile([0.025, 0.975], ("chain", "draw"))
        mean = drawn.mean(("chain", "draw"))
        columns[name] = {
            f"{m}: {g}": _share(mean, low, high, {"measure": m, "group": g})
            for m in map(str, drawn.measure.values)
            for g in map(str, drawn.group.values)
        }
    return pd.DataFrame(columns).rename_axis("share, percent")


def _share(mean: xr.DataArray, low: xr.DataArray, high: xr.DataArray, at: Any) -> str:
    return estimate(mean.sel(at), low.sel(at), high.sel(at), 0)


MAKERS = {
    "print": of_print,
    "respondents": of_respondents,
    "second_generation": of_second_generation,
}


def main(asked: Iterable[str]) -> None:
    """Make and store the tables of some of `MAKERS`, or of all."""
    for name in asked or MAKERS:
        of = TABLES.origin(__spec__.name, [name], SEED)
        for table, found in MAKERS[name]().items():
            print(TABLES.write(f"results/{table}", found, of), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
