"""Cells of the report's tables, or of a user's file, as a Dataset.

A cell is a group of people (Mexican males aged 15-24, say) with the percentages the
report prints for it: of those interviewed one March, how many were not matched the
next, and why.  Dims are (cell, component); the factors that make up the table
(sex, age, origin, year, country, status, duration, period) are coordinates of the cells.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PUBLISHED = Path(__file__).parent / "published"
FOREIGN_BORN, ADULTS_SECOND = 77_491, 48_694  # persons in the samples (report, Data section)
OBSERVED = (
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
    "return_immigration",
)
DERIVED = ("emigration", "net_emigration")
COMPONENTS = (*OBSERVED, *DERIVED)
MEASURES = ("component", "estimate", "ci_low", "ci_high", "ci_prob", "source", "note")
ROUNDING = 0.1  # percent: the tables print one decimal
ROW_FACTOR = {
    5: "year",
    6: "age",
    7: "sex",
    8: "age",
    9: "age",
    10: "age",
    11: "age",
    12: "duration",
    13: "country",
    14: "status",
    15: "status",
}
FIXED = {8: {"sex": "Male"}, 9: {"sex": "Female"}}
AGGREGATES = {13: ("Caribbean", "Asia")}  # rows that hold the rows printed below them


@dataclass(frozen=True)
class Observations:
    """What the graph observes, percent: arrays (cell, component) in the order of `OBSERVED`.

    Attributes
    ----------
    estimate : ndarray
        The printed number, or the bound where only "below the bound" is known.
    standard_error : ndarray
        From the printed interval, with the rounding of the estimate in quadrature.
    bound : ndarray
        Half a decimal for numbers printed as 0.0 (0.0, 0.0), minus infinity otherwise.
    """

    estimate: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    bound: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """Factors of a table and an orthonormal basis of their zero-sum effects.

    Attributes
    ----------
    coords : dict
        Coordinates of the graph: cell, component, and with factors also factor, level
        ("age 15-24") and contrast.
    factors : tuple of str
        Names of the factors with more than one level.
    contrast_factor : ndarray of int (contrast)
        Which factor a contrast belongs to.
    level_contrast : ndarray (level, contrast)
        Effects of the levels per unit of each contrast; each factor's sum to zero.
    cell_contrast : ndarray (cell, contrast)
        The same, for the levels that make up each cell.
    """

    coords: dict[str, list[str]]
    factors: tuple[str, ...]
    contrast_factor: NDArray[np.int64]
    level_contrast: NDArray[np.float64]
    cell_contrast: NDArray[np.float64]


def example(table: int | Iterable[int] = (10, 11), panel: str = "exclusive") -> xr.Dataset:
    """Return the printed cells of Tables 4-15, as the report gives them (real data).

    Parameters
    ----------
    table : int or iterable of int
        A table, or tables with the same factors and no cell in common: 10 and 11, or
        8 and 9.  The tables are cuts of one sample, never independent data.
    panel : {"exclusive", "all"}
        Tables 5, 7, 12 and 14 print all foreign born above Mexicans and non-Mexicans,
        who are the same people.  ``exclusive`` takes the latter, ``all`` the former.

    Returns
    -------
    Dataset
        ``estimate``, ``ci_low``, ``ci_high``, percent, dims (cell, component).
        ``attrs["left_out"]`` names the rows not taken because others repeat them.

    Raises
    ------
    DataError
        For another table or panel, or tables that do not go together.
    """
    numbers = _tables(table)
    if panel not in ("exclusive", "all"):
        raise DataError(f"panel={panel!r}; valid: exclusive, all")
    printed = pd.read_csv(PUBLISHED / "cells.csv", keep_default_na=False)
    parts, left_out = [], []
    for number in numbers:
        rows, dropped = _exclusive(printed[printed.table == number], number, panel)
        if rows.empty:
            raise DataError(f"table {number} has no panel of all foreign born; panel='exclusive'")
        parts.append(_with_factors(rows, number))
        left_out += dropped
    factors = {tuple(c for c in part if c not in _COLUMNS) for part in parts}
    if len(factors) > 1:
        described = ", ".join(
            f"{n}: {' x '.join(c for c in p if c not in _COLUMNS)}"
            for n, p in zip(numbers, parts, strict=True)
        )
        raise DataError(
            f"tables {numbers} have different factors ({described}); they are cuts of one sample "
            "and cannot be fitted as if they were independent"
        )
    name = ", ".join(f"Table {n}" for n in numbers)
    long = pd.concat(parts, ignore_index=True)
    return _to_dataset(
        long.drop(columns=["table", "panel", "row"]),
        where=name,
        attrs={"title": f"Van Hook & Bean, {name}", "left_out": "; ".join(left_out)},
        one_level_ok=True,
    )


def _tables(table: Any) -> list[int]:
    """Return the numbers of the tables asked for."""
    asked = (
        [table] if isinstance(table, Integral | str) or not isinstance(table, Iterable) else table
    )
    numbers = list(asked)
    valid = (4, *ROW_FACTOR)
    for number in numbers:
        if not isinstance(number, Integral) or number not in valid:
            raise DataError(f"no cells in table {number!r}; valid: 4 (the total) to 15")
    if not numbers or len(set(numbers)) < len(numbers):
        raise DataError(f"table={table!r}: name each table once; valid: 4 (the total) to 15")
    return [int(number) for number in numbers]


def read(path: str | Path) -> xr.Dataset:
    """Read cells from a CSV file: one row per cell and component, as in ``cells.csv``.

    Columns: ``component``, ``estimate``, ``ci_low``, ``ci_high``, ``ci_prob`` (one value
    for the file), optionally ``source`` and ``note``; every other column is a factor.
    Each cell needs the components non_match, internal_migration, mortality,
    non_follow_up and return_immigration; emigration and net_emigration may be given
    and are then compared with, never fitted.  Percentages are 0-100.

    Raises
    ------
    DataError
        Naming the file, the row (the header is row 1) and the column.
    """
    path = Path(path)
    long = _checked(_read_rows(path), str(path))
    return _to_dataset(
        long, where=str(path), attrs={"title": path.name, "left_out": ""}, one_level_ok=False
    )


def simulate(
    truth: xr.Dataset | None = None, seed: int = 0, table: int | Iterable[int] = (10, 11)
) -> xr.Dataset:
    """Simulate the printed cells of a table from known shares, with the printed errors.

    Parameters
    ----------
    truth : Dataset, optional
        ``share`` (cell, fate) and ``return_immigration`` (cell), proportions.  By
        default the report's own estimates, negative ones raised to 0.1 %.
    seed : int
    table : int or iterable of int
        Whose cells and standard errors to take.

    Returns
    -------
    Dataset
        Like `example`, with ``attrs["synthetic"]`` true and the truth as the variables
        ``true_share`` and ``true_return_immigration``.
    """
    printed = example(table)
    truth = printed_shares(printed) if truth is None else _checked_truth(truth, printed)
    means = expected_components(truth)
    observed = observations(printed, np.sqrt(FOREIGN_BORN / ADULTS_SECOND))
    rng = np.random.default_rng(seed)
    noisy = means.transpose("cell", "component").values + rng.normal(0, observed.standard_error)
    rounded = np.round(noisy, 1)
    rounded = np.where(np.isfinite(observed.bound) & (rounded <= observed.bound), 0.0, rounded)
    half = (printed.ci_high - printed.ci_low) / 2
    estimate = printed.estimate.copy()
    estimate.loc[{"component": list(OBSERVED)}] = rounded
    lost = estimate.sel(component=["internal_migration", "mortality", "non_follow_up"])
    emigration = estimate.sel(component="non_match") - lost.sum("component")
    net = emigration - estimate.sel(component="return_immigration")
    estimate.loc[{"component": "emigration"}] = emigration
    estimate.loc[{"component": "net_emigration"}] = net
    cells = printed.assign(
        estimate=estimate,
        ci_low=estimate - half,
        ci_high=estimate + half,
        true_share=truth["share"],
        true_return_immigration=truth["return_immigration"],
    )
    return cells.assign_attrs(
        synthetic=1,
        title=f"SYNTHETIC cells, laid out as {printed.attrs['title']}",
        truth="variables true_share and true_return_immigration",
        seed=seed,
    )


def _checked_truth(truth: xr.Dataset, printed: xr.Dataset) -> xr.Dataset:
    """Return the truth for the cells of a table, if it is one."""
    lacking = [name for name in ("share", "return_immigration") if name not in truth]
    if lacking:
        raise DataError(f"the truth lacks {', '.join(lacking)}")
    absent = [cell for cell in printed.cell.values if cell not in truth.cell.values]
    if absent:
        raise DataError(f"the truth lacks the cells {', '.join(map(str, absent))}")
    truth = truth.sel(cell=printed.cell.values)
    for name in ("share", "return_immigration"):
        if not bool(((truth[name] >= 0) & (truth[name] <= 1)).all()):  # NaN is neither
            raise DataError(f"the truth's {name} must be proportions between 0 and 1")
    if not np.allclose(truth["share"].sum("fate"), 1):
        raise DataError("the truth's shares of a cell must add up to one")
    return truth


def truth(data: xr.Dataset) -> xr.Dataset:
    """Return the truth that simulated cells carry: ``share`` and ``return_immigration``."""
    return xr.Dataset(
        {"share": data["true_share"], "return_immigration": data["true_return_immigration"]}
    )


def published() -> pd.DataFrame:
    """Return every printed number of Tables 1-15 and Appendix F, tidy.

    Returns
    -------
    DataFrame
        quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note;
        percentages as printed, coefficients on the logit scale, rates as proportions.
    """
    cells = pd.read_csv(PUBLISHED / "cells.csv", keep_default_na=False)
    errors = pd.read_csv(PUBLISHED / "standard_errors.csv", keep_default_na=False)
    cells = cells.merge(errors.drop(columns="source"), how="left")
    cells = cells.assign(
        quantity=cells.component,
        coordinates=_joined(cells, "table", "panel", "row"),
        note="percent",
    )
    terms = pd.read_csv(PUBLISHED / "coefficients.csv", keep_default_na=False)
    terms = terms.assign(
        quantity=terms.model + "_coefficient",
        coordinates=_joined(terms, "table", "origin", "group", "generation", "term"),
        note=terms.stars,
    )
    rates = pd.read_csv(PUBLISHED / "native_rates.csv")
    rates = rates.assign(
        quantity="native_emigration_rate",
        coordinates=rates.sex + ", age group " + rates.age_group.astype(str),
        estimate=rates.rate,
        note="proportion; computed in the program and not used",
    )
    program = pd.read_csv(PUBLISHED / "mortality_program.csv")
    program = program.assign(
        quantity="mortality_program_coefficient",
        coordinates=program.generation + ", " + program.term,
        note="",
    )
    columns = "quantity coordinates estimate se ci_low ci_high ci_prob source note".split()
    return pd.concat(
        [part.reindex(columns=columns) for part in (cells, terms, rates, program)],
        ignore_index=True,
    )


def comparable(data: xr.Dataset) -> pd.DataFrame:
    """Return the numbers given for the cells of ``data``, one row per quantity and cell.

    Columns: quantity, cell, estimate, se, ci_low, ci_high, ci_prob, source, note.
    """
    prob = float(data.attrs["ci_prob"])
    z = NormalDist().inv_cdf(0.5 + prob / 2)
    zeros = _printed_as_zero(data)
    rows = []
    for component in (*DERIVED, *OBSERVED):
        for cell in data.cell.values:
            at = data.sel(cell=cell, component=component)
            if np.isnan(at.estimate):
                continue
            zero = bool(zeros.sel(cell=cell, component=component))
            rows.append(
                {
                    "quantity": component,
                    "cell": str(cell),
                    "estimate": float(at.estimate),
                    "se": float(at.ci_high - at.ci_low) / (2 * z),
                    "ci_low": float(at.ci_low),
                    "ci_high": float(at.ci_high),
                    "ci_prob": prob,
                    "source": data.attrs["title"],
                    "note": _note(component, zero),
                }
            )
    return pd.DataFrame(rows)


def observations(data: xr.Dataset, residual_inflation: float) -> Observations:
    """Return what the graph observes, with standard errors from the printed intervals.

    Parameters
    ----------
    data : Dataset
    residual_inflation : float
        Factor on the standard error of non-follow-up.
    """
    data = validate(data)[["estimate", "ci_low", "ci_high"]].transpose("cell", "component")
    data = data.sel(component=list(OBSERVED))
    z = NormalDist().inv_cdf(0.5 + float(data.attrs["ci_prob"]) / 2)
    inflation = np.where(np.array(OBSERVED) == "non_follow_up", residual_inflation, 1.0)
    error = (data.ci_high - data.ci_low).values / (2 * z) * inflation
    zero = _printed_as_zero(data).values
    bound = np.where(zero, ROUNDING / 2, -np.inf)
    return Observations(
        np.where(zero, bound, data.estimate.values),
        np.sqrt(error**2 + ROUNDING**2 / 12),
        bound,
    )


def expected_components(truth: xr.Dataset) -> xr.DataArray:
    """Percentages that the report's five estimates have as means, under its own assumptions.

    Parameters
    ----------
    truth : Dataset
        ``share`` (..., cell, fate) and ``return_immigration`` (..., cell).

    Returns
    -------
    DataArray (..., cell, component), the components of `OBSERVED`.
    """
    share = truth["share"]

    def fate(name: str) -> xr.DataArray:
        return share.sel(fate=name, drop=True)

    parts = [
        1 - fate("followed"),
        fate("moved"),
        fate("died"),
        fate("lost"),
        truth["return_immigration"],
    ]
    return 100 * xr.concat(parts, pd.Index(OBSERVED, name="component"))


def printed_shares(data: xr.Dataset, least: float = 0.001) -> xr.Dataset:
    """Shares of the five fates by the report's own arithmetic: e = u - m - d - r.

    Parameters
    ----------
    data : Dataset
    least : float
        Shares below this are raised to it and taken from those followed up; pass
        ``-inf`` for the bare arithmetic.
    """
    percent = data.estimate
    known = {
        "died": percent.sel(component="mortality", drop=True),
        "moved": percent.sel(component="internal_migration", drop=True),
        "lost": percent.sel(component="non_follow_up", drop=True),
    }
    emigrated = percent.sel(component="non_match", drop=True) - sum(known.values())
    parts = {"emigrated": emigrated, **known}
    shares = [np.maximum(part / 100, least) for part in parts.values()]
    shares.append(1 - sum(shares))
    share = xr.concat(shares, pd.Index([*parts, "followed"], name="fate"))
    returned = percent.sel(component="return_immigration", drop=True) / 100
    return xr.Dataset(
        {
            "share": share.transpose("cell", "fate"),
            "return_immigration": np.maximum(returned, least),
        }
    )


def design(data: xr.Dataset) -> Design:
    """Return the factors of the cells and a basis of their zero-sum effects."""
    factors = factor_names(data)
    labels: list[str] = []
    owner: list[int] = []
    blocks, rows = [], []
    for k, factor in enumerate(factors):
        values = data[factor].values.astype(str)
        levels = list(dict.fromkeys(values))
        basis = _zero_sum_basis(len(levels))
        blocks.append(basis)
        rows.append(basis[[levels.index(v) for v in values]])
        labels += [f"{factor} {level}" for level in levels]
        owner += [k] * (len(levels) - 1)
    coords = {"cell": [str(c) for c in data.cell.values], "component": list(OBSERVED)}
    if not factors:
        nothing = np.zeros((0, 0))
        return Design(coords, (), np.zeros(0, int), nothing, nothing)
    coords |= {
        "factor": list(factors),
        "level": labels,
        "contrast": [f"{factors[k]} {i}" for i, k in enumerate(owner)],
    }
    return Design(
        coords, factors, np.array(owner), _block_diagonal(blocks), np.concatenate(rows, axis=1)
    )


def factor_names(data: xr.Dataset) -> tuple[str, ...]:
    """Names of the cells' factors with more than one level."""
    return tuple(f for f in data.attrs["factors"].split(",") if f)


