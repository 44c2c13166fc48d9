"""What `run` stores, and what can be done with it."""

import dataclasses
import json
import pathlib

import numpy as np

from drsn_lib.diagnose._calibration import with_temperature
from drsn_lib.diagnose._reading import BadData, Signal, Signals, read_file
from drsn_lib.diagnose._windows import cut, standardize

MODEL, FACTS, REPORT, PAGE = "model.keras", "model.json", "report.json", "report.html"
_PREPARATION = "each window: mean 0, standard deviation 1"


@dataclasses.dataclass(frozen=True, eq=False)
class Answer:
    """What a stored network says of one signal.

    Example:

    >>> answer = Answer("a.wav", "worn", {"healthy": 0.1, "worn": 0.9}, {"healthy": 1, "worn": 9})
    >>> print(answer)
    a.wav: worn (probability 0.90; 9 of 10 windows)
      healthy  0.10
      worn     0.90

    Args:
        name: String, the file.
        label: String, the most likely class.
        probabilities: Dictionary from class to the mean probability over the windows, after the temperature.
        windows: Dictionary from class to the number of windows of which it is the most likely one.
    """

    name: str
    label: str
    probabilities: dict
    windows: dict

    def __str__(self):
        width = max(map(len, self.probabilities))
        total = sum(self.windows.values())
        lines = [
            f"{self.name}: {self.label} (probability {self.probabilities[self.label]:.2f}; {self.windows[self.label]} "
            f"of {total} window{'s' if total > 1 else ''})"
        ]
        lines += [f"  {name:<{width}}  {value:.2f}" for name, value in self.probabilities.items()]
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, eq=False)
class Diagnosis:
    """A trained network with all that it takes to use it on a new file.

    Example:

    >>> diagnosis = load("report")  # doctest: +SKIP
    >>> print(diagnosis.classify("monday.wav"))  # doctest: +SKIP

    Args:
        model: A `keras.Model`.
        classes: Tuple of strings.
        window: Integer, points of a window.
        sampling_rate: Float, in hertz; None if it was not known in training.
        temperature: Float, as found on the validation windows.
        channel: String, which channel of a file is read; None where there is one.
        facts: Dictionary, all that is stored beside the weights.
    """

    model: object
    classes: tuple
    window: int
    sampling_rate: float | None
    temperature: float
    channel: str | None
    facts: dict

    def probabilities(self, x):
        """The calibrated probabilities of windows.

        Args:
            x: Array of shape `(windows, length, 1)`, as recorded.

        Returns:
            Float array of shape `(windows, classes)`.
        """
        return with_temperature(predict(self.model, standardize(x)), self.temperature)

    def classify(self, signal, sampling_rate=None):
        """Says which class a signal belongs to. It knows no other classes than those it was trained on.

        Args:
            signal: Path of a file, or an array of shape `(points,)`.
            sampling_rate: Float, in hertz, if the file does not say it.

        Returns:
            An `Answer`.

        Raises:
            BadData: If the file cannot be read, is too short, or was sampled at another rate than in training.
        """
        if isinstance(signal, str | pathlib.Path):
            one = read_file(signal, channel=self.channel)
        else:
            one = Signal("array", np.asarray(signal, dtype=np.float64).ravel())
        rate = one.sampling_rate if sampling_rate is None else sampling_rate
        if rate is not None and self.sampling_rate is not None and abs(rate / self.sampling_rate - 1) > 1e-3:
            raise BadData(
                f"{one.name} was sampled at {rate:g} Hz, and the network has learned from signals at "
                f"{self.sampling_rate:g} Hz. Resample it to that rate (scipy.signal.resample_poly)."
            )
        one = dataclasses.replace(one, label="unknown")
        pieces = cut(Signals("", (one,), ("unknown",), rate), self.window)
        p = self.probabilities(pieces.x)
        mean, votes = p.mean(axis=0), np.bincount(p.argmax(axis=1), minlength=len(self.classes))
        return Answer(
            one.name,
            self.classes[int(mean.argmax())],
            {name: float(value) for name, value in zip(self.classes, mean, strict=True)},
            {name: int(count) for name, count in zip(self.classes, votes, strict=True)},
        )


def load(folder):
    """Loads the network that `run` has stored, ready for new files.

    Example:

    >>> diagnosis = load("report")  # doctest: +SKIP
    >>> diagnosis.classes  # doctest: +SKIP
    ('healthy', 'worn')

    Args:
        folder: Path of a report.

    Returns:
        A `Diagnosis`.

    Raises:
        BadData: If there is no stored network, or it cannot be read.
    """
    folder = pathlib.Path(folder)
    lacking = [name for name in (MODEL, FACTS) if not (folder / name).is_file()]
    if lacking:
        raise BadData(
            f"{folder} holds no {' and no '.join(lacking)}. Expected the folder of a finished report, as "
            "`python -m drsn_lib diagnose FOLDER --out REPORT` writes it."
        )
    from drsn_lib import _quiet

    _quiet.import_keras()
    import keras

    from drsn_lib import layers  # noqa: F401 (registers what the file names)

    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        model = keras.models.load_model(folder / MODEL, compile=False)
        return Diagnosis(
            model,
            tuple(facts["classes"]),
            int(facts["window"]),
            facts["sampling_rate"],
            float(facts["temperature"]),
            facts["channel"],
            facts,
        )
    except Exception as error:  # of many kinds
        made = (facts.get("versions") or {}).get("keras") if "facts" in locals() else None
        raise BadData(
            f"The network in {folder} cannot be loaded: {error or type(error).__name__}. It was made with Keras "
            f"{made or 'of an unknown version'}, and this is Keras {keras.__version__}; an older one may not read it. "
            "Train it anew from the same folder of signals if need be."
        ) from error


def predict(model, x, batch_size=256):
    """The probabilities that a model gives, in inference mode."""
    import keras

    parts = [model(x[k : k + batch_size], training=False) for k in range(0, len(x), batch_size)]
    return np.concatenate([keras.ops.convert_to_numpy(part) for part in parts]).astype(np.float64)


def store(model, folder, facts):
    """Writes a network and its facts."""
    model.save(folder / MODEL)
    (folder / FACTS).write_text(json.dumps({**facts, "preparation": _PREPARATION}, indent=1) + "\n", encoding="utf-8")
