"""Homes, caches, threads and signals: what is around a fit does not change or end it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import toy
from lazily import lazily
from threadpoolctl import threadpool_info, threadpool_limits

import bayesmig as bm
from bayesmig import cache, evaluate, signals
from bayesmig.threads import one_thread

pytensor = lazily("pytensor")
TESTS = str(Path(__file__).parents[1])
COMPILED = f"""
import sys, warnings
sys.path.insert(0, {TESTS!r})
import toy, bayesmig as bm
bm.register_study(toy.study)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    ready = bm.compile("toy", toy.study.example())
for w in caught:
    print(w.category.__name__, w.message, sep=": ")
density = ready.graph.bind(ready.model, 1)
import numpy as np
print(density(np.full(density.size, 0.1))[0])
"""


def compiled(folder, **more):
    """Lines of a process that compiles the toy's graph with a cache of its own."""
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={folder}", **more}
    done = subprocess.run(
        [sys.executable, "-c", COMPILED],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.splitlines()


def test_signals_that_are_ignored_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    try:
        with signals.stopping() as came:
            os.kill(os.getpid(), signal.SIGHUP)
        assert came == []
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_signals_stop_and_are_told_apart(name):
    number = getattr(signal, name)
    if name == "SIGINT":
        signal.signal(number, signal.default_int_handler)  # a shell's "&" ignores it
    elif name == "SIGHUP":
        signal.signal(number, signal.SIG_DFL)  # and nohup this one
    with signals.stopping() as came, pytest.raises(KeyboardInterrupt, match=name):
        os.kill(os.getpid(), number)
    assert came == [number]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_what_is_begun_ends_before_a_signal_stops():
    done = []

    def save():
        with signals.deferred():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("saved")

    with signals.stopping() as came, pytest.raises(KeyboardInterrupt):
        save()
    assert done == ["saved"]
    assert came == [signal.SIGTERM]


def test_signals_are_left_alone_in_other_threads():
    found = []

    def work():
        with signals.stopping():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.SIG_DFL]


def test_one_thread_is_for_as_long_as_anybody_needs_it():
    def blas():
        return {p["num_threads"] for p in threadpool_info() if p["user_api"] == "blas"}

    np.ones((3, 3)) @ np.ones((3, 3))
    with threadpool_limits(2, user_api="blas"):
        with one_thread():
            with one_thread():
                assert blas() == {1}
            assert blas() == {1}
        assert blas() == {2}


COORDINATES = """
import hashlib, json, warnings
warnings.simplefilter("ignore")
import numpy as np
import bayesmig as bm
study = bm.load_study("social_capital")
model = study.build(study.example())
print(json.dumps({v.name: hashlib.sha256(np.ascontiguousarray(v.get_value()).tobytes()).hexdigest()
                  for v in model.data_vars}))
"""