def native_rates(data: xr.Dataset) -> NDArray[np.float64]:
    """Native emigration rates of Appendix F for each cell, a year, as proportions (cell,).

    Plain means over the five-year age groups and sexes that the cell covers: the
    report gives no native population to weight them by.
    """
    rates = pd.read_csv(PUBLISHED / "native_rates.csv").set_index(["sex", "age_group"]).rate
    cells = []
    for cell in data.cell.values:
        at = data.sel(cell=cell).coords
        sexes = [str(at["sex"].item()).lower()] if "sex" in at else ["male", "female"]
        groups = _age_groups(str(at["age"].item())) if "age" in at else range(16)
        try:
            cells.append(np.mean([rates[sex, group] for sex in sexes for group in groups]))
        except KeyError:
            raise DataError(
                f"cell {cell!r}: no native rate for sex {sexes[0]!r}; valid: Male, Female"
            ) from None
    return np.array(cells)


def validate(data: xr.Dataset) -> xr.Dataset:
    """Return ``data`` if it is a Dataset of cells, else raise `DataError` saying what lacks."""
    if not isinstance(data, xr.Dataset):
        raise DataError(f"data must be an xarray Dataset of cells, got {type(data).__name__}")
    lacking = [n for n in ("estimate", "ci_low", "ci_high", "cell", "component") if n not in data]
    lacking += [f"attrs[{n!r}]" for n in ("ci_prob", "factors") if n not in data.attrs]
    if lacking:
        raise DataError(f"data lacks {', '.join(lacking)}; study.example() or study.read(path)")
    missing = [c for c in OBSERVED if c not in data.component.values]
    if missing:
        raise DataError(f"data lacks the components {', '.join(missing)}")
    if not data.sizes["cell"]:
        raise DataError("data has no cells")
    if not 0 < float(data.attrs["ci_prob"]) < 1:
        raise DataError(f"attrs['ci_prob'] is {data.attrs['ci_prob']!r}, not in (0, 1)")
    for factor in factor_names(data):
        if factor not in data.coords:
            raise DataError(f"attrs['factors'] names {factor!r}, which is no coordinate")
        if len(np.unique(data[factor].values.astype(str))) < 2:
            raise DataError(f"factor {factor!r} has one level; take it out of attrs['factors']")
    values = data.sel(component=list(OBSERVED))
    for name in ("estimate", "ci_low", "ci_high"):
        where = np.argwhere(~np.isfinite(values[name].transpose("cell", "component").values))
        if len(where):
            cell, component = where[0]
            raise DataError(
                f"{name} is missing in {len(where)} places, first for cell "
                f"{data.cell.values[cell]!r}, {OBSERVED[component]}"
            )
    return data


