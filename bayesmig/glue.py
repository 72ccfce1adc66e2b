"""The C functions that nutpie calls, and those of a graph's pieces: around PyTensor's functions.

nutpie would compile around a graph in every process, with the whole gradient inlined.  Here each
piece is a C function of registers (`bayesmig.pieces`), reached by its address, and what calls them
in turn knows nothing of the graph: it is compiled once, and kept on disk.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from bayesmig import _numba, registers
from bayesmig.pieces import Piece, Plan

VERSION = (
    3  # of the functions below and of those of `registers` that they call: they are kept on disk
)
FAILED = -1  # what the density returns if a piece raised an error: the sampler ends

PIECE = """
def piece(registers):
    give(registers, function(*take(registers)))
    return 1
"""

# The table: how many registers, registers of data, pieces, points and arrays made; where the
# density is kept; addresses of the pieces; of each point the register of its place in memory (from
# the beginning of all), that of its gradient, and how many numbers it has; registers of arrays
# made; registers of data
DENSITY = """
def density(dim, x, g, logp, user):
    table = carray(pointer(user), (6,), np.int64)
    size, data, pieces, points, made = table[0], table[1], table[2], table[3], table[4]
    of_points = 6 + pieces
    of_made = of_points + 3 * points
    of_data = of_made + made
    table = carray(pointer(user), (of_data + data,), np.int64)
    registers = np.zeros(size, np.int64)
    for k in range(data):
        registers[k] = table[of_data + k]
    for k in range(points):
        registers[table[of_points + 3 * k]] += np.int64(x)
    done = 1
    for k in range(pieces):
        done = call(table[6 + k], registers.ctypes.data)
        if done != 1:
            break
    status = FAILED
    if done == 1:
        status, j = 0, 0
        gradient = carray(pointer(g), (int(dim),), np.float64)
        for k in range(points):
            place = registers[table[of_points + 3 * k + 1]]
            for value in carray(pointer(place), (table[of_points + 3 * k + 2],), np.float64):
                if not np.isfinite(value):
                    status = 3
                gradient[j] = value
                j += 1
        value = carray(pointer(registers[table[5]]), (1,), np.float64)[0]
        if not np.isfinite(value):
            status = 4
        carray(pointer(logp), (1,), np.float64)[0] = value
    for k in range(made):
        release(registers[table[of_made + k]])
    return status
"""

COPY = """
def copy(dim, expanded, x, out, user):
    source = carray(pointer(x), (int(dim),), np.float64)
    target = carray(pointer(out), (int(dim),), np.float64)
    for i in range(int(dim)):
        target[i] = source[i]
    return 0
"""


def piece_function(piece: Piece) -> tuple[Any, str | None]:
    """Compile a piece as a C function.

    Parameters
    ----------
    piece : Piece

    Returns
    -------
    function : CFunc
        Of the address of the registers; it returns 1.
    key : str or None
        What its code is kept as, if it is kept.
    """
    function, known = _numba.function_of(piece.graph())
    taken = [registers.type_of(variable) for variable in piece.inputs]
    given = [registers.type_of(variable) for variable in piece.outputs]
    key = None
    if known is not None:
        key = _numba.key(VERSION, PIECE, known, taken, given, [*piece.takes], [*piece.gives])
    scope = {
        "function": function,
        "take": registers.take(taken, piece.takes),
        "give": registers.give(given, piece.gives),
    }
    return _piece(scope, key), key


def kept_piece(key: str) -> Any:
    """Return the C function that is kept under a key; an error of numba's, if none is."""
    return _piece({}, key)


def _piece(scope: dict[str, Any], key: str | None) -> Any:
    from numba import types

    return _numba.c_function("piece", PIECE, scope, types.int64(types.uintp), key)


def table(
    plan: Plan,
    addresses: Sequence[int],
    points: Sequence[np.ndarray],
    values: Sequence[np.ndarray],
) -> np.ndarray:
    """Return what `density_function` is handed as its last argument.

    Parameters
    ----------
    plan : Plan
    addresses : sequence of int
        Of the pieces.
    points : sequence of ndarray
        Free variables: their shapes count.
    values : sequence of ndarray
        All else that the graph takes.  They must not be freed while the table is in use.
    """
    data, of_points, offset = [], [], 0
    density, *gradients = plan.returns
    for register, gradient, point in zip(plan.inputs, gradients, points, strict=False):
        data += [0, offset, *point.shape]
        of_points += [register + 1, gradient + 1, point.size]
        offset += point.nbytes
    for value in values:
        data += [0, value.ctypes.data, *value.shape]
    head = [plan.size, len(data), len(addresses), len(points), len(plan.made), density + 1]
    return np.array([*head, *addresses, *of_points, *plan.made, *data], dtype=np.int64)


@cache
def density_function() -> Any:
    """Return the C function that nutpie calls: it calls the pieces and copies the gradients out."""
    return _for_nutpie("density", DENSITY, sizes=1)


@cache
def copy_function() -> Any:
    """Return the C function that hands a draw back as it is."""
    return _for_nutpie("copy", COPY, sizes=2)


def _for_nutpie(name: str, source: str, sizes: int) -> Any:
    from numba import carray, types

    scope = {"np": np, "carray": carray, "pointer": registers.pointer(), "FAILED": FAILED}
    scope |= registers.calls()
    arguments = [types.uint64] * sizes + [types.uintp] * (5 - sizes)
    key = _numba.key(VERSION, source)
    return _numba.c_function(name, source, scope, types.int64(*arguments), key)
