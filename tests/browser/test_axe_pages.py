"""axe-core finds nothing in any page, which fits its window too, on a desktop and on a phone, in light and dark."""

import re

import pytest
from browser import settle

WIDTHS = {"desktop": 1280, "phone": 390}
FRAME = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"

# Tokens of code, parts of formulas and the list of chapters are nine in ten of a page's elements, and of axe-core's
# time. They are tried whole on a few pages; on the others code is plain text, the list is empty, and so are formulas,
# as large as they were. Where a source is read step by step, its lines are blocks of their own and stay so.
LIGHTER = """() => {
    const plain = ".highlight pre:not(.source-step-code pre), .source-step-code pre .line";
    for (const code of document.querySelectorAll(plain)) code.textContent = code.textContent;
    const formulas = [...document.querySelectorAll("mjx-math")].map(e => [e, e.getBoundingClientRect()]);
    for (const [formula, {width, height}] of formulas) {
        formula.replaceChildren();
        Object.assign(formula.style, {display: "inline-block", width: `${width}px`, height: `${height}px`});
    }
    for (const spoken of document.querySelectorAll("mjx-assistive-mml")) spoken.replaceChildren();
    document.querySelector(".bd-sidebar-primary nav")?.replaceChildren();
}"""


IN_THEME = """theme => document.documentElement.dataset.theme === theme &&
    [...document.querySelectorAll("[data-state]")].every(
        figure => figure.shadowRoot.querySelector(".drsn").dataset.theme === theme)"""


def typeset(page):
    """Waits until the formulas of a page are drawn, and what the theme's scripts add stands there."""
    if page.locator("span.math, div.math").count():
        page.wait_for_function("document.querySelectorAll('mjx-container').length > 0")
    settle(page)
    page.evaluate(FRAME)


def check(page, name):
    assert page.locator("main h1:visible").count() == 1, f"{name} must have one first heading"
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, f"{name} scrolls sideways"


def check_all(open_page, book, names, violations, both=None):
    """Checks each of the pages dark on a phone, and light on a desktop too (or those named in `both` alone)."""
    desktop, phone = ({"width": width, "height": 900} for width in WIDTHS.values())
    page = open_page("book/intro.html", reduced_motion="reduce")  # a colour on its way is none to measure
    seen = {"dark": set(), "light": set()}
    for name in names:
        # The phone first: what scrolls in it gets its place in the order of the tab key when the page is loaded.
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size(phone)
        page.goto((book / name).as_uri())
        typeset(page)
        check(page, name)
        page.evaluate(LIGHTER)
        assert violations(page, seen["dark"]) == [], f"{name} dark on a phone"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(desktop)
        page.wait_for_function(IN_THEME, arg="light")
        page.evaluate(FRAME)
        check(page, name)
        if both is None or name in both:
            assert violations(page, seen["light"]) == [], f"{name} light on a desktop"


def test_every_page_is_whole_fits_and_pleases_axe(open_page, book, pages, violations):
    check_all(open_page, book, [name for name in pages if not name.startswith("book/api/")], violations)


# axe-core runs with all of its rules: what the theme and docutils had wrong is mended in book/_templates and book/_ext.
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_page_is_whole_fits_and_pleases_axe(open_page, pages, violations, theme, width):
    chapter = next(name for name in pages if name.startswith("notebooks/"))
    whole = (theme, width) in (("light", WIDTHS["desktop"]), ("dark", WIDTHS["phone"]))
    for name in ("book/intro.html", chapter):
        page = open_page(name, width=width, theme=theme)
        typeset(page)
        check(page, name)
        if name == chapter and not whole:
            page.evaluate(LIGHTER)
        assert violations(page) == [], name


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_code_and_formulas_can_be_read(open_page, book, pages, violations, theme):
    code = re.compile(r'<div class="highlight"><pre>(.*?)</pre>', re.DOTALL)
    token = re.compile(r'<span class="([^"]+)">')
    kinds = {
        kind
        for name in pages
        for text in code.findall((book / name).read_text(encoding="utf8"))
        for kind in token.findall(text)
    }
    assert len(kinds) > 20
    page = open_page("book/notation.html", theme=theme)
    typeset(page)
    assert page.locator("mjx-math").count() > 20
    page.evaluate(
        """kinds => {
            const block = document.createElement("div");
            block.className = "cell docutils container";
            block.innerHTML = `<div class="cell_input docutils container"><div class="highlight-ipython3 notranslate">
                <div class="highlight"><pre tabindex="0"></pre></div></div></div>`;
            block.querySelector("pre").append(...kinds.flatMap(kind => {
                const token = Object.assign(document.createElement("span"), {className: kind, textContent: "token"});
                return [token, " "];
            }));
            document.querySelector("article").append(block);
        }""",
        sorted(kinds),
    )
    assert violations(page) == []
