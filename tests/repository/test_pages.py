"""README and site: what they print runs, and they name all that is public."""

import functools
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lazily import lazily

import bayesmig as bm
from bayesmig import calibration, contract, fitting, priorsets, testing

get_command = lazily("typer.main")
cli = lazily("bayesmig.cli")
ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
GALLERY = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
TINY = {"draws": 30, "tune": 40, "progress": False}


def blocks(page, language):
    fenced = re.findall(r"^```(.*)\n((?:.*\n)*?)```$", page.read_text(encoding="utf-8"), flags=re.M)
    return [block for of, block in fenced if of == language]


def people(rows=60):
    """A table as the README's reader has it: gaps, villages, who went."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "age": rng.integers(18, 70, rows).astype(float),
            "sex": rng.choice(["f", "m"], rows),
            "village": rng.choice(["east", "north", "west"], rows),
            "went": rng.choice(["no", "yes"], rows),
        }
    )
    table.loc[4, "age"] = np.nan
    return table


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's folder; fits in it are short."""
    monkeypatch.chdir(tmp_path)
    people().to_csv("people.csv", index=False)
    for name, run in (("fit", fitting.fit), ("refit", fitting.refit)):
        monkeypatch.setattr(bm, name, functools.partial(run, chains=2, **TINY))
    monkeypatch.setattr(bm, "across_priors", functools.partial(priorsets.across_priors, **TINY))
    monkeypatch.setattr(bm, "calibrate", functools.partial(calibration.calibrate, **TINY))


# What they print

RUNNING = [
    pytest.param(page, marks=pytest.mark.fits if page.name == "README.md" else pytest.mark.slow)
    for page in PAGES
    if blocks(page, "python") and page.stem != "gallery"  # `make gallery` runs that
]


@pytest.mark.filterwarnings("ignore::bayesmig.ConvergenceWarning")
@pytest.mark.filterwarnings("ignore::bayesmig.PriorWarning")  # what a page asks for
@pytest.mark.parametrize("page", RUNNING, ids=lambda p: p.stem)
def test_a_page_runs_as_printed(page, reader):
    names = {}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_shell_lines_are_commands(page):
    lines = [line for block in blocks(page, "") for line in block.splitlines()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for line in lines:
        program, *words = shlex.split(line, comments=True)
        if program == "make":
            assert re.search(rf"^{words[0]}:", makefile, flags=re.M), line
            continue
        assert program == "bayesmig", line
        command = get_command.get_command(cli.app).commands[words[0]]
        command.make_context(words[0], words[1:])  # raises for an unknown option or a missing one


def test_targets_that_are_named_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in PAGES:
        for target in re.findall(r"`make ([\w-]+)", page.read_text(encoding="utf-8")):
            assert re.search(rf"^{target}:", makefile, flags=re.M), (page.name, target)


# What they name


def documented():
    pages = (ROOT / "docs" / "reference").glob("*.md")
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    return re.findall(r"^\.\. auto\w+:: (\S+)$", text, flags=re.M)


def test_every_public_name_is_in_the_reference_once():
    named = [name for name in documented() if not name.startswith("bayesmig.")]
    assert sorted(named) == sorted(set(bm.__all__) - {"__version__"})
    for module in (contract, testing):
        assert documented().count(module.__name__) == 1


def entries(text):
    """Pages that a table of contents names, as paths from the root without their ending."""
    trees = re.findall(r"^```\{toctree\}\n(.*?)^```$", text, flags=re.M | re.S)
    lines = [line.strip() for tree in trees for line in tree.splitlines()]
    return {re.sub(r".*<(.*)>", r"\1", line) for line in lines if line and line[0] != ":"}


def test_every_study_and_every_notebook_is_in_the_site():
    listed = set().union(*(entries(page.read_text(encoding="utf-8")) for page in PAGES))
    for path in [*(ROOT / "models").rglob("CARD.md"), *(ROOT / "notebooks").glob("*.ipynb")]:
        if "_skeleton" not in path.parts and ".ipynb_checkpoints" not in path.parts:
            assert f"../{path.relative_to(ROOT).with_suffix('')}" in listed, path
    studies = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+) </models/", studies))
    assert named == {path.split("/")[-1] for path in bm.list_studies() if path != "toy"}
    for name in named:
        assert f"| `{name}` |" in readme


COUNTS = re.compile(
    r"(\d+) of its (\d+) findings do not hold(?:, and (\d+) hold within rounding only)?"
)


@pytest.mark.parametrize("name", bm.list_studies())
def test_a_card_counts_what_the_audit_finds(name):
    study = bm.load_study(name)
    folder = Path(study.part("audit").__file__).parent  # several studies share their paper's
    card = next(parent / "CARD.md" for parent in folder.parents if (parent / "CARD.md").exists())
    (counts,) = COUNTS.findall(card.read_text(encoding="utf-8"))
    found = study.audit()
    assert [int(n or 0) for n in counts] == [
        (~found.holds).sum(), len(found), found.rounding.sum()
    ]  # fmt: skip


def test_every_paper_s_audit_is_in_the_site():
    text = (ROOT / "docs" / "print.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```\{findings\} (\w+)$", text, flags=re.M)
    audited = {bm.load_study(name).part("audit").__name__ for name in bm.list_studies()}
    audited = {name for name in audited if name.startswith("bayesmig.")}
    assert len(shown) == len(set(shown))
    assert audited  # several studies of a paper share its audit
    by = {bm.load_study(name).audit().to_json() for name in shown}
    assert by == {
        bm.load_study(name).audit().to_json() for name in bm.list_studies() if name != "toy"
    }


def test_every_picture_is_in_the_gallery():
    drawing = {name for name in bm.__all__ if name.startswith("plot_")}
    drawing |= {
        f"figures.{name}"
        for path in (ROOT / "models").rglob("figures.py")
        for name in re.findall(r"^def (plots?\w*)\(", path.read_text(encoding="utf-8"), re.M)
    }
    called = set(re.findall(r"\b(?:bm\.)?((?:figures\.)?plots?\w*)\(", GALLERY))
    assert called == drawing
    pictures = re.findall(r"^!\[([^\]]+)\]\((\S+)\)$", GALLERY, flags=re.M)
    assert len({path for _, path in pictures}) == len(pictures) > 10
    there = {p.relative_to(ROOT / "docs").as_posix() for p in (ROOT / "docs/gallery").iterdir()}
    assert {path for _, path in pictures} == there


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_links_lead_to_files(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target
