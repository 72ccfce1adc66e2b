"""The analysis file, one row per adult, as a Dataset; the printed coefficients."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import DataError, unknown

OUTCOMES = ("no_aspirations", "aspires", "migrated")  # the reference first
LEVELS = {  # of the categories, the reference first
    "network": ("none", "extended", "close"),
    "household_migrations": ("0", "1", "2+"),
    "children": ("0", "1", "2", "3", "4+"),
    "education": ("primary", "lower_secondary", "upper_secondary"),
    "employment": ("unemployed", "wage", "self_employed"),
}
YES_NO = ("baseline_aspirations", "male", "married", "enrolled", "robbery", "urban")
NUMBERS = ("age", "log_expenditure")
IDENTIFIERS = ("person", "household", "municipality")
STRATA = ("all", *LEVELS["network"])
TERMS = (  # in the order of the tables
    "network",
    "household_migrations",
    "baseline_aspirations",
    "male",
    "age",
    "age_squared",
    "married",
    "children",
    "enrolled",
    "education",
    "employment",
    "log_expenditure",
    "robbery",
    "urban",
)
CONTRASTS = {  # the paper's letter: outcome, against which
    "A": ("aspires", "no_aspirations"),
    "B": ("migrated", "aspires"),
    "C": ("migrated", "no_aspirations"),
}
COLUMNS = ("outcome", *LEVELS, *YES_NO, *NUMBERS, *IDENTIFIERS)
PERSON = "row"  # dim of the analysis file


def example(
    stratum: str = "all", tables: int = 1, n: int = 10_012, municipalities: int = 80
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
    )


def simulate(truth: xr.Dataset | None = None, seed: int = 0, **how: Any) -> xr.Dataset:
    """Simulate people of known truth; see `simulation.simulate`."""
    from bayesmig.models.social_capital import simulation

    return simulation.simulate(truth, seed=seed, **how)


def truth(data: xr.Dataset) -> xr.Dataset:
    """Return the truth that simulated people carry, named as in the graph."""
    names = [str(name) for name in data.data_vars if str(name).startswith("true_")]
    if not names:
        raise DataError("these data carry no truth: they were not simulated")
    found = data[names].drop_vars(PERSON, errors="ignore")
    return found.rename({str(n): str(n).removeprefix("true_") for n in (*names, *found.dims)})


def read(
    path: str | Path, missing: str = "raise", stratum: str = "all", **columns: str
) -> xr.Dataset:
    """Read an analysis file: Stata (.dta), .csv or .parquet, one row per adult.

    Columns: outcome, the categories of `LEVELS`, yes or no (1, 0) in `YES_NO`, ``age``
    (years), ``log_expenditure``, and the identifiers person, household and municipality.
    Categories are given by name; a Stata column of numbers by its value labels.  Other
    columns are kept: those of a text file as numbers where all are, those of a Stata file
    as categories where every value has a label.

    Parameters
    ----------
    path : str or Path
    missing : {"raise", "casewise"}
        What to do with rows that lack a value: refuse, or leave them out, counted by
        column in ``attrs["left_out"]``.
    stratum : {"all", "none", "extended", "close"}
        People with these ties only.
    **columns
        Names that the file has for the columns above, e.g. ``municipality="mpio"``.

    Raises
    ------
    DataError
        Naming the file, the row (the header of a text file is row 1) and the column.
    """
    path = Path(path)
    if missing not in ("raise", "casewise"):
        raise DataError(f"missing={missing!r}; valid: raise, casewise")
    table, labels = _read_table(path)
    for name, own in columns.items():
        if name not in COLUMNS:
            raise DataError(unknown("column of the analysis file", name, COLUMNS))
        if own not in table:
            raise DataError(f"{path}: {unknown('column', own, map(str, table.columns))}")
    table = table.rename(columns={own: name for name, own in columns.items()})
    _once(table, f"{path}: ")
    labels = {{o: n for n, o in columns.items()}.get(k, k): v for k, v in labels.items()}
    table = _checked(_labelled(table, labels, str(path)), str(path))
    table, left_out = _complete(table, missing, str(path))
    data = from_frame(table)
    for name, named in labels.items():
        data[name].attrs["value_labels"] = json.dumps({str(k): v for k, v in named.items()})
    data.attrs |= {"title": path.name, "left_out": left_out}
    return select(data, stratum)


def from_frame(table: pd.DataFrame) -> xr.Dataset:
    """Turn a DataFrame, one row per person, into the Dataset that the graph takes.

    Columns of text and categories keep the order of their levels (a pandas Categorical's
    own, the paper's for its columns, else sorted): the first is the reference.
    """
    if table.empty:
        raise DataError("the table has no rows")
    _once(table)
    arrays = {}
    for name, column in table.items():
        if not isinstance(name, str) or name == PERSON:
            raise DataError(f"column {name!r}: columns have names, and none is {PERSON!r}")
        arrays[name] = _variable(name, column.reset_index(drop=True))
    return xr.Dataset(
        arrays,
        coords={PERSON: np.arange(len(table))},
        attrs={"title": "a table of one's own", "synthetic": 0, "left_out": "", "stratum": "all"},
    )


def frame(data: xr.Dataset) -> pd.DataFrame:
    """Return the people of a Dataset as a DataFrame, categories with their levels in order."""
    if not isinstance(data, xr.Dataset) or PERSON not in data.dims:
        raise DataError(
            "data must be a DataFrame of people or a Dataset of study.example(), "
            f"study.simulate() or study.read(path), got {type(data).__name__}"
        )
    columns = {}
    for name, variable in data.data_vars.items():
        if variable.dims != (PERSON,):
            continue
        if "levels" in variable.attrs:
            values = pd.Series(variable.values.astype(str))
            columns[name] = pd.Categorical(values, json.loads(variable.attrs["levels"]))
        elif variable.dtype.kind in "OU" and name != "person":  # a Dataset of one's own
            columns[name] = pd.Categorical(variable.values.astype(str))
        else:
            columns[name] = variable.values
    table = pd.DataFrame(columns)
    if "age" in table and "age_squared" not in table:
        table["age_squared"] = table["age"] ** 2
    return table


def select(data: xr.Dataset, stratum: str) -> xr.Dataset:
    """Take the people of one stratum of migrant ties; "all" takes everybody."""
    if stratum not in STRATA:
        raise DataError(unknown("stratum", stratum, STRATA))
    if stratum == "all":
        return data
    taken = data.isel({PERSON: np.flatnonzero(data["network"].values.astype(str) == stratum)})
    title = f"{data.attrs['title']}, network: {stratum}"
    return taken.assign_attrs(stratum=stratum, title=title)


def formula_of(data: xr.Dataset, strata: str | None) -> str:
    """Return the paper's formula; without ties where everybody's are the same (Tables 2a-c)."""
    lacking = [n for n in TERMS if n not in data and n != "age_squared"]
    if lacking:
        raise DataError(
            f"the paper's formula needs the columns {', '.join(lacking)}, which these data lack; "
            "give formula="
        )
    within = strata == "network" or data.attrs.get("stratum", "all") != "all"
    return " + ".join(term for term in TERMS if not (within and term == "network"))


def published() -> pd.DataFrame:
    """Return every printed coefficient of Tables 1 and 2a-c, tidy, as printed.

    Returns
    -------
    DataFrame
        quantity, coordinates, estimate, se, ci_low, ci_high, ci_prob, source, note (stars);
        log odds.  The tables print no intervals: these are 95 %, estimate -+ 1.96 se.
    """
    from bayesmig.models.social_capital import printed

    rows = _rows(printed.read(), "coefficient")
    labels = rows.contrast + ", " + rows.term
    labels += np.where(rows.of == "all", "", ", ties: " + rows.of)
    rows = rows.assign(coordinates=labels, note=rows.stars)
    columns = "quantity coordinates estimate se ci_low ci_high ci_prob source note".split()
    return rows[columns]


def comparable(data: xr.Dataset) -> pd.DataFrame:
    """Return the printed numbers that belong to data with the paper's columns.

    ``coefficient``: Table 1 with contrast C corrected to A + B, or the stratum's column of
    Tables 2a-c for data of one stratum; for a model over strata (rows with a ``stratum``)
    all columns of Tables 2a-c.  ``coefficient_as_printed``: contrast C of Table 1 as it is
    printed.  ``stratum_difference``: as footnote 3 computes them.  None for other data.

    Columns: quantity, contrast, term, stratum, pair (empty where a quantity has no such
    dim), estimate, se, ci_low, ci_high, ci_prob, source, note.
    """
    if any(name not in data for name in COLUMNS if name not in IDENTIFIERS):
        return pd.DataFrame({name: pd.Series(dtype=str) for name in COMPARABLE})
    from bayesmig.models.social_capital import printed

    own = str(data.attrs.get("stratum", "all"))
    right = printed.corrected()
    changed = right.estimate != right.corrected
    source = right.source.where(~changed, right.source + ", corrected")
    rows = _rows(right.assign(estimate=right.corrected, source=source), "coefficient")
    parts = [rows[rows.of == own]]
    if own == "all":
        wrong = pd.Series("as printed, which is not A + B; ", right.index).where(changed, "")
        words = (wrong + right.stars).str.strip("; ")
        as_printed = _rows(right.assign(note=words), "coefficient_as_printed")
        unplanned = as_printed.contrast == ":".join(CONTRASTS["C"])
        parts.append(as_printed[(as_printed.of == "all") & unplanned])
        parts.append(rows[rows.of != "all"].assign(stratum=lambda part: part.of))
        parts.append(_differences(printed.strata_differences(printed.read())))
    table = pd.concat(parts, ignore_index=True).reindex(columns=COMPARABLE)
    texts = table[["stratum", "pair", "note"]].astype(object)
    return table.assign(**texts.where(texts.notna(), ""))


COMPARABLE = (
    "quantity contrast term stratum pair estimate se ci_low ci_high ci_prob source note".split()
)


def _rows(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Label printed rows as the graph does, with 95 % intervals; ``of`` is their stratum."""
    pairs = zip(table.term, table.level, strict=True)
    return _with_interval(table).assign(
        quantity=quantity,
        of=table.get("stratum"),
        stratum="",
        contrast=[":".join(CONTRASTS[letter]) for letter in table.contrast],
        term=[term_label(term, level) for term, level in pairs],
    )


def _differences(table: pd.DataFrame) -> pd.DataFrame:
    """Label the differences between strata of footnote 3."""
    return _rows(table, "stratum_difference").assign(
        pair=table["first"] + " - " + table["second"],
        source="Tables 2a-c, differences and their standard errors as in footnote 3",
        note=[f"two-sided p {p:.3f}" for p in table.p],
    )


def _with_interval(table: pd.DataFrame) -> pd.DataFrame:
    z = NormalDist().inv_cdf(0.975)
    return table.assign(
        ci_low=table.estimate - z * table.se, ci_high=table.estimate + z * table.se, ci_prob=0.95
    )


def term_label(term: str, level: str) -> str:
    """Label of a row of the tables, as the graph has it."""
    return f"{term}: {level}" if level else term


def text_of(values: pd.Series) -> pd.Series:
    """Write labels as text, whole numbers without decimals; missing ones stay missing."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        named = text_of(values.cat.categories.to_series())
        return values.cat.rename_categories(list(named)).astype(object)
    types = pd.api.types
    number = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if number and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    return values.astype(object).where(values.notna()).map(str, na_action="ignore")


def _once(table: pd.DataFrame, where: str = "") -> None:
    """No column is there twice."""
    twice = table.columns[table.columns.duplicated()]
    if len(twice):
        raise DataError(f"{where}column {twice[0]!r} is there twice")


def labels(within: bool) -> list[str]:
    """Labels of the paper's terms; within a stratum of ties without these."""
    terms = [term for term in TERMS if not (within and term == "network")]
    return [term_label(t, level) for t in terms for level in LEVELS.get(t, ("", ""))[1:]]


def _variable(name: str, column: pd.Series) -> xr.Variable:
    if pd.api.types.is_bool_dtype(column.dtype):
        return xr.Variable(PERSON, column.to_numpy(dtype=float))
    if pd.api.types.is_numeric_dtype(column.dtype) and name not in IDENTIFIERS:
        return xr.Variable(PERSON, column.to_numpy(dtype=float, na_value=np.nan))
    lacking = column.isna().to_numpy()
    values = np.where(lacking, "", text_of(column).to_numpy(dtype=object)).astype(str)
    own = {**LEVELS, "outcome": OUTCOMES}.get(name, ())
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = list(text_of(column.cat.categories.to_series()))
    elif set(values[~lacking]) <= set(own):
        levels = [str(level) for level in own]
    elif pd.api.types.is_numeric_dtype(column.dtype):
        levels = list(text_of(column.dropna().drop_duplicates().sort_values()))
    else:
        levels = sorted(set(values[~lacking]))
    if name == "person":
        return xr.Variable(PERSON, values)
    return xr.Variable(PERSON, values, {"levels": json.dumps(levels)})


def _read_table(path: Path) -> tuple[pd.DataFrame, dict[str, dict[Any, str]]]:
    """Read a file of any of the three kinds, rows numbered as the file numbers them."""
    readers = {".dta": _read_stata, ".csv": _read_csv, ".parquet": _read_parquet}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path}: {unknown('kind of file', path.suffix, readers)}")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    table, labels = readers[path.suffix.lower()](path)
    if table.empty:
        raise DataError(f"{path}: no rows")
    return table, labels