DATA_NAMES = ("true_share", "true_return_immigration")
_COLUMNS = ("table", "panel", "row", *MEASURES)


def _exclusive(rows: pd.DataFrame, table: int, panel: str) -> tuple[pd.DataFrame, list[str]]:
    """Take the rows that share no person, and name those left out."""
    of_all = rows.panel.str.startswith("All")
    taken = rows[of_all] if panel == "all" else rows[~of_all]
    aggregate = taken.row.isin(AGGREGATES.get(table, ()))
    left_out = [
        f"Table {table}, panel {name!r} (the same people as the others)"
        for name in rows.panel[~rows.index.isin(taken.index)].unique()
    ]
    left_out += [
        f"Table {table}, row {name!r} (holds other rows)" for name in taken.row[aggregate].unique()
    ]
    return taken[~aggregate], left_out


def _with_factors(rows: pd.DataFrame, table: int) -> pd.DataFrame:
    """Turn panel and row labels into columns of factors."""
    columns: dict[str, Any] = dict(FIXED.get(table, {}))
    panels = rows.panel
    if panels.str.contains("Mexican").any():
        columns["origin"] = np.where(panels.str.startswith("Non-"), "Non-Mexican", "Mexican")
    elif panels.str.startswith("All").any():
        columns["origin"] = "All"
    if panels.str.contains("ales").any():
        columns["sex"] = np.where(panels.str.contains("Female"), "Female", "Male")
    if panels.str.contains(", ").any():
        columns["period"] = panels.str.split(", ").str[1]
    if table in ROW_FACTOR:
        columns[ROW_FACTOR[table]] = rows.row
    return rows.assign(**columns)


