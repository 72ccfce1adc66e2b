"""The survey as a Dataset: its schema, a synthetic twin, and what the graph observes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError, DataWarning
from bayesmig.models.snapshot import mig
from bayesmig.models.snapshot.simulate import Truth, follow

FIRST_YEAR, LAST_YEAR, FIRST_SURVEY = 1980, 2016, 1987  # the paper's window (Sections 2 and 9)
RESPONDENTS = 3480  # heads of household in the paper (Section 2)
ANSWERS = ("survey_year", "departure_year", "sojourn_years", "repeat", "trips")
FOLDER = Path(__file__).parent


def example() -> xr.Dataset:
    """Return the synthetic twin of the paper's sample: 3,480 respondents at its estimates."""
    table = pd.read_csv(FOLDER / "example.csv")
    data = to_dataset(
        {name: table[name].to_numpy() for name in ANSWERS},
        FIRST_YEAR,
        LAST_YEAR,
        title="SYNTHETIC snapshot surveys at the paper's estimates",
    )
    return _with_truth(data, read_truth(FOLDER / "truth.csv"))


def read(path: str | Path, **how: Any) -> xr.Dataset:
    """Read the Mexican Migration Project's MIG file; see `mig.read`.

    ``attrs["left_out"]`` says in words who was left out, for the report.
    """
    data = mig.read(path, **how)
    steps = mig.flow(data).set_index("reason")["count"]
    left = steps.iloc[1 : list(steps.index).index("kept")]  # the first row is the file's
    words = [f"{count} {reason}" for reason, count in left.items() if count > 0]
    return data.assign_attrs(left_out="; ".join(words) or "nobody")


def simulate(
    truth: Any = None,
    *,
    surveys: Mapping[int, int] | int = 116,
    seed: int = 0,
    first_year: int = FIRST_YEAR,
    last_year: int = LAST_YEAR,
) -> xr.Dataset:
    """Follow simulated migrants through the years and survey those at home.

    Parameters
    ----------
    truth : Truth or mapping, optional
        `Truth`, or a mapping of its names to arrays; the paper's estimates by default.
    surveys : mapping of int to int, or int
        Respondents by survey year; one number for every year from 1987 on.
    seed : int
    first_year, last_year : int
        The model's window; the truth's vectors have one element for each of its years.

    Returns
    -------
    Dataset
        As `example`, with ``attrs["truth"]``.

    Raises
    ------
    DataError
    """
    known = as_truth(truth)
    if known.years != last_year - first_year + 1:
        raise DataError(
            f"the truth has {known.years} years, {first_year}-{last_year} has "
            f"{last_year - first_year + 1}"
        )
    sizes = _survey_sizes(surveys, first_year, last_year)
    answers = follow(known, sizes, np.random.default_rng(seed))
    data = to_dataset(
        {
            "survey_year": answers["survey"] + first_year - 1,
            "departure_year": answers["departure"] + first_year - 1,
            "sojourn_years": answers["sojourn"],
            "repeat": answers["trips"] > 1,
            "trips": answers["trips"],
        },
        first_year,
        last_year,
        title=f"SYNTHETIC snapshot surveys, seed {seed}",
    )
    return _with_truth(data, known)


def _survey_sizes(
    surveys: Mapping[int, int] | int, first_year: int, last_year: int
) -> dict[int, int]:
    """Respondents by year of the model, counted from 1."""
    if not isinstance(surveys, Mapping):
        surveys = dict.fromkeys(range(max(FIRST_SURVEY, first_year + 1), last_year + 1), surveys)
    if not surveys:
        raise DataError("no survey: give respondents by survey year")
    for year, size in surveys.items():
        if not isinstance(year, Integral):
            raise DataError(f"a survey year must be a whole number, got {year!r}")
        if not first_year <= year <= last_year:
            raise DataError(f"a survey in {year}: the window is {first_year}-{last_year}")
        if not isinstance(size, Integral) or size < 1:
            raise DataError(f"the survey of {year} has {size!r} respondents; give 1 or more")
    return {int(year) - first_year + 1: int(size) for year, size in surveys.items()}


