"""First entry of the essay's numbers: a parser over its text.

    python tests/entry/transnationalism_parser.py ESSAY.txt models/transnationalism/published

writes the tables and ``prose.csv``, and checks that every quotation in ``claims.csv`` (typed
by hand) stands in the section that it names.  The text of the essay is not part of the
repository; the second entry (typed by reading, the ``transnationalism_*_typed.tsv`` files
beside this one) is, and the study's ``test_published.py`` compares the two.
"""

import csv
import re
import sys
from pathlib import Path

ESSAY = "Portes (essay on migration and development)"
HEADINGS = {  # sections, in order: where each begins
    "Introduction": "How do we reconcile these seemingly contradictory statements?",
    "Labor Migrants": "Labor Migrants, Networks, and Remittances The origins",
    "Professional Migration": "Professional Migration: The Brain Drain and the Brain Gain",
    "Segmented Assimilation": "Segmented Assimilation and Development As is",
    "Conclusion": "Conclusion Theories of national development",
    "Figure 1": "Figure 1 The Process",
    "Table 1": "Table 1 Profile of H-1B Temporary Immigrants",
    "Table 2": "Table 2 Determinants of Transnationalism",
    "Table 3": "Table 3 Indicators of Downward Assimilation",
    "Table 4": "Table 4 Indicators of Downward Assimilation",
}
INDUSTRIES = [
    "All",
    "Computer systems design",
    "Colleges and Universities",
    "Architecture and Engineering",
    "Scientific and Technical Consulting and Management",
    "Scientific Research and Development",
    "Telecommunications",
]
PREDICTORS = {  # as printed, its note's number with it: the name here
    "Age": "age",
    "Age Squared": "age_squared",
    "Sex (Male)": "male",
    "Marital Status": "married",
    "Number of Children": "children",
    "Education (Years)": "education",
    "High School Graduate": "high_school",
    "College Graduate": "college",
    "Professional/Executive Background": "professional",
    "Years of US Residence": "us_years",
    "US Citizenship": "us_citizen",
    "Experienced Discrimination in US": "discrimination",
    "Downward Mobility7": "downward_mobility",
}
OUTCOMES = ("economic", "political", "sociocultural")
TABLE3 = {
    "Mexican": "foreign",
    "Guatemalan, Salvadoran": "foreign",
    "Chinese": "foreign",
    "Indian": "foreign",
    "Korean": "foreign",
    "Filipino": "foreign",
    "Non- Hispanic Whites": "native",
    "Non- Hispanic Blacks": "native",
}
MEASURES3 = (
    "dropout",
    "dropout_males",
    "child_15_19",
    "child_20_24",
    "incarcerated",
    "incarcerated_dropouts",
)
TABLE4 = (
    "Mexico",
    "Other Latin America2",
    "China, Taiwan",
    "Philippines",
    "Vietnam",
    "Other Asia",
    "Totals",
)
MEASURES4 = ("inactive", "child_24", "incarcerated_24")
N = r"(-?(?:\d{1,3}(?:,\d{3})+|\d*\.?\d+))"
CELL = r"(-?\d*\.?\d+|--)(\*{1,3}|#)?"
WORDS = {
    "one": "1",
    "two": "2",
    "three": "3",
    "six": "6",
    "seven": "7",
    "eighth": "8",
    "ninth": "9",
}

