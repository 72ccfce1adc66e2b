"""Files are written whole or not at all, through what is no file, and say what they are."""

import errno
import os
import shutil
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from safety.small import fit

import bayesmig as bm
from bayesmig import cli, outputs


def test_many_threads_write_one_file(tmp_path):
    path = tmp_path / "fit.txt"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda k: outputs.write(path, f"{k}" * 100_000), range(10)))
    text = path.read_text()
    assert len(text) == 100_000
    assert len(set(text)) == 1
    assert os.listdir(tmp_path) == ["fit.txt"]


def test_a_link_is_written_through(tmp_path):
    target, link = tmp_path / "there.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    outputs.write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_pipe_is_written_through(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    outputs.write(pipe, b"abc" * 100_000)
    reader.join(20)
    assert read == [b"abc" * 100_000]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_device_is_written_through():
    outputs.write("/dev/null", "abc")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this machine has no full device")
def test_a_full_device_is_named():
    with pytest.raises(OSError, match="No space left on device, writing: '/dev/full'"):
        outputs.write("/dev/full", "abc")


def test_what_is_open_already_is_not_replaced(tmp_path):
    words = "from bayesmig import outputs; outputs.write('/dev/stdout', 'abc'); print('def')"
    path = tmp_path / "out"
    with path.open("w") as file:
        subprocess.run([sys.executable, "-c", words], stdout=file, check=True)
    assert path.read_text() in ("abcdef\n", "def\n")  # as a shell's own redirection does
    assert os.listdir(tmp_path) == ["out"]


def test_a_file_keeps_its_mode(tmp_path):
    path = tmp_path / "fit.txt"
    path.write_text("old")
    path.chmod(0o600)
    outputs.write(path, "new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(outputs.write(tmp_path / "own", "x", private=True).stat().st_mode) == 0o600


def test_what_a_killed_process_left_is_swept(tmp_path):
    code = "import os, sys; from bayesmig import outputs; from pathlib import Path\n"
    code += "print(outputs._part(Path(sys.argv[1])))"
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "fit.nc"],
        capture_output=True,
        text=True,
        check=True,
    )
    dead = tmp_path / done.stdout.strip().rpartition("/")[2]
    dead.write_text("half")
    other = tmp_path / dead.name.replace("fit.nc", "fit.nc2")
    other.write_text("of another file")
    living = tmp_path / f".fit.nc.{outputs._host()}.{os.getppid()}.00000000.part"
    living.write_text("of a process that runs")
    outputs.write(tmp_path / "fit.nc", "whole")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["fit.nc", other.name, living.name])


@pytest.mark.parametrize("kind", ["folder", "in a file", "in a link to nowhere"])
def test_an_output_that_cannot_be_is_said_first(tmp_path, kind):
    (tmp_path / "file").write_text("x")
    path = {
        "folder": tmp_path,
        "in a file": tmp_path / "file" / "a" / "fit.nc",
        "in a link to nowhere": tmp_path / "file" / "fit.nc",
    }[kind]
    with pytest.raises(OSError, match=str(tmp_path)):
        outputs.check(path)


def test_checking_leaves_nothing(tmp_path):
    outputs.check(tmp_path / "a" / "b" / "fit.nc")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_may_not_be_written_is_said_first(tmp_path, monkeypatch, number):
    def refuse(path, *how):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(os, "open", refuse)  # root may write everywhere
    with pytest.raises(OSError, match="fit.nc") as said:
        outputs.check(tmp_path / "fit.nc")
    assert said.value.errno == number
    assert "cannot be written: " + os.strerror(number) in str(said.value)


FULL = """
import resource, sys
import numpy as np
sys.path[:0] = {path!r}
import toy, bayesmig as bm
from safety.small import fit
bm.register_study(toy.study)
large = fit()
more = np.random.default_rng(1).normal(size=60_000)
large["data"] = large["data"].to_dataset().assign(more=("x", more))
bm.save_fit(fit(1), "fit.nc")
{limit}
try:
    bm.save_fit(large, "fit.nc")
except OSError as error:
    print(error)
{lift}
bm.open_fit("fit.nc")
"""
SIZE = "(300_000, resource.RLIM_INFINITY)"


