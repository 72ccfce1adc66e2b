"""From patterns of covariates to what each of them looks up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import xarray as xr

from bayesmig.errors import StudyError
from bayesmig.factors import block_diagonal, zero_sum_basis
from bayesmig.models.emigration.design import NATIVE_RATES
from bayesmig.models.emigration.microdata.counts.attributes import decoded, labels
from bayesmig.models.emigration.microdata.counts.cells import COLUMNS, NAMES, cells
from bayesmig.models.emigration.microdata.counts.collapse import OWN_HEALTH
from bayesmig.models.emigration.microdata.paper import AGES

if TYPE_CHECKING:
    from numpy.typing import NDArray

OUTCOMES = ("emigrated", "returned", "moved", "moved_second", "lost")
# whose factors an outcome has, and which rows tell what levels there are
FORMULA = {name: name.removesuffix("_second") for name in OUTCOMES}
ROWS = {
    "followed": ("pattern", "people"),
    "native_followed": ("native_pattern", "native_people"),
    "moved": ("moved_pattern", "moved_people"),
    "returned": ("returned_pattern", "returned_people"),
}
PREFIX = {
    "pattern": "",
    "native_pattern": "native_",
    "moved_pattern": "moved_",
    "returned_pattern": "returned_",
}
HOUSEHOLD_OUTCOMES = ("moved", "moved_second", "lost")  # what a child shares with its parent
SEX_RACE = ("male", "mexican", "hispanic", "white", "black")
MORTALITY_AGES = ("18-24", "25-34", "35-44", "45-54", "55-64", "65-74")  # the others are 75+
HEALTH = ("Excellent", "Very good", "Good", "Fair")  # the others are in poor health
MORTALITY = ("intercept", *SEX_RACE, *MORTALITY_AGES, *HEALTH)
BY = ("generation", "mexican", "age_group", "sex")  # of the mean chance to die
MORTALITY_TERMS = tuple(f"{whose} {term}" for whose in ("first", "second") for term in MORTALITY)


@dataclass(frozen=True)
class Terms:
    """Factors of one outcome and an orthonormal basis of their zero-sum effects.

    Attributes
    ----------
    factors : tuple of str
        Those with more than one level.
    levels : tuple of str
        "country Mexico", factor by factor.
    contrast_factor : ndarray of int (contrast)
        Which factor a contrast belongs to.
    level_contrast : ndarray (level, contrast)
        Effects of the levels per unit of each contrast.
    """

    factors: tuple[str, ...]
    levels: tuple[str, ...]
    contrast_factor: NDArray[np.int32]
    level_contrast: NDArray[np.float64]


@dataclass(frozen=True)
class Design:
    """What the rows of a collapsed panel look up.

    Attributes
    ----------
    coords : dict
        Coordinates of the graph.
    terms : dict of Terms
        By outcome.
    index : dict of ndarray of int (row, term)
        By dim and outcome: where a row finds its numbers.  The first is the intercept.
    adult : dict of ndarray (row)
        By dim: 1 for persons who may die, 0 for children.
    death_index : ndarray of int (death, term)
        Where each combination of age, sex, race and health finds its coefficients, the
        foreign born's and then the natives'.
    death_weight : ndarray (death)
        Its share of its group.
    death_group : ndarray of int (death, 1)
        Groups within which the chance to die is one number.
    death_groups : ndarray (group)
        Zeros; only how many there are matters.
    native_rate : dict of ndarray (row)
        By dim: the native emigration rates of Appendix F, a proportion a year.
    weight : ndarray (pattern)
        Sum of the survey's weights.
    cell_index : ndarray of int (pattern, table)
        Printed cells that a pattern belongs to; one more than there are for "none".
    cell_weight : ndarray (cell + 1)
        Sum of the weights in each; the last is that of "none", or one.
    rows : dict
        Dim and number of persons of each observed variable.
    """

    coords: dict[str, list[str]]
    terms: dict[str, Terms]
    index: dict[tuple[str, str], NDArray[np.int32]]
    adult: dict[str, NDArray[np.float64]]
    death_index: NDArray[np.int32]
    death_weight: NDArray[np.float64]
    death_group: NDArray[np.int32]
    death_groups: NDArray[np.float64]
    native_rate: dict[str, NDArray[np.float64]]
    weight: NDArray[np.float64]
    cell_index: NDArray[np.int32]
    cell_weight: NDArray[np.float64]
    rows: dict[str, tuple[str, str]] = field(default_factory=lambda: ROWS)


def design(data: xr.Dataset, formulas: dict[str, str]) -> Design:
    """Lay out what the graph of a collapsed panel looks up.

    Parameters
    ----------
    data : Dataset
        From `collapse.collapse`.
    formulas : dict of str
        Factors of emigrated, returned, moved and lost, joined by ``+``.

    Raises
    ------
    StudyError
        For a factor that the data do not have.
    """
    terms, start, coords = {}, {}, {"outcome": list(OUTCOMES)}
    position = len(OUTCOMES)
    for outcome in OUTCOMES:
        formula = formulas[FORMULA[outcome]]
        terms[outcome] = _terms(data, outcome, formula)
        start[outcome], position = position, position + len(terms[outcome].levels)
        coords[f"{outcome}_factor"] = list(terms[outcome].factors)
        coords[f"{outcome}_level"] = list(terms[outcome].levels)
        coords[f"{outcome}_contrast"] = [
            f"{terms[outcome].factors[f]} {i}" for i, f in enumerate(terms[outcome].contrast_factor)
        ]

    def index(dim: str, outcome: str) -> NDArray[np.int32]:
        return _index(data, dim, outcome, terms[outcome], start[outcome])

    pattern = _moved_by_generation(data, "pattern", index)
    members, names, weights = _cells(data)
    deaths, died = _deaths(data)
    return Design(
        coords={**coords, "mortality_term": list(MORTALITY_TERMS), "cell": names},
        terms=terms,
        index={
            ("pattern", "emigrated"): index("pattern", "emigrated"),
            ("pattern", "returned"): index("pattern", "returned"),
            ("pattern", "moved"): pattern,
            ("pattern", "moved_second"): index("pattern", "moved_second"),
            ("pattern", "lost"): index("pattern", "lost"),
            ("native_pattern", "moved"): index("native_pattern", "moved_second"),
            ("native_pattern", "lost"): index("native_pattern", "lost"),
            ("moved_pattern", "moved"): _moved_by_generation(data, "moved_pattern", index),
            ("returned_pattern", "returned"): index("returned_pattern", "returned"),
            **died,
        },
        death_index=deaths["death_index"],
        death_weight=deaths["death_weight"],
        death_group=deaths["death_group"],
        death_groups=deaths["death_groups"],
        adult={dim: _adult(data, dim) for dim in ("pattern", "native_pattern")},
        native_rate={dim: _native_rate(data, dim) for dim in ("pattern", "native_pattern")},
        weight=data["weight"].values,
        cell_index=members,
        cell_weight=weights,
    )


def _terms(data: xr.Dataset, outcome: str, formula: str) -> Terms:
    """Levels of an outcome's factors, in the rows where it is looked up."""
    dims = [dim for dim, which in LOOKED_UP if which == outcome]
    factors: list[str] = []
    levels: list[str] = []
    which: list[int] = []
    blocks: list[NDArray[np.float64]] = []
    for name in factors_of(formula):
        columns = [_column(data, dim, outcome, name) for dim in dims]
        found = _ordered(data, name, set().union(*(set(column) for column in columns)))
        if len(found) < 2:
            continue
        which += [len(factors)] * (len(found) - 1)
        factors.append(name)
        levels += [f"{name} {level}" for level in found]
        blocks.append(zero_sum_basis(len(found), "svd"))
    which_factor = np.array(which, dtype="int32")
    return Terms(tuple(factors), tuple(levels), which_factor, block_diagonal(blocks))


