"""Effects of the levels of a factor that sum to zero, on an orthonormal basis.

A normal vector on such a basis has the density of a ZeroSumNormal, and one variable can
hold the effects of all factors of a graph.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from bayesmig.errors import check_option

if TYPE_CHECKING:
    from numpy.typing import NDArray

Coding = Literal["helmert", "svd"]


def zero_sum_basis(levels: int, coding: Coding = "helmert") -> NDArray[np.float64]:
    """Return an orthonormal basis (level, contrast) of the vectors that sum to zero.

    Parameters
    ----------
    levels : int
    coding : {"helmert", "svd"}
        Which of all bases, which differ by a rotation that no posterior depends on: each
        contrast one level against those before, or LAPACK's own choice.

    Examples
    --------
    >>> zero_sum_basis(2).round(3).tolist()
    [[0.707], [-0.707]]
    """
    check_option("coding", coding, get_args(Coding))
    if coding == "svd":
        return np.linalg.svd(np.eye(levels) - 1 / levels)[0][:, : levels - 1]
    basis = np.zeros((levels, levels - 1))
    for j in range(levels - 1):
        basis[: j + 1, j] = 1.0
        basis[j + 1, j] = -(j + 1.0)
        basis[:, j] /= np.sqrt((j + 1) * (j + 2))
    return basis


def block_diagonal(blocks: list[Any]) -> NDArray[np.float64]:
    """Put the bases of several factors into one matrix, each in rows and columns of its own."""
    whole = np.zeros((sum(b.shape[0] for b in blocks), sum(b.shape[1] for b in blocks)))
    row = column = 0
    for block in blocks:
        whole[row : row + block.shape[0], column : column + block.shape[1]] = block
        row, column = row + block.shape[0], column + block.shape[1]
    return whole
