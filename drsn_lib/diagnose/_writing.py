"""A folder of files to try it on."""

import pathlib

import numpy as np

from drsn_lib.diagnose._reading import BadData

_STATES = ("healthy", "inner race", "outer race", "ball")


def write_example(
    folder, recordings=6, seconds=2.0, classes=_STATES, kinds=(".wav", ".csv", ".mat"), snr_db=None, seed=0
):
    """Writes recordings of the simulated machine, one folder a class, as files of several kinds.

    It stands in for a folder of your own: what the files hold is simulated (`data.simulate_vibration`), every
    recording with a mounting, a severity and resonances of its own.

    Example:

    >>> folder = write_example("signals", recordings=3, seconds=0.2)
    >>> [path.name for path in sorted((folder / "ball").iterdir())]
    ['01.wav', '02.csv', '03.mat']

    Args:
        folder: Path; it must not exist, or be empty.
        recordings: Integer, files a class.
        seconds: Float, length of each, at 12,800 Hz.
        classes: Sequence of names out of `data.VIBRATION_CLASSES`.
        kinds: Sequence of `".wav"`, `".csv"`, `".mat"`, `".npy"`: taken in turn.
        snr_db: Float, the signal-to-noise ratio of Gaussian noise that is added; None adds none.
        seed: Integer.

    Returns:
        The folder's path, a `pathlib.Path`.

    Raises:
        BadData: If the folder is not empty.
    """
    import scipy.io
    import scipy.io.wavfile

    from drsn_lib import data

    folder = pathlib.Path(folder)
    if folder.exists() and any(folder.iterdir()):
        raise BadData(f"The folder {folder} is not empty. Nothing was written; name one that is not there yet.")
    made = data.simulate_vibration(
        recordings=recordings,
        windows=1,
        length=round(12_800 * seconds),
        shaft_hz=(25.0,),
        loads=(1.0,),
        classes=classes,
        seed=seed,
    )
    signals = made.x[..., 0] if snr_db is None else data.add_noise(made.x[..., 0], snr_db, seed=seed)
    rate = int(made.sampling_rate)
    counts = dict.fromkeys(classes, 0)
    for x, label in zip(signals.astype(np.float64), made.y, strict=True):
        name = classes[label]
        kind = kinds[counts[name] % len(kinds)]
        counts[name] += 1
        path = folder / name / f"{counts[name]:02d}{kind}"
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == ".wav":
            scipy.io.wavfile.write(path, rate, x.astype(np.float32))
        elif kind == ".csv":
            table = np.column_stack([np.arange(len(x)) / rate, x])
            np.savetxt(path, table, "%.7f,%.5f", header="time (s),acceleration (g)", comments="")
        elif kind == ".mat":
            scipy.io.savemat(path, {"acceleration": x, "fs": float(rate)}, do_compression=True)
        else:
            np.save(path, x)
    return folder
