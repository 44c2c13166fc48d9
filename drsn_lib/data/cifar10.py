"""Small color photographs."""

import pickle
import tarfile

import numpy as np

from drsn_lib.data import _cache

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_DIGESTS = {
    "x_train": "47af8b02cfcfb6cdf3dbbd1969ad7f1b70f4413f6f80f437b020ee4e5bc8304a",
    "y_train": "2b7cd2f24487317614016b72ffd53071c3062f592f0eb300c18a770d41ae1253",
    "x_test": "f9b1e2130bab680db56eb06d886f7f1ad0f1183907ceff4659d1735c890f5b04",
    "y_test": "cec8a24a1e92aa2ecaa0bbd3dbfa86bf6cd8759fbd209a832824c8cf0afca9d5",
}
# The names of CIFAR-10's classes: label 0 is an airplane.
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)


def load_cifar10():
    """Loads CIFAR-10, from the cache or else from its authors' site (170 MB).

    Example:

    >>> (x_train, y_train), (x_test, y_test) = load_cifar10()
    >>> x_train.shape, y_test.shape, CIFAR10_CLASSES[y_train[0]]
    ((50000, 32, 32, 3), (10000,), 'frog')

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images of shape `(count, 32, 32, 3)`, uint8 from 0 to 255,
        50,000 and 10,000 of them in the original order, and labels of shape `(count,)`, uint8, indices
        into `CIFAR10_CLASSES`.

    Raises:
        DataNotAvailable: If the set can neither be found in `cache_directory()` nor downloaded.

    Reference:
        Krizhevsky, "Learning multiple layers of features from tiny images" (2009). The set states no
        licence, so it is not part of this project.
    """
    arrays = _cache.load_arrays("CIFAR-10", "cifar10.npz", _URL, _DIGESTS, convert=_from_archive)
    return (arrays["x_train"], arrays["y_train"].ravel()), (arrays["x_test"], arrays["y_test"].ravel())


class _ArraysOnly(pickle.Unpickler):
    """Reads the archive's pickles, and refuses to build anything but arrays from them."""

    def find_class(self, module, name):
        if module.startswith("numpy") and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not expected in CIFAR-10")


def _from_archive(path):
    """The arrays of the official archive."""
    images, labels = {}, {}
    with tarfile.open(path) as archive:
        for member in archive:
            batch = member.name.rpartition("/")[2]
            if batch.startswith(("data_batch_", "test_batch")):
                content = _ArraysOnly(archive.extractfile(member), encoding="bytes").load()
                images[batch], labels[batch] = content[b"data"], content[b"labels"]
    order = [f"data_batch_{k}" for k in range(1, 6)]

    def stacked(batches):
        x = np.concatenate([images[b] for b in batches]).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
        y = np.concatenate([labels[b] for b in batches]).astype(np.uint8)[:, np.newaxis]
        return np.ascontiguousarray(x), y

    x_train, y_train = stacked(order)
    x_test, y_test = stacked(["test_batch"])
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
