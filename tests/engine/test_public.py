"""What ``import bayesmig`` offers: all of it there, and all of it described."""

import inspect
import subprocess
import sys
from importlib.metadata import version
from operator import attrgetter

import pytest

import bayesmig as bm
import bayesmig.models

ERRORS = ["BayesmigError", "DataError", "PriorError", "StudyError"]
WARNINGS = [f"{kind}Warning" for kind in ("Cache", "Data", "Convergence", "Prior", "Recompiled")]
PROMISED = """
    list_studies load_study register_study summary fit refit compile open_fit save_fit recover
    discard compare plot_compare plot_fits plot_prior_posterior problems report sensitivity
    calibrate coverage plot_calibration prior_predictive add_groups rebase misfit loo kfold predict
    comparisons plot_effects across_priors Study PriorSet Spec
""".split()


def test_all_that_is_promised_is_there():
    assert set(bm.__all__) == {"__version__", *ERRORS, *WARNINGS, *PROMISED}
    assert len(bm.__all__) == len(set(bm.__all__))


@pytest.mark.parametrize("name", sorted(set(bm.__all__) - {"__version__"}))
def test_each_is_callable_and_described(name):
    value = getattr(bm, name)
    assert callable(value)
    assert value.__name__ == name
    assert value.__doc__  # its own, not what it inherits
    assert not value.__doc__.startswith(f"{name}(")  # nor what a dataclass makes up


@pytest.mark.parametrize("kind", [bm.Study, bm.PriorSet, bm.Spec])
def test_each_method_is_described(kind):
    for name, value in vars(kind).items():
        if not name.startswith("_") and (callable(value) or isinstance(value, property)):
            assert inspect.getdoc(value), f"{kind.__name__}.{name}"


def test_errors_are_values_and_warnings_warn():
    for name in ERRORS:
        assert issubclass(getattr(bm, name), ValueError)
    for name in WARNINGS:
        assert issubclass(getattr(bm, name), UserWarning)
        assert not issubclass(getattr(bm, name), ValueError)


def test_the_version_is_the_installed_one():
    assert bm.__version__ == version("bayesmig")


def test_what_is_not_there_is_not_there():
    with pytest.raises(AttributeError, match="module 'bayesmig' has no attribute 'fitt'"):
        attrgetter("fitt")(bm)
    with pytest.raises(ImportError):
        exec("from bayesmig import nonsense")


def test_dir_lists_the_public_names():
    assert set(dir(bm)) == set(bm.__all__)


def test_no_module_hides_a_function_of_its_name():
    source = """
import importlib, pkgutil
import bayesmig as bm
for module in pkgutil.iter_modules(bm.__path__):
    if module.name != "__main__":
        importlib.import_module(f"bayesmig.{module.name}")
hidden = [n for n in bm.__all__ if n != "__version__" and not callable(getattr(bm, n))]
assert hidden == [], hidden
"""
    child = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
    assert child.returncode == 0, child.stderr


# Studies


def test_a_study_describes_itself():
    study = bm.load_study("emigration")
    assert "emigration" in bm.list_studies()
    assert isinstance(study, bm.Study)
    assert bm.load_study("emigration") is study
    assert repr(study) == f"<study emigration: {study.title}>"
    assert (study.folder / "published" / "cells.csv").is_file()
    assert study.card.startswith("#")


def test_an_unknown_study():
    for call in (bm.load_study, lambda name: bm.fit(name, None), lambda n: bm.compile(n, None)):
        with pytest.raises(bm.StudyError) as caught:
            call("emmigration")
        assert str(caught.value) == (
            "unknown study 'emmigration' (did you mean 'emigration'?); valid: "
            + ", ".join(bm.list_studies())
        )


def test_a_second_study_is_found_in_its_folder(tmp_path, monkeypatch):
    folder = tmp_path / "second"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "from bayesmig.study import Study\n"
        "study = Study('second', 'Another paper', 'X', __name__)\n"
    )
    (folder / "priors.toml").write_text("")  # what makes a folder a study
    (tmp_path / "stray.py").write_text("raise RuntimeError('a module is no study')")
    before = bm.list_studies()
    monkeypatch.setattr(bayesmig.models, "__path__", [*bayesmig.models.__path__, str(tmp_path)])
    assert bm.list_studies() == sorted([*before, "second"])
    try:
        assert bm.load_study("second").title == "Another paper"
        with pytest.raises(bm.StudyError) as caught:
            bm.load_study("third")
        assert str(caught.value) == f"unknown study 'third'; valid: {', '.join(bm.list_studies())}"
    finally:
        sys.modules.pop("bayesmig.models.second", None)
        vars(bayesmig.models).pop("second", None)
