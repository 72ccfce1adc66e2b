"""The study of person records, from extract to comparison."""

import json
import warnings
from functools import cache

import numpy as np
import pandas as pd
import pytest

import bayesmig as bm
from bayesmig.models.emigration.assumptions import assumptions
from bayesmig.models.emigration.microdata import (
    classical,
    data,
    figures,
    recovery,
    synthetic,
)
from bayesmig.models.emigration.microdata.counts import cells
from bayesmig.models.emigration.microdata.counts.attributes import flow, labels
from bayesmig.models.emigration.microdata.counts.collapse import collapse
from bayesmig.models.emigration.microdata.ipums.frames import panel_of_frame

pytestmark = pytest.mark.fits  # 20 s for the compiler

STUDY = bm.load_study("emigration_microdata")
COARSE = {"covariates": ("country", "duration", "owner"), "mortality": "marginal"}
FEW = {"emigrated": "mexican + age_group + sex + duration", "returned": "sex + duration",
       "moved": "mexican + age_group + owner", "lost": "mexican + age_group + owner"}  # fmt: skip
TINY = {"draws": 40, "tune": 80, "chains": 2, "progress": False}
YEARS = range(1996, 1999)


@cache
def panel(seed=1):
    return STUDY.simulate(persons=4000, years=YEARS, seed=seed, **COARSE)


@cache
def fitted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        return bm.fit(STUDY, panel(), **TINY, **FEW)


def test_the_study_is_listed_with_the_papers_print():
    assert "emigration_microdata" in bm.list_studies()
    cells_of = bm.load_study("emigration")
    pd.testing.assert_frame_equal(STUDY.published, cells_of.published)
    pd.testing.assert_frame_equal(STUDY.audit(), cells_of.audit())


def test_what_is_synthetic_says_so():
    found = STUDY.example(persons=2000, years=2)
    assert found.attrs["synthetic"] == 1
    assert found.attrs["title"].startswith("SYNTHETIC")
    table = bm.compare(fitted())
    assert table.attrs["synthetic"] == 1
    assert table.attrs["data_title"].startswith("SYNTHETIC")


def test_an_extract_goes_through_the_same_door(tmp_path):
    path = synthetic.write_extract(tmp_path, households=500, years=YEARS, seed=4)
    found = STUDY.read(path)
    people = data.panel(path).frame()
    first = people[people.generation == "first"]
    assert found.people.sum() == len(first)
    assert found.followed.sum() == first.followed.sum()
    assert found.weight.sum() == pytest.approx(first.weight.sum())
    assert found.native_people.sum() == (people.generation == "second").sum()
    adults = people[people.age >= 15]
    assert found.moved_people.sum() == adults.moved.notna().sum()
    assert found.moved.sum() == adults.moved.sum()
    assert found.returned.sum() == first.returned.sum()
    assert found.attrs["synthetic"] == 1
    steps = flow(found)
    linked = steps[(steps.year == "total") & (steps.step == "linked")]
    assert int(linked.persons.iloc[0]) == people.followed.sum()


def test_options_of_reading(tmp_path):
    path = synthetic.write_extract(tmp_path, households=300, years=YEARS, seed=4)
    with pytest.raises(
        bm.StudyError, match="unknown option of reading 'sexes' .did you mean 'sex'"
    ):
        STUDY.read(path, sexes=False)
    every, younger = STUDY.read(path), STUDY.read(path, age_difference=(0,), years=[1996])
    assert json.loads(younger.attrs["years"]) == [1996]
    first = flow(every)[lambda f: (f.year == 1996) & (f.step == "linked")].persons.iloc[0]
    assert flow(younger)[lambda f: (f.year == 1996) & (f.step == "linked")].persons.iloc[0] < first
    codes = STUDY.read(path, china="mainland", counted="effective", citizens=True)
    assert codes.attrs["likelihood"].startswith("PSEUDO")
    assert "Table 14, All Foreign-born, Naturalized" in STUDY.build(codes).coords["cell"]


def test_counts_are_those_of_the_persons():
    people = synthetic.simulate_panel(persons=3000, years=YEARS, seed=6)
    found = collapse(panel_of_frame(people))
    at = (people.generation == "first") & (people.country == "Mexico") & (people.sex == "Male")
    mexican = labels(found, "country").index("Mexico")
    male = labels(found, "sex").index("Male")
    chosen = (found.country == mexican) & (found.sex == male)
    assert int(found.people[chosen].sum()) == at.sum()
    assert int(found.followed[chosen].sum()) == people.followed[at].sum()
    assert float(found.weight[chosen].sum()) == pytest.approx(people.weight[at].sum())


