"""What a fit says of people: probabilities, answers, each one's likelihood, groups left out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from bayesmig.errors import StudyError
from bayesmig.models.social_capital import terms
from bayesmig.models.social_capital.design import Design, names_of, of_fit, options_of
from bayesmig.models.social_capital.logit import logits
from bayesmig.models.social_capital.logit import probabilities as softmax
from bayesmig.models.social_capital.people import PERSON, frame
from bayesmig.models.social_capital.population import OF_GROUPS, Population
from bayesmig.models.social_capital.probabilities import (
    MARGINAL,
    Logits,
    probabilities,
    squares,
)
from bayesmig.models.social_capital.values import text_of
from bayesmig.prediction import draw_labels
from bayesmig.saving import data_of

POINTS, DEGREES = 64, 7.0  # of importance sampling of a new group's effects: a Student t
STEPS, CLOSE = 50, 1e-9  # of Newton's method to the mode of its density


def people(fitted: xr.DataTree) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the people of a fit without columns that follow from others, and their weights."""
    table, option = of_fit(fitted), options_of(fitted)
    own = frame(data_of(fitted, "the people of the fit"))
    weight = table.people.astype(float)
    if option["weights"] is not None:
        weight = weight * own[option["weights"]].to_numpy(dtype=float)
    follow = squares(table, own)
    wanted = [name for name in table.variables if name not in follow]
    wanted += names_of(option["group"])
    wanted += [option["strata"]] if option["strata"] is not None else []
    found = own[list(dict.fromkeys(wanted))].copy()
    for name in _taken_for_labels(table, own) & set(found):
        found[name] = found[name].astype("category")
    return found, weight


