"""Simulated vibration of a gearbox shaft with its bearing, healthy and with seven faults.

The model is built from what textbooks on rotating machines agree on, and no more:

- a pair of gears meshes at (teeth x shaft rate); load raises the mesh, and the harmonics fall off;
- a local bearing fault is struck at the rate that the bearing's geometry gives; every strike rings a
  resonance of the housing that dies away exponentially;
- rolling elements slip, so that the strikes are not quite periodic;
- a fault on the inner race comes into the load zone once a turn of the shaft, one on a ball once a turn of
  the cage: their strikes are modulated, those of a fixed outer race are not;
- a cracked or broken tooth disturbs the mesh once a turn and strikes a resonance of the gear; wear raises
  the mesh's harmonics and makes teeth unequal; an eccentric gear modulates amplitude and phase once a turn,
  which shows as sidebands at the shaft rate around the mesh lines;
- the sensor adds white noise.

Every recording draws its own resonances, dampings, phases, severities and gains, as every mounting of a
machine differs from the next. So windows of one recording are alike, and a fair split is one by recording.
"""

import dataclasses
import math

import numpy as np

# The states of the simulated machine: label 0 is a healthy one.
VIBRATION_CLASSES = (
    "healthy",
    "inner race",
    "outer race",
    "ball",
    "cracked tooth",
    "broken tooth",
    "worn gear",
    "eccentric gear",
)
_BEARING, _GEAR = ("inner race", "outer race", "ball"), ("cracked tooth", "broken tooth")


@dataclasses.dataclass(frozen=True)
class Machine:
    """The geometry of the simulated machine.

    Example:

    >>> machine = Machine(balls=8, teeth=23)
    >>> round(machine.frequencies(20.0)["mesh"])
    460

    Args:
        balls: Integer, number of rolling elements.
        ball_diameter: Float, in millimetres.
        pitch_diameter: Float, of the circle of ball centers, in millimetres.
        contact_angle: Float, in degrees.
        teeth: Integer, number of teeth of the gear on the shaft.
        bearing_resonance: Float, in hertz, what bearing strikes ring.
        gear_resonance: Float, in hertz, what tooth strikes ring.
    """

    balls: int = 9
    ball_diameter: float = 7.94
    pitch_diameter: float = 39.04
    contact_angle: float = 0.0
    teeth: int = 19
    bearing_resonance: float = 3400.0
    gear_resonance: float = 1900.0

    def frequencies(self, shaft_hz):
        """The characteristic frequencies for a shaft rate, in hertz.

        Example:

        >>> {name: round(hz, 1) for name, hz in Machine().frequencies(25.0).items()}
        {'shaft': 25.0, 'mesh': 475.0, 'cage': 10.0, 'outer race': 89.6, 'inner race': 135.4, 'ball': 117.8}

        Args:
            shaft_hz: Float, turns a second.

        Returns:
            Dictionary with `"shaft"`, `"mesh"`, `"cage"` (FTF), `"outer race"` (BPFO), `"inner race"`
            (BPFI) and `"ball"` (twice BSF: a defect on a ball meets both races each turn of the ball).

        Formula:

        ```
        q = ball_diameter / pitch_diameter * cos(contact_angle)
        FTF = shaft_hz / 2 * (1 - q)
        BPFO = balls * FTF
        BPFI = balls * shaft_hz / 2 * (1 + q)
        BSF = shaft_hz * pitch_diameter / (2 * ball_diameter) * (1 - q ** 2)
        ```

        Reference:
            Randall and Antoni, "Rolling element bearing diagnostics: a tutorial" (2011), equations 1 to 4.
        """
        q = self.ball_diameter / self.pitch_diameter * math.cos(math.radians(self.contact_angle))
        cage = shaft_hz / 2 * (1 - q)
        return {
            "shaft": shaft_hz,
            "mesh": self.teeth * shaft_hz,
            "cage": cage,
            "outer race": self.balls * cage,
            "inner race": self.balls * shaft_hz / 2 * (1 + q),
            "ball": shaft_hz * self.pitch_diameter / self.ball_diameter * (1 - q**2),
        }

    def fault_lines(self, shaft_hz):
        """The lines that a specialist looks for: faults with their multiples and side lines, shaft and mesh.

        They are what `vibration_features` takes as `lines`.

        Example:

        >>> lines = Machine().fault_lines(25.0)
        >>> len(lines), round(lines["2 x outer race"], 1), round(lines["inner race +1 shaft"], 1)
        (15, 179.2, 160.4)

        Args:
            shaft_hz: Float or array, turns a second; an array gives arrays.

        Returns:
            Dictionary from names to frequencies in hertz: the rates of the outer race, the inner race and the
            ball and twice these; the inner race's side lines, one shaft rate away, since the damage passes
            through the load zone once a turn; the shaft's rate and its double; the first three multiples of
            the mesh, and the side lines of the first.

        Reference:
            Randall and Antoni, "Rolling element bearing diagnostics: a tutorial" (2011), section 2.
        """
        hz = self.frequencies(shaft_hz)
        lines = {name: hz[name] for name in ("outer race", "inner race", "ball")}
        lines |= {f"2 x {name}": 2 * place for name, place in lines.items()}
        lines |= {f"inner race {side:+d} shaft": hz["inner race"] + side * shaft_hz for side in (-1, 1)}
        lines |= {"shaft": shaft_hz, "2 x shaft": 2 * shaft_hz}
        lines |= {f"{k} x mesh": k * hz["mesh"] for k in (1, 2, 3)}
        return lines | {f"1 x mesh {side:+d} shaft": hz["mesh"] + side * shaft_hz for side in (-1, 1)}