# Numbers of the prose: name, section, what is around the number, unit
PROSE = [
    ("wage_ratio_mexico", "Labor Migrants", "is at present (seven)-to-one", "ratio"),
    ("product_per_migradollar", "Labor Migrants", rf"generates a \${N} contribution", "dollars"),
    (
        "municipalities_losing_people",
        "Labor Migrants",
        "Already (one-third) of Mexican municipalities",
        "share",
    ),
    ("h1b_created", "Professional Migration", rf"created in {N} the H-1B", "year"),
    ("h1b_years", "Professional Migration", "maximum of (three) years", "years"),
    ("h1b_years_renewed", "Professional Migration", "renewable for another (three)", "years"),
    ("h1b_years_most", "Professional Migration", "after a maximum of (six) years", "years"),
    ("h1b_ceiling_1990", "Professional Migration", rf"ceiling for this program was {N}", "permits"),
    ("h1b_ceiling_1998", "Professional Migration", rf"increased it to {N} and", "permits"),
    ("h1b_ceiling_2002", "Professional Migration", rf"further increased to {N}\.", "permits"),
    ("h1b_issued_2003", "Professional Migration", rf"In 2003, {N} H-1B permits", "permits"),
    (
        "h1b_renewals_2003",
        "Professional Migration",
        "approximately (half) were renewals",
        "share",
    ),
    ("h1b_india_2003", "Professional Migration", rf"were India \({N}\)", "permits"),
    ("h1b_canada_2003", "Professional Migration", rf"Canada \({N}\)", "permits"),
    ("h1b_mexico_2003", "Professional Migration", rf"Mexico \({N}\)", "permits"),
    ("h1b_china_2003", "Professional Migration", rf"China \({N}\)", "permits"),
    ("h1b_colombia_2003", "Professional Migration", rf"Colombia \({N}\)", "permits"),
    (
        "political_high_school",
        "Professional Migration",
        rf"high school diploma increases by {N} percent",
        "percent",
    ),
    (
        "political_college",
        "Professional Migration",
        rf"college degree further increases it by {N} percent",
        "percent",
    ),
    ("census_year", "Segmented Assimilation", rf"Data from the {N} U\.S\. census", "year"),
    (
        "dropout_mexican_central_american",
        "Segmented Assimilation",
        "close to (one-fourth) of",
        "share",
    ),
    (
        "dropout_over_whites",
        "Segmented Assimilation",
        "more than (doubles) the corresponding",
        "ratio",
    ),
    ("dropout_over_asians", "Segmented Assimilation", "and (quadruples) the figure", "ratio"),
    ("dropout_males_mexican", "Segmented Assimilation", "approaching (half) of all", "share"),
    (
        "dropout_males_central_american",
        "Segmented Assimilation",
        "surpassing (half) of Central",
        "share",
    ),
    (
        "dropout_males_over_whites",
        "Segmented Assimilation",
        "figure (quintuples) the rate",
        "ratio",
    ),
    ("child_15_19_mexican", "Segmented Assimilation", rf"the rate is {N} percent as", "percent"),
    ("child_15_19_chinese", "Segmented Assimilation", rf"with {N} percent for Chinese", "percent"),
    ("child_15_19_korean", "Segmented Assimilation", rf"just {N} percent for Korean", "percent"),
    ("child_20_24_central_american", "Segmented Assimilation", rf"with {N} percent of", "percent"),
    ("child_20_24_mexican", "Segmented Assimilation", rf"and {N} percent of Mexicans", "percent"),
    ("child_20_24_asian", "Segmented Assimilation", rf"less than {N} percent of whom", "percent"),
    (
        "incarcerated_whites",
        "Segmented Assimilation",
        rf"18-39 is less than {N} percent",
        "percent",
    ),
    ("incarcerated_asian", "Segmented Assimilation", rf"it is less than {N} percent", "percent"),
    (
        "incarcerated_central_american",
        "Segmented Assimilation",
        rf"climbs to {N} percent among",
        "percent",
    ),
    (
        "incarcerated_mexican",
        "Segmented Assimilation",
        rf"Americans and {N} percent among",
        "percent",
    ),
    (
        "incarcerated_dropouts_whites",
        "Segmented Assimilation",
        rf"almost {N} percent among",
        "percent",
    ),
    (
        "incarcerated_dropouts_mexican",
        "Segmented Assimilation",
        rf"native whites and {N} percent",
        "percent",
    ),
    ("cils_grade_from", "Segmented Assimilation", r"in the (eighth) and", "grade"),
    ("cils_grade_to", "Segmented Assimilation", r"and (ninth) grades", "grade"),
    ("cils_age_first", "Segmented Assimilation", rf"\(average age {N}\)", "years"),
    ("cils_age_second", "Segmented Assimilation", rf"at average age {N}, by the time", "years"),
    ("cils_age_third", "Segmented Assimilation", rf"then at average age {N}, when", "years"),
    (
        "cils_inactive_mexican",
        "Segmented Assimilation",
        "surpassing (one-fourth) of Mexican",
        "share",
    ),
    ("cils_child_mexican", "Segmented Assimilation", rf"they reach {N} percent of", "percent"),
    (
        "cils_incarcerated_mexican",
        "Segmented Assimilation",
        rf"and {N} percent of males",
        "percent",
    ),
    ("cils_retained", "Segmented Assimilation", rf"approximately {N} percent of the", "percent"),
    ("survey_year", "Table 2", rf"in the United States, {N} ", "year"),
    ("mobility_scale_points", "Table 2", rf"along a {N}-point", "points"),
    ("census_sample", "Table 3", rf"U\.S\. 2000 Census, {N} percent Public", "percent"),
]


