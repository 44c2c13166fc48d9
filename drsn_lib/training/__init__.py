"""What training needs beyond Keras' own `compile` and `fit`."""

from drsn_lib.training.batch_norm import recalibrate_batch_norm
from drsn_lib.training.callbacks import ProgressBar

__all__ = ["ProgressBar", "recalibrate_batch_norm"]
