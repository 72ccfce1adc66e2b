"""A Dask cluster as an executor of fits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from bayesmig.errors import StudyError

HERE = "local"
RETRIES = 3  # of a job that did not end well
PATIENCE = 10  # seconds for a scheduler to answer


@contextmanager
def dask_executor(scheduler: str = HERE, workers: int = 2) -> Iterator[Executor]:
    """Run jobs on the workers of a Dask scheduler, or on processes of this machine.

    A worker that ends in the middle is replaced by the scheduler, and its jobs are run again.

    Parameters
    ----------
    scheduler : str
        An address (``tcp://host:8786``), the path of a scheduler file, or ``local``.
    workers : int
        Processes to start for ``local``; other schedulers have workers of their own.

    Yields
    ------
    concurrent.futures.Executor
        For `bayesmig.refit`, `bayesmig.calibrate` and `bayesmig.kfold`.

    Raises
    ------
    StudyError
        Without Dask (the extra ``bayesmig[cluster]``), or if the scheduler does not answer.

    Examples
    --------
    >>> from bayesmig.clusters import dask_executor
    >>> with dask_executor("nowhere.json") as executor:
    ...     pass
    Traceback (most recent call last):
        ...
    bayesmig.errors.StudyError: no file of a Dask scheduler at nowhere.json
    """
    try:
        from distributed import Client, LocalCluster
    except ImportError:
        raise StudyError(
            "a Dask scheduler needs the package distributed: pip install 'bayesmig[cluster]'"
        ) from None
    if scheduler == HERE:
        cluster = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None
        )
        with cluster, Client(cluster) as client:
            yield client.get_executor(retries=RETRIES)
        return
    file = scheduler.endswith(".json")
    if file and not Path(scheduler).is_file():
        raise StudyError(f"no file of a Dask scheduler at {scheduler}")
    try:
        client = Client(**{"scheduler_file" if file else "address": scheduler}, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise StudyError(f"no Dask scheduler answers at {scheduler!r}: {error}") from None
    with client:
        yield client.get_executor(retries=RETRIES)
