"""The book's pages: complete without a network, sound on a phone and in the dark, open to everyone."""

import re

import pytest

from drsn_lib import widgets

WIDTHS = {"desktop": 1280, "phone": 390}


def test_pages_name_nothing_off_the_machine(book, pages):
    loads = re.compile(
        r"<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc=\"(?:https?:)?//[^\"]+|<link\b[^>]*https?://[^>]+>"
    )
    for name in pages:
        found = [
            text for text in loads.findall((book / name).read_text(encoding="utf8")) if 'rel="canonical"' not in text
        ]
        assert not found, f"{name} loads {found}"
    for sheet in book.rglob("*.css"):
        assert not re.search(
            r"url\(\s*['\"]?(?:https?:)?//|@import\s+['\"]?(?:url\()?https?:", sheet.read_text(encoding="utf8")
        ), sheet


def test_formulas_are_typeset_offline(open_page):
    page = open_page("book/notation.html")
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 20")
    page.wait_for_function("[...document.fonts].some(f => /MJX/.test(f.family) && f.status === 'loaded')")
    size = page.locator("mjx-container").first.bounding_box()
    assert size["width"] > 3 and size["height"] > 5
    # TeX that MathJax could not read stands in the page as an error, or as it was typed.
    assert page.locator("mjx-merror").count() == 0
    assert "\\(" not in page.locator("article").inner_text()


def test_scripts_of_live_figures_are_loaded_only_where_one_stands(book, pages):
    texts = {name: (book / name).read_text(encoding="utf8") for name in pages}
    scripts = {tag: list(figure.scripts()) for tag, figure in widgets.figures().items()}
    standing = {tag: {name for name, text in texts.items() if f"<{tag} " in text} for tag in scripts}
    for script in {name for names in scripts.values() for name in names}:
        needing = set.union(*(standing[tag] for tag in scripts if script in scripts[tag]))
        assert {name for name, text in texts.items() if f"live/{script}" in text} == needing
    assert all(standing.values()), standing
    assert not any("_static/live/" in texts[name] for name in ("book/notation.html", "book/glossary.html"))


def test_the_laboratory_names_every_figure_and_its_chapter(open_page, book):
    page = open_page("book/laboratory.html")
    sections = page.locator("section.laboratory")
    titles = [figure.title() for figure in widgets.figures().values()]
    assert [words.strip("#\n ") for words in sections.locator("h2").all_inner_texts()] == titles
    for number, tag in enumerate(widgets.figures()):
        section = sections.nth(number)
        assert section.locator("img").evaluate("e => e.decode().then(() => e.naturalWidth)") > 600
        alone, chapter = section.locator("p a").evaluate_all("links => links.map(link => link.href)")
        assert alone.endswith(f"/laboratory/{tag}.html")
        assert f"<{tag} " in (book / chapter.split("/html/")[-1].split("#")[0]).read_text(encoding="utf8")


def test_a_page_is_light_to_load(book):
    """The theme's icon script alone was 1.5 MB; only the icons that the pages name are kept."""
    text = (book / "book" / "intro.html").read_text(encoding="utf8")
    scripts = re.findall(r'<script[^>]*\bsrc="([^"?]+)', text)
    assert len(scripts) > 5
    weight = sum((book / "book" / script).stat().st_size for script in scripts if "mathjax" not in script)
    assert weight < 600_000, f"{weight} bytes"


def test_icons_survive_their_pruning(open_page):
    page = open_page("book/intro.html")
    page.wait_for_selector(".article-header-buttons svg.svg-inline--fa")
    icons = page.locator("svg.svg-inline--fa")
    assert icons.count() >= 5
    # In place of an icon that it lacks the script draws a group of moving circles.
    wrong = "svg => svg.querySelector('g, circle') || !svg.querySelector('path') ? svg.dataset.icon : null"
    assert page.evaluate(f"[...document.querySelectorAll('svg.svg-inline--fa')].map({wrong}).filter(Boolean)") == []
    assert page.locator("i.fa-solid, span.fa-solid, i.fab, i.fas").count() == 0


