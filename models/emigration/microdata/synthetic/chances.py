"""SYNTHETIC persons who emigrate, die, move, return and are lost, with known probabilities.

The truth is a table of effects on the logit scale.  From it come a panel of persons
(`simulate_panel`), a survey of addresses written as an IPUMS CPS extract
(`write_extract`), and what an estimate should find (`expected`, `true_cells`).
Nothing here is a survey record; every file, table and codebook says so.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.errors import DataError, StudyError
from bayesmig.models.emigration.microdata import synthetic_people as people_of

TRUTH = Path(__file__).with_name("truth.json")
SYNTHETIC = "SYNTHETIC persons, simulated from stated probabilities: no record of any survey"
FATES = ("emigrated", "died", "moved", "lost", "followed")
RESIDUALS = ("hazard", "probability")
# A child moves, and is lost, with its parent: these covariates are then the parent's, and so
# is the generation as far as it moves; as to ``generation_gap`` the child is of the first.
HOUSEHOLD = ("origin", "age_group", "sex", "enrolment", "education")
CHILD = "0-14"
RECENT = 1.5  # years in the US up to which somebody from abroad is no return immigrant
SCENARIOS: dict[str, dict[str, float]] = {
    "assumptions_hold": {},
    "second_generation_emigrates": {"second_generation_emigration": 0.01},
    "first_generation_harder": {"generation_gap": 0.4},
}
Columns = Mapping[str, Any]
Shares = dict[str, NDArray[np.float64]]


def default_truth(residual: str = "hazard") -> dict[str, Any]:
    """Return the truth that ships with the package (``truth.json``), to be changed at will.

    Parameters
    ----------
    residual : {"hazard", "probability"}
        What is equal in both generations at the same covariates.  ``hazard``: the chance to
        be lost of those who have neither emigrated nor died nor moved.  ``probability``: the
        share lost of all, r^f = r^s, as the report assumes (eq. 2).

    Returns
    -------
    dict
        ``emigrated``, ``moved``, ``lost``, ``returned``: an intercept and effects, logits;
        those of ``emigrated`` and ``returned`` sum to zero over the levels of a factor.
        ``died``: for each generation the coefficients of Table 3 with the program's digits
        (Appendix F); age groups 18-24 to 65-74, ages 15-17 with the youngest, 75+ the
        reference; children do not die.  ``second_generation_emigration``: probability a
        year.  ``generation_gap``: added to the logit of ``lost`` for the first generation.
        ``residual``.  ``survey``: chances that matter only for households (`write_extract`).

    Raises
    ------
    StudyError
        For another residual.
    """
    truth = json.loads(TRUTH.read_text(encoding="utf-8"))
    truth["residual"] = _valid("residual", residual, RESIDUALS)
    return truth


def scenario(name: str, residual: str = "hazard") -> dict[str, Any]:
    """Return a truth in which the report's assumptions hold, or in which one is broken.

    Parameters
    ----------
    name : str
        ``assumptions_hold``; ``second_generation_emigrates`` (one per cent a year);
        ``first_generation_harder`` (the logit of being lost is 0.4 higher).
    residual : {"hazard", "probability"}
        See `default_truth`.  With ``hazard`` even the first scenario departs from eq. 2 by
        what the generations differ in emigration, mortality and internal migration.

    Raises
    ------
    StudyError
    """
    change = SCENARIOS[_valid("scenario", name, tuple(SCENARIOS))]
    return {**default_truth(residual), **change}


def simulate_panel(
    truth: Mapping[str, Any] | None = None,
    *,
    persons: int = 20_000,
    years: Iterable[int] = range(1996, 2001),
    seed: int = 0,
) -> pd.DataFrame:
    """Simulate the person table of a panel: who is eligible, and who is followed up.

    In proportion to the report's sample: 61 % foreign born, of whom 7 % are children of
    1-14, and 39 % second-generation adults.  Adults are independent of each other.  A child
    belongs to one of the adults; with the chance ``survey: child_with_parent`` it draws
    the same lot as its parent and else a lot of its own, so that each child by itself has
    the probabilities of `expected` whatever happens to the parent.

    Parameters
    ----------
    truth : mapping, optional
        See `default_truth`.
    persons : int
        Rows, at least 200.
    years : iterable of int
        Years t, of those in the truth; persons are spread evenly over them.
    seed : int

    Returns
    -------
    DataFrame
        One row per person-year with the columns of a panel's table ``person``; labels are
        categoricals, ``moved``, ``returned`` and ``parent_followed`` nullable.
        ``attrs``: title, synthetic (words), seed, truth (JSON).

    Raises
    ------
    DataError
        For a truth that is not one.
    StudyError
        For fewer than 200 persons, or a year that the truth does not have.
    """
    truth = _checked(truth)
    if persons < 200:
        raise StudyError(f"persons={persons}; at least 200, so that all kinds of persons occur")
    rng = np.random.default_rng(seed)
    table = people_of.panel(rng, persons, checked_years(truth, years))
    table = table.assign(**_lived(table, truth, rng))
    table = people_of.with_parents(table)
    table.attrs = {
        "title": f"SYNTHETIC panel of {len(table):,} persons",
        "synthetic": SYNTHETIC,
        "seed": str(seed),
        "truth": json.dumps(truth),
    }
    return table


def write_extract(
    folder: str | Path,
    truth: Mapping[str, Any] | None = None,
    *,
    households: int = 2_000,
    years: Iterable[int] = range(1996, 2001),
    seed: int = 0,
    format: str = "dat",
    compress: bool = True,
    yrimmig: str = "year",
) -> Path:
    """Simulate a survey of addresses and write it as an IPUMS CPS extract.

    Addresses are interviewed in two consecutive years, in months-in-sample 1-4 and 5-8.
    Whoever has left is not followed; new occupants are interviewed instead.  Three files
    are written: the data, its DDI codebook (``.xml``), and beside them
    ``..._fates.csv.gz``, what became of everybody in months 1-4 (YEAR, SERIAL, PERNUM, fate,
    id_coincidence), and ``..._truth.json``.

    Foreign-born households are drawn far more often than they live in the US (40 % of
    householders first, 25 % second, 35 % third generation), so that a small file has
    enough of them.  A mover's new address is never another address of the sample.

    Parameters
    ----------
    folder : path
        Must exist.
    truth : mapping, optional
        See `default_truth`; its ``survey`` holds the chance that a child draws its
        parent's lot (``child_with_parent``), an adult the householder's
        (``adult_with_householder``), and that somebody who is not followed up is replaced by
        another person of the same CPSIDP, half of them of the other sex, half of an
        impossible age (``id_coincidence``).
    households : int
        Addresses that enter the sample each year; as many again are in their second year.
    years : iterable of int
        Consecutive survey years, at least two, of those in the truth.
    seed : int
        The same seed gives the same bytes.
    format : {"dat", "csv"}
        Fixed width with implied decimals, or comma separated with decimal points.
    compress : bool
        gzip.
    yrimmig : {"year", "interval"}
        YRIMMIG as IPUMS coded it for long, the last year of the interval, or as it codes it
        now, a running number of the interval.

    Returns
    -------
    Path
        Of the data file, ``synthetic_cps_FIRST_LAST.dat.gz`` or the like.

    Raises
    ------
    DataError
        For a truth that is not one, or a folder that does not exist.
    StudyError
        For years that are not consecutive or not in the truth, too many households for the
        width of SERIAL, or another format or coding.
    """
    from bayesmig.models.emigration.microdata import synthetic_ipums, synthetic_survey

    truth = _checked(truth)
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; make it first")
    _valid("format", format, ("dat", "csv"))
    _valid("yrimmig", yrimmig, ("year", "interval"))
    asked = checked_years(truth, years)
    if len(asked) < 2 or asked != list(range(asked[0], asked[-1] + 1)):
        raise StudyError(f"years={asked}: an extract needs consecutive years, at least two")
    survey = synthetic_survey.survey(truth, households, asked, np.random.default_rng(seed))
    return synthetic_ipums.write(
        folder, survey, truth, format=format, compress=compress, yrimmig=yrimmig
    )


def expected(people: Any, truth: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the true probabilities of each person.

    Fates exclude one another: emigrate, else die, else move, else be lost, else be followed
    up.  With ``residual="probability"`` the first generation loses
    u = e + d + m (1 - e - d) + r, where r is the share lost of those of the second
    generation with the same covariates, (1 - e^s - d^s) (1 - m^s) l.  Children of the first
    generation move and are lost with their parent's origin, age, sex, enrolment and
    education, and move as its generation does; they emigrate with their own covariates and
    do not die.

    Parameters
    ----------
    people : DataFrame or Panel
        With the columns of a panel.
    truth : mapping, optional
        See `default_truth`.

    Returns
    -------
    DataFrame
        Index of ``people``; ``emigrated``, ``died``, ``moved``, ``lost`` and ``followed``,
        which add up to one, and ``returned``: being abroad a year ago after more than 1.5
        years in the US, of those asked where they lived; nothing for the second generation.

    Raises
    ------
    DataError
        For a label or year that the truth does not have, a child without a parent, or shares
        that add up to more than one (which ``residual="probability"`` does not exclude).
    """
    truth = _checked(truth)
    frame = people if isinstance(people, pd.DataFrame) else people.frame()
    hazard = hazards(frame, truth)
    shares = _shares(hazard, truth)
    return pd.DataFrame({**shares, "returned": hazard["returned"]}, index=frame.index)


