"""The command line: what each verb prints and writes, and one line for each mistake."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from fits import OWN_CELLS, OWN_NAME, STUDY, own, small, synthetic, tiny, write_own

import bayesmig as bm
from bayesmig import waits
from bayesmig.cli import main

SCRIPT = str(Path(sys.executable).with_name("bayesmig"))
VERBS = "list audit priors fit recover discard compare report calibrate demo".split()
WAIT = re.compile(r"[\w ]+ \((not measured here before|[\d.]+ (s|min|h) here, by the last run)\)")
SHORT = ["--draws", "30", "--tune", "40", "--chains", "2"]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path):
    """Run a command in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(waits, "_path", lambda: tmp_path.parent / "waits.json")
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["bayesmig", *map(str, words)])
        status = None
        try:
            main()
        except SystemExit as stop:
            status = stop.code
        out, err = capsys.readouterr()
        return status or 0, out, err

    return run


def said(shell, *words):
    """What a command that succeeds prints."""
    status, out, err = shell(*words)
    assert status == 0
    assert [line for line in err.splitlines() if not WAIT.fullmatch(line)] == []
    return out


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    return bm.save_fit(small(), tmp_path_factory.mktemp("fit") / "small.nc", digits=None)


def as_saved(fitted, tmp_path):
    """What a file has of a fit's draws where nothing is said of digits."""
    return bm.open_fit(bm.save_fit(fitted, tmp_path / "as_saved.nc"))["posterior"]


# Listing


def test_list(shell):
    lines = said(shell, "list").splitlines()
    assert lines == [f"{name}: {bm.load_study(name).title}" for name in bm.list_studies()]
    assert f"emigration: {STUDY.title}" in lines


def test_audit(shell):
    audit = STUDY.audit()
    failed = audit[~audit.holds]
    out = said(shell, "audit", "emigration")
    assert f"{len(failed)} of {len(audit)} checks do not hold" in out.splitlines()[-1]
    for where in failed["where"]:
        assert where in out
    everything = said(shell, "audit", "emigration", "--all")
    for where in audit["where"]:
        assert where in everything


