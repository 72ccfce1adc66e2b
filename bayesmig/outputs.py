"""Where files are written: whole or not at all, checked before anything long is begun."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import socket
import stat
import unicodedata
from collections.abc import Iterator
from pathlib import Path

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # of a cell that a spreadsheet would run
SYSTEM = (Path("/dev"), Path("/proc"))  # what is there is open already: never renamed over


def check(path: str | Path) -> None:
    """Raise unless a file could be written now; leaves nothing behind.

    Parameters
    ----------
    path : str or Path
        A file, there or not, in a folder that may have to be made.

    Raises
    ------
    OSError
        Naming the path and what stands in the way.

    Examples
    --------
    >>> check("out/fit.nc")
    >>> Path("out").exists()
    False
    """
    path = Path(path)
    if _is_through(path):
        return
    path = path.resolve()
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, not a file to write", str(path))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, "is there and may not be written", str(path))
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "its folder is a file", str(folder))
    part = _part(folder / path.name)
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as error:
        raise OSError(error.errno, f"cannot be written: {error.strerror}", str(path)) from None
    part.unlink()


def write(path: str | Path, content: bytes | str, *, private: bool = False) -> Path:
    """Write a file whole or not at all.

    A link is followed and what it points to is written; a pipe or a device is written
    through.  What a killed process left of an earlier attempt is removed.

    Parameters
    ----------
    path : str or Path
        Its folder is made if it is not there.
    content : bytes or str
    private : bool
        Readable by its owner only; a file that is there keeps its mode.

    Raises
    ------
    OSError
        Naming the path; what was there is as it was.

    Examples
    --------
    >>> write("numbers.csv", "a,b").read_text()
    'a,b'
    """
    path = Path(path)
    blob = memoryview(content.encode() if isinstance(content, str) else content)
    if _is_through(path):
        try:
            with path.open("wb", buffering=0) as file:
                _write_all(file.fileno(), blob)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror}, writing", str(path)) from None
        return path
    target = path.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    sweep(target)
    part = _part(target)
    try:
        with _descriptor(part, 0o600 if private else 0o666) as descriptor:
            if target.exists():
                os.fchmod(descriptor, stat.S_IMODE(target.stat().st_mode))
            _write_all(descriptor, blob)
            os.fsync(descriptor)
        part.replace(target)
    except OSError as error:
        kept = "what was there is as it was" if target.exists() else "nothing was written"
        words = f"{error.strerror}, writing {len(blob)} bytes; {kept}"
        raise OSError(error.errno, words, str(path)) from None
    finally:
        part.unlink(missing_ok=True)
    return path


def sweep(path: Path) -> None:
    """Remove what killed processes of this machine left of attempts to write a file."""
    for part in path.parent.glob(f".{_plain(path.name)}.*.part"):
        host, process = part.name.removesuffix(".part").split(".")[-3:-1]
        if host == _host() and process.isdigit() and not alive(int(process)):
            part.unlink(missing_ok=True)


def alive(process: int) -> bool:
    """Whether a process of this machine runs."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def cell(value: object) -> object:
    """Return what a spreadsheet shows as it is: text that it would run gets an apostrophe.

    Examples
    --------
    >>> cell("=1+1"), cell("-0.5"), cell(-0.5)
    ("'=1+1", '-0.5', -0.5)
    """
    if not isinstance(value, str) or not value.startswith(FORMULA_STARTS):
        return value
    with contextlib.suppress(ValueError):  # a number is one in a spreadsheet too
        float(value)
        return value
    return f"'{value}"


def shown(text: object) -> str:
    """Return text with what a terminal would obey written out.

    Examples
    --------
    >>> print(shown("red \\x1b[31m"))
    red \\x1b[31m
    """
    return "".join(
        c
        if c.isprintable() or c == "\n" or unicodedata.category(c) == "Zs"
        else c.encode("unicode_escape").decode()
        for c in str(text)
    )


def _is_through(path: Path) -> bool:
    """Whether a path is written through: a pipe, a device, or what is open already."""
    if any(root in path.absolute().parents for root in SYSTEM):
        return True
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


@contextlib.contextmanager
def _descriptor(path: Path, mode: int) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, blob: memoryview) -> None:
    while blob:
        blob = blob[os.write(descriptor, blob) :]


def _part(path: Path) -> Path:
    """A name beside a file that no other thread, process or machine takes."""
    own = f"{_host()}.{os.getpid()}.{secrets.token_hex(4)}"
    return path.with_name(f".{path.name}.{own}.part")


def _host() -> str:
    return socket.gethostname().replace(".", "-") or "here"


def _plain(name: str) -> str:
    """Escape what a pattern of names would read as a pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)
