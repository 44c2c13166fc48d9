"""A headless Chromium, a built book, and pages that may ask for nothing off the machine.

tools/browser.py looks for the Chromium. Where there is none these tests are skipped with the reason and the
remedy; DRSN_REQUIRE_BROWSER=1 makes its absence a failure. DRSN_BOOK_HTML names a
built book (the folder that holds index.html); without it, _build/html is built if it is not up to date.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

from browser import HOW_TO, find_chromium  # noqa: E402

# What a page may write to the console as an error. Nothing: Jupyter Book's own two errors (THEBE_JS_URL declared
# twice, invalid theme mode) are gone with sphinx_thebe and with `default_mode: auto` in _config.yml.
ALLOWED_ERRORS = ()


def pytest_configure(config):
    config.addinivalue_line("markers", "browser: needs a Chromium")
    config.addinivalue_line("markers", "jupyter: starts a JupyterLab server and a Chromium")


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)


# A file's, not the session's: while Playwright's loop runs, no other test of the process can start one of its own.
@pytest.fixture(scope="module")
def browser():
    executable = find_chromium()
    if executable is None:
        reason = f"The pages and live figures were NOT tried in a browser: {HOW_TO}"
        if os.environ.get("DRSN_REQUIRE_BROWSER") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def book(tmp_path_factory):
    """The folder of a built book."""
    if os.environ.get("DRSN_BOOK_HTML"):
        folder = Path(os.environ["DRSN_BOOK_HTML"]).resolve()
    else:
        folder = ROOT / "_build" / "html"
        lock = tmp_path_factory.getbasetemp().parent / "drsn-book.lock"
        with one_at_a_time(lock):
            command = [sys.executable, str(ROOT / "tools" / "build_book.py")]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"The book could not be built:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    assert (folder / "index.html").exists(), f"There is no book at {folder}: index.html is missing."
    return folder


PAGES = [
    "book/intro.html",
    "book/paths.html",
    "book/laboratory.html",
    "book/notation.html",
    "book/glossary.html",
    "book/references.html",
    "search.html",
]


@pytest.fixture(scope="session")
def pages(book):
    """Every page that the book is built of, notebooks and the library's pages included."""
    more = [*sorted((book / "notebooks").glob("*.html")), *sorted((book / "book" / "api").glob("*.html"))]
    return PAGES + [path.relative_to(book).as_posix() for path in more]


class one_at_a_time:
    """Test processes that run side by side must not build the book at the same time."""

    def __init__(self, path, patience=300):
        self.path, self.patience = Path(path), patience

    def __enter__(self):
        end = time.monotonic() + self.patience
        while True:
            try:
                os.close(os.open(self.path, os.O_CREAT | os.O_EXCL))
                return self
            except FileExistsError:
                if time.monotonic() > end:
                    raise TimeoutError(f"{self.path} was not released within {self.patience} s") from None
                time.sleep(0.2)

    def __exit__(self, *_):
        self.path.unlink(missing_ok=True)


CONTRAST = "color-contrast"

# Marks what has words of its own, and a way down to it that is in none of `seen`, the ways that it returns.
MARK_NEW = """seen => {
    const ways = new Set(seen), name = e => `${e.localName}.${e.className}.${e.getAttribute("style") ?? ""}`;
    const grounds = new Map();
    const ground = e => grounds.get(e) ?? grounds.set(e, getComputedStyle(e).background).get(e);
    for (const e of document.querySelectorAll("body *")) {
        if (![...e.childNodes].some(node => node.nodeType === Node.TEXT_NODE && node.data.trim())) continue;
        let way = getComputedStyle(e).color;
        for (let up = e; up; up = up.parentElement) way += `<${name(up)} ${ground(up)}`;
        e.toggleAttribute("data-new", !ways.has(way));
        ways.add(way);
    }
    return [...ways];
}"""


def axe_violations(page, seen=None):
    """What axe-core objects to, a line each, after asserting that it looked at something.

    Contrast is nine tenths of its time. With `seen`, a set of a test's own, it is tried where no element before, on
    this page or another, had the same classes and grounds all the way down to it, and the same colour.
    """
    from axe_playwright_python.sync_playwright import Axe

    def run(context, **more):
        # `preload` would fetch the style sheets again, which a page opened as a file may not. Of what passes one place
        # a rule is enough: the list of every place of every rule, with its HTML, took longer than the rules.
        options = {"preload": False, "resultTypes": ["violations"], **more}
        result = page.evaluate("([context, options]) => axe.run(context ?? document, options)", [context, options])
        # What is new on a page may be hidden, and then has no contrast; a page as a whole always passes something.
        assert context or result["passes"], "axe-core looked at nothing"
        return [f"{v['id']}: {n['target']} {n['failureSummary']}" for v in result["violations"] for n in v["nodes"]]

    # Once a page: reading the script takes axe-core longer than many a rule. (`Axe.run` reads it each time.)
    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    if seen is None:
        return run(None)
    found = run(None, rules={CONTRAST: {"enabled": False}})
    ways = set(page.evaluate(MARK_NEW, list(seen)))
    if ways - seen:
        found += run({"include": [["[data-new]"]]}, runOnly=[CONTRAST])
    seen |= ways
    return found


@pytest.fixture
def violations():
    return axe_violations


# Every live figure of the page has been drawn: it says so by its theme.
DRAWN = "[...document.querySelectorAll('[data-state]')].every(e => e.shadowRoot?.querySelector('.drsn')?.dataset.theme)"


class Watch:
    """What a page asked for and complained about."""

    def __init__(self, context):
        self.outside, self.errors, self.missing = [], [], []
        # The context is off the network. It is told what the page asks for; to be asked would cost a page a second.
        context.on("request", self.on_request)
        context.on("requestfailed", self.on_failure)
        context.on("console", self.on_console)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))

    def on_request(self, request):
        if not request.url.startswith(("file:", "data:", "blob:", "about:")):
            self.outside.append(request.url)

    def on_failure(self, request):
        # A page that is left may break off what it was loading; only what is not there counts.
        if "NOT_FOUND" in (request.failure or ""):
            self.missing.append(request.url)

    def on_console(self, message):
        if message.type == "error" and not any(words in message.text for words in ALLOWED_ERRORS):
            self.errors.append(message.text)

    def check(self):
        assert not self.outside, f"The page asked for something off the machine: {self.outside}"
        assert not self.missing, f"The page asked for files that are not there: {self.missing}"
        assert not self.errors, f"The page wrote errors to the console: {self.errors}"


@pytest.fixture
def open_page(browser, book):
    """Open a page of the book over file://; what it asked for is checked when the test ends."""
    opened = []

    def opener(page="book/intro.html", width=1280, theme="light", javascript=True, reduced_motion=None, scale=1):
        context = browser.new_context(
            viewport={"width": width, "height": 900},
            color_scheme=theme,
            java_script_enabled=javascript,
            reduced_motion=reduced_motion,
            device_scale_factor=scale,
            offline=True,
        )
        watch = Watch(context)
        opened.append((context, watch))
        tab = context.new_page()
        tab.set_default_timeout(30_000)  # a busy machine is slow, not broken
        tab.goto((book / page).as_uri())
        if javascript:
            tab.wait_for_function(DRAWN)
        return tab

    yield opener
    for context, _ in opened:
        context.close()
    for _, watch in opened:
        watch.check()
