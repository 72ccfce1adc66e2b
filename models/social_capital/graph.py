"""The random-intercept multinomial logit as a PyMC model.

eta_ik = c_k + x_i' b_k + u_g(i),k for the outcomes k other than the reference, with
municipality effects u_g = Lambda e_g, e ~ Normal(0, 1): the paper's z_m ~ N(0, 1), whose
loadings it does not print.
"""

from __future__ import annotations

import warnings
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

from bayesmig.errors import DataWarning, PriorError, StudyError
from bayesmig.models.social_capital.design import (
    MARGINAL,
    Design,
    design,
    separated,
    single_groups,
)
from bayesmig.models.social_capital.geometry import Geometry, geometry
from bayesmig.models.social_capital.likelihood import Outcomes
from bayesmig.models.social_capital.people import Missing

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.priors import PriorSet

Intercepts = Literal["independent", "correlated", "shared"]
Pooling = Literal["partial", "complete", "none"]


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    formula: str | None = None,
    group: str = "municipality",
    outcome: str = "outcome",
    reference: str = "no_aspirations",
    intercepts: Intercepts = "independent",
    weights: str | None = None,
    counts: str | None = None,
    strata: str | None = None,
    pooling: Pooling = "partial",
    missing: Missing = "raise",
    collapse: bool = True,
) -> pm.Model:
    """Build the graph of one data set of people.

    Parameters
    ----------
    data : Dataset
        People, as `data.read`, `data.example` or `people.from_frame` give them.
    priors : PriorSet
    formula : str, optional
        Right-hand side, as formulaic reads it; the paper's by default.
    group, outcome : str
        Columns of the clusters and of the outcome, of any number of categories.
    reference : str
        The outcome against which coefficients are written; `bayesmig.rebase` changes it
        after fitting.
    intercepts : {"independent", "correlated", "shared"}
        Group effects: one scale for each outcome; with correlations (LKJ) too; or one
        factor with a loading for each outcome.
    weights : str, optional
        Column of survey weights, scaled to mean one.  The likelihood is then a
        pseudo-likelihood, and its posterior no posterior of a model of the people.
    counts : str, optional
        Column that says how many people each row stands for (a frequency table): the
        same as rows repeated.
    strata : str, optional
        Column whose levels have intercepts, coefficients, groups and scales of their own.
    pooling : {"partial", "complete", "none"}
        Coefficients of the strata: normal around common ones; the same for all; each with
        the prior of its own.
    missing : {"raise", "casewise"}
        What to do with people who lack a value in a column that the options name: refuse, or
        leave them out, counted by column in the data's ``left_out``.
    collapse : bool
        Whether people alike in everything become one row with counts.  The posterior is
        the same.

    Returns
    -------
    pm.Model
        Free: ``coefficient`` (alternative, column), of standardised columns, the intercept
        first; ``group_scale`` (alternative); with correlations ``correlation``
        (correlated), partial correlations r as (1 + r) / 2; with one factor the
        ``group_scale`` (first) of the commonest alternative, which fixes the factor's sign,
        and ``loading`` (later) of the others; ``group_raw`` (group, factor),
        or one for each factor, the group effects in coordinates that suit the sampler.
        With strata and pooling ``stratum_scale`` (alternative, varying) and
        ``stratum_raw``, around common coefficients.
        Deterministic, the reference's zeros first: ``log_odds`` (outcome, term), per unit of
        the formula's columns; ``intercept`` (outcome); ``group_covariance`` (outcome,
        outcome_too); with strata these have the dim ``stratum`` too; ``group_effect``
        (group, outcome).  Observed: ``outcomes`` (row, outcome), counts.

    Warns
    -----
    DataWarning
        For separated columns and groups of one person, by name; for independent effects of
        three outcomes or more of one's own, which are another model for each reference.

    Raises
    ------
    DataError, PriorError, StudyError
    """
    table = design(
        data,
        formula=formula,
        group=group,
        outcome=outcome,
        reference=reference,
        weights=weights,
        counts=counts,
        strata=strata,
        missing=missing,
        collapse=collapse,
    )
    _warn(table)
    if intercepts == "independent" and data.attrs.get("own_data"):
        _warn_of_reference(table)
    near = geometry(table)
    by = ("stratum",) if strata else ()
    with pm.Model(coords=_coords(table, intercepts)) as model:
        stratum = pm.Data("group_stratum", table.stratum, dims="group")
        coefficient = _coefficients(priors, near, by, pooling, model)
        loadings = _loadings(priors, by, intercepts, model)
        effect = _group_effects(coefficient, loadings, near, stratum if by else None, intercepts)
        _report(coefficient, loadings, effect, table, by)
        known = (None, len(table.outcomes))  # static: the number of outcomes is the graph's
        Outcomes(
            "outcomes",
            coefficient[:, :, 1:],
            (coefficient[:, :, 0][stratum] if by else coefficient[:, :, 0]) + effect,
            pm.Data("columns", table.column, dims=("row", "term")),
            pm.Data("row_group", table.group, dims="row"),
            stratum,
            pm.Data("people", table.count.sum(1), dims="row"),
            pm.Data("weight", table.weight, dims="row"),
            observed=pm.Data("count", table.count, dims=("row", "outcome"), shape=known),
            dims=("row", "outcome"),
        )
    return model


