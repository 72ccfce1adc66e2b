"""The audit of the essay: what it finds, by other arithmetic, and that each check can fail."""

from math import exp, log

import numpy as np
import pandas as pd
import pytest

import bayesmig as bm
from bayesmig.audit import run
from bayesmig.models.transnationalism import audit as module
from bayesmig.models.transnationalism.stars import reading

STUDY = bm.load_study("transnationalism")
TABLES = STUDY.tables
FOUND = STUDY.audit()


def audit(tables):
    return run(module.CHECKS, module.paper(tables))


def edited(stem, value, column="estimate", **where):
    """Tables with one field of a file changed, where ``where`` says."""
    table = TABLES[stem].copy()
    rows = pd.Series(True, index=table.index)
    for key, wanted in where.items():
        rows &= table[key] == wanted
    assert rows.any(), where
    table[column] = table[column].where(~rows, value)
    return {**TABLES, stem: table}


def rate(table, group, measure, value):
    return edited(f"table{table}", value, group=group, measure=measure)


def detail(having, *, holds=False, found=FOUND):
    """Detail of the one finding that is meant."""
    rows = found[(found.holds == holds) & found.detail.str.contains(having, regex=False)]
    assert len(rows) == 1, rows
    return rows.detail.item()


def test_shape():
    assert list(FOUND) == ["check", "where", "holds", "detail", "rounding"]
    assert set(FOUND.check) == {check.name for check in module.CHECKS}
    assert (~FOUND.holds).sum() == 16
    assert list(FOUND[FOUND.rounding].check) == ["prose", "prose", "percent change"]
    assert FOUND[FOUND.rounding].holds.all()
    assert not FOUND.detail.str.contains("nan").any()


def test_three_studies_one_audit():
    for name in ("transnationalism_respondents", "transnationalism_second_generation"):
        pd.testing.assert_frame_equal(bm.load_study(name).audit(), FOUND)


def test_kinds_of_claims_are_known():
    assert set(TABLES["claims"].kind) == {*module.KINDS, module.TOGETHER} - (
        set(module.KINDS) - set(TABLES["claims"].kind)
    )
    assert set(module.KINDS) == set(TABLES["claims"].kind) - {module.TOGETHER}


def test_claims_against_table_3():
    assert "Filipino 7.3" in detail("less than 3 percent")
    words = detail("it is less than 1 percent")
    assert "Filipino 1.2" in words
    assert "Indian 1" in words


def test_what_is_rounded_down_is_no_fault():
    for having, figure, holds in [
        ("'5 percent among Mexican-Americans'", "Mexican 5.8, rounded down", True),
        ("increases by 172 percent", "172.7 in the table, rounded down", True),
    ]:
        assert figure in detail(having, holds=holds)
    for tables in (
        rate(3, "Mexican", "incarcerated", 6.0),
        rate(3, "Mexican", "incarcerated", 4.4),
    ):
        assert detail("'5 percent among Mexican-Americans'", found=audit(tables))
    assert detail("by 172 percent", found=audit(edited("derived", 173.0, predictor="high_school")))


def test_percent_change_that_needs_another_coefficient():
    words = detail("235.3 percent needs a coefficient of", holds=True)
    assert f"{log(3.353):.4f}" in words
    assert f"{100 * (exp(1.2095) - 1):.2f}" in words  # the most that 1.209 can give
    assert 100 * (exp(1.2095) - 1) < 235.25 <= 100 * (exp(1.21) - 1)
    assert "rounded down to 1.209 it agrees" in words
    down = edited("derived", 235.6, predictor="male", quantity="percent_change")
    assert "rounding down does not explain it" in detail("235.6 percent", found=audit(down))
    # 12.6 needs .1187, which rounds to .119; but .1185 gives 12.58, which rounds to 12.6
    assert round(100 * (exp(0.1184999) - 1), 1) == 12.6
    assert "6 of 7 percent changes" in detail("percent changes follow", holds=True)


