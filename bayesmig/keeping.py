"""Draws on disk as they are made, and a fit of what a run that was killed had finished.

A folder holds ``start.nc``, all of the fit but its draws, and a file of numbers for each
chain, to which rows are only ever added: whatever ends the process, whole rows are whole.
"""

from __future__ import annotations

import json
import os
import socket
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayesmig import outputs
from bayesmig.errors import DataWarning, StudyError

STATS = ("diverging", "energy", "n_steps", "depth", "step_size", "mean_tree_accept", "logp")
OWNER, START = "owner.json", "start.nc"
SYNC = 5.0  # seconds after which rows are on the disk itself, whatever becomes of the machine
KINDS = {"diverging": bool, "n_steps": np.uint64, "depth": np.uint64}
_taken: set[Path] = set()  # by fits that run in this process


class Keeper:
    """Writes the rows of a run's chains as they come.

    Parameters
    ----------
    folder : Path
        Made here; must not be there.
    start : bytes
        ``start.nc``.
    width : int
        Numbers in a row: `STATS`, then the free parameters.
    """

    def __init__(self, folder: Path, start: bytes, width: int):
        self.folder, self.width = folder, width
        self.written: dict[int, int] = {}
        self.synced, self.broken = time.monotonic(), False
        _take(folder, width)
        _taken.add(folder.resolve())
        outputs.write(folder / START, start, private=True)

    def __enter__(self) -> Keeper:
        return self

    def __exit__(self, *error: object) -> None:
        _taken.discard(self.folder.resolve())

    def add(self, tables: Sequence[np.ndarray]) -> None:
        """Append what is new in each chain's table (draw, number); warn once if it cannot be."""
        if self.broken:
            return
        sync = time.monotonic() - self.synced > SYNC
        try:
            for chain, table in enumerate(tables):
                self._append(chain, table[self.written.get(chain, 0) :], sync)
        except OSError as error:
            self.broken = True
            warnings.warn(
                f"{self.folder}: {error.strerror}; draws from here on are in memory only",
                DataWarning,
                stacklevel=2,
            )
        if sync:
            self.synced = time.monotonic()

    def _append(self, chain: int, rows: np.ndarray, sync: bool) -> None:
        if not len(rows):
            return
        path = self.folder / _chain(chain)
        with _private(path, os.O_APPEND) as file:
            done = self.written.get(chain, 0) * self.width * 8
            if path.stat().st_size != done:
                file.truncate(done)  # what a write that failed left
            file.write(np.ascontiguousarray(rows, dtype="<f8").tobytes())
            file.flush()
            if sync:
                os.fsync(file.fileno())
        self.written[chain] = self.written.get(chain, 0) + len(rows)


def beside(path: str | Path) -> Path:
    """Folder of the draws of a fit that will be saved at a path."""
    path = Path(path)
    return path.with_name(f"{path.name}.draws")


def refuse_leftover(folder: Path) -> None:
    """Raise if a folder holds draws, or is in use; remove what holds none.

    Raises
    ------
    StudyError
        Saying how many draws there are, and how they become a fit.
    """
    if not folder.is_dir():
        return
    if not (folder / OWNER).is_file() and any(folder.iterdir()):
        raise StudyError(f"{folder} is there, and holds no draws of bayesmig")
    if who := _user(folder):
        raise StudyError(f"{folder}: {who} is writing draws there")
    counts = counted(folder)
    if sum(counts):
        raise StudyError(
            f"{folder} holds {', '.join(map(str, counts))} draws of a run that did not end: "
            f"`bayesmig recover {folder}` (bm.recover) makes a fit of them, "
            f"`bayesmig discard {folder}` (bm.discard) throws them away"
        )
    discard(folder)


def discard(folder: str | Path) -> None:
    """Remove a folder of draws.

    Parameters
    ----------
    folder : str or Path
        What ``keep`` named, or the file (.nc) beside which it is.

    Raises
    ------
    StudyError
        If it holds something else; that is left.

    Examples
    --------
    >>> import bayesmig as bm
    >>> bm.discard("nowhere.nc")
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: no draws at nowhere.nc, nor at nowhere.nc.draws
    """
    folder = found(folder)
    if who := _user(folder):
        raise StudyError(f"{folder}: {who} is writing draws there")
    for path in list(folder.iterdir()):
        if path.name in (OWNER, START) or path.suffix in (".chain", ".part"):
            path.unlink()
    try:
        folder.rmdir()
    except OSError:
        raise StudyError(f"{folder} holds other files too, which are left") from None


