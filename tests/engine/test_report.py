"""The page on a fit: what is on it, and that it needs nothing else."""

import base64
import datetime
import errno
import hashlib
import html
import io
import json
import os
import re
from html.parser import HTMLParser

import pandas as pd
import pytest
from fits import OWN_CELLS, OWN_NAME, STUDY, own, small
from toy.fits import toy_fit

import bayesmig as bm
from bayesmig import saving
from bayesmig.reporting import COLUMNS


class Page(HTMLParser):
    """Text, tags, attributes and styles of a page."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.text, self.styles = [], [], [], []
        self.feed(source)
        self.text = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data):
        (self.styles if self.tags[-1:] == ["style"] else self.text).append(data)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The report of the small fit of Table 7."""
    folder = tmp_path_factory.mktemp("report") / "not" / "there"
    path = bm.report(small(), folder)
    assert path == folder / "report.html"
    assert [p.name for p in folder.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written):
    return Page(written)


def spaced(text):
    return " ".join(text.split())


def test_the_comparison_is_on_it(page):
    for row in bm.compare(small()).to_dict("records"):
        numbers = [
            row["coordinates"],
            f"{row['published']:.1f}",
            f"{row['published_low']:.1f}, {row['published_high']:.1f} (90 %)",
            *filter(None, [row["note"]]),  # beside the number
            f"{row['mean']:.2f}",
            f"{row['low']:.2f}, {row['high']:.2f}",
            f"{row['sd']:.2f}",
            f"{row['difference_se']:+.1f}",
            f"{row['difference_sd']:+.1f} sd",
            f"{row['overlap']:.2f}",
            f"{row['width_ratio']:.1f}",
            f"{row['contraction']:.2f}",
            f"{row['ess']:.0f}",
            f"{row['r_hat']:.4f}",
        ]
        assert " ".join(numbers) in page.text


def test_the_priors_and_options_are_on_it(page):
    chosen = STUDY.priors()
    assert f"{chosen.name}: {chosen.about}" in page.text
    there = [name for name in chosen.specs if name in small()["posterior"]]
    assert len(there) >= 3
    for name, spec in chosen.specs.items():
        assert (f"{name} {spec}" in page.text) == (name in there), name
    for name, value in STUDY.options.items():
        assert f"{name} {value}" in page.text


def test_the_audit_is_on_it(page):
    audit = STUDY.audit()
    assert len(audit)
    for detail in audit.detail:
        assert spaced(detail) in page.text
    assert f"{(~audit.holds).sum()} of {len(audit)} checks" in page.text


def test_versions_seed_and_fingerprint_are_on_it(page):
    attrs = small().attrs
    for library, number in json.loads(attrs["versions"]).items():
        assert f"{library} {number}" in page.text
    assert attrs["fingerprint"] in page.text
    assert "2 chains of 300 draws, seed 1" in page.text
    assert attrs["data_title"] in page.text
    assert STUDY.citation.split(". ")[0] in page.text


def test_the_card_is_on_it(page):
    """Its headings and its plain words; the rest is Markdown turned into HTML."""
    headings = re.findall(r"^#+ (.*)$", STUDY.card, flags=re.MULTILINE)
    assert headings
    for heading in headings:
        assert spaced(re.sub(r"[*`_]", "", heading)) in page.text.replace("_", "")


def test_doubts_about_the_draws_are_on_it(page):
    diagnostics = json.loads(small().attrs["diagnostics"])
    assert diagnostics["ess_bulk"]["beyond"]  # the small fit is too short
    assert "not to be trusted as they are" in page.text
    assert f"bulk ESS below 400 in {diagnostics['ess_bulk']['beyond']} quantities" in page.text


def test_pictures_are_in_it_and_say_what_they_show(page):
    assert page.tags.count("svg") == page.tags.count("figure") >= 4
    alts = [v for tag, name, v in page.attributes if (tag, name) == ("div", "aria-label")]
    assert len(alts) == page.tags.count("svg")
    assert alts[0].startswith("Forest plot of emigration: ")
    assert "4 numbers beside the printed ones" in alts[0]
    for title in ("Do the chains agree?", "What do the priors decide?"):
        assert title in page.text
    assert re.search(r"\d+ of 20 observed values lie within the 90% interval", page.text)


