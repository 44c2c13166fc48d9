"""Check the built book and the stored notebooks: what a reader would stumble over, found by a machine.

    python tools/check_book.py                # `make check-book`
    python tools/check_book.py --no-browser   # the files alone

Links and anchors resolve; no page asks for anything off this machine; every figure has a number, a caption and a
text for those who do not see it; every notebook is executed, small, free of errors and of this machine's folders;
every public name of the library is described where links to it lead.
Where a Chromium is found the pages are also opened in it, without network, and every request they make is seen.
"""

import argparse
import json
import os
import re
import sys
from collections import Counter
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote, urlsplit

import browser
import set_repository
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import api_source  # noqa: E402

LARGEST_NOTEBOOK = 1_000_000
# What a page fetches when it is opened. An <a href> is followed only when a reader clicks.
FETCHING = [("script", "src"), ("img", "src"), ("source", "src"), ("iframe", "src"), ("embed", "src")]
FETCHING += [("video", "src"), ("video", "poster"), ("audio", "src"), ("track", "src"), ("input", "src")]
FETCHING += [("object", "data"), ("use", "href"), ("use", "xlink:href"), ("image", "href"), ("image", "xlink:href")]
FETCHING += [("link", "href"), ("img", "srcset"), ("source", "srcset")]
NOT_FETCHED = {"canonical", "author", "license", "search", "index", "genindex", "next", "prev", "help", "top", "up"}
CSS_URL = re.compile(r"""url\(\s*["']?(?!data:|#)([^"')]+?)["']?\s*\)|@import\s+["']([^"']+)["']""")
OFF = r"(?:https?:)?//[\w.-]+\.[a-z]{2,}"
SCRIPT_FETCH = re.compile(
    rf"""(?:\bfetch|\bimport|importScripts|new\s+(?:Worker|WebSocket|EventSource|URL))\s*\(\s*["'`](?:{OFF}|wss?:)"""
    rf"""|\.open\(\s*["'`][A-Z]+["'`]\s*,\s*["'`]{OFF}"""
    rf"""|\.(?:src|href)\s*=\s*["'`]{OFF}[^"'`]*\.(?:js|mjs|css|png|svg|woff2?)\b"""
    r"""|["'`]https?://(?:cdn\.|cdnjs\.|unpkg\.com|[\w.]*jsdelivr\.net|fonts\.g)[^"'`]*["'`]"""
)
# MathJax names the home of its speech rules, which only its menu asks for; _config.yml turns the menu off, and the
# pages opened in a browser show that nothing is asked for.
ASLEEP = {"_static/mathjax/tex-chtml.js"}
CLOUD = {"https", "http", "mailto", "tel", "data", "javascript"}


def is_off(address):
    """Whether an address points off this machine."""
    parts = urlsplit(address.strip())
    return bool(parts.netloc) or parts.scheme in {"http", "https", "ws", "wss", "ftp"}


class Page:
    """One page of the built book."""

    def __init__(self, path, html):
        self.path, self.html = path, html
        self.name = path.relative_to(html).as_posix()

    @cached_property
    def soup(self):
        """The page, parsed."""
        return BeautifulSoup(self.path.read_text(encoding="utf-8"), "html.parser")

    @cached_property
    def anchors(self):
        """Everything that a link can point at within the page."""
        tags = self.soup.find_all(lambda tag: tag.has_attr("id") or (tag.name == "a" and tag.has_attr("name")))
        return {tag.get("id") or tag.get("name") for tag in tags}

    @cached_property
    def article(self):
        """What the reader came for, without the theme's frame."""
        return self.soup.select_one("article.bd-article") or self.soup.find("article") or self.soup.body or self.soup

    @cached_property
    def forward(self):
        """The address that the page sends its reader on to, or None."""
        tag = self.soup.find("meta", attrs={"http-equiv": re.compile("^refresh$", re.I)})
        found = re.search(r"url=(.+)$", tag.get("content", ""), re.I) if tag else None
        return found.group(1).strip(" '\"") if found else None

    def target(self, address):
        """The file that a local address leads to, from this page."""
        path = unquote(urlsplit(address).path)
        if not path:
            return self.path
        base = self.html if path.startswith("/") else self.path.parent
        found = Path(os.path.normpath(base / path.lstrip("/")))
        return found / "index.html" if path.endswith("/") or found.is_dir() else found

    def fetched(self):
        """The addresses that the page fetches when it is opened, each with the tag that does."""
        for tag, attribute in FETCHING:
            for item in self.soup.find_all(tag, attrs={attribute: True}):
                if tag == "link" and set(item.get("rel", [])) & NOT_FETCHED and "icon" not in item.get("rel", []):
                    continue
                value = item[attribute]
                for part in value.split(",") if attribute == "srcset" and "data:" not in value else [value]:
                    yield f"<{tag} {attribute}>", part.split()[0] if part.split() else ""
        for item in self.soup.find_all("style"):
            yield from (("<style>", found) for found in css_addresses(item.get_text()))
        for item in self.soup.find_all(style=True):
            yield from ((f"<{item.name} style>", found) for found in css_addresses(item["style"]))


