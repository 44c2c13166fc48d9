"""Every example in a docstring runs and gives what it says."""

import doctest
import importlib

import keras
import numpy as np
import pytest

from drsn_lib import data

MODULES = [
    "drsn_lib.ops",
    "drsn_lib.models",
    "drsn_lib.layers.aprelu",
    "drsn_lib.layers.identity_shortcut",
    "drsn_lib.layers.residual_unit",
    "drsn_lib.layers.shrinkage",
    "drsn_lib.layers.soft_threshold",
    "drsn_lib.layers.squeeze_excitation",
    "drsn_lib.data.cwru",
    "drsn_lib.data.mnist",
    "drsn_lib.data.noise",
    "drsn_lib.data.vibration",
    "drsn_lib.training.batch_norm",
    "drsn_lib.training.callbacks",
]


# Examples on data sets that do not come with the package run where those are at hand: tests download nothing.
NEED_DATA = {"drsn_lib.data.cwru.load_cwru": "cwru/12k/97.mat"}


class AsWritten(doctest.OutputChecker):
    """Compares arrays and shapes by what they print, whatever wraps them."""

    def check_output(self, want, got, optionflags):
        return super().check_output(want, got, optionflags | doctest.NORMALIZE_WHITESPACE)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
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
    assert examples > 0, f"{name} has no example"
    assert runner.summarize(verbose=False).failed == 0


@pytest.mark.parametrize("name", [n for n in MODULES if n.startswith(("drsn_lib.layers", "drsn_lib.ops"))])
def test_public_docstrings_are_complete(name):
    module = importlib.import_module(name)
    public = [
        one
        for key, one in vars(module).items()
        if not key.startswith("_") and callable(one) and getattr(one, "__module__", None) == name
        if isinstance(one, type) or key in getattr(module, "__all__", [])
    ]
    assert public
    for one in public:
        needed = ["Example:", "Raises:", "Formula:", "Reference:"]
        needed += ["Input shape:", "Output shape:"] if isinstance(one, type) else ["Args:", "Returns:"]
        assert [part for part in needed if part not in one.__doc__] == [], one
