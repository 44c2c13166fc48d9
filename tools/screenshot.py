"""Take pictures of the built book: wide and narrow, light and dark.

python tools/screenshot.py                      # every page, into _build/pictures (`make pictures`)
python tools/screenshot.py book/intro.html      # one page
python tools/screenshot.py --readme             # the README's picture, into book/_static/readme.png
python tools/screenshot.py --figures            # every live figure as it begins, into book/pictures
"""

import argparse
import hashlib
import io
import json
import sys
from pathlib import Path

import browser

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
WIDTHS = {1280: 900, 390: 844}
THEMES = ["light", "dark"]
LARGEST_README_PICTURE = 200_000
# A live figure says that it is drawn by the theme that it chose.
DRAWN = "!!document.querySelector('[data-state]').shadowRoot?.querySelector('.drsn')?.dataset.theme"
DIGESTS = ROOT / "book" / "pictures" / "digests.json"


def open_page(engine, address, width, height, theme, scale=1):
    """A page of the book in a browser of a given size and theme, settled."""
    context = engine.new_context(
        viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=scale
    )
    browser.block_network(context, [])
    context.add_init_script(f"localStorage.setItem('mode', '{theme}'); localStorage.setItem('theme', '{theme}');")
    tab = context.new_page()
    tab.goto(address)
    browser.settle(tab)
    tab.wait_for_timeout(400)
    return context, tab


def take_pages(names, folder, full):
    """Pictures of pages at every width and theme."""
    folder.mkdir(parents=True, exist_ok=True)
    with browser.chromium() as engine:
        for name in names:
            for width, height in WIDTHS.items():
                for theme in THEMES:
                    context, tab = open_page(engine, (HTML / name).as_uri(), width, height, theme)
                    path = folder / f"{Path(name).with_suffix('').as_posix().replace('/', '-')}-{width}-{theme}.png"
                    tab.screenshot(path=path, full_page=full)
                    context.close()
                    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path, flush=True)


def take_readme(page, selector, path):
    """The README's picture: a window of a page, in few enough colors to be light."""
    from PIL import Image

    with browser.chromium() as engine:
        context, tab = open_page(engine, (HTML / page).as_uri(), 1240, 1036, "light", scale=1.5)
        if selector:
            tab.locator(selector).first.scroll_into_view_if_needed()
            tab.evaluate(
                "selector => window.scrollTo(0, document.querySelector(selector).getBoundingClientRect().top"
                " + window.scrollY + 92)",
                selector,
            )
            tab.wait_for_timeout(400)
        picture = Image.open(io.BytesIO(tab.screenshot()))
        context.close()
    for colors in (256, 128, 64):
        buffer = io.BytesIO()
        picture.convert("RGB").quantize(colors, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
        if buffer.tell() < LARGEST_README_PICTURE:
            break
    else:
        raise SystemExit(f"the picture takes {buffer.tell():,} bytes; under {LARGEST_README_PICTURE:,} expected")
    path.write_bytes(buffer.getvalue())
    print(f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {buffer.tell() / 1e3:.0f} kB")


def live_figures():
    """The classes of the live figures by tag; the package is this repository's."""
    sys.path.insert(0, str(ROOT))
    from drsn_lib import widgets

    return widgets.figures()


def digest(figure):
    """A figure's scripts, data and first state as one short word: what its picture was taken of."""
    shown = [*figure.scripts().values(), json.dumps(figure().state(), sort_keys=True)]
    return hashlib.sha256("\0".join(shown).encode()).hexdigest()[:16]


def stale_pictures():
    """The tags of the figures whose stored picture is not of what they show today."""
    stored = json.loads(DIGESTS.read_text(encoding="utf-8")) if DIGESTS.exists() else {}
    return [
        tag
        for tag, figure in live_figures().items()
        if stored.get(tag) != digest(figure) or not (DIGESTS.parent / f"{tag}.webp").exists()
    ]


def take_figures():
    """Pictures of the live figures as they begin, for readers without scripts and for the laboratory's page."""
    from PIL import Image

    stale, figures = stale_pictures(), live_figures()
    DIGESTS.parent.mkdir(exist_ok=True)
    with browser.chromium() as engine:
        for tag in stale:
            page = HTML / "laboratory" / f"{tag}.html"
            context, tab = open_page(engine, page.as_uri(), 1100, 900, "light")
            tab.wait_for_function(DRAWN)
            picture = Image.open(io.BytesIO(tab.locator(tag).screenshot()))
            context.close()
            path = DIGESTS.parent / f"{tag}.webp"
            picture.convert("RGB").save(path, "WEBP", quality=72, method=6)
            print(f"{path.relative_to(ROOT)}: {picture.width} x {picture.height}, {path.stat().st_size / 1e3:.0f} kB")
    digests = {tag: digest(figure) for tag, figure in figures.items()}
    DIGESTS.write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    for path in DIGESTS.parent.glob("*.webp"):
        if path.stem not in figures:
            path.unlink()


def main(arguments=None):
    """Take the pictures that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("pages", nargs="*", help="pages below _build/html (default: all)")
    parser.add_argument("--to", type=Path, default=ROOT / "_build" / "pictures", help="the folder for the pictures")
    parser.add_argument("--window", action="store_true", help="the first screen alone, not the whole page")
    parser.add_argument("--readme", metavar="PAGE", nargs="?", const="book/intro.html", help="the README's picture")
    parser.add_argument("--figures", action="store_true", help="the live figures' pictures that are out of date")
    parser.add_argument("--selector", default="threshold-lab", help="with --readme: what to scroll to")
    options = parser.parse_args(arguments)
    if not (HTML / "index.html").exists():
        raise SystemExit("the book is not built: make book")
    if browser.find_chromium() is None:
        raise SystemExit(browser.HOW_TO)
    if options.figures:
        take_figures()
        return 0
    if options.readme:
        take_readme(options.readme, options.selector, ROOT / "book" / "_static" / "readme.png")
        return 0
    skipped = {"genindex.html", "search.html", "index.html"}
    names = options.pages or sorted(
        path.relative_to(HTML).as_posix()
        for path in HTML.rglob("*.html")
        if not {"_static", "_sources"} & set(path.parts) and path.relative_to(HTML).as_posix() not in skipped
    )
    take_pages(names, options.to, not options.window)
    return 0


if __name__ == "__main__":
    sys.exit(main())
