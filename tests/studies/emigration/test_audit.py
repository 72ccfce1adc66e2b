"""The audit of the emigration report: what it finds, and that each check can fail."""

import csv
from collections import Counter
from functools import cache

import pandas as pd
import pytest

from bayesmig.audit import run
from bayesmig.models.emigration.audit import CHECKS, nesting, paper
from bayesmig.models.emigration.audit.prose import FACTS, KINDS
from bayesmig.models.emigration.audit.rows import rounding_odds
from bayesmig.models.emigration.data import PUBLISHED


def read(**options):
    return {path.stem: pd.read_csv(path, **options) for path in PUBLISHED.glob("*.csv")}


def audit(tables):
    return run(CHECKS, paper(tables))


TABLES = read(keep_default_na=False)


@cache
def as_printed():
    return audit(TABLES)


def broken(found, check):
    """Places where a check does not hold."""
    return list(found["where"][(found.check == check) & ~found.holds])


def detail(where, *, check=None, holds=False, having=""):
    """Detail of the one finding that is meant."""
    rows = as_printed()[(as_printed()["where"] == where) & (as_printed().holds == holds)]
    rows = rows[rows.detail.str.contains(having, regex=False)]
    if check:
        rows = rows[rows.check == check]
    assert len(rows) == 1, rows
    return rows.detail.item()


def edited(name, value, column="estimate", **where):
    """Return a copy of the tables with one field of ``name`` changed, where ``where`` says."""
    table = TABLES[name].copy()
    rows = pd.Series(True, index=table.index)
    for key, wanted in where.items():
        rows &= table[key].astype(str) == str(wanted)
    assert rows.any(), where
    table.loc[rows, column] = value
    return {**TABLES, name: table}


# What is found


def test_shape():
    assert list(as_printed()) == ["check", "where", "holds", "detail", "rounding"]
    assert as_printed().holds.dtype == bool
    for column in ("check", "where", "detail"):
        assert pd.api.types.is_string_dtype(as_printed()[column])
        assert as_printed()[column].str.len().gt(0).all()
    assert 40 < len(as_printed()) < 90  # a table to read
    assert set(as_printed().check) == {check.name for check in CHECKS}
    assert not as_printed().duplicated().any()


def test_empty_fields_may_be_missing():
    # pandas reads an empty field as NaN unless told otherwise
    pd.testing.assert_frame_equal(audit(read()), as_printed())


def test_row_off_by_two_tenths():
    found = as_printed()  # five roundings can give 0.2: no fault of the print
    assert broken(found, "components add up") == []
    adds_up = found.check == "components add up"
    assert list(found[found.rounding & adds_up]["where"]) == ["Table 12, Non-Mexican, 10+ yrs"]
    words = detail("Table 12, Non-Mexican, 10+ yrs", check="components add up", holds=True)
    assert "off by 0.2" in words
    row = {"table": 12, "panel": "Non-Mexican", "row": "10+ yrs", "component": "emigration"}
    more = audit(edited("cells", 3.0, **row))  # 0.3, which they cannot
    assert broken(more, "components add up") == ["Table 12, Non-Mexican, 10+ yrs"]
    assert not more.rounding[more.check == "components add up"].any()
    assert "157 of 158 rows" in detail("Tables 4-15", check="components add up", holds=True)
    assert "158 of 158" in detail("Tables 4-15", check="net emigration adds up", holds=True)


def test_rounding_odds():
    for terms in (2, 3, 5):
        odds = [rounding_odds(terms, k) for k in range(-terms, terms + 1)]
        assert sum(odds) == pytest.approx(1)
        assert odds == pytest.approx(odds[::-1])
    assert rounding_odds(3, 1) == pytest.approx(1 / 8)  # (3/2 - 1)^2 / 2
    assert rounding_odds(3, 2) == 0


