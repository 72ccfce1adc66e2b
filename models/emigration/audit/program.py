"""Print against the report's own program: years behind a table, coefficients, labels."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from bayesmig.audit import Claim, Finding, held
from bayesmig.linear import minimise
from bayesmig.models.emigration.audit.report import (
    COMPONENTS,
    EVERYONE,
    HALF,
    Key,
    Report,
    numbers_of,
    place_of,
    table_of,
)
from bayesmig.printed import EPS

TERMS = {  # Table 3's terms as Appendix F names them
    "Intercept": "intercept",
    "Male": "male",
    "Mexican": "mexican",
    "Other Hispanic": "hispanic",
    "NH White": "white",
    "Black (Other)": "black",
    "18-24": "a1",
    "25-34": "a2",
    "35-44": "a3",
    "45-54": "a4",
    "55-64": "a5",
    "65-74 (75+)": "a6",
    "Excellent": "h1",
    "Very Good": "h2",
    "Good": "h3",
    "Fair (Poor)": "h4",
}


def _program_years(report: Report) -> dict[int, list[int]]:
    """Years of the program's data, by table."""
    return {
        table: numbers_of(claim["stated"])
        for claim in report.said("program_years")
        for table in numbers_of(claim["table"])
    }


def years_noted(report: Report) -> Iterator[Finding]:
    """Compare the pairs of files that the notes name with the files that the program combines."""
    program = _program_years(report)
    for claim in report.said("note_years"):
        noted, complete = numbers_of(claim["stated"]), []
        for table in numbers_of(claim["table"]):
            absent = [year for year in noted if year not in program.get(table, noted)]
            if not absent:
                complete.append(str(table))
                continue
            numbers = (
                "; ".join(_reading(report, (table, EVERYONE), noted, year) for year in absent)
                if EVERYONE in report.panels(table)
                else "for the numbers see its panels"
            )
            yield Finding(
                f"Table {table}",
                False,
                f"the notes name {len(noted)} years ({claim['stated']}), the program's file has "
                f"{len(noted) - len(absent)}, without {' and '.join(map(str, absent))}; {numbers}",
            )
        if complete:
            where = f"Tables {', '.join(complete)}"
            yield Finding(where, True, f"the notes' {len(noted)} years are the program's")


def years_labelled(report: Report) -> Iterator[Finding]:
    """A period in a panel's title against the program, and against the years of Table 5."""
    program = _program_years(report)
    for table, panel in dict.fromkeys(key[:2] for key in report.rows):
        period = re.search(r"\d{4}-\d{4}", panel)
        years = numbers_of(period[0]) if period else []
        absent = [year for year in years if year not in program.get(table, years)]
        where = place_of((table, panel))
        if years and not absent:
            yield Finding(where, True, "the program's file has all years of the title")
        for year in absent:
            reading = _reading(report, (table, panel), years, year)
            detail = f"{year} is in the title and not in the program's file; {reading}"
            yield Finding(where, False, detail)


def _reading(report: Report, place: tuple[int, str], years: list[int], year: int) -> str:
    """Say what the numbers know about a year that the program leaves out of a panel."""
    origin = re.sub(r"s, .*", "", place[1])
    single = report.keys(5, origin, map(str, years))
    share = _largest_share(report, report.keys(*place), single, (5, origin, str(year)))
    if share is None:
        return "no mixture of these years of Table 5 fits the rows within rounding"
    # weights of the years are not printed; half an equal share is less than any year has
    if share < 1 / (2 * len(years)):
        return (
            f"the rows fit a mixture of these years of Table 5 only if {year} has at most "
            f"{100 * share:.0f} % of it (an equal share is {100 / len(years):.0f} %), so the "
            "numbers too say that it is left out"
        )
    return (
        f"the numbers do not decide on {year}: the rows fit mixtures of these years of Table 5 "
        f"with up to {100 * share:.0f} % of it"
    )


def _largest_share(report: Report, parts: list[Key], years: list[Key], year: Key) -> float | None:
    """Largest weight of ``year`` among ``years`` whose mixture some mixture of parts equals."""
    difference = np.hstack([report.matrix(parts), -report.matrix(years)])
    n, k = len(parts), len(years)
    cost = np.zeros(n + k)
    cost[n + years.index(year)] = -1
    solved = minimise(
        cost,
        below=np.vstack([difference, -difference]),
        bounds=np.full(2 * len(COMPONENTS), 2 * HALF),
        equal=[[1] * n + [0] * k, [0] * n + [1] * k],
        values=[1, 1],
    )
    return None if solved is None else -solved.cost


