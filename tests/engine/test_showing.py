"""Tables as they show themselves: in a terminal of 80 columns, in a notebook, as files."""

import html
import json

import numpy as np
import pandas as pd
import pytest
from fits import STUDY
from toy.fits import toy_fit

import bayesmig as bm
from bayesmig import showing


@pytest.fixture(autouse=True)
def terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def test_a_comparison_prints_its_numbers_in_a_terminal():
    table = bm.compare(toy_fit(), quantity="slope")
    lines = repr(table).splitlines()
    assert str(table) == repr(table)
    assert max(map(len, lines)) <= 80
    for row in table.to_dict("records"):
        (line,) = [li for li in lines if li.strip().startswith(row["coordinates"])]
        for name in ("published", "published_low", "published_high", "mean", "low", "high"):
            assert f"{row[name]:.1f}" in line


def test_full_prints_every_column():
    table = bm.compare(toy_fit(), full=True)
    said = repr(table)
    for column in table.columns:
        assert column in said
    assert list(table.columns) == list(bm.compare(toy_fit()).columns)
    assert max(map(len, bm.summary(toy_fit(), full=True).to_string(line_width=80).split("\n"))) < 90


def test_what_is_taken_out_is_a_plain_table():
    table = bm.compare(toy_fit())
    for part in (table[["mean"]], table[table["mean"] > 1], table.copy(), table.assign(x=1)):
        assert type(part) is pd.DataFrame
    assert repr(table[["mean"]]) == repr(pd.DataFrame({"mean": table["mean"]}))


def test_a_long_table_says_what_it_leaves_out():
    table = bm.summary(toy_fit())
    rows = [{"": str(i), "posterior": "1"} for i in range(100)]
    cut = showing._cut(rows, showing.MOST)
    assert len(cut) == showing.MOST + 1
    assert cut[30] == {"": "... 40 rows more", "posterior": ""}
    assert "rows more" not in repr(table)


def test_an_audit_says_what_does_not_hold():
    audit = STUDY.audit()
    failed = audit[~audit.holds]
    said = repr(audit)
    for column in ("check", "where", "detail"):
        for words in failed[column]:
            assert words in said
    assert said.endswith(
        f"{len(failed)} of {len(audit)} checks do not hold; of those that do, "
        f"{audit['rounding'].sum()} by rounding only."
    )
    assert type(failed) is pd.DataFrame


def test_tables_show_themselves_in_notebooks():
    hostile = toy_fit().copy()
    hostile.attrs["data_title"] = "<script>alert(1)</script>"
    shown = {
        "comparison": bm.compare(hostile)._repr_html_(),
        "audit": STUDY.audit()._repr_html_(),
        "study": STUDY._repr_html_(),
        "priors": STUDY.priors()._repr_html_(),
    }
    assert "<script>" not in shown["comparison"]
    assert "&lt;script&gt;" in shown["comparison"]
    assert all("<table" in shown[name] for name in ("comparison", "audit", "priors"))
    for name, about in STUDY.prior_sets.items():
        assert name in shown["study"]
        assert html.escape(about) in shown["study"]


def test_what_is_in_a_set_of_priors_is_no_markup():
    mine = bm.PriorSet("<i>mine", "<b>about", STUDY.priors().specs)
    assert "<i>" not in mine._repr_html_()
    assert "<b>about" not in mine._repr_html_()


def test_json_has_null_where_there_is_no_number():
    table = pd.DataFrame({"n": [1, 2], "x": [0.5, np.nan], "holds": [True, False], "t": ["é", "="]})
    assert json.loads(showing.as_json(table)) == [
        {"n": 1, "x": 0.5, "holds": True, "t": "é"},
        {"n": 2, "x": None, "holds": False, "t": "="},
    ]
    assert json.loads(showing.as_json(table[:0])) == []


def test_csv_runs_nothing():
    table = pd.DataFrame({"label": ["=1+1", "-3"], "x": [-0.5, 1.0]})
    assert showing.as_csv(table) == "label,x\n'=1+1,-0.5\n-3,1.0\n"
