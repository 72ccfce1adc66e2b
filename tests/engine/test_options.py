"""Words from a shell become values of the declared type."""

from collections.abc import Sequence
from typing import Literal

import pytest
import toy

import bayesmig as bm
from bayesmig.options import arguments_of, keyword_only, parse

Kind = Literal["probability", "hazard"]


def build(
    data,
    priors,
    *,
    residual: Kind = "probability",
    collapse: bool = True,
    formula: str | None = None,
    inflation: float = 1.0,
    lags: int = 1,
    group: str | Sequence[str] = "place",
    table: int | Sequence[int] = (10, 11),
    knots: int | Sequence[int] | Literal["every"] = 4,
    crossings: float | Literal["prior"] = 38.8,
    whatever=None,
):
    """A function with every kind of option."""


OPTIONS = keyword_only(build)


def read(*pairs):
    return parse(pairs, OPTIONS, "option")


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("residual=hazard", "hazard"),
        ("collapse=false", False),
        ("collapse=True", True),
        ("collapse=no", False),
        ("formula=bs(age, df=3) + male", "bs(age, df=3) + male"),
        ("formula=a == b", "a == b"),
        ("formula=1", "1"),
        ("formula=none", None),
        ("inflation=2", 2.0),
        ("inflation=1e-3", 1e-3),
        ("lags=3", 3),
        ("group=village", "village"),
        ("group=household, municipality", ["household", "municipality"]),
        ("table=5", 5),
        ("table=10,11", [10, 11]),
        ("knots=every", "every"),
        ("knots=3", 3),
        ("knots=1980,1990", [1980, 1990]),
        ("crossings=prior", "prior"),
        ("crossings=40", 40.0),
        ("whatever=1,b", [1, "b"]),
        ("whatever=word", "word"),
    ],
)
def test_words_become_values(pair, value):
    name = pair.partition("=")[0]
    found = read(pair)[name]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("residual=odds", "residual='odds'; valid: probability, hazard"),
        ("collapse=maybe", "collapse='maybe': must be true or false"),
        ("lags=2.5", "lags='2.5': must be a whole number"),
        ("inflation=much", "inflation='much': must be a number"),
        ("table=ten", "table='ten'"),
        ("colapse=true", "unknown option 'colapse' (did you mean 'collapse'?)"),
        ("collapse", "'collapse' is not name=value"),
    ],
)
def test_other_words_are_refused(pair, expected):
    with pytest.raises(bm.StudyError) as caught:
        read(pair)
    assert expected in str(caught.value)


def test_choices_are_those_of_the_literal():
    assert OPTIONS["residual"].choices == ("probability", "hazard")
    assert OPTIONS["knots"].choices == ("every",)
    assert OPTIONS["lags"].choices == ()


def test_a_value_that_is_no_choice_is_refused_at_the_door():
    with pytest.raises(bm.StudyError, match="noise='loud'; valid: known, learned"):
        toy.study.build(toy.study.example(), noise="loud")


@pytest.mark.parametrize("value", [3, (1980, 1990), "every"])
def test_a_value_of_another_alternative_is_no_choice_but_right(value):
    OPTIONS["knots"].check(value)


def test_arguments_of_the_verbs():
    assert list(toy.study.arguments("example")) == ["people"]
    assert list(toy.study.arguments("simulate")) == ["people", "every"]
    assert toy.study.options == {
        "noise": "known",
        "effect": "linear",
        "error": 1.0,
        "dispersion": 3.0,
    }
    assert list(arguments_of(build, but=["data", "priors"])) == list(OPTIONS)
