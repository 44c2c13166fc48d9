"""Every example in a docstring runs and gives what it says, and every docstring tells all of what it describes.

Which names are public is read from the source, so that a new one is held to the same from its first day.
"""

import ast
import doctest
import importlib
import re
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from drsn_lib import data

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book" / "_ext"))

import api_source  # noqa: E402

LIBRARY = api_source.Library()
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in LIBRARY.files()
    if ">>>" in path.read_text(encoding="utf-8")
]
TITLES = api_source.titles(ROOT / "book" / "references.bib")

# Examples on data sets that do not come with the package run where those are at hand: tests download nothing.
NEED_DATA = {
    "drsn_lib.data.cifar10.load_cifar10": "cifar10.npz",
    "drsn_lib.data.cwru.Cwru": "cwru/48k/238.mat",
    "drsn_lib.data.cwru.load_cwru": "cwru/12k/97.mat",
}
# Modules whose examples need a backend of their own; they run where that one is chosen.
NEED_BACKEND = {"drsn_lib.training.many": "jax"}
# Public names without an example, and why.
NO_EXAMPLE = {"training.many.stream_many": "it is `run_many`, told record by record"}


class AsWritten(doctest.OutputChecker):
    """Compares arrays and shapes by what they print, whatever wraps them."""

    def check_output(self, want, got, optionflags):
        return super().check_output(want, got, optionflags | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    import matplotlib.pyplot as plt

    if NEED_BACKEND.get(name, keras.backend.backend()) != keras.backend.backend():
        pytest.skip(f"the examples of {name} need KERAS_BACKEND={NEED_BACKEND[name]}")
    module = importlib.import_module(name)
    monkeypatch.chdir(tmp_path)  # where an example may write
    rng = np.random.default_rng(0)
    given = {
        "np": np,
        "keras": keras,
        "images": rng.normal(size=(100, 28, 28, 1)),
        "x_train": rng.normal(size=(1000, 28, 28, 1)),
    }
    runner = doctest.DocTestRunner(checker=AsWritten())
    examples = 0
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs=given):
        if "model" not in test.globs and "model" in test.docstring:
            from drsn_lib import models

            test.globs["model"] = models.preset("mnist", "drsn-cw")
            test.globs["model"].compile("adam", "sparse_categorical_crossentropy")
            test.globs["x"], test.globs["y"] = rng.normal(size=(20, 28, 28, 1)), np.zeros(20)
        examples += len(test.examples)
        needed = NEED_DATA.get(test.name)
        if needed is None or (data.cache_directory() / needed).exists():
            runner.run(test)
        plt.close("all")
    assert examples > 0, f"{name} has no example"
    assert runner.summarize(verbose=False).failed == 0


def test_every_module_with_an_example_is_found():
    assert len(MODULES) > 20
    assert {"drsn_lib.ops", "drsn_lib.layers.shrinkage", "drsn_lib.data._cache", "drsn_lib.widgets"} <= set(MODULES)


# ---------------------------------------------------------------- what a docstring owes


def own_nodes(function):
    """The nodes of a function's body, not those of functions within it."""
    inside = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    left = list(function.body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, inside):
            left += ast.iter_child_nodes(node)


def raised(function):
    """The names of the exceptions that a function raises itself."""
    for node in own_nodes(function):
        if isinstance(node, ast.Raise) and node.exc is not None:
            exception = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            if ast.unparse(exception)[0].isupper() or "." in ast.unparse(exception):
                yield ast.unparse(exception).rpartition(".")[2]


def faults(thing):
    """What the docstring of a public name lacks, a line each."""
    found, parts = thing.docstring, thing.docstring.parts
    if not found.summary:
        where = "the comment above it" if thing.kind == "constant" else "its docstring"
        yield f"{thing.name}: {where} does not say what it is"
    elif not found.summary.endswith((".", ":")):
        yield f"{thing.name}: its first paragraph is no sentence"
    if list(parts) != [name for name in api_source.PARTS if name in parts]:
        yield f"{thing.name}: parts in the order {', '.join(parts)}; expected that of {', '.join(api_source.PARTS)}"
    if thing.kind in ("function", "class") and ">>>" not in parts.get("Example", "") and thing.name not in NO_EXAMPLE:
        yield f"{thing.name}: no Example"
    if thing.parameters is not None:
        yield from parameter_faults(thing)
    if isinstance(thing.node, ast.FunctionDef):
        yield from function_faults(thing)
    for title in re.findall(r'"([^"]+)"', parts.get("Reference", "")):
        if len(title.split()) > 2 and api_source.cited(title, TITLES) is None:
            yield f"{thing.name}: {title!r} is not in book/references.bib"


def parameter_faults(thing):
    """Arguments that are not described, or described and not there, or in another order."""
    taken = [parameter.name for parameter in thing.parameters if parameter.name]
    try:
        described = [name for names in thing.docstring.items("Args") for name in names.split(", ")]
    except ValueError as error:
        yield f"{thing.name}: {error}"
        return
    if "**kwargs" not in described:  # it goes to the base class
        taken = [name for name in taken if name != "**kwargs"]
    if taken != described:
        yield f"{thing.name}: takes {', '.join(taken) or 'nothing'}; Args describes {', '.join(described) or 'nothing'}"


