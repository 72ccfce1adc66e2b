"""Three regressions on one set of predictors, one graph (notes 2 to 4 of Table 2).

Whether somebody is a transnational entrepreneur is a logit; the number of regular political
activities is negative binomial; an index of socio-cultural activities is an ordered logit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import Transform

from bayesmig.models.transnationalism.respondents.design import Design, design

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.priors import PriorSet

Pooling = Literal["independent", "partial"]


def build(data: xr.Dataset, priors: PriorSet, *, pooling: Pooling = "independent") -> pm.Model:
    """Build the graph of a table of respondents (Table 2).

    Parameters
    ----------
    data : Dataset
        As `data.from_frame` makes it.
    priors : PriorSet
    pooling : {"independent", "partial"}
        Whether each effect has a prior of its own, or those of one predictor are normal
        around what they have in common over the outcomes.

    Returns
    -------
    pm.Model
        Free: ``effect`` (term), log odds or log count of a standard deviation of the
        predictor; ``base_probability``, ``base_count`` and ``category_probability`` (level),
        of somebody whose predictors are all at their means; ``dispersion``, the negative
        binomial's alpha (variance mu + mu^2 / alpha); with pooling ``common_effect``
        (predictor) and ``effect_spread``.
        Deterministic: ``coefficient`` (term), a unit of the predictor.
        Observed, of those who answered: ``economic``, ``political``, ``sociocultural``.

    Raises
    ------
    PriorError
    """
    table = design(data)
    coords = {
        **table.coords,
        **{f"{o}_respondent": found.respondent for o, found in table.regressions.items()},
    }
    with pm.Model(coords=coords) as model:
        effect = _effects(priors, table, pooling)
        scale = pm.Data("predictor_scale", table.scale, dims="term")
        pm.Deterministic("coefficient", effect / scale, dims="term")

        p = priors.variable("base_probability", support="unit")
        logit, answers = _linear(effect, table, "economic")
        pm.Bernoulli(
            "economic", logit_p=pm.math.logit(p) + logit, observed=answers, dims=_dim("economic")
        )

        mean = priors.variable("base_count", support="positive")
        alpha = priors.variable("dispersion", support="positive")
        log, answers = _linear(effect, table, "political")
        pm.NegativeBinomial(
            "political",
            mu=mean * pm.math.exp(log),
            alpha=alpha,
            observed=answers,
            dims=_dim("political"),
        )

        share = priors.variable("category_probability", "level", support="simplex")
        below = pt.cumsum(share)[:-1]
        logit, answers = _linear(effect, table, "sociocultural")
        pm.OrderedLogistic(
            "sociocultural",
            eta=logit,
            cutpoints=pm.math.logit(below),
            compute_p=False,
            observed=answers,
            dims=_dim("sociocultural"),
        )
    return model


class Whitened(Transform):
    """Effects as a linear map of coordinates that are nearly independent of each other."""

    name = "whitened"

    def __init__(self, table: Design):
        self.root = pm.Data("effect_root", table.root)
        self.inverse = pm.Data("effect_root_inverse", np.linalg.inv(table.root))
        self.log_width = pm.Data("effect_log_width", np.log(np.diag(table.root)))
        self.data = (self.root, self.inverse, self.log_width)

    def forward(self, value: Any, *inputs: Any) -> Any:
        """From effects to coordinates."""
        return (self.inverse * value[None, :]).sum(-1)

    def backward(self, value: Any, *inputs: Any) -> Any:
        """From coordinates to effects."""
        return (self.root * value[None, :]).sum(-1)

    def log_jac_det(self, value: Any, *inputs: Any) -> Any:
        """Log of the width of each coordinate: their product is the determinant."""
        return self.log_width + pt.zeros_like(value)


def _effects(priors: PriorSet, table: Design, pooling: Pooling) -> Any:
    near = Whitened(table)
    if pooling == "independent":
        return priors.variable("effect", "term", transform=near)
    common = priors.variable("common_effect", "predictor")
    spread = priors.variable("effect_spread", support="positive")
    which = pm.Data("predictor_of", table.predictor, dims="term")
    # centred: 1,202 answers say much of each effect
    return pm.Normal("effect", common[which], spread, transform=near, dims="term")


def _linear(effect: Any, table: Design, outcome: str) -> tuple[Any, Any]:
    """The linear predictor of those who answered, less its intercept, and their answers."""
    found = table.regressions[outcome]
    column = pm.Data(f"{outcome}_column", found.column)
    logit = (column * effect[table.place[outcome]][None, :]).sum(1)
    answers = pm.Data(f"{outcome}_answer", found.answer.astype("int64"), dims=_dim(outcome))
    return logit, answers


def _dim(outcome: str) -> str:
    return f"{outcome}_respondent"