def test_a_survey_without_health_and_homes_is_said_to_be_one():
    people = synthetic.simulate_panel(persons=1000, years=YEARS, seed=6)
    people["health"] = pd.Series([None] * len(people), index=people.index, dtype=object)
    with pytest.warns(bm.DataWarning, match="have no health: they die as those in good health"):
        found = collapse(panel_of_frame(people))
    STUDY.build(found)


def test_a_panel_needs_both_generations():
    people = synthetic.simulate_panel(persons=1000, years=YEARS, seed=6)
    with pytest.raises(bm.DataError, match="no second generation"):
        collapse(panel_of_frame(people[people.generation == "first"]))


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"weights": "yes"}, "weights='yes'; valid: counts, effective"),
        ({"mortality": "none"}, "mortality='none'; valid: own, marginal"),
        ({"covariates": ("country", "income")}, "covariates='income'; valid: country"),
    ],
)
def test_options_of_counting_that_do_not_exist(how, words):
    people = panel_of_frame(synthetic.simulate_panel(persons=500, years=YEARS, seed=1))
    with pytest.raises(bm.StudyError, match=words):
        collapse(people, **how)


def test_formulas_are_checked():
    with pytest.raises(bm.StudyError, match="lost: no factor 'income'"):
        STUDY.build(panel(), **{**FEW, "lost": "income"})
    with pytest.raises(bm.StudyError, match="names a factor twice"):
        STUDY.build(panel(), **{**FEW, "lost": "owner + owner"})
    with pytest.raises(bm.StudyError, match="residual='share'; valid: probability, hazard"):
        STUDY.build(panel(), residual="share", **FEW)


def test_rows_of_print_have_their_names():
    """Every row of Tables 4-13 that these persons can have is one of the printed."""
    printed = set(cells.printed().cell)
    names = list(STUDY.build(panel(), **FEW).coords["cell"])
    assert set(names) <= printed
    order = [name for name in dict.fromkeys(cells.printed().cell) if name in set(names)]
    assert names == order
    some = {"Table 4, Total", "Table 6, 75+", "Table 11, Non-Mexican Females, 65+"}
    assert some | {"Table 12, Mexican, 5-9 yrs", "Table 13, Asia"} <= set(names)
    assert not any(name.startswith("Table 5") for name in names)  # years were not kept apart


def test_a_fit_compares_saves_and_opens(tmp_path):
    table = bm.compare(fitted(), quantity="emigration")
    row = table.set_index("coordinates").loc["Table 7, All, Male"]
    assert row.published == 5.3
    assert "these data: 1996, 1997, 1998" in row.note
    assert bm.compare(fitted()).quantity.iloc[0] == "emigration"  # what plots show first
    opened = bm.open_fit(bm.save_fit(fitted(), tmp_path / "fit.nc", digits=None))
    pd.testing.assert_frame_equal(bm.compare(opened, quantity="emigration"), table)
    shares = fitted()["posterior"]["cell_share"]
    np.testing.assert_allclose(shares.sum("fate"), 1, atol=1e-9)


def test_every_prior_is_scaled_whatever_the_coordinates():
    table = bm.sensitivity(fitted(), "emigration")
    scaled = {name.removesuffix("_sum") for name in table.attrs["scaled"]}
    assert "intercept_sum" in table.attrs["scaled"]
    assert scaled == {v for v in fitted()["posterior"] if v in STUDY.priors().specs}
    assert "mortality" in scaled


def test_another_panel_of_another_size_is_not_compiled_again():
    compiled = bm.compile(STUDY, panel(), **FEW)
    other = bm.compile(STUDY, panel(seed=2), **FEW)
    assert compiled.reused
    assert other.reused


