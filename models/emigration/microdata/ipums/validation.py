"""Whether the records of an extract can be linked: weights, values, codes, identifiers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmig.errors import DataError
from bayesmig.models.emigration.microdata.ipums import codes
from bayesmig.models.emigration.microdata.ipums.codebook import MARCH
from bayesmig.models.emigration.microdata.ipums.extract import Extract

FEW = 30  # records of a year that a share can be said of
FOUND, TWICE = 0.2, 0.1  # shares below and above which a year is no year of the survey

if TYPE_CHECKING:
    import duckdb

    from bayesmig.models.emigration.microdata.ipums.rules import Rules


def check_weights(
    connection: duckdb.DuckDBPyConnection, extract: Extract, rules: Rules, where: str
) -> None:
    """Raise for weights that are not positive, unless their records are to be dropped."""
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


def check_values(
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


def check_codes(
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


def check_identifiers(
    connection: duckdb.DuckDBPyConnection, base: tuple[int, ...], where: str
) -> None:
    """Raise for identifiers that have lost their last digits, or that nearly all are twice.

    A CPSIDP has 14 digits, of which the last eight tell who it is.
    """
    years = sorted({*base, *(year + 1 for year in base)})
    found = connection.execute(
        "SELECT year, count(*), count(*) FILTER (WHERE cpsidp % 100000000 = 0), "
        "count(*) - count(DISTINCT cpsidp), min(line) FROM record "
        f"WHERE asked AND cpsidp > 0 AND year IN ({', '.join(map(str, years))}) "
        "GROUP BY year ORDER BY year"
    ).fetchall()
    for year, n, cut, again, line in found:
        if n >= FEW and cut > n / 2:
            raise DataError(
                f"{where}: CPSIDP of {year} has lost its last digits in {cut:,} of {n:,} records, "
                f"first in line {line}: a spreadsheet keeps six of fourteen; take the file that "
                "IPUMS made"
            )
        if n >= FEW and again > n * TWICE:
            raise DataError(
                f"{where}: {again:,} of {n:,} records of {year} have the CPSIDP of another record "
                "of that year: is the year in the extract twice?  "
                + _without(base, {year, year - 1})
            )


def check_found(connection: duckdb.DuckDBPyConnection, base: tuple[int, ...], where: str) -> None:
    """Raise for a pair of years in which hardly anybody is found again."""
    found = connection.execute(
        "SELECT year, count(*), count(*) FILTER (WHERE fate <> 'no id match') FROM fate "
        "GROUP BY year ORDER BY year"
    ).fetchall()
    for year, n, again in found:
        if n >= FEW and again < n * FOUND:
            raise DataError(
                f"{where}: {again:,} of {n:,} persons of {year} are found in {year + 1} by their "
                f"CPSIDP ({again / n:.1%}): the identifiers of these years cannot be linked, and "
                "everybody would seem to have left.  " + _without(base, {year})
            )


def _without(base: tuple[int, ...], years: set[int]) -> str:
    rest = tuple(year for year in base if year not in years)
    return f"years={rest} leaves it out" if rest else "There is no other pair of years"


def check_duplicates(
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
