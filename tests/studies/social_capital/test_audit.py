"""The audit of the manuscript on networks: what it finds, and that each check can fail."""

import csv
import math
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from bayesmig.audit import run
from bayesmig.errors import DataError
from bayesmig.models.social_capital.audit import CHECKS, paper
from bayesmig.models.social_capital.audit.manuscript import Cell, Manuscript
from bayesmig.models.social_capital.audit.prose import FACTS, KINDS
from bayesmig.models.social_capital.audit.stars import LEVELS, UNDECLARED, possible_stars

PUBLISHED = Path(__file__).parents[3] / "models" / "social_capital" / "published"


def audit(tables):
    return run(CHECKS, paper(tables))


def read(**options):
    return {path.stem: pd.read_csv(path, **options) for path in PUBLISHED.glob("*.csv")}


TABLES = read(keep_default_na=False)
FOUND = audit(TABLES)


def broken(found, check):
    """Places where a check does not hold."""
    return list(found["where"][(found.check == check) & ~found.holds])


def detail(check, where, *, holds=False, having=""):
    """Detail of the one finding that is meant."""
    rows = FOUND[(FOUND.check == check) & (FOUND["where"] == where) & (FOUND.holds == holds)]
    rows = rows[rows.detail.str.contains(having, regex=False)]
    assert len(rows) == 1, rows
    return rows.detail.item()


def edited(name, value, column="estimate", **where):
    """Return a copy of the tables with one field of ``name`` changed, where ``where`` says."""
    table = TABLES[name].copy()
    rows = pd.Series(True, index=table.index)
    for key, wanted in where.items():
        rows &= table[key].astype(str) == str(wanted)
    assert rows.sum() == 1, where
    table.loc[rows, column] = value
    return {**TABLES, name: table}


