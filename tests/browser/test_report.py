"""The report in a real browser: at every width, on paper, in the dark, and without a network."""

import io
import shutil

import pandas as pd
import pytest
from fits import small
from toy.fits import toy_fit

import bayesmig as bm

pytestmark = pytest.mark.browser
WIDTHS = (360, 768, 1280)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
LONG = "Dirichlet(a=[" + ", ".join(["50.25"] * 200) + "])"  # of a real study, 1,400 characters
OVERFLOWING = """() => [...document.querySelectorAll("main *")]
  .filter(e => !e.closest("svg") && !e.closest("thead") && e.checkVisibility())
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1)
  .map(e => `${e.tagName} ${e.textContent.slice(0, 60)}`)"""


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which this machine lacks")
    playwright = pytest.importorskip("playwright.sync_api", reason="`make test-browser` has it")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture(scope="module", params=["printed", "own"])
def path(request, tmp_path_factory):
    """A report on a paper's numbers; one on somebody's own data, its priors long."""
    fitted = small()
    if request.param == "own":
        fitted = toy_fit(own_data=1).copy()
        fitted.attrs["priors"] = fitted.attrs["priors"].replace("Normal(", f"{LONG} Normal(", 1)
        assert LONG in fitted.attrs["priors"]
    return bm.report(fitted, tmp_path_factory.mktemp(request.param))


@pytest.fixture
def visit(browser, path):
    """Open the page, and hold it against what it complained of and asked for at the end."""
    contexts, said = [], []

    def visit(width=1280, **how):
        context = browser.new_context(viewport={"width": width, "height": 800}, **how)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: said.append(request.url))
        page.goto(path.as_uri())
        return page

    yield visit
    for context in contexts:
        context.close()
    assert [words for words in said if words != path.as_uri() and words[:5] != "blob:"] == []


def opened(page):
    page.evaluate("() => document.querySelectorAll('details').forEach(d => d.open = true)")


@pytest.mark.parametrize("width", WIDTHS)
def test_the_page_fits_its_width(visit, width):
    page = visit(width)
    opened(page)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= width
    assert page.evaluate(OVERFLOWING) == []
    cut = "() => [...document.querySelectorAll('td, th, figure')].filter(e => e.checkVisibility()"
    cut += " && e.scrollWidth > e.clientWidth + 1 && !e.closest('thead')).map(e => e.textContent)"
    assert page.evaluate(cut) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_number_is_seen(visit, width):
    page = visit(width)
    opened(page)
    rows = page.locator("#posterior table.rows tbody tr")
    assert rows.count() > 2
    for text in page.evaluate(
        "() => [...document.querySelectorAll('#posterior td')].filter(e => {"
        "const box = e.getBoundingClientRect(); return box.width < 8 || box.left < 0 ||"
        "box.height < 8}).map(e => e.textContent)"
    ):
        pytest.fail(f"not seen: {text}")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_axe_finds_nothing_serious(visit, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="with playwright")
    page = visit(width, color_scheme=scheme)
    opened(page)
    found = axe.Axe().run(page).response["violations"]
    bad = [
        (f["id"], f["nodes"][0]["html"]) for f in found if f["impact"] in ("serious", "critical")
    ]
    assert bad == []


def test_the_dark_is_dark(visit):
    def lightness(selector, of, scheme):
        page = visit(color_scheme=scheme)
        color = page.locator(selector).first.evaluate(f"e => getComputedStyle(e).{of}")
        return sum(map(int, color[color.index("(") + 1 : -1].split(",")[:3])) / 3

    assert lightness("body", "backgroundColor", "dark") < 60 < 240
    assert lightness("body", "backgroundColor", "light") > 240
    assert lightness("figure svg text", "fill", "dark") > 180  # pictures too
    assert lightness("figure svg text", "fill", "light") < 80


def test_paper_shows_what_is_folded(visit):
    page = visit()
    folded = page.locator("details:not([open])")
    assert folded.count()
    heights = (
        "e => Math.max(...[...e.children].slice(1).map(c => c.getBoundingClientRect().height))"
    )
    assert all(folded.nth(i).evaluate(heights) == 0 for i in range(folded.count()))
    page.emulate_media(media="print")
    assert all(folded.nth(i).evaluate(heights) > 10 for i in range(folded.count()))
    assert not page.locator("nav").is_visible()
    assert page.pdf().startswith(b"%PDF")
    assert folded.count()  # as it was


def test_tables_come_down_as_csv(visit, path):
    page = visit()
    opened(page)
    buttons = page.locator("button.csv")
    assert buttons.count() == page.locator("button.csv:visible").count() > 2
    with page.expect_download() as waiting:
        buttons.first.click()
    assert waiting.value.suggested_filename.endswith(".csv")
    found = pd.read_csv(io.BytesIO(waiting.value.path().read_bytes()))
    whole = bm.compare(small() if "printed" in path.parent.name else toy_fit(own_data=1))
    rows = whole[whole.quantity == found.quantity[0]].reset_index(drop=True)
    assert len(found) == len(rows)
    for column in ("published", "mean", "low", "high", "ess"):
        pd.testing.assert_series_equal(found[column], rows[column], rtol=1e-12)


def test_links_lead_somewhere(visit):
    page = visit()
    targets = page.evaluate(
        "() => [...document.querySelectorAll('nav a')].map(a => a.getAttribute('href'))"
    )
    assert len(targets) >= 6
    for target in targets:
        assert page.locator(target).count() == 1
