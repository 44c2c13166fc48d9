"""Small mends to the HTML of pages, so that axe-core finds nothing to object to."""

import re

EMPTY_HEADER = re.compile(r"<th\b([^>]*)>\s*(?:<p>\s*</p>)?\s*</th>")


def mend_citations(app, pagename, templatename, context, doctree):
    """Make the entries of a bibliography what their list says they are: list items.

    Docutils gives the list the role `list`, and its entries the role `doc-biblioentry`, which ARIA 1.2
    has withdrawn and which no list may hold.
    """
    if 'role="doc-biblioentry"' in (context.get("body") or ""):
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def mend_tables(app, pagename, templatename, context, doctree):
    """Make the empty corner of a table a plain cell: a header that says nothing heads nothing."""
    if "<th" in (context.get("body") or ""):
        context["body"] = EMPTY_HEADER.sub(r"<td\1></td>", context["body"])


def name_toggles(app, pagename, templatename, context, doctree):
    """Say what the arrows in the list of pages open: to a screen reader they are summaries without a word."""
    generate = context.get("generate_toctree_html")
    if generate is None:
        return

    def named(*arguments, **options):
        made = generate(*arguments, **options)
        for summary in made.select("li > details > summary") if hasattr(made, "select") else ():
            link = summary.find_parent("li").find("a")
            summary["aria-label"] = f"Pages below {link.get_text(strip=True)}"
        return made

    context["generate_toctree_html"] = named


def setup(app):
    """Connect the mends to the build."""
    app.connect("html-page-context", mend_citations)
    app.connect("html-page-context", mend_tables)
    app.connect("html-page-context", name_toggles, priority=900)  # behind the theme, which makes the function
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