def function_faults(thing):
    """What comes out of a function and is not said."""
    parts, nodes = thing.docstring.parts, list(own_nodes(thing.node))
    yields = any(isinstance(node, ast.Yield | ast.YieldFrom) for node in nodes)
    returns = any(isinstance(node, ast.Return) and node.value is not None for node in nodes)
    abstract = not returns and any(isinstance(node, ast.Raise) for node in thing.node.body)
    if thing.kind != "property" and not abstract:
        said = [part for part in ("Returns", "Yields") if part in parts]  # a generator may say either
        if (returns or yields) and not said:
            yield f"{thing.name}: no Returns"
        elif said and not (returns or yields):
            yield f"{thing.name}: says {said[0]}, and does not"
    missing = set(raised(thing.node)) - {
        name for names in thing.docstring.items("Raises") for name in names.split(", ")
    }
    if missing:
        yield f"{thing.name}: Raises does not name {', '.join(sorted(missing))}"


def public(module):
    """The public names of one submodule, members of classes included."""
    for group in LIBRARY.groups(module):
        for thing in group.things:
            yield from (thing, *thing.members)


@pytest.mark.parametrize("module", LIBRARY.modules)
def test_public_docstrings_are_complete(module):
    things = list(public(module))
    assert things
    assert [line for thing in things for line in faults(thing)] == []


@pytest.mark.parametrize("module", ["layers", "ops", "augment"])
def test_what_computes_names_its_formula_and_shapes(module):
    for thing in public(module):
        if thing.kind not in ("class", "function"):
            continue
        needed = {"Raises", "Formula", "Reference"} if module != "augment" else {"Raises"}
        needed |= {"Input shape", "Output shape"} if thing.kind == "class" else {"Args", "Returns"}
        assert needed - set(thing.docstring.parts) == set(), thing.name


def test_every_exception_is_raised_by_something_that_says_so():
    things = LIBRARY.things.values()
    raises = " ".join(name for thing in things for name in thing.docstring.items("Raises"))
    texts = raises + " ".join(f"{thing.docstring.body} {thing.docstring.parts}" for thing in things)
    for thing in things:
        if thing.kind == "exception":  # a warning is no error: it is enough that something tells of it
            assert thing.short in (texts if thing.bases[0].endswith("Warning") else raises), thing.name


@pytest.mark.parametrize("module", LIBRARY.modules)
def test_all_names_what_a_module_defines_for_others(module):
    """Of a module that is one file, everything without an underscore is public, and so in `__all__`."""
    source = LIBRARY.source(f"drsn_lib.{module}")
    if source.is_package:
        return
    defined = {name for name in source.definitions if not name.startswith("_")}
    assert defined == set(source.exported)


def test_exceptions_from_the_rule_are_of_names_that_exist():
    assert set(NO_EXAMPLE) <= set(LIBRARY.things) and all(NO_EXAMPLE.values())
    places = {f"{thing.file.removesuffix('.py').replace('/', '.')}.{thing.short}" for thing in LIBRARY.things.values()}
    assert set(NEED_DATA) <= places


GOOD = '''
def double(x, times=1):
    """Doubles.

    Example:

    >>> double(2)
    4

    Args:
        x: Number.
        times: Integer.

    Returns:
        Number.

    Raises:
        ValueError: If `x` is odd.
    """
    if x % 2:
        raise ValueError("odd")
    return x * 2**times
'''
BREAKAGES = {
    "no summary": ('"""Doubles.\n', '"""\n', "does not say what it is"),
    "no sentence": ("Doubles.", "Doubles", "no sentence"),
    "no example": (">>> double(2)", "double(2)", "no Example"),
    "an argument left out": ("        times: Integer.\n", "", "Args describes x"),
    "an argument that is not there": ("times: Integer.", "time: Integer.", "Args describes x, time"),
    "another order": ("        x: Number.\n        times: Integer.", "        times: I.\n        x: N.", "times, x"),
    "a line that belongs to none": ("        times: Integer.", "        and so on", "neither"),
    "no Returns": ("    Returns:\n        Number.\n", "", "no Returns"),
    "Returns without a return": ("    return x", "    print(x)\n    x", "and does not"),
    "no Raises": ("    Raises:\n        ValueError: If `x` is odd.\n", "", "does not name ValueError"),
    "another error": ('raise ValueError("odd")', 'raise TypeError("odd")', "does not name TypeError"),
    "parts out of order": ("Returns:\n        Number.\n\n    Raises", "Raises:\n        A: b.\n\n    Returns", "order"),
    "an unknown title": (
        "Number.\n\n    Raises",
        'N.\n\n    Reference:\n        "A book of no name".\n\n    R',
        "not in book",
    ),
}


@pytest.mark.parametrize("name", [None, *BREAKAGES])
def test_an_incomplete_docstring_is_found(tmp_path, name):
    text = GOOD
    if name:
        old, new, words = BREAKAGES[name]
        assert old in GOOD
        text = GOOD.replace(old, new, 1)
    path = tmp_path / "one.py"
    path.write_text(text)
    source = api_source.Source(path, "one")
    found = list(faults(api_source.Library(tmp_path).thing("one.double", source, source.definitions["double"])))
    assert found == [] if name is None else any(words in line for line in found), found
