"""A new study's folder: the skeleton of one, copied under another name."""

from __future__ import annotations

import keyword
import os
import re
import shutil
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from string import Template

from bayesmig.errors import StudyError
from bayesmig.study import GROUP, list_studies

NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
SKELETON = "bayesmig.models._skeleton"
WORD = "_skeleton"  # what the skeleton calls itself; it has the word nowhere else
PROJECT = Template("""\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "$project"
version = "0.1.0"
description = "A published migration model as a study of bayesmig"
requires-python = ">=3.12"
dependencies = ["bayesmig"]

[project.entry-points."$group"]
$name = "$name"

[tool.setuptools.packages.find]
include = ["$name*"]

[tool.setuptools.package-data]
"*" = ["**/*.csv", "**/*.json", "**/*.md", "**/*.toml"]
""")
TEST = Template("""\
\"\"\"The study keeps the contract of bayesmig.\"\"\"

from $name import study

from bayesmig.testing import check_study


def test_the_contract():
    check_study(study)
""")


def new_study(name: str, into: str | Path | None = None) -> Path:
    """Write the folder of a new study, which passes `bayesmig.testing.check_study` at once.

    It holds a small real model of a toy paper; ``CONTRIBUTING.md`` says how it becomes the
    paper's.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and single underscores.
    into : str or Path, optional
        A folder in which to write a package of its own, ``NAME/``, to be installed; by
        default the study goes to ``models/NAME`` of the checkout that bayesmig runs from.

    Returns
    -------
    Path
        The new folder, whole; nothing is left of one that could not be written.

    Raises
    ------
    StudyError
        For a name that cannot be one or is taken, or a folder that cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> from bayesmig.scaffold import new_study
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     project = new_study("toy_paper", folder)
    ...     sorted(path.name for path in project.iterdir())
    ['pyproject.toml', 'tests', 'toy_paper']
    """
    check_name(name)
    parent = _models() if into is None else Path(into)
    target = parent / name
    if not parent.is_dir():
        raise StudyError(f"new study {name!r}: no folder {parent}")
    if os.path.lexists(target):
        raise StudyError(f"new study {name!r}: {target} exists already")
    if into is not None and _is_importable(name):
        raise StudyError(f"new study {name!r}: there is a Python module of that name")
    part = parent / f".{name}.{os.getpid()}.part"
    try:
        (_write_study if into is None else _write_project)(part, name)
        part.rename(target)
    except OSError as error:
        raise StudyError(f"new study {name!r}: cannot write {target}: {error.strerror}") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    invalidate_caches()  # what was imported from the parent folder does not hide the new one
    return target


def check_name(name: str) -> None:
    """Raise `StudyError` unless a new study can have the name."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name):
        raise StudyError(
            f"new study {name!r}: a name is lower-case letters, digits and single underscores, "
            "begins with a letter, and is no word of Python's own"
        )
    if name in list_studies():
        raise StudyError(f"new study {name!r}: there is a study of that name")


def _models() -> Path:
    """Return the folder of studies of the checkout that this package runs from."""
    engine, models = (Path(next(iter(import_module(p).__path__))) for p in ("bayesmig", SKELETON))
    if engine in models.parents:
        raise StudyError(
            f"bayesmig is installed in {engine}, not run from a checkout: say with --into FOLDER "
            "where the new study goes"
        )
    return models.parent


def _is_importable(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # any folder is a namespace


def _write_project(folder: Path, name: str) -> None:
    """Write a package of its own, with the study as an entry point, and its test."""
    _write_study(folder / name, name)
    words = {"name": name, "project": name.replace("_", "-"), "group": GROUP}
    (folder / "tests").mkdir()
    for path, template in (("pyproject.toml", PROJECT), ("tests/test_contract.py", TEST)):
        (folder / path).write_text(template.substitute(words), encoding="utf-8")


def _write_study(folder: Path, name: str) -> None:
    """Copy the skeleton under another name."""
    source = Path(next(iter(import_module(SKELETON).__path__)))
    for path in sorted(source.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            copy = folder / path.relative_to(source)
            copy.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text(encoding="utf-8").replace(WORD, name)
            copy.write_text(text, encoding="utf-8")
