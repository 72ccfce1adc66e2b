"""Effects of groups: how they go together over outcomes, and the coordinates they are sampled in.

The effects of a group on the free logits are u_g = Lambda e_g, e_g ~ Normal(0, 1).  What
Lambda is made of is the option ``intercepts`` of `graph.build`.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesmig.coordinates import standard_normal
from bayesmig.errors import PriorError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bayesmig.models.social_capital.design import Design
    from bayesmig.models.social_capital.geometry import Geometry
    from bayesmig.priors import PriorSet

ALIKE = np.sqrt(0.5)  # numbers of this standard deviation differ with standard deviation one


def coords(table: Design, intercepts: str) -> dict[str, Sequence[str]]:
    """Return the labels of what the effects are made of."""
    if intercepts == "shared":
        # the sign of a factor whose anchor is a rare outcome is nearly free: two modes
        anchor = table.alternatives[int(table.count.sum(0)[1:].argmax())]
        later = tuple(label for label in table.alternatives if label != anchor)
        return {"factor": ("common",), "first": (anchor,), "later": later}
    if len(table.alternatives) == 1 or intercepts == "independent_contrasts":
        return {"factor": table.alternatives}
    if intercepts == "independent":
        return {"factor": table.outcomes}
    names = [str(f + 1) for f in range(len(table.alternatives))]
    below = [f"{i}, {j}" for j in names for i in names if int(i) > int(j)]
    return {"factor": names, "below": below}


def loadings(
    priors: PriorSet, by: tuple[str, ...], intercepts: str, model: pm.Model, name: str = "group"
) -> Any:
    """Create Lambda, the effect of each factor on each free logit: (by, alternative, factor).

    With two outcomes it is a scale, whatever the structure.  The scale's name begins with
    ``name``.
    """
    size = len(model.coords["alternative"])
    if intercepts == "shared":
        scale = priors.variable("group_scale", *by, "first", support="positive")
        later = [priors.variable("loading", *by, "later")] if size > 1 else []
        labels = [*model.coords["first"], *model.coords["later"]]
        order = pm.Data("loading_order", [labels.index(k) for k in model.coords["alternative"]])
        found = pt.take(pt.concatenate([scale, *later], axis=-1), order, axis=-1)[..., None]
    elif size == 1 or intercepts == "independent_contrasts":
        scale = priors.variable(f"{name}_scale", *by, "alternative", support="positive")
        found = scale[..., None] * constant("uncorrelated", np.eye(size), model)
    elif intercepts == "independent":
        scale = priors.variable(f"{name}_scale", *by, "outcome", support="positive")
        against = np.eye(size + 1)[1:] - np.eye(size + 1)[0]
        found = scale[..., None, :] * constant("against_reference", ALIKE * against, model)
    else:
        scale = priors.variable("group_scale", *by, support="positive")
        root = _wishart_root(priors, by, model)
        found = scale[..., None, None] * (alike(model)[:, :, None] * root[..., None, :, :]).sum(-2)
    return found if by else found[None]


def alike(model: pm.Model) -> Any:
    """Return a square root of the covariance of differences of K independent numbers, I + 11'.

    Any other one differs by a rotation, to which the Wishart is indifferent.
    """
    size = len(model.coords["alternative"])
    return constant("alike", ALIKE * np.linalg.cholesky(np.eye(size) + 1), model)


def constant(name: str, value: Any, model: pm.Model) -> Any:
    """Name a number of the graph, once."""
    return model[name] if name in model.named_vars else pm.Data(name, value)


def _wishart_root(priors: PriorSet, by: tuple[str, ...], model: pm.Model) -> Any:
    """Lower root T of W = TT', W ~ Wishart(n, I / n) (Bartlett): (..., factor, factor_too)."""
    size = len(model.coords["factor"])
    degrees = size + degrees_beyond(priors.specs["group_shape"])
    square = pm.ChiSquared(
        "group_shape_diagonal",
        pm.Data("group_shape_diagonal_degrees", degrees - np.arange(size)),
        dims=(*by, "factor"),
    )
    below = pm.Normal("group_shape_below", 0.0, 1.0, dims=(*by, "below"))
    pairs = [(i, j) for j in range(size) for i in range(j + 1, size)]
    place = np.zeros((len(pairs), size, size))
    for at, (i, j) in enumerate(pairs):
        place[at, i, j] = 1.0
    diagonal = pm.Data("on_diagonal", np.eye(size))
    lower = (below[..., None, None] * pm.Data("below_diagonal", place)).sum(-3)
    width = pm.Data("group_shape_width", 1 / np.sqrt(degrees))
    return (pt.sqrt(square)[..., None] * diagonal + lower) * width