def test_the_search_finds_the_library(open_page, book):
    page = open_page("search.html")
    page.goto(f"{(book / 'search.html').as_uri()}?q=recalibrate_batch_norm")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").evaluate_all("links => links.map(link => link.getAttribute('href'))")
    assert any("book/api/training.html#drsn_lib.training.recalibrate_batch_norm" in address for address in found)
    page.goto(f"{(book / 'search.html').as_uri()}?q=Shrinkage")
    page.wait_for_selector("#search-results li a[href*='#drsn_lib.layers.Shrinkage']")


def test_a_name_in_a_chapter_leads_to_its_description(open_page, book):
    page = open_page("book/notation.html")
    page.locator("article a[href$='#drsn_lib.layers.Shrinkage']").first.click()
    page.wait_for_url("**/book/api/layers.html#drsn_lib.layers.Shrinkage")
    heading = page.locator("section[id='drsn_lib.layers.Shrinkage'] > h2")
    assert heading.inner_text().startswith("Shrinkage")
    # The heading stands below the bar at the top, not behind it.
    page.wait_for_function(
        "top => Math.abs(top.getBoundingClientRect().top) < innerHeight", arg=heading.element_handle()
    )
    bar = page.locator(".bd-header-article, .header-article").first.bounding_box()
    assert heading.bounding_box()["y"] >= bar["y"] + bar["height"] - 1


def test_source_and_formulas_stand_side_by_side_where_there_is_room(open_page):
    wide, narrow = (open_page("notebooks/reading_shrinkage.html", width=width) for width in WIDTHS.values())
    places = """() => [...document.querySelectorAll('.source-step-columns')].map(step => {
        const [code, words] = [...step.children].map(part => part.getBoundingClientRect());
        return [code.right <= words.left, code.bottom <= words.top];
    })"""
    assert len(wide.evaluate(places)) > 20
    assert {tuple(place) for place in wide.evaluate(places)} == {(True, False)}
    assert {tuple(place) for place in narrow.evaluate(places)} == {(False, True)}
    # What is copied is the source, line by line, though each line is a block of its own.
    lines = wide.locator(".source-step-code pre").first.evaluate("code => code.textContent.split('\\n')")
    assert lines[0].startswith("@keras.saving") and lines[1].startswith("class Shrinkage")


@pytest.mark.parametrize("javascript", [True, False], ids=["scripts", "no scripts"])
def test_questions_answer_by_keyboard_and_without_scripts(open_page, book, javascript):
    chapters = sorted((book / "notebooks").glob("[0-9][0-9]_*.html"))
    page = open_page(chapters[0].relative_to(book).as_posix(), javascript=javascript)
    answers = page.locator("details.answer")
    assert answers.count() >= 9
    said = answers.nth(0).locator("p").first
    assert not said.is_visible()
    answers.nth(0).locator("summary").focus()
    page.keyboard.press("Enter")
    assert said.is_visible() and said.inner_text().split(".")[0] in ("Right", "No")
    page.keyboard.press("Tab")  # on to the next choice
    page.keyboard.press("Space")
    assert answers.nth(1).locator("p").first.is_visible()
    page.keyboard.press("Space")
    assert not answers.nth(1).locator("p").first.is_visible()


def test_dark_charts_are_turned_over_and_pictures_are_not(open_page, book):
    page = open_page("book/notation.html", theme="dark")
    filters = page.evaluate(
        """() => ["", "keep-colors"].map(name => {
            const figure = document.createElement("figure");
            figure.innerHTML = `<img class="${name}" alt="" src="data:,">`;
            document.querySelector(".bd-content article").append(figure);
            return getComputedStyle(figure.firstChild).filter;
        })"""
    )
    assert "invert" in filters[0] and filters[1] == "none"