def lines():
    """The printed rows as text, read without pandas and without the audit's own reader."""
    with (PUBLISHED / "coefficients.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def exact(column):
    """A, B and C of each row, as exact decimals."""
    rows = {}
    for row in lines():
        key = row["term"], row["level"], row["stratum"]
        rows.setdefault(key, {})[row["contrast"]] = Decimal(row[column])
    return rows


# What is found


def test_shape():
    assert list(FOUND) == ["check", "where", "holds", "detail", "rounding"]
    assert FOUND.holds.dtype == bool
    for column in ("check", "where", "detail"):
        assert pd.api.types.is_string_dtype(FOUND[column])
        assert FOUND[column].str.len().gt(0).all()
    assert 40 < len(FOUND) < 90  # a table to read
    assert set(FOUND.check) == {check.name for check in CHECKS}
    assert not FOUND.duplicated().any()


def test_empty_fields_may_be_missing():
    # pandas reads an empty field as NaN unless told otherwise
    pd.testing.assert_frame_equal(audit(read()), FOUND)


def test_text_will_do_for_numbers():
    pd.testing.assert_frame_equal(audit(read(keep_default_na=False, dtype=str)), FOUND)


def test_no_graph_is_imported():
    code = (
        "import sys, bayesmig.models.social_capital.audit\n"
        "print(sorted({'pymc', 'pytensor', 'arviz', 'nutpie'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_signs_of_table_1_counted_again():
    rows = exact("estimate")
    first = [row for key, row in rows.items() if key[2] == "all"]
    others = [row for key, row in rows.items() if key[2] != "all"]
    assert sum(row["C"] == row["B"] - row["A"] for row in first) == 20
    # both extended ties and age squared, where A is printed 0.000
    assert sum(row["C"] == row["A"] + row["B"] for row in first) == 2
    # -60.81 and 60.52 have two decimals
    assert sum(abs(row["C"] - row["A"] - row["B"]) <= Decimal("0.005") for row in others) == 57
    assert len(broken(FOUND, "contrasts add up")) == 19
    assert detail("contrasts add up", "Table 1", holds=True).startswith("2 of 21 rows")
    assert detail("contrasts add up", "Tables 2a-c", holds=True).startswith("57 of 57 rows")
    wrong = FOUND[(FOUND.check == "contrasts add up") & ~FOUND.holds]
    assert wrong.detail.str.contains("is B - A").all()
    flipped = sum(row["C"] * (row["A"] + row["B"]) < 0 for row in first)
    assert wrong.detail.str.contains("of the other sign").sum() == flipped


def test_corrected_coefficient_is_named():
    close = detail("contrasts add up", "Table 1, network close, C")
    assert close == (
        "printed -0.657 (0.293) * is B - A; A + B = 1.038 + 0.381 = 1.419, of the other sign"
    )


def test_heads_of_the_columns():
    assert broken(FOUND, "labels of the contrasts") == ["Table 1, A", "Table 2a, A"]
    said = detail("labels of the contrasts", "Table 1, A")
    assert "coding in section 2.2" in said
    assert "Table 1: 20 of 21 rows; Tables 2a-c: 0 of 57 rows" in said


def test_standard_errors_counted_again():
    n = 0
    for row in exact("se").values():
        alone = math.hypot(row["A"], row["B"])
        n += abs(alone - float(row["C"])) < (0.5 if row["C"] > 1000 else 0.001)
    assert n == 78
    assert "in 21 of 21 rows" in detail("standard errors", "Table 1")
    assert "in 57 of 57 rows" in detail("standard errors", "Tables 2a-c")


def test_stars():
    assert broken(FOUND, "stars") == [
        "Tables 1 and 2c, C",
        "Table 1, age, C",
        "Table 1, employment self employed, C",
        "Table 1, log expenditure, C",
        "Table 2c, age, close",
        "Table 2c, age squared, close",
    ]
    on_c = detail("stars", "Tables 1 and 2c, C")
    assert on_c.startswith("stars of 73 of 78")
    assert on_c.endswith("one-sided tests with † at 0.10: 78")
    for where in ("Tables 1 and 2a, A", "Tables 1 and 2b, B"):
        said = detail("stars", where, holds=True)
        assert said.startswith("stars of 78 of 78")
        assert int(said.rpartition(": ")[2]) < 70  # so these are not one-sided
    daggers = [row for row in lines() if row["stars"] == "†"]
    named = FOUND[(FOUND.check == "stars") & FOUND.detail.str.contains("not in the legend")]
    assert len(daggers) == len(named) == 2


@pytest.mark.parametrize(
    ("cell", "levels", "sides", "stars"),
    [
        # by hand: z between 0.3795/0.2205 = 1.721 and 0.3815/0.2195 = 1.738
        (Cell(0.3805, 0.220), LEVELS, 2, {""}),
        (Cell(0.3805, 0.220), LEVELS, 1, {"*"}),
        # z between 1.67 and 7: rounding leaves all open
        (Cell(0.003, 0.001), LEVELS, 2, {"", "*", "**", "***"}),
        # z between 0 and 1
        (Cell(0.000, 0.001), LEVELS, 2, {""}),
        # z of 1.619 to 1.638: one-sided p 0.0507 to 0.0527
        (Cell(-0.228, 0.140), UNDECLARED, 1, {"†"}),
        (Cell(-0.228, 0.140), UNDECLARED, 2, {""}),
        # z of 4.533 to 4.559
        (Cell(-1.869, 0.411), LEVELS, 2, {"***"}),
    ],
)
def test_possible_stars(cell, levels, sides, stars):
    assert possible_stars(cell, levels, sides) == stars


def test_sample_sizes():
    assert broken(FOUND, "sample sizes") == ["section 2.1", "Table 2a", "Table 2b", "Table 2c"]
    assert detail("sample sizes", "section 2.1") == "10,014 people, Table 1 10,012: +2"
    assert detail("sample sizes", "Table 2b") == (
        "6,552 + 1,401 + 2,259 = 10,212 people, Table 1 10,012: +200"
    )


def test_strata_average_counted_again():
    weights, sums = {}, {}
    for row in lines():
        if row["contrast"] == "C" and row["stratum"] != "all":
            key = row["term"], row["level"]
            weight = float(row["se"]) ** -2
            weights[key] = weights.get(key, 0) + weight
            sums[key] = sums.get(key, 0) + weight * float(row["estimate"])
    whole = {key[:2]: row for key, row in exact("estimate").items() if key[2] == "all"}
    for name, value in (
        ("C as printed", lambda row: row["C"]),
        ("C as A + B", lambda row: row["A"] + row["B"]),
    ):
        gaps = [sums[key] / weights[key] - float(value(whole[key])) for key in sums]
        distance = math.sqrt(sum(gap**2 for gap in gaps) / len(gaps))
        holds = name == "C as A + B"
        said = detail("strata average to Table 1", f"Tables 1 and 2c, {name}", holds=holds)
        assert f"distance {distance:.2f} over 19 rows" in said
    assert broken(FOUND, "strata average to Table 1") == ["Tables 1 and 2c, C as printed"]


def test_complete_separation():
    assert broken(FOUND, "complete separation") == [
        f"Table 2{part}, employment self employed, extended" for part in "abc"
    ]
    assert "-60.81 (5517)" in detail(
        "complete separation", "Table 2a, employment self employed, extended"
    )
    largest = max(float(row["se"]) for row in lines() if float(row["se"]) < 1000)
    assert detail("complete separation", "Tables 1 and 2a-c", holds=True) == (
        f"231 of 234 standard errors are {largest} or less"
    )


def test_differences_counted_again():
    cells = {(row["term"], row["level"], row["contrast"], row["stratum"]): row for row in lines()}

    def p(term, level, contrast, first, second, fair=False):
        one, other = (cells[term, level, contrast, name] for name in (first, second))
        gap = float(one["estimate"]) - float(other["estimate"])
        errors = [float(one["se"]), float(other["se"])]
        if fair and contrast == "C":  # C and A nearly independent: B is what C has beyond A
            a, b = ([float(cells[term, level, k, n]["se"]) for n in (first, second)] for k in "AB")
            rounded = [y <= x for x, y in zip(a, b, strict=True)]
            errors = [
                e if r else math.sqrt(y**2 - x**2)
                for e, r, x, y in zip(errors, rounded, a, b, strict=True)
            ]
        return math.erfc(abs(gap) / math.hypot(*errors) / math.sqrt(2))

    with (PUBLISHED / "claims.csv").open(encoding="utf-8", newline="") as file:
        said = [row for row in csv.DictReader(file) if row["kind"] == "difference"]
    ps = [
        p(row["term"], row["level"], row["contrast"], *row["stratum"].split(" - ")) for row in said
    ]
    counts = [sum(x < 0.20 for x in ps), sum(x < 0.10 for x in ps), sum(x < 0.05 for x in ps)]
    assert counts == [22, 15, 10]
    fair = [
        p(row["term"], row["level"], row["contrast"], *row["stratum"].split(" - "), fair=True)
        for row in said
    ]
    cleared = [row["contrast"] for x, y, row in zip(ps, fair, said, strict=True) if y < 0.10 <= x]
    assert cleared == ["C"]  # an accusation that the error print left too large would make
    assert len(broken(FOUND, "differences between strata")) == 3
    assert detail("differences between strata", "Tables 2a-c", holds=True) == (
        "22 of 25 have the sign stated and one-sided p below 0.10 by printed errors (22; two-sided "
        "15, below 0.05 10), or, for C, two-sided by errors that have the covariance of A and B"
    )
    every = {
        contrast: [
            p(term, level, contrast, first, second, fair=True)
            for term, level in {(t, v) for t, v, _, s in cells if s == "none"}
            for first, second in (("extended", "none"), ("close", "none"), ("close", "extended"))
        ]
        for contrast in "BC"
    }
    counts = {k: (sum(x < 0.10 for x in v), sum(x < 0.05 for x in v)) for k, v in every.items()}
    assert counts == {"B": (6, 2), "C": (17, 9)}
    text = detail("prose", "Table 2c, C", having="Our only")
    assert "0 have a two-sided p below 0.10 by the printed errors, 1 a one-sided; by errors" in text
    assert text.endswith("the covariance of A and B 17, below 0.05 9")
    text = detail("prose", "Table 2c, C < B", having="even fewer")
    assert text.endswith("C 0, B 6; by errors that have the covariance of A and B: 17 and 6")
    assert "one-sided p = 0.279" in detail(
        "differences between strata", "Table 2a, enrolled, close - extended"
    )


def test_differences_left_out():
    assert broken(FOUND, "differences left out") == [
        "Table 2a, male, close - extended",
        "Table 2a, robbery, close - extended",
    ]
    # -0.291 - 1.988, the root of 0.333^2 + 0.636^2
    said = detail("differences left out", "Table 2a, male, close - extended")
    assert said.startswith("-2.279 (se 0.718), two-sided p = 0.0015")


@pytest.mark.parametrize(
    ("where", "having", "figure"),
    [
        ("Table 1, network close, C", "negatively associated", "A + B = +1.419"),
        ("Table 1, network close, C", "but not with", "A + B = +1.419"),
        ("Table 1, employment self employed, B", "", "two-sided p = 0.118"),
        ("Table 1, employment self employed, C", "", "A + B = +0.054"),
        ("Table 1, employment self employed, C > B", "", "C +0.054, B -0.489"),
        ("Table 1, education upper secondary, C", "", "A + B = -0.054"),
        ("Table 1, log expenditure, C", "", "A + B = -0.006"),
        ("Table 1, robbery, C", "", "A + B = +0.030"),
        ("Table 1, urban, C > B", "", "C +0.262, B +0.811"),
        ("Table 1, male, B > C", "", "B +0.572, C +0.934"),
        ("Table 2c, C", "Our only", "0 have a two-sided p below 0.10 by the printed errors, 1 a"),
        ("Table 1, employment", "", "a row of its own: enrolled"),
        ("section 2.3.5", "four measures", "it names 5"),
    ],
)
def test_prose(where, having, figure):
    assert figure in detail("prose", where, having=having)


def test_prose_that_fails_is_no_more_than_that():
    assert len(broken(FOUND, "prose")) == 14
    assert detail("prose", "section 3", holds=True).startswith("18 of 27")


def test_se_of_a_corrected_contrast_is_bounded():
    # urban: 0.236 - 0.214 and the root of the sum of squares
    said = detail("prose, undecided", "Table 1, urban, C", holds=True)
    assert f"its se between 0.022 and {math.hypot(0.236, 0.214):.3f}" in said


def test_claims_name_kinds_that_are_known():
    kinds = set(TABLES["claims"].kind)
    assert kinds == set(KINDS) | FACTS
    assert not set(KINDS) & FACTS


# Each check can fail: break one number, and the check names the place


URBAN = {"term": "urban", "level": ""}
MEN = {"term": "male", "level": ""}


@pytest.mark.parametrize(
    ("check", "where", "edit"),
    [
        (
            "contrasts add up",
            "Table 2c, urban, close",
            ("coefficients", 0.325, "estimate", {**URBAN, "contrast": "C", "stratum": "close"}),
        ),
        (
            "labels of the contrasts",
            "Table 2c, C",
            ("claims", "none : migrated", "stated", {"claim": "head of Table 2c"}),
        ),
        (
            "stars",
            "Table 2a, urban, none",
            ("coefficients", "**", "stars", {**URBAN, "contrast": "A", "stratum": "none"}),
        ),
        (
            "stars",
            "Tables 1 and 2b, B",
            ("coefficients", "", "stars", {**URBAN, "contrast": "B", "stratum": "all"}),
        ),
        (
            "sample sizes",
            "Table 1",
            ("samples", 10013, "individuals", {"table": "1", "contrast": "B"}),
        ),
        (
            "sample sizes",
            "Tables 1 and 2a-c",
            ("samples", 81, "municipalities", {"table": "2c", "stratum": "none"}),
        ),
        (
            "strata average to Table 1",
            "Tables 1 and 2a, A",
            (
                "coefficients",
                -1.641,
                "estimate",
                {"term": "baseline_aspirations", "contrast": "A", "stratum": "all"},
            ),
        ),
        (
            "complete separation",
            "Table 2a, urban, close",
            ("coefficients", 320, "se", {**URBAN, "contrast": "A", "stratum": "close"}),
        ),
        (
            "differences between strata",
            "Table 2a, male, extended - none",
            ("coefficients", 0.639, "estimate", {**MEN, "contrast": "A", "stratum": "extended"}),
        ),
        (
            "differences between strata",
            "Table 2a, children 2, extended - none",
            ("claims", "lower", "stated", {"claim": "2 children, extended and no ties"}),
        ),
        (
            "prose",
            "Table 1, urban, B",
            ("coefficients", 0.311, "estimate", {**URBAN, "contrast": "B", "stratum": "all"}),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_check_can_fail(check, where, edit):
    name, value, column, rows = edit
    tables = edited(name, value, column, **rows)
    assert where not in broken(FOUND, check)
    assert where in broken(audit(tables), check)


@pytest.mark.parametrize(
    ("check", "where", "edit"),
    [
        (
            "contrasts add up",
            "Table 1, urban, C",
            ("coefficients", 0.262, "estimate", {**URBAN, "contrast": "C", "stratum": "all"}),
        ),
        (
            "labels of the contrasts",
            "Table 2a, A",
            ("claims", "aspires : none", "stated", {"claim": "head of Table 2a"}),
        ),
        (
            "stars",
            "Table 1, employment self employed, C",
            (
                "coefficients",
                "*",
                "stars",
                {"level": "self_employed", "contrast": "C", "stratum": "all"},
            ),
        ),
        (
            "stars",
            "Table 1, log expenditure, C",
            (
                "claims",
                "* 0.05|** 0.01|*** 0.001|† 0.11",
                "stated",
                {"claim": "legend of Table 1"},
            ),
        ),
        (
            "sample sizes",
            "Table 2a",
            ("samples", 6352, "individuals", {"table": "2a", "stratum": "none"}),
        ),
        (
            "sample sizes",
            "section 2.1",
            ("samples", 10012, "individuals", {"table": "text"}),
        ),
        (
            "complete separation",
            "Table 2a, employment self employed, extended",
            (
                "coefficients",
                1.2,
                "se",
                {"level": "self_employed", "contrast": "A", "stratum": "extended"},
            ),
        ),
        (
            "differences between strata",
            "Table 2a, children 4+, close - extended",
            (
                "coefficients",
                -3.9,
                "estimate",
                {"level": "4+", "term": "children", "contrast": "A", "stratum": "close"},
            ),
        ),
        (
            "differences left out",
            "Table 2a, robbery, close - extended",
            (
                "coefficients",
                -0.917,
                "estimate",
                {"term": "robbery", "contrast": "A", "stratum": "close"},
            ),
        ),
        (
            "prose",
            "Table 1, employment self employed, B",
            (
                "coefficients",
                -0.589,
                "estimate",
                {"level": "self_employed", "contrast": "B", "stratum": "all"},
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_finding_goes_when_it_is_put_right(check, where, edit):
    name, value, column, rows = edit
    assert where in broken(FOUND, check)
    assert where not in broken(audit(edited(name, value, column, **rows)), check)


def test_difference_that_the_prose_drops_is_left_out():
    claims = TABLES["claims"].query("claim != 'men, extended and no ties'")
    left_out = set(broken(audit({**TABLES, "claims": claims}), "differences left out"))
    left_out -= set(broken(FOUND, "differences left out"))
    assert left_out == {"Table 2a, male, extended - none"}


def test_standard_errors_with_their_covariance_are_recognised():
    # one row with another se is counted out; all rows, and the finding goes
    one = edited("coefficients", 0.1, "se", **URBAN, contrast="C", stratum="all")
    found = audit(one)
    rows = found[(found.check == "standard errors") & (found["where"] == "Table 1")]
    assert list(rows.detail.str[:30]) == [
        "1 of 21 rows have another se(C",
        "se(C) is the root of se(A)^2 +",
    ]
    assert "in 20 of 21 rows" in rows.detail.iloc[1]
    table = TABLES["coefficients"].copy()
    table.loc[table.contrast == "C", "se"] *= 0.5
    assert broken(audit({**TABLES, "coefficients": table}), "standard errors") == []


def test_undecided_statement_is_decided_by_smaller_errors():
    # A and B so exact that the least and the most lead to the same verdict
    table = TABLES["coefficients"].copy()
    rows = (table.term == "urban") & (table.stratum == "all") & (table.contrast != "C")
    table.loc[rows, "se"] = [0.02, 0.03]
    found = audit({**TABLES, "coefficients": table})
    undecided = found["where"][found.check == "prose, undecided"]
    assert "Table 1, urban, C" in set(FOUND["where"][FOUND.check == "prose, undecided"])
    assert "Table 1, urban, C" not in set(undecided)


# Each kind of statement can be right and wrong


OPPOSITE = {
    "association": ("robbery and aspirations", "stated", "positive"),
    "no_association": ("extended ties and aspirations", "level", "close"),
    "stronger": ("urban, unplanned most of all", "contrast", "B > A"),
    "how_many_differ": ("only difference in unplanned migration", "stated", "0"),
    "fewer_differ": ("fewer differences in unplanned migration", "contrast", "B < C"),
    "example": ("example of a difference", "stated", "1.988 - 0.393"),
    "categories": ("categories of employment", "stated", "unemployed|wage|self_employed"),
    "how_many": ("number of measures", "stated", "5"),
}


@pytest.mark.parametrize("kind", sorted(OPPOSITE))
def test_kind_of_statement_can_go_either_way(kind):
    about, column, value = OPPOSITE[kind]
    report = Manuscript(TABLES)
    claim = next(c for c in report.said(kind) if c["claim"] == about)
    holds, figures = KINDS[kind](report, claim)
    other, _ = KINDS[kind](report, {**claim, column: value})
    assert isinstance(holds, bool)
    assert figures
    assert other is not holds


def test_every_kind_is_tried():
    assert set(OPPOSITE) == set(KINDS)


@pytest.mark.parametrize(
    ("claim", "column", "value", "message"),
    [
        ("urban and aspirations", "term", "rural", "urban and aspirations: .*rural"),
        ("men, close and no ties", "term", "rural", "men, close and no ties: .*rural"),
        ("men, close and no ties", "stratum", "none - close", "none, close"),
    ],
)
def test_claim_of_an_unknown_coefficient_is_named(claim, column, value, message):
    with pytest.raises(KeyError, match=message):
        audit(edited("claims", value, column, claim=claim))


def test_absent_row_is_named():
    table = TABLES["coefficients"]
    gone = (table.term == "urban") & (table.contrast == "C") & (table.stratum == "all")
    with pytest.raises(DataError, match="not all there for urban all"):
        audit({**TABLES, "coefficients": table[~gone]})