def degrees_beyond(spec: Any) -> float:
    """Read the number of the prior of the shape, which can be no other than Wishart."""
    numbers = getattr(spec, "numbers", {})
    if getattr(spec, "dist", "") != "Wishart" or set(numbers) != {"beyond"}:
        raise PriorError(
            "prior of 'group_shape': must be Wishart with a number beyond (degrees of freedom "
            f"beyond the free outcomes), got {spec}"
        )
    beyond = numbers["beyond"]
    if not isinstance(beyond, Real) or not 0 <= float(beyond) < np.inf:
        raise PriorError(f"prior of 'group_shape': beyond must be 0 or more, got {beyond!r}")
    return float(beyond)


def group_effects(
    coefficient: Any, loading: Any, near: Geometry, stratum: Any, intercepts: str
) -> Any:
    """Create the effects of the groups, Lambda e, e ~ Normal(0, 1): (group, alternative).

    The coordinates in which e is sampled are those in which its posterior is nearly
    standard normal whatever Lambda and the coefficients are, given what the group's own
    people say: centred where they are many, non-centred where they are few.
    """
    information = pm.Data("group_information", near.information, dims=("group", "alternative"))
    focus = pm.Data("group_focus", near.focus, dims=("group", "alternative", "term"))
    location = pm.Data("group_location", near.location, dims=("group", "alternative"))
    own, loading = (v if stratum is None else v[stratum] for v in (coefficient, loading))
    distance = location - own[:, :, 0] - (focus * own[:, :, 1:]).sum(-1)
    several = near.information.shape[1] > 1
    if several and intercepts == "independent":
        score = _numbers_of_outcomes(distance, loading, information)
    elif several and intercepts == "correlated":
        score = _one_after_the_other(distance, loading, information, near.information.shape[1])
    else:
        pull = (loading * (information * distance)[..., None]).sum(1)
        weight = (loading**2 * information[..., None]).sum(1)
        score = standard_normal("group", pull, weight, "group", "factor")
    return (loading * score[:, None, :]).sum(-1)


def _numbers_of_outcomes(distance: Any, loading: Any, information: Any) -> Any:
    """Standard normals (group, outcome): the reference's, then the others given it."""
    reference = loading[:, 0, 0]  # the same for all alternatives, and negative
    own = loading.sum(2) - loading[:, :, 0]
    left = information / (1 + own**2 * information)
    pull = reference * (left * distance).sum(1)
    first = standard_normal("group_reference", pull, reference**2 * left.sum(1), "group")
    distance = distance - (reference * first)[:, None]
    pull, weight = own * information * distance, own**2 * information
    others = standard_normal("group", pull, weight, "group", "alternative")
    return pt.concatenate([first[:, None], others], axis=1)


def _one_after_the_other(distance: Any, loading: Any, information: Any, size: int) -> Any:
    """Standard normals (group, factor) on several of which the data speak at once."""
    pull = (loading * (information * distance)[..., None]).sum(1)
    weight = (loading[..., :, None] * loading[..., None, :] * information[..., None, None]).sum(1)
    return in_turn("group", pull, weight, size, "group")


def in_turn(name: str, pull: Any, weight: Any, size: int, dim: str) -> Any:
    """Standard normals (dim, factor), each given those before, those after integrated out.

    Parameters
    ----------
    name : str
        Begins the names of their coordinates.
    pull : tensor (dim, factor)
    weight : tensor (dim, factor, factor)
        What the data say of them: the slope of a log likelihood where all are zero, and its
        curvature.
    size : int
        How many factors.
    dim : str
    """
    reduced: list[tuple[Any, Any]] = []
    for last in reversed(range(size)):
        reduced.insert(0, (pull[:, last], weight[:, last]))
        left = weight[:, :last, last] / (1 + weight[:, last, last])[:, None]
        pull = pull[:, :last] - left * pull[:, last, None]
        weight = weight[:, :last, :last] - left[:, :, None] * weight[:, last, None, :last]
    found: list[Any] = []
    for f, (own, row) in enumerate(reduced):
        for before, score in enumerate(found):
            own = own - row[:, before] * score
        found.append(standard_normal(f"{name}_{f + 1}", own, row[:, f], dim))
    return pt.stack(found, axis=1)
