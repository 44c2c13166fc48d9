"""One folder for data sets, one way to fill it, one error when it cannot be filled."""

import hashlib
import os
import pathlib

import numpy as np


class DataNotAvailable(RuntimeError):
    """A data set is neither in the cache nor to be had; the message says what would help."""


def cache_directory():
    """The folder that holds data sets: `$DRSN_DATA`, or else `~/.cache/drsn`.

    Example:

    >>> mnist = cache_directory() / "mnist.npz"
    >>> mnist.name, mnist.is_absolute()
    ('mnist.npz', True)

    Returns:
        A `pathlib.Path`; the folder need not exist yet.
    """
    return pathlib.Path(os.environ.get("DRSN_DATA") or pathlib.Path.home() / ".cache" / "drsn").expanduser()


def digest(array):
    """The sha256 of an array's bytes: of what it holds, whatever file held it."""
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()


def load_arrays(name, filename, url, digests, timeout=30, retries=2, convert=None, read=None):
    """Loads the arrays of an .npz file from the cache, after downloading it if need be.

    A file is used only if every array has its known digest. So a half-written or damaged file is never
    used: it is downloaded anew, and replaced only by one that is right.

    Args:
        name: String, the data set's name for messages.
        filename: String, the file in the cache.
        url: String, the official address.
        digests: Dictionary from array name to sha256.
        timeout: Float, seconds without an answer after which a download is given up.
        retries: Integer, how often a download that breaks off is tried again, after a second, then two.
        convert: Function from the path of what was downloaded to a dictionary of arrays, where the
            official file is no .npz; what it returns is stored as one.
        read: Function from the path of the cached file to a dictionary of arrays, where the official
            file is no .npz and is stored as it is.

    Returns:
        Dictionary of arrays.

    Raises:
        DataNotAvailable: If the file is neither there nor to be had whole.
    """
    path = cache_directory() / filename
    found = "is not there"
    if path.exists():
        arrays, wrong = _read(path, digests, read)
        if arrays is not None:
            return arrays
        found = f"is damaged ({wrong})"

    part = path.with_name(f"{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        _download(url, part, timeout, retries)
        if convert is not None:
            converted = convert(part)
            with open(part, "wb") as file:
                np.savez(file, **converted)
        arrays, wrong = _read(part, digests, read)
        if arrays is None:
            raise DataNotAvailable(f"what came from {url} is not the {name} data set ({wrong})")
        part.replace(path)
        return arrays
    except Exception as error:
        raise DataNotAvailable(
            f"{name} is not available: {path} {found}, and it could not be downloaded: {error}\n"
            f"{_help(path, url, convert)}\n"
            f"Without internet access, copy {path.name} there from a machine that has it, or set DRSN_DATA to a "
            "folder that holds it."
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _read(path, digests, read=None):
    """Returns (arrays, None), or (None, what is wrong with the file)."""
    try:
        arrays = (read or _read_npz)(path)
        arrays = {key: arrays[key] for key in digests}
    except Exception as error:  # damaged bytes make readers fail in many ways
        return None, f"it cannot be read: {error or type(error).__name__}"
    wrong = [key for key, want in digests.items() if digest(arrays[key]) != want]
    return (None, f"array {', '.join(wrong)} has the wrong digest") if wrong else (arrays, None)


def _read_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file.items())


def _help(path, url, convert):
    if convert is None:
        command = f"mkdir -p '{path.parent}' && curl --location --output '{path}' '{url}'"
        return f"With internet access, this puts it there:\n    {command}"
    return f"With internet access, calling this function again fetches it from {url}."


def _download(url, path, timeout, retries):
    import pooch

    path.parent.mkdir(parents=True, exist_ok=True)
    pooch.get_logger().setLevel("WARNING")  # the progress bar says enough
    # Pooch writes to a temporary file and moves it; array digests are checked after it, so no file hash.
    fetcher = pooch.create(
        path.parent, base_url="", registry={path.name: None}, urls={path.name: url}, retry_if_failed=retries
    )
    fetcher.fetch(path.name, downloader=pooch.HTTPDownloader(progressbar=True, timeout=timeout))
