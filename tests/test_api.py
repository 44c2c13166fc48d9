"""The pages on the library: made from the source, complete, linked, and never behind it."""

import ast
import json
import re
import shlex
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import api_pages  # noqa: E402
import api_source  # noqa: E402
import command_line  # noqa: E402
import source_steps  # noqa: E402

LIBRARY = api_source.Library()
READING = ROOT / "notebooks" / "reading_shrinkage.ipynb"

# ---------------------------------------------------------------- reading a package without importing it


@pytest.fixture
def package(tmp_path):
    """A small package with one of everything; importing it would fail."""
    files = {
        "__init__": '__all__ = ["shapes", "tools"]\nraise ImportError("read me, do not run me")\n',
        "tools": '''
            """Tools.

            What they are for."""
            import enum
            from .shapes import Square
            __all__ = ["LIMIT", "Odd", "Square", "cut", "wait"]
            # The most that
            # is cut.
            LIMIT: int = 3
            class Odd(ValueError):
                """Wrong."""
            def cut(x, /, at=(1,
                    2), *rest, deep: bool = True, **more):
                """Cuts a `Square`."""
            async def wait(*, seconds): "Waits."
            def unlisted(): pass
        ''',
        "shapes/__init__": '''
            """Shapes."""
            __all__ = ["Round", "Square"]
            def __getattr__(name): ...
        ''',
        "shapes/_base": '''
            import keras
            class Base(keras.layers.Layer):
                """Base."""
                def __init__(self, size, name="x"): ...
                def area(self, unit="m"):
                    """The area."""
                def call(self, x):
                    """Keras calls this."""
                def _hidden(self): ...
        ''',
        "shapes/square": '''
            import dataclasses
            from typing import NamedTuple
            from . import _base
            from drsn_lib.shapes._base import Base as Other
            __all__ = ["Point", "Round", "Square"]
            class Square(_base.Base):
                """A square."""
                def side(self):
                    """The side."""
                @property
                def corners(self):
                    """Four."""
            @dataclasses.dataclass(frozen=True)
            class Round:
                """Round."""
                radius: float
                names: list = dataclasses.field(default_factory=list)
                cached: int = dataclasses.field(init=False)
                scale: float = 1_000.0
            class Point(NamedTuple):
                """A point."""
                x: float
                y: float = 0.0
        ''',
    }
    for name, text in files.items():
        path = tmp_path / "drsn_lib" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(line[12:] if line.startswith(" " * 12) else line for line in text.split("\n")))
    return api_source.Library(tmp_path)


def test_names_are_found_through_imports_and_lazy_packages(package):
    assert package.modules == ["shapes", "tools"]
    (own, rest) = package.groups("shapes")
    assert [thing.name for thing in own.things] == ["shapes.Round", "shapes.Square"]
    assert rest.module == "shapes.square" and [thing.name for thing in rest.things] == ["shapes.square.Point"]
    (tools,) = package.groups("tools")
    assert [(thing.name, thing.kind) for thing in tools.things] == [
        ("tools.Square", "class"),
        ("tools.cut", "function"),
        ("tools.wait", "function"),
        ("tools.Odd", "exception"),
        ("tools.LIMIT", "constant"),
    ]
    assert (tools.docstring.summary, tools.docstring.body) == ("Tools.", "What they are for.")
    limit = package.things["tools.LIMIT"]
    assert limit.docstring.summary == "The most that\nis cut." and limit.value == "LIMIT: int = 3"
    square = package.things["tools.Square"]
    assert square.file == "drsn_lib/shapes/square.py"
    line = (package.root / square.file).read_text().split("\n")[square.lines[0] - 1]
    assert line == "class Square(_base.Base):"


def test_signatures_are_as_written(package):
    signatures = {name: thing.signature for name, thing in package.things.items() if thing.parameters is not None}
    assert signatures["tools.cut"] == "tools.cut(x, /, at=(1, 2), *rest, deep=True, **more)"
    assert signatures["tools.wait"] == "tools.wait(*, seconds)"
    assert signatures["shapes.Round"] == "shapes.Round(radius, names=[], scale=1_000.0)"
    assert signatures["shapes.square.Point"] == "shapes.square.Point(x, y=0.0)"
    assert signatures["shapes.Square"] == 'shapes.Square(size, name="x")'
    assert package.things["tools.Odd"].parameters is None
    long = api_source.Thing("a.b", "function", api_source.Docstring(), (api_source.Parameter("x" * 40),) * 2)
    assert long.signature == f"a.b(\n    {'x' * 40},\n    {'x' * 40},\n)"


