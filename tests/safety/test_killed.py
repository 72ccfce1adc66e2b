"""A run that is ended anywhere loses nothing that was finished, and leaves nothing torn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bayesmig as bm

pytestmark = pytest.mark.slow  # runs to be ended one after the other: `make test-kill`, and CI
SCRIPT = Path(__file__).with_name("killing.py")
FIT = "fit toy --output fit.nc --draws 150 --tune 50 --chains 2".split()
LONG = "fit toy --output fit.nc --draws 1000000 --tune 50 --chains 2".split()
CALIBRATE = "calibrate toy --n 6 --draws 60 --workers 1".split()
RECOVER, DISCARD = ["recover", "fit.nc"], ["discard", "fit.nc"]
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9}
PLACES = ("compiling", "sampling", "diagnosing", "writing")
CASES = [(name, place) for name in CODES for place in PLACES if name != "SIGHUP"]
CASES += [("SIGHUP", "sampling")]  # handled as SIGTERM is


def plan_of(folder):
    """Runs that begin in a new folder, and what is in it at first."""
    folder.mkdir()
    return lambda words, **end: {"folder": str(folder), "words": words, **end}


def run(plan, folder):
    """Exit codes of the runs of a plan by folder."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    words = [sys.executable, "-W", "ignore::DeprecationWarning", SCRIPT, path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    codes = {}
    for each, code in zip(plan, json.loads(done.stdout.splitlines()[-1]), strict=True):
        codes.setdefault(Path(each["folder"]).name, []).append(code)
    return codes


def said(folder):
    """What each run in a folder found there, and what it printed."""
    parts = (folder / "log").read_text().split("on disk: ")[1:]
    return [(json.loads(p.split("\n")[0]), " ".join(p.split("\n", 1)[1].split())) for p in parts]


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "log")


def draws(path):
    fitted = bm.open_fit(path)
    return fitted["posterior"]["slope"].values, fitted


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Every signal at every place, each followed by what mends it; exit codes by folder."""
    root = tmp_path_factory.mktemp("killed")
    plan = [plan_of(root / "whole")(FIT)]
    for name, place in CASES:
        folder = root / f"{name}-{place}"
        one = plan_of(folder)
        (folder / "fit.nc").write_text("the fit of yesterday")
        plan += [one(LONG if place == "sampling" else FIT, at=place, signal=name), one(RECOVER)]
    one = plan_of(root / "offered")
    plan += [one(LONG, at="sampling", signal="SIGKILL"), one(FIT), one(DISCARD), one(FIT)]
    one = plan_of(root / "calibrated")
    plan += [one(CALIBRATE, at="calibrating", signal="SIGTERM")]
    plan += [one(CALIBRATE, at="calibrating", signal="SIGKILL"), one(CALIBRATE)]
    return root, run(plan, root)


@pytest.mark.parametrize(("name", "place"), CASES)
def test_nothing_finished_is_lost(killed, name, place):
    root, codes = killed
    folder = root / f"{name}-{place}"
    ended, recovered = codes[folder.name]
    assert ended == CODES[name]
    (_, words), (left, _) = said(folder)
    assert "Traceback" not in words
    assert "fit.nc" in left
    if place == "compiling":  # nothing was finished
        assert left == names(folder) == ["fit.nc"]
        assert (folder / "fit.nc").read_text() == "the fit of yesterday"
        assert recovered == 1
        return
    if place == "sampling" and name != "SIGKILL":  # saved at once
        assert left == ["fit.nc"]
        assert recovered == 1
    else:
        assert "fit.nc.draws" in left
        assert name == "SIGKILL" or not any(n.endswith(".part") for n in left)
        assert recovered == 0
    assert names(folder) == ["fit.nc"]  # no part file, no draws left over
    whole, _ = draws(root / "whole" / "fit.nc")
    found, fitted = draws(folder / "fit.nc")
    if place == "sampling":
        assert fitted.attrs["interrupted"].startswith("interrupted: kept ")
        assert found.shape[1] > 0
    else:
        assert fitted.attrs["interrupted"] == ""
        assert found.shape == whole.shape
    common = min(found.shape[1], whole.shape[1])
    np.testing.assert_array_equal(found[:, :common], whole[: len(found), :common])


def test_a_run_that_is_not_ended_leaves_its_fit(killed):
    root, codes = killed
    assert codes["whole"] == [0]
    assert names(root / "whole") == ["fit.nc"]


def test_a_calibration_that_is_stopped_counts_what_is_finished(killed):
    root, codes = killed
    assert codes["calibrated"] == [143, -9, 0]
    first, second, third = said(root / "calibrated")
    assert "interrupted: 3 of 6 data sets" in first[1]
    assert sum(name.endswith(".nc") for name in second[0]) == 3
    assert sum(name.endswith(".nc") for name in third[0]) == 5
    assert " 6 data sets, truth drawn from the prior" in third[1]
    assert names(root / "calibrated") == ["out"]
    assert names(root / "calibrated" / "out") == []


def test_a_killed_run_is_offered_at_the_next(killed):
    root, codes = killed
    assert codes["offered"] == [-9, 1, 0, 0]
    assert (
        "`bayesmig recover fit.nc.draws` (bm.recover) makes a fit of them"
        in (said(root / "offered")[1][1])
    )
    assert names(root / "offered") == ["fit.nc"]


def test_forty_kills_at_any_time(tmp_path):
    rng = np.random.default_rng(3)
    signals = [("SIGKILL", "SIGTERM", "SIGINT")[k % 3] for k in range(40)]
    plan = []
    for k, (name, seconds) in enumerate(zip(signals, rng.uniform(0, 2, 40), strict=True)):
        one = plan_of(tmp_path / str(k))
        plan += [one(LONG, after=seconds, signal=name), one(RECOVER)]
    codes = run(plan, tmp_path)
    first = None
    for k, name in enumerate(signals):
        folder = tmp_path / str(k)
        saved = name != "SIGKILL"
        assert codes[folder.name] == [CODES[name], int(saved)]
        assert said(folder)[1][0] == ["fit.nc"] if saved else "fit.nc.draws" in said(folder)[1][0]
        assert names(folder) == ["fit.nc"]
        found, _ = draws(folder / "fit.nc")
        first = found[:, :1] if first is None else first
        np.testing.assert_array_equal(found[:, :1], first[: len(found)])
