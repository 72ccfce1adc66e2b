"""Examples in docstrings run, and every public name has one."""

import doctest
import importlib
import inspect
import pkgutil
import re
import tempfile
from functools import cache
from pathlib import Path

import pytest
from fits import small

import bayesmig as bm

MODULES = sorted(f"bayesmig.{m.name}" for m in pkgutil.iter_modules(bm.__path__) if not m.ispkg)
MODELS = Path(__file__).parents[2] / "models"
MODULES += sorted(
    ".".join(["bayesmig.models", *path.relative_to(MODELS).with_suffix("").parts])
    for path in MODELS.rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)
SAID_BY_FIT = {name for name in bm.__all__ if name.endswith("Warning")}  # no value to show


def names(test):
    """What an example may use without saying so: `fit`, of emigration's Table 7."""
    if not any(re.search(r"\bfit\b", example.source) for example in test.examples):
        return {}
    return {"fit": saved().copy(deep=True)}


@cache
def saved():
    with tempfile.TemporaryDirectory() as folder:
        return bm.open_fit(bm.save_fit(small(), Path(folder) / "fit.nc"))


@pytest.mark.parametrize("module", [m for m in MODULES if not m.endswith("__main__")])
def test_examples_run(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner, said = doctest.DocTestRunner(verbose=False), []
    for test in doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module)):
        assert not any(doctest.SKIP in e.options for e in test.examples), f"{test.name} never runs"
        test.globs |= names(test)
        runner.run(test, out=said.append)
    assert not runner.failures, "".join(said)


@pytest.mark.parametrize("name", sorted(set(bm.__all__) - {"__version__"} - SAID_BY_FIT))
def test_every_public_name_has_an_example(name):
    assert ">>> " in (inspect.getdoc(getattr(bm, name)) or ""), f"bm.{name} has no example"