def test_coordinates_do_not_depend_on_the_number_of_threads():
    said = []
    for threads in "12":
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads}
        done = subprocess.run(
            [sys.executable, "-c", COORDINATES],
            env=environment, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(json.loads(done.stdout))
    assert said[0] == said[1]


DRAWS = """
import hashlib, sys, warnings
warnings.simplefilter("ignore")
import numpy as np
import bayesmig as bm
study = bm.load_study(sys.argv[1])
fit = bm.fit(study, study.example(), draws=10, tune=20, chains=2, progress=False,
             sampling={"maxdepth": 3})
posterior = fit["posterior"].to_dataset()
print(hashlib.sha256(b"".join(np.ascontiguousarray(posterior[name].values).tobytes()
                              for name in sorted(posterior))).hexdigest())
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", bm.list_studies())
def test_draws_do_not_depend_on_threads_cores_or_cache(tmp_path, name):
    own = {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    surroundings = [("1", [], {}), ("2", [], own), ("2", ["taskset", "-c", "0"], own)]
    said = []
    for threads, words, more in surroundings:
        environment = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, **more}
        done = subprocess.run(
            [*words, sys.executable, "-c", DRAWS, name],
            env={**os.environ, **environment}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        said.append(done.stdout)
    warm, cold, on_one_core = said
    assert warm == cold == on_one_core


# The cache of compiled code


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache of its own with the toy's graph in it, and the density there."""
    folder = tmp_path_factory.mktemp("cache")
    (density,) = compiled(folder)
    return folder, density


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["truncated", "empty", "flipped"])
@pytest.mark.parametrize("ending", [".nbi", ".nbc"])
def test_a_damaged_cache_is_compiled_anew(filled, tmp_path, damage, ending):
    folder, density = filled
    copy = tmp_path / "cache"
    shutil.copytree(folder, copy)
    for path in (copy / "numba").glob(f"*{ending}"):
        content = bytearray(path.read_bytes())
        if damage == "truncated":
            content = content[: len(content) // 2]
        elif damage == "empty":
            content = b""
        else:
            for at in range(len(content) // 3, len(content) - 40, 97):
                content[at] ^= 0x41
        path.write_bytes(content)
    *warned, found = compiled(copy)
    assert found == density
    assert warned
    for line in warned:
        assert line.startswith("CacheWarning: ")
        assert line.endswith("is damaged and is compiled anew")
        assert str(copy) in line
    assert compiled(copy) == [density]  # mended


@pytest.mark.slow
def test_two_processes_compile_at_once(tmp_path):
    environment = {**os.environ, "PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen([sys.executable, "-c", COMPILED], env=environment, **pipes)
        for _ in range(2)
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert said[0][0] == said[1][0]


@pytest.mark.parametrize("kind", ["a file", "in a file"])
def test_a_cache_that_cannot_be_is_a_temporary_one(tmp_path, monkeypatch, kind):
    (tmp_path / "home").write_text("no folder")
    home = tmp_path / "home" if kind == "a file" else tmp_path / "home" / "deeper"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("PYTENSOR_FLAGS", raising=False)
    monkeypatch.delenv("PYTENSORRC", raising=False)
    monkeypatch.delitem(sys.modules, "pytensor", raising=False)
    with pytest.warns(bm.CacheWarning, match="PYTENSOR_FLAGS=base_compiledir=FOLDER") as warned:
        cache.prepare()
    assert str(home / ".pytensor") in str(warned[0].message)
    flag = os.environ["PYTENSOR_FLAGS"]
    assert Path(flag.partition("=")[2]).is_dir()


def test_without_a_home_the_cache_is_a_temporary_one(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(cache.Path, "home", nobody)
    for name in ("HOME", "PYTENSOR_FLAGS", "PYTENSORRC"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "pytensor", raising=False)
    with pytest.warns(bm.CacheWarning, match="no home; graphs are compiled into a temporary"):
        cache.prepare()
    assert Path(os.environ["HOME"]).is_dir()
    assert Path(os.environ["PYTENSOR_FLAGS"].partition("=")[2]).is_dir()


def test_a_cache_that_can_be_written_is_left(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYTENSOR_FLAGS", raising=False)
    monkeypatch.delitem(sys.modules, "pytensor", raising=False)
    cache.prepare()
    assert "PYTENSOR_FLAGS" not in os.environ


def test_several_threads_fit_at_once():
    how = {"draws": 20, "tune": 20, "chains": 1, "progress": False}
    ready = bm.compile("toy", toy.study.example())

    def one(seed):
        return bm.refit(ready, seed=seed, **how)["posterior"]["slope"].values

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        with ThreadPoolExecutor(3) as pool:
            together = list(pool.map(one, range(1, 4)))
        apart = [one(seed) for seed in range(1, 4)]
    np.testing.assert_array_equal(together, apart)


def test_threads_leave_pytensor_its_flags():
    """Flags that one thread changes for a while, another would put back too late."""
    study = bm.load_study("emigration")
    data = study.example(table=7)
    model = study.build(data)

    def flags():
        return {name: getattr(pytensor.config, name) for name in ("cxx", "mode", "optimizer")}

    def work():
        for _ in range(3):
            study.build(data)
            evaluate.prior_draws(model, 2, seed=1, observed=False)

    before, interval = flags(), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert flags() == before
    assert before["cxx"]
