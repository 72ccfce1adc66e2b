"""The repository describes itself correctly, and packs what it needs."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = {"__pycache__", "published"}


def mapped():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    return set(re.findall(r"^\| `([^`]+)` \|", text, flags=re.M))


def present():
    files = set()
    for folder in ("bayesmig", "models", "benchmarks", "notebooks"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".html", ".toml", ".md"} and not SKIPPED & set(path.parts):
                files.add(path.relative_to(ROOT).as_posix())
    return files


def test_the_map_names_every_file_and_no_other():
    assert mapped() == present()


def test_every_study_is_packaged():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["setuptools"]["packages"])
    studies = {p.parent.name for p in (ROOT / "models").glob("*/__init__.py")}
    assert {f"bayesmig.models.{name}" for name in studies} <= packages
    assert {f"bayesmig.models.{name}" for name in studies} <= set(
        project["tool"]["setuptools"]["package-data"]
    )


def test_the_engine_knows_no_paper():
    studies = [p.parent.name for p in (ROOT / "models").glob("*/__init__.py")]
    assert studies
    for path in (ROOT / "bayesmig").glob("*.py"):
        code = path.read_text(encoding="utf-8")
        for study in studies:
            assert not re.search(rf"models\.{study}|load_study\([\"']{study}", code), path


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    assert f'__version__ = "{version}"' in (ROOT / "bayesmig/__init__.py").read_text()
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text()


def test_constraints_pin_names_and_versions_only():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines), lines


def test_the_wheel_carries_data_files(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("bayesmig", "models"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=source, check=True, capture_output=True
    )
    (wheel,) = tmp_path.glob("*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "models" / "emigration").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            inside = path.relative_to(ROOT / "models").as_posix()
            assert f"bayesmig/models/{inside}" in packed
    assert "bayesmig/report.html" in packed


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make, which this machine lacks")
def test_an_old_python_gets_one_clear_line(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # what python3.11 answers to the version check
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", "demo", f"PYTHON={old}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={k: v for k, v in os.environ.items() if not k.startswith("MAKE")},
    )
    assert done.returncode != 0
    said = [line for line in done.stdout.splitlines() if line]
    assert len(said) == 1
    assert "Python 3.12 or newer" in said[0]
    assert "PYTHON=python3.13" in said[0]
    assert not (tmp_path / ".venv").exists()