@dataclasses.dataclass(frozen=True)
class Vibration:
    """Windows of simulated vibration and where each comes from.

    Example:

    >>> made = simulate_vibration(recordings=4, windows=2, classes=("healthy", "ball"), loads=[1.0])
    >>> train, test = made.split_by_recording(test_share=0.25)
    >>> len(train), len(test), set(made.recording[train]) & set(made.recording[test])
    (36, 12, set())

    Args:
        x: Float32 array of shape `(windows, length, 1)`, acceleration in units of g.
        y: Integer array of shape `(windows,)`, index into `classes`.
        recording: Integer array of shape `(windows,)`: windows of one number are cut from one recording.
        shaft_hz: Float array of shape `(windows,)`, nominal shaft rate.
        load: Float array of shape `(windows,)`, relative load.
        sampling_rate: Float, in hertz.
        classes: Tuple of class names.
        machine: The `Machine`.
    """

    x: np.ndarray
    y: np.ndarray
    recording: np.ndarray
    shaft_hz: np.ndarray
    load: np.ndarray
    sampling_rate: float
    classes: tuple
    machine: Machine

    def split_by_recording(self, test_share=0.3, seed=0):
        """Splits into training and test windows so that no recording stands in both.

        Every condition (class, rate and load) gives the same share of its recordings to the test set.

        Args:
            test_share: Float between 0 and 1.
            seed: Integer, chooses the recordings.

        Returns:
            Two index arrays, training and test.

        Raises:
            ValueError: If a condition has too few recordings for both sides.
        """
        rng = np.random.default_rng(seed)
        condition = np.unique(np.stack([self.y, self.shaft_hz, self.load]), axis=1, return_inverse=True)[1].ravel()
        test = []
        for one in np.unique(condition):
            recordings = rng.permutation(np.unique(self.recording[condition == one]))
            taken = round(test_share * len(recordings))
            if not 0 < taken < len(recordings):
                raise ValueError(
                    f"A share of test_share={test_share} of {len(recordings)} recordings a condition leaves one side "
                    "empty. Simulate more recordings, or take another share."
                )
            test.extend(recordings[:taken])
        in_test = np.isin(self.recording, test)
        return np.flatnonzero(~in_test), np.flatnonzero(in_test)


