"""The random-intercept multinomial logit as a PyMC model.

eta_ik = c_k + x_i' b_k + u_g(i),k for the outcomes k other than the reference, with
municipality effects u_g = Lambda e_g, e ~ Normal(0, 1): the paper's z_m ~ N(0, 1), whose
loadings it does not print.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from bayesmig.coordinates import standard_normal
from bayesmig.errors import DataWarning, PriorError
from bayesmig.models.social_capital import effects, levels, multilevel
from bayesmig.models.social_capital.contrasts import Contrasts
from bayesmig.models.social_capital.design import (
    MARGINAL,
    Design,
    design,
    separated,
    single_groups,
)
from bayesmig.models.social_capital.geometry import Geometry, geometry
from bayesmig.models.social_capital.joint import Joint, blocks, joint
from bayesmig.models.social_capital.kernel import LANES, in_blocks
from bayesmig.models.social_capital.likelihood import Outcomes
from bayesmig.models.social_capital.multilevel import SlopeEffects
from bayesmig.models.social_capital.people import Missing
from bayesmig.models.social_capital.whitened import Whitened

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.priors import PriorSet

CROWDED = 0.5  # free parameters for each person, from which more draws are needed
MORE = 4000  # draws of a chain
Intercepts = Literal["independent", "correlated", "independent_contrasts", "shared"]
Pooling = Literal["partial", "complete", "none"]


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    formula: str | None = None,
    group: str | Sequence[str] = "municipality",
    varying: str | None = None,
    outcome: str = "outcome",
    reference: str = "no_aspirations",
    intercepts: Intercepts = "independent",
    slopes: SlopeEffects = "uncorrelated",
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
    group : str or sequence of str
        Column of the clusters; or several, nested or crossed: a label is one cluster wherever
        it is.
    varying : str, optional
        Columns of the formula whose slopes vary between clusters: ``"age + male"``, with
        several columns of clusters ``"age + male | municipality"``.
    outcome : str
        Column of the outcome, of any number of categories.
    reference : str
        The outcome against which coefficients are written; `bayesmig.rebase` changes it
        after fitting.
    intercepts : {"independent", "correlated", "independent_contrasts", "shared"}
        Group effects: independent effects of all outcomes, the logits being their
        differences; any covariance over the outcomes; independent effects on each logit
        against the reference, which is another model for every reference where outcomes
        are three or more; or one factor with a loading for each logit.
    slopes : {"uncorrelated", "correlated"}
        Slopes that vary: each by itself, or correlated with each other and the intercepts of
        their clusters, which goes with correlated intercepts.
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
        first; ``slope_scale`` (outcome), where the prior of coefficients learns it;
        ``group_scale``: one number and the shape of the covariance, ``group_shape_diagonal``
        (factor) and ``group_shape_below`` (below), if correlated; by outcome; by alternative; or,
        with one factor, that of the commonest alternative (first), which fixes the
        factor's sign, with the ``loading`` (later) of the others; ``group_raw`` and alike
        (group, ...), the group effects in coordinates that suit the sampler.
        With strata and pooling ``stratum_scale`` (alternative, varying) and
        ``stratum_raw``, around common coefficients.
        Deterministic, the reference's zeros first: ``log_odds`` (outcome, term), per unit of
        the formula's columns; ``intercept`` (outcome); ``group_covariance`` (outcome,
        outcome_too); with strata these have the dim ``stratum`` too; ``group_effect``
        (group, outcome).  Observed: ``outcomes`` (row, outcome), counts.

    Warns
    -----
    DataWarning
        For separated columns and groups of one person, by name; for independent contrasts of
        three outcomes or more of one's own, which are another model for each reference.

    Raises
    ------
    DataError, PriorError, StudyError
    """
    table = design(
        data,
        formula=formula,
        group=group,
        varying=varying,
        outcome=outcome,
        reference=reference,
        weights=weights,
        counts=counts,
        strata=strata,
        missing=missing,
        collapse=collapse,
    )
    multilevel.check(table, intercepts, slopes)
    _warn(table)
    if intercepts == "independent_contrasts" and data.attrs.get("own_data"):
        _warn_of_reference(table)
    if not table.plain:
        return _several(table, priors, intercepts, slopes)
    near = geometry(table)
    by = ("stratum",) if strata else ()
    with pm.Model(coords=_coords(table, intercepts)) as model:
        stratum = pm.Data("group_stratum", table.stratum, dims="group")
        coefficient = _coefficients(priors, near, by, pooling, model)
        loadings = effects.loadings(priors, by, intercepts, model)
        effect = effects.group_effects(
            coefficient, loadings, near, stratum if by else None, intercepts
        )
        _report(coefficient, loadings, effect, table, by)
        known = (None, len(table.outcomes))  # static: the number of outcomes is the graph's
        Outcomes(
            "outcomes",
            coefficient[:, :, 1:],
            (coefficient[:, :, 0][stratum] if by else coefficient[:, :, 0]) + effect,
            pm.Data("columns", in_blocks(table.column), dims=("block", "term", "lane")),
            pm.Data("row_group", table.group, dims="row"),
            stratum,
            pm.Data("people", table.count.sum(1), dims="row"),
            pm.Data("weight", table.weight, dims="row"),
            observed=pm.Data("count", table.count, dims=("row", "outcome"), shape=known),
            dims=("row", "outcome"),
        )
    return model


