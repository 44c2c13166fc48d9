"""The page of the command line, made from the parser that reads it.

The directive ``{command-line}`` describes every command of `python -m drsn_lib`: how it is called, what it does,
and each argument. It imports the parser, and with it the recipes that it names, but no backend.
"""

import argparse
import importlib
import re
import sys
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

MODULE = "drsn_lib.__main__"
COLUMNS = 78


def parser():
    """The parser of the command line."""
    return importlib.import_module(MODULE)._parser()


def commands(made):
    """The parsers of the commands, by name, in their order."""
    (action,) = [action for action in made._actions if isinstance(action, argparse._SubParsersAction)]
    return action.choices


def shorten(made):
    """Let a name stand for the list of what may stand at an argument's place; leave out what all commands have."""
    for action in made._actions:
        if action.choices and action.metavar is None:
            action.metavar = action.dest.upper()
        if isinstance(action, argparse._HelpAction):
            action.help = argparse.SUPPRESS


def usage(made):
    """How a command is called, wrapped as a terminal of fixed width shows it."""
    made.formatter_class = lambda prog: argparse.HelpFormatter(prog, width=COLUMNS)
    return re.sub(r"\n +", "\n    ", made.format_usage().removeprefix("usage: ").rstrip())


def arguments(made):
    """The name and the description of each argument but `--help`."""
    formatter = argparse.HelpFormatter(made.prog)
    for action in made._actions:
        if isinstance(action, argparse._HelpAction | argparse._SubParsersAction):
            continue
        name = formatter._format_action_invocation(action)
        words = formatter._expand_help(action) if action.help else ""
        sentences = [words[:1].upper() + words[1:]] if words else []
        if action.choices:
            sentences.append(f"One of {', '.join(f'`{choice}`' for choice in action.choices)}")
        if action.default not in (None, False, argparse.SUPPRESS) and "default" not in words:
            sentences.append(f"By default `{action.default}`")
        yield name, " ".join(f"{sentence.rstrip('.')}." for sentence in sentences)


class CommandLine(SphinxDirective):
    """Describe the commands, one a section."""

    def run(self):
        """Return the sections."""
        for name, module in list(sys.modules.items()):
            if name.startswith("drsn_lib") and getattr(module, "__file__", None):
                self.env.note_dependency(module.__file__)
        made = parser()
        for command in [made, *commands(made).values()]:
            shorten(command)
        found = [self.code(usage(made), "text")]
        for name, command in commands(made).items():
            section = nodes.section(ids=[f"command-{name}"], classes=["api-entry"])
            section += nodes.title(name, name)
            self.set_source_info(section)
            self.state.document.note_explicit_target(section, section)
            section += self.code(usage(command), "text")
            self.parse(command.description or "", section)
            listed = nodes.definition_list(classes=["api-items"])
            for argument, words in arguments(command):
                item, definition = nodes.definition_list_item(), nodes.definition()
                self.parse(words, definition)
                item += [nodes.term("", "", nodes.literal("", argument)), definition]
                listed += item
            section += listed
            found.append(section)
        return found

    @staticmethod
    def code(text, language):
        """A block of code."""
        return nodes.literal_block(text, text, language=language, classes=["api-signature"])

    def parse(self, text, node):
        """Parse a sentence of the parser into a node."""
        self.state.nested_parse(StringList([text], source=MODULE), 0, node)


def setup(app):
    """Register the directive."""
    app.add_directive("command-line", CommandLine)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