def test_intervals_below_zero_counted_again():
    with (PUBLISHED / "cells.csv").open(encoding="utf-8", newline="") as file:
        below = [row for row in csv.DictReader(file) if row["ci_low"].startswith("-")]
    count = Counter(row["component"] for row in below)
    impossible = len(below) - count["net_emigration"]
    assert (len(below), impossible) == (28, 16)
    assert len(broken(as_printed(), "interval below zero")) == impossible
    summary = detail("Tables 4-15", check="interval below zero", holds=True)
    assert summary.startswith(f"{count['net_emigration']} of the {len(below)} intervals")


def test_zeros_of_table_10():
    """Less than 0.05 is printed 0.0, and so it may be: the components leave as much room."""
    found = as_printed()
    zeros = found[(found.check == "emigration printed 0.0") & found.rounding]
    assert list(zeros["where"]) == [
        "Table 10, Mexican Males, 55-64",
        "Table 10, Mexican Females, 45-54",
        "Table 10, Mexican Females, 55-64",
    ]
    assert zeros.holds.all()
    assert "imply 0.0 +-4.8" in zeros.detail.iloc[1]


def test_negative_net_rates_are_within_the_error_of_their_components():
    """Of which the printed intervals of emigration have a third: the audit says so elsewhere."""
    check = "net emigration below zero"
    assert broken(as_printed(), check) == []
    words = detail("Tables 4-15", check=check, holds=True)
    assert words.startswith("6 of 6 negative net rates")
    assert "3 by the printed interval" in words
    row = {"table": 13, "panel": "", "row": "Philippines", "component": "net_emigration"}
    bounds = audit(edited("cells", (-4.0, -4.7, -3.3), ["estimate", "ci_low", "ci_high"], **row))
    assert broken(bounds, check) == ["Table 13, Philippines"]  # +-2.9 of 4.0


def test_interval_of_the_total_leaves_out_its_components():
    assert "4.3 (4.1 to 4.4), +-0.15" in detail("Table 4, Total", having="components' own")
    assert "+-0.62" in detail("Table 4, Total", having="components' own")
    summary = detail("Tables 4-15", check="interval of emigration")
    assert "158 of 158 rows" in summary
    assert "median 3.5" in summary
    assert "worth 1.00 (median)" in summary  # the interval of an observed proportion


def test_what_does_not_nest():
    assert broken(as_printed(), "nesting") == [
        "statuses of Table 14 to Table 4",
        "Mexicans' statuses of Table 14 to Mexico",
    ]
    assert broken(as_printed(), "nesting, all at once") == ["Tables 4-15"]


def test_best_weights_of_the_sexes_by_hand():
    # two rows: one weight, so that a fine grid finds the smallest largest residual
    report = paper(TABLES)
    nest = next(nesting.sexes(report))
    female, male = report.matrix(nest.parts).T
    total = report.matrix(nest.whole)[:, 0]
    grid = [max(abs(w * female + (1 - w) * male - total)) for w in pd.RangeIndex(10001) / 10000]
    assert nesting.gaps_of(report, [nest]) == pytest.approx([min(grid)], abs=1e-3)


def test_years_that_the_program_leaves_out():
    assert "without 1997 and 2004" in detail("Table 14", check="years behind a table")
    mexicans = detail("Table 15, Mexicans, 2000-2004", check="years behind a table")
    assert "at most 7 %" in mexicans
    others = detail("Table 15, Non-Mexicans, 2000-2004", check="years behind a table")
    assert "do not decide" in others


def test_table_3_and_the_program():
    assert broken(as_printed(), "Table 3 and the program") == ["Table 3, Immigrants, Fair (Poor)"]
    assert detail("Table 3, Immigrants, Fair (Poor)") == "printed -0.586, Appendix F -0.5822"


