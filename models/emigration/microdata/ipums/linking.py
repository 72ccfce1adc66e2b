"""From records of single years to persons followed, or not, into the next.

A person in months in sample 1-4 one March is due again the next (Appendix A, ``matchcpsa``).
Each rule of the SAS program is an option; whoever leaves on the way is counted once, under
the first reason that applies, in `Panel.flow`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bayesmig.errors import DataError, DataWarning
from bayesmig.models.emigration.microdata.ipums import codes
from bayesmig.models.emigration.microdata.ipums.codebook import MARCH
from bayesmig.models.emigration.microdata.ipums.codes import China, MiddleEast, NorthAfrica
from bayesmig.models.emigration.microdata.ipums.database import schema, transaction
from bayesmig.models.emigration.microdata.ipums.extract import Extract
from bayesmig.models.emigration.microdata.ipums.flow import check_generations, flow
from bayesmig.models.emigration.microdata.ipums.panel import ADULT, COLUMNS, PARENT, Panel
from bayesmig.models.emigration.microdata.ipums.rules import (
    LINKED,
    OF_CHILDREN,
    Duplicates,
    Oversample,
    Rules,
    Unlinkable,
    Weights,
    conditions,
    steps,
    whole,
)
from bayesmig.models.emigration.microdata.ipums.validation import (
    check_codes,
    check_duplicates,
    check_found,
    check_identifiers,
    check_values,
    check_weights,
)

if TYPE_CHECKING:
    import duckdb
    import pandas as pd


def link(
    extract: Extract,
    *,
    years: Sequence[int] | None = None,
    sex: bool = True,
    age_difference: Sequence[int] | None = (0, 1, 2),
    month_in_sample: bool = True,
    oversample: Oversample = "exclude",
    duplicates: Duplicates = "drop",
    unlinkable: Unlinkable = "exclude",
    weights: Weights = "raise",
    china: China = "program",
    middle_east: MiddleEast = "program",
    north_africa: NorthAfrica = "program",
) -> Panel:
    """Recode the persons of an extract and look for each of them in the following year.

    The panel has the foreign born (CITIZEN 4 and 5) of age 1 and over and the second
    generation of 15 and over, in months in sample 1-4, of each year that has a successor.
    Of the second generation is who is not foreign born and has a parent born abroad; an
    outlying area of the US is not abroad, but for "other US island area" (the program's
    code > 78; the text says children of the foreign born).  Children of the foreign born
    need a parent among the adults of the panel, MOMLOC or else POPLOC.  For all else see
    `codes.differences`.

    Parameters
    ----------
    extract : Extract
    years : sequence of int, optional
        Years t to follow up.  By default all but the last, and then none may lack its
        successor.
    sex : bool
        Who is found must be of the same sex.
    age_difference : sequence of int or None
        How much older who is found may be; the program has 0, 1 and 2.  None: any.  Ages at
        the top are bounds: 90 is 90 and over until 2002, 80 is 80 and over in 2003, 80 is
        80-84 and 85 is 85 and over from 2004 (from April 2004 in the basic survey).  The
        rule is broken only if no two true ages within the bounds keep it.
    month_in_sample : bool
        Who is found must be in month in sample + 4.
    oversample : {"exclude", "cpsidp"}
        The supplement's oversample, which has no month in sample of its own and, in most
        releases, no identifier: leave it out; or follow those with a CPSIDP whose first
        interview (its first six digits) was at most ten months before.
    duplicates : {"drop", "raise"}
        Of persons with the same CPSIDP in a year: leave all out, in both years, as the
        program does; or raise.
    unlinkable : {"exclude", "keep"}
        Eligible persons whose CPSIDP is 0: leave them out; or keep them as not followed up.
    weights : {"raise", "drop"}
        Records with a weight that is zero, negative or missing: raise, or leave them out of
        year t (in t + 1 they still show that a person is there).
    china, middle_east, north_africa : str
        See `codes.Choices`.

    Returns
    -------
    Panel

    Raises
    ------
    DataError
        For one year only, years without successor (names the pairs that there are), weights
        that are not positive and values that lack or are out of range (counts, first lines),
        codes that no table has (counts), and a generation without any person (counts).
    StudyError
        For an option that does not exist.
    """
    apart = None if age_difference is None else whole("age_difference", age_difference)
    rules = Rules(sex, apart, month_in_sample, oversample, duplicates, unlinkable, weights)
    choices = codes.Choices(china, middle_east, north_africa)
    base = base_years(extract, years)
    _warn_of_month(extract)
    connection = schema(extract.connection, "panel")
    with transaction(connection):
        table = _build(connection, extract, base, rules, choices)
    attrs = {
        **extract.attrs,
        "years": json.dumps(base),
        "rules": json.dumps(rules.__dict__),
        "codes": json.dumps(codes.as_words(choices)),
    }
    return Panel(connection, table, attrs, extract.keep)


def _build(
    connection: duckdb.DuckDBPyConnection,
    extract: Extract,
    base: tuple[int, ...],
    rules: Rules,
    choices: codes.Choices,
) -> pd.DataFrame:
    """Create the table ``person``; return the flow."""
    where = extract.attrs["file"]
    codes.register(connection, choices)
    (source,) = extract.connection.execute("SELECT current_schema()").fetchone() or ("",)
    connection.execute(_with_topcodes(f"{source}.record", extract.month))
    check_weights(connection, extract, rules, where)
    check_values(connection, extract, base, where)
    check_codes(connection, extract, base, where)
    check_identifiers(connection, base, where)
    check_duplicates(connection, rules, base, where)
    query = codes.recoded(extract.variables, extract.weight, base)
    connection.execute(f"CREATE TABLE recoded AS {query}")
    connection.execute(_sorted(extract, rules))
    connection.execute(_persons(rules))
    check_found(connection, base, where)
    table = flow(connection, base, rules)
    check_generations(table, where)
    for name in ("twice", "recoded", "sorted", "fate"):
        connection.execute(f"DROP TABLE {name}")
    connection.execute("DROP VIEW record")
    return table


def base_years(extract: Extract, years: Sequence[int] | None) -> tuple[int, ...]:
    """Years to follow up: those asked for, or all but the last.

    Raises
    ------
    DataError
        Naming those without a successor, and the pairs that there are.
    """
    there, where = extract.years, extract.attrs["file"]
    pairs = [year for year in there if year + 1 in there]
    listed = ", ".join(map(str, there))
    if len(there) == 1:
        raise DataError(
            f"{where}: one year only, {listed}; a person is met in one year and looked for in the "
            f"next, so the extract needs {there[0] + 1} too (or {there[0] - 1})"
        )
    shown = ", ".join(f"{year}-{year + 1}" for year in pairs) or "none"
    if years is None:
        gaps = [year for year in there[:-1] if year not in pairs]
        if gaps:
            raise DataError(
                f"{where}: years {listed}: no successor of {', '.join(map(str, gaps))}.  Pairs of "
                f"consecutive years: {shown}"
                + (f"; years={tuple(pairs)} uses these" if pairs else "")
            )
        return tuple(pairs)
    asked = tuple(sorted(set(whole("years", years))))
    strange = [year for year in asked if year not in pairs]
    if strange or not asked:
        raise DataError(
            f"{where}: years={asked}: {', '.join(map(str, strange)) or 'none'} cannot be followed "
            f"up; the extract has {listed}, pairs of consecutive years: {shown}"
        )
    return asked


def _with_topcodes(source: str, month: int) -> str:
    """View ``record``: with ``oldest``, the highest age that AGE may stand for."""
    return f"""
    CREATE VIEW record AS
    SELECT r.*, coalesce(CAST(t.highest AS INTEGER), r.age) AS oldest
    FROM {source} AS r LEFT JOIN code_topcode AS t
    ON t.sample = '{"march" if month == MARCH else "monthly"}' AND t.code = r.age
        AND r.year * 100 + r.month BETWEEN CAST(t.since AS INTEGER) AND CAST(t.until AS INTEGER)
    """


def _sorted(extract: Extract, rules: Rules) -> str:
    """Table ``sorted``: ``recoded`` and the reason why somebody is not in the panel, or ""."""
    asked = "true" if extract.month == MARCH else "(SELECT count(health) > 0 FROM recoded)"
    reasons = " ".join(f"WHEN {condition} THEN '{_quoted(step)}'"
                       for step, condition in steps(rules).items())  # fmt: skip
    of_children = " ".join(f"WHEN {condition} THEN '{_quoted(step)}'"
                           for step, condition in OF_CHILDREN.items())  # fmt: skip
    return f"""
    CREATE TABLE sorted AS
    WITH
    tagged AS (
        SELECT recoded.*, twice.n AS twice, {asked} AS health_asked
        FROM recoded LEFT JOIN twice
        ON twice.year = recoded.year AND twice.cpsidp = recoded.cpsidp
    ),
    reasoned AS (
        SELECT * EXCLUDE (twice, health_asked), CASE {reasons} ELSE '' END AS reason FROM tagged
    )
    SELECT person.* EXCLUDE (reason),
        CASE
            WHEN person.reason <> '' OR person.age >= {ADULT} THEN person.reason
            {of_children}
            WHEN parent.age < {ADULT} THEN 'child with a parent who is not in the panel'
            ELSE ''
        END AS reason
    FROM reasoned AS person LEFT JOIN reasoned AS parent
    ON person.reason = '' AND person.age < {ADULT} AND parent.asked
        AND parent.year = person.year AND parent.serial = person.serial
        AND parent.pernum = person.parent_pernum
    """


def _quoted(words: str) -> str:
    return words.replace("'", "''")


def _persons(rules: Rules) -> str:
    """Tables ``fate``, who of the panel is found a year later, and ``person``."""
    cases = " ".join(
        f"WHEN {condition} THEN '{fate}'" for fate, condition in conditions(rules).items()
    )
    columns = ", ".join(
        f"CAST({_source(name)} AS {kind}) AS {name}" for name, kind in COLUMNS.items()
    )
    return f"""
    CREATE TABLE fate AS
    WITH later AS (
        SELECT year, cpsidp, count(*) AS n, any_value(mish) AS mish, any_value(sex) AS sex,
            any_value(age) AS age, any_value(oldest) AS oldest
        FROM record WHERE asked AND cpsidp > 0 GROUP BY year, cpsidp
    )
    SELECT person.year, person.serial, person.pernum, person.arrives_later, person.place,
        CASE {cases} ELSE '{LINKED}' END AS fate
    FROM sorted AS person LEFT JOIN later
    ON later.cpsidp = person.cpsidp AND later.year = person.year + 1 AND person.cpsidp > 0
    WHERE person.reason = '';
    CREATE TABLE person AS
    SELECT {columns}
    FROM sorted AS person
    JOIN fate USING (year, serial, pernum)
    LEFT JOIN (sorted AS parent JOIN fate AS parent_fate USING (year, serial, pernum))
    ON person.age < {ADULT} AND parent.year = person.year AND parent.serial = person.serial
        AND parent.pernum = person.parent_pernum
    WHERE person.reason = '' AND person.asked
    """


def _source(name: str) -> str:
    """Where a column of the panel comes from."""
    if name == "followed":
        return f"fate.fate = '{LINKED}'"
    if name == "parent_followed":
        return f"CASE WHEN parent.pernum IS NOT NULL THEN parent_fate.fate = '{LINKED}' END"
    if name in PARENT:
        return f"parent.{name.removeprefix('parent_')}"
    return f"person.{name}"


def _warn_of_month(extract: Extract) -> None:
    """Say what the basic survey of a month does not tell."""
    absent = [n.upper() for n in ("ownershp", "health") if n not in extract.variables]
    if extract.month != MARCH and absent:
        warnings.warn(
            f"{extract.attrs['file']}: no {' and '.join(absent)}; the panel's owner or health is "
            "then unknown (missing), as are internal and return migration in every month but March",
            DataWarning,
            stacklevel=3,
        )