def css_addresses(text):
    """What a style sheet fetches."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return [first or second for first, second in CSS_URL.findall(text)]


def read_pages(html):
    """Every page of the built book."""
    if not (html / "index.html").exists():
        raise SystemExit(f"{html}/index.html is missing: build the book first (make book)")
    paths = sorted(path for path in html.rglob("*.html") if not {"_static", "_sources"} & set(path.parts))
    return [Page(path, html) for path in paths]


# ---------------------------------------------------------------- the checks; each yields one line a fault


def check_links(pages):
    """Internal links lead to a file, and their anchors to something in it."""
    by_path = {page.path: page for page in pages}
    for page in pages:
        links = [link["href"].strip() for link in page.soup.find_all(["a", "area"], href=True)]
        for address in links + ([page.forward] if page.forward else []):
            parts = urlsplit(address)
            if parts.scheme in CLOUD or parts.netloc or address in {"", "#"}:
                continue
            target = page.target(address)
            if not target.is_file() or not target.is_relative_to(page.html):
                yield f"{page.name}: the link {address!r} leads nowhere"
            elif parts.fragment and target in by_path and unquote(parts.fragment) not in by_path[target].anchors:
                yield f"{page.name}: the link {address!r} names an anchor that is not there"


def check_repository_links(pages, root, slug):
    """Links to the project's own files on GitHub and Colab name files that are in the repository."""
    own = re.compile(r"https://(?:github\.com|colab\.research\.google\.com/github)/([\w.-]+/[\w.-]+)(?:/(.*))?$")
    for page in pages:
        for link in page.soup.find_all("a", href=own):
            found = own.match(link["href"].split("#")[0].split("?")[0])
            if not found or not found.group(2):
                continue
            file = re.match(r"(?:blob|edit|tree|raw)/[^/]+/(.+)", found.group(2))
            is_ours = found.group(1) == slug
            if "colab.research" in link["href"] and not is_ours:
                yield f"{page.name}: {link['href']} names another repository than {slug}"
            if is_ours and file and not (root / unquote(file.group(1))).exists():
                yield f"{page.name}: {link['href']} names a file that is not in the repository"


def check_resources(pages):
    """Nothing that a page fetches lies off this machine, and all of it is there."""
    sheets, scripts = set(), set()
    for page in pages:
        for tag, address in page.fetched():
            if address.startswith(("data:", "#", "about:")):
                continue
            if is_off(address):
                yield f"{page.name}: {tag} fetches {address}"
                continue
            target = page.target(address)
            if not target.is_file():
                yield f"{page.name}: {tag} fetches {address!r}, which is not there"
            elif target.suffix == ".css":
                sheets.add(target)
            elif target.suffix in {".js", ".mjs"}:
                scripts.add(target)
        for script in page.soup.find_all("script", src=False):
            for found in SCRIPT_FETCH.finditer(script.get_text()):
                yield f"{page.name}: a script in the page fetches {found.group()!r}"
    html = pages[0].html
    for sheet in sorted(sheets):
        for address in css_addresses(sheet.read_text(encoding="utf-8", errors="replace")):
            if is_off(address):
                yield f"{sheet.relative_to(html)}: the style sheet fetches {address}"
            elif not (sheet.parent / unquote(urlsplit(address).path)).is_file():
                yield f"{sheet.relative_to(html)}: the style sheet fetches {address!r}, which is not there"
    for script in sorted(scripts):
        if script.relative_to(html).as_posix() in ASLEEP:
            continue
        for found in SCRIPT_FETCH.finditer(script.read_text(encoding="utf-8", errors="replace")):
            yield f"{script.relative_to(html)}: the script fetches {found.group()[:90]!r}"


