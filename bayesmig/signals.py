"""Signals: what stops a run does so as Ctrl-C does, and never in the middle of saving."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)


class Stopped(KeyboardInterrupt):
    """A signal asked this process to stop.

    Attributes
    ----------
    number : int
        The signal's.
    """

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def stopping() -> Iterator[list[int]]:
    """Let SIGTERM and SIGHUP interrupt as Ctrl-C does; one that is ignored stays ignored.

    Yields
    ------
    list of int
        The signals that came.
    """
    came: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        raise Stopped(number)

    with _handled(stop, also_default=True):
        yield came


@contextmanager
def deferred() -> Iterator[None]:
    """Let what is begun end: a signal in the meantime interrupts afterwards."""
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)

    with _handled(note):
        yield
    if came:
        raise Stopped(came[0])


@contextmanager
def ignored() -> Iterator[None]:
    """Let what a signal began end: another one asks for the same."""
    with _handled(lambda number, frame: None):
        yield


@contextmanager
def _handled(handler: object, also_default: bool = False) -> Iterator[None]:
    """Handle the signals that stop, in the main thread; what ends a process at once still does."""
    left = (signal.SIG_IGN, None) if also_default else (signal.SIG_IGN, signal.SIG_DFL, None)
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {}
    try:
        for number in STOPPING:
            if signal.getsignal(number) not in left:
                before[number] = signal.signal(number, handler)  # type: ignore[arg-type]
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
