"""Run the command line in forks of a process that has compiled, and end it at a given place.

``python killing.py PLAN``: PLAN is a JSON file with a list of runs, each a dict with folder,
words (of the command line), and perhaps at (a place), signal (its name) and after (seconds
from the first draw on disk).  Prints a list of exit codes, negative for signals; the log in
each folder says what was there when each of its runs began.
"""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import h5netcdf  # noqa: F401  # once for all forks, as nutpie
import nutpie  # noqa: F401  # once for all forks
import toy

import bayesmig as bm
from bayesmig import calibration, cli, fitting, keeping, outputs, ready

PLACES = {
    "compiling": (ready.compiled, "compile_graph"),
    "sampling": (keeping.Keeper, "add"),
    "diagnosing": (fitting, "diagnose"),
    "writing": (outputs, "_write_all"),
    "calibrating": (calibration, "_one"),
}


def end_at(place, number):
    """Send a signal to this process when it is at a place for the first time."""
    holder, name = PLACES[place]
    usual, calls = getattr(holder, name), []

    def end():
        if not calls:
            calls.append(number)
            os.kill(os.getpid(), number)

    def sampling(keeper, tables):
        usual(keeper, tables)
        if sum(keeper.written.values()):
            end()

    def writing(descriptor, blob):
        name = os.readlink(f"/proc/self/fd/{descriptor}")
        if ".fit.nc." in name:  # the fit itself, not what says how the run began
            os.write(descriptor, blob[:1000])
            end()
        usual(descriptor, blob)

    def calibrating(*arguments):
        results.append(usual(*arguments))
        if len(results) == 3:
            time.sleep(1)  # while the main thread writes the others, and is told of the end
            end()
            time.sleep(1)
        return results[-1]

    def anywhere(*arguments):
        end()
        return usual(*arguments)

    results = []
    then = {"sampling": sampling, "writing": writing, "calibrating": calibrating}
    setattr(holder, name, then.get(place, anywhere))


def end_after(folder, seconds, number):
    """Send a signal so long after the first draw is on disk."""

    def wait():
        while not any(p.stat().st_size for p in folder.glob("*.draws/*.chain")):
            time.sleep(0.01)
        time.sleep(seconds)
        os.kill(os.getpid(), number)

    threading.Thread(target=wait, daemon=True).start()


def child(run):
    folder = Path(run["folder"])
    os.chdir(folder)
    log = os.open("log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if "signal" in run:
        number = getattr(signal, run["signal"])
        if "at" in run:
            end_at(run["at"], number)
        else:
            end_after(folder, run["after"], number)
    there = (p.relative_to(folder) for p in folder.rglob("*") if p.name != "log")
    print("on disk:", json.dumps(sorted(map(str, there))), flush=True)
    sys.argv = ["bayesmig", *run["words"]]
    cli.main()


def main():
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's "&" ignores it
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # as nohup does this one
    bm.register_study(toy.study)
    ready = bm.compile("toy", toy.study.example())
    ready.graph.bind(ready.model, 1).native()
    codes = []
    for run in json.loads(Path(sys.argv[1]).read_text()):
        process = os.fork()
        if not process:
            try:
                child(run)
            except SystemExit as end:
                sys.stdout.flush()
                os._exit(end.code or 0)
            except BaseException as error:
                print(repr(error), flush=True)
                os._exit(99)
        _, status = os.waitpid(process, 0)
        codes.append(os.waitstatus_to_exitcode(status))
    print(json.dumps(codes))


if __name__ == "__main__":
    main()
