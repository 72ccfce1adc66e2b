"""True coefficients behind printed ones, whose standard errors only their stars bound.

An estimate is normal around the true coefficient, with a standard error that is a
parameter: between |estimate| over the greatest and over the least ratio that the stars allow
(log-uniform by default).  The estimate itself is a parameter too, within half a unit of the
last digit printed.
"""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any, Literal

from bayesmig.coordinates import effects
from bayesmig.errors import StudyError
from bayesmig.models.transnationalism.design import Design, design

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

    from bayesmig.priors import PriorSet

Pooling = Literal["independent", "partial"]


def build(
    data: xr.Dataset,
    priors: PriorSet,
    *,
    pooling: Pooling = "independent",
    weakest: float = 0.2,
    strongest: float = 10.0,
) -> pm.Model:
    """Build the graph of a table of printed coefficients (Table 2).

    Parameters
    ----------
    data : Dataset
        As `data.from_frame` makes it, dim ``term``.
    priors : PriorSet
    pooling : {"independent", "partial"}
        Whether each coefficient has a prior of its own, or those of one predictor are
        normal around what they have in common over the outcomes.
    weakest, strongest : float
        The ratio of an estimate to its standard error is at least and at most so much
        where its stars set no bound (no star; three stars).

    Returns
    -------
    pm.Model
        Free: ``effect`` (term), log odds or log count of a typical difference in the
        predictor; ``ratio_position`` (term), where between its bounds the log ratio
        of estimate to standard error is; ``rounding`` (term), where within the last
        digit the estimate was; ``base_probability``; with pooling ``common_effect``
        (predictor) and ``effect_spread``.
        Deterministic: ``coefficient`` and ``standard_error`` (term), a unit of the
        predictor.  Observed: ``printed`` (term).

    Raises
    ------
    DataError, PriorError, StudyError
    """
    import pymc as pm

    for name, value in (("weakest", weakest), ("strongest", strongest)):
        if not (isinstance(value, Real) and 0 < float(value) < float("inf")):
            raise StudyError(f"{name} must be a positive number, got {value!r}")
    table = design(data, float(weakest), float(strongest))
    dims = "term"
    with pm.Model(coords=table.coords) as model:
        effect = _effects(priors, table, pooling)
        difference = pm.Data("difference", table.difference, dims=dims)
        coefficient = pm.Deterministic("coefficient", effect / difference, dims=dims)
        position = priors.variable("ratio_position", dims, support="unit")
        rounding = priors.variable("rounding", dims, support="unit")
        priors.variable("base_probability", support="unit")

        half = pm.Data("half_unit", table.half_unit, dims=dims)
        # the size of the estimate is data of its own: what is drawn in its place changes what
        # is observed, and not what is known of its error
        size = pm.Data("estimate_size", table.estimate, dims=dims)
        moved = half * (2 * rounding - 1)
        least = pm.Data("log_least_ratio", table.log_least, dims=dims)
        width = pm.Data("log_ratio_width", table.log_width, dims=dims)
        ratio = pm.math.exp(least + position * width)
        error = pm.Deterministic("standard_error", pm.math.abs(size + moved) / ratio, dims=dims)
        pm.Normal(
            "printed",
            coefficient - moved,
            error,
            observed=pm.Data("estimate", table.estimate, dims=dims),
            dims=dims,
        )
    return model


def _effects(priors: PriorSet, table: Design, pooling: Pooling) -> Any:
    import pymc as pm

    if pooling == "independent":
        return priors.variable("effect", "term")
    common = priors.variable("common_effect", "predictor")
    spread = priors.variable("effect_spread", support="positive")
    which = pm.Data("predictor_of", table.predictor, dims="term")
    centered = pm.Data("effect_centred", table.centred, dims="term")
    return effects("effect", spread, centered, "term", mean=common[which])