LOOKED_UP = (
    ("pattern", "emigrated"),
    ("pattern", "returned"),
    ("returned_pattern", "returned"),
    ("pattern", "moved"),
    ("moved_pattern", "moved"),
    ("pattern", "moved_second"),
    ("native_pattern", "moved_second"),
    ("moved_pattern", "moved_second"),
    ("pattern", "lost"),
    ("native_pattern", "lost"),
)


def factors_of(formula: str) -> list[str]:
    """Return the names of the factors of a formula, each once.

    Raises
    ------
    StudyError
        For a factor that is named twice.

    Examples
    --------
    >>> factors_of("country + sex : age_group")
    ['country', 'sex:age_group']
    """
    names = [":".join(p.strip() for p in name.split(":")) for name in formula.split("+")]
    names = [name for name in names if name not in ("", "1")]
    if len(set(names)) < len(names):
        raise StudyError(f"{formula!r} names a factor twice")
    return names


def _column(data: xr.Dataset, dim: str, outcome: str, name: str) -> NDArray[np.object_]:
    """Labels of a factor, or of an interaction, for the rows of a dim."""
    parts = [_one(data, dim, outcome, part) for part in name.split(":")]
    return (
        parts[0] if len(parts) == 1 else np.array([" ".join(p) for p in zip(*parts, strict=True)])
    )


