"""For the excitation laboratory: a trained network whose units multiply each channel by a gate."""

from drsn_lib import records
from drsn_lib.widgets._network import export


def build():
    """What drsn_lib/widgets/data/excitation_lab.json holds: the SENet of random seed 0, trained in mixed noise."""
    return export(records.load_model("mnist-snr", "senet", seed=0, budget="modern", condition={"noise": "mixed"}))