def _read_stata(path: Path) -> tuple[pd.DataFrame, dict[str, dict[Any, str]]]:
    try:
        import pyreadstat
    except ImportError:
        raise DataError(f"{path}: reading Stata files needs the package pyreadstat") from None
    try:
        table, meta = pyreadstat.read_dta(str(path))
    except (pyreadstat.ReadstatError, OSError) as error:
        raise DataError(f"{path}: not a Stata file: {error}") from None
    table.index = range(1, len(table) + 1)
    table = table.replace("", np.nan)  # Stata's missing value of text
    return _named_others(table, meta.variable_value_labels), dict(meta.variable_value_labels)


def _named_others(table: pd.DataFrame, labels: Mapping[str, Mapping[Any, str]]) -> pd.DataFrame:
    """Name the categories of columns that are not the analysis file's, if all have labels."""
    for name, named in labels.items():
        if name not in COLUMNS and name in table and table[name].dropna().isin(list(named)).all():
            levels = dict.fromkeys(named[code] for code in sorted(named))
            table = table.assign(**{name: pd.Categorical(table[name].map(named), list(levels))})
    return table


def _read_csv(path: Path) -> tuple[pd.DataFrame, dict[str, dict[Any, str]]]:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""])
    except (ValueError, UnicodeDecodeError, OSError) as error:  # the parser's errors are values'
        raise DataError(f"{path}: not a CSV file: {error}") from None
    lines = _lines(path)[1:]
    table.index = lines if len(lines) == len(table) else range(2, len(table) + 2)
    for name in table.columns.difference(COLUMNS):
        table[name] = _numbers(table[name])
    return table, {}


