"""What is said of waits, and what is remembered of them."""

import json
import time

import pytest

from bayesmig import waits


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "bayesmig"


def test_a_wait_is_measured_for_the_next(capsys, folder, monkeypatch):
    clock = iter([0.0, 30.0, 100.0, 190.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with waits.waiting("sampling toy", "sample toy", 10):
        pass
    assert capsys.readouterr().err == "sampling toy (not measured here before)\n"
    assert json.loads((folder / "waits.json").read_text()) == {"sample toy": 3.0}
    with waits.waiting("sampling toy", "sample toy", 20):
        assert capsys.readouterr().err == "sampling toy (60 s here, by the last run)\n"
    assert json.loads((folder / "waits.json").read_text()) == {"sample toy": 4.5}


@pytest.mark.parametrize(
    ("seconds", "words"), [(2.4, "2 s"), (89, "89 s"), (600, "10 min"), (9000, "2.5 h")]
)
def test_how_long_in_words(capsys, folder, seconds, words):
    folder.mkdir(parents=True)
    (folder / "waits.json").write_text(json.dumps({"it": seconds}))
    with waits.waiting("it", "it"):
        assert capsys.readouterr().err == f"it ({words} here, by the last run)\n"


def test_what_takes_no_time_is_no_wait(capsys):
    for _ in range(2):
        with waits.waiting("nothing", "nothing"):
            pass
    assert capsys.readouterr().err.count("\n") == 1


def test_what_was_stopped_does_not_count(folder):
    with waits.waiting("it", "it") as wait:
        wait.whole = False
    with pytest.raises(KeyboardInterrupt), waits.waiting("it", "it"):
        raise KeyboardInterrupt
    assert not (folder / "waits.json").exists()


def test_silence_remembers_nothing(capsys, folder):
    with waits.waiting("it", "it", told=False):
        pass
    assert capsys.readouterr().err == ""
    assert not folder.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"it": "x", "is": -1}', "[" * 100_000])
def test_a_damaged_memory_is_none(capsys, folder, text):
    folder.mkdir(parents=True)
    (folder / "waits.json").write_text(text)
    with waits.waiting("it", "it"):
        assert capsys.readouterr().err == "it (not measured here before)\n"
    assert set(json.loads((folder / "waits.json").read_text())) == {"it"}


def test_where_nothing_can_be_written_nothing_is_kept(capsys, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with waits.waiting("it", "it"):
        pass
    assert capsys.readouterr().err == "it (not measured here before)\n"


def test_no_bar_without_a_terminal():
    with waits.sampling(100, True) as show:
        assert show is None