def check_figures(pages):
    """Every figure has number and caption, every picture a text for those who do not see it."""
    for page in pages:
        for figure in page.article.find_all("figure"):
            name = figure.get("id") or (figure.find(id=True) or {}).get("id") or "a figure without a name"
            caption = figure.find("figcaption") or figure.find(class_="caption")
            if caption is None or not (caption.find(class_="caption-text") or caption).get_text(strip=True):
                yield f"{page.name}: figure {name} has no caption"
            elif caption.find(class_="caption-number") is None:
                yield f"{page.name}: figure {name} has no number"
        for image in page.article.find_all("img"):
            alt, source = (image.get("alt") or "").strip(), image.get("src", "")
            if not alt or alt in {source, Path(source).name, Path(source).stem} or source.endswith(alt):
                yield f"{page.name}: the picture {source} has no text (alt) of its own"
            if image.find_parent(class_="cell_output") and not image.find_parent("figure"):
                yield f"{page.name}: the picture {source} of a cell is no numbered figure"
        for live in page.article.find_all(attrs={"data-state": True}):
            if not live.get_text(strip=True):
                yield f"{page.name}: the live figure <{live.name}> says nothing to a reader without JavaScript"
            # A page that holds a figure alone, for a projector, needs no number.
            if not live.find_parent("figure") and not page.name.startswith("laboratory/"):
                yield f"{page.name}: the live figure <{live.name}> is no numbered figure"


def check_ids(pages):
    """No two things within an article have one id: a link would lead to the first alone."""
    for page in pages:
        counts = Counter(tag["id"] for tag in page.article.find_all(id=True))
        yield from (f"{page.name}: the id {name!r} stands {count} times" for name, count in counts.items() if count > 1)


def check_notebooks_in_book(pages, root):
    """Every notebook is a page of the book."""
    names = {page.name for page in pages}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        if f"notebooks/{path.stem}.html" not in names:
            yield f"notebooks/{path.name}: stands in no page of the book (book/_toc.yml)"


def check_library(pages, names):
    """Every public name of the library has its place on the page of its module."""
    anchors = {page.name: page.anchors for page in pages}
    for name in names:
        page = f"book/api/{name.partition('.')[0]}.html"
        if f"{api_source.PACKAGE}.{name}" not in anchors.get(page, set()):
            yield f"{page}: nothing is said of {api_source.PACKAGE}.{name}"


def machine_names(root):
    """Folders of this machine that no stored output may name."""
    names = {str(root), str(Path.home()), sys.prefix, "/tmp/ipykernel", "site-packages"}
    return {name for name in names if len(name) > 1}


def check_notebook(path, root, bootstrap):
    """One stored notebook: executed whole and in order, no errors, no widget state, small, its own first cell."""
    name = path.relative_to(root).as_posix()
    text = path.read_text(encoding="utf-8")
    size = len(text.encode())
    if size >= LARGEST_NOTEBOOK:
        yield f"{name}: {size:,} bytes; under {LARGEST_NOTEBOOK:,} expected (fewer or smaller pictures)"
    try:
        notebook = json.loads(text)
        cells = notebook["cells"]
    except (ValueError, KeyError) as error:
        yield f"{name}: not a notebook ({error})"
        return
    if "widgets" in notebook.get("metadata", {}):
        yield f"{name}: holds widget state (metadata.widgets); run it with make notebooks"
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    if not code or not set_repository.is_bootstrap(code[0]):
        yield f"{name}: the first code cell is not the bootstrap cell"
    elif "".join(code[0]["source"]) != bootstrap:
        yield f"{name}: the bootstrap cell is not the one of tools/set_repository.py"
    counts = [cell["execution_count"] for cell in code if "".join(cell["source"]).strip()]
    if counts != list(range(1, len(counts) + 1)):
        run = sum(count is not None for count in counts)
        yield f"{name}: not executed whole and in order ({run} of {len(counts)} code cells); run make notebooks"
    for number, cell in enumerate(code, 1):
        tags = set(cell["metadata"].get("tags", []))
        for output in cell.get("outputs", []):
            if output["output_type"] == "error" and not tags & {"raises-exception", "nbval-raises-exception"}:
                yield f"{name}: code cell {number} holds the error {output.get('ename')}: {output.get('evalue')}"
            if output.get("name") == "stderr":
                yield f"{name}: code cell {number} wrote to the error stream: {''.join(output['text'])[:80]!r}"
        stored = json.dumps(cell.get("outputs", []))
        for folder in machine_names(root):
            if folder in stored:
                yield f"{name}: code cell {number} has an output that names {folder}"


def check_notebooks(root, bootstrap=None):
    """Every stored notebook."""
    bootstrap = bootstrap or set_repository.bootstrap_source(
        set_repository.home_slug(root), set_repository.home_version(root)
    )
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        yield from check_notebook(path, root, bootstrap)