def full(folder, words=(), limit="", lift=""):
    """What a process prints that saves a fit, and then one that has no place."""
    code = FULL.format(path=[p for p in sys.path if "tests" in p], limit=limit, lift=lift)
    done = subprocess.run(
        [*words, sys.executable, "-c", code],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "'fit.nc'" in done.stdout
    assert "what was there is as it was" in done.stdout
    return done.stdout


def test_beyond_a_quota_is_an_error_and_leaves_what_was_there(tmp_path):
    limit = f"resource.setrlimit(resource.RLIMIT_FSIZE, {SIZE})"
    lift = "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)"
    assert "File too large" in full(tmp_path, limit=limit, lift=lift)
    assert os.listdir(tmp_path) == ["fit.nc"]


def test_a_full_disk_is_an_error_and_leaves_what_was_there(tmp_path):
    mount = 'mount -t tmpfs -o size=400k none "$0" && cd "$0"'
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    may = (
        shutil.which("unshare")
        and not subprocess.run(
            [*words, mount, tmp_path], capture_output=True, check=False
        ).returncode
    )
    if not may:
        pytest.skip("this machine mounts no file system for its users")
    out = full(tmp_path, [*words, f'{mount} && "$@"; code=$?; ls -A >&2; exit $code', tmp_path])
    assert "No space left on device" in out


def test_a_disk_that_is_full_while_sampling_stops_nothing(tmp_path):
    code = f"""
import resource, sys, warnings
sys.path[:0] = {[p for p in sys.path if "tests" in p]!r}
import numpy as np
from pathlib import Path
from bayesmig.keeping import Keeper, counted, STATS, tables
width = len(STATS) + 3
rows = np.arange(1000 * width, dtype=float).reshape(1000, width)
with Keeper(Path("draws"), b"start", width) as keeper:
    keeper.add([rows[:10]])
    resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, resource.RLIM_INFINITY))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        keeper.add([rows])
        keeper.add([rows])
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
print(len(caught), caught[0].message)
n = counted(Path("draws"))[0]
print(10 <= n < 1000, np.array_equal(tables(Path("draws"))[0], rows[:n]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "1 draws: File too large; draws from here on are in memory only"
    assert second == "True True"


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("+cmd", "'+cmd"),
        ("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0"),
        ("\t=1", "'\t=1"),
        ("-1.5", "-1.5"),
        ("plain", "plain"),
        (-1.5, -1.5),
    ],
)
def test_a_cell_is_safe_in_a_spreadsheet(text, safe):
    assert outputs.cell(text) == safe


def test_the_csv_of_a_comparison_is_safe(tmp_path, monkeypatch, capsys):
    tree = fit()
    names = ["=HYPERLINK(1)" if n == "moved" else str(n) for n in tree["estimands"].outcome.values]
    for group in ("posterior", "estimands", "prior_spread"):
        tree[group] = tree[group].to_dataset().assign_coords(outcome=names)
    published = tree["published"].to_dataset()
    published["outcome"] = ("row", ["=HYPERLINK(1)"] * published.sizes["row"])
    tree["published"] = published
    saved = bm.save_fit(tree, tmp_path / "fit.nc", digits=None)
    monkeypatch.setattr(
        sys, "argv", ["bayesmig", "compare", str(saved), "--csv", str(tmp_path / "t.csv")]
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert not end.value.code
    text = (tmp_path / "t.csv").read_text()
    assert "'=HYPERLINK(1)" in text
    assert ",=HYPERLINK" not in text


def test_what_a_terminal_would_obey_is_shown(tmp_path, monkeypatch, capsys):
    tree = fit()
    tree.attrs["data_title"] = "\x1b[2J[red]gone[/red] \u202eback"
    saved = bm.save_fit(tree, tmp_path / "fit.nc", digits=None)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "argv", ["bayesmig", "compare", str(saved)])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert "\x1b[2J" not in out
    assert "\u202e" not in out
    assert r"\x1b[2J[red]gone[/red] \u202eback" in out
