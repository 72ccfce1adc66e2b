"""Effects of several columns of groups, and slopes that vary between groups, in the graph.

The effects of a block (see `joint`) are u_gkc = sum_f Lambda_kcf e_gf, e ~ Normal(0, 1), of
group g on the slope of column c in logit k, and in a person's logit the blocks add up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy.linalg import block_diag

from bayesmig.errors import StudyError
from bayesmig.models.social_capital import effects
from bayesmig.models.social_capital.design import MARGINAL
from bayesmig.models.social_capital.joint import INTERCEPT, Block, Joint, Told

if TYPE_CHECKING:
    from bayesmig.models.social_capital.design import Design
    from bayesmig.priors import PriorSet

SlopeEffects = Literal["correlated", "uncorrelated"]


def check(table: Design, intercepts: str, slopes: SlopeEffects) -> None:
    """Refuse slopes that vary as nobody has written down.

    Raises
    ------
    StudyError
    """
    if not table.slopes.columns:
        return
    if intercepts == "shared":
        raise StudyError(
            "one factor of intercepts says nothing of slopes that vary: "
            "intercepts='correlated', or another"
        )
    if slopes == "correlated" and intercepts != "correlated":
        raise StudyError(
            f"slopes that are correlated with intercepts={intercepts!r}, which are independent of "
            "each other: intercepts='correlated', or slopes='uncorrelated'"
        )
    own = list(table.slopes.columns)
    block = table.to_terms[np.ix_(own, own)]
    if slopes == "uncorrelated" and np.count_nonzero(block - np.diag(np.diag(block))):
        raise StudyError(
            "varying: a square and what it is the square of go together: slopes='correlated'"
        )


def coords(table: Design, blocks: Sequence[Block], intercepts: str) -> dict[str, Any]:
    """Return the labels of the effects and of what they are made of."""
    several = len(table.levels) > 1
    found: dict[str, Any] = {"cell": np.arange(len(table.groups))}
    if several:
        found["grouping"] = [level.name for level in table.levels]
        found["member"] = [f"{level.name}, {g}" for level in table.levels for g in level.groups]
        found |= {f"member_{i + 1}": level.groups for i, level in enumerate(table.levels)}
    if table.slopes.columns:
        labels = [table.terms[j] for j in table.slopes.columns]
        found |= {"slope": labels, "effect": (MARGINAL, *labels), "effect_too": (MARGINAL, *labels)}
    if intercepts == "correlated":
        factors, below = [], []
        for block in blocks:
            own = [_factor(table, block, f) for f in range(_size(table, block))]
            if len(own) > 1:
                factors += own
                below += [f"{a}, {b}" for b in own for a in own[own.index(b) + 1 :]]
        if factors:
            found |= {"factor": factors, "below": below}
    return found


def _size(table: Design, block: Block) -> int:
    return len(table.alternatives) * len(block.columns)


def _factor(table: Design, block: Block, f: int) -> str:
    """Name a factor: "1", or "household 1", or "municipality, age 1"."""
    words = [table.levels[block.level].name] if len(table.levels) > 1 else []
    if INTERCEPT not in block.columns:
        words.append(table.terms[block.columns[0]])
    return f"{', '.join(words)} {f + 1}".strip()


def loadings(
    priors: PriorSet, table: Design, blocks: Sequence[Block], intercepts: str, model: pm.Model
) -> list[Any]:
    """Create Lambda of each block: (alternative, coefficient, factor)."""
    by = ("grouping",) if len(table.levels) > 1 else ()
    if intercepts == "correlated":
        return _correlated(priors, table, blocks, by, model)
    own = effects.loadings(priors, by, intercepts, model)
    varying: Any = None
    if table.slopes.columns:
        varying = effects.loadings(priors, ("slope",), intercepts, model, "varying")
    found = []
    for block in blocks:
        (column,) = block.columns
        one = own[block.level] if column == INTERCEPT else varying[_place(table, column)]
        found.append(one[:, None, :])
    return found


def _place(table: Design, column: int) -> int:
    return table.slopes.columns.index(column)


def _correlated(
    priors: PriorSet,
    table: Design,
    blocks: Sequence[Block],
    by: tuple[str, ...],
    model: pm.Model,
) -> list[Any]:
    """Wishart covariances of the blocks, each coefficient with a scale of its own.

    In the order of outcomes the covariance is one of differences of independent numbers, as
    for one column of groups, so that it is the same family for every reference.
    """
    scale = priors.variable("group_scale", *by, support="positive")
    varying: Any = None
    if table.slopes.columns:
        varying = priors.variable("varying_scale", "slope", support="positive")
    roots = _roots(priors, [_size(table, block) for block in blocks], model)
    alternatives = len(table.alternatives)
    found = []
    for block, root in zip(blocks, roots, strict=True):
        scales = [
            (scale[block.level] if by else scale) if j == INTERCEPT else varying[_place(table, j)]
            for j in block.columns
        ]
        size = _size(table, block)
        # against the reference: the same for each coefficient
        turned = root.reshape((alternatives, len(block.columns), size))
        turned = (effects.alike(model)[:, :, None, None] * turned[None]).sum(1)
        found.append(pt.stack(scales)[None, :, None] * turned)
    return found


def _roots(priors: PriorSet, sizes: Sequence[int], model: pm.Model) -> list[Any]:
    """Lower roots of a Wishart for each block, of mean one (Bartlett); of size one, one."""
    beyond = effects.degrees_beyond(priors.specs["group_shape"])
    if max(sizes) == 1:
        return [pt.ones((1, 1)) for _ in sizes]
    degrees = np.concatenate([n + beyond - np.arange(n) for n in sizes if n > 1])
    square = pm.ChiSquared(
        "group_shape_diagonal", pm.Data("group_shape_diagonal_degrees", degrees), dims="factor"
    )
    below = pm.Normal("group_shape_below", 0.0, 1.0, dims="below")
    found, first, first_below = [], 0, 0
    for n in sizes:
        if n == 1:
            found.append(pt.ones((1, 1)))
            continue
        pairs = [(i, j) for j in range(n) for i in range(j + 1, n)]
        place = np.zeros((len(pairs), n, n))
        place[np.arange(len(pairs)), [i for i, _ in pairs], [j for _, j in pairs]] = 1.0
        own = pt.sqrt(square[first : first + n])[:, None] * effects.constant(
            f"on_diagonal_{n}", np.eye(n), model
        )
        lower = below[first_below : first_below + len(pairs), None, None]
        lower = (lower * effects.constant(f"below_diagonal_{n}", place, model)).sum(0)
        width = effects.constant(f"group_shape_width_{n}", 1 / np.sqrt(n + beyond), model)
        found.append((own + lower) * width)
        first, first_below = first + n, first_below + len(pairs)
    return found


def create(
    coefficient: Any,
    loading: Sequence[Any],
    near: Joint,
    blocks: Sequence[Block],
    sizes: Sequence[int],
    dims: Sequence[str],
) -> list[Any]:
    """Create the effects of each block: (group, effect).

    Their coordinates are those in which their posterior is nearly standard normal given
    coefficients, scales and the blocks before, the blocks after integrated out.  Where the
    data say little that is what they are a priori.

    Parameters
    ----------
    coefficient : tensor (alternative, 1 + column)
    loading : sequence of tensor (effect, factor)
    near : Joint
    blocks : sequence of Block
    sizes : sequence of int
        How many factors each block has.
    dims : sequence of str
        Of the groups of each block.
    """
    moved = pm.Data("joint_centre", near.centre[0]) - coefficient
    variance = [(one**2).sum(-1) for one in loading]
    found: list[Any] = []
    for b, told in enumerate(near.told):
        name, own = f"effect_{b + 1}", loading[b][None]
        if told.little:
            each = [pm.Normal(f"{name}_{f + 1}_raw", dims=dims[b]) for f in range(sizes[b])]
            score = pt.stack(each, axis=1)
        else:
            away = pt.repeat(moved, len(blocks[b].columns), axis=0)
            slope, information = _said(name, told, away, variance, found, near)
            pull = (own * slope[..., None]).sum(1)
            half = (information[..., None] * own[:, None]).sum(2)
            weight = (own[..., None] * half[:, :, None]).sum(1)
            score = effects.in_turn(name, pull, weight, sizes[b], dims[b])
        found.append((own * score[:, None]).sum(-1))
    return found


def _said(
    name: str, told: Told, moved: Any, variance: Sequence[Any], found: Sequence[Any], near: Joint
) -> tuple[Any, Any]:
    """What the data say of a block: the slope of the log likelihood at zero, and its curvature.

    Both are what is left when the blocks after are not known, the slope for coefficients and
    effects before that are not those of the mode.
    """

    def data(word: str, value: Any) -> Any:
        return pm.Data(f"{name}_{word}", value)

    away = (data("focus", told.focus) * moved).sum(-1)
    for link in told.links:
        other = found[link.other] - data(f"mode_{link.other}", near.told[link.other].mode)
        other = other[data(f"other_{link.other}", link.other_group)]
        said = (data(f"link_{link.other}", link.information) * other[:, None]).sum(-1)
        own = data(f"own_{link.other}", link.own_group)
        away = pt.inc_subtensor(away[own], -said)
    information, mode = data("information", told.information), data("mode", told.mode)
    kept: Any = 1.0
    for loss in told.losses:
        v = variance[loss.other]
        most, bend = data(f"lost_{loss.other}", loss.most), data(f"bend_{loss.other}", loss.bend)
        # each part is below one, and so is the whole of parts that overlap
        kept = kept * pt.exp(pt.log1p(-v * most / (1 + v * bend)).sum(-1))
    if told.losses:
        root = pt.sqrt(kept)
        information = information * root[..., None] * root[:, None]
        away = kept * away
    return data("score", told.score) + away + (information * mode[:, None]).sum(-1), information


def add(
    priors: PriorSet,
    table: Design,
    coefficient: Any,
    near: Joint,
    blocks: Sequence[Block],
    intercepts: str,
    model: pm.Model,
) -> tuple[Any, Any]:
    """Create effects and name what the estimands are made of.

    Returns
    -------
    tensor (cell, alternative), tensor (cell, alternative, slope)
        What the groups of a cell add to intercept and slopes.
    """
    loading = loadings(priors, table, blocks, intercepts, model)
    correlated = intercepts == "correlated"
    others = len(model.coords["factor"]) if not correlated else 0
    sizes = [_size(table, block) if correlated else others for block in blocks]
    several = len(table.levels) > 1
    dims = [f"member_{block.level + 1}" if several else "group" for block in blocks]
    flat = [
        one.reshape((_size(table, block), size))
        for one, block, size in zip(loading, blocks, sizes, strict=True)
    ]
    effect = create(coefficient, flat, near, blocks, sizes, dims)
    intercept: Any = 0.0
    own: dict[int, Any] = {}  # effects on the intercept, by level
    slope: dict[int, Any] = {}  # and on columns
    for b, block in enumerate(blocks):
        for c, column in enumerate(block.columns):
            of_column = effect[b][:, c :: len(block.columns)]
            if column == INTERCEPT:
                own[block.level] = of_column
                of_cell = pm.Data(f"cell_{block.level + 1}", block.of_cell, dims="cell")
                intercept = intercept + own[block.level][of_cell]
            else:
                slope[column] = of_column
    every = pt.concatenate([own[i] for i in range(len(table.levels))], axis=0)
    pm.Deterministic(
        "group_effect", _padded(every, 1), dims=("member" if several else "group", "outcome")
    )
    covariance = _covariances(table, blocks, loading)
    of_level = [covariance[i, INTERCEPT, INTERCEPT] for i in range(len(table.levels))]
    pm.Deterministic(
        "group_covariance",
        _padded(_padded(pt.stack(of_level) if several else of_level[0], -1), -2),
        dims=(*(("grouping",) if several else ()), "outcome", "outcome_too"),
    )
    if not table.slopes.columns:
        return intercept, None
    return intercept, _add_slopes(table, slope, covariance, model)


def _add_slopes(table: Design, slope: dict[int, Any], covariance: Any, model: pm.Model) -> Any:
    """Name the slopes and their covariances, per unit of the formula's columns."""
    level, columns = table.slopes.level, table.slopes.columns
    matrix = table.to_terms[np.ix_(columns, columns)]
    to_slopes = pm.Data("to_slopes", matrix)
    graph = pt.stack([slope[j] for j in columns], axis=-1)  # (group, alternative, slope)
    terms = (graph[:, :, None, :] * to_slopes).sum(-1).transpose((2, 0, 1))
    several = len(table.levels) > 1
    pm.Deterministic(
        "group_slope",
        _padded(terms, 2),
        dims=("slope", f"member_{level + 1}" if several else "group", "outcome"),
    )
    dims = ("outcome", "outcome_too")
    if (level, INTERCEPT, columns[0]) not in covariance:  # each on its own
        scaled = [covariance[level, j, j] * matrix[i, i] ** 2 for i, j in enumerate(columns)]
        value = _padded(_padded(pt.stack(scaled), -1), -2)
        pm.Deterministic("slope_covariance", value, dims=("slope", *dims))
    else:
        kinds = (INTERCEPT, *columns)
        back = pm.Data("to_effects", block_diag(1.0, matrix))
        whole = pt.stack([pt.stack([covariance[level, a, b] for b in kinds]) for a in kinds])
        half = (back[:, :, None, None, None] * whole[None]).sum(1)
        value = (back[None, :, :, None, None] * half[:, None]).sum(2)
        value = _padded(_padded(value, -1), -2)
        pm.Deterministic("varying_covariance", value, dims=("effect", "effect_too", *dims))
    return graph[pm.Data("cell_sloped", table.levels[level].of_cell, dims="cell")]


def _covariances(table: Design, blocks: Sequence[Block], loading: Sequence[Any]) -> Any:
    """Covariances (alternative, alternative) of what varies together, by level and columns."""
    found = {}
    for block, one in zip(blocks, loading, strict=True):
        for a, first in enumerate(block.columns):
            for b, second in enumerate(block.columns):
                product = (one[:, None, a] * one[None, :, b]).sum(-1)
                found[block.level, first, second] = product
    return found


def _padded(value: Any, axis: int) -> Any:
    """Put the reference's zero before the alternatives."""
    axis = axis % value.ndim
    first = pt.zeros_like(pt.take(value, [0], axis=axis))
    return pt.concatenate([first, value], axis=axis)