def found(path: str | Path) -> Path:
    """Return the folder of draws that a path means: itself, or the one beside a file.

    Raises
    ------
    StudyError
        If there is none.
    """
    for folder in (Path(path), beside(path)):
        if folder.is_dir():
            return folder
    raise StudyError(f"no draws at {path}, nor at {beside(path)}")


def counted(folder: Path) -> list[int]:
    """Number of whole draws of each chain; none without ``start.nc``, which says of what."""
    width = _width(folder)
    if not width or not (folder / START).is_file():
        return []
    sizes = {_number(path): path.stat().st_size for path in folder.glob("*.chain")}
    return [sizes.get(k, 0) // (8 * width) for k in range(max(sizes, default=-1) + 1)]


def seconds(folder: Path) -> float:
    """From the start of a run to its last draw on disk."""
    times = [path.stat().st_mtime for path in folder.glob("*.chain")]
    return max(times) - (folder / START).stat().st_mtime


def tables(folder: Path) -> list[np.ndarray]:
    """Whole rows of each chain (draw, number)."""
    width = _width(folder)
    return [
        np.fromfile(folder / _chain(k), dtype="<f8", count=n * width).reshape(n, width)
        if n
        else np.empty((0, width))
        for k, n in enumerate(counted(folder))
    ]


def tree(chains: Sequence[np.ndarray]) -> xr.DataTree:
    """Rows of chains as a DataTree: shorter chains end in NaN.

    Returns
    -------
    DataTree
        ``posterior`` with ``unconstrained`` (chain, draw, parameter), ``sample_stats``.
    """
    longest = max((len(rows) for rows in chains), default=0)
    width = chains[0].shape[1] if chains else len(STATS)
    whole = np.full((len(chains), longest, width), np.nan)
    for k, rows in enumerate(chains):
        whole[k, : len(rows)] = rows
    values = whole[:, :, len(STATS) :]
    posterior = xr.Dataset({"unconstrained": (("chain", "draw", "parameter"), values)})
    stats = {}
    for k, name in enumerate(STATS):
        numbers = np.nan_to_num(whole[:, :, k]) if name in KINDS else whole[:, :, k]
        stats[name] = (("chain", "draw"), numbers.astype(KINDS.get(name, float)))
    where = {"chain": np.arange(len(chains)), "draw": np.arange(longest)}
    groups = {"posterior": posterior, "sample_stats": xr.Dataset(stats)}
    return xr.DataTree.from_dict({n: group.assign_coords(where) for n, group in groups.items()})


def flat(raw: xr.DataTree) -> np.ndarray:
    """Return the draws (chain, draw, parameter) of what `tree` made."""
    return np.asarray(raw["posterior"].to_dataset()["unconstrained"].values)


def untree(raw: xr.DataTree) -> list[np.ndarray]:
    """Return the rows of which `tree` made a DataTree."""
    stats, values = raw["sample_stats"].to_dataset(), flat(raw)
    whole = np.concatenate(
        [np.stack([stats[name].values.astype(float) for name in STATS], axis=-1), values], axis=-1
    )
    return [rows[np.isfinite(rows[:, len(STATS) :]).all(axis=1)] for rows in whole]


def _take(folder: Path, width: int) -> None:
    """Make a folder for the draws of this process."""
    refuse_leftover(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        raise StudyError(f"{folder} is there, and holds no draws of bayesmig") from None
    process = os.getpid()
    owner = {
        "host": socket.gethostname(),
        "process": process,
        "began": _began(process),
        "width": width,
    }
    with _private(folder / OWNER) as file:
        file.write(json.dumps(owner).encode())


def _user(folder: Path) -> str:
    """Name the process of this machine that writes to a folder; empty if none does."""
    owner = _owner(folder)
    process = owner.get("process")
    if owner.get("host") != socket.gethostname() or not isinstance(process, int):
        return ""
    if process == os.getpid():
        return "another fit of this process" if folder.resolve() in _taken else ""
    runs = outputs.alive(process) and owner.get("began") == _began(process)
    return f"process {process}" if runs else ""


def _width(folder: Path) -> int:
    """Numbers in a row, none if the folder does not say."""
    width = _owner(folder).get("width")
    return width if isinstance(width, int) and width > 0 else 0


def _owner(folder: Path) -> dict[str, Any]:
    try:
        owner = json.loads((folder / OWNER).read_text())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _began(process: int) -> str:
    """When a process began, where the system says: its number may be another's later."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def _chain(k: int) -> str:
    return f"{k:03d}.chain"


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else 0


def _private(path: Path, more: int = 0) -> Any:
    flags = os.O_WRONLY | os.O_CREAT | more
    return os.fdopen(os.open(path, flags, 0o600), "wb")
