"""Every estimand in one table, whether somebody printed it or not."""

import json

import numpy as np
import pytest
from toy.fits import toy_fit
from toy.simulate import FEW as OUTCOMES

import bayesmig as bm
from bayesmig.cli import app
from bayesmig.showing import tables


def unprinted():
    """A fit to which no printed number belongs."""
    fitted = toy_fit(own_data=1).copy()
    fitted["published"] = fitted["published"].isel(row=slice(0))
    return fitted


def test_a_row_for_each_value_of_each_estimand():
    table = bm.summary(toy_fit())
    assert list(table.quantity) == ["odds_ratio"] + ["slope"] * len(OUTCOMES)
    assert sorted(table.coordinates[1:]) == sorted(OUTCOMES)
    assert list(table.columns) == list(bm.compare(toy_fit()).columns)
    assert dict(zip(table.quantity, table.units, strict=True)) == {
        "odds_ratio": "ratio",
        "slope": "per unit of distance",
    }


def test_print_stands_beside_what_is_printed():
    table = bm.summary(toy_fit(), 0.9).set_index("coordinates")
    assert table.published["moved"] == 0.8
    assert table.published["income"] == 1.2
    assert table.published.drop(["", "moved", "income"]).isna().all()
    assert (table.ci_prob == 0.9).all()


def test_the_numbers_are_those_of_the_draws():
    fitted = toy_fit()
    draws = fitted["estimands"]["slope"].sel(outcome="visits").values.ravel()
    row = bm.summary(fitted, quantity="slope").set_index("coordinates").loc["visits"]
    assert row["mean"] == pytest.approx(draws.mean())
    assert row.sd == pytest.approx(draws.std(ddof=1))
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (row.low, row.high) == pytest.approx((low, high))
    assert np.isnan(
        row[["published", "difference_se", "difference_sd", "overlap", "width_ratio"]].astype(float)
    ).all()
    assert row.ess > 1
    assert row.r_hat > 0.9


def test_compare_shows_what_is_printed_and_what_is_asked_for():
    table = bm.compare(toy_fit())
    assert sorted(table.coordinates) == ["", "income", "moved"]
    assert len(bm.compare(toy_fit(), quantity="slope")) == 2


def test_without_print_compare_is_the_summary():
    fitted = unprinted()
    table = bm.compare(fitted)
    assert table.equals(bm.summary(fitted))
    assert table.published.isna().all()
    assert len(table) == 1 + len(OUTCOMES)


def test_tables_show_two_digits_of_the_spread():
    parts = tables(bm.compare(unprinted()))
    assert list(parts) == ["headline numbers", "slope"]
    assert parts["headline numbers"].label.tolist() == ["odds ratio (ratio)"]
    sd = parts["slope"].sd.min()
    assert parts["slope"].decimals.iloc[0] == 1 - np.floor(np.log10(sd))


def test_a_picture_without_print_has_no_print():
    axes = bm.plot_compare(unprinted()).axes
    words = [text for axis in axes for text in axis.get_legend_handles_labels()[1]]
    assert words
    assert not [w for w in words if "printed" in w]


def test_a_report_on_own_data_has_no_paper(tmp_path):
    page = bm.report(toy_fit(own_data=1), tmp_path).read_text(encoding="utf-8")
    assert "<h1>SYNTHETIC people, seed 11</h1>" in page
    assert "What does not agree in print" not in page
    assert ">given</th>" in page
    assert "printed" not in page.partition("<h2>Model card</h2>")[0].partition("</style>")[2]
    assert "Seven regressions." in page
    assert "What is wrong in print" not in page


def test_a_report_on_the_papers_data_has_its_audit(tmp_path):
    page = bm.report(toy_fit(), tmp_path).read_text(encoding="utf-8")
    assert "<h1>Seven outcomes of people who moved some distance</h1>" in page
    assert "What does not agree in print" in page
    assert ">printed</th>" in page


def test_a_shell_prints_it(tmp_path):
    from typer.testing import CliRunner

    path = bm.save_fit(unprinted(), tmp_path / "own.nc")
    for verb in ("summary", "compare"):
        done = CliRunner().invoke(app, [verb, str(path)])
        assert done.exit_code == 0, done.output
        assert "odds ratio (ratio)" in done.output
        assert "printed" not in done.output
    one = CliRunner().invoke(app, ["summary", str(path), "-q", "slope"])
    assert "visits" in one.output


@pytest.mark.parametrize("function", [bm.summary, bm.compare, bm.plot_compare])
def test_an_unknown_quantity(function):
    with pytest.raises(bm.StudyError, match="unknown quantity 'slop' .did you mean 'slope'"):
        function(toy_fit(), quantity="slop")


# What is wrong with draws, and what to try


@pytest.mark.parametrize(
    ("bulk", "tail", "times"), [(399.0, 900.0, 2), (230.0, 500.0, 3), (700.0, 99.0, 7)]
)
def test_advice_says_how_many_draws_are_needed(bulk, tail, times):
    """Half as many effective draws again as are asked for (400), by the worst that there are."""
    found = {
        "divergences": 0,
        "ess_bulk": {"worst": bulk, "variable": "a", "beyond": int(bulk < 400)},
        "ess_tail": {"worst": tail, "variable": "b", "beyond": int(tail < 400)},
        "bfmi": 0.9,
    }
    fitted = toy_fit().copy()
    fitted.attrs |= {"diagnostics": json.dumps(found), "draws": 1000, "tune": 500, "chains": 2}
    advice = bm.problems(fitted)[-1]
    assert advice.startswith(f"try longer chains (draws={times}000, tune=1000)")