def test_sign_of_downward_mobility():
    assert "coefficient +0.402, derived effect -0.03" in detail("opposite signs")


def test_no_base_probability_fits_all():
    # p (1 - p) by hand, as intervals: the second ends before the fourth begins
    def between(b, change, half_b=0.0005, half=0.005):
        return (change - half) / (b + half_b), (change + half) / (b - half_b)

    married, professional = between(0.440, 0.03), between(1.191, 0.10)
    assert married[1] < professional[0]
    words = detail("b p (1 - p): no base probability")
    assert "apart: economic, married with economic, professional" in words
    roots = [0.5 - np.sqrt(0.25 - end) for end in between(1.035, 0.08)]
    assert f"male {roots[0]:.3f}-{roots[1]:.3f}" in words
    assert "apart: economic, male with economic, us years" in detail("the step from p to logit")


def test_a_base_probability_that_fits_is_found():
    tables = TABLES
    p, b = 0.1, STUDY.tables["coefficients"]
    derived = tables["derived"].copy()
    for i, row in derived[derived.quantity == "net_probability"].iterrows():
        at = (b.outcome == row.outcome) & (b.predictor == row.predictor)
        derived.loc[i, ["estimate", "decimals"]] = [
            round(float(b.estimate[at].item()) * p * (1 - p), 4), 4,
        ]  # fmt: skip
    found = audit({**tables, "derived": derived})
    words = detail("b p (1 - p): a base probability of", holds=True, found=found)
    low, high = map(float, words.split(" of ")[1].split(" fits")[0].split(" to "))
    assert low <= p <= high or low <= 1 - p <= high


def test_standard_errors_that_stars_imply():
    words = detail("pairs of dummies", holds=True)
    assert words.startswith("21 of 22")
    words = detail("13.0 times")
    least = 1.2085 / 2.5758
    most = 0.1185 / 3.2905
    assert f"{least:.3f} or more for male" in words
    assert f"{most:.3f} or less for married" in words
    assert f"{least / most:.1f}" == "13.0"


def test_label_without_percent_sign():
    assert "'no sign'" in detail("unit of Table 4's columns")


def test_totals_leave_shares_open():
    words = detail("the three totals with the same shares", holds=True)
    assert "Mexico is 27% to 41%" in words


def test_same_people_by_hand():
    words = detail("the two are not to be compared")
    women = {g: 2 * both - men for g, both, men in
             [("Guatemalan, Salvadoran", 22.35, 52.75), ("Chinese", 3.65, 8.25)]}  # fmt: skip
    assert all(share < 0 for share in women.values())
    assert all(group in words for group in women)
    assert "Mexican" not in words


def test_shares_of_table_1():
    words = detail("from the largest down, are", holds=True)
    assert f"{50776 + 18401 + 8963 + 7458 + 6695 + 4357:,}" in words


def test_reading_of_stars():
    for stars, low, high in [
        ("", 0, 1.959964), ("*", 1.959964, 2.575829), ("**", 2.575829, 3.290527),
        ("***", 3.290527, np.inf), ("#", 1.644854, 1.959964),
    ]:  # fmt: skip
        assert reading(stars) == pytest.approx((low, high), abs=1e-6)
    assert reading("#", "nothing") == (0, np.inf)


