"""For the figure "Draw a digit": three trained networks, ten test digits, and what the records say of accuracy."""

import base64

import numpy as np

from drsn_lib import data, records
from drsn_lib.widgets._network import export

RECIPE = "mnist-snr"
VARIANTS = ("resnet", "senet", "drsn-cw")
# Trained in Gaussian noise of every level from 15 to -10 dB.
TRAINED_IN = {"noise": "mixed"}


def networks():
    """The networks of random seed 0, by variant."""
    return {
        variant: export(records.load_model(RECIPE, variant, seed=0, budget="modern", condition=TRAINED_IN))
        for variant in VARIANTS
    }


def examples():
    """The first test image of each digit: 784 bytes a digit, in base64."""
    (_, _), (images, labels) = data.load_mnist(full=False)
    first = [images[np.flatnonzero(labels == digit)[0]] for digit in range(10)]
    return [base64.b64encode(image.astype(np.uint8).tobytes()).decode("ascii") for image in first]


def accuracies():
    """Test accuracy by noise level, mean and standard deviation over random seeds; no level: no noise."""
    table = records.probe_table(records.load_records(RECIPE, budget="modern"))
    table = table[(table["trained_noise"] == "mixed") & table["variant"].isin(VARIANTS)]
    levels = sorted(table["snr_db"].dropna().unique())
    found = {"levels": [float(level) for level in levels], "networks": {}}
    seeds = set()
    for variant in VARIANTS:
        own = table[table["variant"] == variant]
        seeds.add(own["seed"].nunique())
        groups = [own[own["snr_db"] == level] for level in levels] + [own[own["noise"] == "none"]]
        found["networks"][variant] = {
            "mean": [round(float(group["test_accuracy"].mean()), 4) for group in groups],
            "sd": [round(float(group["test_accuracy"].std(ddof=1)), 4) for group in groups],
        }
    if len(seeds) != 1:
        raise ValueError(f"The three networks must have records of as many random seeds. Received: {seeds}")
    return {**found, "seeds": int(seeds.pop())}


def build():
    """What drsn_lib/widgets/data/digit_networks.json holds."""
    return {"networks": networks(), "examples": examples(), "accuracies": accuracies()}
