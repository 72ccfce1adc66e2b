"""What the manuscript's printed numbers say about each other, and about its prose: no model.

Every finding is computed from the files of ``published/``: ``coefficients.csv`` (Tables 1
and 2a-c), ``samples.csv`` and ``claims.csv``, which holds what the manuscript *says*, one
statement per row; whether a statement holds is decided here.

The contrasts are A, aspires against no aspirations; B, migrated against aspires; C, migrated
against no aspirations.  Prose is read generously: an association or a difference that it
states needs the right sign and a two-sided p below 0.10, one that it denies a p of 0.05 or
more.
"""

from bayesmig.audit import Check, Tables
from bayesmig.models.social_capital.audit.contrasts import (
    contrasts_add_up,
    covariance_left_out,
    labels_of_contrasts,
)
from bayesmig.models.social_capital.audit.manuscript import Manuscript
from bayesmig.models.social_capital.audit.prose import prose, undecided
from bayesmig.models.social_capital.audit.samples import sample_sizes
from bayesmig.models.social_capital.audit.stars import stars
from bayesmig.models.social_capital.audit.strata import (
    differences_stated,
    differences_unstated,
    separation,
    strata_average,
)

CHECKS = (
    Check("contrasts add up", contrasts_add_up),
    Check("labels of the contrasts", labels_of_contrasts),
    Check("standard errors", covariance_left_out),
    Check("stars", stars),
    Check("sample sizes", sample_sizes),
    Check("strata average to Table 1", strata_average),
    Check("complete separation", separation),
    Check("differences between strata", differences_stated),
    Check("differences left out", differences_unstated),
    Check("prose", prose),
    Check("prose, undecided", undecided, notes=True),
)


def paper(tables: Tables) -> Manuscript:
    """Return what the checks ask.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        The files of ``published/`` by stem: ``coefficients``, ``samples`` and ``claims``.

    Raises
    ------
    DataError
        If ``coefficients`` lacks a column, or has no number where one is needed.
    """
    return Manuscript(tables)
