"""What training needs beyond Keras' own `compile` and `fit`, and the trainings of the book's recipes."""

from drsn_lib.training.batch_norm import recalibrate_batch_norm
from drsn_lib.training.callbacks import ProgressBar
from drsn_lib.training.fit import Stopped, build_model, build_trainer, learning_rate, run
from drsn_lib.training.linear import LinearClassifier, fit_linear
from drsn_lib.training.many import run_many
from drsn_lib.training.preparation import Prepared, prepare, probes
from drsn_lib.training.reinitialize import reinitialize
from drsn_lib.training.study import study

__all__ = [
    "LinearClassifier",
    "Prepared",
    "ProgressBar",
    "Stopped",
    "build_model",
    "build_trainer",
    "fit_linear",
    "learning_rate",
    "prepare",
    "probes",
    "recalibrate_batch_norm",
    "reinitialize",
    "run",
    "run_many",
    "study",
]
