"""Pages that describe the library, made from its docstrings, and links to them from everywhere.

The directive ``{api} layers`` describes every public name of `drsn_lib.layers`: how it is called, its docstring by
parts, its place in the source, and the chapters that use it. ``{api-modules}`` lists the modules. Both read the
source (`api_source`), and import nothing.

Code in running text that names something public, such as `layers.Shrinkage` or `models.build(...)`, becomes a link
to its description, in chapters as in docstrings; code that looks so and names nothing is a warning. Titles that a
docstring's "Reference" quotes become links to the list of references.
"""

import functools
import json
import re
import textwrap

import api_source
from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.roles import XRefRole
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

logger = logging.getLogger(__name__)

PACKAGE = api_source.PACKAGE
LABELS = {"Args": "Arguments"}
KINDS = {"constant": "data"}  # what Sphinx calls them
BIBLIOGRAPHY = "book/references.bib"
# What stands on what; a module that is not named here comes last.
ORDER = "ops layers models data augment recipes training records diagnose plotting widgets".split()


@functools.cache
def library():
    """The library's source, read once a build."""
    return api_source.Library()


@functools.cache
def chapters_by_name():
    """For each public name the notebooks whose code uses it, by document name."""
    found, pattern = {}, re.compile(rf"\b({'|'.join(library().modules)})\.([A-Za-z_]\w*)")
    for path in sorted((api_source.ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
        for name in {".".join(match) for match in pattern.findall(code)}:
            found.setdefault(name, []).append(f"notebooks/{path.stem}")
    return found


def uses(module, documents):
    """Which of the documents use a module's names: a dictionary from name to list of documents."""
    used = {name: [one for one in found if one in documents] for name, found in chapters_by_name().items()}
    return {name: found for name, found in used.items() if found and name.startswith(f"{module}.")}


def fence_examples(text):
    """Put the code of a docstring into fences: lines from `>>>` to the next blank one, and what `::` announces."""
    announced = re.compile(r"::\n\n((?:(?: {4}.*)?(?:\n|\Z))+)")
    text = announced.sub(lambda found: f":\n\n```python\n{textwrap.dedent(found[1]).strip()}\n```\n\n", text)
    lines, inside = [], False
    for line in text.splitlines():
        if line.startswith(">>>") and not inside:
            lines += ["", "```pycon"]
            inside = True
        elif inside and not line.strip():
            lines.append("```")
            inside = False
        lines.append(line)
    return "\n".join(lines + (["```"] if inside else []))


def link_titles(text, titles):
    """Turn the quoted titles of a reference into links to the list of references."""

    def link(match):
        key = api_source.cited(match[1], titles)
        title = " ".join(match[1].split())
        return f'"{{bib-title}}`{title} <{key}>`"' if key else match[0]

    return re.sub(r'"([^"]+)"', link, text)


class Api(SphinxDirective):
    """Describe every public name of a module."""

    required_arguments = 1

    def run(self):
        """Return an overview and a section a name."""
        self.module = self.arguments[0]
        try:
            groups = library().groups(self.module)
        except (api_source.NotFound, ValueError) as error:
            raise self.error(str(error)) from error
        for path in [*library().files(), api_source.ROOT / BIBLIOGRAPHY]:
            self.env.note_dependency(str(path))
        self.used = stored(self.env).setdefault(self.env.docname, {})[self.module] = uses(
            self.module, self.env.found_docs
        )
        python = self.env.get_domain("py")
        found = []
        for group in groups:
            full = f"{PACKAGE}.{group.module}"
            python.note_module(full, full, group.docstring.summary, "", False)
            python.note_object(full, "module", full, location=self.get_location())
            content = [*self.module_text(group), self.overview(group), *map(self.entry, group.things)]
            if group.module == self.module:
                found += [nodes.target("", "", ids=[full]), *content]
            else:
                found.append(self.section(full, group.module, ["api-group"], group.module))
                found[-1] += content
        return found

    def module_text(self, group):
        """The module's docstring, and the link to its file."""
        text = self.scoped(nodes.container(classes=["api-module"]), group.module)
        self.parse(f"{group.docstring.summary}\n\n{group.docstring.body}", text)
        line = nodes.paragraph(classes=["api-meta"])
        line += [nodes.literal("", f"from {PACKAGE} import {group.module}"), nodes.Text(" ")]
        return [self.meta(line, group.file), text]

    def meta(self, line, file, lines=None):
        """Add the link to the source to a line of facts."""
        link = self.source_link(file, lines)
        if link is not None:
            line += link
        return line

    def source_link(self, file, lines=None):
        """The link to a file in the repository, or None where the book names none."""
        options = self.config.html_theme_options
        address, branch = options.get("repository_url"), options.get("repository_branch") or "main"
        if not address:
            return None
        anchor = f"#L{lines[0]}-L{lines[1]}" if lines else ""
        link = nodes.reference("", "source", refuri=f"{address}/blob/{branch}/{file}{anchor}", classes=["api-source"])
        link["reftitle"] = f"{file}, lines {lines[0]} to {lines[1]}" if lines else file
        return link

    def overview(self, group):
        """A list of the names, each with its first sentence."""
        made = nodes.definition_list(classes=["api-overview"])
        for thing in group.things:
            item, text = nodes.definition_list_item(), nodes.definition()
            item += nodes.term("", "", self.xref(thing.name, nodes.literal("", thing.short)))
            self.parse(thing.docstring.summary, self.scoped(text, thing.name))
            item += text
            made += item
        return self.scoped(made, group.module)

    def xref(self, name, content):
        """A link to the description of a public name."""
        full = f"{PACKAGE}.{name}"
        node = addnodes.pending_xref("", content, refdomain="py", reftype="obj", reftarget=full, refexplicit=True)
        node["refdoc"], node["refwarn"] = self.env.docname, True
        self.set_source_info(node)
        return node

    @staticmethod
    def scoped(node, name):
        """Note whose description a node is: there, other names of its module may stand alone."""
        node["api_scope"] = name
        return node

    def parse(self, text, node):
        """Parse a docstring's Markdown into a node."""
        if text.strip():
            source = self.get_source_info()[0]
            self.state.nested_parse(StringList(fence_examples(text).splitlines(), source=source), 0, node)
        return node

    def section(self, anchor, title, classes, scope):
        """A section with its heading and anchor."""
        made = self.scoped(nodes.section(ids=[anchor], classes=classes), scope)
        made += nodes.title(title, title)
        self.set_source_info(made)
        self.state.document.note_explicit_target(made, made)
        return made

    def entry(self, thing):
        """The section of one name."""
        full = f"{PACKAGE}.{thing.name}"
        made = self.section(full, thing.short, ["api-entry", f"api-{thing.kind}"], thing.name)
        self.env.get_domain("py").note_object(
            full, KINDS.get(thing.kind, thing.kind), full, location=self.get_location()
        )
        home = thing.name.removesuffix(f".{thing.short}")
        made.insert(1, addnodes.index(entries=[("single", f"{thing.short} ({PACKAGE}.{home})", full, "", None)]))
        line = nodes.paragraph(classes=["api-meta"])
        line += nodes.Text(f"{thing.kind}")
        if thing.bases:
            line += nodes.Text(" based on ")
            for number, base in enumerate(thing.bases):
                line += [nodes.Text(", ")] if number else []
                line += nodes.literal("", base)
        line += nodes.Text(" ")
        made += self.meta(line, thing.file, thing.lines)
        if thing.parameters is not None:
            made += self.code(thing.signature, "python", "api-signature")
        if thing.value is not None:
            made += self.code(thing.value, "python", "api-signature")
        self.parse(f"{thing.docstring.summary}\n\n{thing.docstring.body}", made)
        parts = nodes.definition_list(classes=["api-parts"])
        for name, text in thing.docstring.parts.items():
            parts += self.part(thing, name, text)
        if thing.name in self.used:
            parts += self.used_in(self.used[thing.name])
        if len(parts):
            made += parts
        made += [self.entry(member) for member in thing.members]
        return made

    @staticmethod
    def code(text, language, *classes):
        """A block of code."""
        return nodes.literal_block(text, text, language=language, classes=list(classes), force=True)

    def part(self, thing, name, text):
        """One part of a docstring, a term and its definition."""
        item, content = nodes.definition_list_item(), nodes.definition()
        item += [nodes.term("", LABELS.get(name, name)), content]
        try:
            items = thing.docstring.items(name) if name in ("Args", "Call arguments", "Raises") else {}
        except ValueError as error:
            raise self.error(f"the docstring of {thing.name}: {error}") from error
        if items:
            listed = nodes.definition_list(classes=["api-items"])
            for key, words in items.items():
                entry, definition = nodes.definition_list_item(), nodes.definition()
                entry += [nodes.term("", "", nodes.literal("", key, api_link=name == "Raises")), definition]
                self.parse(words, definition)
                listed += entry
            content += listed
        elif name == "Formula":
            fenced = re.fullmatch(r"```\w*\n(.*?)\n?```", text.strip(), flags=re.S)
            # Comments stand far to the right of the longest line; here long lines wrap.
            formula = re.sub(r" {2,}#", "  #", textwrap.dedent(fenced[1] if fenced else text))
            content += self.code(formula, "text", "api-formula")
        else:
            self.parse(link_titles(text, self.titles) if name == "Reference" else text, content)
        return item

    @functools.cached_property
    def titles(self):
        """The keys of the literature by plain title."""
        return api_source.titles(api_source.ROOT / BIBLIOGRAPHY)

    def used_in(self, documents):
        """The chapters that use a name."""
        item, line = nodes.definition_list_item(), nodes.paragraph()
        for number, document in enumerate(documents):
            link = addnodes.pending_xref("", nodes.inline(), refdomain="std", reftype="doc", reftarget=f"/{document}")
            link["refexplicit"], link["refdoc"], link["refwarn"] = False, self.env.docname, True
            line += [nodes.Text(", ")] if number else []
            line += link
        item += [nodes.term("", "In the book"), nodes.definition("", line)]
        return item


class ApiModules(Api):
    """List the public modules with what each is for."""

    required_arguments = 0

    def run(self):
        """Return the list."""
        made = nodes.definition_list(classes=["api-overview"])
        for path in library().files():
            self.env.note_dependency(str(path))
        order = {module: number for number, module in enumerate(ORDER)}
        for module in sorted(library().modules, key=lambda module: order.get(module, len(order))):
            source = library().source(f"{PACKAGE}.{module}")
            item, text = nodes.definition_list_item(), nodes.definition()
            item += nodes.term("", "", self.xref(module, nodes.literal("", module)))
            self.parse(source.docstring.summary, self.scoped(text, module))
            item += text
            made += item
        return [made]


class LinkNames(SphinxTransform):
    """Turn code that names something public into a link to its description."""

    default_priority = 500

    def apply(self, **kwargs):
        """Go through the document's pieces of code."""
        modules = "|".join(library().modules)
        looks_public = re.compile(rf"(?:{PACKAGE}\.)?(?:{modules})\.[A-Za-z]\w*(?:\.\w+)*(?:\(.*\))?", flags=re.S)
        for node in list(self.document.findall(nodes.literal)):
            parents = list(ancestors(node))
            linked = (nodes.reference, addnodes.pending_xref, nodes.title, nodes.raw)
            if node["classes"] or any(isinstance(parent, linked) for parent in parents):
                continue
            if isinstance(node.parent, nodes.term) and not node.get("api_link"):
                continue
            scope = next((parent["api_scope"] for parent in parents if "api_scope" in parent), "")
            text = node.astext()
            name = library().resolve(text, scope)
            if name is None:
                if looks_public.fullmatch(text):
                    logger.warning("%s names nothing public in %s", text, PACKAGE, location=node)
                continue
            if scope and (scope == name or text in names_of_parameters(scope)):
                continue
            link = addnodes.pending_xref("", refdomain="py", reftype="obj", reftarget=f"{PACKAGE}.{name}")
            link["refexplicit"], link["refdoc"], link["refwarn"] = True, self.env.docname, True
            link.source, link.line = node.source, node.line
            node.replace_self(link)
            link += node


def ancestors(node):
    """The nodes around a node, innermost first."""
    while node.parent is not None:
        node = node.parent
        yield node


@functools.cache
def names_of_parameters(name):
    """The parameters of a public name: in its description they are meant, not what else has their name."""
    thing = library().things.get(name)
    return {parameter.name.lstrip("*") for parameter in (thing and thing.parameters) or ()}


def stored(env):
    """What the pages said of the chapters' use, by document and module."""
    if not hasattr(env, "api_uses"):
        env.api_uses = {}
    return env.api_uses


def outdated(app, env, added, changed, removed):
    """The pages that a chapter's change concerns: those whose names it has begun or ceased to use."""
    return [
        document
        for document, said in stored(env).items()
        if document in env.found_docs and any(uses(module, env.found_docs) != was for module, was in said.items())
    ]


def forget(app, env, document):
    """Drop what a page said before it is read again."""
    stored(env).pop(document, None)


def merge(app, env, documents, other):
    """Take over what another process has read."""
    stored(env).update({document: said for document, said in stored(other).items() if document in documents})


def resolve_title(app, env, node, contnode):
    """Lead a title to its entry in the list of references."""
    if node.get("reftype") != "bib-title":
        return None
    for citation in env.get_domain("cite").citations:
        if citation.key == node["reftarget"]:
            return make_refnode(
                app.builder, node["refdoc"], citation.bibliography_key.docname, citation.citation_id, contnode
            )
    return None


def setup(app):
    """Register the directives, the links and what resolves them."""
    app.add_directive("api", Api)
    app.add_directive("api-modules", ApiModules)
    app.add_role("bib-title", XRefRole(innernodeclass=nodes.inline, warn_dangling=True))
    app.add_transform(LinkNames)
    app.connect("missing-reference", resolve_title)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", forget)
    app.connect("env-merge-info", merge)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