def sections(text):
    """The essay's sections, blanks and line ends made one blank."""
    flat = " ".join(text.split())
    starts = []
    for name, words in HEADINGS.items():
        if flat.count(words) != 1:
            raise ValueError(f"{name}: {flat.count(words)} places")
        starts.append((name, flat.index(words)))
    ends = [start for _, start in starts[1:]] + [len(flat)]
    return {name: flat[a:b] for (name, a), b in zip(starts, ends, strict=True)}


def one(pattern, part):
    """The only match of a pattern."""
    found = re.findall(pattern, part)
    if len(found) != 1:
        raise ValueError(f"{pattern}: {found}")
    return found[0]


def decimals(number):
    return len(number.partition(".")[2])


def plain(number):
    """A number without thousands' commas, with a zero before its point."""
    number = number.replace(",", "")
    return re.sub(r"^(-?)\.", r"\g<1>0.", number)


def profile(parts):
    """Rows of table1.csv."""
    for name in INDUSTRIES:
        pattern = rf"{name}:? {N} {N} {N} {N} (\w+) \({N}\)"
        number, percent, income, degree, country, share = one(pattern, parts["Table 1"])
        row = [plain(n) for n in (number, percent)] + [decimals(percent)]
        yield [
            name, *row, plain(income), degree, country, share, f"{ESSAY}, Table 1",
        ]  # fmt: skip


def regressions(parts):
    """Rows of the cells of Table 2: predictor, then five (number, stars)."""
    for printed, name in PREDICTORS.items():
        label = re.escape(printed)
        found = one(rf"{label} {CELL} {CELL} {CELL} {CELL} {CELL}", parts["Table 2"])
        yield name, list(zip(found[::2], found[1::2], strict=True))


def coefficients(parts):
    """Rows of coefficients.csv."""
    for name, cells in regressions(parts):
        for outcome, (number, stars) in zip(OUTCOMES, cells[::2], strict=True):
            if number != "--":
                yield outcome, name, plain(number), decimals(number), stars, f"{ESSAY}, Table 2"


def derived(parts):
    """Rows of derived.csv."""
    kinds = {1: ("economic", "net_probability"), 3: ("political", "percent_change")}
    for name, cells in regressions(parts):
        for column, (outcome, kind) in kinds.items():
            number, stars = cells[column]
            if stars:
                raise ValueError(name)
            if number != "--":
                yield outcome, name, kind, plain(number), decimals(number), f"{ESSAY}, Table 2"


def rates(part, groups, measures):
    for group in groups:
        numbers = one(rf"{re.escape(group)} {' '.join([N] * len(measures))}", part)
        for measure, number in zip(measures, numbers, strict=True):
            yield group, measure, number, decimals(number)


def table3(parts):
    """Rows of table3.csv."""
    for group, measure, *number in rates(parts["Table 3"], TABLE3, MEASURES3):
        name = group.replace("- ", "-")
        yield name, TABLE3[group], measure, *number, f"{ESSAY}, Table 3"


def table4(parts):
    """Rows of table4.csv; a note's number is no part of a group's name."""
    for group, measure, *number in rates(parts["Table 4"], TABLE4, MEASURES4):
        yield group.rstrip("2"), measure, *number, f"{ESSAY}, Table 4"


def prose(parts):
    """Rows of prose.csv: words as printed, a numeral without its commas."""
    for name, section, pattern, unit in PROSE:
        stated = one(pattern, parts[section])
        yield name, WORDS.get(stated, stated.replace(",", "")), unit, f"{ESSAY}, {section}"


FILES = {
    "table1": (
        profile,
        "industry number percent decimals median_income masters_percent country country_percent "
        "source",
    ),
    "coefficients": (coefficients, "outcome predictor estimate decimals stars source"),
    "derived": (derived, "outcome predictor quantity estimate decimals source"),
    "table3": (table3, "group parentage measure estimate decimals source"),
    "table4": (table4, "group measure estimate decimals source"),
    "prose": (prose, "name stated unit source"),
}


def misquoted(parts, path):
    """Quotations that do not stand in the section which they name."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pieces = row["quote"].split(" ... ")
            if not all(piece in parts[row["section"]] for piece in pieces):
                yield f"{row['section']}: {row['quote']}"


def main(essay, folder):
    parts = sections(Path(essay).read_text(encoding="utf-8"))
    for name, (rows, header) in FILES.items():
        path = Path(folder) / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header.split())
            writer.writerows(rows(parts))
    claims = Path(folder) / "claims.csv"
    wrong = list(misquoted(parts, claims)) if claims.exists() else ["no claims.csv"]
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