def true_cells(people: Any, truth: Mapping[str, Any] | None = None) -> pd.DataFrame:
    """Return the true shares in the cells of the report's tables, weighted by ``weight``.

    Parameters
    ----------
    people : DataFrame or Panel
    truth : mapping, optional

    Returns
    -------
    DataFrame
        The foreign born by ``factor`` (total, mexican, sex, age_group, duration, origin,
        country, year, mexican x sex) and ``level``: ``persons``, ``weight``, and the
        weighted means of `expected` as proportions, ``non_match`` = 1 - ``followed`` too.

    Raises
    ------
    DataError
    """
    frame = people if isinstance(people, pd.DataFrame) else people.frame()
    frame = frame[_first(frame)]
    if frame.empty:
        raise DataError("no foreign-born persons: the cells are theirs")
    share = expected(frame, truth).assign(non_match=lambda d: 1 - d["followed"])
    weight = frame["weight"].to_numpy(float)
    mexican = np.where(frame["origin"] == "Mexico", "Mexican", "Non-Mexican")
    cuts: dict[str, Any] = {
        "total": np.full(len(frame), "Foreign born"),
        "mexican": mexican,
        **{name: frame[name] for name in ("sex", "age_group", "duration", "origin", "country")},
        "year": frame["year"],
        "mexican x sex": pd.Series(mexican + ", ", frame.index) + frame["sex"].astype(str),
    }
    sums = share.mul(weight, axis=0).assign(weight=weight, persons=1)
    parts = []
    for factor, labels in cuts.items():
        cell = sums.groupby(pd.Categorical(labels), observed=True).sum()
        cell[list(share)] = cell[list(share)].div(cell["weight"], axis=0)
        parts.append(cell.assign(factor=factor, level=cell.index.astype(str)))
    order = ["factor", "level", "persons", "weight", *share]
    return pd.concat(parts, ignore_index=True)[order]


