"""Data sets and noise. Nothing here needs a Keras backend."""

from drsn_lib.data._cache import DataNotAvailable, cache_directory
from drsn_lib.data.mnist import load_mnist
from drsn_lib.data.noise import add_noise, measure_snr

__all__ = ["DataNotAvailable", "add_noise", "cache_directory", "load_mnist", "measure_snr"]
