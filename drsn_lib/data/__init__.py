"""Data sets, simulated vibration and noise. Nothing here needs a Keras backend."""

from drsn_lib.data._cache import DataNotAvailable, cache_directory
from drsn_lib.data.cifar10 import CIFAR10_CLASSES, load_cifar10
from drsn_lib.data.cwru import CWRU_CLASSES, Cwru, cwru_recordings, load_cwru
from drsn_lib.data.features import vibration_features
from drsn_lib.data.mnist import load_mnist
from drsn_lib.data.noise import add_noise, measure_snr
from drsn_lib.data.spectrum import envelope_spectrum
from drsn_lib.data.vibration import VIBRATION_CLASSES, Machine, Vibration, simulate_vibration

__all__ = [
    "CIFAR10_CLASSES",
    "CWRU_CLASSES",
    "VIBRATION_CLASSES",
    "Cwru",
    "DataNotAvailable",
    "Machine",
    "Vibration",
    "add_noise",
    "cache_directory",
    "cwru_recordings",
    "envelope_spectrum",
    "load_cifar10",
    "load_cwru",
    "load_mnist",
    "measure_snr",
    "simulate_vibration",
    "vibration_features",
]
