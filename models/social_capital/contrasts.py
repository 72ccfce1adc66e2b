"""Differences between outcomes of independent normals: a prior that no reference changes.

A coefficient against a reference is the difference of two numbers, one of each outcome.
If the numbers are independent normals, the differences have the same density whichever
outcome the others are compared with.  Independent normals for the differences themselves
are another prior for every reference.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor.random.op import RandomVariable


class ContrastsRV(RandomVariable):
    """Differences of independent normals, column by column, against the first."""

    name = "contrasts"
    signature = "(j,p)->(k,p)"
    dtype = "floatX"
    _print_name = ("Contrasts", "\\operatorname{Contrasts}")

    def _supp_shape_from_params(self, dist_params: Any, param_shapes: Any = None) -> list[Any]:
        (scale,) = dist_params
        return [scale.shape[-2] - 1, scale.shape[-1]]

    @classmethod
    def rng_fn(cls, rng: Any, scale: Any, size: Any) -> np.ndarray:
        """Draw the numbers of all outcomes, and take the first from the others."""
        lead = scale.shape[:-2] if size is None else tuple(size)
        own = rng.normal(0.0, np.broadcast_to(scale, (*lead, *scale.shape[-2:])))
        return own[..., 1:, :] - own[..., :1, :]


class Contrasts(pm.Continuous):
    r"""Differences :math:`d_k = a_k - a_0` of :math:`a_k \sim N(0, s_k^2)`, for each column.

    Parameters
    ----------
    scale : tensor (..., outcome, column)
        Standard deviations s of all outcomes' numbers, the reference's first.

    Notes
    -----
    With :math:`w_k = 1 / s_k^2` and :math:`d_0 = 0` the log density of a column is

    .. math:: -\frac12 \Bigl(\sum_k w_k d_k^2 - \frac{(\sum_k w_k d_k)^2}{\sum_k w_k}
        - \sum_k \log w_k + \log \sum_k w_k + (K - 1) \log 2 \pi\Bigr),

    which stays the same if one number is added to all d: the reference is any outcome.
    """

    rv_op = ContrastsRV()

    @classmethod
    def dist(cls, scale: Any, **how: Any) -> Any:
        """Return the variable outside of a model."""
        return super().dist([pt.as_tensor_variable(scale)], **how)

    def support_point(rv: Any, size: Any, scale: Any) -> Any:  # noqa: N805  # PyMC's way
        """Nothing differs."""
        return pt.zeros_like(rv)

    def logp(value: Any, scale: Any) -> Any:  # noqa: N805  # PyMC takes it as a function
        """Log density of all columns together."""
        weight = scale**-2
        free, whole = weight[..., 1:, :], weight.sum(-2)
        square = (free * value**2).sum(-2) - (free * value).sum(-2) ** 2 / whole
        normal = (value.shape[-2] * np.log(2 * np.pi) + square + pt.log(whole)).sum(-1)
        return -0.5 * (normal - pt.log(weight).sum((-2, -1)))
