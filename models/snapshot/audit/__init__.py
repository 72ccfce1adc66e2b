"""What the paper's printed numbers say about each other, and about the prose: no graph.

Every finding is computed from the files of ``published/``.  ``claims.csv`` holds what the
paper *says*, one statement per row; whether it holds is decided here.

A printed number is known to half a unit of its last digit; "can be" in what the checks say
means: for some values within these bounds.
"""

from bayesmig.audit import Check, Tables
from bayesmig.models.snapshot.audit.intervals import intervals
from bayesmig.models.snapshot.audit.numbers import Paper
from bayesmig.models.snapshot.audit.prose import arithmetic, labels, prose, repeated
from bayesmig.models.snapshot.audit.whereabouts import (
    indices,
    sojourns,
    total_crossings,
    whereabouts,
)

CHECKS = (
    Check("stated twice", repeated),
    Check("arithmetic", arithmetic),
    Check("intervals", intervals),
    Check("who is where in 2016", whereabouts),
    Check("total crossings", total_crossings),
    Check("sojourns", sojourns),
    Check("indices", indices),
    Check("labels", labels),
    Check("prose", prose),
)


def paper(tables: Tables) -> Paper:
    """Return what the checks ask.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem: ``quantities``, ``hazards``, ``others`` and
        ``claims``.
    """
    return Paper(tables)
