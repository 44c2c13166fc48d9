"""Live figures in the book's pages.

The directive ``{threshold-lab}`` (one a figure, named by the figure's HTML tag) asks the figure's Python
class for its static HTML, so that the default state has one home. Options set the state, the body is the
caption, ``:name:`` is the label::

    ```{threshold-lab}
    :name: fig-threshold-lab
    :threshold: 0.8

    The threshold laboratory.
    ```

A page that shows a figure, by directive or as a notebook's output, gets that figure's scripts and no other. Each
figure also has a page alone, `laboratory/<tag>.html`, as wide as the window. The directive ``{laboratory}`` lists
all figures: a picture, what there is to see, the chapter, and the page alone.
"""

import html
import importlib
import json
import re
import shutil
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

FOLDER = "live"  # below _static; holds the scripts that pages name one by one
ALONE = "laboratory"  # holds a page of its own for each figure
PICTURES = ROOT / "book" / "pictures"

# As wide as the window, and taller letters where there is room for them.
PAGE_ALONE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} — Deep residual shrinkage networks</title>
<link rel="icon" href="../_static/favicon.svg">
<style>
:root {{ --drsn-width: none; color-scheme: light dark; --pst-color-text-base: #1f2328; }}
body {{ margin: 0 auto; padding: 12px; max-width: 1600px; font: 16px/1.5 system-ui, sans-serif;
  background: #fff; color: var(--pst-color-text-base); }}
a {{ color: #0a5ad0; }}
h1 {{ font-size: 1.4rem; margin: 0 0 12px; }}
header {{ display: flex; flex-wrap: wrap; justify-content: space-between; align-items: baseline; gap: 0 24px; }}
@media (min-width: 1300px) {{ main {{ zoom: 1.25; }} }}
@media (prefers-color-scheme: dark) {{
  :root {{ --pst-color-text-base: #e6e9ed; }}
  body {{ background: #0f1216; }}
  a {{ color: #7db8ff; }}
}}
</style>
{scripts}</head>
<body>
<header><h1>{title}</h1><a href="../book/laboratory.html">All figures</a></header>
<main>{element}</main>
</body>
</html>
"""


def figures():
    """Return the live figures' classes by their HTML tag."""
    return importlib.import_module("drsn_lib.widgets").figures()


class LiveFigure(SphinxDirective):
    """Place a live figure, numbered and with a caption if it has a body."""

    figure = None
    has_content = True

    def run(self):
        """Return the figure's node."""
        options = dict(self.options)
        name = options.pop("name", None)
        state = {key: self.read_value(value) for key, value in options.items()}
        figure = self.figure(**state)
        for path in (self.figure.script_path(), sys.modules[self.figure.__module__].__file__):
            self.env.note_dependency(str(path))
        element = nodes.raw("", f'<div class="live-figure">{figure.static_html()}</div>', format="html")
        fallback = nodes.raw("", figure.fallback(), format="latex")
        self.set_source_info(element)
        if not self.content:
            return [element, fallback]
        node = nodes.figure("", element, fallback, classes=["live"])
        parsed = nodes.Element()
        self.state.nested_parse(self.content, self.content_offset, parsed)
        first, *rest = parsed.children
        node += nodes.caption(first.rawsource, "", *first.children)
        if rest:
            node += nodes.legend("", *rest)
        if name:
            self.options["name"] = name
            self.add_name(node)
        self.set_source_info(node)
        return [node]

    @staticmethod
    def read_value(text):
        """Read an option: a number where it is one, else the text."""
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            return text


def directive_for(figure):
    """Make the directive of one figure; its options are the figure's state and a name."""
    spec = {key: directives.unchanged_required for key in figure.state_names()}
    return type(
        figure.__name__, (LiveFigure,), {"figure": figure, "option_spec": {**spec, "name": directives.unchanged}}
    )


def scripts():
    """Return every script of every figure, by the name of its file."""
    return {name: text for figure in figures().values() for name, text in figure.scripts().items()}


def picture_of(tag):
    """Return the picture of a figure's default state (tools/make_pictures.py), or None if there is none."""
    path = PICTURES / f"{tag}.webp"
    return path if path.exists() else None


def picture_words(figure):
    """Return the text of a figure's picture; what is to be seen on it, the fallback beside it says."""
    return html.escape(f"{figure.title()}, as it begins")


def add_scripts(app, pagename, templatename, context, doctree):
    """Add the scripts of the figures that stand on the page, and a picture for readers without scripts."""
    body = context.get("body") or ""
    here = {tag: figure for tag, figure in figures().items() if f"<{tag} " in body}
    names = {name: None for figure in here.values() for name in figure.scripts()}
    for place, name in enumerate(names):
        app.add_js_file(f"{FOLDER}/{name}", loading_method="defer", priority=900 + place)
    for tag in here:
        if picture_of(tag):
            address = context["pathto"](f"_static/{FOLDER}/{tag}.webp", resource=True)
            picture = f'<img class="keep-colors" src="{address}" alt="{picture_words(here[tag])}">'
            context["body"] = context["body"].replace(f"</{tag}>", f"<noscript>{picture}</noscript></{tag}>")


def as_served(name, text):
    """Return a script as pages load it: small where the minifier is installed; data are one line as they are."""
    try:
        import minify
    except ImportError:
        return text
    return text if name.endswith(".data.js") else minify.string("application/javascript", text)


def copy_scripts(app):
    """Put the scripts where the pages name them; not a static folder, whose every script Jupyter Book loads."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for name, text in scripts().items():
        (target / name).write_text(as_served(name, text), encoding="utf8")
    alone = Path(app.outdir) / ALONE
    alone.mkdir(exist_ok=True)
    for tag, figure in figures().items():
        if picture_of(tag):
            shutil.copy(picture_of(tag), target)
        (alone / f"{tag}.html").write_text(page_alone(figure), encoding="utf8")


def page_alone(figure):
    """Return a page with a figure and nothing else, as wide as the window: for a projector."""
    element = figure().static_html()
    if picture_of(figure._tag):
        words = picture_words(figure)
        picture = f'<noscript><img src="../_static/{FOLDER}/{figure._tag}.webp" alt="{words}"></noscript>'
        element = element.replace(f"</{figure._tag}>", f"{picture}</{figure._tag}>")
    lines = "".join(f'<script defer src="../_static/{FOLDER}/{name}"></script>\n' for name in figure.scripts())
    return PAGE_ALONE.format(title=html.escape(figure.title()), scripts=lines, element=element)


def chapter_of(figure):
    """Return the document in which a figure stands first, in the order of the book; None if there is none."""
    calls = (f"widgets.{figure.__name__}(", f"```{{{figure._tag}}}")
    names = re.findall(r"^\s*-? ?file: (\S+)", (ROOT / "book" / "_toc.yml").read_text(encoding="utf8"), re.M)
    for name in sorted(names, key=lambda name: not name.startswith("notebooks/")):
        for path in (ROOT / f"{name}.ipynb", ROOT / f"{name}.md"):
            if path.exists() and any(call in path.read_text(encoding="utf8") for call in calls):
                return name
    return None


class Laboratory(SphinxDirective):
    """List all figures: a picture, a sentence, the chapter, the page alone."""

    def run(self):
        """Return a section of the page for each figure."""
        nodes_made = []
        for tag, figure in figures().items():
            section = nodes.section(ids=[f"figure-{tag}"], names=[], classes=["laboratory"])
            section += nodes.title("", figure.title())
            alone = f"../{ALONE}/{tag}.html"
            words = picture_words(figure)
            shown = f'<img class="keep-colors" src="../_static/{FOLDER}/{tag}.webp" alt="{words}">'
            section += nodes.raw("", f'<a class="picture" href="{alone}">{shown}</a>', format="html")
            words = figure.__doc__.split("\n")[0].split(":", 1)[1].strip()
            section += nodes.paragraph("", words[:1].upper() + words[1:])
            links = nodes.paragraph()
            links += nodes.raw("", f'<a href="{alone}">Open it alone</a>', format="html")
            chapter = chapter_of(figure)
            if chapter:
                self.env.note_dependency(str(ROOT / f"{chapter}.ipynb"))
                links += nodes.Text(", or read it in ")
                links += addnodes.pending_xref(
                    "",
                    nodes.inline("", ""),
                    refdomain="std",
                    reftype="doc",
                    reftarget=f"/{chapter}",
                    refexplicit=False,
                    refwarn=True,
                )
            links += nodes.Text(".")
            section += links
            nodes_made.append(section)
        return nodes_made


def setup(app):
    """Register one directive a figure, the list of all, and the scripts."""
    app.add_directive("laboratory", Laboratory)
    for tag, figure in figures().items():
        app.add_directive(tag, directive_for(figure))
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
