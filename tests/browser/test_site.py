"""The site in a real browser: at every width, without a network."""

import functools
import shutil
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytestmark = pytest.mark.browser
SITE = Path(__file__).parents[2] / "build" / "site"
WIDTHS = (360, 1280)
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
INSIDE = "() => document.documentElement.scrollWidth"
BACKGROUND = "() => getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which this machine lacks")
    playwright = pytest.importorskip("playwright.sync_api", reason="`make test-browser` has it")
    with playwright.sync_playwright() as driver:
        yield driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


class Quiet(SimpleHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/favicon.ico":  # which a browser asks for, whatever a page names
            return self.send_error(204)
        return super().do_GET()

    def log_message(self, *words):
        pass


@pytest.fixture(scope="module")
def site():
    """Where the site is served from: this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def page(browser, site):
    """A page, held at the end against what it complained of and asked for."""
    wrong, page = [], browser.new_page(base_url=site)
    page.on("console", lambda said: said.type == "error" and wrong.append(said.text))
    page.on("response", lambda came: came.status < 400 or wrong.append(came.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "request", lambda asked: asked.url.startswith((site, "data:")) or wrong.append(asked.url)
    )
    yield page
    page.close()
    assert wrong == []


def pages():
    """Every page but the one that only leads on, and the theme's own."""
    found = [path for path in SITE.rglob("*.html") if "_static" not in path.parts]
    assert len(found) > 30, "`make docs` builds the site"
    return sorted(set(found) - {SITE / "index.html"})


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_fits_its_width(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    wide = {}
    for path in pages():
        page.goto(f"/{path.relative_to(SITE).as_posix()}")
        wide[path.name] = page.evaluate(INSIDE)
    assert {name: found for name, found in wide.items() if found > width} == {}


def test_the_first_page_is_found(page):
    page.goto("/index.html")
    page.wait_for_url("**/docs/index.html")
    assert page.locator("h1").inner_text().startswith("bayesmig")


def test_the_dark_is_dark(page):
    for scheme, dark in (("light", False), ("dark", True)):
        page.emulate_media(color_scheme=scheme)
        page.goto("/docs/index.html")
        shade = page.evaluate(BACKGROUND)
        lightness = sum(map(int, shade[shade.index("(") + 1 : -1].split(",")[:3])) / 3
        assert (lightness < 60) == dark, shade


def test_words_are_found(page):
    page.goto("/search.html?q=contraction")
    page.wait_for_selector("#search-results li")
    assert page.locator("#search-results li").count() > 3