def _read_rows(path: Path) -> pd.DataFrame:
    """Read a CSV file as text, indexed by the row of the file; the header is row 1."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = list(csv.reader(file, skipinitialspace=True)) or [[]]
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a CSV file of text: {error}") from None
    if not any(header):
        raise DataError(f"{path}: empty, not even a header in row 1")
    for k, name in enumerate(header):
        clash = name in header[:k] or name in ("cell", "fate") or name in DATA_NAMES or "," in name
        if clash or not name.strip():
            raise DataError(
                f"{path}: row 1, column {name or k + 1}: no name for a column (empty, with a "
                "comma, given twice, or one that the cells have themselves)"
            )
    kept = {i: row for i, row in enumerate(rows, start=2) if row}
    for i, row in kept.items():
        if len(row) != len(header):
            column = header[len(row)] if len(row) < len(header) else len(header) + 1
            raise DataError(
                f"{path}: row {i}, column {column}: {len(row)} values for {len(header)} columns"
            )
    return pd.DataFrame(list(kept.values()), index=list(kept), columns=header, dtype=str)


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check a user's cells column by column and row by row."""
    import pandera.pandas as pa

    required = ("component", "estimate", "ci_low", "ci_high", "ci_prob")
    lacking = [c for c in required if c not in table]
    if lacking:
        raise DataError(
            f"{where}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
        )
    if table.empty:
        raise DataError(f"{where}: no rows below the header")
    factors = [c for c in table if c not in MEASURES]
    percent = pa.Check.in_range(-100, 100, error="is not a percentage between -100 and 100")
    schema = pa.DataFrameSchema(
        {
            "component": pa.Column(
                str, pa.Check.isin(COMPONENTS, error=f"is none of {', '.join(COMPONENTS)}")
            ),
            **{
                c: pa.Column(float, percent, coerce=True) for c in ("estimate", "ci_low", "ci_high")
            },
            "ci_prob": pa.Column(
                float, pa.Check(lambda p: (p > 0) & (p < 1), error="is not in (0, 1)"), coerce=True
            ),
            **{
                c: pa.Column(str, pa.Check(lambda s: s.str.strip() != "", error="is empty"))
                for c in factors
            },
        },
    )
    try:
        long = schema.validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{where}: {_first_failures(error.failure_cases)}") from None
    _check_rows(long, factors, where)
    return long


