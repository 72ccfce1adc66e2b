"""The multinomial logit of grouped people: one pass over the rows for value and gradient.

PyTensor's own operations pass over the columns four times for one gradient, and their
matrix products alone take longer to compile than the rest of the graph; one loop in
numba does all of it in one pass, compiles in two seconds and is the same machine code
for every number of rows, columns, groups and strata.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key
from pytensor.tensor.basic import get_underlying_scalar_constant_value
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.random.op import RandomVariable

from bayesmig.models.social_capital.logit import logits, probabilities

VERSION = 4  # of the loop below: part of the key under which its machine code is kept
BLOCK = 256  # rows whose numbers stay in the fastest memory
FASTMATH = {"arcp", "contract", "nsz", "reassoc"}  # sums may be reordered; NaN stays NaN
SIGNATURE = "(s,k,p),(g,k),(r,p),(r),(g),(r,j),(r),(g,k,q),(r,q)->(r),(s,k,p),(g,k),(g,k,q)"
RANDOM_SIGNATURE = "(s,k,p),(g,k),(r,p),(r),(g),(r),(r),(g,k,q),(r,q)->(r,j)"


class MultinomialLogit(Op):
    r"""Weighted log-likelihood of each row, and its score.

    For row r in group g of stratum s, with counts y and free logits
    :math:`\eta_{rk} = v_{gk} + \sum_p x_{rp} \beta_{skp} + \sum_q z_{rq} b_{gkq}` of the
    alternatives (the reference's is zero):

    .. math:: \ell_r = w_r \Bigl(\sum_k y_{rk} \eta_{rk}
        - n_r \log\bigl(1 + \sum_k e^{\eta_{rk}}\bigr)\Bigr),

    the probability of the outcomes of the row's n people in their order.

    Inputs: slope (stratum, alternative, column), intercept (group, alternative), column
    (row, column), group (row), stratum (group), count (row, outcome; the reference first),
    weight (row), and, none if not given, slopes that vary (group, alternative, varying) with
    their columns (row, varying).  Outputs: the log-likelihood (row) and the derivatives of
    its sum by slope, intercept and slopes that vary.

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
            variables += _nothing_varies(variables[1], variables[2])
        slope, intercept, column, *_, varying, _ = variables
        outputs = [
            pt.tensor(dtype="float64", shape=column.type.shape[:1]),
            *(v.type.clone(dtype="float64")() for v in (slope, intercept, varying)),
        ]
        return Apply(self, variables, outputs)

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        """Evaluate by NumPy."""
        for storage, value in zip(outputs, _evaluate(*inputs), strict=True):
            storage[0] = value

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """Shapes of the outputs."""
        return [shapes[2][:1], shapes[0], shapes[1], shapes[7]]

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
    alternatives, some_vary = op.alternatives, op.varies  # constants of the machine code

    @numba_njit(fastmath=FASTMATH)
    def multinomial_logit(
        slope: Any,
        intercept: Any,
        column: Any,
        group: Any,
        stratum: Any,
        count: Any,
        weight: Any,
        varying: Any,
        varies: Any,
    ) -> Any:
        # views of unknown strides would keep the sums over columns from being vectorised
        slope, column = np.ascontiguousarray(slope), np.ascontiguousarray(column)
        rows, columns = column.shape
        value = np.empty(rows)
        by_slope, by_intercept = np.zeros(slope.shape), np.zeros(intercept.shape)
        by_varying = np.zeros(varying.shape)
        logit, share = np.empty((BLOCK, alternatives)), np.empty((BLOCK, alternatives))
        log_total = np.empty(BLOCK)
        # three short loops over a block of rows: exponentials that wait for no sum, and
        # sums that wait for no exponential, overlap
        for start in range(0, rows, BLOCK):
            size = min(BLOCK, rows - start)
            for j in range(size):
                i = start + j
                g = group[i]
                s = stratum[g]
                for k in range(alternatives):
                    sum_ = intercept[g, k]
                    for p in range(columns):
                        sum_ += slope[s, k, p] * column[i, p]
                    if some_vary:
                        for q in range(varies.shape[1]):
                            sum_ += varying[g, k, q] * varies[i, q]
                    logit[j, k] = sum_
            for j in range(size):
                shift, total = 0.0, 1.0
                for k in range(alternatives):
                    share[j, k] = np.exp(logit[j, k])
                    total += share[j, k]
                if not total < 1e300:  # odds that overflow: all relative to the highest
                    for k in range(alternatives):
                        shift = max(shift, logit[j, k])
                    total = np.exp(-shift)
                    for k in range(alternatives):
                        share[j, k] = np.exp(logit[j, k] - shift)
                        total += share[j, k]
                log_total[j] = shift + np.log(total)
                for k in range(alternatives):
                    share[j, k] /= total
            for j in range(size):
                i = start + j
                g = group[i]
                s = stratum[g]
                people, chosen = float(count[i, 0]), 0.0
                for k in range(alternatives):
                    people += count[i, k + 1]
                    chosen += count[i, k + 1] * logit[j, k]
                value[i] = weight[i] * (chosen - people * log_total[j])
                for k in range(alternatives):
                    residual = weight[i] * (count[i, k + 1] - people * share[j, k])
                    by_intercept[g, k] += residual
                    for p in range(columns):
                        by_slope[s, k, p] += residual * column[i, p]
                    if some_vary:
                        for q in range(varies.shape[1]):
                            by_varying[g, k, q] += residual * varies[i, q]
        return value, by_slope, by_intercept, by_varying

    return multinomial_logit, VERSION


class OutcomesRV(RandomVariable):
    """Counts of the outcomes of each row's people: multinomial draws, row by row."""

    name = "outcomes"
    signature = RANDOM_SIGNATURE
    dtype = "int32"
    _print_name = ("Outcomes", "\\operatorname{Outcomes}")

    def _supp_shape_from_params(self, dist_params: Any, param_shapes: Any = None) -> list[Any]:
        _, intercept, column, *_ = dist_params
        return [column.shape[-2], intercept.shape[-1] + 1]

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
            variables += _nothing_varies(variables[1], variables[2])
        return super().dist(variables, **how)

    def logp(value: Any, *parameters: Any) -> Any:  # noqa: N805  # PyMC takes it as a function
        """Log-likelihood of each row."""
        *rest, _, weight, varying, varies = parameters
        operation = MultinomialLogit(value.type.shape[-1] - 1, varies.type.shape[-1] != 0)
        return operation.make_node(*rest, value, weight, varying, varies).outputs[0]


def _nothing_varies(intercept: Any, column: Any) -> list[Any]:
    """No slopes that vary, of no columns."""
    groups, alternatives = intercept.shape
    return [pt.zeros((groups, alternatives, 0)), pt.zeros((column.shape[0], 0))]


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
    drawn = np.empty((*lead, full[2].shape[-2], full[1].shape[-1] + 1), dtype="int32")
    for at in np.ndindex(*lead):
        one = [a[at] for a in full]
        free = logits(*one[:5], *one[7:])
        drawn[at] = rng.multinomial(one[5], probabilities(free))
    return drawn
