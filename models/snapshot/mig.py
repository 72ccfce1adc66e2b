"""The MIG file of the Mexican Migration Project as a Dataset of respondents.

MIG has one row for each head of household who has been to the United States, with the
first and the last trip and up to 30 border crossings.  Any release (``mig161``, ``mig170``,
``mig174``), any format the project distributes, any case of file and column names.  Nobody
is left out in silence: `flow` shows how many were, for which reason, in the order in which
the reasons apply.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.attrs import pack, unpack
from bayesmig.errors import DataError
from bayesmig.models.snapshot.paper import FIRST_SURVEY, FIRST_YEAR, LAST_YEAR, RESPONDENTS
from bayesmig.readers import NUMBER, check_columns, ordinary, read_text, text_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNKNOWN, NOT_APPLICABLE = 9999, 8888
BLANKS = ("", ".", "NA")  # not asked in that community; NA is how R writes it
UNDOCUMENTED, ABROAD, ON_TRIP, CROSSED, HEAD = 8, 2, 1, 1, 1
COLUMNS = ("surveypl", "surveyyr", "usyrl", "usdurl", "usdocl", "usyr1", "ustrips", "uscurtrp")
HOUSEHOLD_KEY = ("commun", "surveypl", "hhnum")  # which one it is, in a country
MEXICO = ("mexico", "méxico")
OF_HOUSEHOLD = ("country", "commun", "hhnum")  # read where they are there, to tell who is twice
FEWEST_CROSSINGS = 11  # MIGOTHER has ten at most, MIG 25 or 30
CODES = {
    "surveypl": {1: "home country", 2: "US community"},
    "usdocl": {
        1: "legal resident",
        2: "bracero",
        3: "H2A",
        4: "temporary worker",
        5: "tourist",
        6: "citizen",
        7: "Silva letter",
        8: "undocumented",
        9: "refugee or asylum",
        12: "DACA",
    },
    "uscurtrp": {1: "still on the trip", 2: "returned"},
    "crsyes": {1: "yes", 2: "no"},
}
LONGEST, MOST_TRIPS = 100, 1000  # years of a stay, and trips, that one can report
ALWAYS_KNOWN = ("surveypl", "surveyyr")
READERS = {  # functions of pyreadstat by extension
    ".csv": "",
    ".dta": "read_dta",
    ".sav": "read_sav",
    ".zsav": "read_sav",
    ".por": "read_por",
    ".sas7bdat": "read_sas7bdat",
    ".xpt": "read_xport",
}
# a letter in an old encoding matters only where a number should be, and is an error there
OLD_ENCODINGS = "replace"
FORMATS = (
    "CSV (.csv), Stata (.dta), SPSS (.sav, .zsav, .por) or SAS (.sas7bdat, .xpt), "
    "unpacked if it came in an archive"
)


class Answers(NamedTuple):
    """Answers as numbers; NaN is blank, 9999 unknown, 8888 not applicable.

    Attributes
    ----------
    single : dict of str to ndarray (row)
        Columns by lower-case name.
    crossing_year, crossing_made : ndarray (row, crossing)
        CRSYR1, CRSYR2, ... and CRSYES1, CRSYES2, ...
    """

    single: dict[str, NDArray[np.float64]]
    crossing_year: NDArray[np.float64]
    crossing_made: NDArray[np.float64]


def read(
    path: str | Path,
    *,
    first_year: int = FIRST_YEAR,
    last_year: int = LAST_YEAR,
    first_survey: int | None = FIRST_SURVEY,
    last_survey: int | None = None,
) -> xr.Dataset:
    """Read the MIG file of the Mexican Migration Project.

    A respondent is kept who is a head of household surveyed in Mexico from ``first_survey``
    on, whose last trip to the United States was undocumented, is over, began in or after
    ``first_year`` and has a known duration.  The model's years are those of Section 6 of the
    paper: departures at the start and returns at the end of a year, so that a sojourn is the
    months reported, divided by 12 and rounded up (one year at least), and ends in
    departure + sojourn - 1.  That is the earliest year in which such a trip can have ended:
    who would have returned after the survey year contradicts himself, and is left out.

    Trips are counted from ``first_year`` on, and ``repeat`` is whether they are more than one:
    the "single trip (since 1980)" of Section 9.  If the first trip was in or after
    ``first_year``, they are all trips (USTRIPS).  If it was earlier, or in an unknown year,
    they are the successful crossings (CRSYR, CRSYES) from ``first_year`` to the survey year,
    and one at least, the last trip itself.  Where none is recorded, or the year or the success
    of one is unknown, or its year is after the survey, they cannot be resolved, and the
    respondent is left out.  So is a repeat trip that began in ``first_year``, which the model
    rules out (note to eq. 26).

    Parameters
    ----------
    path : str or Path
        A CSV, Stata, SPSS or SAS file, told by its extension.
    first_year, last_year : int
        The model's years.  No survey may be outside of them.
    first_survey, last_survey : int, optional
        Surveys before or after these years are left out, and counted.  The paper begins with
        1987; None takes all.

    Returns
    -------
    Dataset
        Dim ``respondent`` (the row of the file, from 1, is its coordinate) with
        ``survey_year``, ``departure_year``, ``sojourn_years``, ``trips`` (int) and ``repeat``
        (bool); attrs ``first_year``, ``last_year``, ``title``, ``file``, ``synthetic`` (0),
        ``left_out`` (in words, with counts), ``country`` (the file's COUNTRY, if it has it)
        and ``flow`` (see `flow`).

    Raises
    ------
    DataError
        For what is no such file, lacks columns, is another file of the project (names it),
        has a code that the codebook does not, a survey outside of the years, or fewer than
        two surveys.
    """
    if not first_year < last_year:
        raise DataError(f"first_year={first_year} must be before last_year={last_year}")
    path = Path(path)
    answers, country = _answers(path)
    _check(answers, str(path))
    survey = answers.single["surveyyr"]
    early = survey < (-np.inf if first_survey is None else first_survey)
    late = survey > (np.inf if last_survey is None else last_survey)
    _check_surveys(survey[~early & ~late], first_year, last_year, str(path))
    trips, counted, reasons = _trips(answers, first_year)
    asked = [(first_survey, "before", early), (last_survey, "after", late)]
    kept, steps = _exclude(
        [
            *((f"surveyed {side} {year}", out) for year, side, out in asked if year is not None),
            *_reasons(answers, first_year),
            *reasons,
        ],
        len(survey),
    )
    _check_kept(survey[kept], steps, str(path))
    left_out = "; ".join(f"{count} {reason}" for reason, count in steps[1:] if count)
    steps += [
        ["kept", int(kept.sum())],
        ["of these, trips counted from crossings", int((kept & counted).sum())],
        *([[f"of these, with COUNTRY {country}", int(kept.sum())]] if country else []),
        ["kept in the paper, from mig161", RESPONDENTS],
    ]
    numbers = {
        "survey_year": survey,
        "departure_year": answers.single["usyrl"],
        "sojourn_years": _sojourn(answers),
        "trips": trips,
    }
    return xr.Dataset(
        {
            **{n: ("respondent", values[kept].astype(np.int64)) for n, values in numbers.items()},
            "repeat": ("respondent", trips[kept] > 1),
        },
        coords={"respondent": 1 + np.flatnonzero(kept)},
        attrs={
            "title": f"Mexican Migration Project, {path.name}"
            + (f", COUNTRY {country}" if country else ""),
            "file": path.name,
            "country": country,
            "first_year": first_year,
            "last_year": last_year,
            "synthetic": 0,
            "left_out": left_out,
            "flow": pack(steps),
        },
    )


def flow(data: xr.Dataset) -> pd.DataFrame:
    """Return who was left out of a file, by reason, in the order in which reasons apply.

    Parameters
    ----------
    data : Dataset
        From `read`.

    Returns
    -------
    DataFrame
        Columns ``reason``, ``count`` and ``left``, the respondents left after that step.
        Everybody is counted once, under the first reason that applies.  The last rows say
        how many were kept, for how many of these trips were counted from crossings, and how
        many the paper kept of its release (3,480); and COUNTRY where the file has it.

    Raises
    ------
    DataError
        For data that were not read from the project's file.
    """
    if "flow" not in data.attrs:
        raise DataError(
            f"{data.attrs.get('title', 'the data')!r} has no attrs['flow']; "
            "the flow table belongs to data read from the MIG file, study.read(path)"
        )
    table = pd.DataFrame(unpack(data.attrs, "flow", list), columns=["reason", "count"])
    n = list(table.reason).index("kept")
    left = table["count"][0] - table["count"][1:n].cumsum()
    return table.assign(left=pd.concat([table["count"][:1], left]).astype("Int64"))


# The columns of a file


def _answers(path: Path) -> tuple[Answers, str]:
    """Read the columns that are used, whatever the format; and the country, if the file says."""
    suffix = path.suffix.lower()
    if path.is_dir():
        raise DataError(f"{path}: a folder; give the MIG file itself: {FORMATS}")
    ordinary(path)
    if suffix not in READERS:
        raise DataError(f"{path}: extension {suffix!r}; valid: {FORMATS}")
    if not path.stat().st_size:
        raise DataError(f"{path}: empty")
    if suffix == ".csv":
        columns = _wanted(_csv_names(path), str(path))
        table = read_text(path, OLD_ENCODINGS)
    else:
        columns = _wanted(_stat(path, metadataonly=True)[1], str(path))
        table, _ = _stat(path, usecols=list(columns.values()))
    table = table[list(columns.values())].set_axis(list(columns), axis=1)
    if table.empty:
        raise DataError(f"{path}: no rows, only names of columns")
    _check_once(table, str(path))
    country = _country(table, str(path))
    table = table.drop(columns=[name for name in OF_HOUSEHOLD if name in table])
    columns = {name: own for name, own in columns.items() if name in table}
    numbers = {name: _numbers(table[name], name, str(path)) for name in columns}
    years, made = (
        np.column_stack([numbers.pop(name) for name in columns if name.startswith(stem)])
        for stem in ("crsyr", "crsyes")
    )
    return Answers(numbers, years, made), country


def _check_once(table: pd.DataFrame, where: str) -> None:
    """Raise if a household is there twice: a file joined to itself doubles everybody."""
    if not {*HOUSEHOLD_KEY} <= {*table.columns}:
        return
    twice = table.duplicated([name for name in ("country", *HOUSEHOLD_KEY) if name in table])
    if twice.any():
        row = int(np.flatnonzero(twice)[0]) + 1
        raise DataError(
            f"{where}: row {row} of the data: the household is there already, and so with "
            f"{twice.sum() - 1} more of {len(table)}: a file joined to itself?"
        )


def _country(table: pd.DataFrame, where: str) -> str:
    """Return the country of the file; raise if it has several, or names another than Mexico.

    The codes of countries are in neither paper nor codebook, so that a number is told, with
    its count, and not judged.
    """
    if "country" not in table:
        return ""
    counts = table["country"].astype(str).str.strip().value_counts()
    named = [name for name in counts.index if not re.fullmatch(r"[\d.]*", name)]
    if len(counts) > 1 or any(name.lower() not in MEXICO for name in named):
        words = ", ".join(f"{country}: {n}" for country, n in counts.items())
        raise DataError(
            f"{where}: column COUNTRY: households of other countries ({words}); the model is of "
            "Mexico, and the Latin American project's files are of other countries"
        )
    return str(counts.index[0])


def _wanted(names: Iterable[str], where: str) -> dict[str, str]:
    """Return the columns that are used, by lower-case name, as the file writes them."""
    found: dict[str, str] = {}
    for name in names:
        if name.strip().lower() in found:
            raise DataError(f"{where}: column {name.strip().upper()} is there twice")
        found[name.strip().lower()] = name
    n = 1
    while f"crsyr{n}" in found:
        n += 1
    crossings = range(1, max(n, FEWEST_CROSSINGS + 1))
    wanted = [
        *COLUMNS,
        *(f"crsyr{i}" for i in crossings),
        *(f"crsyes{i}" for i in crossings),
    ]
    lacking = [name.upper() for name in wanted if name not in found]
    if lacking:
        listed = ", ".join(lacking[:12]) + (
            f" and {len(lacking) - 12} more" if len(lacking) > 12 else ""
        )
        raise DataError(
            f"{where}: {_other_file(found)}no column {listed}; the model needs the MIG file "
            f"(one row for each head of household, with CRSYR1, CRSYR2, ...); this one has "
            f"{len(found)} columns, the first {', '.join(list(found.values())[:8])}"
        )
    return {n: found[n] for n in (*wanted, *(n for n in ("relhead", *OF_HOUSEHOLD) if n in found))}


def _other_file(names: Mapping[str, str]) -> str:
    """Say which other file of the project has such columns, if one does."""
    if {"crsyr1", "crsyes1"} <= set(names) and f"crsyr{FEWEST_CROSSINGS}" not in names:
        kind = "MIGOTHER (a migrant other than the head, ten crossings at most)"
    elif {"year", "occup"} <= set(names):
        kind = "LIFE or SPOUSE (one row for each year of a life)"
    elif "relhead" in names and "crsyr1" not in names:
        kind = "PERS (one row for each member of a household)"
    elif any(name.startswith("compop") for name in names):
        kind = "COMMUN (one row for each community)"
    else:
        return ""
    return f"this seems to be {kind}: "


def _csv_names(path: Path) -> list[str]:
    """Names of the columns, before what is no such file is read through."""
    _, names = next(text_rows(path, OLD_ENCODINGS), (0, []))
    if not names:
        raise DataError(f"{path}: not a CSV file: empty, not even names of columns")
    if not "".join(names).isprintable():
        raise DataError(f"{path}: not a CSV file of text")
    return names


def _stat(path: Path, **how: Any) -> tuple[pd.DataFrame, list[str]]:
    """Read a Stata, SPSS or SAS file with pyreadstat; return values and names of columns."""
    import pyreadstat

    reader: Callable[..., Any] = getattr(pyreadstat, READERS[path.suffix.lower()])
    if reader is pyreadstat.read_sav:
        how["user_missing"] = True  # else 8888 and 9999, declared missing, would look blank
    tries: list[dict[str, Any]] = [how]
    if reader is not pyreadstat.read_por:
        tries.append({**how, "encoding": "LATIN1"})  # labels in Spanish, wrongly declared
    reasons = []
    for options in tries:
        try:
            table, about = reader(path, **options)
        except Exception as error:  # what pyreadstat raises of damaged files is of any kind
            reasons.append(str(error).strip() or type(error).__name__)
        else:
            check_columns(about.column_names, str(path))
            return table, about.column_names
    raise DataError(
        f"{path}: cannot be read as its extension {path.suffix} says ({reasons[0]}); "
        "is it another format, or cut short?"
    )


# Answers as numbers


def _numbers(column: pd.Series, name: str, where: str) -> NDArray[np.float64]:
    """Return numbers, NaN where blank; anything else is an error."""
    text = column.astype(str).str.strip()
    blank = (column.isna() | text.isin(BLANKS)).to_numpy(dtype=bool)
    plain = blank | text.str.fullmatch(NUMBER).to_numpy(dtype=bool)  # not 1_000, nor 0x1F
    numbers = pd.to_numeric(text.where(plain).mask(blank), errors="coerce").to_numpy(dtype=float)
    wrong = ~blank & ~np.isfinite(numbers)
    if wrong.any():
        raise _wrong(text.to_numpy(), wrong, name, where, "a number")
    return numbers


def _wrong(
    values: NDArray[Any], wrong: NDArray[np.bool_], name: str, where: str, valid: str
) -> DataError:
    """Say which answer of a column is none."""
    first = int(np.flatnonzero(wrong)[0])
    value = values[first]
    shown = f"{value:g}" if isinstance(value, float) else repr(value)
    more = f" (and {wrong.sum() - 1} more rows)" if wrong.sum() > 1 else ""
    if name not in ALWAYS_KNOWN:
        valid += f", {UNKNOWN} unknown, {NOT_APPLICABLE} not applicable, blank or '.' not asked"
    shown = "blank" if shown == "nan" else shown
    return DataError(
        f"{where}: row {first + 1} of the data, column {name.upper()}: {shown}{more}; "
        f"valid: {valid}"
    )


def _known(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.isfinite(values) & (values != UNKNOWN) & (values != NOT_APPLICABLE)


def _check(answers: Answers, where: str) -> None:
    """Check every answer against the codebook."""
    for name, values in _named(answers):
        stem = name.rstrip("0123456789") if name.startswith("crs") else name
        given = np.ones_like(values, dtype=bool) if name in ALWAYS_KNOWN else _known(values)
        if stem in CODES:
            valid = ", ".join(f"{code} {label}" for code, label in CODES[stem].items())
            right = np.isin(values, list(CODES[stem]))
        elif stem == "usdurl":
            valid = f"months from 0 on, up to {12 * LONGEST}"
            right = (values >= 0) & (values <= 12 * LONGEST)
        elif stem == "ustrips":
            valid = f"a number of trips from 0 on, up to {MOST_TRIPS}"
            right = (values >= 0) & (values <= MOST_TRIPS) & (values % 1 == 0)
        elif stem == "relhead":
            continue  # any code but the head's is somebody else
        else:
            valid = "a year from 1900 to 2100"
            right = (values >= 1900) & (values <= 2100) & (values % 1 == 0)
        if (given & ~right).any():
            raise _wrong(values, given & ~right, name, where, valid)


def _named(answers: Answers) -> Iterator[tuple[str, NDArray[np.float64]]]:
    yield from answers.single.items()
    for stem, block in (("crsyr", answers.crossing_year), ("crsyes", answers.crossing_made)):
        for i, column in enumerate(block.T, start=1):
            yield f"{stem}{i}", column


def _check_surveys(
    survey: NDArray[np.float64], first_year: int, last_year: int, where: str
) -> None:
    outside = np.unique(survey[(survey < first_year) | (survey > last_year)]).astype(int)
    if len(outside):
        raise DataError(
            f"{where}: surveys of {', '.join(map(str, outside))} are outside of the model's years "
            f"{first_year}-{last_year}; widen these (first_year=, last_year=), or leave such "
            "surveys out and have them counted (first_survey=, last_survey=)"
        )


def _check_kept(survey: NDArray[np.float64], steps: Sequence[Sequence[Any]], where: str) -> None:
    surveys = np.unique(survey).astype(int)
    if len(surveys) < 2:
        found = f"one survey only, of {surveys[0]}" if len(surveys) else "nobody"
        most = sorted(steps[1:], key=lambda step: -step[1])[:3]
        why = "; ".join(f"{count} {reason}" for reason, count in most if count)
        raise DataError(
            f"{where}: of {steps[0][1]} respondents {found} is left, and the model needs two "
            f"surveys at least" + (f"; left out: {why}" if why else "")
        )


# Who is kept


def _missing(what: str, values: NDArray[np.float64]) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the three ways in which an answer can be missing."""
    return [
        (f"{what} unknown ({UNKNOWN})", values == UNKNOWN),
        (f"{what} not applicable ({NOT_APPLICABLE})", values == NOT_APPLICABLE),
        (f"{what} blank", np.isnan(values)),
    ]


def _sojourn(answers: Answers) -> NDArray[np.float64]:
    """Years, rounded up (Section 9), and one at least."""
    return np.maximum(np.ceil(answers.single["usdurl"] / 12), 1)


def _reasons(answers: Answers, first_year: int) -> list[tuple[str, NDArray[np.bool_]]]:
    """Return the reasons to leave somebody out, in order, but for those of `_trips`."""
    single = answers.single
    last = np.array([single[name] for name in ("usyrl", "usdurl", "usdocl")])
    departure, survey, document = single["usyrl"], single["surveyyr"], single["usdocl"]
    beyond = departure + _sojourn(answers) - 1 - survey
    never = (single["ustrips"] == 0) | (last == NOT_APPLICABLE).all(axis=0)
    reasons = [("no trip to the United States", never)]
    if "relhead" in single:
        reasons.insert(0, ("not the head of the household", single["relhead"] != HEAD))
    reasons += [
        (f"last trip not undocumented: {label} ({code})", document == code)
        for code, label in CODES["usdocl"].items()
        if code != UNDOCUMENTED
    ]
    return [
        *reasons,
        *_missing("document of the last trip", document),
        ("surveyed in the United States", single["surveypl"] == ABROAD),
        ("still on the last trip", single["uscurtrp"] == ON_TRIP),
        *_missing("whether still on the last trip", single["uscurtrp"]),
        *_missing("departure year", departure),
        (f"departure before {first_year}", departure < first_year),
        ("departure after the survey year", departure > survey),
        *_missing("duration", single["usdurl"]),
        ("return one year after the survey year", beyond == 1),
        ("return two or more years after the survey year", beyond > 1),
    ]


def _trips(
    answers: Answers, first_year: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_], list[tuple[str, NDArray[np.bool_]]]]:
    """Count trips since the first year.

    Returns
    -------
    trips : ndarray (row)
    counted : ndarray of bool (row)
        Whether they were counted from crossings.
    reasons : list
        Why somebody has no count that can be used.
    """
    single, year, made = answers.single, answers.crossing_year, answers.crossing_made
    all_since = _known(single["usyr1"]) & (single["usyr1"] >= first_year)
    recorded = np.isfinite(year) & (year != NOT_APPLICABLE)
    since = _known(year) & (year >= first_year)
    after = _known(year) & (year > single["surveyyr"][:, None])
    unclear = recorded & (~_known(year) | after | (since & ~_known(made)))
    crossings = (since & (made == CROSSED)).sum(axis=1)
    trips = np.where(all_since, single["ustrips"], np.maximum(crossings, 1))
    resolved = recorded.any(axis=1) & ~unclear.any(axis=1)
    reasons = [
        (label, all_since & missing)
        for label, missing in _missing("number of trips", single["ustrips"])
    ]
    reasons += [
        (
            f"first trip before {first_year} or in an unknown year, "
            "and crossings do not tell the trips since",
            ~all_since & ~resolved,
        ),
        (
            f"repeat trip in {first_year}, the model's first year",
            (single["usyrl"] == first_year) & (trips > 1),
        ),
    ]
    return trips, ~all_since, reasons


def _exclude(
    reasons: Iterable[tuple[str, NDArray[np.bool_]]], n: int
) -> tuple[NDArray[np.bool_], list[list[Any]]]:
    """Apply reasons one after the other; count each respondent once."""
    left = np.ones(n, dtype=bool)
    steps: list[list[Any]] = [["in the file", n]]
    for reason, applies in reasons:
        steps.append([reason, int((left & applies).sum())])
        left &= ~applies
    return left, steps