@pytest.mark.parametrize("columns", ["80", "200"])
def test_audit_says_why_in_a_terminal_of_any_width(shell, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    audit = STUDY.audit()
    words = set(said(shell, "audit", "emigration").split())
    for column in ("check", "where", "detail"):
        for text in audit[~audit.holds][column]:
            assert set(text.split()) <= words, (column, text)


def test_priors(shell):
    out = said(shell, "priors", "emigration")
    for name in STUDY.prior_sets:
        assert str(STUDY.priors(name)) in out
    assert said(shell, "priors", "emigration", "wide").strip() == str(STUDY.priors("wide"))


@pytest.mark.parametrize("name", ["wide", "native_rates"])
def test_priors_come_back_from_toml(shell, tmp_path, name):
    (tmp_path / "mine.toml").write_text(said(shell, "priors", "emigration", name, "--toml"))
    back, was = STUDY.priors(tmp_path / "mine.toml"), STUDY.priors(name)
    assert said(shell, "priors", "emigration", "mine.toml").strip() == str(back)
    assert (back.name, back.about) == (was.name, was.about)
    assert dict(back.options) == dict(was.options)
    for parameter, spec in was.specs.items():
        assert dict(back.specs[parameter].numbers) == dict(spec.numbers)
        assert back.specs[parameter].centered == spec.centered


@pytest.mark.parametrize(
    ("study", "name", "what"),
    [
        (
            "emigration",
            "no_pooling",
            "factor_scale, cell_scale, draws=4000, target_accept=0.95",
        ),
        ("snapshot", "ffk", "solitary_sojourn, circular_sojourn, sojourns='dirichlet'"),
    ],
)
def test_priors_say_in_what_sets_differ(shell, study, name, what):
    said_so = said(shell, "priors", study).partition("In what they differ from the default:")[2]
    lines = dict(line.split(maxsplit=1) for line in said_so.splitlines() if line)
    assert lines[name] == what
    assert set(lines) == set(bm.load_study(study).prior_sets) - {"default"}


# Formats


def rows_of(text, form):
    if form == "json":
        return json.loads(text)
    return list(csv.DictReader(io.StringIO(text)))


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("words", [["list"], ["audit", "emigration"], ["priors", "emigration"]])
def test_tables_in_every_format(shell, tmp_path, words, form):
    rows = rows_of(said(shell, *words, "--format", form), form)
    expected = {
        "list": [{"name": n, "title": bm.load_study(n).title} for n in bm.list_studies()],
        "audit": STUDY.audit()[lambda t: ~t.holds].to_dict("records"),
        "priors": [{"set": n, **row} for n, s in STUDY.sets.items() for row in s.rows()],
    }[words[0]]
    kind = (
        (lambda row: row) if form == "json" else (lambda row: {k: str(v) for k, v in row.items()})
    )
    assert rows == [kind(row) for row in expected]
    out = said(shell, *words, "--format", form, "--output", "rows")
    assert out == f"wrote rows: {len(rows)} rows\n"
    assert rows_of((tmp_path / "rows").read_text(), form) == rows


@pytest.mark.parametrize("verb", ["compare", "summary"])
def test_comparisons_in_every_format(shell, saved, tmp_path, verb):
    table = getattr(bm, verb)(small())
    rows = json.loads(said(shell, verb, saved, "--format", "json"))
    assert [row["mean"] for row in rows] == table["mean"].tolist()
    assert list(rows[0]) == list(table)
    found = pd.read_csv(
        io.StringIO(said(shell, verb, saved, "--format", "csv")), keep_default_na=False
    )
    pd.testing.assert_frame_equal(found, pd.DataFrame(table), rtol=1e-12)
    out = said(shell, verb, saved, "-q", "mortality", "--output", "text")
    assert out == "wrote text: 4 rows\n"
    assert "Mexican, Male" in (tmp_path / "text").read_text()


def test_an_unknown_format_is_a_word_too_many(shell):
    status, out, err = shell("list", "--format", "xml")
    assert (status, out) == (2, "")
    assert "xml" in err


def test_the_version(shell):
    assert said(shell, "--version") == f"bayesmig {bm.__version__}\n"


def test_a_shell_completes_studies_and_verbs():
    def completed(words, at):
        env = {"_BAYESMIG_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(at)}
        child = subprocess.run(
            [SCRIPT], capture_output=True, text=True, env={**os.environ, **env}, timeout=60
        )
        return child.stdout.split()

    assert completed("bayesmig audit emi", 2) == ["emigration", "emigration_microdata"]
    assert completed("bayesmig cal", 1) == ["calibrate"]


# Fitting


def test_fit_saves_what_bm_fit_gives(shell, tmp_path):
    out = said(
        shell, "fit", "emigration", "--example", "table=7", "--priors", "wide", "--seed", "3",
        "--option", "residual=probability", "-o", "residual_inflation=1.5", *SHORT,
        "--output", "deep/fit.nc",
    )  # fmt: skip
    assert "saved deep/fit.nc; next: bayesmig compare deep/fit.nc" in out
    assert "not to be trusted as it is" in out
    opened = bm.open_fit(tmp_path / "deep" / "fit.nc")
    with pytest.warns(bm.ConvergenceWarning) as caught:
        fitted = bm.fit(
            STUDY, STUDY.example(table=7), "wide", draws=30, tune=40, chains=2, seed=3,
            progress=False, residual_inflation=1.5,
        )  # fmt: skip
    assert opened["posterior"].identical(as_saved(fitted, tmp_path))
    assert opened.attrs["options"] == fitted.attrs["options"]
    assert " ".join(str(caught[0].message).split()) in " ".join(out.split())  # labels and all


def test_fit_keeps_every_bit_if_asked(shell, tmp_path):
    asked = ["fit", "emigration", "-e", "table=7", *SHORT]
    said(shell, *asked, "--output", "fit.nc")
    said(shell, *asked, "--every-bit", "--output", "whole.nc")
    few, whole = (bm.open_fit(tmp_path / name)["posterior"] for name in ("fit.nc", "whole.nc"))
    how = {"draws": 30, "tune": 40, "chains": 2, "progress": False}
    with pytest.warns(bm.ConvergenceWarning):
        fitted = bm.fit(STUDY, STUDY.example(table=7), **how)
    assert whole.identical(fitted["posterior"])
    assert not few.identical(whole)


def test_fit_a_user_s_file(shell, tmp_path):
    path = write_own(tmp_path)
    said(shell, "fit", "emigration", "--data", path, "--output", "own.nc", *SHORT)
    opened = bm.open_fit(tmp_path / "own.nc")
    assert list(opened["data"]["cell"].values) == OWN_CELLS
    assert opened["posterior"].identical(as_saved(own(), tmp_path))


def test_tables_may_be_several(shell, tmp_path):
    said(shell, "fit", "emigration", "-e", "table=8,9", "--output", "f.nc", *SHORT)
    opened = bm.open_fit(tmp_path / "f.nc")
    assert opened["data"].to_dataset().identical(STUDY.example(table=(8, 9)))


# Comparing


def test_compare_prints_the_headline(shell, saved):
    out = said(shell, "compare", saved)
    table = bm.compare(small(), quantity="emigration")
    for row in table.to_dict("records"):
        (line,) = [line for line in out.splitlines() if line.strip().startswith(row["coordinates"])]
        numbers = [
            *(row[name] for name in ("published", "published_low", "published_high")),
            *(row[name] for name in ("mean", "low", "high")),
            row["width_ratio"],
        ]
        found = line.replace(row["coordinates"], "").translate(str.maketrans("(),", "   "))
        assert found.split() == [f"{number:.1f}" for number in numbers]
    assert "printed (90%)" in out
    assert "mortality" not in out


def test_compare_other_quantities_and_probabilities(shell, saved):
    out = said(shell, "compare", saved, "-q", "mortality", "-q", "non_match", "--ci-prob", "0.5")
    assert out.index("mortality") < out.index("non match")
    assert "posterior (50%)" in out
    assert ": emigration," not in out


def test_compare_writes_csv(shell, saved, tmp_path):
    assert "28 rows" in said(shell, "compare", saved, "--csv", "table.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
    written = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    pd.testing.assert_frame_equal(written, pd.DataFrame(bm.compare(small())), rtol=1e-12)
    said(shell, "compare", saved, "--csv", "table.csv", "-q", "mortality", "--ci-prob", "0.5")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "table.csv").read_text())))
    assert {(row["quantity"], row["ci_prob"]) for row in rows} == {("mortality", "0.5")}