def sampling(model: pm.Model) -> dict[str, Any]:
    """Return settings for graphs with more effects of groups than the people can tell apart.

    Thousands of effects of which each is hardly known turn round before the few numbers that
    they share (their spread, the intercepts) have gone far, so that a draw is worth a quarter.
    """
    free = sum(int(np.prod(size)) for size in model.eval_rv_shapes().values())
    people = float(model["people"].get_value().sum())
    return {"draws": MORE} if free > CROWDED * people else {}


def _several(
    table: Design, priors: PriorSet, intercepts: Intercepts, slopes: SlopeEffects
) -> pm.Model:
    """Build the graph of several columns of groups, or of slopes that vary."""
    parts = blocks(table, slopes == "correlated")
    near = joint(table, parts)
    coords = _coords(table, intercepts) | multilevel.coords(table, parts, intercepts)
    with pm.Model(coords=coords) as model:
        coefficient = _coefficient(priors, near, model, whitened=True)
        shift, slope = multilevel.add(priors, table, coefficient, near, parts, intercepts, model)
        _report_coefficients(coefficient[None], table, ())
        varying = (
            [slope, pm.Data("varies", table.column[:, list(table.slopes.columns)])]
            if slope is not None
            else []
        )
        Outcomes(
            "outcomes",
            coefficient[None, :, 1:],
            coefficient[:, 0] + shift,
            pm.Data("columns", in_blocks(table.column), dims=("block", "term", "lane")),
            pm.Data("row_group", table.group, dims="row"),
            pm.Data("group_stratum", table.stratum, dims="cell"),
            pm.Data("people", table.count.sum(1), dims="row"),
            pm.Data("weight", table.weight, dims="row"),
            *varying,
            observed=pm.Data(
                "count",
                table.count,
                dims=("row", "outcome"),
                shape=(None, len(table.outcomes)),
            ),
            dims=("row", "outcome"),
        )
    return model