def test_labels():
    assert "Age 45+" in detail("Tables 1 and 2")
    assert "'1-14'" in detail("Tables 6-11")
    assert detail("Table 15", check="labels") == "the program calls it Table 16"
    assert "moving averages" in detail("Table 5", check="stated twice")
    assert "'70-79 (80+)'" in detail("Table 3", check="labels")


@pytest.mark.parametrize(
    ("where", "having", "figure"),
    [
        ("Table 4, Total", "95%", "1.960 (95 %) does not"),
        ("Table 9, 0-14", "2.2%", "2.2 is the row's net emigration"),
        ("Table 8, 0-14", "1.6%", "1.6 is the row's net emigration"),
        ("Table 9, 0-14", "except", "75+ (3.5 against 2.5)"),
        ("Table 13", "4.0% to 4.9%", "left out: China 4.1"),
        ("Table 13", "50% or more", "Philippines 2.2"),
        ("Table 5, All Foreign-born", "moving averages", "9 of 9 rows"),
        ("Table 4, Total", "as high as 3%", "printed 4.3"),
    ],
)
def test_prose(where, having, figure):
    assert figure in detail(where, check="prose", having=having)


def test_vague_words_are_taken_at_their_weakest():
    """What a mean, an end or a rounding makes true is no fault of the prose."""
    recent = detail("Table 5, All Foreign-born", having="recent years", holds=True)
    assert "4.20, of the 7 before 4.27" in recent
    report = paper(TABLES)
    for kind, about, words in [
        ("rises", "return immigration rises with age", "1.7, 1.1, 1.9"),
        ("above_panel", "working-aged Mexican men", "on average 4.4 against 3.7"),
    ]:
        claim = next(c for c in report.said(kind) if c["claim"] == about)
        holds, figures = KINDS[kind](report, claim)
        assert holds, figures
        assert words in figures


def test_prose_that_holds():
    results = TABLES["claims"].query("section == 'Results'")
    failed = as_printed()[(as_printed().check == "prose") & ~as_printed().holds]
    quotes = tuple(repr(quote) for quote in results.quote)
    failures = failed.detail.str.startswith(quotes).sum()
    n = len(results) - (results.kind == "population").sum()
    assert detail("Results", holds=True) == f"{n - failures} of {n} statements hold"
    assert detail("Data", holds=True) == "10 of 10 statements hold"


def test_claims_name_kinds_that_are_known():
    kinds = set(TABLES["claims"].kind)
    assert kinds == set(KINDS) | FACTS
    assert not set(KINDS) & FACTS


# Each check can fail: break one number, and the check names the place


TOTAL = {"table": 4, "row": "Total"}
CUBA = {"table": 13, "row": "Cuba"}