def test_what_the_model_misses_is_on_it(written, page):
    assert "Which groups does the model miss?" in page.text
    tables = json.loads(re.search(r'id="tables">(.*?)</script>', written)[1])
    found = pd.read_csv(io.StringIO(html.unescape(tables["misfit"])))
    assert (found.z.abs().diff().dropna() <= 0).all()
    row = found[found.group == "Male, mortality"].iloc[0]
    men = small()["data"].sex.values == "Male"
    seen = small()["observed_data"]["components"].sel(component="mortality").values[men].sum()
    assert row.observed == pytest.approx(seen)
    assert row.low < row.expected < row.high


def test_a_fit_without_its_people_says_what_cannot_be_drawn(tmp_path):
    fitted = saving.without_respondents(toy_fit())
    page = Page(bm.report(fitted, tmp_path).read_text(encoding="utf-8"))
    assert "Nothing was drawn from the prior, and no data from the posterior: " in page.text
    assert "this fit was saved without respondents." in page.text
    assert "Do the chains agree?" in page.text


def test_it_says_what_the_columns_are_and_when_it_was_made(page):
    for name in ("overlap", "width ratio", "contraction", "R-hat"):
        (words,) = [w for n, w in COLUMNS.items() if n == name]
        assert words.format(kind="printed") in page.text
    today = datetime.datetime.now(datetime.UTC).date()
    assert f"Page of {today}" in page.text
    assert f"sampled {small().attrs['made'][:10]}" in page.text


def test_its_tables_are_in_it_as_csv(written):
    source = written.partition('<script type="application/json" id="tables">')[2]
    files = json.loads(source.partition("</script>")[0])
    whole = bm.compare(small())
    assert set(files) == {*whole.quantity, "audit", "misfit", "priors"}
    for quantity in whole.quantity.unique():
        found = pd.read_csv(io.StringIO(files[quantity]), keep_default_na=False)
        rows = pd.DataFrame(whole[whole.quantity == quantity]).reset_index(drop=True)
        pd.testing.assert_frame_equal(found, rows, rtol=1e-12)
    assert len(pd.read_csv(io.StringIO(files["audit"]))) == len(STUDY.audit())


def test_its_policy_lets_one_script_run(written, page):
    (policy,) = [v for tag, name, v in page.attributes if v.startswith("default-src 'none'")]
    (script,) = re.findall(r"<script>(.*?)</script>", written, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy


def test_the_card_stands_without_its_pictures_and_marks(written):
    assert "held the truth: drawn in <code>calibration.png</code> beside the card" in written
    assert "&lt;!--" not in written


def test_nothing_is_loaded_from_a_network(page):
    assert page.tags.count("script") == 2  # the tables, and what hands them out
    assert not {"link", "iframe", "object", "embed", "base", "img"} & set(page.tags)
    loads = [
        (tag, name, value)
        for tag, name, value in page.attributes
        if name in ("src", "srcset", "data", "poster", "background", "action")
        or (name == "href" and tag != "a")
    ]
    assert [load for load in loads if not load[2].startswith("data:")] == []
    styles = [*page.styles, *(v for _, name, v in page.attributes if name == "style")]
    assert styles
    assert not any(re.search(r"@import|url\(", style) for style in styles)


def test_a_fit_from_a_file_has_the_same_page(written, tmp_path):
    opened = bm.open_fit(bm.save_fit(small(), tmp_path / "fit.nc", digits=None))
    assert bm.report(opened, tmp_path).read_text(encoding="utf-8") == written


def test_names_from_a_user_s_file_are_no_markup(tmp_path):
    """The file is named ``mine <i> & [blue].csv``, a level ``<b>dry``."""
    source = bm.report(own(), tmp_path).read_text(encoding="utf-8")
    page = Page(source)
    assert f"Data: {OWN_NAME}." in page.text
    for cell in OWN_CELLS:
        assert cell in page.text
        assert html.escape(cell) in source
    assert "i" not in page.tags
    assert "SYNTHETIC" not in page.text


def test_simulated_data_are_said_to_be(tmp_path, page):
    text = Page(bm.report(toy_fit(), tmp_path).read_text(encoding="utf-8")).text
    assert "These data are SYNTHETIC" in text
    assert text.index("SYNTHETIC") < text.index("Page of")
    assert "SYNTHETIC" not in page.text


def test_a_report_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(descriptor, blob):
        write(descriptor, blob[:100])
        raise OSError(errno.ENOSPC, "disk full")

    write = os.write

    old = tmp_path / "old" / "report.html"
    old.parent.mkdir()
    old.write_text("what was there")
    monkeypatch.setattr(os, "write", full)
    for folder in (old.parent, tmp_path / "new"):
        with pytest.raises(OSError, match="disk full"):
            bm.report(toy_fit(), folder)
    assert old.read_bytes() == b"what was there"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [old]
