"""``bayesmig new``: a folder that keeps the contract at once, here or in a package of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import bayesmig as bm
from bayesmig import scaffold
from bayesmig.models._skeleton import study as skeleton
from bayesmig.scaffold import new_study
from bayesmig.testing import check_study

ROOT = Path(__file__).parents[2]
USED = """
import bayesmig as bm
from bayesmig.testing import check_study

assert "toy_paper" in bm.list_studies()
study = bm.load_study("toy_paper")
assert study.name == "toy_paper" and study.package == "toy_paper"
check_study(study, fit=False)  # the skeleton itself is fitted
assert bm.load_study("second_paper") is __import__("toy_paper").second
"""
SECOND = """
second = Study(
    name="second_paper", title="The same data", citation="The same", package=__name__
)
"""


def files(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    )


def python(*words, **environment):
    return subprocess.run(
        [sys.executable, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
    )


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """An empty folder in the place of this checkout's models/."""
    monkeypatch.setattr(scaffold, "_models", lambda: tmp_path)
    return tmp_path


# The skeleton


def test_the_skeleton_keeps_the_contract():
    check_study(skeleton)


def test_the_skeleton_is_no_paper():
    assert skeleton.name not in bm.list_studies()
    with pytest.raises(bm.StudyError, match="unknown study '_skeleton'"):
        bm.load_study(skeleton.name)


def test_what_the_audit_of_the_skeleton_finds():
    found = skeleton.audit()
    failed = found[~found.holds]
    assert list(failed["where"]) == ["Table 1, naturalised", "p. 3"]
    assert failed["detail"].iloc[1].endswith("10.8 % of all returned")  # 47 of 435


def test_a_file_of_the_skeleton_s_study(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text("group,people,returned\na,20,3\nb, 10, 0\n")
    data = skeleton.read(path)
    assert data["people"].sel(group="b") == 10
    assert data.attrs == {"title": "mine.csv", "synthetic": 0, "left_out": ""}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("group,people\na,20\n", "no column 'returned'; needed are group, people, returned"),
        ("group,people,returned\na,20,3\nb,many,0\n", "row 3, column people: must be a whole"),
        ("group,people,returned\na,20,21\n", "row 2, column returned: 21 of 20 people cannot be"),
        ("group,people,returned\na,20,3\na,10,0\n", "row 3, column group: 'a' is twice"),
        ("group,people,returned\n,20,3\n", "row 2, column group: '' is empty"),
    ],
)
def test_a_bad_file_of_the_skeleton_s_study(tmp_path, text, what):
    path = tmp_path / "mine.csv"
    path.write_text(text)
    with pytest.raises(bm.DataError) as caught:
        skeleton.read(path)
    assert str(caught.value).startswith(f"{path}: {what}")


# Inside


def test_a_study_of_this_checkout(checkout):
    folder = new_study("toy_paper")
    assert folder == checkout / "toy_paper"
    source = ROOT / "models" / "_skeleton"
    assert files(folder) == files(source)
    for name in files(source):
        text = (source / name).read_text(encoding="utf-8")
        assert (folder / name).read_text(encoding="utf-8") == text.replace("_skeleton", "toy_paper")


def test_where_this_checkout_has_its_studies():
    assert scaffold._models() == ROOT / "models"


@pytest.mark.parametrize("name", ["a1", "the_longest_name_that_anybody_would_give_to_a_paper"])
def test_a_new_study_is_written_as_the_house_writes(checkout, name):
    folder = new_study(name)
    for words in (["format", "--check"], ["check"]):
        done = python("-m", "ruff", *words, "--config", ROOT / "pyproject.toml", folder)
        assert done.returncode == 0, done.stdout