def _one(data: xr.Dataset, dim: str, outcome: str, name: str) -> NDArray[np.object_]:
    prefix = PREFIX[dim]
    variable = f"{prefix}{name}"
    if dim == "pattern" and outcome in HOUSEHOLD_OUTCOMES and f"household_{name}" in data:
        variable = f"household_{name}"
    if variable not in data:
        known = [str(v).removeprefix(prefix) for v in data if "labels" in data[v].attrs and
                 data[v].dims == (dim,)]  # fmt: skip
        raise StudyError(f"{outcome}: no factor {name!r} for these rows; valid: {', '.join(known)}")
    return decoded(data, variable)


def _ordered(data: xr.Dataset, name: str, found: set[str]) -> list[str]:
    """Levels that occur, in the order of the covariates' own labels."""
    if ":" in name:
        return sorted(found)
    order: list[str] = []
    for variable in data:
        last = str(variable)
        if last in (name, f"household_{name}") or any(
            last == f"{p}{name}" for p in PREFIX.values()
        ):
            order += [label for label in labels(data, last) if label not in order]
    return [label for label in order if label in found]


def _index(data: xr.Dataset, dim: str, outcome: str, terms: Terms, start: int) -> NDArray[np.int32]:
    """Positions (row, term) of an outcome's numbers: its intercept, then a level of each factor."""
    position = {level: start + i for i, level in enumerate(terms.levels)}
    rows = data.sizes[dim]
    columns = [np.full(rows, OUTCOMES.index(outcome))]
    for factor in terms.factors:
        column = _column(data, dim, outcome, factor)
        codes, found = pd.factorize(column)
        # levels that only children's households of another generation have are no one's to learn
        at = np.array([position[f"{factor} {level}"] for level in found], dtype=int)
        columns.append(at[codes] if rows else np.zeros(0, dtype=int))
    return np.stack(columns, axis=1).astype("int32")


def _moved_by_generation(
    data: xr.Dataset, dim: str, index: Callable[[str, str], NDArray[np.int32]]
) -> NDArray[np.int32]:
    """Look up the chance to move of each row's own generation (for a child, its parent's)."""
    first, second = index(dim, "moved"), index(dim, "moved_second")
    prefix = PREFIX[dim]
    generation = "household_generation" if dim == "pattern" else f"{prefix}generation"
    own = decoded(data, generation) == "first"
    return np.where(own[:, None], first, second).astype("int32")


