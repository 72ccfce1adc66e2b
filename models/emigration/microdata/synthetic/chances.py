"""What a truth means for each person: chances, shares of the fates, and a lot drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bayesmig.errors import DataError
from bayesmig.models.emigration.design import FATES
from bayesmig.models.emigration.microdata.levels import AGES
from bayesmig.models.emigration.microdata.synthetic.truth import checked

# A child moves, and is lost, with its parent: these covariates are then the parent's, and so
# is the generation as far as it moves; as to ``generation_gap`` the child is of the first.
PARENT_COVARIATES = ("origin", "age_group", "sex", "enrolment", "education")
CHILD = AGES[0]
RECENT = 1.5  # years in the US up to which somebody from abroad is no return immigrant
Columns = Mapping[str, Any]
Shares = dict[str, NDArray[np.float64]]


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
    truth = checked(truth)
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
    frame = frame[first_generation(frame)]
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


def hazards(frame: pd.DataFrame, truth: Mapping[str, Any]) -> dict[str, NDArray[np.float64]]:
    """Probability (person) of each fate for those whom no earlier fate has met.

    ``moved_second`` and ``died_second`` are those of the second generation with the same
    covariates; ``emigrated_second`` is its emigration.
    """
    first, n = first_generation(frame), len(frame)
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
    for name in PARENT_COVARIATES:
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


def first_generation(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Whether each person is foreign born."""
    return (frame["generation"] == "first").to_numpy(bool)


def _generation(first: NDArray[np.bool_]) -> pd.Categorical:
    return pd.Categorical.from_codes(np.where(first, 0, 1), ["first", "second"])
