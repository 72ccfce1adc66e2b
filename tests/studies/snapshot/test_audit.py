"""The audit of the snapshot paper: what it finds, and that each check can fail."""

from itertools import product
from math import isclose
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bayesmig.audit import run
from bayesmig.models.snapshot.audit import CHECKS, paper
from bayesmig.models.snapshot.audit.numbers import calculate
from bayesmig.models.snapshot.audit.prose import KINDS
from bayesmig.models.snapshot.audit.stays import mean_stay
from bayesmig.models.snapshot.audit.surveys import sampled

PUBLISHED = Path(__file__).parents[3] / "models" / "snapshot" / "published"


def audit(tables):
    return run(CHECKS, paper(tables))


def read(**options):
    return {path.stem: pd.read_csv(path, **options) for path in PUBLISHED.glob("*.csv")}


TABLES = read(dtype=str, keep_default_na=False)
FOUND = audit(TABLES)


def edited(name, value, column="estimate", **where):
    """Return a copy of the tables with one field of ``name`` changed, where ``where`` says."""
    table = TABLES[name].copy()
    rows = pd.Series(True, index=table.index)
    for key, wanted in where.items():
        rows &= table[key] == wanted
    assert rows.any(), where
    table.loc[rows, column] = value
    return {**TABLES, name: table}


def quantity(name, value, column="estimate"):
    return edited("quantities", value, column, quantity=name)


def claim(kind, value, column="stated", **where):
    return edited("claims", value, column, kind=kind, **where)


def detail(having, *, check=None, holds=False, found=FOUND):
    """Detail of the one finding that is meant."""
    rows = found[(found.holds == holds) & found.detail.str.contains(having, regex=False)]
    if check:
        rows = rows[rows.check == check]
    assert len(rows) == 1, rows
    return rows.detail.item()


# What is found


def test_shape():
    assert list(FOUND) == ["check", "where", "holds", "detail", "rounding"]
    assert FOUND.holds.dtype == bool
    for column in ("check", "where", "detail"):
        assert FOUND[column].str.len().gt(0).all()
    assert set(FOUND.check) == {check.name for check in CHECKS}
    assert not FOUND.duplicated().any()
    assert not FOUND.detail.str.contains("nan").any()
    assert (~FOUND.holds).sum() == 7
    assert list(FOUND[FOUND.rounding].check) == ["arithmetic", "total crossings"]
    assert FOUND[FOUND.rounding].holds.all()


def test_however_the_files_are_read():
    # as the study reads them, and with pandas' defaults: numbers, and NaN for empty fields
    pd.testing.assert_frame_equal(audit(read(keep_default_na=False)), FOUND)
    pd.testing.assert_frame_equal(audit(read()), FOUND)


def test_kinds_of_claims_are_known():
    assert set(TABLES["claims"].kind) == {*KINDS, "label"}


def test_retired_share():
    words = detail("0.23/0.37", holds=True)
    assert "= 0.6216, printed 0.63" in words
    # by hand: 0.225/0.375 and 0.235/0.365
    assert isclose(0.225 / 0.375, 0.6)
    assert f"0.600 to {0.235 / 0.365:.3f}" in words
    assert "unrounded ones may have" in words


def test_arithmetic_that_holds():
    claims = TABLES["claims"]
    n = (claims.kind == "arithmetic").sum()
    assert detail("calculations hold", holds=True) == f"{n - 1} calculations hold"


def test_repetitions_hold():
    n = TABLES["claims"].kind.isin(["estimate", "ci_low", "ci_high"]).sum()
    assert detail("repetitions", holds=True) == f"{n} repetitions of a number hold"


def test_intervals():
    words = detail("4 intervals are symmetric", holds=True)
    for name, width in (("solitary share", 0.22), ("population 2016", 10.4)):
        assert f"{name} {width / 3.92:.2g}" in words
    assert "13.5 to 22.9" in detail("standard error 2.4", holds=True)


def test_where_everybody_is():
    abroad = 2.09 - 0.63 / 0.34
    low, high = 2.085 - 0.635 / 0.335, 2.095 - 0.625 / 0.345
    words = detail("active at home", holds=True)
    assert f"leaves {abroad:.2f} ({low:.2f} to {high:.2f}) in the United States" in words
    assert f"and {1 - 0.63 - abroad:.2f} (" in words
    migrants = 45.43 / (0.63 + 0.37 * 2.09)
    circular = 0.37 * abroad * migrants
    words = detail("million migrants in all", holds=True)
    assert words.startswith(f"{migrants:.1f} (")
    assert f"about {circular:.1f} million circular and {14.6 - circular:.1f} million" in words
    assert f"{(14.6 - circular) / migrants / 0.63:.2f} (" in words