def simulate_vibration(
    recordings=10,
    windows=40,
    length=2048,
    shaft_hz=(20.0, 25.0, 30.0),
    loads=(0.5, 1.0, 1.5),
    classes=VIBRATION_CLASSES,
    sampling_rate=12_800.0,
    machine=None,
    sensor_noise=0.05,
    seed=0,
):
    """Simulates vibration windows of a healthy and a faulty machine.

    By default it makes as many windows, classes, rates and loads as the data of Zhao et al. (28,800 of
    2,048 points at 12.8 kHz), which are not public. It is a stand-in: results on it are results on it.

    Example:

    >>> made = simulate_vibration(recordings=2, windows=3, seed=1)
    >>> made.x.shape, len(set(made.recording.tolist())), made.classes[made.y[0]]
    ((432, 2048, 1), 144, 'healthy')

    Args:
        recordings: Integer, recordings for every class, shaft rate and load.
        windows: Integer, windows cut from each recording, without overlap.
        length: Integer, points of a window.
        shaft_hz: Sequence of floats, nominal shaft rates in hertz; the actual rate differs by up to 1 %.
        loads: Sequence of floats, relative loads.
        classes: Sequence of names out of `VIBRATION_CLASSES`.
        sampling_rate: Float, in hertz.
        machine: A `Machine`, or None for the default one.
        sensor_noise: Float, standard deviation of the sensor's white noise, in g.
        seed: Integer. The same arguments and seed give the same arrays.

    Returns:
        A `Vibration`.

    Raises:
        ValueError: If an argument is out of its range.

    Reference:
        McFadden and Smith, "Model for the vibration produced by a single point defect in a rolling
        element bearing" (1984); Randall and Antoni, "Rolling element bearing diagnostics: a tutorial"
        (2011), for slip; Zhao et al., "Deep residual shrinkage networks for fault diagnosis" (2020),
        section IV, for the extent.
    """
    machine = Machine() if machine is None else machine
    for name, value in (("recordings", recordings), ("windows", windows), ("length", length)):
        if not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
    for name, values in (("shaft_hz", shaft_hz), ("loads", loads)):
        if not len(values) or min(values) <= 0:
            raise ValueError(f"`{name}` must be a non-empty sequence of positive numbers. Received: {name}={values!r}")
    unknown = [one for one in classes if one not in VIBRATION_CLASSES]
    if unknown or not len(classes):
        raise ValueError(
            f"`classes` must be names out of {', '.join(map(repr, VIBRATION_CLASSES))}. Received: classes={classes!r}"
        )
    if not sensor_noise >= 0:
        raise ValueError(f"`sensor_noise` must be at least 0. Received: sensor_noise={sensor_noise!r}")
    highest = max(machine.bearing_resonance, machine.gear_resonance)
    if sampling_rate < 2.5 * highest:
        raise ValueError(
            f"`sampling_rate` must be at least 2.5 times the highest resonance, {highest} Hz. "
            f"Received: sampling_rate={sampling_rate!r}"
        )
    conditions = [
        (kind, rate, load, r) for kind in classes for rate in shaft_hz for load in loads for r in range(recordings)
    ]
    x = np.empty((len(conditions), windows * length), np.float32)
    # One random stream a recording, so that one more recording does not change the others.
    for row, (kind, rate, load, r) in zip(x, conditions, strict=True):
        key = (seed, VIBRATION_CLASSES.index(kind), round(1000 * rate), round(1000 * load), r)
        row[:] = _recording(
            np.random.default_rng(key), kind, rate, load, windows * length, sampling_rate, machine, sensor_noise
        )
    repeat = np.repeat(np.arange(len(conditions)), windows)
    return Vibration(
        x=x.reshape(-1, length, 1),
        y=np.array([classes.index(kind) for kind, *_ in conditions])[repeat],
        recording=repeat,
        shaft_hz=np.array([rate for _, rate, *_ in conditions], float)[repeat],
        load=np.array([load for _, _, load, _ in conditions], float)[repeat],
        sampling_rate=float(sampling_rate),
        classes=tuple(classes),
        machine=machine,
    )


