"""What is wrong with a study is said in one sentence: the study, the part, what is expected."""

import sys
from dataclasses import replace
from types import ModuleType

import numpy as np
import pytest
import toy

import bayesmig as bm
from bayesmig import contract, testing
from bayesmig.priors import read_sets
from bayesmig.study import Study

PEOPLE = {"people": 30}


@pytest.fixture(autouse=True)
def _parts():
    """Every module of the toy is there, whatever ran before."""
    for name in contract.PARTS:
        toy.study.part(name)


@pytest.fixture
def broken(monkeypatch):
    """A toy study with one function of one module in the place of its own."""

    def change(module, **functions):
        part = __import__(f"toy.{module}", fromlist=[module])
        for name, function in functions.items():
            if function is None:
                monkeypatch.delattr(part, name)
            else:
                monkeypatch.setattr(part, name, function)
        return toy.study

    return change


def words(call, error=bm.StudyError):
    with pytest.raises(error) as caught:
        call()
    said = str(caught.value)
    assert "\n" not in said
    return said


def with_attrs(**attrs):
    data = toy.simulate.simulate(seed=1, **PEOPLE)
    kept = {name: value for name, value in data.attrs.items() if attrs.get(name, 0) is not ...}
    changed = {name: value for name, value in attrs.items() if value is not ...}
    data.attrs = {**kept, **changed}
    return data


# The study itself


def test_no_title():
    said = words(lambda: replace(toy.study, title=" "))
    assert said == "study 'toy': title must be text, got ' '"


def test_no_module(monkeypatch):
    package = ModuleType("hollow")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "hollow", package)
    study = Study("hollow", "A study", "Nobody", "hollow")
    assert words(lambda: study.part("data")) == "study 'hollow' has no data.py"


@pytest.mark.parametrize(
    ("module", "function", "protocol"),
    [
        ("data", "example", "Data"),
        ("simulate", "simulate", "Simulator"),
        ("graph", "build", "Model"),
        ("estimands", "estimands", "Estimands"),
        ("printed", "targets", "Printed"),
        ("audit", "CHECKS", "Audit"),
    ],
)
def test_a_function_is_missing(broken, module, function, protocol):
    study = broken(module, **{function: None})
    said = words(lambda: testing.check_parts(study))
    assert said == (
        f"study 'toy': {module}.py lacks {function}, as bayesmig.contract.{protocol} has it"
    )


def test_an_option_that_is_not_keyword_only(broken):
    def build(data, priors, noise="known"):
        """Build."""

    said = words(lambda: testing.check_parts(broken("graph", build=build)))
    assert said == (
        "study 'toy', graph.py: option 'noise' of build must be keyword-only: put it after the *"
    )


def test_an_option_without_a_default(broken):
    def build(data, priors, *, noise):
        """Build."""

    said = words(lambda: testing.check_parts(broken("graph", build=build)))
    assert said == "study 'toy', graph.py: option 'noise' of build must have a default"


def test_arguments_of_other_names(broken):
    said = words(lambda: testing.check_parts(broken("estimands", estimands=lambda d, x: d)))
    assert said == ("study 'toy', estimands.py: estimands must take (draws, data), got (d, x)")


# Data at the door


@pytest.mark.parametrize("name", ["title", "synthetic", "left_out"])
def test_an_attribute_is_missing(name):
    said = words(lambda: toy.study.dataset(with_attrs(**{name: ...})), bm.DataError)
    assert said.startswith(f"study 'toy', data: attrs['{name}'] is missing: title (text)")


@pytest.mark.parametrize(
    ("attrs", "expected"),
    [
        ({"title": ""}, "attrs['title'] is empty"),
        ({"title": 7}, "attrs['title'] must be text, got 7"),
        ({"synthetic": "no"}, "attrs['synthetic'] must be 0 or 1, got 'no'"),
        ({"left_out": 3}, "attrs['left_out'] must be text, got 3"),
        ({"how": None}, "attrs['how'] is None (NoneType): attributes are text, numbers"),
        ({"how": {"a": 1}}, "attrs['how'] is {'a': 1} (dict): attributes are text, numbers"),
        ({"how": True}, "attrs['how'] is True (bool): attributes are text, numbers"),
        ({"how": []}, "attrs['how'] is [] (list)"),
        ({"how": ["a", 1]}, "attrs['how'] is ['a', 1] (list)"),
    ],
)
def test_an_attribute_that_no_file_keeps(attrs, expected):
    said = words(lambda: bm.fit(toy.study, with_attrs(**attrs)), bm.DataError)
    assert expected in said
    assert said.startswith("study 'toy', data: ")


