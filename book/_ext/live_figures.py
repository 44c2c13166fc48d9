"""Live figures in the book's pages.

The directive ``{threshold-lab}`` (one a figure, named by the figure's HTML tag) asks the figure's Python
class for its static HTML, so that the default state has one home. Options set the state, the body is the
caption, ``:name:`` is the label::

    ```{threshold-lab}
    :name: fig-threshold-lab
    :threshold: 0.8

    The threshold laboratory.
    ```

A page that shows a figure, by directive or as a notebook's output, gets that figure's script and no other.
"""

import importlib
import json
import shutil
import sys
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

FOLDER = "live"  # below _static; holds the scripts that pages name one by one


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
        for path in (type(figure).script_path(), sys.modules[type(figure).__module__].__file__):
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


def add_scripts(app, pagename, templatename, context, doctree):
    """Add the scripts of the figures that stand on the page."""
    body = context.get("body") or ""
    here = [figure for tag, figure in figures().items() if f"<{tag} " in body]
    if not here:
        return
    app.add_js_file(f"{FOLDER}/{here[0].base_path().name}", loading_method="defer", priority=900)
    for figure in here:
        app.add_js_file(f"{FOLDER}/{figure.script_path().name}", loading_method="defer", priority=901)


def copy_scripts(app):
    """Put the scripts where the pages name them; not a static folder, whose every script Jupyter Book loads."""
    if app.builder.format != "html":
        return
    target = Path(app.outdir) / "_static" / FOLDER
    target.mkdir(parents=True, exist_ok=True)
    for figure in figures().values():
        shutil.copy(figure.base_path(), target)
        shutil.copy(figure.script_path(), target)


def setup(app):
    """Register one directive a figure, and the scripts."""
    for tag, figure in figures().items():
        app.add_directive(tag, directive_for(figure))
    app.connect("builder-inited", copy_scripts)
    app.connect("html-page-context", add_scripts)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