def test_methods_stand_side_by_side():
    people = synthetic.simulate_panel(
        synthetic.default_truth("probability"), persons=4000, years=YEARS, seed=1
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.DataWarning)
        tables = {"program": classical.tables(classical.estimate(people, variant="program"))}
    found = figures.methods(fitted(), tables).set_index(["cell", "method"])
    cell = "Table 7, All, Male"
    assert found.loc[(cell, figures.PRINT), "estimate"].item() == 5.3
    truth = 100 * STUDY.truth(panel())["cell_share"].sel(cell=cell, fate="emigrated").item()
    assert found.loc[(cell, "truth"), "estimate"].item() == pytest.approx(truth)
    one = tables["program"].query("table == 7 and panel == 'All' and row == 'Male'")
    one = one[one.component == "emigration"]
    assert found.loc[(cell, "program"), "estimate"].item() == one.estimate.item()
    figure = figures.plot_methods(fitted(), tables, tables=(4, 7))
    assert "SYNTHETIC" in "".join(
        text.get_text() for text in [figure._suptitle, figure.axes[0].title] if text
    )


@pytest.mark.slow  # two more graphs
def test_assumptions_loosened_are_set_beside_each_other():
    cells_of = bm.load_study("emigration")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bm.ConvergenceWarning)
        table = assumptions(
            cells_of, cells_of.example(table=4), gaps=(0.3,), residual=("probability",),
            draws=300, tune=300, chains=2, progress=False,
        )  # fmt: skip
    assert list(table.generation_gap) == [0.0, 0.3, 0.0, 0.3]
    assert table.attrs["cell"] == "Total"
    assert table.change[0] == 0
    width = table.high - table.low
    assert width[1] > width[0]  # what is not known makes emigration less certain
    with pytest.raises(bm.StudyError, match="unknown cell 'Nowhere'"):
        assumptions(cells_of, cells_of.example(table=4), "Nowhere", draws=10, tune=10, chains=1,
                    progress=False)  # fmt: skip


def test_recovery_summarises_groups_of_printed_rows():
    men = "Table 7, All, Male"
    found = pd.DataFrame(
        {
            "cell": ["Table 6, 20-24", "Table 6, 25-29"] * 2 + [men, men],
            "panel": [0, 0, 1, 1, 0, 1], "truth": 4.0, "estimate": [5.0, 4.0, 5.0, 4.0, 1.0, 2.0],
            "inside": [True, False, True, True, False, False],
            "width": [2.0, 4.0, 2.0, 4.0, 1.0, 1.0],
        }
    )  # fmt: skip
    table = recovery.by_group(found)
    assert list(table.index) == ["Table 6", men]
    ages = table.loc["Table 6"]
    assert (ages.of, ages["inside 90%"], ages["worst row"]) == (2, 0.75, 0.5)
    assert (ages.bias, ages.rmse, ages.width) == pytest.approx((0.5, np.sqrt(0.5), 3))
    assert ages.se == pytest.approx(0.25)  # of 0.5 and 1
    assert table.loc[men, "bias"] == pytest.approx(-2.5)


def test_persons_are_drawn_as_many_as_there_are():
    """Counts of their rows, in all within four standard deviations of those observed."""
    whole = bm.add_groups(fitted(), ["posterior_predictive"])
    people = {"followed": "people", "native_followed": "native_people", "moved": "moved_people",
              "returned": "returned_people"}  # fmt: skip
    for name, of in people.items():
        drawn, seen = whole["posterior_predictive"][name], whole["observed_data"][name]
        most = panel()[of].values
        assert ((drawn >= 0) & (drawn <= most)).all()
        assert (drawn == drawn.round()).all()
        total = drawn.sum(seen.dims)
        assert abs(float(total.mean()) - float(seen.sum())) < 4 * float(total.std())


@pytest.mark.slow
def test_default_settings_converge():
    found = bm.fit(STUDY, STUDY.example(), progress=False)
    diagnostics = json.loads(found.attrs["diagnostics"])
    assert diagnostics["divergences"] == 0
    assert diagnostics["rhat"]["worst"] < 1.01
    assert min(diagnostics[name]["worst"] for name in ("ess_bulk", "ess_tail")) > 400


@pytest.mark.slow
def test_intervals_hold_the_truth_when_the_assumptions_do(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(recovery.RUNS, "panels", {"n": 20, "classical": True})
    table = recovery.run("panels").loc["Table 4, Total"].set_index("method")
    # 20 panels: fewer than 14 inside has a chance of one in a hundred at 90 %
    assert table.loc["posterior", "inside 90%"] >= 0.7
    assert table.loc["program", "inside 90%"] < 0.7
