"""Wheel and source archive carry every study whole, and a new folder needs no line anywhere."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("bayesmig", "models", "tests", "notebooks", "docs", "benchmarks")  # in the archive
MADE = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints", "*.nc")
BUILD = "from setuptools.build_meta import build_{0}; build_{0}({1!r})"
NEW = {  # a study that nobody knows of, with rooms that are folders
    "another/__init__.py": "",
    "another/priors.toml": "",
    "another/CARD.md": "",
    "another/published/rates.csv": "",
    "another/ipums/__init__.py": "",
    "another/ipums/codes/sex.csv": "",
    "another/ipums/deep/down/__init__.py": "",  # `down` is a package only if `deep` is
    "another/ipums/deep/__init__.py": "",
    "another/ipums/deep/down/truth.json": "",
}


def build(kind, source, to):
    command = [sys.executable, "-W", "ignore", "-c", BUILD.format(kind, str(to))]
    subprocess.run(command, cwd=source, check=True, capture_output=True)


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source tree with one more study, its archive, and the wheel built from the archive."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    for name in SHIPPED:
        shutil.copytree(ROOT / name, source / name, ignore=MADE)
    for path in ROOT.iterdir():
        if path.is_file() and path.name != ".git":  # of a worktree
            shutil.copy(path, source)
    for name, text in NEW.items():
        path = source / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    present = {
        *(f"bayesmig/{name}" for name in files(source / "bayesmig")),
        *(f"bayesmig/models/{name}" for name in files(source / "models")),
    }
    build("sdist", source, folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    build("wheel", unpacked, folder)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    return source, unpacked, present, names


def test_the_archive_has_every_file(built):
    source, unpacked, *_ = built
    missing = files(source) - files(unpacked)
    assert {name for name in missing if ".egg-info/" not in name} == set()


def test_the_wheel_has_every_file_of_the_package_and_no_other(built):
    *_, present, packed = built
    assert packed == present


def test_what_is_packed_is_what_studies_need(built):
    *_, packed = built
    studies = [path.parent for path in (ROOT / "models").rglob("priors.toml")]
    assert studies
    for study in studies:
        inside = f"bayesmig/models/{study.relative_to(ROOT / 'models').as_posix()}"
        assert {f"{inside}/{name}" for name in ("__init__.py", "priors.toml", "CARD.md")} <= packed
    assert {f"bayesmig/models/{name}" for name in NEW} <= packed
    assert {"bayesmig/py.typed", "bayesmig/report.html"} <= packed


@pytest.mark.slow
def test_tests_of_the_archive_run(built, tmp_path):
    """Against the package that is built from it, and no checkout."""
    _, unpacked, *_ = built
    (wheel,) = unpacked.parents[1].glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(tmp_path)
    for models in (tmp_path / "bayesmig" / "models", unpacked / "models"):
        shutil.rmtree(models / "another")  # which is no study
    path = os.pathsep.join([str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}

    def python(*words):
        command = [sys.executable, *words]
        return subprocess.run(command, cwd=unpacked, env=env, capture_output=True, text=True)

    where = python("-c", "import bayesmig.models as m; print(*m.__path__)").stdout.strip()
    assert Path(where) == tmp_path / "bayesmig" / "models"
    tests = ["engine/test_public.py", "engine/test_options.py", "studies/emigration/test_data.py"]
    tests += ["studies/emigration/test_printed.py", "repository/test_pages.py"]
    few = [
        "-q",
        "-m",
        "not slow and not fits and not timed and not browser",
        "-p",
        "no:cacheprovider",
    ]
    done = python("-m", "pytest", *few, *(f"tests/{name}" for name in tests))
    assert done.returncode == 0, done.stdout[-3000:]
    assert " passed" in done.stdout