def _lines(path: Path) -> list[int]:
    """Lines on which the records of a text file begin, the header's first; empty ones have none."""
    found, last = [], 0
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file)
        for row in reader:
            if len(row) > 1 or "".join(row).strip():
                found.append(last + 1)
            last = reader.line_num
    return found


def _numbers(column: pd.Series) -> pd.Series:
    """Read text as numbers where all of it is; codes with leading zeros are text."""
    number = pd.to_numeric(column, errors="coerce")
    text = number.isna() & column.notna() | column.str.match(r"0\d", na=False)
    return column if text.any() else number


def _read_parquet(path: Path) -> tuple[pd.DataFrame, dict[str, dict[Any, str]]]:
    try:
        table = pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise DataError(f"{path}: not a Parquet file: {error}") from None
    table.index = range(1, len(table) + 1)
    return table, {}


def _labelled(
    table: pd.DataFrame, labels: Mapping[str, Mapping[Any, str]], where: str
) -> pd.DataFrame:
    """Put value labels in the place of codes, for categories and the outcome."""
    for name in ("outcome", *LEVELS):
        if name in table and labels.get(name):
            named = table[name].map(labels[name])
            nameless = table[name].notna() & named.isna()
            if nameless.any():
                raise DataError(
                    f"{where}: row {table.index[nameless][0]}, column {name}: "
                    f"{table[name][nameless].tolist()[0]!r} has no value label"
                )
            table = table.assign(**{name: named})
    return table


