"""The loop of the multinomial logit: log-likelihood and score in one pass over the rows.

The machine's vector instructions take eight numbers at once where a loop says how often it
runs, where what it reads is side by side, and where nothing in it is a call or a branch.
So rows come in blocks of `LANES`, column after column, and exponentials and logarithms are
polynomials.  Where odds overflow, a block is worked out row by row.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from pytensor.link.numba.dispatch.basic import numba_njit

from bayesmig.compiled import vectorised

VERSION = 9  # part of the key under which the machine code is kept
LANES = 64  # rows of a block: their numbers stay in the fastest memory
LARGE = 600.0  # logits from which odds are taken relative to the highest
SUMS = {"arcp", "contract", "nsz", "reassoc"}  # sums may be reordered; NaN stays NaN
TERMS = {"contract", "nsz"}  # what is added to lose digits must not be taken away again

LOG2_E = 1 / math.log(2)
LN2_HIGH = float.fromhex("0x1.62e42fee00000p-1")  # log 2 in two parts: n times the first is exact
LN2_LOW = float.fromhex("0x1.a39ef35793c76p-33")
ROUNDS = 1.5 * 2.0**52  # a number added to it is a whole one, in the last bits
BITS, BIAS = 52, 1023  # of a double: its mantissa, and what is added to its exponent
ONE, ROOT_HALF = 0x3FF0000000000000, 0x3FE6A09E667F3BCD  # bits of 1 and of the root of 1/2
MANTISSA, EXPONENT = (1 << BITS) - 1, 0x7FF
WHOLE = 0x4330000000000000  # bits of 2^52: or-ed with a whole number they are their sum
FACTORIALS = tuple(1 / math.factorial(n) for n in range(13, -1, -1))
ODD = tuple(1 / n for n in range(23, 1, -2))


def in_blocks(column: np.ndarray) -> np.ndarray:
    """Return columns (row, column) as (block, column, lane), zeros after the last row."""
    rows, columns = column.shape
    blocks = -(-rows // LANES)
    padded = np.zeros((blocks * LANES, columns))
    padded[:rows] = column
    return np.ascontiguousarray(padded.reshape(blocks, LANES, columns).transpose(0, 2, 1))


def in_rows(block: np.ndarray, rows: int) -> np.ndarray:
    """Return blocks (block, column, lane) as columns (row, column)."""
    blocks, columns, lanes = block.shape
    return block.transpose(0, 2, 1).reshape(blocks * lanes, columns)[:rows]


def loop(alternatives: int, varies: bool) -> Any:
    """Return the loop for a number of alternatives; ``varies`` says whether any slope does.

    It takes what `likelihood.MultinomialLogit` takes and gives what that gives.
    """
    pairs = alternatives - alternatives % 2

    @numba_njit(fastmath=TERMS, inline="always")
    def intercepts(
        start: int, size: int, intercept: Any, group: Any, varying: Any, varied: Any, logit: Any
    ) -> None:
        """Start the logits of a block with what is of the rows' groups."""
        for j in range(size):
            g = group[start + j]
            for k in range(alternatives):
                logit[k, j] = intercept[g, k]
                if varies:
                    for q in range(varied.shape[1]):
                        logit[k, j] += varying[g, k, q] * varied[start + j, q]

    @numba_njit(fastmath=TERMS, inline="always")
    def outcomes(
        start: int, size: int, count: Any, weight: Any, chosen: Any, people: Any, factor: Any
    ) -> None:
        """Read the counts (alternative, lane), people (lane) and weights (lane) of a block."""
        for j in range(size):
            factor[j] = weight[start + j]
            here = float(count[start + j, 0])
            for k in range(alternatives):
                these = float(count[start + j, k + 1])
                chosen[k, j] = these
                here += these
            people[j] = here

    @numba_njit(fastmath=TERMS, inline="always")
    def add_terms(s: int, slope: Any, block: int, column: Any, logit: Any) -> None:
        """Add columns (column, lane) times slopes, four at once to fetch a logit less often."""
        columns = column.shape[1]
        fours = columns - columns % 4
        for p in range(0, fours, 4):
            for k in range(alternatives):
                b0, b1 = slope[s, k, p], slope[s, k, p + 1]
                b2, b3 = slope[s, k, p + 2], slope[s, k, p + 3]
                for j in range(LANES):
                    sum_ = b0 * column[block, p, j] + logit[k, j]
                    sum_ = b1 * column[block, p + 1, j] + sum_
                    sum_ = b2 * column[block, p + 2, j] + sum_
                    logit[k, j] = b3 * column[block, p + 3, j] + sum_
        for p in range(fours, columns):
            for k in range(alternatives):
                b0 = slope[s, k, p]
                for j in range(LANES):
                    logit[k, j] += b0 * column[block, p, j]

    @numba_njit(fastmath=SUMS)
    @vectorised
    def add_scores(score: Any, block: int, column: Any, s: int, by_slope: Any) -> None:
        """Add columns (column, lane) times scores to slopes', four and two alternatives at once."""
        columns = column.shape[1]
        fours = columns - columns % 4
        for p in range(0, fours, 4):
            for k in range(0, pairs, 2):
                a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
                b0, b1, b2, b3 = 0.0, 0.0, 0.0, 0.0
                for j in range(LANES):
                    a0 += score[k, j] * column[block, p, j]
                    a1 += score[k, j] * column[block, p + 1, j]
                    a2 += score[k, j] * column[block, p + 2, j]
                    a3 += score[k, j] * column[block, p + 3, j]
                    b0 += score[k + 1, j] * column[block, p, j]
                    b1 += score[k + 1, j] * column[block, p + 1, j]
                    b2 += score[k + 1, j] * column[block, p + 2, j]
                    b3 += score[k + 1, j] * column[block, p + 3, j]
                by_slope[s, k, p] += a0
                by_slope[s, k, p + 1] += a1
                by_slope[s, k, p + 2] += a2
                by_slope[s, k, p + 3] += a3
                by_slope[s, k + 1, p] += b0
                by_slope[s, k + 1, p + 1] += b1
                by_slope[s, k + 1, p + 2] += b2
                by_slope[s, k + 1, p + 3] += b3
            for k in range(pairs, alternatives):
                s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
                for j in range(LANES):
                    s0 += score[k, j] * column[block, p, j]
                    s1 += score[k, j] * column[block, p + 1, j]
                    s2 += score[k, j] * column[block, p + 2, j]
                    s3 += score[k, j] * column[block, p + 3, j]
                by_slope[s, k, p] += s0
                by_slope[s, k, p + 1] += s1
                by_slope[s, k, p + 2] += s2
                by_slope[s, k, p + 3] += s3
        for p in range(fours, columns):
            for k in range(alternatives):
                s0 = 0.0
                for j in range(LANES):
                    s0 += score[k, j] * column[block, p, j]
                by_slope[s, k, p] += s0

    @numba_njit(fastmath=SUMS)
    @vectorised
    def add_to_group(score: Any, g: int, by_intercept: Any) -> None:
        """Add the scores of a block to that of the intercepts of its only group."""
        for k in range(alternatives):
            s0 = 0.0
            for j in range(LANES):
                s0 += score[k, j]
            by_intercept[g, k] += s0

    @numba_njit(fastmath=TERMS, error_model="numpy")
    @vectorised
    def multinomial_logit(
        slope: Any,
        intercept: Any,
        column: Any,
        group: Any,
        stratum: Any,
        count: Any,
        weight: Any,
        varying: Any,
        varied: Any,
    ) -> Any:
        # views of unknown strides would keep the sums from being vectorised
        slope, column = np.ascontiguousarray(slope), np.ascontiguousarray(column)
        value = np.full(len(group), np.nan)  # and stays it where columns are of fewer rows
        by_slope, by_intercept = np.zeros(slope.shape), np.zeros(intercept.shape)
        by_varying = np.zeros(varying.shape)
        # lanes of one block; those after the last row are of nobody
        logit, score = np.zeros((alternatives, LANES)), np.zeros((alternatives, LANES))
        chosen, factor, people = np.zeros((alternatives, LANES)), np.zeros(LANES), np.zeros(LANES)
        total, log_total = np.zeros(LANES), np.zeros(LANES)
        score_bits, log_bits = score.view(np.int64), log_total.view(np.int64)
        total_bits = total.view(np.int64)
        for block in range(min(len(column), -(-len(group) // LANES))):
            start = block * LANES
            size = min(LANES, len(group) - start)
            if size < LANES:
                logit[:], chosen[:], people[:], factor[:] = 0.0, 0.0, 0.0, 0.0
            first = group[start]
            s = stratum[first]
            together, alike = True, True  # of one group, and of one stratum
            for j in range(size):
                together &= group[start + j] == first
            if len(slope) > 1 and not together:
                for j in range(size):
                    alike &= stratum[group[start + j]] == s
            intercepts(start, size, intercept, group, varying, varied, logit)
            outcomes(start, size, count, weight, chosen, people, factor)
            if alike:
                add_terms(s, slope, block, column, logit)
            else:
                for j in range(size):
                    here = slope[stratum[group[start + j]]]
                    for k in range(alternatives):
                        for p in range(column.shape[1]):
                            logit[k, j] += here[k, p] * column[block, p, j]
            highest = 0.0
            for k in range(alternatives):
                for j in range(LANES):
                    highest = max(highest, logit[k, j])
            if highest < LARGE:
                for k in range(alternatives):
                    exponentials(logit[k], score[k], score_bits[k])
                for j in range(LANES):
                    total[j] = 1.0
                for k in range(alternatives):
                    for j in range(LANES):
                        total[j] += score[k, j]
                for j in range(LANES):
                    log_total[j] = 1 / total[j]
                for k in range(alternatives):
                    for j in range(LANES):
                        score[k, j] *= log_total[j]
                logarithms(total, total_bits, log_total, log_bits)
            else:
                relative_to_the_highest(logit, score, log_total)
            for j in range(LANES):
                log_total[j] *= -people[j]
            for k in range(alternatives):
                for j in range(LANES):
                    log_total[j] += chosen[k, j] * logit[k, j]
                    score[k, j] = factor[j] * (chosen[k, j] - people[j] * score[k, j])
            for j in range(size):
                value[start + j] = factor[j] * log_total[j]
            if together:
                add_to_group(score, first, by_intercept)
            else:
                for j in range(size):
                    g = group[start + j]
                    for k in range(alternatives):
                        by_intercept[g, k] += score[k, j]
            if varies:
                for j in range(size):
                    g = group[start + j]
                    for k in range(alternatives):
                        for q in range(varied.shape[1]):
                            by_varying[g, k, q] += score[k, j] * varied[start + j, q]
            if alike:
                add_scores(score, block, column, s, by_slope)
            else:
                for j in range(size):
                    here = by_slope[stratum[group[start + j]]]
                    for k in range(alternatives):
                        for p in range(column.shape[1]):
                            here[k, p] += score[k, j] * column[block, p, j]
        return value, by_slope, by_intercept, by_varying

    return multinomial_logit


@numba_njit(fastmath=TERMS, error_model="numpy", inline="always")
def exponentials(x: Any, out: Any, bits: Any) -> None:
    """Put e^x of `LANES` numbers below `LARGE` into ``out``, whose ``bits`` are seen as integers.

    x is n log 2 + r: 2^n is made of its bits, e^r is Taylor's polynomial, exact to the last
    bits for r up to (log 2)/2.  The smallest normal number stands for what is less.
    """
    for j in range(LANES):
        out[j] = max(x[j], -708.0) * LOG2_E + ROUNDS
    for j in range(LANES):
        bits[j] = (bits[j] << BITS) + (BIAS << BITS)
    for j in range(LANES):
        here = max(x[j], -708.0)
        n = (here * LOG2_E + ROUNDS) - ROUNDS
        r = (here - n * LN2_HIGH) - n * LN2_LOW
        sum_ = 0.0
        for each in FACTORIALS:
            sum_ = sum_ * r + each
        out[j] *= sum_


@numba_njit(fastmath=TERMS, error_model="numpy", inline="always")
def logarithms(x: Any, bits: Any, out: Any, out_bits: Any) -> None:
    """Put log x of `LANES` numbers from 1 to e^`LARGE` into ``out``; x is lost.

    x is m 2^n with m between the roots of 1/2 and 2: log m is the series of (m - 1)/(m + 1).
    """
    for j in range(LANES):
        shifted = bits[j] + (ONE - ROOT_HALF)
        out_bits[j] = ((shifted >> BITS) & EXPONENT) | WHOLE
        bits[j] = (shifted & MANTISSA) + ROOT_HALF
    for j in range(LANES):
        n = out[j] - (2.0**BITS + BIAS)
        s = (x[j] - 1.0) / (x[j] + 1.0)
        square, sum_ = s * s, 0.0
        for each in ODD:
            sum_ = sum_ * square + each
        out[j] = n * LN2_HIGH + (2.0 * s + (2.0 * s * square * sum_ + n * LN2_LOW))


@numba_njit(fastmath=SUMS)
def relative_to_the_highest(logit: Any, share: Any, log_total: Any) -> None:
    """Put probabilities (alternative, lane) and log totals (lane) of any logits at their places."""
    for j in range(LANES):
        shift = 0.0
        for k in range(len(logit)):
            shift = max(shift, logit[k, j])
        total = np.exp(-shift)
        for k in range(len(logit)):
            share[k, j] = np.exp(logit[k, j] - shift)
            total += share[k, j]
        log_total[j] = shift + np.log(total)
        for k in range(len(logit)):
            share[k, j] /= total
