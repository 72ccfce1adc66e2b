"""What a fit says of people: probabilities, answers, each one's likelihood, groups left out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray
from scipy.special import logsumexp

from bayesmig.errors import StudyError
from bayesmig.models.social_capital import terms
from bayesmig.models.social_capital.design import Design, names_of, of_fit, options_of
from bayesmig.models.social_capital.logit import logits
from bayesmig.models.social_capital.people import PERSON, columns, frame
from bayesmig.models.social_capital.people import used as people_used
from bayesmig.models.social_capital.probabilities import (
    MARGINAL,
    Logits,
    probabilities,
    squares,
)
from bayesmig.models.social_capital.values import text_of

CHUNK = 20_000_000  # numbers held at once
INSIDE = 64  # effects drawn for each draw of the parameters


def people(fitted: xr.DataTree) -> tuple[pd.DataFrame, NDArray[np.float64]]:
    """Return the people of a fit without columns that follow from others, and their weights."""
    table = of_fit(fitted)
    own = _used(fitted)
    option = options_of(fitted)
    weight = table.people.astype(float)
    if option["weights"] is not None:
        weight = weight * own[option["weights"]].to_numpy(dtype=float)
    kept = [name for name in table.variables if name not in squares(table, own)]
    others = [_group(fitted), option["strata"]]
    wanted = dict.fromkeys([*kept, *(name for name in others if name is not None)])
    return own[list(wanted)], weight


def bounds(fitted: xr.DataTree) -> dict[str, tuple[float, float]]:
    """Return the range of each column that enters through a spline."""
    spec, own = of_fit(fitted).spec, _used(fitted)
    found = {}
    for words, state in spec.transform_state.items():
        if "lower_bound" in state:
            for name in terms.variables(terms.parsed(words), list(own)):
                found[name] = (float(own[name].min()), float(own[name].max()))
    return found


def expected(
    fitted: xr.DataTree, table: pd.DataFrame | None, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return probabilities (draw, person, outcome)."""
    where = MARGINAL if group == "average" else group
    found = probabilities(fitted, table, where, draws=draws, seed=seed)
    return found.assign_attrs(units="probability")


def drawn(
    fitted: xr.DataTree, table: pd.DataFrame | None, *, group: str, draws: int, seed: int
) -> xr.DataArray:
    """Return an outcome (draw, person) drawn for each person."""
    chance = expected(fitted, table, group=group, draws=draws, seed=seed)
    ends = chance.cumsum("outcome").values
    rng = np.random.default_rng((seed, 1))
    at = (rng.random(ends.shape[:2])[..., None] > ends[..., :-1]).sum(-1)
    return xr.DataArray(
        chance["outcome"].values[at], {"draw": chance["draw"]}, ("draw", "person"), name="outcome"
    )


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
    arrays = _by_draw(posterior, table)
    found = np.empty((shape[0] * shape[1], len(present)))
    for i in range(len(found)):
        free = logits(
            arrays[0][i], arrays[1][i], table.column, table.member, table.multiplier, table.stratum
        )
        whole = np.concatenate([np.zeros((len(free), 1)), free], axis=1)
        found[i] = whole[row, chosen] - logsumexp(whole, axis=1)[row]
    found *= table.weight[row]
    coords = {"chain": posterior["chain"], "draw": posterior["draw"]}
    likelihood = xr.DataArray(
        found.reshape(*shape, -1), coords, ("chain", "draw", "cell"), name="outcomes"
    )
    return likelihood, xr.DataArray(np.repeat(cell, table.people), dims="person")


def groups(fitted: xr.DataTree) -> list[str]:
    """Return the labels of the groups."""
    own = text_of(_used(fitted)[_group(fitted)])
    return [str(label) for label in dict.fromkeys(own)]


def split(fitted: xr.DataTree, groups: Sequence[str]) -> tuple[xr.Dataset, xr.Dataset]:
    """Return the people of other groups, and those of the groups named."""
    data = fitted["data"].to_dataset()
    name = _group(fitted)
    out = text_of(frame(data)[name]).isin(list(groups)).to_numpy()
    title = data.attrs["title"]
    kept, left = (data.isel({PERSON: np.flatnonzero(rows)}) for rows in (~out, out))
    return (
        kept.assign_attrs(title=f"{title}, without {len(groups)} groups"),
        left.assign_attrs(title=f"{title}, {len(groups)} groups left out"),
    )


