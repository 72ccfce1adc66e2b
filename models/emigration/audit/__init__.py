"""What the report's printed numbers say about each other, and about the prose: no model.

Every finding is computed from the files of ``published/``.  ``claims.csv`` holds what the
report *says* (and what its program does, where that names a table), one statement per row;
whether a statement holds is decided here.
"""

from __future__ import annotations

from bayesmig.audit import Check, Tables
from bayesmig.models.emigration.audit import intervals, nesting, program, prose, rows
from bayesmig.models.emigration.audit.report import Report

CHECKS = (
    Check("rows printed", rows.rows_printed),
    Check("components add up", rows.components_add_up),
    Check("net emigration adds up", rows.net_adds_up),
    Check("interval symmetric", intervals.interval_symmetric),
    Check("interval below zero", intervals.interval_below_zero),
    Check("net emigration below zero", intervals.net_below_zero),
    Check("emigration printed 0.0", intervals.emigration_zero),
    Check("interval of emigration", intervals.interval_of_emigration),
    Check("interval of net emigration", intervals.interval_of_net),
    Check("standard errors", intervals.standard_errors),
    Check("nesting", nesting.nesting),
    Check("nesting, all at once", nesting.nesting_jointly),
    Check("years behind a table", program.years_noted),
    Check("years behind a table", program.years_labelled),
    Check("Table 3 and the program", program.table_3_and_program),
    Check("labels", program.age_terms),
    Check("labels", program.program_labels),
    Check("labels", program.program_tables),
    Check("stated twice", program.repeated_statements),
    Check("prose", prose.prose),
)


def paper(tables: Tables) -> Report:
    """Return the report, from the files of ``published/`` by stem."""
    return Report(tables)
