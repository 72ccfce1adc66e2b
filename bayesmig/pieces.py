"""A graph in its final form cut into pieces, each a function of its own, called in turn.

What one function calls is optimised with it, so that the time a large graph takes is in one place
and on one core.  Pieces are compiled side by side (`bayesmig.helpers`).  They do the same
operations in the same order, so that the numbers are the same.

Arrays go from piece to piece in registers, words of memory that all pieces see: the owner of its
memory, where it is, its lengths.  A number takes one word.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

from bayesmig.errors import StudyError

SIZE = 80  # of a piece, in terms of `weight`, more or less: where fewer arrays cross
NEAR = 0.25  # how far, in pieces, it may end from where it should
INNER = 4  # operations on numbers that take as long as one that looks at an array


class UncutError(StudyError):
    """Something that is neither an array nor a number would be handed to a piece."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A part of a graph as a function of arrays and numbers.

    Attributes
    ----------
    inputs, outputs : sequence of variables
        Of PyTensor; arrays have one number after the other in memory.
    nodes : sequence of nodes
        In the order in which they are computed: some write over what others have read.
    takes, gives : sequence of int
        Registers of inputs and outputs.
    """

    inputs: Sequence[Any]
    outputs: Sequence[Any]
    nodes: Sequence[Any]
    takes: Sequence[int]
    gives: Sequence[int]

    def packed(self) -> bytes:
        """Return the piece as bytes for another process."""
        held = (self.inputs, self.outputs, self.nodes, self.takes, self.gives)
        return pickle.dumps(held, pickle.HIGHEST_PROTOCOL)

    @classmethod
    def unpacked(cls, packed: bytes) -> Piece:
        """Return the piece that was packed."""
        return cls(*pickle.loads(packed))

    def weight(self) -> float:
        """Return about how long the piece takes to compile."""
        return sum(map(weight, self.nodes))

    def graph(self) -> Any:
        """Return the piece as one of PyTensor's graphs, with the order of its nodes."""
        from pytensor.graph.features import Feature
        from pytensor.graph.fg import FunctionGraph

        before = {later: [earlier] for earlier, later in pairwise(self.nodes)}

        class InOrder(Feature):
            def orderings(self, fgraph: Any) -> dict[Any, list[Any]]:
                return before

        return FunctionGraph(self.inputs, self.outputs, features=[InOrder()], clone=False)


@dataclass(frozen=True)
class Plan:
    """The registers of a graph, by their place among all.

    Attributes
    ----------
    size : int
        How many there are.
    inputs : tuple of int
        Of the arrays that the graph takes; they come first.
    made : tuple of int
        Of the arrays that pieces make.
    returns : tuple of int
        Of the arrays that the graph returns.
    """

    size: int
    inputs: tuple[int, ...]
    made: tuple[int, ...]
    returns: tuple[int, ...]


def in_pieces(
    inputs: Sequence[Any], outputs: Sequence[Any], nodes: Sequence[Any], size: float = SIZE
) -> tuple[Plan, list[Piece]]:
    """Cut a graph into pieces.

    Parameters
    ----------
    inputs, outputs : sequence of variables
    nodes : sequence of nodes
        In the order in which they are computed.
    size : float
        Of a piece, in terms of `weight`.

    Returns
    -------
    plan : Plan
    pieces : list of Piece
        With variables of their own.  What only looks at an array in another way is computed in
        each piece that needs it.

    Raises
    ------
    UncutError
    """
    parts = _parts(outputs, nodes, size)
    variables = [*inputs, *(v for _, given, _ in parts for v in given)]
    ends = list(accumulate(map(words, variables), initial=0))
    at = dict(zip(variables, ends, strict=False))
    pieces = [
        _copied(taken, given, order, [at[v] for v in taken], [at[v] for v in given])
        for taken, given, order in parts
    ]
    made = tuple(at[v] for v in variables[len(inputs) :] if is_array(v))
    registers = [tuple(at[v] for v in each) for each in (inputs, outputs)]
    return Plan(ends[-1], registers[0], made, registers[1]), pieces


