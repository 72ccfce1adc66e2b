"""Sums of looked-up numbers: a design matrix of ones and zeros, times a vector.

The linear predictor of a person is a sum of one number for each factor.  Written as a
matrix product that is mostly a product with zeros; written as indexing it is a large
array that is read once.  Here it is one loop, and its transpose is the gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import numba_njit, register_funcify_default_op_cache_key

VERSION = 1  # of the loops below: part of the key under which their machine code is kept


class Lookup(Op):
    """For each row the sum of the numbers that its indices point to.

    Inputs: number (level), index (row, term).  Output: the sums (row).
    """

    __props__ = ()
    gufunc_signature = "(l),(r,t)->(r)"

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Give the operation its inputs."""
        variables = [pt.as_tensor_variable(v) for v in inputs]
        return Apply(self, variables, [pt.tensor(dtype="float64", shape=(None,))])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        """Evaluate by NumPy."""
        number, index = inputs
        outputs[0][0] = np.take(number, index).sum(axis=1)

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """Shape of the output."""
        return [shapes[1][:1]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the numbers have derivatives."""
        return [[True], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Add each row's derivative to the numbers that the row has looked up."""
        number, index = inputs
        return [Scatter()(cotangents[0], index, number), disconnected_type()]


class Scatter(Op):
    """For each level the sum of the values of the rows that point to it.

    Inputs: value (row), index (row, term), like (level; only its length matters).
    Output: the sums (level).
    """

    __props__ = ()
    gufunc_signature = "(r),(r,t),(l)->(l)"

    def make_node(self, *inputs: Any) -> Apply[Any]:
        """Give the operation its inputs."""
        variables = [pt.as_tensor_variable(v) for v in inputs]
        return Apply(self, variables, [pt.tensor(dtype="float64", shape=(None,))])

    def perform(self, node: Any, inputs: Any, outputs: Any) -> None:
        """Evaluate by NumPy."""
        value, index, like = inputs
        repeated = np.repeat(value, index.shape[1])
        outputs[0][0] = np.bincount(index.ravel(), repeated, minlength=len(like))

    def infer_shape(self, node: Any, shapes: Any) -> Any:
        """Shape of the output."""
        return [shapes[2]]

    def connection_pattern(self, node: Any) -> list[list[bool]]:
        """Only the values have derivatives."""
        return [[True], [False], [False]]

    def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
        """Look up the derivatives of the sums that a row has entered."""
        return [Lookup()(cotangents[0], inputs[1]), disconnected_type(), disconnected_type()]


@register_funcify_default_op_cache_key(Lookup)
def _compile_lookup(op: Lookup, node: Any, **_: Any) -> tuple[Any, int]:
    @numba_njit
    def lookup(number: Any, index: Any) -> Any:
        rows, terms = index.shape
        total = np.empty(rows)
        for i in range(rows):
            sum_ = 0.0
            for t in range(terms):
                sum_ += number[index[i, t]]
            total[i] = sum_
        return total

    return lookup, VERSION


@register_funcify_default_op_cache_key(Scatter)
def _compile_scatter(op: Scatter, node: Any, **_: Any) -> tuple[Any, int]:
    @numba_njit
    def scatter(value: Any, index: Any, like: Any) -> Any:
        rows, terms = index.shape
        total = np.zeros(like.shape[0])
        for i in range(rows):
            for t in range(terms):
                total[index[i, t]] += value[i]
        return total

    return scatter, VERSION


lookup = Lookup()
scatter = Scatter()