@pytest.mark.parametrize(
    "labels", [[(1, 2), (3, 4)] * 15, [3, 1, 2] * 10, [1.0, float("nan"), 2.0] * 10, [None] * 30]
)
def test_labels_that_are_not_text(labels):
    import numpy as np

    values = np.empty(30, dtype=object)
    values[:] = labels
    if all(isinstance(label, int | float) for label in labels):
        values = np.array(labels)
    data = with_attrs().assign_coords(person=("person", values))
    said = words(lambda: toy.study.dataset(data), bm.DataError)
    assert "the labels of 'person' must be text, or numbers that increase" in said


def test_what_is_no_dataset():
    said = words(lambda: bm.compile(toy.study, [1, 2]), bm.DataError)
    assert said == "study 'toy', data: must be a Dataset, got list"


# Estimands


def test_an_estimand_without_units(broken):
    real = toy.estimands.estimands

    def estimands(draws, data):
        found = real(draws, data)
        del found["slope"].attrs["units"]
        return found

    study = broken("estimands", estimands=estimands)
    said = words(lambda: testing.check_estimands(study, toy.simulate.simulate(seed=1, **PEOPLE)))
    assert said == (
        "study 'toy', estimands: slope has no units: set attrs['units'] (text, e.g. "
        "'percent a year')"
    )


def test_estimands_are_refused_before_any_draw(broken, monkeypatch):
    real = toy.estimands.estimands

    def estimands(draws, data):
        return real(draws, data).map(lambda array: array, keep_attrs=False)

    study = broken("estimands", estimands=estimands)
    ready = bm.compile(study, toy.simulate.simulate(seed=1, **PEOPLE))
    monkeypatch.setattr("bayesmig.compiled.NativeDensity.sample", lambda *a, **k: 1 / 0)
    assert "has no units" in words(lambda: bm.refit(ready, progress=False))


def test_labels_of_estimands(broken):
    real = toy.estimands.estimands

    def estimands(draws, data):
        return real(draws, data).assign_coords(outcome=[3, 2, 1])

    study = broken("estimands", estimands=estimands)
    said = words(lambda: testing.check_estimands(study, toy.simulate.simulate(seed=1, **PEOPLE)))
    assert said.startswith("study 'toy', estimands: the labels of 'outcome' must be text")


def test_a_printed_number_that_is_no_estimand(broken):
    def targets(data, estimands):
        return (
            toy.printed._table()
            .assign(outcome="elsewhere")
            .pipe(lambda t: t.reindex(columns=[*t, "ci_low", "ci_high", "ci_prob"]))
        )

    study = broken("printed", targets=targets)
    said = words(lambda: testing.check_estimands(study, toy.simulate.simulate(seed=1, **PEOPLE)))
    assert said == (
        "study 'toy', printed.py: targets(): odds_ratio elsewhere is no number of the estimands "
        "(3 such rows)"
    )


def test_a_printed_number_without_a_source(broken):
    real = toy.printed.published
    study = broken("printed", published=lambda: real().assign(source=["Table 1", "", " "]))
    said = words(lambda: testing.check_printed(study))
    assert said == (
        "study 'toy', printed.py: published(): slope moved has no source: say the table or page "
        "(2 such rows)"
    )


# Priors


def sets(tmp_path, text):
    path = tmp_path / "priors.toml"
    path.write_text(text)
    return words(lambda: read_sets(path, "toy"), bm.PriorError)


def test_no_default(tmp_path):
    said = sets(tmp_path, '[wide]\nabout = "wide"\n')
    assert said == "study 'toy', priors.toml: no set 'default'; it has wide"