def test_a_class_has_its_private_bases_methods_and_not_keras_own(package):
    square = package.things["shapes.Square"]
    assert square.bases == ("keras.layers.Layer",)
    assert [(member.name, member.kind) for member in square.members] == [
        ("shapes.Square.area", "method"),
        ("shapes.Square.side", "method"),
        ("shapes.Square.corners", "property"),
    ]
    assert package.things["shapes.Square.area"].signature == 'shapes.Square.area(unit="m")'


def test_names_in_texts_are_understood(package):
    resolve = package.resolve
    assert resolve("tools.cut(x, at=3)") == resolve("drsn_lib.tools.cut") == resolve("cut", "tools") == "tools.cut"
    assert resolve("area", "shapes.Square") == resolve("Round.scale", "shapes") or resolve("area") is None
    assert resolve("side", "shapes.Square.area") == "shapes.Square.side"
    assert resolve("Point") == "shapes.square.Point"  # the only class of that name
    assert resolve("Square") is None  # there are two
    assert [resolve(text) for text in ("cut", "tools.cur", "x = tools.cut", "tools", "tools.cut.deep", "")] == [
        None
    ] * 6


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        ("tools", '"LIMIT", ', '"LIMIT", "gone", ', "tools.gone is defined nowhere"),
        ("tools", '["LIMIT"', 'sorted(["b"]) + ["LIMIT"', "plain strings"),
        ("tools", "from .shapes import Square", "from .other import Square", "defined nowhere"),
        ("tools", "__all__", "all", "has no __all__"),
        ("__init__", '"shapes"', '"shape"', "there is no module"),
    ],
)
def test_a_name_that_is_not_there_is_an_error(package, file, old, new, words):
    path = package.root / "drsn_lib" / f"{file}.py"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(api_source.NotFound, match=re.escape(words)):
        _ = api_source.Library(package.root).things


def test_a_docstring_falls_into_its_parts():
    text = """Shrinks.

        More on it:
        and on.

        Example:

        >>> shrink(1)
        0

        Args:
            x: Float,
                in volts.
            *more: Not a title:
                Args:

        Formula:

        ```
        Reference:
        ```
        """
    found = api_source.parse_docstring(text)
    assert (found.summary, found.body) == ("Shrinks.", "More on it:\nand on.")
    assert list(found.parts) == ["Example", "Args", "Formula"]
    assert found.items("Args") == {"x": "Float,\nin volts.", "*more": "Not a title:\nArgs:"}
    assert api_pages.fence_examples(found.parts["Example"]).split("\n") == ["", "```pycon", ">>> shrink(1)", "0", "```"]
    code = "So::\n\n    from a import b\n\n    b  # that\n\nAnd on: `::`.\n"
    made = "So:\n\n```python\nfrom a import b\n\nb  # that\n```\n\nAnd on: `::`."
    assert api_pages.fence_examples(code) == made
    with pytest.raises(ValueError, match="neither"):
        api_source.parse_docstring("A.\n\nArgs:\n    x: A.\n    and b").items("Args")


def test_titles_are_told_by_their_letters(tmp_path):
    path = tmp_path / "a.bib"
    path.write_text(
        "@book{one,\n  title = {The {DRSN}: a ``first'' look at all of it},\n}\n\n@misc{two,\n  year = 1\n}\n"
    )
    keys = api_source.titles(path)
    assert api_source.cited("the DRSN: a 'first' look at all of it", keys) == "one"
    assert api_source.cited("The DRSN: a first look", keys) is None  # so short a start could be another's
    assert api_source.cited("The DRSN: a first look at all", keys) == "one"
    assert api_pages.link_titles('A, "No title", and "The DRSN: a\nfirst look at all of it" (2020)', keys) == (
        'A, "No title", and "{bib-title}`The DRSN: a first look at all of it <one>`" (2020)'
    )


