"""First entry of the manuscript's numbers: a parser over its text.

    python tests/entry/social_capital_parser.py MANUSCRIPT.txt models/social_capital/published

writes ``coefficients.csv`` and ``samples.csv``, which the package ships.  The text of the
manuscript is not part of the repository; the second entry (typed by reading, the
``*_typed.tsv`` files beside this one) is, and ``tests/test_social_capital_published.py``
compares the two.
"""

import csv
import re
import sys
from pathlib import Path

MANUSCRIPT = "Manuscript (MxFLS, authors not named)"
CELL = re.compile(r"(-?\d+(?:\.\d+)?) \((\d+(?:\.\d+)?)\) ?(\*{1,3}|†)?")
STRATA = ("none", "extended", "close")  # columns (1), (2), (3) of Tables 2a-c
PANELS = {"1": None, "2a": "A", "2b": "B", "2c": "C"}
ROWS = {  # printed label, in lower case without hyphens: term, level
    "extended ties only": ("network", "extended"),
    "some closer ties": ("network", "close"),
    "1 migration": ("household_migrations", "1"),
    "2+ migrations": ("household_migrations", "2+"),
    "aspirations to migrate at baseline (2002)": ("baseline_aspirations", ""),
    "sex (ref.=female)": ("male", ""),
    "male": ("male", ""),
    "age": ("age", ""),
    "age squared": ("age_squared", ""),
    "married": ("married", ""),
    "1 child": ("children", "1"),
    "2 children": ("children", "2"),
    "3 children": ("children", "3"),
    "4+ children": ("children", "4+"),
    "enrolled in school": ("enrolled", ""),
    "lower secondary": ("education", "lower_secondary"),
    "upper secondary or more": ("education", "upper_secondary"),
    "employed for wage": ("employment", "wage"),
    "self employed": ("employment", "self_employed"),
    "log per capita household expenditure": ("log_expenditure", ""),
    "experienced robbery": ("robbery", ""),
    "urban residence": ("urban", ""),
}


def tables(text):
    """Yield (number of the table, its text), the tables only and not what refers to them."""
    parts = re.split(r"^ ?Table (1|2[abc])\. Coefficients", text, flags=re.M)[1:]
    yield from zip(parts[::2], parts[1::2], strict=True)


def coefficients(text):
    """Rows of coefficients.csv: three contrasts in Table 1, three strata in Tables 2a-c."""
    for number, lines in tables(text):
        for line in lines.splitlines():
            cells = list(CELL.finditer(line))
            if not cells:
                continue
            assert len(cells) == 3, line
            assert re.sub(r"\s", "", CELL.sub("", line[cells[0].start() :])) == "", line
            label = line[: cells[0].start()].replace("-", " ").strip().lower()
            for i, cell in enumerate(cells):
                estimate, se, stars = cell.group(1, 2, 3)
                contrast = PANELS[number] or "ABC"[i]
                stratum = STRATA[i] if PANELS[number] else "all"
                column = f"({i + 1})" if PANELS[number] else contrast
                yield (
                    *ROWS[label],
                    contrast,
                    stratum,
                    estimate,
                    se,
                    stars or "",
                    f"{MANUSCRIPT}, Table {number}, column {column}",
                )


def samples(text):
    """Rows of samples.csv: one per column of each table, and the one in the text."""
    for number, lines in tables(text):
        source = f"{MANUSCRIPT}, Table {number}, column"
        if number == "1":
            after = lines[lines.index("Individuals\nMunicipalities") :]
            figures = re.findall(r"^([\d,]+)\n(\d+)$", after, flags=re.M)
        else:
            rows = (
                re.search(rf"^{label} (.*)$", lines, flags=re.M)[1].split()
                for label in ("Individuals", "Municipalities")
            )
            figures = list(zip(*rows, strict=True))
        for i, (individuals, municipalities) in enumerate(figures):
            contrast = PANELS[number] or "ABC"[i]
            stratum, column = (STRATA[i], f"({i + 1})") if PANELS[number] else ("all", contrast)
            people = individuals.replace(",", "")
            yield number, contrast, stratum, people, municipalities, f"{source} {column}"
    flat = " ".join(text.split())
    (found,) = re.findall(r"includes ([\d,]+) respondents across (\d+) municipalities", flat)
    people = found[0].replace(",", "")
    yield "text", "", "all", people, found[1], f"{MANUSCRIPT}, section 2.1"


def write(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header.split())
        written = sum(writer.writerow(row) > 0 for row in rows)
    print(f"{path}: {written} rows")


def main(manuscript, folder):
    text, folder = Path(manuscript).read_text(encoding="utf-8"), Path(folder)
    header = "term level contrast stratum estimate se stars source"
    write(folder / "coefficients.csv", header, coefficients(text))
    header = "table contrast stratum individuals municipalities source"
    write(folder / "samples.csv", header, samples(text))


if __name__ == "__main__":
    main(*sys.argv[1:])