def lots(hazard: Columns, truth: Mapping[str, Any], lot: Any) -> NDArray[np.int64]:
    """Return each person's fate, an index of `FATES`, from a lot between 0 and 1."""
    shares = _shares(hazard, truth)
    fate, bound = np.zeros(len(lot), np.int64), np.zeros(len(lot))
    for name in FATES[:-1]:
        bound = bound + shares[name]
        fate += lot >= bound
    return fate


def _lived(
    table: pd.DataFrame, truth: Mapping[str, Any], rng: np.random.Generator
) -> dict[str, Any]:
    """Draw who is followed up next year, and who moved or returned in the year before."""
    hazard = hazards(table, truth)
    first, n = _first(table), len(table)
    child = (table["age_group"] == CHILD).to_numpy()
    same = child & (rng.random(n) < truth["survey"]["child_with_parent"])
    parent = table["parent_row"].to_numpy()

    def drawn() -> NDArray[np.float64]:
        own = rng.random(n)
        return np.where(same, own[parent], own)

    fate = lots(hazard, truth, drawn())
    came = table["just_came"].to_numpy()
    back = first & ~came & (rng.random(n) < np.nan_to_num(hazard["returned"]))
    moved = drawn() < hazard["moved"]
    return {
        "followed": fate == FATES.index("followed"),
        "moved": pd.arrays.IntegerArray(moved.astype("int8"), came | back),
        "returned": pd.arrays.IntegerArray(back.astype("int8"), ~first),
    }


