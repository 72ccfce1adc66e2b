"""Files of one's own: read with the options that go with them, from Python and from a shell."""

import json
import warnings

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from said import said
from typer.testing import CliRunner

import bayesmig as bm
from bayesmig.cli import app
from bayesmig.models.social_capital import people
from bayesmig.models.social_capital.design import design

STUDY = bm.load_study("social_capital")
OWN = {
    "formula": "age + sex",
    "group": "village",
    "outcome": "destination",
    "reference": "stayed",
}


def somebody(n=240):
    """People of eight villages who stayed, or went to the city or abroad."""
    rng = np.random.default_rng(11)
    age, sex = rng.integers(15, 60, n), rng.choice(["f", "m"], n)
    village = rng.integers(1, 9, n)
    pull = rng.normal(0, 0.5, (9, 2))
    logit = np.column_stack(
        [np.zeros(n), 0.5 * (sex == "m") + pull[village, 0], -0.03 * (age - 35) + pull[village, 1]]
    )
    choice = (logit + rng.gumbel(size=logit.shape)).argmax(1)
    went = np.array(["stayed", "capital", "abroad"])[choice]
    return pd.DataFrame({"age": age, "sex": sex, "village": village, "destination": went})


def written(table, path):
    """The path of the table as a file of the kind that its name says."""
    coded, labels = table.copy(), {}
    for name in ("sex", "destination"):
        words = sorted(table[name].dropna().unique())
        coded[name] = table[name].map({word: i + 1 for i, word in enumerate(words)})
        labels[name] = {i + 1: word for i, word in enumerate(words)}
    match path.suffix:
        case ".csv":
            table.to_csv(path, index=False)
        case ".parquet":
            table.to_parquet(path)
        case ".dta":
            pyreadstat.write_dta(coded, str(path), variable_value_labels=labels)
        case ".sav":
            pyreadstat.write_sav(coded, str(path), variable_value_labels=labels)
    return path


def of_file(data):
    """The design of data that bring their options."""
    options = json.loads(data.attrs["options"])
    return design(data, **options)


@pytest.mark.parametrize("kind", ["csv", "parquet", "dta", "sav"])
def test_any_file_is_the_table_that_was_written(tmp_path, kind):
    table = somebody()
    data = STUDY.read(written(table, tmp_path / f"people.{kind}"), **OWN)
    assert data.attrs["title"] == f"people.{kind}"
    assert (data.attrs["synthetic"], data.attrs["own_data"]) == (0, 1)
    assert json.loads(data.attrs["options"]) == {**OWN, "missing": "raise"}
    found, wanted = of_file(data), design(people.from_frame(table), **OWN)
    assert (found.outcomes, found.terms) == (wanted.outcomes, ("age", "sex: m"))
    assert found.groups == wanted.groups == tuple("12345678")
    np.testing.assert_allclose(found.column, wanted.column)
    np.testing.assert_array_equal(found.count, wanted.count)


def test_data_bring_their_options_and_others_win(tmp_path):
    data = STUDY.read(written(somebody(), tmp_path / "people.csv"), **OWN)
    model = STUDY.build(data)
    assert model.coords["term"] == ("age", "sex: m")
    assert model.coords["outcome"][0] == "stayed"
    other = STUDY.build(data, formula="sex", reference="abroad")
    assert other.coords["term"] == ("sex: m",)
    assert other.coords["outcome"][0] == "abroad"
    _, complete = STUDY.resolve(None, {}, data)
    assert {name: complete[name] for name in OWN} == OWN


def test_independent_contrasts_depend_on_the_reference_and_are_said_to(tmp_path):
    contrasts = {"intercepts": "independent_contrasts"}
    data = STUDY.read(written(somebody(), tmp_path / "people.csv"), **OWN)
    said = "of abroad, capital against stayed are another model with another reference"
    with pytest.warns(bm.DataWarning, match=said):
        STUDY.build(data, **contrasts)
    STUDY.build(data, intercepts="independent")  # a warning would be an error
    two = somebody().replace({"destination": {"capital": "abroad"}})
    STUDY.build(STUDY.read(written(two, tmp_path / "two.csv"), **OWN), **contrasts)
    twin = STUDY.simulate(seed=6, n=800, municipalities=8)
    STUDY.build(twin, formula="age", **contrasts)  # the paper's own people


def test_gaps_of_a_file_are_named_by_its_rows(tmp_path):
    table = somebody()
    table["age"] = table.age.astype(float)
    table.loc[[3, 7], "age"] = np.nan
    table.loc[[7, 9], "sex"] = None
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False, na_rep="NA")  # as R writes it
    words = said(bm.DataError, STUDY.read, path, **OWN)
    assert words == (
        f"{path}: 3 of 240 rows have missing values (age 2, sex 2); missing='casewise' leaves "
        "them out and counts them; the first is row 5"
    )
    data = STUDY.read(path, missing="casewise", **OWN)
    assert data.attrs["left_out"] == "3 of 240 rows with a missing value (age 2, sex 2)"
    assert of_file(data).terms == ("age", "sex: m")
    assert data["row"].values[:4].tolist() == [2, 3, 4, 6]


