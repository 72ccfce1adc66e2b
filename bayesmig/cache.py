"""PyTensor's cache of compiled code: a place that can be written, files that are believed.

PyTensor and numba read what they compiled in an earlier process as it is, and a damaged file
is a traceback or the end of the process.  What is written while bayesmig is loaded ends in a
checksum; a file that is not what was written is removed and compiled anew.
"""

from __future__ import annotations

import atexit
import functools
import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from bayesmig import _numba
from bayesmig.errors import CacheWarning, warn

FLAGS = "PYTENSOR_FLAGS"
MODULES = "compiledir_*/*_ext/*.so"  # what PyTensor compiled from C, in its folder
_told: set[str] = set()


def prepare() -> None:
    """Before PyTensor is imported: give it a folder that it can write to.

    Warns
    -----
    CacheWarning
        If its own cannot be written; says what to set.
    """
    if "pytensor" in sys.modules:
        return
    try:
        folder = _folder()
    except RuntimeError:  # no home, not even in the system's list of users
        _use_temporary("no home")
        return
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
            file.flush()
    except OSError as error:
        _use_temporary(f"{folder}: {error.strerror}")
        return
    for path in folder.glob(MODULES):
        if _seal_of(path).is_file() and _seal_of(path).read_text() != _digest(path):
            shutil.rmtree(path.parent, ignore_errors=True)
            _tell(f"{path} is damaged and is compiled anew")


@functools.cache
def guard() -> None:
    """Once PyTensor is imported: check what numba reads there, and mark what it writes.

    Warns
    -----
    CacheWarning
        When a file is damaged, or cannot be written.
    """
    folder = _numba.seal_compile_cache(_tell)
    for path in folder.glob(MODULES):
        if not _seal_of(path).is_file():
            try:
                _seal_of(path).write_text(_digest(path))
            except OSError:
                return


def _use_temporary(why: str) -> None:
    """Let PyTensor compile into a folder that goes when this process does."""
    temporary = tempfile.mkdtemp(prefix="bayesmig-cache-")
    atexit.register(shutil.rmtree, temporary, ignore_errors=True)
    flags = [f for f in os.environ.get(FLAGS, "").split(",") if f and "compiledir" not in f]
    os.environ[FLAGS] = ",".join([*flags, f"base_compiledir={temporary}"])
    os.environ.setdefault("HOME", temporary)  # where PyTensor looks, before it reads its flags
    _tell(
        f"{why}; graphs are compiled into a temporary folder, and anew in the next process: "
        f"{FLAGS}=base_compiledir=FOLDER names one that can be written"
    )


def _folder() -> Path | None:
    """PyTensor's folder, where it is easily told: no file of settings says another."""
    home = Path(os.environ.get("HOME") or Path.home())
    if os.environ.get("PYTENSORRC") or (home / ".pytensorrc").exists():
        return None
    flags = dict(f.split("=", 1) for f in os.environ.get(FLAGS, "").split(",") if "=" in f)
    named = flags.get("compiledir") or flags.get("base_compiledir")
    return Path(named).expanduser() if named else home / ".pytensor"


def _seal_of(path: Path) -> Path:
    return path.with_suffix(".sha256")


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


def _tell(words: str) -> None:
    """Warn, once of each thing."""
    if words not in _told:
        _told.add(words)
        warn(words, CacheWarning)
