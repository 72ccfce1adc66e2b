"""The report in a real browser: at every width, on paper, in the dark, and without a network."""

import io
import shutil

import pandas as pd
import pytest
import xarray as xr
from toy.fits import toy_fit

import bayesmig as bm
from bayesmig import attrs

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1280)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
LONG = "Dirichlet(a=[" + ", ".join(["50.25"] * 200) + "])"  # of a real study, 1,400 characters
NOTE = "derived; not in the likelihood"
LABEL = "never-ending_label_of_somebody's_own_" * 2
# what is cut by its box, or ends beyond the window
CUT = """() => [...document.querySelectorAll("main *")]
  .filter(e => !e.closest("svg") && !e.closest("thead") && e.checkVisibility())
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1 || e.getBoundingClientRect().x < 0
    || (e.matches("td, th, figure, p, summary") && e.scrollWidth > e.clientWidth + 1))
  .map(e => `${e.tagName} ${e.textContent.slice(0, 60)}`)"""
SMALL = """() => [...document.querySelectorAll("#posterior tbody td, #posterior tbody th")]
  .filter(e => e.getBoundingClientRect().width < 8 || e.getBoundingClientRect().height < 8)
  .map(e => e.textContent)"""
OPEN = "() => document.querySelectorAll('details').forEach(d => d.open = true)"
FOLD = "() => document.querySelectorAll('details').forEach(d => d.open = false)"


def fit_of(kind):
    """A fit of a paper's numbers, with a note; one of somebody's own data, all of it long."""
    fitted = toy_fit(own_data=int(kind == "own")).copy(deep=True)
    if kind == "own":
        longer = fitted.attrs["priors"].replace("Normal(", f"{LONG} Normal(", 1)
        assert LONG in longer
        fitted.attrs |= {"priors": longer, "data_title": LABEL}
        found = attrs.unpack(fitted.attrs, "diagnostics", dict)
        found["rhat"]["variable"] = LABEL
        fitted.attrs["diagnostics"] = attrs.pack(found)
        return fitted
    rows = fitted["published"].to_dataset()
    fitted["published"] = xr.DataTree(rows.assign(note=("row", [NOTE] * rows.sizes["row"])))
    return fitted


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which this machine lacks")
    playwright = pytest.importorskip("playwright.sync_api", reason="`make test-browser` has it")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module", params=["printed", "own"])
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def page(browser, kind, tmp_path_factory):
    """The page, held at the end against what it complained of and asked for."""
    path = bm.report(fit_of(kind), tmp_path_factory.mktemp(kind))
    said, page = [], browser.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url))
    page.goto(path.as_uri())
    yield page
    assert [words for words in said if words != path.as_uri() and words[:5] != "blob:"] == []
    assert path.as_uri() in said


@pytest.fixture
def visit(page):
    """Lay the page out at a width, in a scheme, all of it open."""

    def visit(width=1280, scheme="light"):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(media="screen", color_scheme=scheme)
        page.evaluate(OPEN)
        return page

    return visit


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_width_and_every_number_is_seen(visit, width):
    page = visit(width)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(CUT) == []
    assert page.locator("#posterior table.rows tbody tr").count() >= 3
    assert page.evaluate(SMALL) == []


def test_a_note_stands_beside_its_number(visit, kind):
    notes = visit(360).locator("td.print small.note")
    assert notes.all_text_contents() == ([NOTE] * 3 if kind == "printed" else [])
    assert all(note.is_visible() for note in notes.all())


@pytest.mark.parametrize(("width", "scheme"), [(360, "dark"), (1280, "light")])
def test_axe_finds_nothing_serious(visit, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="with playwright")
    found = axe.Axe().run(visit(width, scheme)).response
    assert len(found["passes"]) > 15
    serious = [f for f in found["violations"] if f["impact"] in ("serious", "critical")]
    assert [(f["id"], f["nodes"][0]["html"]) for f in serious] == []


def test_the_dark_is_dark(visit):
    def lightness(selector, of, scheme):
        element = visit(scheme=scheme).locator(selector).first
        color = element.evaluate(f"e => getComputedStyle(e).{of}")
        return sum(map(int, color[color.index("(") + 1 : -1].split(",")[:3])) / 3

    assert lightness("body", "backgroundColor", "dark") < 60
    assert lightness("body", "backgroundColor", "light") > 240
    assert lightness("figure svg text", "fill", "dark") > 180  # pictures too
    assert lightness("figure svg text", "fill", "light") < 80


def test_paper_shows_what_is_folded(visit):
    page = visit()
    page.evaluate(FOLD)
    seen = "() => [...document.querySelectorAll('details')].map(d => d.children[1])"
    seen += ".map(e => e.checkVisibility() && e.getBoundingClientRect().height > 5)"
    folded = page.evaluate(seen)
    assert len(folded) >= 3
    assert not any(folded)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 700, "height": 1000})  # of a page of A4
    assert page.locator("details[open]").count() == 0
    tables = page.evaluate("() => [...document.querySelectorAll('details table, details dl')]"
                           ".map(e => e.checkVisibility() && e.offsetHeight > 5)")  # fmt: skip
    assert all(tables)
    assert not page.locator("nav").is_visible()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 700
    assert page.pdf().startswith(b"%PDF")


def test_tables_come_down_as_csv(visit, kind):
    buttons = visit().locator("button.csv")
    assert buttons.count() == buttons.locator("visible=true").count() >= 3
    with visit().expect_download() as waiting:
        buttons.filter(has_text="slope").click()
    assert waiting.value.suggested_filename == "slope.csv"
    found = pd.read_csv(io.BytesIO(waiting.value.path().read_bytes()))
    rows = bm.compare(fit_of(kind), quantity="slope")
    assert found.coordinates.tolist() == rows.coordinates.tolist()
    for column in ("published", "mean", "low", "high", "ess"):
        pd.testing.assert_series_equal(found[column], rows[column], rtol=1e-12)


def test_links_lead_somewhere(visit):
    page = visit()
    targets = "() => [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    found = page.evaluate(targets)
    assert len(found) >= 6
    for target in found:
        assert page.locator(target).count() == 1
