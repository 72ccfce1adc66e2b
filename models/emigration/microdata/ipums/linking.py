"""From records of single years to persons followed, or not, into the next.

A person in months in sample 1-4 one March is due again the next (Appendix A, ``matchcpsa``).
Each rule of the SAS program is an option; whoever leaves on the way is counted once, under
the first reason that applies, in `Panel.flow`.
"""

from __future__ import annotations

import json
import operator
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from bayesmig.errors import DataError, DataWarning, StudyError
from bayesmig.models.emigration.microdata import codes
from bayesmig.models.emigration.microdata.extract import (
    MARCH,
    Extract,
    schema,
    transaction,
    workspace,
)

if TYPE_CHECKING:
    import duckdb

ADULT = 15  # children are 0-14 (Native-born Comparison Group)
FIRST_SPELL = 10  # months: who was first interviewed earlier is in the second four months
AGE_GROUPS = ("0-14", *(f"{a}-{a + 4}" for a in range(15, 75, 5)), "75+")
FATES = (
    "linked",
    "no id match",
    "id twice in the next year",
    "month in sample differs",
    "sex differs",
    "age differs",
    "kept without identifier",
)
PANEL, ELIGIBLE = "panel", "eligible"  # rows of the flow that say who is left
COLUMNS = {
    "year": "INTEGER",
    "serial": "BIGINT",
    "pernum": "INTEGER",
    "month": "INTEGER",
    "generation": "VARCHAR",
    "age": "INTEGER",
    "age_group": "VARCHAR",
    "sex": "VARCHAR",
    "country": "VARCHAR",
    "origin": "VARCHAR",
    "duration": "VARCHAR",
    "years_in_us": "DOUBLE",
    "citizen": "VARCHAR",
    "owner": "BOOLEAN",
    "oversample": "BOOLEAN",
    "enrolment": "VARCHAR",
    "education": "VARCHAR",
    "race": "VARCHAR",
    "health": "VARCHAR",
    "weight": "DOUBLE",
    "followed": "BOOLEAN",
    "moved": "TINYINT",
    "returned": "TINYINT",
    "parent_pernum": "INTEGER",
    "parent_generation": "VARCHAR",
    "parent_age": "INTEGER",
    "parent_age_group": "VARCHAR",
    "parent_sex": "VARCHAR",
    "parent_origin": "VARCHAR",
    "parent_enrolment": "VARCHAR",
    "parent_education": "VARCHAR",
    "parent_followed": "BOOLEAN",
}
PARENT = tuple(name for name in COLUMNS if name.startswith("parent_"))
NULLABLE = ("years_in_us", "owner", "health", "moved", "returned", *PARENT)
DTYPES = {"INTEGER": "int64", "BIGINT": "int64", "TINYINT": "Int8", "DOUBLE": "float64",
          "BOOLEAN": "bool", "VARCHAR": "str"}  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """Persons eligible for follow-up, recoded and linked.

    Attributes
    ----------
    connection : DuckDBPyConnection
        Table ``person``, one row per person-year: `COLUMNS`.
    flow : DataFrame
        ``year`` (a number, or "total"), ``step``, ``persons`` left after it, ``lost`` by it
        (missing where the row only counts).
    attrs : dict of str
        title, synthetic, and as JSON: years, rules, codes.
    keep : object
        What must live as long as the table does.
    """

    connection: duckdb.DuckDBPyConnection
    flow: pd.DataFrame
    attrs: dict[str, str]
    keep: Any = field(default=None, repr=False)

    def frame(self) -> pd.DataFrame:
        """Return the persons as a DataFrame (person), labels as text."""
        order = "year, month, serial, pernum"
        table = self.connection.execute(f"SELECT * FROM person ORDER BY {order}").df()
        return _typed(table)


@dataclass(frozen=True)
class Rules:
    """How years are linked; see `link`."""

    sex: bool
    age_difference: tuple[int, ...] | None
    month_in_sample: bool
    oversample: str
    duplicates: str
    unlinkable: str
    weights: str

    def __post_init__(self) -> None:
        """Raise `StudyError` for a rule that does not exist."""
        for name, valid in VALID.items():
            if getattr(self, name) not in valid:
                raise StudyError(f"{name}={getattr(self, name)!r}; valid: {', '.join(valid)}")
        if self.age_difference is not None and not self.age_difference:
            raise StudyError("age_difference=(): nobody could be linked; None lifts the rule")


