"""Linear algebra in one thread, so that sums come out the same whatever the machine's number."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_lock = threading.Lock()
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