# ---------------------------------------------------------------- the book's pages


def documents_of(toc):
    """Every page that a table of contents names."""
    if isinstance(toc, dict):
        for key, value in toc.items():
            yield from [value] if key in ("file", "root") else documents_of(value)
    elif isinstance(toc, list):
        for one in toc:
            yield from documents_of(one)


def test_every_module_has_its_page():
    documents = set(documents_of(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text(encoding="utf-8"))))
    for module in LIBRARY.modules:
        page = f"book/api/{module}"
        assert page in documents, f"book/_toc.yml does not name {page}"
        text = (ROOT / f"{page}.md").read_text(encoding="utf-8")
        assert f"\n```{{api}} {module}\n```\n" in text, page
        assert text.startswith(f"# {module}: "), page
    assert set(api_pages.ORDER) == set(LIBRARY.modules)


def test_the_library_is_read_as_it_is():
    """What the reader makes of the source is what Python makes of it, in modules that need no backend."""
    import importlib
    import inspect

    for module in ("data", "recipes", "records", "plotting"):
        loaded = importlib.import_module(f"drsn_lib.{module}")
        (own, *_) = LIBRARY.groups(module)
        assert {thing.short for thing in own.things} == set(loaded.__all__)
        for thing in own.things:
            one = getattr(loaded, thing.short)
            assert (thing.kind == "constant") == (not callable(one)), thing.name
            if thing.parameters is not None:
                names = [parameter.name.lstrip("*") for parameter in thing.parameters if parameter.name]
                assert names == list(inspect.signature(one).parameters), thing.name
                assert (LIBRARY.root / thing.file) == Path(inspect.getsourcefile(one)), thing.name
                assert thing.lines[0] == inspect.getsourcelines(one)[1], thing.name


def commands_in(text):
    """The commands of the library that a text shows, in blocks and in lines."""
    for block in re.findall(r"```(?:console|bash|sh)\n(.*?)```", text, flags=re.S):
        for line in block.replace("\\\n", " ").splitlines():
            if "python -m drsn_lib" in line:
                yield line[line.index("python -m drsn_lib") :].partition(" #")[0]
    for code in re.findall(r"(?<!`)`(python -m drsn_lib [^`]+)`(?!`)", text):
        if not re.search(r"\b[A-Z]{3,}\b|…|\|", code):
            yield code


def check_command(line):
    """Read a command as the command line would; a name that does not exist is an error."""
    from drsn_lib import __main__, recipes

    words = shlex.split(line)
    assert words[:3] == ["python", "-m", "drsn_lib"]
    options = command_line.parser().parse_args(words[3:])
    if getattr(options, "variant", None):
        recipe = recipes.get(options.recipe)
        for group in options.variant:
            for variant in group.split(","):
                recipe.variant(variant)
        recipe.budget(options.budget)
        assert __main__._conditions(recipe, options.condition)


def test_commands_in_the_book_can_be_given():
    texts = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").rglob("*.md"))]
    found = [line for path in texts for line in commands_in(path.read_text(encoding="utf-8"))]
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            found += commands_in("".join(cell["source"])) if cell["cell_type"] == "markdown" else []
    assert len(found) >= 5
    for line in found:
        check_command(line)


@pytest.mark.parametrize(
    "line",
    [
        "train mnist-noise",
        "train mnist --variant resnet",
        "train mnist-noise --variant unet",
        "study mnist-noise --tea",
    ],
)
def test_a_command_that_cannot_be_given_is_found(line, capsys):
    assert list(commands_in(f"```console\n$ python -m drsn_lib {line}\n```")) == [f"python -m drsn_lib {line}"]
    with pytest.raises((SystemExit, ValueError)):
        check_command(f"python -m drsn_lib {line}")


def test_every_command_is_described():
    made = command_line.parser()
    for command in command_line.commands(made).values():
        command_line.shorten(command)
        assert command.description, command.prog
        assert "{" not in command_line.usage(command) and "-h" not in command_line.usage(command)
        for name, words in command_line.arguments(command):
            assert words.endswith("."), f"{command.prog}: {name} says {words!r}"


