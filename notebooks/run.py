"""Execute every notebook of this folder.

python notebooks/run.py            full length; the output is stored
python notebooks/run.py --quick    few draws (BAYESMIG_QUICK=1); nothing is stored
python notebooks/run.py snapshot   only this one
"""

import os
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nbformat
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient


def execute(path, store):
    """Execute a notebook, perhaps store its output; say how long it took."""
    began = time.perf_counter()
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        # no ports: of two kernels that look for free ones at once both may take the same
        kernel = AsyncKernelManager(
            kernel_name="python3", transport="ipc", connection_file=f"{folder}/kernel.json"
        )
        where = {"metadata": {"path": path.parent}}
        NotebookClient(notebook, km=kernel, timeout=3600, resources=where).execute()
    if store:
        for cell in notebook.cells:  # when it ran is no part of what it shows
            cell.metadata.pop("execution", None)
        part = path.with_suffix(".part")
        nbformat.write(notebook, part)
        part.replace(path)
    return f"{path.name}: {time.perf_counter() - began:.0f} s"


def main(quick, names):
    if quick:
        os.environ["BAYESMIG_QUICK"] = "1"
    else:
        os.environ.pop("BAYESMIG_QUICK", None)
    folder = Path(__file__).parent
    paths = [p for p in folder.glob("*.ipynb") if not names or p.stem in names]
    paths.sort(key=lambda p: (-p.stat().st_size, p))  # the longest first, so that none is left over
    if not paths:
        sys.exit(f"no notebooks {' '.join(names)} in {folder}")
    # two at once where nothing is stored, neither figures nor seconds
    with ProcessPoolExecutor(2 if quick else 1) as pool:
        for said in pool.map(execute, paths, [not quick] * len(paths)):
            print(said, flush=True)


if __name__ == "__main__":
    main("--quick" in sys.argv[1:], [name for name in sys.argv[1:] if name != "--quick"])