def check_in_browser(pages):
    """Open every page without network: no request leaves the machine, every formula is set."""
    with browser.chromium() as engine:
        for page in pages:
            if page.forward:  # the page that it leads to is opened itself
                continue
            asked = []
            context = engine.new_context()
            browser.block_network(context, asked)
            tab = context.new_page()
            missing = []
            tab.on("requestfailed", lambda request, missing=missing: missing.append(request.url))
            tab.goto(page.path.as_uri())
            browser.settle(tab)
            tab.evaluate("window.scrollTo(0, document.body.scrollHeight)")
            tab.wait_for_timeout(150)
            formulas = tab.evaluate(
                """() => [document.querySelectorAll('.math').length,
                          document.querySelectorAll('mjx-container').length,
                          [...document.querySelectorAll('mjx-merror')].map(item => item.textContent)]"""
            )
            context.close()
            yield from (f"{page.name}: opened in a browser it asks for {address}" for address in dict.fromkeys(asked))
            local = dict.fromkeys(address for address in missing if address.startswith("file:"))
            yield from (f"{page.name}: opened in a browser it misses {Path(address).name}" for address in local)
            if formulas[0] > 0 and formulas[1] < formulas[0]:
                yield f"{page.name}: {formulas[0] - formulas[1]} of {formulas[0]} formulas were not set"
            yield from (f"{page.name}: a formula in error: {text}" for text in formulas[2])


def weight(page):
    """The bytes that a page loads: itself, and what it fetches by name."""
    files = {page.path}
    for _, address in page.fetched():
        if not is_off(address) and not address.startswith(("data:", "#")):
            files.add(page.target(address))
    return {
        kind: sum(path.stat().st_size for path in files if path.is_file() and path.suffix in suffixes)
        for kind, suffixes in {
            "page": {".html"},
            "scripts": {".js", ".mjs"},
            "styles": {".css"},
            "pictures": {".png", ".jpg", ".jpeg", ".svg", ".webp", ".ico"},
        }.items()
    }


def print_weights(pages):
    """A table of what each page weighs."""
    print(f"{'kilobytes':46}{'page':>8}{'scripts':>9}{'styles':>8}{'pictures':>10}{'all':>8}")
    for page in pages:
        kilobytes = {kind: size / 1e3 for kind, size in weight(page).items()}
        line = f"{kilobytes['page']:8.0f}{kilobytes['scripts']:9.0f}{kilobytes['styles']:8.0f}"
        print(f"  {page.name:44}{line}{kilobytes['pictures']:10.0f}{sum(kilobytes.values()):8.0f}")


def main(arguments=None):
    """Run every check and say what is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--html", type=Path, default=ROOT / "_build" / "html", help="the built book")
    parser.add_argument("--no-browser", action="store_true", help="do not open the pages in Chromium")
    options = parser.parse_args(arguments)
    pages = read_pages(options.html.resolve())
    checks = [
        ("links and anchors", check_links(pages)),
        ("links to the repository", check_repository_links(pages, ROOT, set_repository.home_slug())),
        ("nothing from off the machine", check_resources(pages)),
        ("figures", check_figures(pages)),
        ("ids", check_ids(pages)),
        ("notebooks in the book", check_notebooks_in_book(pages, ROOT)),
        ("the library, name by name", check_library(pages, api_source.Library(ROOT).things)),
        ("stored notebooks", check_notebooks(ROOT)),
    ]
    if options.no_browser or browser.find_chromium() is None:
        if os.environ.get("DRSN_REQUIRE_BROWSER") == "1":
            raise SystemExit(f"DRSN_REQUIRE_BROWSER=1, but {browser.HOW_TO}")
        print("The pages are NOT opened in a browser: " + ("--no-browser" if options.no_browser else browser.HOW_TO))
    else:
        checks.append(("pages opened without network", check_in_browser(pages)))
    faults = 0
    for name, check in checks:
        lines = list(check)
        faults += len(lines)
        print(f"{name}: {'good' if not lines else f'{len(lines)} faults'}")
        for line in lines:
            print(f"  {line}")
    print_weights(pages)
    notebooks = len(list((ROOT / "notebooks").glob("*.ipynb")))
    links = sum(len(page.soup.find_all("a", href=True)) for page in pages)
    figures = sum(len(page.article.find_all("figure")) for page in pages)
    print(f"{len(pages)} pages, {links} links, {figures} figures, {notebooks} notebooks checked: {faults} faults")
    return int(faults > 0)


if __name__ == "__main__":
    sys.exit(main())