# Outside


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A package with two studies, built, and installed into a folder of its own."""
    folder = tmp_path_factory.mktemp("outside")
    project = new_study("toy_paper", folder)
    with (project / "toy_paper" / "__init__.py").open("a") as file:
        file.write(SECOND)
    entry = 'toy_paper = "toy_paper"\n'
    settings = (project / "pyproject.toml").read_text()
    assert entry in settings
    second = entry + 'second_paper = "toy_paper:second"\n'
    (project / "pyproject.toml").write_text(settings.replace(entry, second))
    site = folder / "site"
    offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
    done = python("-m", "pip", "install", "--quiet", *offline, "--target", site, project)
    assert done.returncode == 0, done.stderr
    assert files(project / "toy_paper") == files(site / "toy_paper")
    return site


def test_a_study_outside_is_found_and_keeps_the_contract(installed):
    done = python("-W", "error", "-c", USED, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr


def test_a_study_outside_from_a_shell(installed):
    here = skeleton.audit()
    listed = python("-m", "bayesmig", "list", PYTHONPATH=str(installed))
    assert f"toy_paper: {skeleton.title}" in listed.stdout.splitlines(), listed.stderr
    asked = python("-m", "bayesmig", "audit", "toy_paper", PYTHONPATH=str(installed))
    assert asked.stdout.endswith(f"{(~here.holds).sum()} of {len(here)} checks do not hold.\n")


def test_a_study_outside_with_the_name_of_one_inside(installed, tmp_path):
    (entries,) = installed.glob("*.dist-info/entry_points.txt")
    taken = tmp_path / "another-1.0.dist-info" / "entry_points.txt"
    taken.parent.mkdir()
    taken.write_text(entries.read_text().replace("toy_paper =", "emigration ="))
    done = python("-m", "bayesmig", "list", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr == (
        "bayesmig: entry point 'emigration' of bayesmig.studies has the name of a study of "
        "bayesmig\n"
    )


# Mistakes


@pytest.mark.parametrize(
    "name",
    ["", "Toy", "toy-paper", "toy paper", "1toy", "_toy", "toy__paper", "toy_", "class", "ä"],
)
def test_a_name_that_cannot_be_one(tmp_path, name):
    for into in (None, tmp_path):
        with pytest.raises(bm.StudyError) as caught:
            new_study(name, into)
        assert str(caught.value) == (
            f"new study {name!r}: a name is lower-case letters, digits and single underscores, "
            "begins with a letter, and is no word of Python's own"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_taken(tmp_path, checkout):
    (tmp_path / "there").mkdir()
    for name, into, what in [
        ("emigration", None, "there is a study of that name"),
        ("emigration_microdata", tmp_path, "there is a study of that name"),
        ("json", tmp_path, "there is a Python module of that name"),
        ("there", tmp_path, f"{tmp_path / 'there'} exists already"),
        ("there", None, f"{tmp_path / 'there'} exists already"),
        ("tiny_paper", tmp_path / "nowhere", f"no folder {tmp_path / 'nowhere'}"),
    ]:
        with pytest.raises(bm.StudyError) as caught:
            new_study(name, into)
        assert str(caught.value) == f"new study {name!r}: {what}"
    assert files(tmp_path) == []


@pytest.mark.parametrize("into", [False, True], ids=["inside", "outside"])
def test_nothing_is_left_of_a_folder_that_cannot_be_written(checkout, monkeypatch, into):
    write, written = Path.write_text, []

    def full(path, *args, **kwargs):
        written.append(path)
        if len(written) == 5:
            raise OSError(28, "No space left on device")
        return write(path, *args, **kwargs)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(bm.StudyError) as caught:
        new_study("tiny_paper", checkout if into else None)
    assert str(caught.value) == (
        f"new study 'tiny_paper': cannot write {checkout / 'tiny_paper'}: No space left on device"
    )
    assert len(written) == 5
    assert list(checkout.iterdir()) == []


def test_a_name_too_long_for_a_folder(tmp_path):
    with pytest.raises(bm.StudyError, match="cannot write .*: File name too long"):
        new_study("a" * 300, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_installed_bayesmig_has_no_place_for_a_study(monkeypatch, tmp_path):
    """As in a wheel, where models/ is inside the package."""
    engine = tmp_path / "bayesmig"
    places = {"bayesmig": engine, scaffold.SKELETON: engine / "models" / "_skeleton"}
    monkeypatch.setattr(
        scaffold, "import_module", lambda name: type("module", (), {"__path__": [places[name]]})
    )
    with pytest.raises(bm.StudyError) as caught:
        new_study("tiny_paper")
    assert "say with --into FOLDER where the new study goes" in str(caught.value)


# From a shell


def test_new_from_a_shell(tmp_path):
    done = python("-m", "bayesmig", "new", "toy_paper", "--into", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"wrote {tmp_path / 'toy_paper'}; CONTRIBUTING.md says how it becomes the paper's",
        f"next: pip install --editable {tmp_path / 'toy_paper'}; bayesmig audit toy_paper",
    ]
    again = python("-m", "bayesmig", "new", "toy_paper", "--into", tmp_path)
    assert (again.returncode, again.stdout) == (1, "")
    assert (
        again.stderr
        == f"bayesmig: new study 'toy_paper': {tmp_path / 'toy_paper'} exists already\n"
    )
