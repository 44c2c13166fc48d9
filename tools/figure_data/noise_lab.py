"""Four windows of the simulated bearing for the noise laboratory: healthy, and with a pit in three places."""

import numpy as np
import scipy.signal

from drsn_lib import data
from drsn_lib.widgets._base import pack

# As in drsn_lib/widgets/noise_lab.py, which cannot be imported before this file's data are there.
FAULTS = ("healthy", "outer race", "inner race", "ball")
SHAFT_HZ, BAND = 25.0, (2600.0, 4600.0)


def knocks(x, rate, interval):
    """Sample and height of every knock's ring, from a recording without sensor noise."""
    sos = scipy.signal.butter(4, BAND, "bandpass", fs=rate, output="sos")
    envelope = np.abs(scipy.signal.hilbert(scipy.signal.sosfiltfilt(sos, x)))
    peaks, _ = scipy.signal.find_peaks(envelope, height=0.05 * envelope.max(), distance=int(0.6 * interval * rate))
    return [[int(p), round(float(envelope[p]), 4)] for p in peaks]


def build():
    """What drsn_lib/widgets/data/noise_lab.json holds; the window of the outer race is chapter 11's."""
    settings = {"recordings": 1, "windows": 1, "shaft_hz": (SHAFT_HZ,), "loads": (1.0,), "classes": FAULTS, "seed": 0}
    made = data.simulate_vibration(**settings)
    silent = data.simulate_vibration(**settings, sensor_noise=0.0)
    hz = made.machine.frequencies(SHAFT_HZ)
    faults = FAULTS[1:]
    return {
        "rate": made.sampling_rate,
        "frequencies": {name: round(hz[name], 6) for name in ("shaft", "mesh", *faults)},
        "windows": {name: pack(made.x[k, :, 0]) for k, name in enumerate(FAULTS)},
        "knocks": {
            name: knocks(silent.x[k, :, 0].astype(float), made.sampling_rate, 1 / hz[name])
            for k, name in enumerate(FAULTS)
            if name in faults
        },
    }
