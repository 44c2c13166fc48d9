"""For the figure "Inside a shrinkage unit": two trained networks, and how their thresholds respond to noise."""

import numpy as np

from drsn_lib import data, models, records
from drsn_lib.widgets._network import export

VARIANTS = ("drsn-cw", "drsn-cs")
LEVELS = (-10, -5, 0, 5, 10, 15)
COUNT = 500


def response(model):
    """Means over 500 test digits and over the channels: of m, α and τ, for each level and last without noise."""
    _, (images, _) = data.load_mnist(full=False)
    clean = images[:COUNT, ..., np.newaxis] / np.float32(255)
    found = {}
    for level in (*LEVELS, np.inf):
        noisy = data.add_noise(clean, level, seed=3)
        scales, thresholds = models.scales(model, noisy), models.thresholds(model, noisy)
        for unit in scales:
            alpha, tau = scales[unit], thresholds[unit]
            # τ = α m with the m of a channel, or with the mean m of all of them: so this is that mean either way.
            numbers = {"m": (tau / alpha).mean(), "alpha": alpha.mean(), "tau": tau.mean()}
            for name, value in numbers.items():
                found.setdefault(unit, {}).setdefault(name, []).append(round(float(value), 5))
    return found


def build():
    """What drsn_lib/widgets/data/shrinkage_unit.json holds."""
    networks, responses = {}, {}
    for variant in VARIANTS:
        model = records.load_model("mnist-snr", variant, seed=0, budget="modern", condition={"noise": "mixed"})
        networks[variant], responses[variant] = export(model), response(model)
    return {"networks": networks, "responses": responses, "levels": LEVELS, "count": COUNT}
