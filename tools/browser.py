"""Find and start the Chromium that the checks and pictures use."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome"]
MAC = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
HOW_TO = "no Chromium was found (on Debian: apt-get install chromium; elsewhere set DRSN_CHROMIUM to its path)"


def find_chromium():
    """The path of a Chromium or Chrome, or None; $DRSN_CHROMIUM wins."""
    asked = os.environ.get("DRSN_CHROMIUM")
    if asked:
        return asked if Path(asked).exists() else None
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return found
    return MAC if Path(MAC).exists() else None


@contextmanager
def chromium():
    """A headless browser of Playwright's, closed at the end."""
    path = find_chromium()
    if path is None:
        raise FileNotFoundError(HOW_TO)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # The sandbox needs rights that a container's root does not have; the pages are our own.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


def block_network(context, asked):
    """Let a browser context read files and nothing else; addresses beyond go into the list `asked`."""

    def decide(route):
        address = route.request.url
        if address.startswith(("file:", "data:", "blob:", "about:")):
            route.continue_()
        else:
            asked.append(address)
            route.abort()

    context.route("**/*", decide)


def settle(page):
    """Wait until a page has its fonts and formulas."""
    page.wait_for_load_state("load")
    page.evaluate(
        """async () => {
            if (window.MathJax && MathJax.startup && MathJax.startup.promise) await MathJax.startup.promise;
            await document.fonts.ready;
        }"""
    )
