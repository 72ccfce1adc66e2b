"""A run that is ended anywhere loses nothing that was finished, and leaves nothing torn."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import bayesmig as bm

SCRIPT = Path(__file__).with_name("killing.py")
FIT = "fit toy --output fit.nc --draws 150 --tune 50 --chains 2".split()
LONG = "fit toy --output fit.nc --draws 100000 --tune 50 --chains 2".split()
RECOVER = ["recover", "fit.nc"]
CODES = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129, "SIGKILL": -9}
PLACES = ("compiling", "sampling", "diagnosing", "writing")


def run(plan, folder):
    """Exit codes of the runs of a plan, each in its folder, and what each printed."""
    path = folder / "plan.json"
    path.write_text(json.dumps(plan))
    words = [sys.executable, "-W", "ignore::DeprecationWarning", SCRIPT, path]
    done = subprocess.run(words, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def names(folder):
    return sorted(p.name for p in folder.iterdir() if p.name != "log")


def draws(path):
    fitted = bm.open_fit(path)
    return fitted["posterior"]["slope"].values, fitted


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Every signal at every place, and what `bayesmig recover` makes of it afterwards."""
    root, plan, cases = tmp_path_factory.mktemp("killed"), [], {}
    (root / "whole").mkdir()
    plan.append({"folder": str(root / "whole"), "words": FIT})
    for name in CODES:
        for place in PLACES:
            folder = root / f"{name}-{place}"
            folder.mkdir()
            (folder / "fit.nc").write_text("the fit of yesterday")
            words = LONG if place == "sampling" else FIT
            plan.append({"folder": str(folder), "words": words, "at": place, "signal": name})
            cases[name, place] = folder
    codes = run(plan, root)
    state = {case: names(folder) for case, folder in cases.items()}
    after = run([{"folder": str(f), "words": RECOVER} for f in cases.values()], root)
    return {
        "whole": root / "whole",
        "codes": dict(zip([None, *cases], codes, strict=True)),
        "folders": cases,
        "state": state,
        "recovered": dict(zip(cases, after, strict=True)),
    }


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("place", PLACES)
def test_nothing_finished_is_lost(killed, name, place):
    assert killed["codes"][None] == 0
    assert names(killed["whole"]) == ["fit.nc"]
    assert killed["codes"][name, place] == CODES[name]
    folder, said = killed["folders"][name, place], (killed["folders"][name, place] / "log")
    state = killed["state"][name, place]
    saved = folder / "fit.nc"
    assert "Traceback" not in said.read_text()
    if place == "compiling":  # nothing was finished
        assert state == ["fit.nc"]
        assert saved.read_text() == "the fit of yesterday"
        assert killed["recovered"][name, place] == 1
        return
    if place == "sampling" and name != "SIGKILL":  # saved at once
        assert state == ["fit.nc"]
        assert killed["recovered"][name, place] == 1
    else:
        assert "fit.nc.draws" in state
        assert [n for n in state if n.endswith(".part")] == [] or name == "SIGKILL"
        assert killed["recovered"][name, place] == 0
    assert names(folder) == ["fit.nc"]  # no part file, no draws left over
    whole, _ = draws(killed["whole"] / "fit.nc")
    found, fitted = draws(saved)
    if place == "sampling":
        assert fitted.attrs["interrupted"].startswith("interrupted: kept ")
        assert found.shape[1] > 0
    else:
        assert fitted.attrs["interrupted"] == ""
        assert found.shape == whole.shape
    common = min(found.shape[1], whole.shape[1])
    kept = len(found)
    np.testing.assert_array_equal(found[:, :common], whole[:kept, :common])


def test_a_calibration_that_is_stopped_counts_what_is_finished(tmp_path):
    words = "calibrate toy --n 6 --draws 60 --workers 1".split()
    stopped = {"folder": str(tmp_path), "words": words, "at": "calibrating"}
    codes = run(
        [
            {**stopped, "signal": "SIGTERM"},
            {**stopped, "signal": "SIGKILL"},
            {"folder": str(tmp_path), "words": words},
        ],
        tmp_path,
    )
    assert codes == [143, -9, 0]
    said = (tmp_path / "log").read_text()
    assert "interrupted: 3 of 6 data sets" in said
    assert "\n6 data sets, truth drawn from the prior" in said
    assert names(tmp_path) == ["out", "plan.json"]
    assert names(tmp_path / "out") == []


def test_a_killed_run_is_offered_at_the_next(tmp_path):
    killed = {"folder": str(tmp_path), "words": LONG, "at": "sampling", "signal": "SIGKILL"}
    again = {"folder": str(tmp_path), "words": FIT}
    away = {"folder": str(tmp_path), "words": ["discard", "fit.nc"]}
    assert run([killed, again, away, again], tmp_path) == [-9, 1, 0, 0]
    said = " ".join((tmp_path / "log").read_text().split())
    assert "`bayesmig recover fit.nc.draws` (bm.recover) makes a fit of them" in said
    assert names(tmp_path) == ["fit.nc", "plan.json"]


@pytest.mark.slow
def test_thirty_kills_at_any_time(tmp_path):
    rng = np.random.default_rng(3)
    plan, folders = [], []
    for k, seconds in enumerate(rng.uniform(0, 2, 30)):
        folder = tmp_path / str(k)
        folder.mkdir()
        folders.append(folder)
        name = ("SIGKILL", "SIGTERM", "SIGINT")[k % 3]
        plan.append({"folder": str(folder), "words": LONG, "after": seconds, "signal": name})
    codes = run(plan, tmp_path)
    assert codes == [CODES[("SIGKILL", "SIGTERM", "SIGINT")[k % 3]] for k in range(30)]
    left = [folder for folder in folders if names(folder) != ["fit.nc"]]
    assert run([{"folder": str(f), "words": RECOVER} for f in left], tmp_path) == [0] * len(left)
    first = None
    for folder in folders:
        assert names(folder) == ["fit.nc"]
        found, _ = draws(folder / "fit.nc")
        first = found[:, :1] if first is None else first
        np.testing.assert_array_equal(found[:, :1], first[: len(found)])
