"""Many fits in other processes: the same draws, each job reported by itself."""

import os
import signal
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

import numpy as np
import pytest
import xarray as xr
from fits import too_short
from toy import study as STUDY
from toy.fits import TINY

import bayesmig as bm
from bayesmig import jobs

PEOPLE = STUDY.simulate(seed=4, people=40)
MORE = STUDY.simulate(seed=5, people=60)


def spawned(workers):
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))


@pytest.fixture(scope="module")
def pool():
    with spawned(2) as executor:
        yield executor


@pytest.fixture(scope="module")
def ready():
    return bm.compile(STUDY, PEOPLE)


def same(one, other):
    xr.testing.assert_identical(one["posterior"].to_dataset(), other["posterior"].to_dataset())
    assert one.attrs["prior_set"] == other.attrs["prior_set"]


@pytest.mark.fits  # processes import everything anew
def test_fits_of_other_processes_have_the_same_draws(ready, pool):
    mine = {"slope": {"dist": "Normal", "mu": 0.5, "sigma": 0.3}}
    asked = {"priors": ["wide", mine], "data": [PEOPLE, MORE], **TINY}
    with too_short():
        here, there = bm.refit(ready, **asked), bm.refit(ready, executor=pool, **asked)
    for one, other in zip(here, there, strict=True):
        same(one, other)
    assert [len(fit["data"].person) for fit in there] == [40, 60, 40, 60]


@pytest.mark.fits  # processes import everything anew
def test_warnings_of_other_processes_are_heard(ready, pool):
    with pytest.warns(bm.ConvergenceWarning):
        bm.refit(ready, ["wide"], executor=pool, **TINY)


@pytest.mark.parametrize("away", [False, True])
@pytest.mark.fits  # processes import everything anew
def test_a_job_that_fails_is_reported_and_the_others_go_on(ready, pool, away):
    broken = PEOPLE.drop_vars("answer" if "answer" in PEOPLE else next(iter(PEOPLE)))
    with too_short(), pytest.raises(KeyError, match="distance") as caught:
        bm.refit(ready, data=[PEOPLE, broken, MORE], executor=pool if away else None, **TINY)
    assert "1 of 3 fits failed: number 2" in "".join(caught.value.__notes__)
    first, failed, last = caught.value.finished
    assert failed is None
    assert [len(fit["data"].person) for fit in (first, last)] == [40, 60]


@pytest.mark.fits  # processes import everything anew
def test_a_worker_that_is_killed_is_named_as_such(ready):
    with spawned(1) as executor:
        assert executor.submit(os.getpid).result() != os.getpid()
        (worker,) = executor._processes
        os.kill(worker, signal.SIGKILL)
        with pytest.raises(BrokenProcessPool):
            bm.refit(ready, ["wide", "default"], executor=executor, **TINY)


@pytest.mark.fits  # processes import everything anew
def test_priors_of_another_library_stay_in_this_process(pool):
    pm = pytest.importorskip("pymc")

    class Foreign:
        dims = ("outcome",)

        def create_variable(self, name, xdist=False):
            return pm.Normal(name, 0.5, 1.5, dims=self.dims)

    start = bm.compile(STUDY, PEOPLE, {"slope": Foreign()})
    with pytest.raises(bm.StudyError, match="only threads can share these priors: priors of"):
        bm.refit(start, ["wide"], executor=pool, **TINY)


@pytest.mark.fits  # processes import everything anew
def test_a_calibration_in_other_processes_is_the_same(pool):
    how = {"n": 4, "draws": 40, "tune": 40, "progress": False}
    here = bm.calibrate(STUDY, PEOPLE, **how)
    there = bm.calibrate(STUDY, PEOPLE, executor=pool, **how)
    xr.testing.assert_identical(here, there)
    given = {"simulate": lambda seed: STUDY.simulate(seed=seed, people=30), **how}
    here = bm.calibrate(STUDY, PEOPLE, **given)
    there = bm.calibrate(STUDY, PEOPLE, executor=pool, **given)
    xr.testing.assert_identical(here, there)


def test_a_process_compiles_a_graph_once(ready):
    plain = jobs.Plain.of(ready)
    again = jobs.Plain.of(bm.compile(STUDY, PEOPLE))
    assert plain.compiled() is again.compiled()
    assert plain.compiled() is not jobs.Plain.of(bm.compile(STUDY, MORE)).compiled()


def test_jobs_in_this_process():
    found = dict(jobs.run(np.sqrt, [4.0, "word", 9.0], None))
    assert [found[k].result for k in (0, 2)] == [2.0, 3.0]
    assert isinstance(found[1].error, TypeError)
    with pytest.raises(TypeError) as caught:
        jobs.results(found, "roots")
    assert caught.value.finished == [2.0, None, 3.0]