def to_dataset(
    answers: Mapping[str, Any], first_year: int, last_year: int, **attrs: Any
) -> xr.Dataset:
    """Put respondents' answers into a Dataset and check it."""
    data = xr.Dataset(
        {name: ("respondent", np.asarray(answers[name])) for name in ANSWERS},
        coords={"respondent": np.arange(len(answers["survey_year"]))},
        attrs={"first_year": first_year, "last_year": last_year, "synthetic": 0, **attrs},
    )
    return validate(data)


def validate(data: xr.Dataset) -> xr.Dataset:
    """Check respondents against the schema.

    Raises
    ------
    DataError
        Naming the variable, how many respondents and which, and what is valid.
    """
    for name in ANSWERS:
        if name not in data or data[name].dims != ("respondent",):
            raise DataError(f"respondents need a variable {name!r} with the one dim respondent")
    for name in ("first_year", "last_year"):
        if not isinstance(data.attrs.get(name), Integral):
            raise DataError(f"attribute {name!r} must be a year, got {data.attrs.get(name)!r}")
    if data.sizes["respondent"] == 0:
        raise DataError("no respondents")
    if data["repeat"].dtype != bool:
        raise DataError(f"repeat must be true or false, got {data['repeat'].dtype}")
    for name in ANSWERS:
        if data[name].dtype.kind not in "iub":
            raise DataError(f"{name} must be whole numbers, got {data[name].dtype}")
    survey, departure, sojourn, repeat, trips = (data[name].values for name in ANSWERS)
    first, last = data.attrs["first_year"], data.attrs["last_year"]
    for wrong, words in (
        ((survey < first) | (survey > last), f"surveyed outside of {first}-{last}"),
        (departure < first, f"departed before {first}"),
        (sojourn < 1, "stayed less than one year: months are rounded up"),
        (departure + sojourn - 1 > survey, "came home after the survey"),
        (trips < 1, "made no trip"),
        (repeat != (trips > 1), "made one trip and are repeaters, or more and are not"),
        (repeat & (departure == first), f"departed on a repeat trip in {first}, the first year"),
    ):
        if wrong.any():
            rows = np.flatnonzero(wrong)
            shown = ", ".join(map(str, data.respondent.values[rows[:5]]))
            raise DataError(
                f"{len(rows)} respondents {words}: {shown}{', ...' if len(rows) > 5 else ''}"
            )
    if len(np.unique(survey)) < 2:
        raise DataError(f"one survey only ({survey[0]}): the model needs several")
    return data


# --- what is printed ---------------------------------------------------------------------

HEADLINE = (  # what Section 12 estimates and the graph does too
    "solitary_share",
    "mean_trips_2016",
    "circular_share_of_crossings",
    "retirement_prob",
    "retired_share",
    "circular_sojourn_within_2_years",
    "mean_solitary_sojourn",
    "mean_circular_sojourn",
    "total_crossings",
    "population_2016",
)
MEASURES = ("estimate", "se", "ci_low", "ci_high", "ci_prob", "source", "note")
PROB, Z = 0.95, 1.96  # the paper's intervals


def published() -> pd.DataFrame:
    """Return every number that the paper prints as its own.

    Columns: quantity, coordinates (a year, or empty), estimate, se, ci_low, ci_high,
    ci_prob, source, note.
    """
    table = pd.read_csv(FOLDER / "published" / "quantities.csv", dtype={"year": str})
    table["coordinates"] = table["year"].fillna("")
    return table[["quantity", "coordinates", *MEASURES]].fillna({"note": ""})