def bounds(fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
    """Return the range of each column that enters through a spline."""
    table, own = of_fit(fitted), frame(data_of(fitted, "the people of the fit"))
    splined = [
        names
        for words, names in terms.factors(table.spec.formula, list(own)).items()
        if terms.SPLINE.search(words)
    ]
    return {
        name: (float(own[name].min()), float(own[name].max()))
        for name in sorted(set().union(*splined))
        if own[name].dtype.kind == "f"
    }


def expected(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return probabilities (draw, person, outcome)."""
    own, labelled = frame(data_of(fitted, "the people of the fit")), table.select_dtypes("category")
    numbers = [  # of which `people` makes labels
        name
        for name in labelled
        if name in own
        and own[name].dtype.kind == "f"
        and labelled[name].cat.categories.dtype.kind in "fiu"
    ]
    table = table.assign(**{name: table[name].astype(float) for name in numbers})
    where = MARGINAL if group == "average" else group
    found = probabilities(fitted, table, where, draws=draws, seed=seed)
    return found.assign_attrs(units="probability")


def drawn(
    fitted: xr.DataTree, table: pd.DataFrame, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return an outcome (draw, person) drawn for each person."""
    chance = expected(fitted, table, group=group, draws=draws, seed=seed)
    return draw_labels(chance, "outcome", seed)


def pointwise(fitted: xr.DataTree) -> tuple[xr.DataArray, xr.DataArray]:
    """Return the log-likelihood (chain, draw, cell) of people alike, and each person's cell.

    Weights multiply it, as in the graph.
    """
    table = of_fit(fitted)
    pairs = table.row_of * len(table.outcomes) + table.chosen
    present, cell = np.unique(pairs, return_inverse=True)
    row, chosen = np.divmod(present, len(table.outcomes))
    posterior = fitted["posterior"].to_dataset()
    shape = (posterior.sizes["chain"], posterior.sizes["draw"])
    slope, of_groups = _by_draw(posterior, table)
    found = np.empty((len(slope), len(present)))
    varies = table.column[:, list(table.slopes.columns)]
    for i in range(len(found)):
        intercept, varying = of_groups(i)
        free = logits(
            slope[i], intercept, table.column, table.group, table.stratum, varying, varies
        )
        found[i] = _log_chances(free)[row, chosen]
    found *= table.weight[row]
    coords = {"chain": posterior["chain"], "draw": posterior["draw"]}
    likelihood = xr.DataArray(
        found.reshape(*shape, -1), coords, ("chain", "draw", "cell"), name="outcomes"
    )
    return likelihood, xr.DataArray(np.repeat(cell, table.people), dims="person")


def groups(fitted: xr.DataTree) -> list[str]:
    """Return the labels of the groups.

    Raises
    ------
    StudyError
        Of a fit with several columns of groups or slopes that vary, whose groups are not left
        out.
    """
    if not of_fit(fitted).plain:
        raise StudyError(
            "groups are left out of fits with one column of groups and no slopes that vary: fit "
            "with group= one column, and without varying"
        )
    own = frame(data_of(fitted, "the people of the fit"))
    return [str(label) for label in dict.fromkeys(text_of(own[options_of(fitted)["group"]]))]


def split(fitted: xr.DataTree, groups: Sequence[str]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the people of other groups, and those of the groups named."""
    data = data_of(fitted, "the people of the fit")
    out = text_of(frame(data)[options_of(fitted)["group"]]).isin(list(groups)).to_numpy()
    title = data.attrs["title"]
    kept, left = (data.isel({PERSON: np.flatnonzero(rows)}) for rows in (~out, out))
    return (
        kept.assign_attrs(title=f"{title}, without {len(groups)} groups"),
        left.assign_attrs(title=f"{title}, {len(groups)} groups left out"),
    )


def held_out(fitted: xr.DataTree, data: xr.Dataset, *, draws: int, seed: int) -> xr.DataArray:
    """Return the log predictive density (group) of all answers of each of other groups.

    The mean over draws of the parameters of the integral over effects of a new group, by
    importance sampling about its mode.  Weights multiply log-likelihoods, as in the graph.
    """
    table, option = of_fit(fitted), options_of(fitted)
    if option["strata"] is not None:
        raise StudyError("groups of a fit with strata are left out of a fit of each stratum")
    own = frame(data)
    label = text_of(own[option["group"]]).to_numpy()
    chosen = pd.Index(table.outcomes, dtype=object).get_indexer(text_of(own[option["outcome"]]))
    if (chosen < 0).any():
        raise StudyError("groups left out have an outcome that no other group has")
    number = np.ones(len(own))
    if option["counts"] is not None:
        number = number * own[option["counts"]].to_numpy(dtype=float)
    if option["weights"] is not None:  # as in the fit: relative to its people's mean
        weight = frame(data_of(fitted, "the weights"))[option["weights"]].to_numpy(dtype=float)
        mean = np.average(weight, weights=table.people)
        number = number * own[option["weights"]].to_numpy(dtype=float) / mean
    column = table.columns_of(own)
    thin = Logits(fitted, table, draws)
    rng = np.random.default_rng(seed)
    names = [str(name) for name in dict.fromkeys(label)]
    found = np.empty((thin.draws, len(names)))
    for i in range(thin.draws):
        free = column @ thin.slope[i, 0].T + thin.intercept[i, 0]
        for g, name in enumerate(names):
            at = label == name
            found[i, g] = log_density(free[at], chosen[at], number[at], thin.root[i, 0], rng)
    density = logsumexp(found, axis=0) - np.log(len(found))
    return xr.DataArray(density, {"group": names}, ("group",), name="log_density")


def log_density(
    free: NDArray[np.float64],
    chosen: NDArray[np.int64],
    number: NDArray[np.float64],
    root: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Log density of the outcomes of a group whose effects are root e, e ~ Normal(0, 1).

    Parameters
    ----------
    free : ndarray (person, alternative)
        Logits without the group's effects.
    chosen : ndarray of int (person)
    number : ndarray (person)
        How many people, or what weight, each is.
    root : ndarray (alternative, factor)
    rng : Generator
    """
    mode, spread = _mode(free, chosen, number, root)
    half = rng.standard_t(DEGREES, (POINTS // 2, len(mode)))
    t = np.concatenate([half, -half])
    place = mode + t @ spread.T
    constant = gammaln((DEGREES + 1) / 2) - gammaln(DEGREES / 2) - 0.5 * np.log(DEGREES * np.pi)
    drawn_from = (constant - (DEGREES + 1) / 2 * np.log1p(t**2 / DEGREES)).sum(1)
    drawn_from = drawn_from - np.linalg.slogdet(spread)[1]
    target = np.array([_log_joint(e, free, chosen, number, root) for e in place])
    return float(logsumexp(target - drawn_from) - np.log(len(place)))


def _mode(
    free: NDArray[Any], chosen: NDArray[Any], number: NDArray[Any], root: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mode of the density of e, which has one only, and a root of its inverse curvature."""
    e = np.zeros(root.shape[1])
    observed = np.zeros((len(free), free.shape[1] + 1))
    observed[np.arange(len(free)), chosen] = 1.0
    now = _log_joint(e, free, chosen, number, root)
    for _ in range(STEPS):
        chance = softmax(free + root @ e)[:, 1:]
        slope = root.T @ (number @ (observed[:, 1:] - chance)) - e
        spread = np.diag(number @ chance) - (number[:, None] * chance).T @ chance
        curvature = root.T @ spread @ root + np.eye(len(e))
        step = np.linalg.solve(curvature, slope)
        if slope @ step < CLOSE:
            break
        while (after := _log_joint(e + step, free, chosen, number, root)) < now:
            step = step / 2
        e, now = e + step, after
    return e, np.linalg.inv(np.linalg.cholesky(curvature)).T


def _log_joint(
    e: NDArray[Any],
    free: NDArray[Any],
    chosen: NDArray[Any],
    number: NDArray[Any],
    root: NDArray[Any],
) -> float:
    """Log density of outcomes and of e together."""
    each = _log_chances(free + root @ e)[np.arange(len(free)), chosen]
    return float(number @ each - 0.5 * (e @ e + len(e) * np.log(2 * np.pi)))


def _log_chances(free: NDArray[Any]) -> NDArray[np.float64]:
    """Log probabilities of all outcomes, the reference first."""
    whole = np.concatenate([np.zeros((len(free), 1)), free], axis=1)
    return whole - logsumexp(whole, axis=1, keepdims=True)


def _taken_for_labels(table: Design, own: pd.DataFrame) -> set[str]:
    """Columns of numbers that the formula takes for labels only, as C(year) does."""
    labels, entered = set(terms.levels_of(table.spec)), defaultdict(set)
    for words, names in terms.factors(table.spec.formula, list(own)).items():
        for name in names:
            entered[name].add(words in labels)
    return {n for n, kinds in entered.items() if kinds == {True} and own[n].dtype.kind == "f"}


def _by_draw(
    posterior: xr.Dataset, table: Design
) -> tuple[NDArray[np.float64], Callable[[int], tuple[NDArray[np.float64], Any]]]:
    """Slopes (sample, stratum, alternative, column), and what groups have, sample by sample.

    These are intercepts (group, alternative), and slopes that vary (group, alternative, slope).
    """
    names = ["log_odds", "intercept"]
    several = "stratum" in posterior["log_odds"].dims
    pair = posterior[names] if several else posterior[names].expand_dims(stratum=list(table.strata))
    rest = posterior[[name for name in OF_GROUPS if name in posterior]]
    flat = rest.assign(pair).stack(sample=("chain", "draw"), create_index=False)
    slope = flat["log_odds"].transpose("sample", "stratum", "outcome", "term").values[:, :, 1:]
    slope = slope @ np.linalg.inv(table.to_terms).T
    level = flat["intercept"].transpose("sample", "stratum", "outcome").values[:, :, 1:]
    if table.plain:
        effect = flat["group_effect"].transpose("sample", "group", "outcome").values[..., 1:]
        return slope, lambda i: (level[i, table.stratum] + effect[i], None)
    every = Population(flat, table)

    def of_cells(i: int) -> tuple[NDArray[np.float64], Any]:
        intercept, varying = every.cells(i)
        return level[i, 0] + intercept, varying

    return slope, of_cells