def build(folder, **pages):
    """Build small pages with the book's extensions; return what Sphinx warned of and the pages' HTML."""
    from io import StringIO

    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    source = folder / "source"
    source.mkdir()
    for name, text in pages.items():
        (source / f"{name}.md").write_text(text)
    (source / "book").mkdir()
    shutil.copy(ROOT / "book" / "references.bib", source / "book")
    extensions = ["myst_parser", "sphinxcontrib.bibtex", "api_pages", "command_line", "source_steps"]
    settings = {
        "extensions": extensions,
        "myst_enable_extensions": ["colon_fence", "dollarmath"],
        "bibtex_bibfiles": ["book/references.bib"],
        "html_theme": "basic",
        "nitpicky": True,
    }
    warnings = StringIO()
    with patch_docutils(), docutils_namespace():
        app = Sphinx(source, None, folder / "out", folder / "trees", "html", settings, None, warnings)
        app.build()
    return warnings.getvalue(), {name: (folder / "out" / f"{name}.html").read_text() for name in pages}


CONTENTS = "```{toctree}\nops\n```\n\n```{bibliography}\n:all:\n```\n"


def test_names_and_titles_become_links(tmp_path):
    text = "# A\n\n`ops.soft_threshold(x, 1)`, `soft_threshold`, `ops._x`, {py:func}`drsn_lib.ops.hard_threshold`.\n\n"
    warnings, pages = build(tmp_path, index=text + CONTENTS, ops="# ops\n\n```{api} ops\n```\n")
    assert warnings == ""
    links = re.findall(r'href="ops.html#([^"]+)"', re.search(r"<p>.*?</p>", pages["index"], flags=re.S)[0])
    assert links == ["drsn_lib.ops.soft_threshold", "drsn_lib.ops.hard_threshold"]
    # On the page itself a name may stand alone, and does not lead to where the reader is.
    entry = pages["ops"].split('id="drsn_lib.ops.hard_threshold"')[1].split("</section>")[0]
    assert 'href="#drsn_lib.ops.soft_threshold"' in entry
    assert re.search(r'href="index.html#\S+"[^>]*><span[^>]*>Ideal spatial adaptation', entry)
    for words in ("api-signature", "Arguments", "Returns", "Formula", "Reference"):
        assert words in entry


def test_code_that_names_nothing_public_is_a_warning(tmp_path):
    text = "# A\n\nSee `ops.soft_treshold`, and what `ops._checked` does, and `opsy.x`.\n\n"
    warnings, _ = build(tmp_path, index=text + CONTENTS, ops="# ops\n\n```{api} ops\n```\n")
    assert "index.md:3: WARNING: ops.soft_treshold names nothing public in drsn_lib" in warnings
    assert warnings.count("WARNING") == 1


def test_directives_that_lead_nowhere_say_so(tmp_path):
    steps = "\n".join(
        f":::{{source-step}} {target}\n{option}\nWords.\n:::\n"
        for target, option in [
            ("drsn_lib.ops:soft_threshold", ":from: return ops"),
            ("drsn_lib.ops:soft_threshold", ":from: return by magic"),
            ("drsn_lib.ops:softer_threshold", ""),
            ("drsn_lib.opera:aria", ""),
        ]
    )
    pages = {"index": f"# A\n\n{steps}\n{CONTENTS}", "ops": "# ops\n\n```{api} opera\n```\n"}
    warnings, html = build(tmp_path, **pages)
    for words in ("no line with 'return by magic'", "has no softer_threshold", "there is no module drsn_lib.opera"):
        assert words in warnings
    assert html["index"].count("source-step-columns") == 1
    code = re.search(r"<pre>(.*?)</pre>", html["index"], flags=re.S)[1]
    assert "sign" in code and 'style="--indent: 0ch"' in code and 'class="source-step-place"' in html["index"]


def test_a_page_follows_the_chapters_that_use_its_names(monkeypatch):
    env = SimpleNamespace(found_docs={"book/api/ops", "notebooks/one"})
    api_pages.stored(env)["book/api/ops"] = {"ops": {}}
    assert api_pages.outdated(None, env, set(), set(), set()) == []
    used = {"ops.soft_threshold": ["notebooks/one", "notebooks/draft"], "layers.APReLU": ["notebooks/one"]}
    monkeypatch.setattr(api_pages, "chapters_by_name", lambda: used)
    assert api_pages.uses("ops", env.found_docs) == {"ops.soft_threshold": ["notebooks/one"]}
    assert api_pages.outdated(None, env, set(), set(), set()) == ["book/api/ops"]
    api_pages.forget(None, env, "book/api/ops")
    assert api_pages.stored(env) == {}


