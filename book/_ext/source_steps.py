"""Source code and its formulas side by side.

The directive ``{source-step}`` shows lines of a source file, taken from it when the book is built, beside what its
body says of them::

    :::{source-step} drsn_lib.layers.shrinkage:Shrinkage.call
    :from: return
    :to: self._thresholds

    $$ y = \\operatorname{soft}(u, \\tau) $$
    :::

The argument names a module and, behind the colon, a function, class or method in it. `from` and `to` are parts of
the first and of the last line to show; without them all of it is shown. A name or a line that is no longer there
is an error, so that such a page cannot fall behind the code.
"""

import re
import textwrap
from dataclasses import dataclass

import api_pages
import api_source
from docutils import nodes
from docutils.parsers.rst import directives
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx.util.docutils import SphinxDirective

FENCE = re.compile(r"^:::+\{source-step\} +(\S+)\n((?::\w+:.*\n)*)", flags=re.M)


@dataclass(frozen=True)
class Step:
    """Lines of a source file.

    Args:
        file: Path from the repository's root.
        first: Number of the first line.
        last: Number of the last line.
        text: The lines, without the indentation that they share.
    """

    file: str
    first: int
    last: int
    text: str


def find_step(target, start=None, stop=None, library=None):
    """Find the lines that a step shows; LookupError says what is not there."""
    library = library or api_pages.library()
    module, _, name = target.partition(":")
    source = library.source(module)
    if source is None:
        raise LookupError(f"there is no module {module}")
    node = source.tree
    for part in name.split("."):
        inside = [one for one in node.body if getattr(one, "name", None) == part]
        if not inside:
            raise LookupError(f"{module} has no {name}")
        node = inside[0]
    first = min([node.lineno, *[decorator.lineno for decorator in node.decorator_list]])
    last = node.end_lineno
    if start:
        first = line_with(source.lines, start, first, last, target)
    if stop:
        last = line_with(source.lines, stop, first, last, target)
    lines = source.lines[first - 1 : last]
    return Step(
        source.path.relative_to(library.root).as_posix(), first, last, textwrap.dedent("\n".join(lines)).strip("\n")
    )


def line_with(lines, text, first, last, target):
    """The number of the first line from `first` to `last` that holds a text."""
    for number in range(first, last + 1):
        if text in lines[number - 1]:
            return number
    raise LookupError(f"{target} has no line with {text!r}")


def steps_of(markdown, library=None):
    """The steps that a text shows."""
    for target, options in FENCE.findall(markdown):
        given = dict(re.findall(r"^:(\w+): *(.*?) *$", options, flags=re.M))
        yield find_step(target, given.get("from"), given.get("to"), library)


class hanging_code(nodes.literal_block):
    """A block of Python whose long lines wrap behind their own indentation. Other builders see a plain block."""


def visit_hanging_code(self, node):
    """Write each line as a block that knows its indentation; book.css does the rest."""
    written = highlight(node.rawsource, PythonLexer(), HtmlFormatter(nowrap=True)).rstrip("\n").split("\n")
    lines = []
    for line, text in zip(written, node.rawsource.split("\n"), strict=True):
        indent = len(text) - len(text.lstrip())
        lines.append(f'<span class="line" style="--indent: {indent}ch">{line}\n</span>')
    code = "".join(lines)
    self.body.append(f'<div class="highlight-python notranslate"><div class="highlight"><pre>{code}</pre></div></div>')
    raise nodes.SkipNode


class SourceStep(SphinxDirective):
    """Place source code beside its formulas."""

    required_arguments = 1
    option_spec = {"from": directives.unchanged_required, "to": directives.unchanged_required}  # noqa: RUF012
    has_content = True

    def run(self):
        """Return the two columns."""
        try:
            step = find_step(self.arguments[0], self.options.get("from"), self.options.get("to"))
        except LookupError as error:
            raise self.error(f"This step is no longer in the source: {error}") from error
        self.env.note_dependency(str(api_source.ROOT / step.file))
        code = nodes.container(classes=["source-step-code"])
        options = self.config.html_theme_options
        place = f"{step.file}, " + (
            f"line {step.first}" if step.first == step.last else f"lines {step.first}\u2013{step.last}"
        )
        line = nodes.paragraph(classes=["source-step-place"])
        if options.get("repository_url"):
            branch = options.get("repository_branch") or "main"
            address = f"{options['repository_url']}/blob/{branch}/{step.file}#L{step.first}-L{step.last}"
            line += nodes.reference("", place, refuri=address)
        else:
            line += nodes.Text(place)
        code += [line, hanging_code(step.text, step.text, language="python")]
        words = nodes.container(classes=["source-step-words"])
        self.state.nested_parse(self.content, self.content_offset, words)
        columns = nodes.container("", code, words, classes=["source-step-columns"])
        made = nodes.container("", columns, classes=["source-step"])
        self.set_source_info(made)
        return [made]


def setup(app):
    """Register the directive."""
    app.add_node(hanging_code, html=(visit_hanging_code, None))
    app.add_directive("source-step", SourceStep)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