def _checked(table: pd.DataFrame, where: str) -> pd.DataFrame:
    """Check the columns of an analysis file; missing values are for `_complete`."""
    import pandera.pandas as pa

    lacking = [name for name in COLUMNS if name not in table]
    if lacking:
        raise DataError(
            f"{where}: no column {', '.join(lacking)}; it has {', '.join(map(str, table.columns))}"
        )

    def named(levels: tuple[str, ...]) -> Any:
        check = pa.Check.isin(levels, error=f"is none of {', '.join(levels)}")
        return pa.Column(str, check, nullable=True)

    yes_no = pa.Check.isin((0.0, 1.0), error="is neither 0 nor 1")
    age = pa.Check.in_range(0, 120, error="is no age in years between 0 and 120")
    schema = pa.DataFrameSchema(
        {
            "outcome": named(OUTCOMES),
            **{name: named(levels) for name, levels in LEVELS.items()},
            **{n: pa.Column(float, yes_no, nullable=True, coerce=True) for n in YES_NO},
            "age": pa.Column(float, age, nullable=True, coerce=True),
            "log_expenditure": pa.Column(
                float, pa.Check(np.isfinite, error="is not finite"), nullable=True, coerce=True
            ),
        }
    )
    # "0" children and municipality 15 may be numbers in the file
    text = {name: text_of(table[name]) for name in ("outcome", *LEVELS, *IDENTIFIERS)}
    try:
        table = schema.validate(table.assign(**text), lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"{where}: {_first_failures(error.failure_cases)}") from None
    twice = table["person"].notna() & table.duplicated(["person"])
    if twice.any():
        raise DataError(
            f"{where}: row {table.index[twice][0]}, column person: "
            f"{table['person'][twice].iloc[0]!r} is there twice (and {twice.sum() - 1} more)"
        )
    return table


def _first_failures(cases: pd.DataFrame, most: int = 5) -> str:
    """Say which rows and columns failed a schema, the first few of them."""
    cases = cases[cases["index"].notna()].drop_duplicates(["index", "column"])
    cases = cases.sort_values(["index", "column"])
    words = []
    for case in cases.head(most).to_dict("records"):
        check = str(case["check"])
        reason = "is not a number" if check.startswith(("coerce", "dtype")) else check
        words.append(
            f"row {int(case['index'])}, column {case['column']}: {case['failure_case']!r} {reason}"
        )
    more = f" (and {len(cases) - most} more)" if len(cases) > most else ""
    return "; ".join(words) + more


def _complete(table: pd.DataFrame, missing: str, where: str) -> tuple[pd.DataFrame, str]:
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
