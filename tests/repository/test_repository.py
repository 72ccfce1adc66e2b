"""The repository describes itself correctly."""

import ast
import graphlib
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from pathlib import Path

import pytest

import bayesmig as bm
from bayesmig import contract

ROOT = Path(__file__).parents[2]
HEAVY = {"arviz", "duckdb", "matplotlib", "numba", "nutpie", "preliz", "pymc", "pytensor"}
HEAVY |= {"scipy.stats", "statsmodels"}
STUDIES = sorted(path.parent for path in (ROOT / "models").rglob("priors.toml"))


def names(folder, kept=lambda path: True):
    """Files and folders in a folder that are the repository's own."""
    return {
        path.name for path in folder.iterdir() if path.name != "__pycache__" and kept(path)
    }  # fmt: skip


def table(first):
    """A table of ARCHITECTURE.md: cells of its rows by the first, in backticks there."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    (body,) = re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", text, flags=re.M)
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in body.splitlines()]
    assert all(row[-1] for row in rows)
    return {row[0].strip("`"): row[1:] for row in rows}


def rooms(study):
    """Rooms of a study: modules and folders of modules by their name, other files by theirs."""
    inner = {path.relative_to(study).parts[0] for path in STUDIES if study in path.parents}
    found = names(study) - inner
    return {name.removesuffix(".py") for name in found}


# The map


def test_the_map_names_every_folder_and_no_other():
    described = set(table("folder"))
    packages = ("bayesmig", "models", "notebooks", "docs", "benchmarks")
    tests = {f"tests/{name}/" for name in names(ROOT / "tests", Path.is_dir)}
    assert described == {f"{name}/" for name in packages} | {"models/_skeleton/"} | tests


def test_the_map_names_every_file_of_the_engine_and_no_other():
    assert set(table("file")) == names(ROOT / "bayesmig")


def test_every_study_has_its_rooms():
    asked = {name for name, (which, _) in table("room").items() if which == "study"}
    assert {"__init__", *contract.PARTS, "priors.toml", "published", "CARD.md"} == asked
    for study in STUDIES:
        inherited = {"published"} if study.parent in STUDIES else set()  # of the same paper
        assert asked - rooms(study) <= inherited, study


def test_a_name_that_two_studies_use_is_a_room_of_the_map():
    described, used = table("room"), Counter(room for s in STUDIES for room in rooms(s))
    assert {room for room, n in used.items() if n > 1} - set(described) == set()
    assert set(described) - set(used) == set()


def test_a_room_says_what_it_is():
    for path in (ROOT / "models").rglob("*.py"):
        said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        assert said.partition("\n")[0].endswith((".", "?", ":", ",")), path


# Engine and studies


def test_the_engine_knows_no_paper():
    studies = [path.name for path in STUDIES if not path.name.startswith("_")]
    assert studies
    for path in (ROOT / "bayesmig").glob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        code = "\n".join(line for line in lines if not re.match(r" *(>>>|\.\.\.) ", line))
        for study in studies:
            assert not re.search(rf"models\.{study}|load_study\([\"']{study}", code), path


def imported(name, path, modules):
    """Modules of this package that a file imports, inside functions too; not for types only."""
    nodes = [ast.parse(path.read_text(encoding="utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        nodes += ast.iter_child_nodes(node)
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom):
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [one if one in modules else str(node.module) for one in inner]
        yield from (one for one in found if one in modules and one != name)


def test_no_circle_of_imports():
    paths = [*(ROOT / "bayesmig").glob("*.py"), *(ROOT / "models").rglob("*.py")]
    parts = {path: path.relative_to(ROOT).with_suffix("").parts for path in paths}
    names = {
        path: [part for part in inside if part not in ("bayesmig", "__init__")]
        for path, inside in parts.items()
    }
    modules = {".".join(("bayesmig", *name)): path for path, name in names.items()}
    graph = {name: set(imported(name, path, modules)) for name, path in modules.items()}
    assert graph["bayesmig.plots"]
    assert graph["bayesmig.models.snapshot.graph"]
    graphlib.TopologicalSorter(graph).prepare()  # names the circle, if there is one


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    assert f'__version__ = "{version}"' in (ROOT / "bayesmig/__init__.py").read_text()
    assert f"version: {version}" in (ROOT / "CITATION.cff").read_text()


def test_every_version_has_its_section_and_its_day():
    """Newest first, one for each tag; only the newest may be unreleased."""
    sections = re.findall(r"^## (.*)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.M)
    versions, days = zip(
        *(re.fullmatch(r"(\d+\.\d+\.\d+) \((.*)\)", line).groups() for line in sections),
        strict=True,
    )
    assert list(versions) == sorted(versions, key=lambda v: [*map(int, v.split("."))], reverse=True)
    assert versions[0] == bm.__version__
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for day in days[1:])
    if days[0] != "unreleased":
        assert f"date-released: {days[0]}" in (ROOT / "CITATION.cff").read_text()


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-lowest.txt"])
def test_constraints_pin_names_and_versions_only(name):
    lines = (ROOT / name).read_text().splitlines()
    assert lines
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+", line) for line in lines), lines


def test_lower_bounds_are_the_versions_that_are_tested():
    pinned = [line.split("==") for line in (ROOT / "constraints-lowest.txt").read_text().split()]
    lowest = {re.sub(r"[._]", "-", name).lower(): version for name, version in pinned}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["test"]]
    for words in asked:
        name, bound = re.fullmatch(r"([\w-]+)>=([\d.]+)(?:,<[\d.]+)?", words).groups()
        assert re.fullmatch(rf"{re.escape(bound)}(\.0)*", lowest[name.lower()]), words


def test_a_commit_is_checked_as_make_lint_checks():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (parts,) = re.findall(r"^lint: (.+)$", makefile, flags=re.M)
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"entry: make (\w+)$", hooks, flags=re.M) == parts.split()
    assert "repo: local" in hooks
    assert hooks.count("language: system") == hooks.count("- id: ") == len(parts.split())


def test_collecting_the_tests_imports_no_heavy_library():
    code = (
        "import sys, pytest\n"
        "assert not pytest.main(['--collect-only', '-qqq', '-p', 'no:cacheprovider', 'tests'])\n"
        f"print('imported', sorted({HEAVY} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "imported []"


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
