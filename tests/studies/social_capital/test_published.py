"""The manuscript's numbers, entered twice, and what `tables` and `corrections` make of them."""

import csv
import math
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from bayesmig.errors import DataError
from bayesmig.models.social_capital import corrections, tables

ENTRY = Path(__file__).parents[2] / "entry"
PUBLISHED = Path(tables.__file__).parent / "published"
STRATA = ["none", "extended", "close"]
CELLS = ["first", "second", "third"]
LEVELS = {  # of every term, in the order of the tables
    "network": ["extended", "close"],
    "household_migrations": ["1", "2+"],
    "baseline_aspirations": [""],
    "male": [""],
    "age": [""],
    "age_squared": [""],
    "married": [""],
    "children": ["1", "2", "3", "4+"],
    "enrolled": [""],
    "education": ["lower_secondary", "upper_secondary"],
    "employment": ["wage", "self_employed"],
    "log_expenditure": [""],
    "robbery": [""],
    "urban": [""],
}


def text(path, **options):
    """A file as it stands: strings, so that 0.0 and 0 differ."""
    return pd.read_csv(path, dtype=str, keep_default_na=False, **options)


def typed(name, parts):
    """The typed entry, one row per cell: a cell's numbers are apart by blanks."""
    rows = []
    for row in text(ENTRY / f"social_capital_{name}_typed.tsv", sep="\t").to_dict("records"):
        for column, cell in enumerate([row.pop(name) for name in CELLS]):
            if cell:
                fields = [*cell.split(), *[""] * len(parts)][: len(parts)]
                assert cell == " ".join(fields).strip(), cell
                first = row["table"] in ("1", "text")
                contrast = "ABC"[column] if first else "ABC"["abc".index(row["table"][1])]
                stratum = "all" if first else STRATA[column]
                key = {**row, "contrast": contrast, "stratum": stratum}
                rows.append({**key, **dict(zip(parts, fields, strict=True))})
    return pd.DataFrame(rows)


def assert_same(shipped, second, key):
    both = shipped.merge(second, on=key, how="outer", suffixes=("", "_typed"), indicator=True)
    assert len(shipped) == len(second) == len(both)
    assert (both["_merge"] == "both").all(), both[both["_merge"] != "both"]
    for column in set(second) - set(key):
        differ = both[both[column] != both[f"{column}_typed"]]
        assert differ.empty, differ


RAW = text(PUBLISHED / "coefficients.csv")
PRINTED = tables.read()


def test_coefficients_agree():
    assert list(RAW) == "term level contrast stratum estimate se stars source".split()
    table = RAW.source.str.extract(r"Table (1|2[abc]), column")[0]
    second = typed("coefficients", ["estimate", "se", "stars"])
    assert_same(RAW.assign(table=table), second, ["table", "term", "level", "contrast", "stratum"])
    assert len(RAW) == 21 * 3 + 19 * 3 * 3  # Table 1; Tables 2a-c


def test_samples_agree():
    shipped = text(PUBLISHED / "samples.csv")
    second = typed("samples", ["individuals", "municipalities"])
    second.loc[second.table == "text", "contrast"] = ""
    assert_same(shipped, second, ["table", "contrast", "stratum"])
    assert len(shipped) == 13


def test_names_of_terms_and_levels():
    order = [(term, level) for term, levels in LEVELS.items() for level in levels]
    first = RAW[RAW.stratum == "all"][["term", "level"]].drop_duplicates()
    assert list(first.itertuples(index=False, name=None)) == order
    others = RAW[RAW.stratum == "close"][["term", "level"]].drop_duplicates()
    assert list(others.itertuples(index=False, name=None)) == order[2:]  # all but the network
    assert set(RAW.stars) == {"", "*", "**", "***", "†"}
    assert set(RAW.stratum) == {"all", *STRATA}


@pytest.mark.parametrize("name", sorted(p.name for p in PUBLISHED.glob("*.csv")))
def test_every_row_names_its_place(name):
    assert text(PUBLISHED / name).source.str.contains(r"Table \d|section \d|footnote \d").all()


def test_claims_are_whole():
    claims = text(PUBLISHED / "claims.csv")
    assert claims.claim.is_unique
    assert (claims.quote != "").all()
    differences = claims[claims.kind == "difference"]
    assert len(differences) == 25  # as counted by reading
    assert set(differences.stated) == {"higher", "lower"}
    assert list(differences.contrast.value_counts().sort_index()) == [16, 8, 1]
    known = set(RAW[["term", "level"]].itertuples(index=False, name=None))
    named = claims[(claims.term != "") & ~claims.kind.isin(["categories", "how_many"])]
    assert set(named[["term", "level"]].itertuples(index=False, name=None)) <= known


# As numbers


