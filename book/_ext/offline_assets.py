"""Everything that a page needs, beside the page.

MathJax comes from the package sphinx-mathjax-offline; only its TeX reader, its HTML writer and their
fonts are copied (2 MB of 24). The theme's icon script holds two thousand icons; only those that the
built pages name are kept, which takes a page's scripts from 1.6 MB to about 0.2.
"""

import importlib.util
import re
import shutil
from pathlib import Path

from sphinx.errors import ExtensionError
from sphinx.util import logging

logger = logging.getLogger(__name__)

MATHJAX_PARTS = ("tex-chtml.js", "input/tex/extensions", "output/chtml/fonts/woff-v2")
ICON = re.compile(r'("[\w-]+"|[A-Za-z_$][\w$]*):(\[\d+,\d+,\[[^\[\]]*\],"[0-9a-f]+",(?:"[^"]*"|\["[^"]*","[^"]*"\])\])')


def copy_mathjax(app):
    """Copy the used part of MathJax into the book's static files."""
    if app.builder.format != "html":
        return
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if package is None:
        raise ExtensionError(
            "MathJax was not found: the package sphinx-mathjax-offline is not installed in this environment. "
            "Run `make book`, which installs it."
        )
    source = Path(package.origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in MATHJAX_PARTS:
        destination = target / part
        if destination.exists():
            continue
        destination.parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, destination)
        else:
            shutil.copy(source / part, destination)


def used_icons(outdir):
    """Return the names of the FontAwesome icons that the built pages and scripts name."""
    names = set()
    for page in [*Path(outdir).rglob("*.html"), *Path(outdir, "_static").glob("*.js")]:
        names.update(re.findall(r"\bfa-([a-z0-9-]+)", page.read_text(encoding="utf8", errors="ignore")))
    for script in Path(outdir, "_static", "scripts").glob("*.js"):
        if script.name != "fontawesome.js":
            names.update(re.findall(r"\bfa-([a-z0-9-]+)", script.read_text(encoding="utf8")))
    return names


def prune_icons(script, names):
    """Return the icon script's text with only the icons in `names` (by name or alias) left."""

    def keep(match):
        name = match.group(1).strip('"')
        aliases = re.findall(r'"([\w-]+)"', match.group(2).split("]", 1)[0])
        return match.group(0) if {name, *aliases} & names else ""

    pruned = ICON.sub(keep, script)
    pruned = re.sub(r",{2,}", ",", re.sub(r"\{,+", "{", pruned))
    return re.sub(r",+\}", "}", pruned)


def prune_theme(app, exception):
    """Prune the theme's icon script after the build, and drop source maps, which no page asks for."""
    if exception or app.builder.format != "html":
        return
    static = Path(app.outdir) / "_static"
    for source_map in static.rglob("*.map"):
        source_map.unlink()
    script = static / "scripts" / "fontawesome.js"
    if not script.exists():
        logger.warning("The theme's icon script was not found at %s.", script)
        return
    text = script.read_text(encoding="utf8")
    if len(text) > 500_000:
        script.write_text(prune_icons(text, used_icons(app.outdir)), encoding="utf8")


def setup(app):
    """Connect the two jobs to the build."""
    # Jupyter Book sets this option of sphinx_comments, which the book does without.
    app.add_config_value("comments_config", {}, "html")
    app.connect("builder-inited", copy_mathjax)
    app.connect("build-finished", prune_theme)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