def table_3_and_program(report: Report) -> Iterator[Finding]:
    """Table 3's coefficients are the program's (Appendix F), rounded to three decimals."""
    printed = {
        (row["generation"], row["term"]): float(row["estimate"])
        for row in report.records("coefficients")
        if row["table"] == "3"
    }
    program = {
        (row["generation"], row["term"]): float(row["estimate"])
        for row in report.records("mortality_program")
    }
    pairs = {
        (people, term): (printed.get((people, term)), program.get((generation, name)))
        for people, generation in (("immigrants", "first"), ("natives", "second"))
        for term, name in TERMS.items()
    }
    off = {
        at: (a, b)
        for at, (a, b) in pairs.items()
        if a is None or b is None or abs(a - b) > 0.0005 + EPS
    }
    what = "coefficients of the program round to the printed ones"
    yield from held(len(pairs) - len(off), len(pairs), what, "Table 3")
    for (people, term), (a, b) in off.items():
        yield Finding(f"Table 3, {people.title()}, {term}", False, f"printed {a}, Appendix F {b}")


def age_terms(report: Report) -> Iterator[Finding]:
    """Tables 1 and 2 name the same age dummies of adults alike."""
    ages: dict[str, list[str]] = {"1": [], "2": []}
    for row in report.records("coefficients"):
        known = ages.get(row["table"])
        adult = row["group"] != "children" and row["term"].startswith("Age ")
        if known is not None and adult and row["term"] not in known:
            known.append(row["term"])
    both = [term for term in ages["1"] if term in ages["2"]]
    if both:
        yield Finding("Tables 1 and 2", True, f"alike: {', '.join(both)}")
    only = {n: [term for term in ages[n] if term not in both] for n in ages}
    if any(only.values()):
        figures = (f"Table {n} alone: {', '.join(terms) or 'none'}" for n, terms in only.items())
        yield Finding("Tables 1 and 2", False, "; ".join(figures))


def _printed_labels(report: Report, tables: list[int]) -> set[str]:
    terms = {r["term"] for r in report.records("coefficients") if int(r["table"]) in tables}
    return terms | {key[2] for key in report.rows if key[0] in tables}


def program_labels(report: Report) -> Iterator[Finding]:
    """Compare printed labels with the groups that the program forms under them."""
    groups: dict[tuple[str, str], list[tuple[bool, str]]] = defaultdict(list)
    for claim in report.said("program_label"):
        tables = numbers_of(claim["table"])
        label, meant = claim["row"], claim["stated"]
        if label in _printed_labels(report, tables):
            verdict = label == meant, f"printed {label!r}, the program's group is {meant!r}"
        else:
            verdict = False, f"{label!r} is not printed there"
        where = f"Table{'s' * (len(tables) > 1)} {claim['table']}"
        groups[where, claim["claim"]].append(verdict)
    for (where, about), verdicts in groups.items():
        holds = all(same for same, _ in verdicts)
        shown = [text for same, text in verdicts if holds or not same]
        yield Finding(where, holds, f"{about}: {'; '.join(shown)}")


def program_tables(report: Report) -> Iterator[Finding]:
    """Tables carry the numbers that the program's comments give them."""
    claims = report.said("program_table")
    given = {table_of(claim): int(float(claim["stated"])) for claim in claims}
    same = [str(table) for table, number in given.items() if table == number]
    what = "tables have the number that the program gives them"
    yield from held(len(same), len(given), what, f"Tables {', '.join(same)}")
    for table, number in given.items():
        if table != number:
            yield Finding(f"Table {table}", False, f"the program calls it Table {number}")


def repeated_statements(report: Report) -> Iterator[Finding]:
    """What the report states twice, it states alike."""
    groups: dict[tuple[str, str], list[Claim]] = defaultdict(list)
    for claim in report.said("repeated"):
        groups[claim["table"], claim["claim"]].append(claim)
    for (table, about), claims in groups.items():
        alike = len({claim["stated"] for claim in claims}) == 1
        said = "; ".join(f"{claim['section']}: {claim['stated']}" for claim in claims)
        yield Finding(f"Table {table}", alike, f"{about}: {said}")
