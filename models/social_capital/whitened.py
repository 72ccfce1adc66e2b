"""Coordinates in which coefficients are nearly independent of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform

if TYPE_CHECKING:
    from bayesmig.models.social_capital.geometry import Geometry
    from bayesmig.models.social_capital.joint import Joint


class Whitened(Transform):
    """Coefficients as a linear map of coordinates that are nearly independent of each other.

    Attributes
    ----------
    centre, log_width : pm.Data (..., alternative, column)
    root, inverse : pm.Data (..., alternative, column, alternative, column)
        Lower triangular, and its inverse.
    together : bool
        Whether the variable's density is one of all coefficients, not of each.
    """

    name = "whitened"

    def __init__(self, near: Geometry | Joint, stratified: bool, together: bool = False):
        self.together = together
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
        each = self.log_width + pt.zeros_like(value)
        return each.sum((-2, -1)) if self.together else each