def _deaths(
    data: xr.Dataset,
) -> tuple[dict[str, NDArray[Any]], dict[tuple[str, str], NDArray[np.int32]]]:
    """Combinations that mortality tells apart, their groups, and the group of each row.

    With a person's own race and health each combination is a group of its own; else a
    group is those of one generation, origin, age and sex, whatever their race and health.
    """
    rows = pd.DataFrame({n: decoded(data, f"health_{n}") for n in (*BY, *OWN_HEALTH)})
    rows["people"] = data["health_people"].values
    key = [*BY, *OWN_HEALTH] if data.attrs["mortality"] == "own" else list(BY)
    asked = {}
    for dim, generation in (("pattern", "first"), ("native_pattern", "second")):
        of = {n: decoded(data, f"{PREFIX[dim]}{n}") for n in key if n != "generation"}
        asked[dim] = pd.DataFrame({"generation": generation, **of})[key]
    group, names = pd.factorize(pd.MultiIndex.from_frame(rows[key]))
    size = rows.people.groupby(group).transform("sum")
    index = np.concatenate([_coefficients(rows, whose) for whose in ("first", "second")])
    place = {tuple(name): i for i, name in enumerate(names)}
    died = {}
    for dim, frame in asked.items():
        # children do not die, but have to point somewhere
        at = [
            0 if row[2] == "0-14" else place[row]
            for row in frame.itertuples(index=False, name=None)
        ]
        first = np.array(at, dtype="int32")[:, None]
        died[dim, "died_first"], died[dim, "died_second"] = first, first + np.int32(len(names))
    deaths = {
        "death_index": index.astype("int32"),
        "death_weight": np.tile((rows.people / size).to_numpy(), 2),
        "death_group": np.r_[group, group + len(names)][:, None].astype("int32"),
        "death_groups": np.zeros(2 * len(names)),
    }
    return deaths, died


def _coefficients(rows: pd.DataFrame, whose: str) -> NDArray[np.int64]:
    """Positions of the mortality coefficients; one past the last is zero."""
    nothing, offset = len(MORTALITY_TERMS), len(MORTALITY) * (whose == "second")
    place = {term: offset + i for i, term in enumerate(MORTALITY)}
    races = {name.capitalize(): place[name] for name in SEX_RACE[1:]}
    ages = {age: place[_mortality_age(age)] for age in AGES[1:-1]}
    columns = [
        pd.Series(place["intercept"], rows.index),
        rows.sex.map({"Male": place["male"]}),
        rows.race.map(races),
        rows.age_group.map(ages),
        rows.health.replace("Not asked", "Good").map({name: place[name] for name in HEALTH}),
    ]
    return np.stack([c.fillna(nothing).to_numpy(dtype=int) for c in columns], axis=1)


def _mortality_age(age_group: str) -> str:
    """Table 3's group of a five-year group; persons of 15-17 are in the youngest."""
    age = max(int(age_group.split("-")[0]), 18)
    return next(g for g in MORTALITY_AGES if age <= int(g.split("-")[1]))


def _adult(data: xr.Dataset, dim: str) -> NDArray[np.float64]:
    return (decoded(data, f"{PREFIX[dim]}age_group") != "0-14").astype(float)


def _native_rate(data: xr.Dataset, dim: str) -> NDArray[np.float64]:
    """Native emigration by sex and age (a child's: its parent's, whose loss it shares)."""
    rates = NATIVE_RATES.reset_index()
    rates["group"] = ["0-14" if g < 3 else AGES[g - 2] for g in rates.age_group]
    mean = rates.groupby(["sex", "group"]).rate.mean()
    prefix = "household_" if dim == "pattern" else PREFIX[dim]
    sex, age = decoded(data, f"{prefix}sex"), decoded(data, f"{prefix}age_group")
    return np.array([mean[s.lower(), a] for s, a in zip(sex, age, strict=True)], dtype=float)


def _cells(data: xr.Dataset) -> tuple[NDArray[np.int32], list[str], NDArray[np.float64]]:
    """Printed cells that each pattern belongs to, their names and weights."""
    membership = cells({name: decoded(data, name) for name in COLUMNS if name in data})
    there = {name for column in membership.values() for name in column if name}
    names = [name for name in NAMES if name in there]
    names += sorted(there - set(names))  # years after the report's
    place = {name: i for i, name in enumerate(names)} | {"": len(names)}
    index = np.stack([[place[n] for n in c] for c in membership.values()], axis=1).astype("int32")
    weight = np.repeat(data["weight"].values, index.shape[1])
    total = np.bincount(index.ravel(), weight, minlength=len(names) + 1)
    total[-1] = max(total[-1], 1.0)
    return index, names, total


def people_of(data: xr.Dataset) -> xr.DataArray:
    """Number of the foreign born in each printed cell (cell)."""
    index, names, _ = _cells(data)
    each = np.repeat(data["people"].values, index.shape[1])
    total = np.bincount(index.ravel(), each, minlength=len(names) + 1)
    return xr.DataArray(total[:-1], dims="cell", coords={"cell": names})