def _first_failures(cases: pd.DataFrame, most: int = 5) -> str:
    """Say which rows and columns failed a schema, the first few of them."""
    cases = cases[cases["index"].notna()].drop_duplicates(["index", "column"])
    cases = cases.sort_values(["index", "column"])
    words = []
    for case in cases.head(most).to_dict("records"):
        check = str(case["check"])
        reason = "is not a number" if check.startswith(("coerce", "dtype", "not_null")) else check
        words.append(
            f"row {int(case['index'])}, column {case['column']}: {case['failure_case']!r} {reason}"
        )
    more = f" (and {len(cases) - most} more)" if len(cases) > most else ""
    return "; ".join(words) + more


def _check_rows(long: pd.DataFrame, factors: list[str], where: str) -> None:
    """Check what columns on their own do not show."""
    share = long.component != "net_emigration"
    for column, bad, reason in (
        ("estimate", share & (long.estimate < 0), "is negative"),
        ("ci_low", long.ci_low > long.estimate, "is above the estimate"),
        ("ci_high", long.ci_high < long.estimate, "is below the estimate"),
        ("ci_prob", long.ci_prob != long.ci_prob.iloc[0], "differs from the first row's"),
        ("component", long.duplicated([*factors, "component"]), "repeats a cell"),
    ):
        if bad.any():
            row = long.index[bad][0]
            raise DataError(
                f"{where}: row {row}, column {column}: {long.loc[row, column]} {reason}"
                + (f" (and {bad.sum() - 1} more rows)" if bad.sum() > 1 else "")
            )
    for cell, group in long.groupby(factors, sort=False) if factors else [("the cell", long)]:
        missing = [c for c in OBSERVED if c not in set(group.component)]
        if missing:
            label = ", ".join(map(str, cell if isinstance(cell, tuple) else [cell]))
            raise DataError(
                f"{where}: rows {group.index.min()}-{group.index.max()}, column component: "
                f"cell {label!r} lacks {', '.join(missing)}"
            )