def test_without_a_formula_gaps_wait_for_it(tmp_path):
    table = somebody()
    table.loc[3, "sex"] = None
    path = written(table, tmp_path / "people.csv")
    own = {name: OWN[name] for name in ("group", "outcome", "reference")}
    data = STUDY.read(path, missing="casewise", **own)
    assert data.sizes["row"] == 240
    _, complete = STUDY.resolve(None, {"formula": "age"}, data)
    assert STUDY.used(data, complete).sizes["row"] == 240
    _, complete = STUDY.resolve(None, {"formula": "age + sex"}, data)
    assert STUDY.used(data, complete).sizes["row"] == 239


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"formula": "age + income"}, bm.StudyError, "unknown column 'income'"),
        ({"group": "town"}, bm.StudyError, "group: unknown column 'town'"),
        ({"outcome": "dest"}, bm.StudyError, "outcome: unknown column 'dest'; valid"),
        ({"missing": "drop"}, bm.DataError, "missing='drop'; valid: raise, casewise"),
        ({"stratum": "close"}, bm.StudyError, "stratum= is for the paper's own file"),
        ({"municipality": "village"}, bm.StudyError, "municipality= is for the paper's own file"),
    ],
)
def test_what_a_file_does_not_have(tmp_path, options, kind, words):
    path = written(somebody(), tmp_path / "people.csv")
    assert words in said(kind, STUDY.read, path, **{**OWN, **options})


def test_the_papers_file_keeps_its_names_with_another_formula(tmp_path, few):
    table = people.frame(few)
    path = tmp_path / "analysis.csv"
    table.rename(columns={"outcome": "fate"}).to_csv(path, index=False)
    data = STUDY.read(path, formula="children + male", outcome="fate")
    assert "own_data" not in data.attrs
    found = of_file(data)
    assert found.terms == tuple(f"children: {n}" for n in ("1", "2", "3", "4+")) + ("male",)


def test_columns_of_a_text_file_are_what_they_are(tmp_path):
    table = somebody().assign(
        age=lambda t: t.age.astype(str).where(t.index > 0, "n/a"),
        code=[f"{i:03d}" for i in range(240)],
        gone=lambda t: t.destination != "stayed",
        note="",
    )
    path = tmp_path / "people.csv"
    table.to_csv(path, index=False)
    data = STUDY.read(path, group="village", outcome="gone", reference="False")
    frame = people.frame(data)
    assert frame.gone.dtype == bool
    assert np.isnan(frame.age[0])
    assert frame.age.dtype == float
    assert list(frame.code[:2]) == ["000", "001"]
    assert frame.note.isna().all()
    found = design(data, formula="sex", group="village", outcome="gone", reference=False)
    assert found.outcomes == ("False", "True")


def test_two_codes_with_one_label_stay_apart(tmp_path):
    table = somebody().assign(region=[1, 2, 3] * 80)
    path = tmp_path / "people.dta"
    labels = {"region": {1: "north", 2: "south", 3: "south"}}
    pyreadstat.write_dta(table, str(path), variable_value_labels=labels)
    data = STUDY.read(path, **{**OWN, "formula": "region"})
    assert of_file(data).terms == ("region: south [2]", "region: south [3]")


def shell(*words):
    done = CliRunner().invoke(app, list(map(str, words)))
    assert done.exit_code == 0, done.output
    return done.output


@pytest.mark.filterwarnings("ignore::bayesmig.ConvergenceWarning")
def test_from_a_shell_to_a_page(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    path = written(somebody(), tmp_path / "people.csv")
    out = tmp_path / "x.nc"
    options = [word for name, value in OWN.items() for word in ("-o", f"{name}={value}")]
    short = ["--draws", 60, "--tune", 100, "--chains", 2]
    text = shell("fit", "social_capital", "--data", path, *options, *short, "--output", out)
    fitted = bm.open_fit(out)
    assert fitted.attrs["own_data"] == 1
    assert {name: json.loads(fitted.attrs["options"])[name] for name in OWN} == OWN
    for verb in ("compare", "summary"):
        text = shell(verb, out)
        assert "people.csv: coefficient, log odds" in text
        assert "abroad:stayed, age" in text
        assert "printed" not in text
    assert "variance share" in shell("summary", out)
    table = bm.compare(fitted)
    assert table.equals(bm.summary(fitted))
    assert set(table.quantity) == {"coefficient", "intercept", "group_sd", "variance_share"}
    assert table.published.isna().all()
    figure = bm.plot_compare(fitted)
    assert figure.get_suptitle() == "people.csv"
    page = bm.report(fitted, tmp_path).read_text(encoding="utf-8")
    assert "<h1>people.csv</h1>" in page
    assert "abroad:stayed, age" in page
    for words in ("What does not agree in print", "aspirations", STUDY.title):
        assert words not in page.partition("<h2>Model card</h2>")[0]


def test_a_shell_says_what_a_file_lacks(tmp_path):
    path = written(somebody(), tmp_path / "people.csv")
    done = CliRunner().invoke(
        app, ["fit", "social_capital", "--data", str(path), "--output", str(tmp_path / "x.nc")]
    )
    words = str(done.exception)
    assert "people.csv: no column outcome, network" in words
    assert "(a file of your own is read with formula= and group=)" in words


def test_reading_warns_of_nothing(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        STUDY.read(written(somebody(), tmp_path / "people.csv"), **OWN)