class Whitened(Transform):
    """Coefficients as a linear map of coordinates that are nearly independent of each other.

    Attributes
    ----------
    centre, log_width : pm.Data (..., alternative, column)
    root, inverse : pm.Data (..., alternative, column, alternative, column)
        Lower triangular, and its inverse.
    """

    name = "whitened"

    def __init__(self, near: Geometry, stratified: bool):
        first = slice(None) if stratified else 0
        shape = near.centre.shape[1:]
        tail = (len(near.root), *shape, *shape)
        width = np.einsum("sii->si", near.root).reshape(near.centre.shape)
        self.centre = pm.Data("coefficient_centre", near.centre[first])
        self.log_width = pm.Data("coefficient_log_width", np.log(width)[first])
        self.root = pm.Data("coefficient_root", near.root.reshape(tail)[first])
        inverse = np.linalg.inv(near.root).reshape(tail)
        self.inverse = pm.Data("coefficient_root_inverse", inverse[first])
        self.data = (self.centre, self.log_width, self.root, self.inverse)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """From coefficients to coordinates."""
        return (self.inverse * (value - self.centre)[..., None, None, :, :]).sum((-2, -1))

    def backward(self, value: Any, *inputs: Any) -> Any:
        """From coordinates to coefficients."""
        return self.centre + (self.root * value[..., None, None, :, :]).sum((-2, -1))

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of the width of each coordinate: their product is the determinant."""
        return self.log_width + pt.zeros_like(value)


def _coords(table: Design, intercepts: str) -> dict[str, Any]:
    one_factor = intercepts == "shared"
    coords = {
        "outcome": table.outcomes,
        "alternative": table.alternatives,
        "outcome_too": table.outcomes,
        "column": (MARGINAL, *table.terms),
        "term": table.terms,
        "term_too": table.terms,
        "stratum": table.strata,
        "group": table.groups,
        "factor": ("common",) if one_factor else table.alternatives,
        "row": np.arange(len(table.column)),
    }
    if one_factor:
        # the sign of a factor whose anchor is a rare outcome is nearly free: two modes
        anchor = table.alternatives[int(table.count.sum(0)[1:].argmax())]
        later = tuple(label for label in table.alternatives if label != anchor)
        coords |= {"first": (anchor,), "later": later}
    return coords


def _coefficients(
    priors: PriorSet, near: Geometry, by: tuple[str, ...], pooling: str, model: pm.Model
) -> Any:
    """Intercepts and slopes of the graph's columns, (stratum, alternative, column)."""
    dims = ("alternative", "column")
    if not by:
        return priors.variable("coefficient", *dims, transform=Whitened(near, False))[None]
    if pooling == "none":
        return priors.variable("coefficient", *by, *dims, transform=Whitened(near, True))
    common = priors.variable("coefficient", *dims)
    varying = model.coords["column"] if pooling == "partial" else (MARGINAL,)
    model.add_coord("varying", varying)
    scale = priors.variable("stratum_scale", "alternative", "varying", support="positive")
    size, last = near.centre.shape, len(varying)
    spread = np.einsum("sij,sij->si", near.root, near.root).reshape(size)[..., :last]
    information = pm.Data("stratum_information", 1 / spread)
    location = pm.Data("stratum_location", near.centre[..., :last])
    distance = location - common[None, :, :last]
    pull, weight = scale * information * distance, scale**2 * information
    score = _standard_normal("stratum", pull, weight, *by, "alternative", "varying")
    deviation = scale * score
    if pooling == "partial":
        return common[None] + deviation
    everywhere = common[None, :, 1:] + pt.zeros_like(deviation[:, :, 0])[:, :, None]
    return pt.concatenate([common[None, :, :1] + deviation, everywhere], axis=2)


