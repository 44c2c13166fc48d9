"""For the figures that look into a trained network: the first test image of each digit."""

import base64

import numpy as np

from drsn_lib import data


def build():
    """What drsn_lib/widgets/data/test_digits.json holds: 784 bytes a digit, in base64."""
    _, (images, labels) = data.load_mnist(full=False)
    first = [images[np.flatnonzero(labels == digit)[0]] for digit in range(10)]
    return {"images": [base64.b64encode(image.astype(np.uint8).tobytes()).decode("ascii") for image in first]}