def test_a_circle_of_bases(tmp_path):
    text = '[default]\nabout = "a"\nbase = "wide"\n[wide]\nabout = "b"\nbase = "default"\n'
    assert sets(tmp_path, text) == (
        "study 'toy', priors.toml: base goes in a circle: default -> wide -> default"
    )


def test_an_unknown_base(tmp_path):
    said = sets(tmp_path, '[default]\nabout = "a"\nbase = "defalt"\n')
    assert said.startswith("study 'toy', priors.toml, set 'default': unknown base 'defalt'")


def test_a_set_without_about(tmp_path):
    said = sets(tmp_path, "[default]\n")
    assert said == "study 'toy', priors.toml: set 'default' has no about, one line of text on it"


def test_bases_may_come_in_any_order(tmp_path):
    path = tmp_path / "priors.toml"
    path.write_text(
        '[default]\nabout = "a"\nbase = "wide"\n'
        '[wide]\nabout = "b"\n[wide.priors.x]\ndist = "Normal"\nsigma = 2\n'
    )
    found = read_sets(path)
    assert list(found) == ["default", "wide"]
    assert str(found["default"].specs["x"]) == "Normal(sigma=2)"


# Graph, data and audit


def test_a_file_read_inside_build(broken):
    real = toy.graph.build

    def build(data, priors, *, noise="known"):
        (toy.study.folder / "priors.toml").read_text()
        return real(data, priors, noise=noise)

    study = broken("graph", build=build)
    said = words(lambda: testing.check_graph(study, toy.simulate.simulate(seed=1, **PEOPLE)))
    assert said == ("study 'toy', graph.py: build reads priors.toml; read files when data are made")


def test_simulated_data_that_do_not_say_so(broken):
    data = toy.simulate.simulate(seed=1, **PEOPLE).assign_attrs(synthetic=0)
    said = words(lambda: testing.check_simulated(toy.study, data, PEOPLE), bm.DataError)
    assert said == "study 'toy', simulate.py: simulated data must have attrs['synthetic'] = 1"


def test_simulated_data_without_a_truth():
    data = toy.simulate.simulate(seed=1, **PEOPLE).drop_vars(["true_slope", "true_cut"])
    said = words(lambda: testing.check_simulated(toy.study, data, PEOPLE), bm.DataError)
    assert said == "these data carry no truth: they were not simulated"


def test_a_seed_that_is_ignored(broken):
    real = toy.simulate.simulate
    study = broken("simulate", simulate=lambda truth=None, *, seed=0, people=30: real(people=30))
    said = words(lambda: testing.check_simulated(study, study.simulate(seed=1), {}))
    assert said == "study 'toy', simulate.py: another seed gives the same data"


def test_a_check_that_cannot_fail(broken):
    from bayesmig.audit import Check, Finding

    def always(paper):
        yield Finding("everywhere", True, "all is well")

    said = words(lambda: testing.check_audit(broken("audit", CHECKS=(Check("blind", always),))))
    assert said == (
        "study 'toy', audit: CHECKS: 'blind' (always) never fails, whatever is printed: give "
        "Check(breaks=...) a change under which it must"
    )


def test_a_card_without_a_heading(monkeypatch):
    card = toy.study.card.replace("## Calibration\n", "")
    monkeypatch.setattr(Study, "card", card)
    said = words(lambda: testing.check_card(toy.study))
    assert said.startswith("study 'toy', CARD.md: headings (##) lacks 'Calibration'; expected: The")


def test_a_name_that_is_taken():
    taken = replace(toy.study, name="emigration")
    said = words(lambda: bm.register_study(taken))
    assert said == "study 'emigration': there is one of that name; choose another"


def test_draws_of_other_people_than_were_observed():
    """The same number in every draw is a number that is given: it must be that of the data."""

    def check(*totals):
        drawn = np.array([[[4, total - 4] for total in totals]])
        testing._check_totals("study 'toy'", "answers", drawn, np.array([3, 6]))

    check(9, 9)
    check(9, 8)
    said = words(lambda: check(8, 8))
    assert said == "study 'toy': answers counts 9 in all, and every predictive draw 8"