def comparable(data: xr.Dataset) -> pd.DataFrame:
    """Return the paper's headline numbers; standard error and interval where it has one.

    Of standard error and 95 % interval the paper prints one; the other follows from it.
    """
    table = published().drop(columns="coordinates")
    last = int(data.attrs["last_year"])
    names = [n for n in HEADLINE if not n[-4:].isdigit() or int(n[-4:]) == last]
    table = table.set_index("quantity").loc[names].reset_index()
    only_se = table.se.notna() & table.ci_low.isna()
    table["note"] += np.where(only_se, "interval from the printed standard error", "")
    table["se"] = table.se.fillna((table.ci_high - table.ci_low) / (2 * Z))
    table["ci_low"] = table.ci_low.fillna(table.estimate - Z * table.se)
    table["ci_high"] = table.ci_high.fillna(table.estimate + Z * table.se)
    table["ci_prob"] = table.ci_prob.where(table.se.isna(), PROB)
    return table


# --- truth ------------------------------------------------------------------------------


def as_truth(truth: Any) -> Truth:
    """Turn what a user gives as truth into a checked `Truth`; None is the shipped one."""
    if truth is None:
        return read_truth(FOLDER / "truth.csv")
    if isinstance(truth, Truth):
        return _checked(truth)
    names = list(Truth.__dataclass_fields__)
    for name in names:
        if name not in truth:
            raise DataError(f"the truth has no {name}; it needs {', '.join(names)}")
    return _checked(Truth(**{name: _number_or_array(name, truth[name]) for name in names}))


def read_truth(path: Path) -> Truth:
    """Read a truth from a CSV file with columns variable, label, value."""
    table = pd.read_csv(path)
    groups = {
        str(name): group["value"].to_numpy()
        for name, group in table.groupby("variable", sort=False)
    }
    return as_truth(groups)


def _number_or_array(name: str, value: Any) -> Any:
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError):
        raise DataError(f"truth: {name} must be numbers, got {value!r}") from None
    return float(array.ravel()[0]) if array.size == 1 else array


def _checked(truth: Truth) -> Truth:
    for name in ("solitary_share", "retirement_prob"):
        if np.ndim(getattr(truth, name)) or not 0 <= getattr(truth, name) <= 1:
            raise DataError(f"truth: {name} must be in [0, 1], got {getattr(truth, name)}")
    for name in (
        "solitary_departures",
        "rookie_departures",
        "solitary_sojourn",
        "circular_sojourn",
    ):
        values = getattr(truth, name)
        if not (np.all(values >= 0) and abs(values.sum() - 1) <= 1e-6):
            raise DataError(
                f"truth: {name} must be shares that add up to 1, not {values.sum():.6g}"
            )
    lengths = {
        n: len(getattr(truth, n))
        for n in ("solitary_departures", "rookie_departures", "repeat_prob")
    }
    if len(set(lengths.values())) > 1:
        raise DataError(f"truth: unequal numbers of years: {lengths}")
    if len(truth.solitary_sojourn) != len(truth.circular_sojourn):
        raise DataError(
            "truth: solitary_sojourn and circular_sojourn have unequal numbers of classes"
        )
    if len(truth.circular_sojourn) > truth.years:
        raise DataError(
            f"truth: {len(truth.circular_sojourn)} sojourn classes in {truth.years} years"
        )
    if truth.repeat_prob[0] != 0 or not np.all((truth.repeat_prob >= 0) & (truth.repeat_prob <= 1)):
        raise DataError("truth: repeat_prob must be in [0, 1], and 0 in the first year")
    return truth


def _with_truth(data: xr.Dataset, truth: Truth) -> xr.Dataset:
    values = {
        name: np.asarray(getattr(truth, name)).tolist() for name in Truth.__dataclass_fields__
    }
    return data.assign_attrs(synthetic=1, truth=json.dumps(values))


def truth(data: xr.Dataset) -> dict[str, NDArray[np.float64]]:
    """Return the known values of the graph's variables that simulated data carry.

    Raises
    ------
    DataError
        If the data are not simulated.
    """
    if "truth" not in data.attrs:
        raise DataError("these data carry no truth: they are not simulated")
    return {name: np.asarray(value) for name, value in json.loads(data.attrs["truth"]).items()}