def _parts(
    outputs: Sequence[Any], nodes: Sequence[Any], size: float
) -> list[tuple[list[Any], list[Any], list[Any]]]:
    """Return for each piece what it takes, what it gives, and its nodes."""
    ends = list(pairwise(_ends(nodes, size)))
    home = {v: k for k, (a, b) in enumerate(ends) for node in nodes[a:b] for v in node.outputs}
    at = {node: i for i, node in enumerate(nodes)}
    needed, parts = dict.fromkeys(outputs), []
    for k in reversed(range(len(ends))):
        given = [variable for variable in needed if home.get(variable) == k]
        own, taken = _part(given, home, k)
        needed |= dict.fromkeys(taken)
        if given:
            parts.append((taken, given, sorted(own, key=at.__getitem__)))
    return parts[::-1]


def _ends(nodes: Sequence[Any], size: float) -> list[int]:
    """Return where pieces of about a size end: where the fewest arrays are used later on."""
    n, reached = len(nodes), [0.0, *accumulate(map(weight, nodes))]
    count = max(1, round(reached[-1] / size))
    last: dict[Any, int] = {}
    for i, node in enumerate(nodes):
        last |= dict.fromkeys((v for v in node.inputs if v.owner is not None), i)
    crossing = [0] * (n + 1)
    for i, node in enumerate(nodes):
        for variable in node.outputs:
            for j in range(i + 1, last.get(variable, i) + 1):
                crossing[j] += 1
    ends = [0]
    for k in range(1, count):
        low, high = ((k + near) * reached[-1] / count for near in (-NEAR, NEAR))
        places = [j for j in range(ends[-1] + 1, n) if low <= reached[j] <= high]
        ends += [min(places, key=lambda j: (crossing[j], j))] if places else []
    return [*ends, n]


def weight(node: Any) -> float:
    """Return about how long a node takes to compile; one that looks at an array once is 1."""
    inside = _inside(node.op) / INNER
    return inside if all(v.type.ndim == 0 for v in node.outputs if _crosses(v)) else 1 + inside


def _inside(op: Any) -> int:
    """Number of operations that an operation is made of."""
    parts = [op, getattr(op, "scalar_op", None), getattr(op, "core_op", None)]
    graphs = [getattr(part, "fgraph", None) for part in parts]
    return sum(1 + _inside(node.op) for graph in graphs if graph for node in graph.apply_nodes)


def _part(given: Sequence[Any], home: Mapping[Any, int], k: int) -> tuple[set[Any], list[Any]]:
    """Return the nodes that a piece computes what it gives with, and what it takes."""
    from pytensor.graph.basic import Constant

    own: set[Any] = set()
    taken: dict[Any, None] = {}
    left = list(given)
    while left:
        variable = left.pop()
        maker = variable.owner
        if isinstance(variable, Constant) or maker in own:
            continue
        if home.get(variable) == k or (maker is not None and _looks(maker)):
            own.add(maker)
            left += maker.inputs
        elif _crosses(variable):
            taken[variable] = None
        else:
            raise UncutError(
                f"the graph takes {variable} of type {variable.type}: neither an array nor a number"
            )
    return own, list(taken)


def _looks(node: Any) -> bool:
    """Whether a node only looks at what others made: it is as quickly done again."""
    if node.op.destroy_map:
        return False
    return bool(node.op.view_map) or not all(map(_crosses, node.outputs))


def _crosses(variable: Any) -> bool:
    """Whether something is an array or a number: what a piece may take from another."""
    from pytensor.scalar.basic import ScalarType

    return is_array(variable) or isinstance(variable.type, ScalarType)


def is_array(variable: Any) -> bool:
    """Whether a variable of PyTensor's is an array."""
    from pytensor.tensor.type import TensorType

    return isinstance(variable.type, TensorType)


def words(variable: Any) -> int:
    """Return how many registers a variable takes."""
    return 2 + int(variable.type.ndim) if is_array(variable) else 1


def _copied(
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    nodes: Sequence[Any],
    takes: Sequence[int],
    gives: Sequence[int],
) -> Piece:
    """Copy part of a graph: a node of PyTensor's can only be in one."""
    copies = {variable: variable.type() for variable in inputs}
    made = []
    for node in nodes:
        copy = node.clone_with_new_inputs([copies.get(v, v) for v in node.inputs])
        copies |= dict(zip(node.outputs, copy.outputs, strict=True))
        made.append(copy)
    return Piece([copies[v] for v in inputs], [copies[v] for v in outputs], made, takes, gives)