@pytest.mark.parametrize("columns", ["80", "200"])
def test_no_label_is_cut(shell, monkeypatch, tmp_path, columns):
    monkeypatch.setenv("COLUMNS", columns)
    fitted = tiny((10, 11))
    out = said(shell, "compare", bm.save_fit(fitted, tmp_path / "f.nc"))
    for cell in fitted["data"]["cell"].values:
        assert cell in out


def test_labels_of_a_user_s_file_are_printed_as_they_are(shell, tmp_path):
    out = said(shell, "compare", bm.save_fit(own(), tmp_path / "f.nc"), "-q", "non_match")
    assert OWN_NAME in out  # mine <i> & [blue].csv
    for cell in OWN_CELLS:  # core [red], <b>dry
        assert cell in out


def test_simulated_data_are_said_to_be(shell, tmp_path, saved):
    assert "SYNTHETIC" in said(shell, "compare", bm.save_fit(synthetic(), tmp_path / "f.nc"))
    assert "SYNTHETIC" not in said(shell, "compare", saved)


def test_report(shell, saved, tmp_path):
    out = said(shell, "report", saved, "--output", "page")
    assert out == "wrote page/report.html\n"
    assert "Posterior and print" in (tmp_path / "page" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("truth", ["prior", "example"])
def test_calibrate(shell, truth):
    out = said(
        shell, "calibrate", "emigration", "-e", "table=7", "--priors", "calibration",
        "--n", "2", "--truth", truth,
    )  # fmt: skip
    lines = [line for line in out.splitlines() if line.startswith("|")]
    assert lines[0].startswith("| quantity | inside 50% | se 50% | inside 90% |")
    assert len(lines) == 2 + 7 + (truth == "prior")  # and the log density of parameters and data
    kind = "drawn from the prior" if truth == "prior" else "given"
    assert f"2 data sets, truth {kind}, " in out


@pytest.mark.slow
def test_demo(shell, tmp_path):
    out = said(shell, "demo", "--output", "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["fit.nc", "report.html"]
    assert "not to be trusted" not in out
    assert bm.open_fit(tmp_path / "out" / "fit.nc")["data"].sizes["cell"] == 28


# Mistakes

FIT = ["fit", "emigration", "--output", "fit.nc"]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["audit", "emmigration"], "unknown study 'emmigration' (did you mean 'emigration'?)"),
        (["priors", "emigration", "narrow"], "unknown prior set 'narrow'; valid: default, "),
        (["priors", "emigration", "no.toml"], "no prior file no.toml"),
        ([*FIT, "--priors", "narrow"], "unknown prior set 'narrow'"),
        ([*FIT, "-o", "residuel=hazard"], "unknown option 'residuel' (did you mean 'residual'?)"),
        ([*FIT, "-o", "residual=share"], "residual='share'; valid: probability, hazard"),
        ([*FIT, "-o", "residual"], "'residual' is not name=value"),
        ([*FIT, "-o", "residual_inflation=none"], "residual_inflation"),
        ([*FIT, "-o", "residual_inflation=1,2"], "residual_inflation"),
        ([*FIT, "-o", "seed=3"], "seed"),  # it has a flag of its own
        ([*FIT, "-e", "table=99"], "no cells in table 99"),
        ([*FIT, "-e", "table=5.5"], "5.5"),
        ([*FIT, "-e", "tabel=7"], "tabel"),
        ([*FIT, "-e", "table=7,10"], "different factors"),
        ([*FIT, "--data", "no.csv"], "no.csv: no such file"),
        ([*FIT, "--data", "no.csv", "-e", "table=7"], "not both"),
        ([*FIT, "-e", "table=7", "--draws", "-5"], "draws"),
        ([*FIT, "-e", "table=7", "--chains", "0"], "chains"),
        (["compare", "no.nc"], "no fit at no.nc"),
        (["report", "no.nc"], "no fit at no.nc"),
        (["compare", "{saved}", "-q", "emmigration"], "unknown quantity 'emmigration'"),
        (["compare", "{saved}", "--ci-prob", "90"], "ci_prob must be between 0 and 1, got 90"),
        (["compare", "{saved}", "--csv", "no/folder.csv"], "no"),
        (["report", "{saved}", "--output", "{saved}"], "small.nc"),
        (["calibrate", "emigration", "--truth", "mine"], "valid: prior, example"),
    ],
)
def test_a_mistake_is_one_line(shell, saved, tmp_path, words, what):
    words = [str(saved) if word == "{saved}" else word for word in words]
    status, out, err = shell(*words)
    assert status == 1
    assert out == ""
    (line,) = [line for line in err.splitlines() if not WAIT.fullmatch(line)]
    assert line.startswith("bayesmig: ")
    assert what in line
    assert list(tmp_path.iterdir()) == []  # and nothing half-written


