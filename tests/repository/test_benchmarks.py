"""What benchmarks print is stored when they end well, and the page about speed is made of it."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SPEED = ROOT / "docs" / "speed.md"


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """The runner, with a folder of its own for benchmarks and what they print."""
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks" / "run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(module, "RESULTS", tmp_path / "results")
    return module


def test_all_benchmarks_are_run(bench):
    there = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert set(bench.ALL) == there - {"run", "public_data"}


def test_the_page_has_what_is_stored(bench, monkeypatch):
    monkeypatch.setattr(bench, "RESULTS", ROOT / "benchmarks" / "results")
    page = SPEED.read_text(encoding="utf-8")
    assert page == bench.filled(page)
    stored = {path.stem for path in bench.RESULTS.glob("*.txt")}
    assert {found["name"] for found in bench.BLOCK.finditer(page)} == stored


def test_what_ends_well_is_stored_with_what_made_it(bench, tmp_path):
    (tmp_path / "quick.py").write_text("import sys\nprint('seconds', sys.argv[1])\n")
    assert bench.run("quick 3")
    page = "before\n<!-- benchmarks/quick -->\nold\n<!-- end -->\nafter"
    made, *lines = (tmp_path / "results" / "quick.txt").read_text().splitlines()
    assert made.startswith("# python benchmarks/quick.py 3; commit ")
    assert " cores of " in made
    assert "pytensor" in made
    assert lines == ["seconds 3"]
    assert "```text\nseconds 3\n```" in bench.filled(page)
    assert "old" not in bench.filled(page)


def test_what_fails_leaves_what_was_stored(bench, tmp_path, capfd):
    (tmp_path / "quick.py").write_text("print('seconds 3')\n")
    assert bench.run("quick")
    before = (tmp_path / "results" / "quick.txt").read_text()
    (tmp_path / "quick.py").write_text("print('half')\nraise SystemExit(2)\n")
    assert not bench.run("quick")
    assert "quick.py ended with 2: nothing is stored" in capfd.readouterr().err
    assert (tmp_path / "results" / "quick.txt").read_text() == before