def test_chapters_are_read_for_the_names_that_they_use():
    assert "notebooks/05_channel_shared_shrinkage" in api_pages.chapters_by_name()["layers.ResidualUnit"]


# ---------------------------------------------------------------- the page that reads a source

# What the page promises to show, all of it: the layer, its base, and what they call.
READ = ["drsn_lib.layers.shrinkage:Shrinkage", "drsn_lib.layers._common:GateLayer"]
READ += [f"drsn_lib.layers._common:{name}" for name in ("open_interval", "feature_map", "spatial_axes", "over_space")]
READ += ["drsn_lib.layers._common:rows", "drsn_lib.layers._common:unrowed"]
READ += [f"drsn_lib.layers._common:{name}" for name in ("mean_over_space", "is_half", "logit", "clone")]
READ += ["drsn_lib.ops:soft_threshold", "drsn_lib.ops:_checked"]


def code_lines(target, library=LIBRARY):
    """The numbers of the lines of a class or function that do something: no docstrings, no `def` lines."""
    module, _, name = target.partition(":")
    node = library.source(module).definitions[name]
    left, lines = [node], set()
    if isinstance(node, ast.ClassDef):
        lines |= {node.lineno, *[decorator.lineno for decorator in node.decorator_list]}
    while left:
        for statement in left.pop().body:
            is_docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if isinstance(statement, ast.FunctionDef | ast.ClassDef):
                left.append(statement)
            elif not is_docstring:
                lines |= set(range(statement.lineno, statement.end_lineno + 1))
    text = library.source(module).lines
    return {number for number in lines if text[number - 1].strip() and not text[number - 1].strip().startswith("#")}


def unread(markdown, library=LIBRARY):
    """The lines of code that the page promises and does not show."""
    shown = {}
    for step in source_steps.steps_of(markdown, library):
        shown.setdefault(step.file, set()).update(range(step.first, step.last + 1))
    for target in READ:
        source = library.source(target.partition(":")[0])
        file = source.path.relative_to(library.root).as_posix()
        for number in sorted(code_lines(target, library) - shown.get(file, set())):
            yield f"{file}:{number}: {source.lines[number - 1].strip()}"


def reading_page():
    cells = json.loads(READING.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


def test_the_page_shows_every_line_of_the_layer():
    text = reading_page()
    assert len(list(source_steps.steps_of(text))) > 20
    assert list(unread(text)) == []


@pytest.mark.parametrize(
    ("file", "old", "new", "words"),
    [
        (
            "layers/shrinkage.py",
            "means = _common.mean_over_space(kops.abs(x)",
            "means = _common.mean_over_space(x",
            "no line with",
        ),
        ("layers/shrinkage.py", "def _thresholds", "def _taus", "has no Shrinkage._thresholds"),
        (
            "layers/shrinkage.py",
            '    def get_config(self):\n        """',
            '    def more(self):\n        self.x = 1\n\n    def get_config(self):\n        """',
            "self.x = 1",
        ),
        ("layers/_common.py", "        return ops.sigmoid(z)", "        z = z / 2\n        return ops.sigmoid(z)", ""),
        ("layers/_common.py", "def over_space", "def above_space", "has no over_space"),
    ],
)
def test_a_source_that_moved_on_is_found(tmp_path, file, old, new, words):
    shutil.copytree(ROOT / "drsn_lib", tmp_path / "drsn_lib", ignore=shutil.ignore_patterns("*.npz", "__pycache__"))
    path = tmp_path / "drsn_lib" / file
    assert path.read_text().count(old) == 1
    path.write_text(path.read_text().replace(old, new))
    library = api_source.Library(tmp_path)
    try:
        found = list(unread(reading_page(), library))
    except (LookupError, KeyError) as error:
        found = [str(error)]
    if words:
        assert any(words in line for line in found), found
    else:  # a whole method is shown, whatever stands in it
        assert found == []
