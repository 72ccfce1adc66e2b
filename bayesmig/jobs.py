"""Many fits at once: jobs as plain data, run by any executor, each reported by itself.

A thread can share a compiled graph.  Another process, or machine, gets what the graph is built
from, and compiles it once, when its first job comes.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from bayesmig import attrs
from bayesmig.errors import BayesmigError, StudyError, warn
from bayesmig.priors import read_text
from bayesmig.ready import Built, Compiled, compile, fingerprint
from bayesmig.threads import one_thread

if TYPE_CHECKING:
    import xarray as xr

    from bayesmig.study import Study

KEPT = 3
FINISHED = "finished"  # of an error: what the jobs beside it came to
_compiled: dict[str, Compiled] = {}


@dataclass(frozen=True, eq=False)
class Plain:
    """What a graph is built from, as data that another process can have.

    Attributes
    ----------
    study : Study
    data : Dataset
    priors : str
        As TOML.
    options : dict
    key : str
        Tells graphs apart, for a process to compile each once.
    """

    study: Study
    data: xr.Dataset
    priors: str
    options: dict[str, Any]
    key: str

    @classmethod
    def of(cls, built: Built) -> Plain:
        """Say what a graph was built from.

        Raises
        ------
        StudyError
            If its priors are objects of another library.
        """
        try:
            priors = built.priors.to_toml()
        except BayesmigError as error:
            raise StudyError(f"only threads can share these priors: {error}") from error
        parts = [built.study.name, fingerprint(built.data), priors, attrs.pack(built.options)]
        return cls(built.study, built.data, priors, built.options, "\n".join(parts))

    def compiled(self) -> Compiled:
        """Return the compiled graph; the last few stay in each process."""
        if self.key not in _compiled:
            while len(_compiled) >= KEPT:
                del _compiled[next(iter(_compiled))]
            priors = read_text(self.priors, self.study.sets, "the job")
            _compiled[self.key] = compile(self.study, self.data, priors, **self.options)
        return _compiled[self.key]


@dataclass(frozen=True, eq=False)
class Outcome[Result]:
    """What came of a job: a result, or why there is none; and what it warned of."""

    result: Result | None
    error: Exception | None
    warned: tuple[tuple[str, type[Warning]], ...]


def alone(executor: Executor | None) -> bool:
    """Whether jobs leave this process."""
    return executor is not None and not isinstance(executor, ThreadPoolExecutor)


def run[Job, Result](
    function: Callable[[Job], Result], jobs: Sequence[Job], executor: Executor | None
) -> Iterator[tuple[int, Outcome[Result]]]:
    """Run jobs, and give each outcome with its number as it comes.

    Parameters
    ----------
    function : callable
        Of a module, if the executor is of other processes.
    jobs : sequence
    executor : concurrent.futures.Executor, optional
        One after the other in this process without it.

    Examples
    --------
    >>> [(number, found.result) for number, found in run(abs, [-1, 2], None)]
    [(0, 1), (1, 2)]
    """
    if executor is None:
        for number, job in enumerate(jobs):
            yield number, _plainly(function, job)
        return
    here = not alone(executor)  # warnings are of the whole process: threads do not catch them
    of: dict[Future[Any], int] = {
        executor.submit(_plainly if here else _outcome, function, job): number
        for number, job in enumerate(jobs)
    }
    try:
        for future in as_completed(of):
            error = future.exception()
            if isinstance(error, Exception):  # its worker is gone, or it could not be sent
                yield of[future], Outcome(None, error, ())
            else:
                yield of[future], future.result()
    finally:
        for future in of:
            future.cancel()


def results[Result](found: dict[int, Outcome[Result]], what: str) -> list[Result]:
    """Return all results in order.

    Raises
    ------
    Exception
        The first that a job ended in (`refuse`); what the others came to is its attribute
        ``finished``, a list with None where there is nothing.
    """
    ordered = [found[number] for number in sorted(found)]
    for outcome in ordered:
        for words, category in outcome.warned:
            warn(words, category)
    failed = {k: outcome.error for k, outcome in enumerate(ordered) if outcome.error is not None}
    for error in failed.values():
        setattr(error, FINISHED, [outcome.result for outcome in ordered])
    refuse(failed, len(ordered), what, "the others are the list finished of this error")
    return [cast("Result", outcome.result) for outcome in ordered]  # none failed


def refuse(failed: Mapping[int, Exception], total: int, what: str, others: str) -> None:
    """Raise the first of the errors that jobs ended in, and note which of how many did."""
    if failed:
        numbers = ", ".join(str(number + 1) for number in sorted(failed))
        words = f"{len(failed)} of {total} {what} failed: number {numbers}"
        error = failed[min(failed)]
        error.add_note(f"{words}; {others}" if others else words)
        raise error


def _outcome[Job, Result](function: Callable[[Job], Result], job: Job) -> Outcome[Result]:
    """Run one job in a process of its own."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = _plainly(function, job)
    warned = tuple((str(each.message), each.category) for each in caught)
    return Outcome(found.result, found.error, warned)


def _plainly[Job, Result](function: Callable[[Job], Result], job: Job) -> Outcome[Result]:
    try:
        with one_thread():
            return Outcome(function(job), None, ())
    except Exception as error:  # of any kind: the others go on, and `results` raises it
        return Outcome(None, error, ())