@pytest.mark.parametrize(
    ("check", "having", "tables"),
    [
        ("prose", "close to one-fourth", rate(3, "Mexican", "dropout", 14.1)),
        ("prose", "more than doubles", rate(3, "Non-Hispanic Whites", "dropout", 12.5)),
        ("prose", "quadruples", rate(3, "Indian", "dropout", 7.9)),
        ("prose", "Males are also", rate(3, "Korean", "dropout_males", 3.0)),
        ("prose", "approaching half", rate(3, "Mexican", "dropout_males", 51.0)),
        ("prose", "surpassing half", rate(3, "Guatemalan, Salvadoran", "dropout_males", 49.9)),
        ("prose", "quintuples", rate(3, "Non-Hispanic Whites", "dropout_males", 12.5)),
        ("prose", "the rate is 5 percent", rate(3, "Mexican", "child_15_19", 6.1)),
        ("prose", "much higher than", rate(3, "Filipino", "child_20_24", 9.3)),
        ("prose", "is less than 2 percent", rate(3, "Non-Hispanic Whites", "incarcerated", 2.1)),
        ("prose", "almost 5", rate(3, "Non-Hispanic Whites", "incarcerated_dropouts", 5.1)),
        ("prose", "Only native", rate(3, "Indian", "incarcerated_dropouts", 10.7)),
        ("prose", "rates increase", rate(3, "Indian", "incarcerated_dropouts", 0.7)),
        ("prose", "climbing to the teens", rate(4, "Vietnam", "inactive", 21.2)),
        ("prose", "surpassing one-fourth", rate(4, "Mexico", "inactive", 24.2)),
        ("prose", "exactly zero", rate(4, "China, Taiwan", "child_24", 0.2)),
        ("prose", "wider than in census", rate(3, "Mexican", "child_20_24", 60.2)),
        ("prose", "38 percent", edited("derived", 37.3, predictor="college")),
        ("prose", "Non-significant", edited("coefficients", "", "stars", predictor="age")),
        ("prose", "maximum of six", edited("prose", "5", "stated", name="h1b_years_most")),
        ("prose", "were new", edited("prose", "98000", "stated", name="h1b_ceiling_2002")),
        ("prose", "main national", edited("prose", "95964", "stated", name="h1b_canada_2003")),
        ("percent change", "college", edited("derived", 39.9, predictor="college")),
        ("net probability", "married", edited("derived", -12.6, predictor="married",
                                              quantity="percent_change")),
        ("stars", "'†'", edited("coefficients", "†", "stars", predictor="us_citizen")),
        ("stars", "college", edited("coefficients", 0.024, predictor="college")),
        ("digits", "us years", edited("coefficients", 0.003, predictor="us_years")),
        ("shares", "Telecommunications", edited("table1", 2.3, "percent",
                                                industry="Telecommunications")),
        ("shares", "not in order", edited("table1", 9357, "number",
                                          industry="Telecommunications")),
        ("totals", "inactive: the total", rate(4, "Totals", "inactive", 35.8)),
        ("totals", "no shares", rate(4, "Totals", "child_24", 47.0)),
    ],
)  # fmt: skip
def test_check_can_fail(check, having, tables):
    def failing(found):
        rows = found[(found.check == check) & ~found.holds]
        return set(rows[rows.detail.str.contains(having, regex=False)].detail)

    assert failing(audit(tables)) - failing(FOUND)


@pytest.mark.parametrize(
    ("having", "tables"),
    [
        ("less than 3 percent", rate(3, "Filipino", "child_20_24", 2.3)),
        ("comparable", rate(3, "Guatemalan, Salvadoran", "child_20_24", 21.5)),
        ("opposite signs", edited("derived", 0.03, predictor="downward_mobility")),
        ("13.0 times", edited("coefficients", "***", "stars", predictor="male")),
        ("explained by no legend", edited("coefficients", "", "stars", stars="#")),
        ("unit of Table 4", edited("claims", "%", "stated", stated="no sign")),
        ("not to be compared", edited("table3", 30.0, measure="dropout")),
        ("activities listed", edited("coefficients", "activities", "predictor",
                                     predictor="children")),
    ],
)  # fmt: skip
def test_what_fails_can_hold(having, tables):
    found = audit(tables)
    assert FOUND[~FOUND.holds].detail.str.contains(having, regex=False).sum() == 1
    assert not found[~found.holds].detail.str.contains(having, regex=False).any()
