"""Run benchmarks, store what they print, and put it into the page about speed.

    python benchmarks/run.py ["NAME [ARGUMENTS]" ...]

Without a name all of them, one after the other.  What one prints is stored once it has ended well,
``results/NAME.txt``, below a line that says command, commit, machine and versions; the page
(docs/speed.md) has it between two lines, ``<!-- benchmarks/NAME -->`` and ``<!-- end -->``.
"""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

from bayesmig.stored import code_commit, sampling_versions

HERE = Path(__file__).parent
RESULTS, PAGE = HERE / "results", HERE.parent / "docs" / "speed.md"
ALL = (
    *("start", "compiling", "snapshot", "logit_kernel", "multinomial_logit", "multilevel"),
    *("scale", "emigration_microdata", "persons", "refits"),
)
BLOCK = re.compile(r"(<!-- benchmarks/(?P<name>\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def machine():
    """Say what runs: cores that this process may use, their make, memory and system."""
    made = re.search(r"model name\s*: (.*)", _read("/proc/cpuinfo"))
    memory = re.search(r"MemTotal:\s*(\d+) kB", _read("/proc/meminfo"))
    parts = [f"{os.cpu_count()} cores of {made[1] if made else platform.machine()}"]
    if memory:
        parts.append(f"{int(memory[1]) / 2**20:.0f} GiB")
    return ", ".join([*parts, platform.system()])


def _read(path):
    return Path(path).read_text() if Path(path).is_file() else ""


def run(words):
    """Run one benchmark, show what it prints, store it if it ended well, and say so."""
    name, *arguments = words.split()
    said = f"python benchmarks/{' '.join([f'{name}.py', *arguments])}"
    made = f"# {said}; commit {code_commit(HERE)}; {machine()}; {sampling_versions()}\n"
    print(made, flush=True)
    lines = []
    command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
    if process.returncode:
        print(f"{said} ended with {process.returncode}: nothing is stored", file=sys.stderr)
        return False
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.txt").write_text(made + "".join(lines), encoding="utf-8")
    return True


def filled(page):
    """Return a page with the benchmarks that it names as they are stored."""

    def block(found):
        made, _, printed = (RESULTS / f"{found['name']}.txt").read_text("utf-8").partition("\n")
        fenced, said = printed.strip("\n"), made.removeprefix("# ")
        return f"{found[1]}```text\n{fenced}\n```\n\n`{said}`\n{found[3]}"

    return BLOCK.sub(block, page)


if __name__ == "__main__":
    ended = [run(words) for words in sys.argv[1:] or ALL]
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(not all(ended))
