"""The report's decomposition of non-follow-up, as a graph.

Every person of a cell meets one of five fates before the next March: emigrated,
died, moved within the United States, lost to follow-up otherwise, or followed up.
The report estimates four quantities with error and takes emigration to be what is
left; here emigration is a probability of its own.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from bayesmig.coordinates import effects_near
from bayesmig.errors import StudyError
from bayesmig.models.emigration import design as designs
from bayesmig.models.emigration.data import OBSERVED
from bayesmig.models.emigration.design import BY_LEVEL, FATES
from bayesmig.models.emigration.geometry import geometry

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from bayesmig.models.emigration.design import Design, Observations
    from bayesmig.models.emigration.geometry import Geometry
    from bayesmig.priors import PriorSet

Residual = Literal["probability", "hazard"]
SecondGeneration = Literal["zero", "native_rates"]
GenerationGap = Literal["zero", "prior"]

OUTCOMES = ("emigrated", "died", "moved", "lost", "returned")
ZERO = None  # a term that the report leaves out, and the graph too
GAP = "generation_gap"
LONG_RIDGE = {"draws": 4000, "target_accept": 0.95}


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    residual: Residual = "probability",
    residual_inflation: float | Literal["by_level"] = BY_LEVEL,
    second_generation: SecondGeneration = "zero",
    generation_gap: GenerationGap = "zero",
) -> pm.Model:
    """Build the graph of one table's cells.

    Parameters
    ----------
    data : Dataset
        Cells as `data.example` or `data.read` give them: ``estimate``, ``ci_low`` and
        ``ci_high`` in percent, dims (cell, component).
    priors : PriorSet
    residual : {"probability", "hazard"}
        What is equal in both generations.  ``probability``: the share lost, as the
        report has it (r^f = r^s, eq. 2).  ``hazard``: the chance of being lost for
        those who are still there to be lost.
    residual_inflation : float or "by_level"
        Factor on the standard error of non-follow-up, which the report computes as if
        it came from the foreign born and not from the second generation.  The default
        takes the error that Table 2 lets each level have (`residual`); for cells
        of one's own, which have no Table 2, it is the square root of 77,491 foreign born
        over 48,694 second-generation adults.
    second_generation : {"zero", "native_rates"}
        Emigration of the second generation: none, as the report assumes, or the native
        rates of Appendix F times a factor with a prior.
    generation_gap : {"zero", "prior"}
        logit r^f - logit r^s (of the hazards with ``residual="hazard"``): none, as the
        report assumes, or a parameter.

    Returns
    -------
    pm.Model
        Free variables on the logit scale, dims ``outcome`` (emigrated, died, moved,
        lost, returned), ``factor`` and ``contrast`` or ``cell``; deterministics
        ``share`` (cell, fate), shares of all persons of a cell that add up to one;
        ``return_immigration`` (cell), a ratio; ``level_effect`` (level, outcome) and
        ``cell_logit`` (cell, outcome), logits.
        Observed: ``components`` (cell, component), in percent.

    Raises
    ------
    DataError, StudyError
    """
    import pymc as pm

    if residual_inflation != BY_LEVEL and not (
        isinstance(residual_inflation, Real) and 0 < residual_inflation < np.inf
    ):
        raise StudyError(
            f"residual_inflation must be a positive number, got {residual_inflation!r}"
        )
    observed = designs.observations(data, residual_inflation)
    design = designs.design(data)
    with pm.Model(coords={"outcome": OUTCOMES, "fate": FATES, **design.coords}) as model:
        hazard = pm.math.invlogit(_logits(priors, design, geometry(observed, design)))
        share = pm.Deterministic("share", _shares(hazard), dims=("cell", "fate"))
        returned = pm.Deterministic("return_immigration", hazard[:, 4], dims="cell")

        second = ZERO  # e^s
        if second_generation == "native_rates":
            ratio = priors.variable("native_rate_log_ratio")
            rates = pm.Data("native_rate", designs.native_rates(data), dims="cell")
            second = pm.Deterministic(
                "second_generation_emigration", rates * pm.math.exp(ratio), dims="cell"
            )
        gap = priors.variable(GAP) if generation_gap == "prior" else ZERO
        _observe(_expected(share, returned, residual, second, gap), observed)
    return model


def expected(hazard: Any, *, residual: Residual, second: Any = ZERO, gap: Any = ZERO) -> Any:
    """Return what is printed of cells on average, percent (cell, component), as `OBSERVED` has it.

    Parameters
    ----------
    hazard : tensor (cell, outcome)
    residual : {"probability", "hazard"}
        As of `build`.
    second : tensor (cell), optional
        Emigration of the second generation, a proportion a year.
    gap : tensor (cell), optional
        Of the generations, on the logit scale.
    """
    import pytensor.tensor as pt

    return 100 * pt.stack(_expected(_shares(hazard), hazard[:, 4], residual, second, gap), axis=1)


def _expected(share: Any, returned: Any, residual: Residual, second: Any, gap: Any) -> list[Any]:
    lost = (_lost_share if residual == "probability" else _lost_hazard)(share, second, gap)
    of = {
        "non_match": 1 - share[:, 4],
        "internal_migration": share[:, 2],
        "mortality": share[:, 1],
        "non_follow_up": lost,
        "return_immigration": returned,
    }
    return [of[component] for component in OBSERVED]


def sampling(model: pm.Model) -> dict[str, Any]:
    """Return settings for a graph with a gap of the generations.

    Nothing is observed of the gap, and all cells' emigration goes with it: a ridge that is long
    and bent, on which a draw is worth little.
    """
    return dict(LONG_RIDGE) if GAP in model.named_vars else {}


def _logits(priors: PriorSet, design: Design, near: Geometry) -> Any:
    """Logit hazards (cell, outcome): an intercept, zero-sum effects of the factors, a cell term.

    With one factor its levels are the cells, and a cell term would say the same again.
    """
    import pymc as pm

    intercept = priors.variable("intercept", "outcome")
    if not design.factors:
        return intercept[None, :]
    logit = intercept + _factors(priors, design, near, intercept)
    if len(design.factors) == 1:
        return logit
    dims = ("cell", "outcome")
    scale = priors.variable("cell_scale", "outcome", support="positive")
    location = pm.Data("cell_location", near.location, dims=dims)
    information = pm.Data("cell_information", near.information, dims=dims)
    cell = effects_near("cell_logit", scale, location, information, *dims, mean=logit)
    return pm.Deterministic("cell_logit", cell, dims=dims)


def _factors(priors: PriorSet, design: Design, near: Geometry, intercept: Any) -> Any:
    """What the levels of all factors add to the logits of each cell: (cell, outcome).

    The effects are written on an orthonormal basis of the vectors that sum to zero, which is
    the density of a ZeroSumNormal, so that one variable serves all factors.  Each outcome has
    a basis of its own, in whose directions the data speak of the effects separately.
    """
    import pymc as pm

    dims = ("contrast", "outcome")
    scale = priors.variable("factor_scale", "factor", "outcome", support="positive")
    which = pm.Data("contrast_factor", design.contrast_factor, dims="contrast")
    away = intercept - pm.Data("intercept_location", near.intercept, dims="outcome")
    lean = pm.Data("contrast_lean", near.lean, dims=dims)
    location = pm.Data("contrast_location", near.contrast_location, dims=dims) - lean * away
    information = pm.Data("contrast_information", near.contrast_information, dims=dims)
    effect = effects_near("effect", scale[which], location, information, *dims)
    by_level, by_cell = (
        pm.Data(
            f"{name}_contrast",
            np.einsum("ij,jko->iko", basis, near.turn),
            dims=(name, "contrast", "outcome"),
        )
        for name, basis in (("level", design.level_contrast), ("cell", design.cell_contrast))
    )
    pm.Deterministic("level_effect", (by_level * effect).sum(1), dims=("level", "outcome"))
    return (by_cell * effect).sum(1)


def _shares(hazard: Any) -> Any:
    """Shares of the five fates: emigrate, else die, else move, else be lost, else be followed."""
    import pytensor.tensor as pt

    left, shares = 1.0, []
    for k in range(4):
        shares.append(left * hazard[:, k])
        left = left * (1 - hazard[:, k])
    return pt.stack([*shares, left], axis=1)


def _lost_share(share: Any, second: Any, gap: Any) -> Any:
    """Printed non-follow-up if the *share* lost is equal in both generations (r^f = r^s).

    The report's second generation is short of u - m - d what it lost and, if it
    emigrates at all, those emigrants who would not have moved.
    """
    _, _, moved, lost, followed = (share[:, k] for k in range(5))
    stayed = (lost + followed) / (moved + lost + followed)
    return _shift(lost, gap) + (second * stayed if second is not ZERO else 0.0)


def _lost_hazard(share: Any, second: Any, gap: Any) -> Any:
    """Printed non-follow-up if the *chance* of being lost, for those still there, is equal.

    The second generation dies and moves as the foreign born who do not emigrate.
    """
    emigrated, _, _, lost, followed = (share[:, k] for k in range(5))
    still_there = (lost + followed) / (1 - emigrated)
    kept = 1 - _shift(lost / (lost + followed), gap)
    return still_there * (1 - (kept if second is ZERO else (1 - second) * kept))


def _shift(probability: Any, gap: Any) -> Any:
    """The second generation's probability, a gap on the logit scale below the first's."""
    import pymc as pm

    if gap is ZERO:
        return probability
    return pm.math.invlogit(pm.math.logit(probability) - gap)


def _observe(expected: list[Any], observed: Observations) -> None:
    """Printed percentages with their error; a 0.0 (0.0, 0.0) says only "below 0.05"."""
    import pymc as pm
    import pytensor.tensor as pt

    dims = ("cell", "component")
    error = pm.Data("standard_error", observed.standard_error, dims=dims)
    bound = pm.Data("printed_as_zero_below", observed.bound, dims=dims)
    printed = pm.Normal.dist(100 * pt.stack(expected, axis=1), error)
    pm.Censored(
        "components",
        printed,
        lower=bound,
        upper=None,
        observed=pm.Data("estimate", observed.estimate, dims=dims),
        dims=dims,
    )