def exact():
    """Estimates as exact decimals, by term, level and stratum; read without pandas."""
    found = {}
    with (PUBLISHED / "coefficients.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            key = row["term"], row["level"], row["stratum"]
            found.setdefault(key, {})[row["contrast"]] = Decimal(row["estimate"])
    return found


def test_rounding_is_that_of_the_printed_digits():
    for column in ("estimate", "se"):
        digits = RAW[column].str.partition(".")[2].str.len()
        assert tables.half_unit(PRINTED[column]) == pytest.approx(0.5 * 10.0**-digits)


def test_tidy_takes_any_reading_of_the_file():
    with_missing = pd.read_csv(PUBLISHED / "coefficients.csv")
    assert with_missing.level.isna().any()
    pd.testing.assert_frame_equal(tables.tidy(with_missing), PRINTED)
    as_they_are = pd.read_csv(PUBLISHED / "coefficients.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(tables.tidy(as_they_are), PRINTED)


def test_corrected_is_the_exact_sum():
    found = corrections.corrected()
    rows = found[(found.contrast == "C") & (found.stratum == "all")].set_index(["term", "level"])
    for (term, level, stratum), value in exact().items():
        if stratum == "all":
            assert rows.corrected[term, level] == float(value["A"] + value["B"])
    # as computed by hand
    for key, value in {
        ("network", "extended"): 0.406,
        ("network", "close"): 1.419,
        ("baseline_aspirations", ""): 1.413,
        ("male", ""): 0.934,
        ("robbery", ""): 0.030,
        ("urban", ""): 0.262,
        ("employment", "self_employed"): 0.054,
    }.items():
        assert rows.corrected[key] == value


def test_corrected_says_so_and_leaves_print_alone():
    found = corrections.corrected()
    pd.testing.assert_frame_equal(found[list(PRINTED)], PRINTED)
    marked = found.note.str.contains("correction")
    assert (found.corrected != found.estimate).sum() == marked.sum() == 19
    assert (found.stratum[marked] == "all").all()
    assert (found.contrast[marked] == "C").all()
    close = found[marked & (found.level == "close")].note.item()
    assert close.startswith("correction: A + B = +1.419; printed -0.657 *; ")
    assert (found.note.str.contains("covariance") == (found.contrast == "C")).all()
    apart = found[found.note.str.contains("complete separation")]
    assert list(apart.estimate) == [-60.81, 60.52, -0.287]


def test_correction_follows_the_numbers():
    # a C that is A + B after all is not corrected, and one that is not is
    rows = PRINTED.copy()
    urban = (rows.term == "urban") & (rows.contrast == "C")
    rows.loc[urban & (rows.stratum == "all"), "estimate"] = 0.262
    rows.loc[urban & (rows.stratum == "none"), "estimate"] = 0.167
    found = corrections.corrected(rows)[urban].set_index("stratum")
    assert list(found.note.str.contains("correction")) == [False, True, False, False]
    assert found.corrected["none"] == 0.158


def test_corrected_table_1_is_laid_out_and_labelled():
    found = corrections.corrected_table_1()
    assert list(found) == ["A", "B", "C as printed", "C corrected", "correction"]
    assert list(found.index) == [(t, level) for t, levels in LEVELS.items() for level in levels]
    close = found.loc[("network", "close")]
    assert close["A"] == "1.038 (0.193) ***"
    assert close["C as printed"] == "-0.657 (0.293) *"
    assert close["C corrected"] == 1.419
    assert close["correction"] == "correction, not the authors'; other sign"
    assert found.loc[("male", ""), "correction"] == "correction, not the authors'"
    right = found[found.correction == ""]
    assert list(right.index) == [("network", "extended"), ("age_squared", "")]
    shown = right["C as printed"].str.split(" ").str[0].astype(float)
    assert list(shown) == list(right["C corrected"])
    signs = {key[:2]: row for key, row in exact().items() if key[2] == "all"}
    turned = [k for k, row in signs.items() if row["C"] * (row["A"] + row["B"]) < 0]
    assert list(found.index[found.correction.str.endswith("other sign")]) == turned


def test_difference_of_footnote_3():
    found = tables.strata_differences(PRINTED)
    assert len(found) == 19 * 3 * 3
    at = found.set_index(["term", "level", "contrast", "first", "second"])
    row = at.loc["male", "", "A", "extended", "none"]
    assert row.estimate == 1.649  # 1.988 - 0.339
    assert row.se == pytest.approx(math.sqrt(0.636**2 + 0.279**2))
    assert row.p == pytest.approx(math.erfc(row.estimate / row.se / math.sqrt(2)))
    assert row.p == pytest.approx(0.0176, abs=5e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="se"), "no column se"),
        (lambda t: t.assign(estimate=["x", *t.estimate[1:]]), "network extended A all"),
        (lambda t: t.assign(se=["0", *t.se[1:]]), "network extended A all"),
        (lambda t: pd.concat([t, t.iloc[[5]]]), "given twice: network close C all"),
    ],
)
def test_bad_tables_are_named(change, message):
    with pytest.raises(DataError, match=message):
        tables.tidy(change(RAW))


def test_absent_rows_are_named():
    without = PRINTED[~((PRINTED.term == "urban") & (PRINTED.contrast == "B"))]
    with pytest.raises(DataError, match="not all there for urban all"):
        tables.contrasts(without)
    without = PRINTED[~((PRINTED.term == "urban") & (PRINTED.stratum == "close"))]
    with pytest.raises(DataError, match="not there for stratum close: urban A"):
        tables.strata_differences(without)
