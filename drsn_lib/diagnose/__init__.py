"""From a folder of recorded signals to a trained network and a report that says how far it can be believed.

`run` does it all, as `python -m drsn_lib diagnose FOLDER` does. Its steps can be taken one by one: `read_folder`,
`cut`, `split`, `standardize`, then a training of one's own, `calibration`; and `load` brings back what `run` has
stored. Reading needs no Keras backend, training does.
"""

from drsn_lib.diagnose._calibration import Calibration, calibration, fit_temperature, with_temperature
from drsn_lib.diagnose._reading import BadData, Signal, Signals, read_file, read_folder
from drsn_lib.diagnose._running import run
from drsn_lib.diagnose._saved import Answer, Diagnosis, load
from drsn_lib.diagnose._windows import Split, Windows, cut, remount, split, standardize
from drsn_lib.diagnose._writing import write_example

__all__ = [
    "Answer",
    "BadData",
    "Calibration",
    "Diagnosis",
    "Signal",
    "Signals",
    "Split",
    "Windows",
    "calibration",
    "cut",
    "fit_temperature",
    "load",
    "read_file",
    "read_folder",
    "remount",
    "run",
    "split",
    "standardize",
    "with_temperature",
    "write_example",
]