@pytest.mark.parametrize(
    ("check", "where", "edit"),
    [
        (
            "rows printed",
            "Table 13, Cuba",
            ("cells", 0.5, "ci_high", {**CUBA, "component": "non_match"}),
        ),
        (
            "components add up",
            "Table 4, Total",
            ("cells", -0.8, "estimate", {**TOTAL, "component": "mortality"}),
        ),
        (
            "net emigration adds up",
            "Table 13, Cuba",
            ("cells", 2.4, "estimate", {**CUBA, "component": "net_emigration"}),
        ),
        (
            "interval symmetric",
            "Table 4, Total",
            ("cells", 34.9, "ci_high", {**TOTAL, "component": "non_match"}),
        ),
        (
            "interval below zero",
            "Table 13, Cuba",
            ("cells", -0.2, "ci_low", {**CUBA, "component": "return_immigration"}),
        ),
        (
            "net emigration below zero",
            "Table 13, Korea",
            (
                "cells",
                (-9.0, -9.9, -8.1),
                ["estimate", "ci_low", "ci_high"],
                {"table": 13, "row": "Korea", "component": "net_emigration"},
            ),
        ),
        (
            "emigration printed 0.0",
            "Table 13, Cuba",
            ("cells", 0.0, "estimate", {**CUBA, "component": "emigration"}),
        ),
        (
            "interval of net emigration",
            "Table 13, Cuba",
            ("cells", 1.9, "ci_low", {**CUBA, "component": "net_emigration"}),
        ),
        (
            "standard errors",
            "Table 4, Total",
            ("standard_errors", 0.4, "se", {"component": "non_follow_up"}),
        ),
        (
            "nesting",
            "sexes of Table 7 to Table 4",
            (
                "cells",
                39.1,
                "estimate",
                {"table": 7, "panel": "All", "row": "Male", "component": "internal_migration"},
            ),
        ),
        (
            "nesting, all at once",
            "Tables 4-13",
            (
                "cells",
                39.1,
                "estimate",
                {"table": 7, "panel": "All", "row": "Male", "component": "internal_migration"},
            ),
        ),
        (
            "years behind a table",
            "Table 4",
            ("claims", "1996 1997 1998", "stated", {"kind": "program_years", "table": "4-13"}),
        ),
        (
            "Table 3 and the program",
            "Table 3, Natives, Male",
            ("mortality_program", -0.5314, "estimate", {"generation": "second", "term": "male"}),
        ),
        (
            "labels",
            "Table 12",
            ("claims", "13", "stated", {"kind": "program_table", "table": "12"}),
        ),
        (
            "stated twice",
            "Table 3",
            ("claims", "1989-2005", "stated", {"kind": "repeated", "stated": "1989-2004"}),
        ),
        (
            "prose",
            "Table 4, Total",
            ("cells", 15.1, "estimate", {**TOTAL, "component": "internal_migration"}),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_check_can_fail(check, where, edit):
    name, value, column, rows = edit
    found = audit(edited(name, value, column, **rows))
    assert where in broken(found, check)
    # and it was this number: the same finding is not made of the tables as they are
    before = as_printed()[(as_printed().check == check) & ~as_printed().holds]
    after = found[(found.check == check) & ~found.holds]
    assert len(after.merge(before, how="left", indicator=True).query("_merge == 'left_only'"))


def test_interval_of_emigration_can_hold():
    wide = TABLES["cells"].copy()
    rows = wide.component == "emigration"
    wide.loc[rows, "ci_low"], wide.loc[rows, "ci_high"] = -30.0, 50.0
    found = audit({**TABLES, "cells": wide})
    assert broken(found, "interval of emigration") == []


@pytest.mark.parametrize(
    ("check", "where", "edit"),
    [
        (
            "Table 3 and the program",
            "Table 3, Immigrants, Fair (Poor)",
            ("coefficients", -0.582, "estimate", {"term": "Fair (Poor)", "table": 3}),
        ),
        (
            "labels",
            "Tables 1 and 2",
            ("coefficients", "Age 45-64", "term", {"table": 1, "term": "Age 45+"}),
        ),
        (
            "labels",
            "Tables 6-11",
            ("claims", "0-14", "stated", {"claim": "ages of the children"}),
        ),
        (
            "labels",
            "Table 15",
            ("claims", "15", "stated", {"kind": "program_table", "table": "15"}),
        ),
        (
            "stated twice",
            "Table 3",
            ("claims", "1989-1997", "stated", {"claim": "years of the death index"}),
        ),
        (
            "years behind a table",
            "Table 15, Mexicans, 2000-2004",
            (
                "claims",
                "1996 1997 1998 1999 2000 2001 2002 2003 2004",
                "stated",
                {"kind": "program_years", "table": "14-15"},
            ),
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_finding_goes_when_it_is_put_right(check, where, edit):
    name, value, column, rows = edit
    assert where in broken(as_printed(), check)
    assert where not in broken(audit(edited(name, value, column, **rows)), check)


# Each kind of statement can be right and wrong: another statement of its kind is judged
# the other way


OPPOSITE = {
    "estimate": ("not followed up", "stated", "34.3"),
    "ci_low": ("lower end", "stated", "4.0"),
    "ci_high": ("upper end", "stated", "4.5"),
    "half_width": ("return rate, plus or minus", "stated", "0.3"),
    "se": ("standard error", "stated", "0.2"),
    "ci_prob": ("level of the interval", "stated", "90"),
    "thousand": ("emigrants", "stated", "1176"),
    "sum": ("foreign born in the sample", "stated", "77492"),
    "sample_size": ("foreign-born men", "stated", "35205"),
    "models": ("models of internal migration", "stated", "9"),
    "lowest": ("lowest year", "row", "2001"),
    "highest": ("highest year", "row", "2004"),
    "not_highest": ("highest net by origin", "row", "Mexico|Africa"),
    "top": ("highest ages", "row", "15-19|20-24|25-29"),
    "order": ("order among Mexicans", "row", "LPR > Unauthorized > Naturalized"),
    "order_apart": ("men emigrate more", "row", "Female > Male"),
    "panel_order": (
        "later net, unauthorized Mexicans",
        "panel",
        "Mexicans, 1996-1999 > Mexicans, 2000-2004",
    ),
    "gap_order": ("gender difference by origin", "panel", "Non-Mexican > Mexican"),
    "rises": ("emigration rises with age", "row", "20-24..75+"),
    "falls": ("emigration falls with age", "row", "0-14..20-24"),
    "range_list": ("4.0% to 4.9%", "row", "Dominican Republic|Europe|China"),
    "times_all_others": ("return of Mexicans and Dominicans", "stated", "0.6"),
    "above_row": ("net above Mexico", "stated", "Africa"),
    "above_panel": ("working-aged Mexican men", "row", "45-54|55-64"),
    "flatter": ("flatter among non-Mexican men", "stated", "Table 11, Non-Mexican Males"),
    "lower_in_most": ("women emigrate less at most ages", "stated", "Table 9"),
    "lower_except": ("girls are the exception", "row", "0-14|65-69|70-74|75+"),
    "mean_above_rest": ("recent increase", "row", "1999|2000"),
    "at_least": ("never negative", "component", "net_emigration"),
    "constant": ("children do not die", "row", "75+"),
    "native_rate": ("native emigration rate", "stated", "0.03"),
    "same_as_panel": ("virtually no Mexicans", "row", "Refugee"),
    "column_head": ("head of Table 14", "stated", "Table 15"),
}


@pytest.mark.parametrize("kind", sorted(OPPOSITE))
def test_kind_of_statement_can_go_either_way(kind):
    about, column, value = OPPOSITE[kind]
    report = paper(TABLES)
    claim = next(c for c in report.said(kind) if c["claim"] == about)
    holds, figures, *_ = KINDS[kind](report, claim)
    other, *_ = KINDS[kind](report, {**claim, column: value})
    assert isinstance(holds, bool)
    assert figures
    assert other is not holds


def test_moving_averages_would_be_recognised():
    # seven rows with the intervals of three years' persons each
    cells = TABLES["cells"].copy()
    yearly = (cells.table == 5) & (cells.panel == "All Foreign-born")
    middle = cells.estimate[yearly]
    for end in ("ci_low", "ci_high"):
        cells.loc[yearly, end] = middle + (cells.loc[yearly, end] - middle) / 3**0.5
    cells = cells[~(yearly & cells.row.isin(["1996", "2004"]))]
    report = paper({**TABLES, "cells": cells})
    (claim,) = report.said("moving_average")
    assert KINDS["moving_average"](report, claim)[0]
    assert not KINDS["moving_average"](paper(TABLES), claim)[0]


def test_every_kind_is_tried():
    assert set(OPPOSITE) | {"moving_average"} == set(KINDS)


def test_claim_of_an_unknown_panel_is_named():
    tables = edited("claims", "Canadian", "panel", claim="lowest year")
    with pytest.raises(KeyError, match="Canadian"):
        audit(tables)
