"""Data of the paper: the synthetic twin, and the analysis file read and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import xarray as xr

from bayesmig import attrs
from bayesmig.errors import DataError, DataWarning, StudyError, unknown, warn
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.design import asked_for, doubts, names_of, paper_formula
from bayesmig.models.social_capital.paper import (
    COLUMNS,
    IDENTIFIERS,
    LEVELS,
    OUTCOMES,
    YES_NO,
    Stratum,
    Tables,
)
from bayesmig.models.social_capital.people import Missing, from_frame
from bayesmig.models.social_capital.simulate import MUNICIPALITIES, PEOPLE, simulate
from bayesmig.models.social_capital.values import text, text_of
from bayesmig.readers import check_names, named, read_table, validated

__all__ = ["example", "from_frame", "read", "used"]

Labels = Mapping[str, Mapping[Any, str]]  # of values, by column and code
NOTHING = ("", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "<NA>")  # in a text file
LOGARITHM = (-20.0, 30.0)  # of pesos: what a household can spend


def example(
    stratum: Stratum = "all",
    tables: Tables = 1,
    n: int = PEOPLE,
    municipalities: int = MUNICIPALITIES,
    household_sd: float = 0.0,
) -> xr.Dataset:
    """Return the synthetic twin: the survey itself is distributed after registration.

    Parameters
    ----------
    stratum : {"all", "none", "extended", "close"}
        People with these ties to migrants only (the strata of Tables 2a-c).
    tables : {1, 2}
        Whose estimates are the truth: Table 1, or Tables 2a-c, where coefficients
        differ between strata and nobody self-employed with extended ties aspires.
    n, municipalities : int
        People and places; by default as many as in Table 1.
    household_sd : float
        Spread of effects that the people of a household share; the paper has none.

    Returns
    -------
    Dataset
        As `simulate` makes it, with one seed.
    """
    return simulate(
        seed=2002,
        n=n,
        municipalities=municipalities,
        stratum=stratum,
        tables=tables,
        separated=tables == 2,
        household_sd=household_sd,
    )


def read(
    path: str | Path,
    *,
    formula: str | None = None,
    group: str | Sequence[str] | None = None,
    varying: str | None = None,
    outcome: str | None = None,
    reference: str | None = None,
    weights: str | None = None,
    counts: str | None = None,
    strata: str | None = None,
    missing: Missing = "raise",
    stratum: Stratum = "all",
    **columns: str,
) -> xr.Dataset:
    """Read people, one row each (.dta, .sav, .csv or .parquet): the paper's file, or any.

    With ``group``, or with ``formula`` and without the paper's columns, it is any file, and
    nothing is made of its columns but what they are.  In a text file they are numbers where
    all values are; empty fields and NA, NaN, null, None are missing.  A column of a Stata or
    SPSS file is a category where every value has a label.  What is given here goes with the
    data, so that `bayesmig.fit` needs no options.

    Otherwise it is the paper's, one row per adult.  Columns: outcome, the categories of
    `LEVELS`, yes or no (1, 0) in `YES_NO`, ``age`` (years), ``log_expenditure``, and the
    identifiers person, household and municipality.  Categories are given by name; a Stata
    column of numbers by its value labels.  Other columns are kept.

    Parameters
    ----------
    path : str or Path
    formula, group, varying, outcome, reference, weights, counts, strata
        Of any file: as for the graph.  Of the paper's file ``outcome`` is the name that the
        file has for it.
    missing : {"raise", "casewise"}
        What to do with rows that lack a value: refuse, or leave them out, counted by
        column in ``attrs["left_out"]``.
    stratum : {"all", "none", "extended", "close"}
        Of the paper's file, people with these ties only.
    **columns
        Names that the paper's file has for the columns above, e.g. ``municipality="mpio"``.

    Raises
    ------
    DataError
        Naming the file, the row (the header of a text file is row 1) and the column.
    StudyError
        For a formula or column that the file does not have.

    Examples
    --------
    A file of one's own::

        study = bm.load_study("social_capital")
        data = study.read(
            "people.csv", formula="age + sex", group="village", outcome="went", reference="no"
        )
        fit = bm.fit(study, data)
    """
    if missing not in get_args(Missing):
        raise DataError(f"missing={missing!r}; valid: {', '.join(get_args(Missing))}")
    options = {
        "formula": formula,
        "group": group,
        "varying": varying,
        "outcome": outcome,
        "reference": reference,
        "weights": weights,
        "counts": counts,
        "strata": strata,
    }
    given = {name: value for name, value in options.items() if value is not None}
    table, labels = read_table(path)
    people.check_once(table.columns, f"{path}: ")
    ours = {**columns, **({} if outcome is None else {"outcome": outcome})}
    lacking = [name for name in COLUMNS if ours.get(name, name) not in table]
    if group is None and (formula is None or not lacking):
        given |= {} if outcome is None else {"outcome": "outcome"}
        data = people.select(_of_paper(path, table, labels, missing, ours), stratum)
        return data.assign_attrs(options=attrs.pack(given)) if given else data
    if columns or stratum != "all":
        name = next(iter(columns), "stratum")
        raise StudyError(
            f"{path}: {name}= is for the paper's own file, and formula= and group= are for others"
        )
    return _of_anybody(path, table, labels, given, missing)


def used(data: xr.Dataset, options: Mapping[str, Any]) -> xr.Dataset:
    """Return the people whom the graph observes with these options, the others counted.

    Warns
    -----
    DataWarning
        For levels that nobody has, text that is mostly numbers, weights that look like counts.

    Raises
    ------
    DataError, StudyError
    """
    return _used(data, {**options, "where": ""})


def _used(data: xr.Dataset, options: Mapping[str, Any]) -> xr.Dataset:
    people.check_people(data)
    formula = options["formula"] or paper_formula(data, options["strata"])
    names = ("group", "outcome", "weights", "counts", "strata")
    asked = asked_for(data, formula, **{name: options[name] for name in names})
    groups, where = names_of(options["group"]), options["where"]
    kept = people.used(data, asked, options["counts"], options["missing"], groups, where)
    for words in doubts(kept, formula, options["weights"]):
        warn(words, DataWarning)
    return kept


def _of_anybody(
    path: str | Path,
    table: pd.DataFrame,
    labels: Labels,
    given: Mapping[str, Any],
    missing: Missing,
) -> xr.Dataset:
    """Make data of any file; what is wrong with columns that are asked for is found here."""
    if Path(path).suffix.lower() == ".csv":
        table = table.mask(table.isin(NOTHING))
        table = table.assign(**{name: _seen(table[name]) for name in table})
    data = people.from_frame(_named(table, labels).rename_axis(index=None))
    data = data.assign_coords({people.PERSON: table.index.to_numpy()})
    said = attrs.pack({**given, "missing": missing})
    data = data.assign_attrs(title=Path(path).name, options=said)
    if not {"formula", "group", "outcome"} <= set(given):
        return data
    nothing = dict.fromkeys(("weights", "counts", "strata"))
    return _used(data, {**nothing, **given, "missing": missing, "where": f"{path}: "})


def _of_paper(
    path: str | Path,
    table: pd.DataFrame,
    labels: Labels,
    missing: Missing,
    columns: Mapping[str, str],
) -> xr.Dataset:
    """Make data of the paper's analysis file."""
    table = _others(table, labels, Path(path).suffix.lower() == ".csv")
    for name, own in columns.items():
        if name not in COLUMNS:
            raise DataError(unknown("column of the analysis file", name, COLUMNS))
        if own not in table:
            raise DataError(f"{path}: {unknown('column', own, map(str, table.columns))}")
    ours = {own: name for name, own in columns.items()}
    table = table.rename(columns=ours)
    people.check_once(table.columns, f"{path}: ")
    labels = {ours.get(name, name): named for name, named in labels.items()}
    table = _checked(_labelled(table, labels, str(path)), str(path))
    table, left_out = _complete(table, missing, str(path))
    data = people.of_paper(table)
    for name, words in labels.items():
        data[name].attrs["value_labels"] = attrs.pack({str(k): v for k, v in words.items()})
    return data.assign_attrs(title=Path(path).name, left_out=left_out)