def _loadings(priors: PriorSet, by: tuple[str, ...], intercepts: str, model: pm.Model) -> Any:
    """Lambda, the effect of each factor on each outcome: (stratum, alternative, factor)."""
    size = len(model.coords["alternative"])
    if intercepts == "shared":
        first = priors.variable("group_scale", *by, "first", support="positive")
        later = [priors.variable("loading", *by, "later")] if size > 1 else []
        own = [*model.coords["first"], *model.coords["later"]]
        order = pm.Data("loading_order", [own.index(k) for k in model.coords["alternative"]])
        loadings = pt.take(pt.concatenate([first, *later], axis=-1), order, axis=-1)[..., None]
    else:
        scale = priors.variable("group_scale", *by, "alternative", support="positive")
        correlated = intercepts == "correlated"
        identity = pm.Data("uncorrelated", np.eye(size)) if not correlated else None
        loadings = scale[..., None] * (_correlation_root(priors, model) if correlated else identity)
    return loadings if by else loadings[None]


def _correlation_root(priors: PriorSet, model: pm.Model) -> Any:
    """Cholesky factor of the correlations between outcomes, LKJ(eta).

    Under it partial correlations given the outcomes before are independent, symmetric
    betas on (-1, 1) (Lewandowski, Kurowicka and Joe 2009).
    """
    labels = list(model.coords["alternative"])
    eta, size = _lkj_number(priors.specs["correlation"]), len(labels)
    if size < 2:
        raise StudyError("intercepts='correlated' needs three outcomes or more")
    pairs = [(i, j) for j in range(size) for i in range(j + 1, size)]
    model.add_coord("correlated", [f"{labels[i]}, {labels[j]}" for i, j in pairs])
    shape = pm.Data("correlation_shape", [eta + (size - 2 - j) / 2 for _, j in pairs])
    partial = 2 * pm.Beta("correlation", shape, shape, dims="correlated") - 1
    rows = []
    for i in range(size):
        left, row = pt.constant(1.0), []
        for j in range(i):
            row.append(partial[pairs.index((i, j))] * pt.sqrt(left))
            left = left * (1 - partial[pairs.index((i, j))] ** 2)
        rows.append(pt.stack([*row, pt.sqrt(left), *[pt.constant(0.0)] * (size - 1 - i)]))
    return pt.stack(rows)


def _lkj_number(spec: Any) -> float:
    """Read eta of the prior of correlations, which can be no other than LKJ."""
    numbers = getattr(spec, "numbers", {})
    if getattr(spec, "dist", "") != "LKJCorr" or set(numbers) != {"eta"}:
        raise PriorError(f"prior of 'correlation': must be LKJCorr with a number eta, got {spec}")
    eta = numbers["eta"]
    if not isinstance(eta, Real) or not 0 < float(eta) < np.inf:
        raise PriorError(f"prior of 'correlation': eta must be a positive number, got {eta!r}")
    return float(eta)


def _group_effects(
    coefficient: Any, loadings: Any, near: Geometry, stratum: Any, intercepts: str
) -> Any:
    """Effects of the groups, Lambda e, e ~ Normal(0, 1): (group, alternative).

    The coordinates in which e is sampled are those in which its posterior is nearly
    standard normal whatever Lambda and the coefficients are, given what the group's own
    people say: centred where they are many, non-centred where they are few.
    """
    information = pm.Data("group_information", near.information, dims=("group", "alternative"))
    focus = pm.Data("group_focus", near.focus, dims=("group", "alternative", "term"))
    location = pm.Data("group_location", near.location, dims=("group", "alternative"))
    own, loading = (v if stratum is None else v[stratum] for v in (coefficient, loadings))
    distance = location - own[:, :, 0] - (focus * own[:, :, 1:]).sum(-1)
    pull = (loading * (information * distance)[..., None]).sum(1)
    if intercepts == "correlated":
        score = _correlated_normals(pull, loading, information, near.information.shape[1])
    else:
        weight = (loading**2 * information[..., None]).sum(1)
        score = _standard_normal("group", pull, weight, "group", "factor")
    return (loading * score[:, None, :]).sum(-1)


