"""Handwritten digits."""

import functools
import pathlib

import numpy as np

from drsn_lib.data import _cache

_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_DIGESTS = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
_SUBSET = pathlib.Path(__file__).parent / "mnist_subset.npz"


def load_mnist(full=False):
    """Loads MNIST: by default a subset that comes with the package, so that no download is needed.

    The subset holds 10,000 training and 2,000 test images, the same number of each digit, drawn from
    MNIST's own training and test sets and shuffled.

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_mnist()
    >>> x_train.shape, x_train.dtype, y_test.shape
    ((10000, 28, 28), dtype('uint8'), (2000,))

    Args:
        full: Whether to load all 60,000 + 10,000 images. They are looked for in `cache_directory()` and
            downloaded (11 MB) if they are not there.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(count, 28, 28)`, uint8 from 0 (paper)
        to 255 (ink), and labels of shape `(count,)`, uint8.

    Raises:
        DataNotAvailable: If `full` is asked for and can neither be found nor downloaded.

    Reference:
        LeCun, Cortes and Burges, "The MNIST database of handwritten digits"; licence CC BY-SA 3.0.
    """
    arrays = _cache.load_arrays("MNIST", "mnist.npz", _URL, _DIGESTS) if full else _subset()
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


@functools.cache
def _read_subset():
    with np.load(_SUBSET, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _subset():
    # Copies, so that a caller who writes into the arrays does not change them for the next one.
    return {key: array.copy() for key, array in _read_subset().items()}