def _others(table: pd.DataFrame, labels: Labels, is_text: bool) -> pd.DataFrame:
    """Read other columns than the analysis file's as what they seem to be."""
    others = [name for name in table.columns if name not in COLUMNS]
    if is_text:
        table = table.mask(table == "")
        table = table.assign(**{name: _numbers(table[name]) for name in others})
    return _named(table, {name: labels[name] for name in labels if name in others})


def _named(table: pd.DataFrame, labels: Labels) -> pd.DataFrame:
    """Name the categories of columns in which every value has a label, in the order of codes."""
    for name, words in labels.items():
        present = set(table[name].dropna()) if name in table else set()
        if present and present <= set(words):
            counted = Counter(words.values())
            unlike = {
                code: word if counted[word] == 1 else f"{word} [{text(code)}]"
                for code, word in sorted(words.items())
            }
            levels = [unlike[code] for code in unlike]
            table = table.assign(**{name: pd.Categorical(table[name].map(unlike), levels)})
    return table


def _seen(column: pd.Series) -> pd.Series:
    """Read text as numbers or as answers yes or no where all of it is."""
    if set(column.dropna()) <= {"True", "False"} and column.notna().any():
        return column.map({"True": True, "False": False}).astype("boolean")
    return _numbers(column)


def _numbers(column: pd.Series) -> pd.Series:
    """Read text as numbers where all of it is; codes with leading zeros are text."""
    number = pd.to_numeric(column, errors="coerce")
    text = number.isna() & column.notna() | column.str.match(r"0\d", na=False)
    return column if text.any() else number


