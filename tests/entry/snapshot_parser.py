"""First entry of the paper's numbers: a parser over its text.

    python tests/entry/snapshot_parser.py PAPER.txt models/snapshot/published

writes ``quantities.csv``, ``hazards.csv`` and ``others.csv``, and checks that every quotation
in ``claims.csv`` (typed by hand) stands in the section that it names.  The text of the paper
is not part of the repository; the second entry (typed by reading, the ``*_typed.tsv`` files
beside this one) is, and ``tests/test_snapshot_published.py`` compares the two.
"""

import csv
import re
import sys
from pathlib import Path

PAPER = "Rodilitz & Kaplan (2020)"
HEADINGS = {
    "Section 1": "1 Introduction and Motivation",
    "Section 2": "2 Data Source: Mexican Migration Project",
    "Section 3": "3 Model Overview",
    "Section 4": "4 Solitary Migrant Departures",
    "Section 5": "5 Circular Migrant Departures",
    "Section 6": "6 Sojourn Time Distributions",
    "Section 7": "7 Five Migrant Subpopulations",
    "Section 8": "8 Active Circular Migrant Behavior",
    "Section 9": "9 Linking Migration Model to Data: Trip Hazard/Sojourn Time Data Likelihood",
    "Section 10": "10 Linking Migration Model to Data: Mean Trip Calibration",
    "Section 11": "11 Maximum Likelihood Estimation and Parameterization",
    "Section 12": "12 Results",
    "Section 13": "13 Conclusions",
    "References": "References",
}
N = r"(\d[\d,]*(?:\.\d+)?)"  # a number; its thousands may have commas

