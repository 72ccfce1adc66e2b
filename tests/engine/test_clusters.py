"""Fits on a Dask cluster: the same draws, and nothing lost with a worker."""

import os
import signal
import subprocess
import sys
import threading
import time
from importlib.util import find_spec

import pytest
import xarray as xr
from fits import too_short
from said import said
from toy import study as STUDY
from toy.fits import TINY

import bayesmig as bm
from bayesmig import clusters
from bayesmig.clusters import dask_executor

pytestmark = pytest.mark.skipif(
    find_spec("distributed") is None, reason="Dask is an extra: bayesmig[cluster]"
)
DATA = STUDY.simulate(seed=4, people=40)
MANY = {"n": 8, "draws": 50, "tune": 50, "progress": False}


@pytest.fixture(scope="module")
def executor():
    with dask_executor("local", 2) as made:
        yield made


@pytest.fixture(scope="module")
def ready():
    return bm.compile(STUDY, DATA)


@pytest.mark.fits  # workers import everything anew
def test_refits_have_the_same_draws(ready, executor):
    asked = {"priors": ["default", "wide"], "data": [DATA, STUDY.simulate(seed=5, people=30)]}
    with too_short():
        here = bm.refit(ready, **asked, **TINY)
        there = bm.refit(ready, **asked, executor=executor, **TINY)
    for one, other in zip(here, there, strict=True):
        xr.testing.assert_identical(one["posterior"].to_dataset(), other["posterior"].to_dataset())


@pytest.mark.fits  # the same
def test_a_worker_that_is_killed_loses_nothing(executor, tmp_path):
    """Its refits are run again by another, and the calibration is what it is without."""
    client = executor._client
    first = next(iter(client.run(os.getpid).values()))

    def kill():
        while not any(tmp_path.rglob("*.nc")):  # the first result is there: others are running
            time.sleep(0.02)
        os.kill(first, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    there = bm.calibrate(STUDY, DATA, **MANY, executor=executor, keep=tmp_path)
    killer.join()
    assert first not in client.run(os.getpid).values()
    here = bm.calibrate(STUDY, DATA, **MANY)
    xr.testing.assert_identical(there, here)


@pytest.mark.fits  # a shell and both workers import everything anew
def test_a_scheduler_from_a_shell(executor, tmp_path):
    address = executor._client.scheduler.address
    words = f"calibrate emigration --example table=7 --n 2 --draws 30 --scheduler {address}".split()
    command = [sys.executable, "-m", "bayesmig", *words, "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "2 data sets, truth drawn from the prior" in done.stdout


def test_a_scheduler_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(clusters, "PATIENCE", 0.3)
    words = "no Dask scheduler answers at 'tcp://127.0.0.1:1'"
    with pytest.raises(bm.StudyError, match=words), dask_executor("tcp://127.0.0.1:1"):
        pass


def test_without_dask(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)

    def enter():
        with dask_executor():
            pass

    assert "pip install 'bayesmig[cluster]'" in said(bm.StudyError, enter)


# Lists of fits that go on where they were ended


def test_a_list_of_fits_goes_on_where_it_was_ended(ready, tmp_path, monkeypatch):
    with too_short():
        whole = bm.refit(ready, ["default", "wide"], **TINY)
        bm.refit(ready, ["wide"], keep=tmp_path, **TINY)
        (kept,) = tmp_path.glob("*.nc")
        made = kept.stat().st_mtime_ns
        again = bm.refit(ready, ["default", "wide"], keep=tmp_path, **TINY)
    assert kept.stat().st_mtime_ns == made
    assert len(list(tmp_path.glob("*.nc"))) == 2
    for one, other in zip(whole, again, strict=True):
        xr.testing.assert_identical(one["posterior"].to_dataset(), other["posterior"].to_dataset())
    with too_short():  # of another seed nothing is there
        bm.refit(ready, ["wide"], keep=tmp_path, **{**TINY, "seed": 9})
    assert len(list(tmp_path.glob("*.nc"))) == 3