def _labelled(table: pd.DataFrame, labels: Labels, where: str) -> pd.DataFrame:
    """Put value labels in the place of codes, for categories and the outcome."""
    coded = [name for name in ("outcome", *LEVELS) if name in table and labels.get(name)]
    return table.assign(**{name: named(table, labels[name], name, where) for name in coded})


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check the columns of an analysis file; missing values are for `_complete`."""
    import pandera.pandas as pa

    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise DataError(
            f"{where}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
            " (a file of your own is read with formula= and group=)"
        )

    def one_of(levels: tuple[str, ...]) -> Any:
        check = pa.Check.isin(levels, error=f"is none of {', '.join(levels)}")
        return pa.Column(str, check, nullable=True)

    yes_no = pa.Check.isin((0.0, 1.0), error="is neither 0 nor 1")
    age = pa.Check.in_range(0, 120, error="is no age in years between 0 and 120")
    finite = pa.Check(lambda x: abs(x) < float("inf"), error="is not finite")
    money = pa.Check.in_range(*LOGARITHM, error=f"is no logarithm between {LOGARITHM}")
    schema = pa.DataFrameSchema(
        {
            "outcome": one_of(OUTCOMES),
            **{name: one_of(levels) for name, levels in LEVELS.items()},
            **{n: pa.Column(float, yes_no, nullable=True, coerce=True) for n in YES_NO},
            "age": pa.Column(float, age, nullable=True, coerce=True),
            "log_expenditure": pa.Column(float, [finite, money], nullable=True, coerce=True),
        }
    )
    check_names(table, IDENTIFIERS, where)
    # "0" children and municipality 15 may be numbers in the file
    labels = {name: text_of(table[name]) for name in ("outcome", *LEVELS, *IDENTIFIERS)}
    table = validated(schema, table.assign(**labels), where)
    twice = table["person"].notna() & table.duplicated(["person"])
    if twice.any():
        raise DataError(
            f"{where}: row {table.index[twice][0]}, column person: "
            f"{table['person'][twice].iloc[0]!r} is there twice (and {twice.sum() - 1} more)"
        )
    return table


def _complete(table: pd.DataFrame, missing: Missing, where: str) -> tuple[pd.DataFrame, str]:
    """Return the rows without a missing value, and what was left out."""
    gaps = table[list(COLUMNS)].isna()
    bad = gaps.any(axis=1)
    if not bad.any():
        return table, ""
    each = ", ".join(f"{name} {n}" for name, n in gaps.sum().items() if n)
    if missing == "raise":
        row = table.index[bad][0]
        raise DataError(
            f"{where}: {bad.sum()} of {len(table)} rows lack a value ({each}), first row {row}; "
            "missing='casewise' leaves them out"
        )
    if bad.all():
        raise DataError(f"{where}: every row lacks a value ({each})")
    return table[~bad], f"{bad.sum()} of {len(table)} rows with a missing value ({each})"