def test_a_mistake_ends_the_process_with_1(tmp_path):
    for command in ([SCRIPT], [sys.executable, "-m", "bayesmig"]):
        child = subprocess.run(
            [*command, "compare", "no.nc"], capture_output=True, text=True, cwd=tmp_path, timeout=60
        )
        assert (child.returncode, child.stdout) == (1, "")
        assert child.stderr == "bayesmig: no fit at no.nc\n"


# At once

QUICK = [["list"], ["audit", "emigration"], ["priors", "emigration"], ["--help"]]
QUICK += [[verb, "--help"] for verb in VERBS]
HEAVY = {"pymc", "pytensor", "arviz", "matplotlib", "numba", "nutpie"}
IMPORTED = f"""
import atexit, sys
atexit.register(lambda: print("imported", sorted({HEAVY} & set(sys.modules))))
"""
RUN = IMPORTED + "from bayesmig.cli import main\nmain()"
# named as a notebook would, before anything is fitted
LIBRARIES = "import pandas, xarray; xarray.Dataset({'a': ('x', [1.0])})"
USED = IMPORTED + (
    "import bayesmig as bm\n"
    "study = bm.load_study(bm.list_studies()[0])\n"
    "study.published, study.audit(), study.priors(), study.example(), dir(bm)\n"
)


def seconds(command, tries=8, enough=2.0):
    """The best of some tries, for the machine may be busy; and the last standard output."""
    best = float("inf")
    environment = {**os.environ, "COLUMNS": "80"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # users have modules compiled to bytecode
    for _ in range(tries):
        started = time.perf_counter()
        child = subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)
        best = min(best, time.perf_counter() - started)
        assert child.returncode == 0, child.stderr
        if best < enough:
            break
    return best, child.stdout


@pytest.mark.timed
@pytest.mark.parametrize("words", QUICK, ids=" ".join)
def test_answers_within_two_seconds_and_without_pymc(words):
    took, out = seconds([sys.executable, "-c", RUN, *words])
    assert took < 2
    assert out.splitlines()[-1] == "imported []"
    assert len(out.splitlines()) > 1


@pytest.mark.timed
def test_importing_takes_less_than_two_seconds_and_no_pymc():
    took, out = seconds([sys.executable, "-c", IMPORTED + "import bayesmig"])
    assert took < 2
    assert out == "imported []\n"


@pytest.mark.timed
def test_first_use_takes_little_more_than_its_libraries_and_no_pymc():
    """Beside pandas and xarray alone, in turn, for the seconds of both depend on the machine."""
    libraries = used = float("inf")
    for _ in range(8):
        libraries = min(libraries, seconds([sys.executable, "-c", LIBRARIES], tries=1)[0])
        took, out = seconds([sys.executable, "-c", USED], tries=1)
        assert out == "imported []\n"
        used = min(used, took)
        if used < 1.5 * libraries:
            break
    assert used < 1.5 * libraries


def test_help_lists_the_verbs(shell):
    out = said(shell, "--help")
    for verb in VERBS:
        assert f" {verb} " in out