def _correlated_normals(pull: Any, loading: Any, information: Any, size: int) -> Any:
    """Standard normals (group, factor) on several of which the data speak at once.

    One after the other: each given those before, those after integrated out.
    """
    pulls = [pull[:, f] for f in range(size)]
    weights = [
        [(loading[:, :, a] * loading[:, :, b] * information).sum(1) for b in range(size)]
        for a in range(size)
    ]
    reduced = {}
    for last in reversed(range(size)):
        reduced[last] = pulls[last], [*weights[last]]
        left = [weights[last][a] / (1 + weights[last][last]) for a in range(last)]
        for a in range(last):
            pulls[a] = pulls[a] - left[a] * pulls[last]
            for b in range(last):
                weights[a][b] = weights[a][b] - left[a] * weights[last][b]
    found: list[Any] = []
    for f in range(size):
        own, row = reduced[f]
        for a, before in enumerate(found):
            own = own - row[a] * before
        found.append(_standard_normal(f"group_{f + 1}", own, row[f], "group"))
    return pt.stack(found, axis=1)


def _standard_normal(name: str, pull: Any, information: Any, *dims: str) -> Any:
    """Create z ~ Normal(0, 1) in coordinates that suit the data.

    If the data say of z that it is pull / information, with that information, then
    z = (pull + sqrt(1 + information) raw) / (1 + information) has raw ~ Normal(0, 1) a
    posteriori; a priori it is the normal that makes z standard.
    """
    width = 1 / pt.sqrt(1 + information)
    raw = pm.Normal(f"{name}_raw", -pull * width, 1 / width, dims=dims)
    return pull * width**2 + width * raw


def _report(
    coefficient: Any, loadings: Any, effect: Any, table: Design, by: tuple[str, ...]
) -> None:
    """Name what the estimands are made of: all outcomes, the reference's zeros first."""
    matrix = pm.Data("to_terms", table.to_terms, dims=("term", "term_too"))
    slopes = (matrix * coefficient[:, :, None, 1:]).sum(-1)
    whole = pt.concatenate([pt.zeros_like(loadings[:, :1]), loadings], axis=1)
    covariance = (whole[:, :, None, :] * whole[:, None, :, :]).sum(-1)
    for name, value, dims in (
        ("log_odds", _with_reference(slopes), ("outcome", "term")),
        ("intercept", _with_reference(coefficient[:, :, 0]), ("outcome",)),
        ("group_covariance", covariance, ("outcome", "outcome_too")),
    ):
        pm.Deterministic(name, value if by else value[0], dims=(*by, *dims))
    pm.Deterministic("group_effect", _with_reference(effect), dims=("group", "outcome"))


def _with_reference(value: Any) -> Any:
    """Put the reference's zero before the alternatives, along the second dim."""
    return pt.concatenate([pt.zeros_like(value[:, :1]), value], axis=1)


def _warn_of_reference(table: Design) -> None:
    """Say that what is independent against one outcome is not against another."""
    reference, *others = table.outcomes
    if len(others) > 1:
        warnings.warn(
            f"independent effects on the logits of {', '.join(map(str, others))} against "
            f"{reference} are another model with another reference, and fit otherwise: "
            "intercepts='correlated' is one family of models whatever the reference",
            DataWarning,
            stacklevel=4,
        )


def _warn(table: Design) -> None:
    """Say what these data cannot tell."""
    for words, found in (
        ("separated, so that only the prior keeps the coefficient finite", separated(table)),
        ("groups of one person", single_groups(table)),
    ):
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            warnings.warn(f"{words}: {'; '.join(found[:5])}{more}", DataWarning, stacklevel=4)
