"""What threads must not do at once, and with how many: the same numbers whoever else computes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

_lock = threading.Lock()
_graphs = threading.RLock()
_state: dict[str, Any] = {"users": 0, "limits": None}


@contextmanager
def one_thread() -> Iterator[None]:
    """Let BLAS work in one thread; of several fits at once the last one lets it go.

    BLAS cuts sums by its number of threads, and sums cut elsewhere differ in the last digit.
    Coordinates of the sampler that differ in the last digit are other draws.
    """
    from threadpoolctl import threadpool_limits

    with _lock:
        if not _state["users"]:
            _state["limits"] = threadpool_limits(1, user_api="blas")
        _state["users"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["users"] -= 1
            if not _state["users"]:
                _state["limits"].restore_original_limits()


def in_turn[**P, R](function: Callable[P, R]) -> Callable[P, R]:
    """Let one thread at a time do what builds, rewrites or compiles a graph.

    PyTensor changes its flags for a while and puts them back, and they are the process's: of two
    threads the one that ends last puts back what the other had changed.  From then on graphs are
    compiled without fusion (slower, with other last digits), and nobody says so.
    """

    @wraps(function)
    def alone(*args: P.args, **kwargs: P.kwargs) -> R:
        with _graphs:
            return function(*args, **kwargs)

    return alone