def held_out(fitted: xr.DataTree, data: xr.Dataset, *, draws: int, seed: int) -> xr.DataArray:
    """Return the log predictive density (group) of all answers of each of other groups.

    The mean over draws of the parameters, and of effects of a new group for each of them.
    """
    table, option = of_fit(fitted), options_of(fitted)
    if option["strata"] is not None:
        raise StudyError(
            "groups of a fit with strata cannot be left out: a fit of each stratum can"
        )
    own = frame(data)
    label = text_of(own[_group(fitted)]).to_numpy()
    chosen = pd.Index(table.outcomes, dtype=object).get_indexer(text_of(own[option["outcome"]]))
    number = (
        np.ones(len(own)) if option["counts"] is None else own[option["counts"]].to_numpy(float)
    )
    column = table.columns_of(own)
    thin = Logits(fitted, table, max(1, draws // INSIDE))
    rng = np.random.default_rng(seed)
    names = [str(name) for name in dict.fromkeys(label)]
    place = np.array([names.index(name) for name in label])
    found = np.empty((thin.draws, INSIDE, len(names)))
    for i in range(thin.draws):
        half = rng.standard_normal((INSIDE // 2, thin.root.shape[-1]))
        effect = np.concatenate([half, -half]) @ thin.root[i, 0].T
        free = column @ thin.slope[i, 0].T + thin.intercept[i, 0]
        for j, shift in enumerate(effect):
            whole = np.concatenate([np.zeros((len(free), 1)), free + shift], axis=1)
            each = whole[np.arange(len(free)), chosen] - logsumexp(whole, axis=1)
            found[i, j] = np.bincount(place, number * each, len(names))
    density = logsumexp(found, axis=(0, 1)) - np.log(found.shape[0] * INSIDE)
    return xr.DataArray(density, {"group": names}, ("group",), name="log_density")


def _group(fitted: xr.DataTree) -> str:
    """The column of the groups whose effects are ``group_effect``: those of which are fewest."""
    named = options_of(fitted)["group"]
    if isinstance(named, str):
        return named
    own = frame(fitted["data"].to_dataset())
    return min(named, key=lambda name: own[name].nunique())


def _used(fitted: xr.DataTree) -> pd.DataFrame:
    """The people whom the graph has."""
    data, option = fitted["data"].to_dataset(), options_of(fitted)
    named = names_of(option["group"])
    asked = [*named, *(option[n] for n in ("outcome", "weights", "counts", "strata"))]
    wanted = [*of_fit(fitted).variables, *(name for name in asked if name is not None)]
    there = [name for name in wanted if name in columns(data)]
    kept = people_used(data, there, option["counts"], option["missing"], named)
    return frame(kept).reset_index(drop=True)


def _by_draw(posterior: xr.Dataset, table: Design) -> tuple[NDArray, NDArray]:
    """Slopes (sample, stratum, alternative, column), effects (sample, effect, alternative).

    The effects as the likelihood has them: the groups' with the intercept, then others.
    """
    names = ["log_odds", "intercept"]
    several = "stratum" in posterior["log_odds"].dims
    pair = posterior[names] if several else posterior[names].expand_dims(stratum=list(table.strata))
    flat = pair.stack(sample=("chain", "draw"), create_index=False)
    slope = flat["log_odds"].transpose("sample", "stratum", "outcome", "term").values[:, :, 1:]
    level = flat["intercept"].transpose("sample", "stratum", "outcome").values[:, :, 1:]
    effect = posterior["group_effect"].stack(sample=("chain", "draw"), create_index=False)
    effect = effect.transpose("sample", "group", "outcome").values[..., 1:]
    back = np.linalg.inv(table.to_terms)
    effect = level[:, table.stratum] + effect
    if table.further:
        other = posterior["further_effect"].stack(sample=("chain", "draw"), create_index=False)
        other = other.transpose("sample", "member", "outcome").values[..., 1:]
        unit = [1.0 if f.column < 0 else table.to_terms[f.column, f.column] for f in table.further]
        other = other / np.repeat(unit, [len(f.members) for f in table.further])[:, None]
        effect = np.concatenate([effect, other], axis=1)
    return slope @ back.T, effect
