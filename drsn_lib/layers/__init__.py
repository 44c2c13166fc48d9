"""The layers of the book, one a file: all run on signals and on images, on every Keras backend."""

from drsn_lib.layers.aprelu import APReLU
from drsn_lib.layers.identity_shortcut import IdentityShortcut
from drsn_lib.layers.learned_threshold import LearnedThreshold
from drsn_lib.layers.residual_unit import ResidualUnit
from drsn_lib.layers.shrinkage import Shrinkage
from drsn_lib.layers.soft_threshold import SoftThreshold
from drsn_lib.layers.squeeze_excitation import SqueezeExcitation

__all__ = [
    "APReLU",
    "IdentityShortcut",
    "LearnedThreshold",
    "ResidualUnit",
    "Shrinkage",
    "SoftThreshold",
    "SqueezeExcitation",
]