# quantity, year, section, equation, what comes around the number, unit, note
ESTIMATES = [
    (
        "solitary_share",
        "",
        12,
        "",
        rf"widehat\{{\\phi\}}={N} \(95% CI: (.*?)\)",
        "proportion",
        "phi",
    ),
    (
        "mean_trips_2016",
        "",
        12,
        "",
        rf"widehat\{{m\}}_\{{C\}}\(37\)={N} \(95% CI: (.*?)\)",
        "trips",
        "m_C(37)",
    ),
    ("retirement_prob", "", 12, "", rf"widehat\{{q\}}={N} \(95% CI: (.*?)\)", "proportion", "q"),
    (
        "circular_share_of_crossings",
        "",
        12,
        ", eq. 43",
        rf"\+0\.37\\times 2\.09\}}\\approx {N} \(43\)",
        "proportion",
        "",
    ),
    (
        "circular_share_of_migrants",
        "",
        12,
        ", eq. 43",
        rf"=\\frac\{{{N}\\times 2\.09",
        "proportion",
        "1 - phi",
    ),
    (
        "retired_share",
        "",
        12,
        "",
        rf"=0\.23/0\.37\\approx {N}",
        "proportion",
        "of circular migrants, Q(37) / (1 - phi); printed as 0.23/0.37",
    ),
    (
        "retired_share_of_migrants",
        "",
        12,
        "",
        rf"\(1-\\widehat\{{\\phi\}}\)={N}/0\.37",
        "proportion",
        "Q(37)",
    ),
    (
        "trips_before_retiring",
        "",
        12,
        "",
        rf"complete about {N} migration episodes",
        "trips",
        "1 / q, 'about'",
    ),
    (
        "circular_sojourn_within_2_years",
        "",
        12,
        "",
        rf"estimates that {N}% of circular sojourn times were at most two",
        "proportion",
        "printed as 67 %",
    ),
    (
        "mean_solitary_sojourn",
        "",
        12,
        "",
        rf"mean sojourn time of {N} years \(standard error {N} years\) for solitary",
        "years",
        "",
    ),
    (
        "mean_circular_sojourn",
        "",
        12,
        "",
        rf"mean sojourn time of {N} years \(standard error {N} years\) for circular",
        "years",
        "",
    ),
    (
        "total_crossings",
        "",
        12,
        ", eq. 44",
        rf"T={N} million border crossings in total",
        "million",
        "T, scaled to 38.8 million in 1990-2016",
    ),
    (
        "population_2016",
        "",
        12,
        "",
        rf"population equals {N} million, with a 95% confidence interval running from {N} to {N}",
        "million",
        "delta method, conditional on T",
    ),
    (
        "population_with_overstayers_2016",
        "",
        12,
        "",
        rf"raise our point estimate to {N} million",
        "million",
        "5 million visa overstayers added",
    ),
]
COUNTS = [
    ("respondents", "", 2, "", rf"MMP data regarding {N} heads", "households", "heads"),
    ("communities", "", 2, "", rf"from {N} communities", "communities", "through June 2017"),
    ("households", "", 2, "", rf"and {N} households in Mexico", "households", "through June 2017"),
    (
        "households_per_community",
        "",
        2,
        "",
        rf"from which {N} households are surveyed",
        "households",
        "",
    ),
    ("surveys", "", 9, "", rf"gleaned from {N} surveys", "surveys", "1987-2016"),
    (
        "crossings_listed",
        "",
        9,
        "",
        rf"on up to {N} border crossing attempts",
        "crossings",
        "'up to', in mig161",
    ),
    ("project_began", "", 2, "", r"The MMP began in (\d{4})", "year", ""),
    ("first_survey", "", 2, "", r"annual survey in Mexico since (\d{4})", "year", ""),
    ("first_year", "", 3, "", r"corresponds to calendar year (\d{4})\), and", "year", "t = 1"),
    ("last_year", "", 3, "", r"corresponds to calendar year (\d{4})\)\. Time", "year", "t = tau"),
    ("model_years", "", 3, "", r"\\tau=(\d+) \(which", "years", "tau"),
    ("longest_sojourn", "", 6, "", rf"to at most equal {N} years", "years", ""),
    ("first_survey_index", "1987", 9, "", r"corresponding to .*?t=(\d+)\.", "t", ""),
    ("border_tightened", "", 1, "", r"We note that (\d{4}) coincides", "year", ""),
    ("parameters", "", 11, "", rf"for a total of {N}\.", "parameters", ""),
    ("parameters_sojourns", "", 11, "", rf"thus equals {N} \(20 for", "parameters", ""),
    ("parameters_of_one_sojourn", "", 11, "", rf"\({N} for each of the two soj", "parameters", ""),
    ("parameters_departures", "", 11, "", rf"\+ {N} \(36 for each", "parameters", ""),
    (
        "parameters_of_one_departure",
        "",
        11,
        "",
        rf"\({N} for each of the two trip dep",
        "parameters",
        "",
    ),
    ("parameters_mean_trips", "", 11, "", rf"\+ {N} \(for the knots", "parameters", ""),
    ("parameters_shares", "", 11, "", rf"\+ {N} \(.{{0,40}}phi and q", "parameters", "phi and q"),
    (
        "single_year_sojourns",
        "",
        11,
        "",
        r"Individual sojourn .*?t=1,2,\.\.\.,(\d+)\. Owing",
        "years",
        "longer ones share one probability",
    ),
    ("scaled_from", "", 12, "", r"crossings between (\d{4}) and 2016 match", "year", "eq. 44"),
]
OTHERS = [
    (
        "residual_population",
        "Pew 2018",
        "",
        12,
        rf"States hover near {N} million \(Pew",
        "million",
        "'near'; of all origins",
    ),
    (
        "residual_population_recent",
        "Pew 2018",
        "",
        13,
        rf"most recent {N} million number",
        "million",
        "of all origins",
    ),
    (
        "ffk_lower_bound",
        "Fazel-Zarandi et al. 2018",
        "2016",
        12,
        rf"conservative lower bound of {N} million",
        "million",
        "border crossers and visa overstayers",
    ),
    (
        "ffk_population",
        "Fazel-Zarandi et al. 2018",
        "2016",
        12,
        rf"mean estimate of {N} million undocumented immigrants with a 95% probability interval "
        rf"of {N} to {N} million",
        "million",
        "mean of simulations",
    ),
    (
        "visa_overstayers",
        "Fazel-Zarandi et al. 2018",
        "2016",
        12,
        rf"there were more than {N} million undocumented visa",
        "million",
        "'more than'",
    ),
    (
        "crossings_1990_2016",
        "Fazel-Zarandi et al. 2018",
        "",
        12,
        rf"2016 match the {N} million southern",
        "million",
        "",
    ),
    (
        "apprehension_rate",
        "Fazel-Zarandi et al. 2018",
        "",
        12,
        rf"in that the {N}% apprehension",
        "percent",
        "1990-2004",
    ),
    (
        "voluntary_return_early",
        "Fazel-Zarandi et al. 2018",
        "",
        12,
        rf"rate to Mexico was {N}%;",
        "percent",
        "prior to 2005",
    ),
    (
        "voluntary_return_late",
        "Fazel-Zarandi et al. 2018",
        "2010",
        12,
        rf"by 2010 this rate had fallen to {N}%",
        "percent",
        "",
    ),
    (
        "crossings_2016",
        "Bailey et al. 2016",
        "2016",
        12,
        rf"with only {N} undocumented crossings",
        "crossings",
        "",
    ),
    (
        "age_refused",
        "American Community Survey",
        "2017",
        1,
        rf"only {N}% of survey participants refused",
        "percent",
        "",
    ),
    (
        "birthplace_refused",
        "American Community Survey",
        "2017",
        1,
        rf"contrast with {N}% who refused",
        "percent",
        "",
    ),
    (
        "ffk_simulations",
        "Fazel-Zarandi et al. 2018",
        "",
        1,
        r"while over (one) million simulations",
        "million",
        "'over'",
    ),
]
WORDS = {"one": "1", "four": "4", "nine": "9", "ten": "10"}
HAZARDS = (
    rf"fell from {N}% following (one) year, to {N}% after each of the next (nine) years, "
    rf"asymptoting to {N}% annually for each year beyond (ten)\. .*? presenting rates of "
    rf"{N}%, {N}% and {N}% over these same time periods"
)