def test_wide_charts_can_be_read_on_a_phone(open_page):
    boxes = """() => [...document.querySelectorAll('.wide-picture')].map(box => {
        const picture = box.querySelector('img');
        return [picture.clientWidth / picture.naturalWidth, box.clientWidth < innerWidth,
                box.scrollWidth > box.clientWidth, box.tabIndex, box.getAttribute('aria-label')];
    })"""
    narrow, wide = (open_page("notebooks/12_one_dimensional_drsn.html", width=width) for width in (390, 1280))
    for page in (narrow, wide):
        page.wait_for_load_state("load")
        page.wait_for_selector(".wide-picture")
    assert len(narrow.evaluate(boxes)) >= 4
    for scale, inside, scrolls, place, label in narrow.evaluate(boxes):
        assert (inside, scrolls, place) == (True, True, 0) and label.endswith("scrolls sideways")
        assert scale > 0.39
    assert len({label for *_, label in narrow.evaluate(boxes)}) == len(narrow.evaluate(boxes))
    assert all((scrolls, place) == (False, -1) for _, _, scrolls, place, _ in wide.evaluate(boxes))
    narrow.locator(".wide-picture").first.focus()
    narrow.keyboard.press("ArrowRight")
    narrow.wait_for_function("document.querySelector('.wide-picture').scrollLeft > 0")


def test_tables_of_words_fit_a_desktop(open_page):
    page = open_page("notebooks/results.html", width=WIDTHS["desktop"])
    over = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth + 1).map(box => box.innerText)"
    assert page.locator(".output.text_html:has(table.dataframe)").count() > 3
    assert page.locator(".output.text_html:has(table.dataframe)").evaluate_all(over) == []
    # A column of words stands on the left and is broken into lines, one of numbers is neither.
    look = "cell => [getComputedStyle(cell).textAlign, getComputedStyle(cell).whiteSpace]"
    cells = page.locator("table.dataframe").first.locator("tbody tr").first.locator("td")
    assert cells.first.evaluate(look) == ["left", "normal"] and cells.last.evaluate(look) == ["right", "nowrap"]


def test_sentences_are_broken_into_lines_and_printed_tables_are_not(open_page):
    page = open_page("notebooks/12_one_dimensional_drsn.html", width=WIDTHS["phone"])
    printed = page.locator(".cell_output .stream pre")
    look = "all => all.map(e => [e.textContent, getComputedStyle(e).whiteSpace, e.scrollWidth - e.clientWidth])"
    kinds = set()
    for text, white_space, over in printed.evaluate_all(look):
        kinds.add(white_space)
        if white_space == "pre-wrap":
            assert over <= 1 and not re.search(r"\S {2,}\S", text)
    assert kinds == {"pre", "pre-wrap"}


def test_no_line_begins_with_the_comma_behind_a_formula(open_page):
    page = open_page("notebooks/03_soft_thresholding.html", width=WIDTHS["phone"])
    page.wait_for_function("document.querySelectorAll('mjx-container').length > 20")
    kept = page.locator(".unbroken").evaluate_all("all => all.map(e => getComputedStyle(e).whiteSpace)")
    assert len(kept) > 5 and set(kept) == {"nowrap"}
    loose = """() => [...document.querySelectorAll('.bd-article span.math')]
        .map(e => e.nextSibling).filter(e => e?.nodeType === 3 && /^[,.;:]/.test(e.data))
        .filter(e => !e.parentElement.matches('.unbroken')).map(e => e.data)"""
    assert page.evaluate(loose) == []


def test_nothing_moves_for_those_who_ask(open_page):
    page = open_page("book/intro.html", reduced_motion="reduce")
    moving = page.evaluate(
        """() => {
            const all = [...document.querySelectorAll("*")];
            const lab = document.querySelector("threshold-lab").shadowRoot;
            return [...all, ...lab.querySelectorAll("*")].filter(e => {
                const s = getComputedStyle(e);
                return parseFloat(s.transitionDuration) > 0 || parseFloat(s.animationDuration) > 0;
            }).length;
        }"""
    )
    assert moving == 0