VALID = {
    "oversample": ("exclude", "cpsidp"),
    "duplicates": ("drop", "raise"),
    "unlinkable": ("exclude", "keep"),
    "weights": ("raise", "drop"),
}


def link(
    extract: Extract,
    *,
    years: Sequence[int] | None = None,
    sex: bool = True,
    age_difference: Sequence[int] | None = (0, 1, 2),
    month_in_sample: bool = True,
    oversample: str = "exclude",
    duplicates: str = "drop",
    unlinkable: str = "exclude",
    weights: str = "raise",
    china: str = "program",
    middle_east: str = "program",
    north_africa: str = "program",
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
    apart = None if age_difference is None else _whole("age_difference", age_difference)
    rules = Rules(sex, apart, month_in_sample, oversample, duplicates, unlinkable, weights)
    choices = codes.Choices(china, middle_east, north_africa)
    base = _base_years(extract, years)
    _warn_of_month(extract)
    connection = schema(extract.connection, "panel")
    with transaction(connection):
        flow = _build(connection, extract, base, rules, choices)
    attrs = {
        **extract.attrs,
        "years": json.dumps(base),
        "rules": json.dumps(rules.__dict__),
        "codes": json.dumps(codes.as_words(choices)),
    }
    return Panel(connection, flow, attrs, extract.keep)


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
    _check_weights(connection, extract, rules, where)
    _check_values(connection, extract, base, where)
    _check_codes(connection, extract, base, where)
    _check_duplicates(connection, rules, base, where)
    query = codes.recoded(extract.variables, extract.weight, base)
    connection.execute(f"CREATE TABLE recoded AS {query}")
    connection.execute(_sorted(extract, _steps(rules)))
    connection.execute(_persons(rules))
    flow = _flow(connection, base, _steps(rules))
    _check_generations(flow, where)
    for name in ("twice", "recoded", "sorted", "fate"):
        connection.execute(f"DROP TABLE {name}")
    connection.execute("DROP VIEW record")
    return flow


def panel_of_frame(frame: pd.DataFrame, attrs: Mapping[str, str] | None = None) -> Panel:
    """Make a panel of persons that are already recoded and linked.

    Parameters
    ----------
    frame : DataFrame
        Columns `COLUMNS`, labels as text or categories; other columns are left aside.
    attrs : mapping of str, optional

    Returns
    -------
    Panel
        Its flow has the rows "panel", "linked" and "not linked".

    Raises
    ------
    DataError
        For a column that lacks, and for what a panel cannot have: row, column, value.
    """
    table = _validated(frame)
    base = workspace()
    connection = schema(base, "panel")
    connection.register("frame", table)
    columns = ", ".join(f"CAST({name} AS {kind}) AS {name}" for name, kind in COLUMNS.items())
    connection.execute(f"CREATE TABLE person AS SELECT {columns} FROM frame")
    connection.unregister("frame")
    rows = []
    parts = [(int(year), part) for year, part in table.groupby("year")]
    for year, part in (*parts, ("total", table)):
        linked = int(part["followed"].sum())
        rows += [(year, PANEL, len(part)), (year, FATES[0], linked)]
        rows += [(year, "not linked", len(part) - linked)]
    flow = pd.DataFrame(rows, columns=["year", "step", "persons"], dtype=object)
    flow = flow.astype({"persons": "Int64"}).assign(lost=pd.array([None] * len(rows), "Int64"))
    return Panel(connection, flow, {"synthetic": "", **(attrs or {})}, base)


# Which years, and whether their records can be used


def _whole(option: str, numbers: Sequence[int]) -> tuple[int, ...]:
    """Return whole numbers; what is none would go into a query as it is."""
    try:
        return tuple(operator.index(number) for number in numbers)
    except TypeError:
        raise StudyError(f"{option}={numbers!r}; valid: whole numbers, like (0, 1, 2)") from None


def _base_years(extract: Extract, years: Sequence[int] | None) -> tuple[int, ...]:
    """Years to follow up."""
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
    asked = tuple(sorted(set(_whole("years", years))))
    strange = [year for year in asked if year not in pairs]
    if strange or not asked:
        raise DataError(
            f"{where}: years={asked}: {', '.join(map(str, strange)) or 'none'} cannot be followed "
            f"up; the extract has {listed}, pairs of consecutive years: {shown}"
        )
    return asked


def _check_weights(
    connection: duckdb.DuckDBPyConnection, extract: Extract, rules: Rules, where: str
) -> None:
    if rules.weights == "drop":
        return
    bad = connection.execute(
        f"SELECT year, count(*), min({extract.weight}), "
        f"count(*) FILTER (WHERE {extract.weight} IS NULL), min_by(line, line, 3) FROM record "
        f"WHERE asked AND coalesce({extract.weight}, 0) <= 0 GROUP BY year ORDER BY year"
    ).fetchall()
    if bad:
        words = "; ".join(
            f"{year}: {n:,} records ({missing:,} missing"
            + (f", the least {least:g}" if least is not None else "")
            + f"), first in lines {', '.join(map(str, sorted(lines)))}"
            for year, n, least, missing, lines in bad
        )
        raise DataError(
            f"{where}: {extract.weight.upper()} is zero, negative or missing: {words}.  "
            "weights='drop' leaves these out of the panel, and counts them"
        )


def _check_values(
    connection: duckdb.DuckDBPyConnection, extract: Extract, base: tuple[int, ...], where: str
) -> None:
    """Raise for values that lack or cannot be."""
    of_a_month = set() if extract.month == MARCH else {"health", "ownershp", "asecoverp"}
    skipped = {"asecflag", extract.weight, *of_a_month}
    here = f"year IN ({', '.join(map(str, base))})"
    bad = {f"{v} is missing": f"{v} IS NULL AND {here}" for v in extract.variables - skipped}
    bad |= {f"{v} is missing": f"{v} IS NULL" for v in ("cpsidp", "mish", "age", "sex")}
    bad |= {
        "age is not 0-120": "age NOT BETWEEN 0 AND 120",
        "mish is not 1-8": f"mish NOT BETWEEN 1 AND 8 AND NOT {_is_oversample(extract)}",
        **{f"{v} is negative": f"{v} < 0" for v in ("cpsidp", "pernum", "momloc", "poploc")},
    }
    counts = ", ".join(
        f"count(*) FILTER (WHERE {c}), min(line) FILTER (WHERE {c})" for c in bad.values()
    )
    found = connection.execute(f"SELECT {counts} FROM record WHERE asked").fetchone() or ()
    words = [
        f"{name.split(' is ')[0].upper()} is {name.split(' is ')[1]} in {n:,} records, first in "
        f"line {line}"
        for name, n, line in zip(bad, found[::2], found[1::2], strict=True)
        if n
    ]
    if words:
        raise DataError(f"{where}: {'; '.join(words)}")


def _is_oversample(extract: Extract) -> str:
    there = "asecoverp" in extract.variables
    return "coalesce(asecoverp = 1, false)" if there else "false"


def _check_codes(
    connection: duckdb.DuckDBPyConnection, extract: Extract, base: tuple[int, ...], where: str
) -> None:
    """Raise for codes that no table has."""
    words = []
    for variable, table in codes.RECODED_BY.items():
        name = variable.lower()
        if name not in extract.variables or name == "asecflag":
            continue
        unknown = connection.execute(
            f"SELECT {name}, count(*), min(line) FROM record ANTI JOIN code_{table} "
            f"ON {name} = code WHERE asked AND {name} IS NOT NULL "
            f"AND year IN ({', '.join(map(str, base))}) GROUP BY {name} ORDER BY 2 DESC, 1"
        ).fetchall()
        words += [
            f"{variable} {code}: {n:,} records, first in line {line} ({table}.csv)"
            for code, n, line in unknown
        ]
    if words:
        more = f" (and {len(words) - 10} more codes)" if len(words) > 10 else ""
        raise DataError(
            f"{where}: codes that the recodes do not have: {'; '.join(words[:10])}{more}"
        )


def _check_duplicates(
    connection: duckdb.DuckDBPyConnection, rules: Rules, base: tuple[int, ...], where: str
) -> None:
    """Note identifiers that occur twice in a year; raise if that is asked for."""
    years = sorted({*base, *(year + 1 for year in base)})
    connection.execute(
        "CREATE TABLE twice AS SELECT year, cpsidp, count(*) AS n, min(line) AS line FROM record "
        f"WHERE asked AND cpsidp > 0 AND year IN ({', '.join(map(str, years))}) "
        "GROUP BY year, cpsidp HAVING n > 1"
    )
    found = connection.execute(
        "SELECT year, count(*), sum(n), min(line) FROM twice GROUP BY year ORDER BY year"
    ).fetchall()
    if found and rules.duplicates == "raise":
        words = "; ".join(
            f"{year}: {n:,} identifiers of {records:,} records, first in line {line}"
            for year, n, records, line in found
        )
        raise DataError(
            f"{where}: CPSIDP occurs more than once in a year: {words}.  duplicates='drop' leaves "
            "all of them out, as the report's program does"
        )


# Recodes and reasons, in SQL


def _with_topcodes(source: str, month: int) -> str:
    """View ``record``: with ``oldest``, the highest age that AGE may stand for."""
    return f"""
    CREATE VIEW record AS
    SELECT r.*, coalesce(CAST(t.highest AS INTEGER), r.age) AS oldest
    FROM {source} AS r LEFT JOIN code_topcode AS t
    ON t.sample = '{"march" if month == MARCH else "monthly"}' AND t.code = r.age
        AND r.year * 100 + r.month BETWEEN CAST(t.since AS INTEGER) AND CAST(t.until AS INTEGER)
    """


def _steps(rules: Rules) -> dict[str, str]:
    """Reasons to leave somebody out and the conditions under which, in the order they apply."""
    first_interview = "cpsidp // 100000000"  # CPSIDP begins with year and month, YYYYMM
    since = f"year * 12 + month - {first_interview} // 100 * 12 - {first_interview} % 100"
    if rules.oversample == "exclude":
        oversample = {"oversample": "oversample"}
        due = "mish <= 4"
    else:
        oversample = {"oversample without identifier": "oversample AND cpsidp = 0"}
        due = f"CASE WHEN oversample THEN {since} <= {FIRST_SPELL} ELSE mish <= 4 END"
    unlinkable = {"no identifier": "cpsidp = 0"} if rules.unlinkable == "exclude" else {}
    return {
        "another month or the March basic survey": "NOT asked",
        "weight not positive": "NOT coalesce(weight > 0, false)",
        **oversample,
        "in months in sample 5-8": f"NOT ({due})",
        ELIGIBLE: "false",
        "citizenship or parents' birthplace not given": "generation IS NULL",
        "third generation": "generation = 'third'",
        "second generation under 15": f"generation = 'second' AND age < {ADULT}",
        "age 0": "age = 0",
        "birthplace not given": "country IS NULL",
        "year of arrival not given": "duration IS NULL",
        "sex not given": "sex IS NULL",
        "education not given": "education IS NULL",
        "health not given": "health IS NULL AND health_asked",
        **unlinkable,
        "identifier twice in the year": "twice IS NOT NULL",
    }


OF_CHILDREN = {
    "child without a parent in the household": "person.parent_pernum IS NULL",
    "child with a parent of the third generation": "parent.generation = 'third'",
    "child with a parent who is not in the panel": "coalesce(parent.reason, 'none') <> ''",
}


def _sorted(extract: Extract, steps: Mapping[str, str]) -> str:
    """Table ``sorted``: ``recoded`` and the reason why somebody is not in the panel, or ""."""
    asked = "true" if extract.month == MARCH else "(SELECT count(health) > 0 FROM recoded)"
    reasons = " ".join(f"WHEN {condition} THEN '{_quoted(step)}'"
                       for step, condition in steps.items())  # fmt: skip
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
    apart = " OR ".join(
        f"{years} BETWEEN later.age - person.oldest AND later.oldest - person.age"
        for years in rules.age_difference or ()
    )
    conditions = {
        "kept without identifier": "person.cpsidp = 0",
        "no id match": "later.cpsidp IS NULL",
        "id twice in the next year": "later.n > 1",
        "month in sample differs": "NOT person.oversample AND later.mish <> person.mish + 4"
        if rules.month_in_sample
        else "false",
        "sex differs": "later.sex <> person.sex_code" if rules.sex else "false",
        "age differs": "false" if rules.age_difference is None else f"NOT ({apart})",
    }
    cases = " ".join(f"WHEN {condition} THEN '{fate}'" for fate, condition in conditions.items())
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
        CASE {cases} ELSE 'linked' END AS fate
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
        return "fate.fate = 'linked'"
    if name == "parent_followed":
        return "CASE WHEN parent.pernum IS NOT NULL THEN parent_fate.fate = 'linked' END"
    if name in PARENT:
        return f"parent.{name.removeprefix('parent_')}"
    return f"person.{name}"


# What became of whom


def _flow(
    connection: duckdb.DuckDBPyConnection, base: tuple[int, ...], steps: Mapping[str, str]
) -> pd.DataFrame:
    """Count who is left after each step, in each year and in all."""

    def counts(query: str) -> dict[tuple[int, str], int]:
        return {(int(year), str(what)): int(n) for year, what, n in
                connection.execute(query).fetchall()}  # fmt: skip

    lost = counts("SELECT year, reason, count(*) FROM sorted GROUP BY ALL")
    fates = counts("SELECT year, fate, count(*) FROM fate GROUP BY ALL")
    kinds = counts(
        f"SELECT year, CASE WHEN age < {ADULT} THEN 'children' ELSE concat('adults, ', generation, "
        "' generation') END, count(*) FROM person GROUP BY ALL"
    )
    notes = counts(
        f"SELECT year, 'birthplace elsewhere or unknown', "
        f"count(*) FILTER (WHERE place = {codes.ELSEWHERE}) FROM fate GROUP BY ALL UNION ALL "
        "SELECT year, 'arrival interval ends after the survey', "
        "count(*) FILTER (WHERE arrives_later) FROM fate GROUP BY ALL"
    )
    counted = [*FATES, "adults, first generation", "adults, second generation", "children"]
    counted += sorted({what for _, what in notes})
    of_these = {**fates, **kinds, **notes}
    rows: list[tuple[Any, str, int, int | None]] = []
    for year in (*base, "total"):
        chosen = base if year == "total" else (year,)

        def number(table: Mapping[tuple[int, str], int], what: str, of: Any = chosen) -> int:
            return sum(table.get((y, what), 0) for y in of)

        left = sum(n for (y, _), n in lost.items() if y in chosen)
        rows.append((year, "records", left, None))
        for step in (*steps, *OF_CHILDREN):
            gone = number(lost, step)
            left -= gone
            rows.append((year, step, left, None if step == ELIGIBLE else gone))
        rows.append((year, PANEL, left, None))
        rows += [(year, what, number(of_these, what), None) for what in counted]
    flow = pd.DataFrame(rows, columns=["year", "step", "persons", "lost"], dtype=object)
    return flow.astype({"persons": "Int64", "lost": "Int64"})


def _check_generations(flow: pd.DataFrame, where: str) -> None:
    """Raise unless both generations are there."""
    total = flow[flow.year == "total"].set_index("step")
    absent = [g for g in ("first", "second") if not total.persons[f"adults, {g} generation"]]
    if absent:
        lost = total[total.lost > 0]
        reasons = "; ".join(f"{step} {n:,}" for step, n in lost.lost.items())
        raise DataError(
            f"{where}: no adult of the {' or '.join(absent)} generation among "
            f"{total.persons['records']:,} records; left out: {reasons or 'nobody'}.  Emigration "
            "is what the first generation loses beyond the second, so both are needed"
        )


# Frames


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a panel their types."""
    types = {name: DTYPES[kind] for name, kind in COLUMNS.items()}
    for name in NULLABLE:
        if types[name] in ("int64", "bool"):
            types[name] = {"int64": "Int64", "bool": "boolean"}[types[name]]
    return table[list(COLUMNS)].astype(types)


def _levels() -> dict[str, list[str]]:
    """Labels of each column."""

    def levels(name: str) -> list[str]:
        return [level for level in dict.fromkeys(codes.table(name)["level"]) if level]

    origins = codes.table("origin")
    race = [*levels("race"), *(level for level in levels("hispanic") if level != "by race")]
    own = {
        "generation": ["first", "second"],
        "age_group": list(AGE_GROUPS),
        "sex": levels("sex"),
        "country": list(origins["country"]),
        "origin": list(dict.fromkeys(origins["origin"])),
        "duration": ["0-4 yrs", "5-9 yrs", "10+ yrs", ""],
        "citizen": [*(level for level in levels("citizen") if level != "native"), ""],
        "enrolment": levels("enrolment"),
        "education": levels("education"),
        "race": race,
        "health": levels("health"),
    }
    parents = {f"parent_{name}": known for name, known in own.items()}
    return {n: known for n, known in {**own, **parents}.items() if n in COLUMNS}


def _validated(frame: pd.DataFrame) -> pd.DataFrame:
    """Check a user's persons column by column, and then row by row."""
    import pandera.pandas as pa

    lacking = [name for name in COLUMNS if name not in frame]
    if lacking:
        raise DataError(f"the frame lacks the columns {', '.join(lacking)} of a panel")
    if frame.empty:
        raise DataError("the frame has no persons")
    table = frame[list(COLUMNS)].reset_index(drop=True)
    for name, kind in COLUMNS.items():
        if kind == "VARCHAR":
            table[name] = table[name].astype(object).where(table[name].notna(), None)
        if kind == "BOOLEAN":
            table[name] = _booleans(table[name])
    levels = _levels()
    checks: dict[str, Any] = {
        n: pa.Check.isin(known, error=f"is none of {', '.join(map(repr, known))}")
        for n, known in levels.items()
    }
    checks |= {n: pa.Check.isin([0, 1], error="is neither 0 nor 1") for n in ("moved", "returned")}
    checks["weight"] = pa.Check.in_range(
        0, float("inf"), include_min=False, include_max=False, error="is not a positive weight"
    )
    checks["age"] = pa.Check.in_range(1, 120, error="is not an age of 1-120")
    # pandas refuses to make 15.5 a nullable whole number; a plain one it would be cut to
    types = {"INTEGER": "Int64", "BIGINT": "Int64", "TINYINT": "Int8", "DOUBLE": "float64",
             "BOOLEAN": "boolean", "VARCHAR": object}  # fmt: skip
    columns = {
        name: pa.Column(
            types[kind], checks.get(name), nullable=name in NULLABLE, coerce=kind != "VARCHAR"
        )
        for name, kind in COLUMNS.items()
    }
    try:
        table = pa.DataFrameSchema(columns).validate(table, lazy=True)
    except pa.errors.SchemaErrors as error:
        raise DataError(f"the frame: {_failures(error.failure_cases)}") from None
    _check_rows(table)
    return table


def _booleans(values: pd.Series) -> pd.Series:
    try:
        return values.astype("boolean")
    except (TypeError, ValueError):
        raise DataError(
            f"the frame: column {values.name}: {values.dropna().unique()[:3].tolist()} are not "
            "true or false"
        ) from None


def _failures(cases: pd.DataFrame, most: int = 5) -> str:
    cases = cases.sort_values("index", kind="stable")
    words = [
        (f"row {int(case['index'])}, " if pd.notna(case["index"]) else "")
        + f"column {case['column']}: {case['failure_case']!r} "
        + (str(case["check"]) if " " in str(case["check"]) else f"fails {case['check']}")
        for case in cases.head(most).to_dict("records")
    ]
    return "; ".join(words) + (f" (and {len(cases) - most} more)" if len(cases) > most else "")


def _check_rows(table: pd.DataFrame) -> None:
    """Check what columns on their own do not show."""
    first = (table.generation == "first").to_numpy(bool)
    child = (table.age < ADULT).to_numpy(bool)
    group = pd.cut(table.age, [0, *range(15, 80, 5), 200], right=False, labels=list(AGE_GROUPS))
    wrong = {
        "age_group": (table.age_group != group.astype(str), "is not that of the age"),
        "generation": (~first & child, "is of a child under 15, who is not in a panel"),
        "duration": ((table.duration == "") == first, "is for the first generation, and only it"),
        "citizen": ((table.citizen == "") == first, "is for the first generation, and only it"),
        "years_in_us": (table.years_in_us.notna() != first,
                        "is for the first generation, and only it"),
        "returned": (table.returned.notna() & ~first, "is for the first generation only"),
        "pernum": (table.duplicated(["year", "month", "serial", "pernum"]), "is there twice"),
        **{n: (table[n].notna() != child, "is for children under 15, and only them")
           for n in PARENT},
    }  # fmt: skip
    for column, (bad, reason) in wrong.items():
        if bad.any():
            row = int(bad.idxmax())
            raise DataError(
                f"the frame: row {row}, column {column}: {table[column][row]!r} {reason}"
                + (f" (and {int(bad.sum()) - 1:,} more rows)" if bad.sum() > 1 else "")
            )


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
