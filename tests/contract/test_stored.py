"""Tables of the cards are the stored ones, and every stored one is in a card."""

import importlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

import bayesmig as bm
from bayesmig.coverage_plot import plot_coverage
from bayesmig.stored import PICTURE, SAMPLING, Stored, digest, markdown, names

image = lazily("PIL.Image")

FOLDERS = {Path(bm.load_study(name).folder) for name in bm.list_studies()}
PAPERS = sorted(f for f in FOLDERS if f.parent not in FOLDERS and any(f.rglob("calibration/*.csv")))


def in_cards(tables):
    return [name for path in tables.cards for name in names(path.read_text("utf-8"))]


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_cards_have_the_stored_tables(folder):
    tables = Stored(folder)
    for path in tables.cards:
        card = path.read_text("utf-8")
        assert tables.filled(card) == card


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_every_stored_table_is_in_one_card(folder):
    files = [
        f"{path.parent.name}/{path.stem}"
        for kept in ("calibration", "results")
        for path in folder.glob(f"{kept}/*.csv")
    ]
    assert sorted(in_cards(Stored(folder))) == sorted(files)


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_what_is_run_is_stored(folder):
    """`make calibrate` makes the tables there are, and no other."""
    asked = set()
    for path in folder.rglob("recovery.py"):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        module = importlib.import_module(".".join(("bayesmig.models", *parts)))
        for name in ("RUNS", "PRIORS", "TRUTHS"):
            asked |= set(getattr(module, name, ()))
        asked |= {module.PRIOR} if hasattr(module, "PRIOR") else set()
    assert asked == {path.stem for path in folder.glob("calibration/*.csv")}


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_cards_have_a_picture_of_the_stored_tables(folder):
    tables = Stored(folder)
    for card in tables.cards:
        if drawn := tables.coverages(card):
            with image.open(card.parent / PICTURE) as picture:
                assert picture.text["Description"] == digest(drawn)
            assert f"]({PICTURE})" in card.read_text("utf-8")


def test_shares_are_drawn_where_they_are():
    table = pd.DataFrame(
        {
            "inside 50%": [0.4, 0.5],
            "se 50%": 0.05,
            "inside 90%": [0.8, 0.95],
            "se 90%": [0.1, 0.02],
        },
        pd.Index(["first", "second"], name="quantity"),
    )
    methods = pd.DataFrame(
        {"inside 90%": [0.9, 0.2, 0.7], "se": 0.04, "method": ["posterior", "text", "posterior"]},
        pd.Index(["all", "all", "men"], name="rows"),
    )
    figure = plot_coverage({"both": table, "methods": methods})
    both, other = figure.axes
    points = {tuple(line.get_xdata()): tuple(line.get_ydata()) for line in both.lines}
    assert points[0.4, 0.5] == points[0.8, 0.95] == (0, -1)
    assert [label.get_text() for label in both.get_yticklabels()] == ["first", "second"]
    (narrow, wide) = (bars.get_segments() for bars in both.collections)
    assert [tuple(bar[:, 0].round(9)) for bar in narrow] == [(0.3, 0.5), (0.4, 0.6)]
    assert [tuple(bar[:, 0].round(9)) for bar in wide] == [(0.6, 1.0), (0.91, 0.99)]
    points = {tuple(line.get_xdata()): tuple(line.get_ydata()) for line in other.lines}
    assert points[0.9, 0.7] == (0, -1)
    assert points[0.2,] == (0,)
    assert [words.get_text() for words in other.get_legend().get_texts()] == ["posterior", "text"]


@pytest.mark.parametrize("folder", PAPERS, ids=lambda folder: folder.name)
def test_what_made_a_table_is_said(folder):
    tables = Stored(folder)
    for name in in_cards(tables):
        command, seed, commit, versions = tables.said_of(name).split("; ")
        own = f"python -m bayesmig.models.{folder.name}."
        assert command.startswith((own, "python benchmarks/"))
        assert int(seed.removeprefix("seed ")) >= 0
        assert commit.startswith("commit ")
        assert not commit.endswith("-dirty")
        named = [word.split() for word in versions.removesuffix(" (pinned)").split(", ")]
        assert [name for name, _ in named] == list(SAMPLING)


OWN = [  # the log density of parameters and data is known where both are the graph's
    path
    for folder in PAPERS
    for path in sorted(folder.glob("calibration/*.csv"))
    if "prior" in path.stem or "\nlog_density," in path.read_text("utf-8")
]


@pytest.mark.parametrize("path", OWN, ids=[f"{path.parents[1].name}-{path.stem}" for path in OWN])
def test_truths_of_the_prior_are_held_as_often_as_intervals_say(path):
    """Within 3.5 standard errors of what the quantiles of a few hundred draws hold."""
    table = Stored(path.parents[1]).read(f"calibration/{path.stem}")
    assert (table.simulations >= 300).all()
    for share, least in (("50%", 0.49), ("90%", 0.885)):
        inside, error = table[f"inside {share}"], table[f"se {share}"]
        assert (inside > least - 3.5 * error).all()
        assert (inside < float(share.rstrip("%")) / 100 + 3.5 * error).all()
    assert (table["rank p-value"] > 0.001).all()


def test_a_table_comes_back_as_it_was_stored(tmp_path):
    tables = Stored(tmp_path)
    table = pd.DataFrame({"x": [0.5, 2.0]}, pd.Index(["a", "b"], name="k"))
    of = tables.origin("a.module", ["word"], 3)
    path = tables.write("calibration/one", table, of)
    assert path.read_text("utf-8").startswith("# python -m a.module word; seed 3; commit ")
    pd.testing.assert_frame_equal(tables.read("calibration/one"), table)
    card = "before\n<!-- calibration/one -->\nold\n<!-- end -->\nafter\n"
    filled = tables.filled(card)
    assert "| a | 0.500 |" in filled
    assert "old" not in filled
    assert tables.filled(filled) == filled


def test_tables_are_made_one_by_one(tmp_path, capsys):
    tables = Stored(tmp_path)
    tables.make("a.module", ["x", "yy"], lambda name: pd.DataFrame({"n": [len(name)]}), 3)
    assert tables.read("calibration/yy").n.item() == 2
    said = tables.said_of("calibration/yy")
    assert said.startswith("python -m a.module yy; seed 3; commit ")
    assert said.endswith(f"numpy {np.__version__}")
    assert capsys.readouterr().out.split() == [
        str(tmp_path / "calibration" / f"{name}.csv") for name in ("x", "yy")
    ]


def test_markdown():
    table = pd.DataFrame(
        {"n": [1200, 3], "x": [0.12345, None], "words": ["**", None]},
        pd.Index(["p", "q"], name="k"),
    )
    assert markdown(table) == (
        "| k | n | x | words |\n| --- | ---: | ---: | --- |\n| p | 1,200 | 0.123 | \\*\\* |\n"
        "| q | 3 |  |  |"
    )
