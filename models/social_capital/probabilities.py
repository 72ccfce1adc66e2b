"""Probabilities of the outcomes, and average marginal effects in percentage points.

A coefficient is a log odds within one municipality.  A probability needs a municipality:
a known one, a new one drawn from the population of municipalities, or the average over
that population ("marginal").  The mean over draws of a new one is the marginal; its
interval is wider, because nobody knows which municipality it is.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from bayesmig.errors import DataError, StudyError, unknown
from bayesmig.models.social_capital import people, population
from bayesmig.models.social_capital.design import Design, of_fit, options_of
from bayesmig.models.social_capital.logit import probabilities as softmax
from bayesmig.models.social_capital.values import text_of
from bayesmig.prediction import thinned
from bayesmig.saving import data_of

MARGINAL, NEW, OWN = "marginal", "new", "own"
NODES = 7  # of the quadrature over municipalities, for each factor
MOST_NODES = 20_000
AT_ONCE = 2_000_000  # numbers of people's own nodes
DRAWS = 200


def probabilities(
    fitted: xr.DataTree,
    people_: Any = None,
    municipality: str = MARGINAL,
    draws: int = DRAWS,
    seed: int = 1,
) -> xr.DataArray:
    """Return probabilities of the outcomes for given people, draw by draw.

    Parameters
    ----------
    fitted : DataTree
    people_ : DataFrame or Dataset, optional
        One row per person with the formula's columns (and the strata's); by default
        those of the fit.
    municipality : str
        "marginal": averaged over the population of groups, by Gauss-Hermite quadrature;
        "new": one group drawn from it for each draw (and stratum); "own": each one's, from
        the column of groups; or the label of a group of the fit, with strata everybody's in
        their own stratum.
    draws : int
        How many of the posterior's draws, evenly thinned.
    seed : int
        For new groups.

    Returns
    -------
    DataArray (draw, person, outcome)
        Proportions.

    Raises
    ------
    DataError
        For a column that is not there, a missing value, a level that the fit has not seen,
        or a square (``age_squared``) that is not one.
    StudyError
        For an unknown group, or one without people of a stratum that is asked about.
    """
    table = of_fit(fitted)
    frame = _frame(fitted, table, people_)
    columns, stratum = table.columns_of(frame), _strata(fitted, table, frame)
    logits = Logits(fitted, table, draws)
    values = np.empty((logits.draws, len(columns), len(table.outcomes)))
    rng = np.random.default_rng(seed)
    where: Any = municipality
    if not table.plain and municipality not in (MARGINAL, NEW):
        where = (
            population.own(table, frame)
            if municipality == OWN
            else population.named(table, municipality, len(frame))
        )
    elif municipality == OWN:
        where = _own_groups(table, frame, stratum, options_of(fitted)["group"])
    for i in range(logits.draws):
        values[i] = logits.chances(i, columns, stratum, where, rng)
    return xr.DataArray(
        values,
        {"draw": np.arange(logits.draws), "outcome": list(table.outcomes)},
        ("draw", "person", "outcome"),
        name="probability",
    )


def marginal_effects(
    fitted: xr.DataTree, municipality: str = MARGINAL, draws: int = DRAWS, seed: int = 1
) -> xr.DataArray:
    """Return average marginal effects: changes of probabilities, in percentage points.

    Everybody of the fit is given one value of a variable, then the other; the mean change
    of the probabilities, over people by weight.  Yes-or-no columns go from 0 to 1,
    categories from their reference to each level, numbers up by one unit from where
    they are (a column that is the square of another, as age_squared is, with it).

    Parameters
    ----------
    fitted, municipality, draws, seed
        As for `probabilities`.

    Returns
    -------
    DataArray (draw, change, outcome)
        Percentage points; for each draw the outcomes' changes add up to zero.
    """
    table = of_fit(fitted)
    frame = _frame(fitted, table, None)
    option = options_of(fitted)["weights"]
    weight = np.ones(len(frame)) if option is None else frame[option].to_numpy(dtype=float)
    weight = weight * table.people
    weight = weight / weight.sum()
    stratum = _strata(fitted, table, frame)
    changes = _changes(table, frame)
    if not changes:
        raise StudyError("the formula has no plain column whose change would mean something")
    pairs = {
        label: (table.columns_of(before), table.columns_of(after))
        for label, (before, after) in changes.items()
    }
    logits = Logits(fitted, table, draws)
    values = np.empty((logits.draws, len(pairs), len(table.outcomes)))
    for i in range(logits.draws):
        for j, (before, after) in enumerate(pairs.values()):
            # the same new group before and after
            chances = [
                logits.chances(i, columns, stratum, municipality, np.random.default_rng((seed, i)))
                for columns in (before, after)
            ]
            values[i, j] = 100 * (weight @ (chances[1] - chances[0]))
    return xr.DataArray(
        values,
        {
            "draw": np.arange(logits.draws),
            "change": list(pairs),
            "outcome": list(table.outcomes),
        },
        ("draw", "change", "outcome"),
        name="percentage_points",
    )


class Logits:
    """Draws of a fit, thinned, as the arrays that probabilities are made of."""

    def __init__(self, fitted: xr.DataTree, table: Design, draws: int):
        if draws < 1:
            raise StudyError(f"draws must be a whole number from 1 on, got {draws!r}")
        posterior = fitted["posterior"].to_dataset()
        names = ["log_odds", "intercept", *population.OF_GROUPS]
        names = [name for name in names if name in posterior]
        if "stratum" not in posterior.dims:
            pair = posterior[names[:2]].expand_dims(stratum=list(table.strata))
            if table.plain:
                pair["group_covariance"] = posterior["group_covariance"].expand_dims(
                    stratum=list(table.strata)
                )
            posterior = posterior[names].assign(pair)
        flat = thinned(posterior[names], draws).transpose("sample", "stratum", ...)
        self.draws = flat.sizes["sample"]
        self.table = table
        alternative = slice(1, None)
        back = np.linalg.inv(table.to_terms)
        self.slope = flat["log_odds"].values[:, :, alternative] @ back.T
        self.intercept = flat["intercept"].values[:, :, alternative]
        self.nodes, self.node_weights = _quadrature(len(table.alternatives))
        if not table.plain:
            self.population = population.Population(flat, table)
            return
        covariance = flat["group_covariance"].values[:, :, alternative, alternative]
        values, vectors = np.linalg.eigh(covariance)
        self.root = vectors * np.sqrt(np.maximum(values, 0))[..., None, :]
        effect = flat["group_effect"].transpose("sample", "group", "outcome").values
        self.effect = effect[..., alternative]

    def chances(
        self, i: int, columns: NDArray[Any], stratum: NDArray[Any], municipality: Any, rng: Any
    ) -> NDArray[np.float64]:
        """Probabilities (person, outcome) of one draw; groups by name, or each one's number."""
        logit = np.empty((len(columns), self.slope.shape[2]))
        for s in range(self.slope.shape[1]):
            rows = stratum == s
            logit[rows] = columns[rows] @ self.slope[i, s].T + self.intercept[i, s]
        if not self.table.plain:
            return self._of_population(i, logit, columns, municipality, rng)
        if isinstance(municipality, np.ndarray):
            return softmax(logit + self.effect[i, municipality])
        if municipality == NEW:
            shift = rng.standard_normal((len(self.root[i]), self.root.shape[-1]))
            return softmax(logit + np.einsum("skf,sf->sk", self.root[i], shift)[stratum])
        if municipality != MARGINAL:
            known = _known(self.table, municipality, np.unique(stratum))
            return softmax(logit + self.effect[i, known[stratum]])
        factor = np.exp(np.einsum("skf,nf->snk", self.root[i], self.nodes))
        return _averaged()(np.exp(logit), factor, stratum, self.node_weights)

    def _of_population(
        self, i: int, logit: NDArray[Any], columns: NDArray[Any], municipality: Any, rng: Any
    ) -> NDArray[np.float64]:
        """Probabilities with several columns of groups, or slopes that vary."""
        if isinstance(municipality, str) and municipality == NEW:
            return softmax(logit + self.population.new(i, columns, rng))
        where = municipality
        if isinstance(municipality, str):
            where = (
                [None] * len(self.table.levels)
                if municipality == MARGINAL
                else population.named(self.table, municipality, len(columns))
            )
        odds = logit + self.population.known(i, columns, where)
        if all(group is not None for group in where):
            return softmax(odds)
        root = self.population.spread(i, columns, where)
        found = np.empty((len(columns), logit.shape[1] + 1))
        step = len(columns) if len(root) == 1 else max(1, AT_ONCE // self.nodes.size)
        for start in range(0, len(columns), step):
            rows = slice(start, start + step)
            own = root if len(root) == 1 else root[rows]
            factor = np.exp(np.einsum("skf,nf->snk", own, self.nodes))
            of_row = np.arange(len(odds[rows])) if len(root) > 1 else np.zeros(len(odds), int)
            found[rows] = _averaged()(np.exp(odds[rows]), factor, of_row, self.node_weights)
        return found


def _known(table: Design, municipality: str, wanted: NDArray[Any]) -> NDArray[np.int64]:
    """Number of a municipality's group in each stratum: -1 where it has nobody and none is asked.

    A stratum's group may also be named in full, "stratum, group".
    """
    found = np.full(len(table.strata), -1)
    own = []
    for g, (label, s) in enumerate(zip(table.groups, table.stratum, strict=True)):
        several = len(table.strata) > 1
        own.append(label.removeprefix(f"{table.strata[s]}, ") if several else label)
        if municipality in (own[-1], label):
            found[s] = g
    if (found < 0).all():
        raise StudyError(unknown("group", municipality, [MARGINAL, NEW, OWN, *dict.fromkeys(own)]))
    empty = [table.strata[s] for s in wanted if found[s] < 0]
    if empty:
        raise StudyError(
            f"group {municipality!r} has nobody of stratum {', '.join(empty)} in the fit, and "
            "some of the people asked about are: their effect there is not known"
        )
    return found


def _own_groups(
    table: Design, frame: pd.DataFrame, stratum: NDArray[Any], name: str
) -> NDArray[np.int64]:
    """Number of each one's own group."""
    if name not in frame:
        raise DataError(f"group='own' needs the column {name!r}, which these people lack")
    labels = [str(label) for label in text_of(frame[name])]
    if len(table.strata) > 1:
        labels = [f"{table.strata[s]}, {label}" for s, label in zip(stratum, labels, strict=True)]
    found = pd.Index(table.groups, dtype=object).get_indexer(labels)
    if (found < 0).any():
        raise DataError(
            f"{name}: {(found < 0).sum()} people are of groups that the fit has not, first "
            f"{labels[int(np.argmax(found < 0))]!r}; group='new' or 'average' for them"
        )
    return found


@cache
def _averaged() -> Any:
    """Return the loop that averages probabilities over the quadrature's nodes."""
    from numba import njit

    @njit(fastmath={"arcp", "contract", "nsz", "reassoc"})
    def averaged(odds: Any, factor: Any, stratum: Any, weights: Any) -> Any:
        people_, alternatives = odds.shape
        found = np.zeros((people_, alternatives + 1))
        for i in range(people_):
            s = stratum[i]
            for n in range(len(weights)):
                total = 1.0
                for k in range(alternatives):
                    total += odds[i, k] * factor[s, n, k]
                share = weights[n] / total
                found[i, 0] += share
                for k in range(alternatives):
                    found[i, k + 1] += share * odds[i, k] * factor[s, n, k]
        return found

    return averaged


def _quadrature(factors: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Nodes (node, factor) and weights of a product rule for independent standard normals."""
    count = NODES
    while count**factors > MOST_NODES and count > 3:
        count -= 1
    if count**factors > MOST_NODES:
        raise StudyError(
            f"{factors} free outcomes are too many for quadrature: municipality='new' instead"
        )
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    weights = weights / weights.sum()
    nodes = np.stack(np.meshgrid(*[points] * factors, indexing="ij"), -1).reshape(-1, factors)
    product = np.stack(np.meshgrid(*[weights] * factors, indexing="ij"), -1)
    return nodes, product.reshape(-1, factors).prod(1)


def _frame(fitted: xr.DataTree, table: Design, given: Any) -> pd.DataFrame:
    """The people asked about, the fit's own by default, categories as the fit has them."""
    own = people.frame(data_of(fitted, "the people of the fit"))
    if given is None:
        return own
    frame = people.frame(people.from_frame(given) if isinstance(given, pd.DataFrame) else given)
    for square, base in squares(table, own).items():
        if square not in frame and base in frame:
            frame[square] = frame[base] ** 2
        if {square, base} <= set(frame) and {frame[c].dtype.kind for c in (square, base)} == {"f"}:
            wrong = ~np.isclose(frame[square], frame[base] ** 2, equal_nan=True)
            if wrong.any():
                raise DataError(
                    f"{square} is not the square of {base} in {wrong.sum()} of {len(frame)} rows, "
                    f"as it is in the fit; first {frame[square][wrong].iloc[0]:g} and "
                    f"{frame[base][wrong].iloc[0]:g}"
                )
    return frame


def squares(table: Design, frame: pd.DataFrame) -> dict[str, str]:
    """Return columns of the formula that are the square of another one of it, and of which."""
    used = sorted(table.variables)
    numbers = [n for n in used if frame[n].dtype.kind == "f" and frame[n].nunique() > 2]
    return {
        square: base
        for square in numbers
        for base in numbers
        if square != base and np.allclose(frame[square], frame[base] ** 2, rtol=1e-9)
    }


def _strata(fitted: xr.DataTree, table: Design, frame: pd.DataFrame) -> NDArray[np.int64]:
    name = options_of(fitted)["strata"]
    if name is None:
        return np.zeros(len(frame), dtype=np.int64)
    if name not in frame:
        raise DataError(f"the fit has strata by {name!r}, which these people lack")
    labels = text_of(frame[name])
    unseen = ~labels.isin(table.strata)
    if unseen.any():
        raise DataError(f"{name}: {unknown('stratum', labels[unseen].iloc[0], table.strata)}")
    return np.array([table.strata.index(label) for label in labels])


def _changes(table: Design, frame: pd.DataFrame) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    """Everybody before and after each change of one variable of the formula."""
    found, powers = {}, squares(table, frame)
    for name in sorted(table.variables, key=list(frame.columns).index):
        column = frame[name]
        if name in powers:  # goes with what it is the square of
            continue
        if isinstance(column.dtype, pd.CategoricalDtype):
            reference, *levels = column.cat.categories
            for level in levels:
                if (column == level).any():
                    found[f"{name}: {level}"] = (
                        _given(frame, name, reference),
                        _given(frame, name, level),
                    )
        elif set(np.unique(column)) <= {0.0, 1.0}:
            found[name] = (_given(frame, name, 0.0), _given(frame, name, 1.0))
        else:
            more = _given(frame, name, column + 1)
            own = [square for square, base in powers.items() if base == name]
            found[f"{name} + 1"] = (frame, more.assign(**dict.fromkeys(own, more[name] ** 2)))
    return found


def _given(frame: pd.DataFrame, name: str, value: Any) -> pd.DataFrame:
    """Give everybody a value of one variable."""
    if isinstance(frame[name].dtype, pd.CategoricalDtype):
        value = pd.Categorical([value] * len(frame), categories=frame[name].cat.categories)
    return frame.assign(**{name: value})