def _recording(rng, kind, rate, load, points, sampling_rate, machine, sensor_noise):
    """One recording in which only `kind` is wrong."""
    rate = rate * rng.uniform(0.99, 1.01)
    hz = machine.frequencies(rate)
    t = np.arange(points) / sampling_rate
    # The speed wanders a little, as a motor's does.
    angle = 2 * np.pi * rate * t + 0.05 * np.sin(2 * np.pi * rng.uniform(0.3, 0.8) * t + rng.uniform(0, 2 * np.pi))
    angle += rng.uniform(0, 2 * np.pi)
    severity = rng.uniform(0.7, 1.3)

    x = _mesh(rng, kind, severity, load, angle, machine)
    x += rng.uniform(0.05, 0.15) * np.cos(angle + rng.uniform(0, 2 * np.pi))  # residual unbalance
    if kind in _BEARING:
        strength = severity * rng.uniform(0.8, 1.2) * load**0.5
        strikes = _strikes(rng, kind, hz, points, sampling_rate, slip=0.01)
        x += strength * _ring(rng, strikes, machine.bearing_resonance, rng.uniform(0.04, 0.08), sampling_rate)
    elif kind in _GEAR:
        strength = severity * {"cracked tooth": 0.4, "broken tooth": 1.2}[kind] * load**0.5
        strikes = _strikes(rng, "tooth", {"tooth": rate, **hz}, points, sampling_rate, slip=0.0)
        x += strength * _ring(rng, strikes, machine.gear_resonance, rng.uniform(0.03, 0.06), sampling_rate)
    x += sensor_noise * rng.standard_normal(points)
    return rng.uniform(0.8, 1.25) * x  # the sensor's mounting


def _mesh(rng, kind, severity, load, angle, machine):
    """The gear mesh: harmonics of the tooth rate, disturbed as the gear is."""
    harmonics = np.array([1.0, 0.5, 0.25]) * 0.4 * load
    turn = angle + rng.uniform(0, 2 * np.pi)
    amplitude, phase = 1.0 + 0.05 * np.cos(turn), 0.0
    if kind == "eccentric gear":
        amplitude, phase = 1.0 + 0.5 * severity * np.cos(turn), 0.4 * severity * np.sin(turn)
    elif kind == "worn gear":
        harmonics = harmonics * (1.0 + severity * np.array([0.3, 1.5, 3.0]))
        teeth = 1.0 + 0.25 * severity * rng.standard_normal(machine.teeth)
        amplitude = teeth[((turn / (2 * np.pi) * machine.teeth).astype(int)) % machine.teeth]
    elif kind in _GEAR:
        # While the weak tooth is in mesh, the mesh is softer and late.
        depth = severity * {"cracked tooth": 0.4, "broken tooth": 0.8}[kind]
        away = np.angle(np.exp(1j * turn)) / (2 * np.pi / machine.teeth)
        bump = np.exp(-0.5 * (away / 0.7) ** 2)
        amplitude, phase = amplitude - depth * bump, -0.6 * depth * bump
    waves = (
        a * np.cos(h * (machine.teeth * angle + phase) + rng.uniform(0, 2 * np.pi))
        for h, a in enumerate(harmonics, start=1)
    )
    return amplitude * sum(waves)


def _strikes(rng, kind, hz, points, sampling_rate, slip):
    """A train of strikes on the sample grid, each weighted by where in the load zone it falls."""
    duration = points / sampling_rate
    count = int(1.1 * duration * hz[kind]) + 5
    intervals = (1.0 + slip * rng.standard_normal(count)) / hz[kind]
    times = np.cumsum(intervals) - rng.uniform(0, 1) / hz[kind] - intervals[0]
    times = times[(times >= 0) & (times < duration)]
    weights = np.ones(len(times))
    if kind in ("inner race", "ball"):
        carrier = hz["shaft"] if kind == "inner race" else hz["cage"]
        zone = 0.5 * (1.0 + np.cos(2 * np.pi * carrier * times + rng.uniform(0, 2 * np.pi)))
        weights = 0.2 + 0.8 * zone
    weights = weights * (1.0 + 0.1 * rng.standard_normal(len(times)))
    # A strike between two samples is shared between them.
    place = times * sampling_rate
    left = np.floor(place).astype(int)
    part = place - left
    train = np.zeros(points + 1)
    np.add.at(train, left, weights * (1 - part))
    np.add.at(train, left + 1, weights * part)
    return train[:points]


def _ring(rng, strikes, resonance, damping, sampling_rate):
    """What strikes ring: a resonance that dies away."""
    resonance = resonance * rng.uniform(0.95, 1.05)
    decay = damping * 2 * np.pi * resonance
    t = np.arange(int(8 / decay * sampling_rate)) / sampling_rate
    response = np.exp(-decay * t) * np.sin(2 * np.pi * resonance * t)
    # Products of transforms: as scipy.signal.fftconvolve does, without needing scipy.
    size = 1 << (len(strikes) + len(t) - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(strikes, size) * np.fft.rfft(response, size), size)[: len(strikes)]