def sections(text):
    """Return the text of each section by name; what precedes the first is the abstract."""
    marks = [(name, text.index(f"\n{head}\n") + 1) for name, head in HEADINGS.items()]
    ends = [start for _, start in marks[1:]] + [len(text)]
    found = {name: text[start:end] for (name, start), end in zip(marks, ends, strict=True)}
    found["Abstract"] = text[: marks[0][1]]
    return {name: part.replace("\xa0", " ") for name, part in found.items()}


def one(pattern, text):
    """Groups of the pattern's matches, which must all be the same."""
    found = set(re.findall(pattern, text, flags=re.S))
    if len(found) != 1:
        raise ValueError(f"{pattern}: {found or 'not found'}")
    groups = found.pop()
    return [groups] if isinstance(groups, str) else list(groups)


def interval(ends):
    """Both ends of an interval that the text has several times over."""
    return list(dict.fromkeys(re.findall(r"\d\.\d\d", ends)))


def quantities(parts):
    for name, year, section, equation, pattern, unit, note in ESTIMATES + COUNTS:
        estimate, *rest = one(pattern, parts[f"Section {section}"])
        se = low = high = prob = ""
        if name.startswith("mean_") and name.endswith("_sojourn"):
            (se,) = rest
        elif len(rest) == 1:
            low, high = interval(rest[0])
        elif rest:
            low, high = rest
        if low:
            prob = "0.95"
        if "printed as 67 %" in note:
            estimate = f"0.{estimate}"
        source = f"{PAPER}, Section {section}{equation}"
        yield name, year, estimate.replace(",", ""), se, low, high, prob, unit, source, note
    pattern = r"knots at .*?absentt= (.*?), corresponding to calendar years (.*?)\. Given"
    indices, years = (re.findall(r"\d+", ends) for ends in one(pattern, parts["Section 11"]))
    for year, index in zip(years, indices, strict=True):
        source = f"{PAPER}, Section 11"
        yield "knot", year, index, "", "", "", "", "t", source, "of m_C(t)"
    (word,) = one(r"On average, (\w+) communities", parts["Section 2"])
    source = f"{PAPER}, Section 2"
    note = "on average"
    yield "communities_per_year", "", WORDS[word], "", "", "", "", "communities", source, note


def others(parts):
    for name, origin, year, section, pattern, unit, note in OTHERS:
        estimate, *ends = one(pattern, parts[f"Section {section}"])
        low, high = ends or ("", "")
        prob = "0.95" if ends else ""
        source = f"{PAPER}, Section {section}"
        estimate = WORDS.get(estimate, estimate)
        yield name, origin, year, estimate.replace(",", ""), low, high, prob, unit, source, note
    # the project's own words on its file, not the paper's
    source = "Mexican Migration Project, Core Files, MIG"
    yield (
        "crossings_listed_by_project",
        "Mexican Migration Project",
        "",
        "30",
        "",
        "",
        "",
        "crossings",
        source,
        "'up to'",
    )


def hazards(parts):
    numbers = one(HAZARDS, parts["Section 12"])
    first, one_year, middle, nine, last, ten, *capps = numbers
    end = int(WORDS[one_year]) + int(WORDS[nine])
    if end != int(WORDS[ten]):
        raise ValueError(numbers)
    spans = [("1", WORDS[one_year]), (str(int(WORDS[one_year]) + 1), str(end)), (str(end + 1), "")]
    for origin, rates in (
        ("Fazel-Zarandi et al. 2018", [first, middle, last]),
        ("Capps et al. 2018", capps),
    ):
        for (start, stop), rate in zip(spans, rates, strict=True):
            yield origin, start, stop, rate, "percent a year", f"{PAPER}, Section 12"


FILES = {
    "quantities": (
        quantities,
        "quantity year estimate se ci_low ci_high ci_prob unit source note",
    ),
    "others": (
        others,
        "quantity origin year estimate ci_low ci_high ci_prob unit source note",
    ),
    "hazards": (hazards, "origin year_from year_to estimate unit source"),
}


def misquoted(parts, path):
    """Quotations that do not stand in the section which they name."""
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            pieces = row["quote"].split(" ... ")
            if not all(piece in parts[row["section"]] for piece in pieces):
                yield f"{row['section']}: {row['quote']}"


def main(paper, folder):
    parts = sections(Path(paper).read_text(encoding="utf-8"))
    for name, (rows, header) in FILES.items():
        path = Path(folder) / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(header.split())
            writer.writerows(rows(parts))
    wrong = list(misquoted(parts, Path(folder) / "claims.csv"))
    sys.exit("\n".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