# --- what the graph observes ------------------------------------------------------------


@dataclass(frozen=True)
class Cells:
    """Distinct answers with their counts; indices are 0-based years of the model.

    Attributes
    ----------
    survey, departure : ndarray of int (cell)
        Indices of years.
    sojourn : ndarray of int (cell)
        Years stayed less one.
    repeat : ndarray of float (cell)
        1 for a repeat trip, 0 for the one trip since the first year.
    count, survey_size : ndarray of int (cell)
        Respondents, and all respondents of the cell's survey.
    """

    survey: NDArray[np.int64]
    departure: NDArray[np.int64]
    sojourn: NDArray[np.int64]
    repeat: NDArray[np.float64]
    count: NDArray[np.int64]
    survey_size: NDArray[np.int64]

    def labels(self, first_year: int) -> list[str]:
        """Say what each cell's respondents answered."""
        kinds = np.where(self.repeat == 1, "repeat", "single")
        return [
            f"{first_year + t}: left {first_year + d}, stayed {j + 1}, {kind} trip"
            for t, d, j, kind in zip(self.survey, self.departure, self.sojourn, kinds, strict=True)
        ]


def cells(data: xr.Dataset, which: str = "answered") -> Cells:
    """Count respondents by survey, departure, sojourn and whether the trip was a repeat.

    Parameters
    ----------
    data : Dataset
    which : {"answered", "possible"}
        Cells with respondents, or every cell that a respondent of one of the surveys
        could fall into.
    """
    first = data.attrs["first_year"]
    answers = np.column_stack(
        [
            data["survey_year"].values - first,
            data["departure_year"].values - first,
            data["sojourn_years"].values - 1,
            data["repeat"].values.astype(np.int64),
        ]
    )
    if which == "answered":
        distinct, count = np.unique(answers, axis=0, return_counts=True)
    else:
        distinct = np.array(
            [
                (t, d, j, r)
                for t in np.unique(answers[:, 0])
                for d in range(t + 1)
                for j in range(t - d + 1)
                for r in (0, 1)
                if not (r and d == 0)
            ]
        )
        index = {tuple(cell): i for i, cell in enumerate(distinct.tolist())}
        count = np.bincount([index[tuple(a)] for a in answers.tolist()], minlength=len(distinct))
    size = np.bincount(answers[:, 0])[distinct[:, 0]]
    survey, departure, sojourn, repeat = distinct.T
    return Cells(survey, departure, sojourn, repeat.astype(float), count, size)


@dataclass(frozen=True)
class MeanTrips:
    """Mean trips to date of each survey's respondents, and its standard error (eq. 39).

    Attributes
    ----------
    survey : ndarray of int (survey)
        Index of the year.
    mean, error : ndarray (survey)
        Trips.
    """

    survey: NDArray[np.int64]
    mean: NDArray[np.float64]
    error: NDArray[np.float64]


def mean_trips(data: xr.Dataset) -> MeanTrips:
    """Return the sample means that calibrate the trips, and their standard errors.

    Warns
    -----
    DataWarning
        Naming the surveys that have no usable standard error (fewer than two
        respondents, or all with the same number of trips) and are left out.

    Raises
    ------
    DataError
        If no survey has one.
    """
    trips = data["trips"].to_series().groupby(data["survey_year"].values)
    table = pd.DataFrame({"mean": trips.mean(), "error": trips.sem(), "n": trips.size()})
    usable = table["error"] > 0
    if not usable.any():
        raise DataError("no survey has two respondents with different numbers of trips")
    if not usable.all():
        left = ", ".join(f"{year} ({n} respondents)" for year, n in table.loc[~usable, "n"].items())
        warnings.warn(
            f"mean trips have no standard error, and are not used, in {left}",
            DataWarning,
            stacklevel=2,
        )
    table = table[usable]
    return MeanTrips(
        table.index.to_numpy() - data.attrs["first_year"],
        table["mean"].to_numpy(),
        table["error"].to_numpy(),
    )
