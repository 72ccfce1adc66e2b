"""First entry of the report's numbers: a parser over its text.

    python tests/entry/emigration_parser.py REPORT.txt models/emigration/published

writes the CSV files that the package ships.  The text of the report is not
part of the repository; the second entry (typed by reading, the ``*_typed.tsv``
files beside this one) is, and ``tests/test_published.py`` compares the two.
"""

import csv
import re
import sys
from pathlib import Path

REPORT = "Van Hook & Bean, Deliverable 3.2"
COMPONENTS = (  # in the order of the columns of Tables 5-15
    "emigration",
    "return_immigration",
    "net_emigration",
    "non_match",
    "internal_migration",
    "mortality",
    "non_follow_up",
)
TABLE_4 = {
    "(1) Non-match": "non_match",
    "(2) Internal Migration": "internal_migration",
    "(3) Mortality": "mortality",
    "(4) Non-follow-up": "non_follow_up",
    "Emigration": "emigration",
    "(6) Return Immigration": "return_immigration",
    "Net Emigration": "net_emigration",
}
NUMBER = re.compile(r"-?\d+\.\d+")


def tables(text):
    """Yield (number of the table, its lines), the tables only and not the list of tables."""
    body = text[text.index("\nTable 1. Logistic") : text.index("**Appendix A.")]
    parts = re.split(r"^Table (\d+)\. .*$", body, flags=re.M)[1:]
    for number, lines in zip(parts[::2], parts[1::2], strict=True):
        yield int(number), [line.rstrip("\r") for line in lines.split("\n")]


def cells(text):
    """Rows of cells.csv and of standard_errors.csv (Table 4 alone prints standard errors)."""
    values, errors = [], []
    for table, lines in tables(text):
        source, panel = f"{REPORT}, Table {table}", ""
        if table == 4:
            for line in lines:
                fields = [f for f in line.split("\t") if f]
                label = next((f for f in fields if f in TABLE_4), None)
                if label is None:
                    continue
                estimate, se, low, high = fields[-4:]
                name = TABLE_4[label]
                values.append((4, "", "Total", name, estimate, low, high, 0.9, source))
                errors.append((4, "", "Total", name, se, source))
        elif table > 4:
            for line in lines:
                if bold := re.fullmatch(r"<b>(.*)</b>", line.strip()):
                    panel = bold[1]
                fields = line.split("\t")
                if len(fields) != 8 or not NUMBER.match(fields[1]):
                    continue
                for name, field in zip(COMPONENTS, fields[1:], strict=True):
                    estimate, low, high = NUMBER.findall(field)
                    values.append((table, panel, fields[0], name, estimate, low, high, 0.9, source))
    return values, errors


def coefficients(text):
    """Rows of coefficients.csv: Tables 1-3, sample sizes and pseudo R-squares included."""
    adults = [(g, s) for g in ("men", "women") for s in ("first", "second")]
    columns = {
        1: [("internal_migration", o, g, s) for o in ("mexican", "non_mexican") for g, s in adults],
        2: [
            ("matching", o, g, s)
            for o in ("mexican", "non_mexican")
            for g, s in [*adults, ("children", "first")]
        ],
        3: [("mortality", "all", "all", s) for s in ("immigrants", "natives")],
    }
    rows = []
    for table, lines in tables(text):
        for line in lines if table in columns else ():
            term, *fields = line.split("\t")
            if not any(re.match(r"-?\d", f) for f in fields) or len(fields) > len(columns[table]):
                continue
            term = re.sub(r"<sup>.*?</sup>|<.*?>", "", term).strip()
            fields += [""] * (len(columns[table]) - len(fields))
            for column, field in zip(columns[table], fields, strict=True):
                if field.strip():
                    estimate, _, stars = field.strip().partition(" ")
                    estimate = estimate.replace(",", "")
                    rows.append((table, *column, term, estimate, stars, f"{REPORT}, Table {table}"))
    return rows


def appendix_f(text):
    """Rows of native_rates.csv and of mortality_program.csv."""
    part = text[text.index("**Appendix F. STATA") :]
    part = part[part.index("```") : part.index("**Appendix G.")]
    source = f"{REPORT}, Appendix F"
    rates = [
        ("male" if male == "1" else "female", group, rate, source)
        for rate, male, group in re.findall(
            r"naem=(0\.\d+) if male==(\d) & agegrp ?== ?(\d+)", part
        )
    ]
    flat = re.sub(r"\s*\n", "", part)
    program = []
    for generation, name in (("first", "mol"), ("second", "mo2")):
        both = re.findall(rf"(?:gen|replace) {name}=(-[\d.]+[-+*.\da-z]*?)(?=replace)", flat)
        assert len(both) == 2, (name, both)  # every expression is printed twice
        assert both[0] == both[1], both
        program.append((generation, "intercept", re.match(r"-[\d.]+", both[0])[0], source))
        for value, term in re.findall(r"([-+][\d.]+)\*([a-z]+\d?)", both[0]):
            program.append((generation, term, value.lstrip("+"), source))
    return rates, program


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        writer.writerows(rows)
    print(f"{path}: {len(rows)} rows")


def main(report, folder):
    text, folder = Path(report).read_text(encoding="utf-8"), Path(folder)
    values, errors = cells(text)
    rates, program = appendix_f(text)
    interval = "estimate ci_low ci_high ci_prob source"
    write(folder / "cells.csv", f"table panel row component {interval}", values)
    write(folder / "standard_errors.csv", "table panel row component se source", errors)
    header = "table model origin group generation term estimate stars source"
    write(folder / "coefficients.csv", header, coefficients(text))
    write(folder / "native_rates.csv", "sex age_group rate source", rates)
    write(folder / "mortality_program.csv", "generation term estimate source", program)


if __name__ == "__main__":
    main(*sys.argv[1:])