def hazards(frame: pd.DataFrame, truth: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Probability (person) of each fate for those whom no earlier fate has met.

    ``moved_second`` and ``died_second`` are those of the second generation with the same
    covariates; ``emigrated_second`` is its emigration.
    """
    first, n = _first(frame), len(frame)
    child = (frame["age_group"] == CHILD).to_numpy()
    adult = frame[~child]
    home = _household(frame, child)
    moves_as_first = first.copy()
    if child.any():
        moves_as_first[child] = (frame["parent_generation"] == "first").to_numpy(bool)[child]
    here = {**home, "generation": _generation(moves_as_first)}
    there = {**home, "generation": _generation(np.zeros(n, bool))}
    second = float(truth["second_generation_emigration"])
    hazard = {
        "emigrated": np.full(n, second),
        "emigrated_second": np.full(n, second),
        "died": np.zeros(n),
        "died_second": np.zeros(n),
        "moved": _chance(truth["moved"], here, "moved"),
        "moved_second": _chance(truth["moved"], there, "moved"),
        "lost": _chance(truth["lost"], here, "lost", truth["generation_gap"] * first),
        "returned": np.full(n, np.nan),
    }
    foreign = frame[first]
    hazard["emigrated"][first] = _chance(truth["emigrated"], foreign, "emigrated")
    returned = _chance(truth["returned"], foreign, "returned")
    known = foreign["years_in_us"].to_numpy(float)
    hazard["returned"][first] = np.where(known > RECENT, returned, 0.0)
    hazard["died_second"][~child] = _chance(truth["died"]["second"], adult, "died")
    foreigners = _chance(truth["died"]["first"], adult, "died")
    hazard["died"][~child] = np.where(first[~child], foreigners, hazard["died_second"][~child])
    return hazard


def _shares(hazard: Columns, truth: Mapping[str, Any]) -> Shares:
    """Shares of the five fates (person), which add up to one."""
    e, d, m, lost = (hazard[name] for name in FATES[:-1])
    if truth["residual"] == "hazard":
        d = (1 - e) * d
        lost = (1 - e - d) * (1 - m) * lost
    else:
        still = 1 - hazard["emigrated_second"] - hazard["died_second"]
        lost = still * (1 - hazard["moved_second"]) * lost
    shares = {"emigrated": e, "died": d, "moved": (1 - e - d) * m, "lost": lost}
    followed = 1 - sum(shares.values())
    if (followed < 0).any():
        raise DataError(
            f"the truth loses more than everybody among {int((followed < 0).sum()):,} of "
            f"{len(followed):,} persons (up to {100 * (1 - followed.min()):.1f} %); "
            "residual='hazard' excludes that"
        )
    return {**shares, "followed": followed}


def _household(frame: pd.DataFrame, child: NDArray[np.bool_]) -> dict[str, Any]:
    """Covariates of moving and of being lost: a child's are its parent's."""
    columns: dict[str, Any] = {name: frame[name] for name in ("year", "owner", "oversample")}
    for name in HOUSEHOLD:
        own = pd.Categorical(frame[name])
        if child.any():
            parent = pd.Categorical(frame[f"parent_{name}"])
            levels = own.categories.union(parent.categories, sort=False)
            codes = [
                np.append(levels.get_indexer(c.categories), -1)[c.codes] for c in (parent, own)
            ]
            own = pd.Categorical.from_codes(np.where(child, *codes), levels)
        columns[name] = own
    return columns


def _chance(part: Mapping[str, Any], columns: Any, name: str, add: Any = 0.0) -> Any:
    """Inverse logit (person) of an intercept and effects; a number is an effect of a yes."""
    logit = part["intercept"] + add
    for factor, effect in part.items():
        if factor == "intercept":
            continue
        if isinstance(effect, Mapping):
            logit = logit + _effect(effect, columns[factor], f"{name}, {factor}")
        elif factor == "mexican":
            logit = logit + effect * np.asarray(columns["origin"] == "Mexico", float)
        else:
            logit = logit + effect * np.asarray(columns[factor], float)
    return 1 / (1 + np.exp(-logit))


def _effect(effect: Mapping[str, float], values: Any, where: str) -> NDArray[np.float64]:
    """Look up the effect (person) of each label."""
    found = values if isinstance(values, pd.Categorical) else pd.Categorical(values)
    levels = found.categories.astype(str)  # years are numbers in a panel, words in JSON
    code = pd.Index(list(effect)).get_indexer(levels)
    codes = np.append(code, -1)[found.codes]  # the last for what has no label
    if (codes < 0).any():
        strange = sorted(
            {str(level) for level in np.append(levels, "nothing")[found.codes[codes < 0]]}
        )
        raise DataError(
            f"{where}: {int((codes < 0).sum()):,} persons have {', '.join(strange)}, which the "
            f"truth does not; it has {', '.join(effect)} (a child needs a parent)"
        )
    return np.fromiter(effect.values(), float)[codes]


def _first(frame: pd.DataFrame) -> NDArray[np.bool_]:
    return (frame["generation"] == "first").to_numpy(bool)


def _generation(first: NDArray[np.bool_]) -> pd.Categorical:
    return pd.Categorical.from_codes(np.where(first, 0, 1), ["first", "second"])


def checked_years(truth: Mapping[str, Any], years: Iterable[int]) -> list[int]:
    """Return the years in order, if the truth has them all."""
    asked = sorted({int(year) for year in years})
    valid = [int(year) for year in truth["emigrated"]["year"]]
    strange = [year for year in asked if year not in valid]
    if strange or not asked:
        raise StudyError(f"years={asked}; the truth has {min(valid)} to {max(valid)}")
    return asked


def _checked(truth: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a copy of the truth with the shape of the one that ships, and sensible numbers."""
    usual = default_truth()
    if truth is None:
        return usual
    _same_shape(truth, usual, "truth")
    _valid("residual", truth["residual"], RESIDUALS)
    for name in ("emigrated", "returned"):
        for factor, effect in truth[name].items():
            total = sum(effect.values()) if isinstance(effect, Mapping) else 0.0
            if abs(total) > 1e-9:
                raise DataError(f"truth, {name}, {factor}: effects sum to {total:g}, not to zero")
    chances = {"second_generation_emigration": truth["second_generation_emigration"]}
    for name, chance in {**chances, **truth["survey"]}.items():
        if not 0 <= chance < 1:
            raise DataError(f"truth, {name}={chance}: a probability from 0 to below 1")
    return copy.deepcopy(dict(truth))


def _same_shape(found: Any, usual: Any, where: str) -> None:
    """Raise unless two nested tables have the same names, and finite numbers below them."""
    if isinstance(usual, Mapping):
        if not isinstance(found, Mapping) or set(found) != set(usual):
            names = sorted(found) if isinstance(found, Mapping) else repr(found)
            raise DataError(f"{where}: has {names}, needs {sorted(usual)}")
        for name in usual:
            _same_shape(found[name], usual[name], f"{where}, {name}")
    elif isinstance(usual, float) and not (isinstance(found, float | int) and np.isfinite(found)):
        raise DataError(f"{where}: {found!r} is not a finite number")


def _valid(option: str, value: str, valid: tuple[str, ...]) -> str:
    if value not in valid:
        raise StudyError(f"{option}={value!r}; valid: {', '.join(valid)}")
    return value
