"""Deep residual shrinkage networks in Keras 3: the library of the book.

The submodules are loaded when they are first touched, so that a figure or a record
never pays the seconds that starting a Keras backend takes::

    from drsn_lib import models, training
    model = models.build("drsn-cw", input_shape=(28, 28, 1), num_classes=10)
"""

import importlib

__version__ = "0.1.0"

__all__ = [
    "augment",
    "data",
    "diagnose",
    "layers",
    "models",
    "ops",
    "plotting",
    "recipes",
    "records",
    "training",
    "widgets",
]
_NEED_KERAS = {"augment", "layers", "models", "ops", "training"}


def __getattr__(name):
    if name in __all__:
        if name in _NEED_KERAS:
            from drsn_lib import _quiet

            _quiet.import_keras()
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__():
    return sorted([*globals(), *__all__])
