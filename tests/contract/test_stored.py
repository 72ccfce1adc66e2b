"""Tables of the cards are the stored ones, and every stored one is in a card."""

from pathlib import Path

import pandas as pd
import pytest

import bayesmig as bm
from bayesmig.stored import Stored, markdown, names

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
def test_what_made_a_table_is_said(folder):
    tables = Stored(folder)
    for name in in_cards(tables):
        command, seed, commit = tables.said_of(name).split("; ")
        assert command.startswith(f"python -m bayesmig.models.{folder.name}.")
        assert int(seed.removeprefix("seed ")) >= 0
        assert commit.startswith("commit ")
        assert not commit.endswith("-dirty")


@pytest.mark.parametrize(
    "path", [p for f in PAPERS for p in f.glob("calibration/*prior*.csv")], ids=lambda p: p.stem
)
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
    assert tables.said_of("calibration/yy").startswith("python -m a.module yy; seed 3; commit ")
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