def test_total_crossings():
    words = detail("cannot be recomputed", holds=True)
    assert "85.4 % (85.3 to 85.5)" in words
    assert f"{38.8 / 27:.2f} million a year, after {(45.43 - 38.8) / 10:.2f} million" in words
    assert "moves T by 0.06" in detail("T is printed to 0.01", holds=True)


def test_sojourns():
    # 0.61 of more than 20 years, 29 in the mean, and the others one year: 18.2 in the mean
    words = detail("mean solitary sojourn 18.2: possible", holds=True)
    assert "1.0 to 29.0" in words
    assert words.endswith("at most 0.61 of all")
    assert abs(0.61 * 29 + 0.39 * 1 - 18.2) < 0.15
    words = detail("mean circular sojourn 5.8: possible", holds=True)
    assert words.endswith("at most 0.16 of all")
    assert abs(0.67 * 1 + 0.16 * 29 + 0.17 * 3 - 5.8) < 0.1


def test_indices():
    assert "675 of the 9055 cells" in detail("eq. 20 defines", check="indices")
    assert sum(range(8, 38)) == 675
    assert sum(t * (t + 1) // 2 for t in range(8, 38)) == 9055


def test_labels():
    places = FOUND[FOUND.check == "labels"]
    assert list(places.holds) == [False, False]
    assert "'all trips recorded' in Section 9" in places.detail.iloc[0]


@pytest.mark.parametrize(
    ("having", "holds", "figure"),
    [
        ("as it must", True, "1/q = 2.94 (2.56 to 3.45"),
        ("multiple repeat visits", False, "at most 66% ever repeat it, and 44% more than once"),
        ("tend to be short", True, "average 13.5 to 15.5 years"),
        ("overwhelming majority", True, "at most 33.3 of the 45.43 million"),
        ("much closer", True, "Fazel-Zarandi et al. 2018 15.5, Capps et al. 2018 3.5, model 11.4"),
        ("conventional estimates", False, "holds 11, 1.4 standard errors"),
        ("many more undocumented", True, "14.4 to 24.8"),
        ("which is broadly consistent", True, "19.6, their 95 % interval 16.2 to 29.5"),
        ("16.7 million persons", True, "beside 22 with the 95 % interval 16.2 to 29.5"),
        ("four communities", True, "5.37 for each of 30 annual surveys, or 4.47"),
        ("200 households", False, "161.8 each"),
        ("25 border crossing", True, "25 here, 30 in Mexican Migration Project"),
        ("fewer migrants successfully", True, "1.56 at 39%, 2.33 at 30%"),
    ],
)
def test_prose(having, holds, figure):
    rows = FOUND[(FOUND.check == "prose") & FOUND.detail.str.contains(having)]
    assert len(rows)
    assert (rows.holds == holds).all()
    assert rows.detail.str.contains(figure, regex=False).sum() == 1


# The parts by other means


def test_mean_stay_by_following_people():
    # 40 %, then 4 % to the tenth year, then 1 %: chances to be there, year by year
    there = [1.0]
    for year in range(1, 37):
        there.append(there[-1] * (1 - (0.4 if year == 1 else 0.04 if year <= 10 else 0.01)))
    assert mean_stay({1: 0.4, 2: 0.04, 11: 0.01}, 37) == pytest.approx(sum(there))
    assert mean_stay({1: 0.0}, 37) == 37
    assert mean_stay({1: 1.0}, 37) == 1


def test_calculate():
    found = calculate("0.37*2.09/(0.63+0.37*2.09)")
    assert found.value == pytest.approx(0.7733 / 1.4033)
    corners = [
        a * b / (c + a * b) for a, b, c in product((0.365, 0.375), (2.085, 2.095), (0.625, 0.635))
    ]
    assert (found.low, found.high) == pytest.approx((min(corners), max(corners)))
    assert calculate("2016-1980+1") == (37, 37, 37)
    for wrong in ("2**3", "abs(1)", "x", "-1"):
        with pytest.raises((ValueError, KeyError)):
            calculate(wrong)


def by_loops(phi, q, mean_trips, a_s, a_c):
    """Eqs. 11-30 as they stand, years from 1; even departures."""
    tau = len(mean_trips)
    years = range(1, tau + 1)
    f = 1 / tau
    m = dict(zip(years, mean_trips, strict=True))
    a_s, a_c = ({j: a[j - 1] for j in years} for a in (a_s, a_c))
    n_s = {t: phi * f * t for t in (0, *years)}
    n_c = {t: (1 - phi) * m[tau] * f * t / m[t] for t in years} | {0: 0.0}
    rookies = {t: n_c[t] - n_c[t - 1] for t in years}
    flow = (1 - phi) * m[tau] * f
    p_s, p_c, retired = {0: 0.0}, {0: 0.0}, {0: 0.0}
    for t in years:
        beyond = [(1 - sum(a[k] for k in range(1, t - j + 2)))
                  for a in (a_s, a_c) for j in range(1, t + 1)]  # fmt: skip
        p_s[t] = sum(phi * f * share for share in beyond[:t])
        p_c[t] = sum(flow * share for share in beyond[t:])
        retired[t] = (n_c[t] * m[t] - p_c[t]) * q
    rho = {1: 0.0}
    for t in range(2, tau + 1):
        rho[t] = (flow - rookies[t]) / (n_c[t - 1] - p_c[t - 1] - retired[t - 1])
    single, repeat = np.zeros((2, tau, tau, tau))
    for t in years:
        sigma = n_s[t] - p_s[t] + n_c[t] - p_c[t]
        for d in range(1, t + 1):
            for j in range(1, t - d + 2):
                nu = 1.0
                for k in range(d + j, t + 1):
                    nu *= 1 - rho[k]
                stay = q + (1 - q) * nu
                cell = t - 1, d - 1, j - 1
                single[cell] = (phi * f * a_s[j] + rookies[d] * a_c[j] * stay) / sigma
                repeat[cell] = (flow - rookies[d]) * a_c[j] * stay / sigma
    return single, repeat, [p_s[t] + p_c[t] for t in years]


@pytest.mark.parametrize("constant", [1, 0.95])
def test_probabilities_of_a_survey(constant):
    years = np.arange(1, 13)
    laws = [np.exp(-years / scale) for scale in (9, 2)]
    laws = [constant * law / law.sum() for law in laws]
    path = np.linspace(1, 1.8, 12)
    found, oracle = sampled(0.6, 0.3, path, *laws), by_loops(0.6, 0.3, path, *laws)
    for mine, theirs in zip(found, oracle, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-14)
    np.testing.assert_allclose((found.single + found.repeat).sum((1, 2)), 1)  # eq. 31


def test_one_constant_for_both_sojourns():
    words = detail("identical data likelihood")
    years = np.arange(1, 38)
    laws = [leave * (1 - leave) ** (years - 1) for leave in (0.01, 0.17)]
    laws = [law / law.sum() for law in laws]
    path = np.linspace(1, 2.09, 37)
    before = by_loops(0.63, 0.34, path, *laws)
    after = by_loops(0.63, 0.34, path, *(0.95 * law for law in laws))
    shares = [single[-1].sum() for single, _, _ in (before, after)]
    assert f"from {shares[0]:.3f} to {shares[1]:.3f}" in words
    old, new = (np.array(sides[:2])[:, 7:] for sides in (before, after))
    there = old > 0
    loss = (old[there] * np.log(old[there] / new[there])).sum() * 3480 / 30
    assert loss > 1
    assert f"falls by {loss:.1f}," in words
    assert f"grows {after[2][-1] / before[2][-1]:.2f} times" in words
    assert f"mean stays of {laws[0] @ years:.1f} and {laws[1] @ years:.1f} years" in words


def test_one_constant_without_repeat_trips():
    found = audit(quantity("mean_trips_2016", "1"))
    words = detail("exact without", check="prose", holds=True, found=found)
    moved = float(words.partition("move by ")[2].partition(")")[0])
    assert moved < 1e-14
    assert words.partition("falls by ")[2].partition(",")[0] in ("0.0", "-0.0")


def test_a_constant_too_small():
    # then more repeat trips depart than active migrants are at home
    assert "falls by inf," in detail("exact without", found=audit(claim("scaling", "0.8")))


# Each check can fail: break one number, and the check names the place


def breaks(tables, check, where):
    """Whether a check newly fails at a place."""
    found = audit(tables)
    new = found[(found.check == check) & ~found.holds & (found["where"] == where)]
    old = FOUND[(FOUND.check == check) & ~FOUND.holds]
    return len(new.merge(old, how="left", indicator=True).query("_merge == 'left_only'")) > 0


@pytest.mark.parametrize(
    ("check", "where", "tables"),
    [
        ("stated twice", "Section 13", claim("estimate", "14.7", quantity="population_2016")),
        ("stated twice", "Section 1", quantity("population_2016", "9.3", "ci_low")),
        ("stated twice", "Section 12", quantity("population_2016", "19.9", "ci_high")),
        ("arithmetic", "Section 11", claim("arithmetic", "119", claim="parameters")),
        ("arithmetic", "Section 12", claim("arithmetic", "0.58", claim="retired share")),
        ("intervals", "Section 12", quantity("solitary_share", "0.78", "ci_high")),
        ("intervals", "Section 12", quantity("mean_circular_sojourn", "2.6", "se")),
        ("who is where in 2016", "Section 12, eq. 18", quantity("retired_share", "0.83")),
        (
            "who is where in 2016",
            "Section 12, eqs. 18 and 44",
            quantity("population_2016", "24.6"),
        ),
        ("total crossings", "Section 12, eq. 44", quantity("total_crossings", "35.43")),
        ("sojourns", "Section 12, eq. 42", quantity("mean_circular_sojourn", "15.8")),
        ("sojourns", "Section 12, eq. 42", quantity("mean_solitary_sojourn", "30.1")),
        (
            "labels",
            "Section 9, Section 10",
            claim("label", "trips", claim="what makes a trip a repeat", section="Section 10"),
        ),
        ("prose", "Section 12", quantity("circular_share_of_migrants", "0.31")),
        ("prose", "Section 12", quantity("mean_trips_2016", "3.09")),
        ("prose", "Section 10", quantity("circular_sojourn_within_2_years", "0.47")),
        ("prose", "Section 12", quantity("circular_share_of_crossings", "0.25")),
        ("prose", "Section 12", quantity("mean_solitary_sojourn", "8.2")),
        ("prose", "Abstract", edited("hazards", "2", origin="Capps et al. 2018")),
        ("prose", "Section 12", claim("apprehensions", "45")),
        ("prose", "Section 13", quantity("population_2016", "10.6")),
        ("prose", "Section 13", quantity("population_with_overstayers_2016", "15.6")),
        ("prose", "Section 12", quantity("population_with_overstayers_2016", "30.6")),
        ("prose", "Abstract", quantity("population_2016", "22.6")),
        ("prose", "Section 12", edited("others", "22.7", quantity="ffk_lower_bound")),
        ("prose", "Section 9", quantity("crossings_listed", "31")),
        ("prose", "Section 2", quantity("communities_per_year", "6")),
    ],
)
def test_check_can_fail(check, where, tables):
    assert breaks(tables, check, where)


@pytest.mark.parametrize(
    ("check", "having", "tables"),
    [
        ("prose", "multiple repeat", quantity("retirement_prob", "0.20")),
        ("prose", "conventional", quantity("population_2016", "11.6", "ci_low")),
        ("prose", "200 households", quantity("households_per_community", "162")),
        ("labels", "authors", claim("label", "FFK", claim="authors of the 2018 estimate")),
    ],
)
def test_what_fails_can_hold(check, having, tables):
    found = audit(tables)
    rows = found[(found.check == check) & found.detail.str.contains(having)]
    assert rows.holds.all()


@pytest.mark.parametrize(
    ("having", "tables"),
    [
        ("0.23/0.37", claim("arithmetic", "0.62", claim="retired share")),
        ("T is printed", quantity("total_crossings", "45")),
    ],
)
def test_what_rounding_explains_can_hold_without_it(having, tables):
    found = audit(tables)
    assert not found[found.rounding].detail.str.contains(having).any()
    assert FOUND[FOUND.rounding].detail.str.contains(having).sum() == 1


def test_index_that_the_ranges_cover():
    # if the migration began in the year of the first survey, year 1 is still not repeated
    found = audit(quantity("first_survey_index", "37"))
    assert "37 of the 703 cells" in detail("eq. 20 defines", found=found)


def test_missing_numbers():
    tables = {**TABLES, "quantities": TABLES["quantities"].iloc[1:]}
    with pytest.raises(KeyError, match="solitary_share"):
        audit(tables)
    with pytest.raises(KeyError, match="has no ci_low"):
        audit(edited("others", "", "ci_low", quantity="ffk_population"))
    with pytest.raises(KeyError, match="hazards"):
        audit({name: table for name, table in TABLES.items() if name != "hazards"})
