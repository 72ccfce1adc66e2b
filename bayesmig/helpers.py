"""Processes beside this one that compile pieces of a graph: users wait for that most.

numba compiles one function at a time in a process.  What a helper compiles it leaves where PyTensor
keeps compiled code, and this process reads it there.  Nothing but the waiting depends on helpers:
what they do not manage is compiled here.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from bayesmig import _numba, cache
from bayesmig.glue import copy_function, kept_piece, piece_function
from bayesmig.pieces import Piece

MOST = 3  # helpers; each takes about half a gigabyte
FLAGS = ("base_compiledir", "floatX", "cxx")  # of PyTensor, which helpers have as they are here


def cores() -> int:
    """Return how many processes may compute at once."""
    with suppress(AttributeError):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def helpers(wanted: int) -> Iterator[list[Helper]]:
    """Start helpers, as many as there are cores for, and stop them in the end.

    Parameters
    ----------
    wanted : int
        The most that there is work for.

    Yields
    ------
    list of Helper
        They take a while until they are ready; none where none can be started, or where PyTensor
        keeps no compiled code.
    """
    from pytensor import config

    running: list[Helper] = []
    try:
        with suppress(OSError):
            for _ in range(min(wanted, MOST, cores() - 1) if config.numba__cache else 0):
                running.append(Helper())
        yield running
    finally:
        for helper in running:
            helper.close()


def compile_pieces(
    pieces: Sequence[Piece], helping: Sequence[Helper]
) -> list[tuple[Any, str | None]]:
    """Compile pieces of a graph, here and in helpers.

    Parameters
    ----------
    pieces : sequence of Piece
    helping : sequence of Helper

    Returns
    -------
    list of (CFunc, str or None)
        See `glue.piece_function`.
    """
    packed = _packed(pieces) if helping else []
    left: SimpleQueue[int] = SimpleQueue()
    for k in sorted(range(len(pieces)), key=lambda k: -pieces[k].weight()):
        left.put(k)  # the longest first, so that all end at about one time
    done: dict[int, Any] = {}
    keys: dict[int, str | None] = {}
    threads = [Thread(target=h.compile, args=(left, packed, keys)) for h in helping if packed]
    for thread in threads:
        thread.start()
    try:
        with suppress(Empty):
            while True:
                k = left.get_nowait()
                done[k] = piece_function(pieces[k])
    except BaseException:
        for helper in helping:
            helper.stop()
        raise
    finally:
        for helper in helping:
            if not helper.busy:
                helper.stop()
        for thread in threads:
            thread.join()
    return [done[k] if k in done else _read(p, keys.get(k)) for k, p in enumerate(pieces)]


def _read(piece: Piece, key: str | None) -> tuple[Any, str | None]:
    """Return what a helper compiled, or else compile it."""
    if key is not None:
        with suppress(*_numba.errors()):
            return kept_piece(key), key
    return piece_function(piece)


def _packed(pieces: Sequence[Piece]) -> list[bytes]:
    """Return pieces as bytes; none if one of them holds what cannot be sent."""
    try:
        return [piece.packed() for piece in pieces]
    # an operation that a user wrote may raise anything when it is pickled; nothing is lost, as all
    # pieces are compiled here then, where an error of the graph itself is raised
    except Exception:
        return []


class Helper:
    """A process that compiles pieces of a graph.

    Attributes
    ----------
    busy : bool
        Whether it has been asked for something.
    """

    def __init__(self) -> None:
        self.busy = False
        self._process: Any = subprocess.Popen(
            [sys.executable, "-P", "-c", program()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for this process, which then stops its helpers
            env={**os.environ, cache.FLAGS: _flags()},
        )
        self._tell(str(_numba.folder()))

    def stop(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """End the process, and give back what it took; nobody may be waiting for it any more."""
        self.stop()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError):  # of what was never read
                pipe.close()

    def compile(
        self, left: SimpleQueue[int], packed: Sequence[bytes], keys: dict[int, str | None]
    ) -> None:
        """Have pieces compiled while some are left; note what their code is kept as."""
        with suppress(OSError, EOFError, ValueError, pickle.UnpicklingError, Empty):
            self._hear()  # it is ready
            while True:
                k = left.get_nowait()
                self.busy = True
                self._tell(packed[k])
                keys[k] = self._hear()
                self.busy = False

    def _tell(self, what: Any) -> None:
        pickle.dump(what, self._process.stdin)
        self._process.stdin.flush()

    def _hear(self) -> Any:
        return pickle.load(self._process.stdout)


def _flags() -> str:
    from pytensor import config

    own = [f"{name}={getattr(config, name)}" for name in FLAGS]
    return ",".join([*filter(None, [os.environ.get(cache.FLAGS)]), *own])


def program() -> str:
    """Return what a helper runs: it imports from where this process does, and nowhere else."""
    path = [each for each in sys.path if isinstance(each, str)]
    return f"import sys; sys.path[:] = {path!r}; from {__name__} import main; main()"


def main() -> None:
    """Compile what the process that started this one asks for, until it asks no more."""
    asked, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print is no answer

    def answer(what: Any) -> None:
        pickle.dump(what, answers)
        answers.flush()

    with suppress(EOFError, BrokenPipeError):
        folder = pickle.load(asked)
        _prepare()
        if folder != str(_numba.folder()):
            return
        with _numba.compiling(), _numba.exact():
            answer("ready")
            while True:
                answer(_kept(pickle.load(asked)))


def _prepare() -> None:
    """Import what compiling takes, and compile something: the first function takes long."""
    cache.prepare()
    import_module("pytensor.link.numba.dispatch")
    cache.guard()
    copy_function()


def _kept(packed: bytes) -> str | None:
    """Compile a piece, and return what its code is kept as; None if that is not to be had."""
    try:
        return piece_function(Piece.unpacked(packed))[1]
    # of any kind, from what users write; the process that asked compiles the piece itself then, and
    # raises what there is to raise: here it would end a helper that has others to compile
    except Exception:
        return None
