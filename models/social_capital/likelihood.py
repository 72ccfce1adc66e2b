"""The multinomial logit of grouped people: one pass over the rows for value and gradient.

PyTensor's own operations pass over the columns four times for one gradient, and their
matrix products alone take longer to compile than the rest of the graph; the loop of
`kernel` does all of it in one pass and is the same machine code for every number of rows,
columns, groups and strata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key
from pytensor.tensor.basic import get_underlying_scalar_constant_value
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.random.op import RandomVariable

from bayesmig.models.social_capital import kernel
from bayesmig.models.social_capital.logit import logits, probabilities

SIGNATURE = "(s,k,p),(g,k),(b,p,l),(r),(g),(r,j),(r),(g,k,q),(r,q)->(r),(s,k,p),(g,k),(g,k,q)"
RANDOM_SIGNATURE = "(s,k,p),(g,k),(b,p,l),(r),(g),(r),(r),(g,k,q),(r,q)->(r,j)"


class MultinomialLogit(Op):
    r"""Weighted log-likelihood of each row, and its score.

    For row r in group g of stratum s, with counts y and free logits
    :math:`\eta_{rk} = v_{gk} + \sum_p x_{rp} \beta_{skp} + \sum_q z_{rq} b_{gkq}` of the
    alternatives (the reference's is zero):

    .. math:: \ell_r = w_r \Bigl(\sum_k y_{rk} \eta_{rk}
        - n_r \log\bigl(1 + \sum_k e^{\eta_{rk}}\bigr)\Bigr),

    the probability of the outcomes of the row's n people in their order.

    Inputs: slope (stratum, alternative, column), intercept (group, alternative), column
    (block, column, lane; see `kernel.in_blocks`), group (row), stratum (group), count (row,
    outcome; the reference first), weight (row), and, none if not given, slopes that vary
    (group, alternative, varying) with their columns (row, varying).  Outputs: the
    log-likelihood (row) and the derivatives of its sum by slope, intercept and slopes that
    vary.

    """

    __props__ = ("alternatives", "varies")
    gufunc_signature = SIGNATURE

    def __init__(self, alternatives: int, varies: bool = False):
        self.alternatives = alternatives
        self.varies = varies  # whether any slope does

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Give the operation its inputs."""
        variables = [pt.as_tensor_variable(value) for value in inputs]
        if len(variables) == 7:
            variables += _nothing_varies(variables[1], variables[3])
        slope, intercept, _, group, *_, varying, _ = variables
        outputs = [
            pt.tensor(dtype="float64", shape=group.type.shape),
            *(v.type.clone(dtype="float64")() for v in (slope, intercept, varying)),
        ]
        return Apply(self, variables, outputs)

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        """Evaluate by NumPy."""
        for storage, value in zip(outputs, _evaluate(*inputs), strict=True):
            storage[0] = value

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """Shapes of the outputs."""
        return [shapes[3], shapes[0], shapes[1], shapes[7]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the log-likelihood has derivatives, by slopes and intercept."""
        return [[i in (0, 1, 7), False, False, False] for i in range(9)]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Multiply the score by the derivative of what the rows are summed into.

        If that is the same number for every row, it is the score already at hand;
        otherwise it is the score of rows that are weighted by it.
        """
        derivative, rest = cotangents[0], [disconnected_type() for _ in range(5)]
        try:
            factor = get_underlying_scalar_constant_value(derivative)
            scores = [factor * score for score in outputs[1:]]
        except NotScalarConstantError:
            weighted = self.make_node(*inputs[:6], inputs[6] * derivative, *inputs[7:])
            scores = weighted.outputs[1:]
        return [*scores[:2], *rest, scores[2], disconnected_type()]


@register_funcify_default_op_cache_key(MultinomialLogit)
def _compile(op: MultinomialLogit, node: Any, **_: Any) -> tuple[Any, int]:
    return kernel.loop(op.alternatives, op.varies), kernel.VERSION


class OutcomesRV(RandomVariable):
    """Counts of the outcomes of each row's people: multinomial draws, row by row."""

    name = "outcomes"
    signature = RANDOM_SIGNATURE
    dtype = "int32"
    _print_name = ("Outcomes", "\\operatorname{Outcomes}")

    def _supp_shape_from_params(self, dist_params: Any, param_shapes: Any = None) -> list[Any]:
        _, intercept, _, group, *_ = dist_params
        return [group.shape[-1], intercept.shape[-1] + 1]

    @classmethod
    def rng_fn(cls, rng: Any, *arguments: Any) -> np.ndarray:
        """Draw counts, for parameters with any number of leading draw dims."""
        *parameters, size = arguments
        return _draw(rng, parameters, tuple(size or ()))


class Outcomes(pm.Discrete):
    """Counts of the outcomes, rows by outcomes: a multinomial logit given groups.

    Parameters as for `MultinomialLogit`, with ``people`` (row) in the place of the counts:
    the number of people of each row.  The density is that of the people's outcomes in
    their order, so that rows may be collapsed without changing it.  Weights enter the
    likelihood (which makes it a pseudo-likelihood), never the draws.  The static type of
    the observed counts must say how many outcomes there are.
    """

    rv_op = OutcomesRV()

    @classmethod
    def dist(cls, *parameters: Any, **how: Any) -> Any:
        """Return the variable outside of a model."""
        variables = [pt.as_tensor_variable(value) for value in parameters]
        if len(variables) == 7:
            variables += _nothing_varies(variables[1], variables[3])
        return super().dist(variables, **how)

    def logp(value: Any, *parameters: Any) -> Any:  # noqa: N805  # PyMC takes it as a function
        """Log-likelihood of each row."""
        *rest, _, weight, varying, varies = parameters
        operation = MultinomialLogit(value.type.shape[-1] - 1, varies.type.shape[-1] != 0)
        return operation.make_node(*rest, value, weight, varying, varies).outputs[0]


def _nothing_varies(intercept: Any, group: Any) -> list[Any]:
    """No slopes that vary, of no columns."""
    groups, alternatives = intercept.shape
    return [pt.zeros((groups, alternatives, 0)), pt.zeros((group.shape[0], 0))]


def _evaluate(
    slope: Any,
    intercept: Any,
    column: Any,
    group: Any,
    stratum: Any,
    count: Any,
    weight: Any,
    varying: Any,
    varies: Any,
) -> tuple[np.ndarray, ...]:
    column = kernel.in_rows(np.asarray(column), len(group))
    logit = logits(slope, intercept, column, group, stratum, varying, varies)
    people = count.sum(1)
    highest = np.maximum(logit.max(1), 0)
    log_total = highest + np.log(np.exp(-highest) + np.exp(logit - highest[:, None]).sum(1))
    value = weight * ((count[:, 1:] * logit).sum(1) - people * log_total)
    odds = np.exp(logit - log_total[:, None])
    residual = weight[:, None] * (count[:, 1:] - people[:, None] * odds)
    by_slope, by_intercept = np.zeros_like(slope), np.zeros_like(intercept)
    by_varying = np.zeros_like(varying)
    of_row = np.asarray(stratum)[group]
    for s in range(len(slope)):
        by_slope[s] = residual[of_row == s].T @ column[of_row == s]
    np.add.at(by_intercept, group, residual)
    np.add.at(by_varying, group, residual[:, :, None] * varies[:, None, :])
    return value, by_slope, by_intercept, by_varying


def _draw(rng: Any, parameters: Any, size: tuple[int, ...]) -> np.ndarray:
    arrays = [np.asarray(value) for value in parameters]
    ranks = OutcomesRV().ndims_params
    leads = [a.shape[: a.ndim - n] for a, n in zip(arrays, ranks, strict=True)]
    lead = np.broadcast_shapes(*leads, size)
    full = [
        np.broadcast_to(a, (*lead, *a.shape[a.ndim - n :]))
        for a, n in zip(arrays, ranks, strict=True)
    ]
    rows = full[3].shape[-1]
    drawn = np.empty((*lead, rows, full[1].shape[-1] + 1), dtype="int32")
    for at in np.ndindex(*lead):
        one = [a[at] for a in full]
        one[2] = kernel.in_rows(one[2], rows)
        free = logits(*one[:5], *one[7:])
        drawn[at] = rng.multinomial(one[5], probabilities(free))
    return drawn