def _coords(table: Design, intercepts: str) -> dict[str, Any]:
    return {
        "outcome": table.outcomes,
        "alternative": table.alternatives,
        "outcome_too": table.outcomes,
        "column": (MARGINAL, *table.terms),
        "term": table.terms,
        "term_too": table.terms,
        "stratum": table.strata,
        **({"group": table.groups} if len(table.levels) == 1 else {}),
        "row": np.arange(len(table.column)),
        "block": np.arange(-(-len(table.column) // LANES)),
        "lane": np.arange(LANES),
        **effects.coords(table, intercepts),
    }


def _coefficients(
    priors: PriorSet, near: Geometry, by: tuple[str, ...], pooling: str, model: pm.Model
) -> Any:
    """Intercepts and slopes of the graph's columns, (stratum, alternative, column)."""
    if not by:
        return _coefficient(priors, near, model, whitened=True)[None]
    if pooling == "none":
        return _coefficient(priors, near, model, *by, whitened=True)
    common = _coefficient(priors, near, model)
    varying = model.coords["column"] if pooling == "partial" else (MARGINAL,)
    model.add_coord("varying", varying)
    scale = priors.variable("stratum_scale", "alternative", "varying", support="positive")
    size, last = near.centre.shape, len(varying)
    spread = np.einsum("sij,sij->si", near.root, near.root).reshape(size)[..., :last]
    information = pm.Data("stratum_information", 1 / spread)
    location = pm.Data("stratum_location", near.centre[..., :last])
    distance = location - common[None, :, :last]
    pull, weight = scale * information * distance, scale**2 * information
    score = standard_normal("stratum", pull, weight, *by, "alternative", "varying")
    deviation = scale * score
    if pooling == "partial":
        return common[None] + deviation
    everywhere = common[None, :, 1:] + pt.zeros_like(deviation[:, :, 0])[:, :, None]
    return pt.concatenate([common[None, :, :1] + deviation, everywhere], axis=2)


def _coefficient(
    priors: PriorSet, near: Geometry | Joint, model: pm.Model, *by: str, whitened: bool = False
) -> Any:
    """Create the variable, of contrasts with learned scales or of the family that was given."""
    dims, spec = (*by, "alternative", "column"), priors.specs["coefficient"]
    if getattr(spec, "dist", "") != "Contrasts":
        transform = Whitened(near, bool(by)) if whitened else None
        return priors.variable("coefficient", *dims, transform=transform)
    several = len(model.coords["alternative"]) > 1
    scale = priors.variable(
        "slope_scale", *by, "outcome" if several else "alternative", support="positive"
    )
    if not several:  # two outcomes have one scale, of their difference
        scale = pt.concatenate([scale, scale], axis=-1)
    intercept = pm.Data("intercept_scale", _intercept_scale(spec))
    shape = (len(model.coords["outcome"]), len(model.coords["term"]))
    slopes = scale[..., None] + pm.Data("every_term", np.zeros(shape))
    every = intercept + pt.zeros_like(scale)[..., None]  # also of a formula without terms
    own = effects.ALIKE * pt.concatenate([every, slopes], axis=-1)
    if not whitened:
        return Contrasts("coefficient", own, dims=dims)
    transform = Whitened(near, bool(by), together=True)
    # PyMC takes into the density only what variables depend on: see PriorSet.variable
    own = own + sum(0.0 * data.sum() for data in transform.data)
    return Contrasts("coefficient", own, dims=dims, transform=transform)


def _intercept_scale(spec: Any) -> float:
    """Read the number of a prior of contrasts."""
    number = spec.numbers.get("intercept")
    if (
        set(spec.numbers) != {"intercept"}
        or not isinstance(number, Real)
        or not 0 < float(number) < np.inf
    ):
        raise PriorError(
            "prior of 'coefficient': Contrasts has one number, intercept (positive: the standard "
            f"deviation of the outcomes' log odds; slopes have slope_scale), got {spec}"
        )
    return float(number)


def _report(
    coefficient: Any, loadings: Any, effect: Any, table: Design, by: tuple[str, ...]
) -> None:
    """Name what the estimands are made of: all outcomes, the reference's zeros first."""
    _report_coefficients(coefficient, table, by)
    whole = pt.concatenate([pt.zeros_like(loadings[:, :1]), loadings], axis=1)
    covariance = (whole[:, :, None, :] * whole[:, None, :, :]).sum(-1)
    pm.Deterministic(
        "group_covariance",
        covariance if by else covariance[0],
        dims=(*by, "outcome", "outcome_too"),
    )
    pm.Deterministic("group_effect", _with_reference(effect), dims=("group", "outcome"))


def _report_coefficients(coefficient: Any, table: Design, by: tuple[str, ...]) -> None:
    matrix = pm.Data("to_terms", table.to_terms, dims=("term", "term_too"))
    slopes = (matrix * coefficient[:, :, None, 1:]).sum(-1)
    for name, value, dims in (
        ("log_odds", _with_reference(slopes), ("outcome", "term")),
        ("intercept", _with_reference(coefficient[:, :, 0]), ("outcome",)),
    ):
        pm.Deterministic(name, value if by else value[0], dims=(*by, *dims))


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
            "intercepts='correlated' and 'independent' are the same whatever the reference",
            DataWarning,
            stacklevel=4,
        )


def _warn(table: Design) -> None:
    """Say what these data cannot tell, and what is perhaps not meant."""
    for words in levels.doubts(table.levels):
        warnings.warn(words, DataWarning, stacklevel=4)
    for words, found in (
        ("separated, so that only the prior keeps the coefficient finite", separated(table)),
        # of several columns some have small groups by their nature
        ("groups of one person", single_groups(table) if len(table.levels) == 1 else []),
    ):
        if found:
            more = f" and {len(found) - 5} more" if len(found) > 5 else ""
            warnings.warn(f"{words}: {'; '.join(found[:5])}{more}", DataWarning, stacklevel=4)
