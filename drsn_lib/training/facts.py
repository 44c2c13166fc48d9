"""What a run ran on: device, versions, commit."""

import datetime
import importlib.metadata
import pathlib
import platform
import subprocess

import keras

import drsn_lib

__all__ = ["commit", "device", "versions"]

_PACKAGES = {"tensorflow": ("tensorflow", "tensorflow-cpu"), "jax": ("jax",), "torch": ("torch",)}


def device():
    """The device that Keras computes on, as its driver names it.

    Example:

    >>> sorted(device())
    ['count', 'kind', 'name']

    Returns:
        Dictionary with `"kind"` (`"cpu"`, `"gpu"` or `"tpu"`), `"name"` and `"count"`, how many there are.
    """
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            name = tf.config.experimental.get_device_details(gpus[0]).get("device_name", gpus[0].name)
            return {"kind": "gpu", "name": name, "count": len(gpus)}
    elif backend == "jax":
        import jax

        found = jax.devices()
        if found[0].platform != "cpu":
            kind = "gpu" if found[0].platform in ("gpu", "cuda", "rocm") else found[0].platform
            return {"kind": kind, "name": found[0].device_kind, "count": len(found)}
    elif backend == "torch":
        import torch

        if torch.cuda.is_available():
            return {"kind": "gpu", "name": torch.cuda.get_device_name(0), "count": torch.cuda.device_count()}
    return {"kind": "cpu", "name": _cpu_name(), "count": 1}


def _cpu_name():
    """The processor's own name where the system tells it."""
    try:
        for line in pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions():
    """The versions that decide what a run computes.

    Example:

    >>> versions()["keras"] == keras.__version__
    True

    Returns:
        Dictionary from name to version: `"python"`, `"keras"`, the backend, `"numpy"`, `"drsn_lib"`.
    """
    backend = keras.backend.backend()
    found = {"python": platform.python_version(), "keras": keras.__version__}
    for package in _PACKAGES.get(backend, (backend,)):
        try:
            found[backend] = importlib.metadata.version(package)
            break
        except importlib.metadata.PackageNotFoundError:
            continue
    return {**found, "numpy": importlib.metadata.version("numpy"), "drsn_lib": drsn_lib.__version__}


def commit():
    """The commit of the library, where it runs from a repository.

    Example:

    >>> found = commit()
    >>> found is None or len(found.removesuffix("-changed")) == 40
    True

    Returns:
        String of 40 hexadecimal digits, with `-changed` behind it if the library's files differ from that
        commit; None outside of a repository.
    """
    folder = pathlib.Path(drsn_lib.__file__).resolve().parent
    if not (folder.parent / ".git").exists():
        return None
    try:
        name = _git(folder, "rev-parse", "HEAD").strip()
        # Records are what runs make: adding them changes no result.
        changed = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".", ":!records")
    except (OSError, subprocess.CalledProcessError):
        return None
    return name + ("-changed" if changed.strip() else "")


def _git(folder, *arguments):
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout


def now():
    """The time, for a record."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