def _to_dataset(
    long: pd.DataFrame, where: str, attrs: Mapping[str, Any], one_level_ok: bool
) -> xr.Dataset:
    """Arrange checked rows as (cell, component) with the factors as coordinates."""
    named = [c for c in long if c not in MEASURES]
    constant = [f for f in named if long[f].nunique() == 1]
    if constant and not one_level_ok:
        row = long.index[0]
        raise DataError(
            f"{where}: row {row}, column {constant[0]}: the factor has one level, "
            f"{long.loc[row, constant[0]]!r}; leave the column out"
        )
    factors = [f for f in named if f not in constant]
    labels = long[factors].agg(", ".join, axis=1) if factors else pd.Series("Total", long.index)
    order = list(dict.fromkeys(labels))
    alike = pd.DataFrame({"label": labels, "component": long.component}).duplicated()
    if alike.any():
        raise DataError(
            f"{where}: row {long.index[alike][0]}: another cell is labelled "
            f"{labels[alike].iloc[0]!r} too; no comma in the levels of factors"
        )
    wide = long.assign(cell=labels).pivot(
        index="cell", columns="component", values=["estimate", "ci_low", "ci_high"]
    )
    wide = wide.reindex(order)
    arrays = {
        name: (
            ("cell", "component"),
            wide[name].reindex(columns=list(COMPONENTS)).to_numpy(dtype=float),
        )
        for name in ("estimate", "ci_low", "ci_high")
    }
    first = long.assign(cell=labels).drop_duplicates("cell").set_index("cell").reindex(order)
    coords: dict[str, Any] = {f: ("cell", first[f].to_numpy(dtype=str)) for f in factors}
    coords |= {f: str(long[f].iloc[0]) for f in constant}
    return xr.Dataset(
        arrays,
        coords={"cell": order, "component": list(COMPONENTS), **coords},
        attrs={
            **attrs,
            "factors": ",".join(factors),
            "unit": "percent a year",
            "ci_prob": float(long.ci_prob.iloc[0]),
            "synthetic": 0,
        },
    )


