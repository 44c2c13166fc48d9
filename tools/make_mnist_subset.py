"""Makes the MNIST subset that ships with the package, from the full set: `python tools/make_mnist_subset.py`.

The same number of images of each digit, drawn with a fixed seed from MNIST's own training and test sets
and shuffled. Running it again writes the same arrays.
"""

import pathlib
import sys

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from drsn_lib import data  # noqa: E402


def draw(x, y, per_class, rng):
    """Returns `per_class` images of each digit, in random order."""
    chosen = np.concatenate([rng.choice(np.flatnonzero(y == digit), per_class, replace=False) for digit in range(10)])
    chosen = rng.permutation(chosen)
    return x[chosen], y[chosen]


def main():
    """Writes the subset."""
    (x_train, y_train), (x_test, y_test) = data.load_mnist(full=True)
    rng = np.random.default_rng(2020)
    x_train, y_train = draw(x_train, y_train, 1000, rng)
    x_test, y_test = draw(x_test, y_test, 200, rng)
    target = ROOT / "drsn_lib" / "data" / "mnist_subset.npz"
    np.savez_compressed(target, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    print(f"{target.relative_to(ROOT)}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
