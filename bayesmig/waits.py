"""Waits: what is waited for, and how long it took here the last time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayesmig import outputs

SHORT = 1.0  # seconds: what took less the last time is no wait to speak of
MOST = 500  # waits that are remembered


@dataclass
class Wait:
    """Something that is waited for.

    Attributes
    ----------
    whole : bool
        Whether all of it was done, so that its time says how long it takes.
    """

    whole: bool = True


@contextmanager
def waiting(what: str, key: str, size: float = 1.0, *, told: bool = True) -> Iterator[Wait]:
    """Say in a line on standard error what is begun, and measure how long it takes.

    Parameters
    ----------
    what : str
    key : str
        What the time is remembered by, on this machine.
    size : float
        How much there is to do, where the time is proportional to it.
    told : bool
        Whether to say anything, and to remember.
    """
    wait = Wait()
    if not told:
        yield wait
        return
    usual = _read().get(key)
    if usual is None:
        print(f"{what} (not measured here before)", file=sys.stderr, flush=True)
    elif usual * size >= SHORT:
        print(f"{what} ({_words(usual * size)} here, by the last run)", file=sys.stderr, flush=True)
    started = time.monotonic()
    yield wait
    if wait.whole:
        _remember(key, (time.monotonic() - started) / size)


@contextmanager
def sampling(total: int, told: bool) -> Iterator[Callable[[Sequence[Any]], None] | None]:
    """Show one bar for the draws of all chains, within the width of the terminal.

    Parameters
    ----------
    total : int
        Draws of all chains, those of tuning among them.
    told : bool

    Yields
    ------
    callable or None
        Takes nutpie's progress of the chains; None where there is no terminal.
    """
    if not (told and sys.stderr.isatty()):
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("sampling", total=total)

        def show(chains: Sequence[Any]) -> None:
            diverged = sum(chain.divergences for chain in chains)
            words = "tuning" if any(chain.tuning for chain in chains) else "sampling"
            if diverged:
                words += f", {diverged} divergent"
            done = sum(chain.finished_draws for chain in chains)
            bar.update(task, completed=done, description=words)

        yield show


def _words(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _path() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "bayesmig/waits.json"


def _read() -> dict[str, float]:
    """Seconds by key; nothing of a file that is not what `_remember` writes."""
    with suppress(OSError, ValueError, RuntimeError, RecursionError):
        found = json.loads(_path().read_text(encoding="utf-8"))
        items = found.items() if isinstance(found, dict) else ()
        return {k: float(v) for k, v in items if isinstance(v, int | float) and v >= 0}
    return {}


def _remember(key: str, seconds: float) -> None:
    """Keep how long something took; where nothing can be written there is nothing to keep."""
    known = _read()
    known.pop(key, None)
    known[key] = round(seconds, 6)
    kept = dict(list(known.items())[-MOST:])
    with suppress(OSError, RuntimeError):
        outputs.write(_path(), json.dumps(kept, indent=0))