def _printed_as_zero(data: xr.Dataset) -> xr.DataArray:
    """Where a number is printed 0.0 (0.0, 0.0): a censored rounding, not an exact zero."""
    return (data.estimate == 0) & (data.ci_low == 0) & (data.ci_high == 0)


def _note(component: str, zero: bool) -> str:
    if component in DERIVED:
        return "derived; not in the likelihood"
    return "printed 0.0 (0.0, 0.0): read as below 0.05" if zero else ""


def _joined(table: pd.DataFrame, *columns: str) -> pd.Series:
    """Label rows by the columns that are not empty: ``Table 10, Mexican Males, 15-24``."""

    def label(row: Any) -> str:
        words = [f"Table {row.table}", *(str(getattr(row, c)) for c in columns if c != "table")]
        return ", ".join(w for w in words if w and w != "all")

    return pd.Series([label(row) for row in table.itertuples()], index=table.index)


def _zero_sum_basis(levels: int) -> NDArray[np.float64]:
    """Orthonormal basis (levels, levels - 1) of the vectors that sum to zero (Helmert)."""
    basis = np.zeros((levels, levels - 1))
    for j in range(levels - 1):
        basis[: j + 1, j] = 1.0
        basis[j + 1, j] = -(j + 1.0)
        basis[:, j] /= np.sqrt((j + 1) * (j + 2))
    return basis


def _block_diagonal(blocks: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    whole = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole


def _age_groups(label: str) -> range:
    """Five-year groups of Appendix F (0: 0-4, ..., 15: 75 and over) that an age label covers."""
    bounds = re.fullmatch(r"(\d+)(?:-(\d+)|\+)", label)
    if bounds is None:
        raise DataError(f"age {label!r} is neither like '15-24' nor like '65+'")
    low, high = int(bounds[1]), int(bounds[2] or 200)
    if high < low:
        raise DataError(f"age {label!r} ends before it begins")
    return range(min(low // 5, 15), min(high // 5, 15) + 1)
