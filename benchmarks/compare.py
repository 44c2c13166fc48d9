"""Ratios of times that were measured in turns, and what the project wants them to be."""

import numpy as np

# The largest ratio wanted to a resnet of the same width, by variant; PyTorch runs eagerly, kernel after kernel.
TO_RESNET = {"drsn-cs": 1.10, "drsn-cw": 1.10, "aprelu": 1.25}
TO_RESNET_ON_TORCH = 1.30
# And to the same network made of many small layers.
TO_PORT = 1.05


def target(backend, variant, base):
    """The largest ratio wanted, or None: `base` is `"resnet"` or `"port"`."""
    if base == "port":
        return TO_PORT
    wanted = TO_RESNET.get(variant)
    return TO_RESNET_ON_TORCH if wanted and backend == "torch" else wanted


def ratio(times, base, resamples=2000):
    """The median of the ratios of times that were measured side by side, with a 95 % bootstrap interval.

    Both lists hold one time a round. What slows the machine for longer than a round slows both times of a
    round, and leaves their ratio alone; what hits a single step moves one ratio of many, and so not the median.

    Args:
        times: Times of the candidate, one a round.
        base: Times of what it is compared with, in the same rounds.
        resamples: Integer, the number of bootstrap samples.

    Returns:
        Dictionary with `"ratio"`, `"low"` and `"high"`.

    Raises:
        ValueError: If there are not as many times as base times, or fewer than three.
    """
    times, base = np.asarray(times, dtype=float), np.asarray(base, dtype=float)
    if times.shape != base.shape or times.ndim != 1 or len(times) < 3:
        raise ValueError(
            "`times` and `base` must hold one time a round each, of three rounds or more. "
            f"Received: {times.shape} and {base.shape}"
        )
    ratios = times / base
    drawn = np.random.default_rng(0).integers(len(ratios), size=(resamples, len(ratios)))
    low, high = np.quantile(np.median(ratios[drawn], axis=1), [0.025, 0.975])
    return {"ratio": float(np.median(ratios)), "low": float(low), "high": float(high)}


def rows(backend, network, mode, seconds, memory):
    """The rows of the results for one network and mode.

    Args:
        backend: String.
        network: String.
        mode: `"training"` or `"inference"`.
        seconds: Dictionary from `(variant, form)` to the times, one a round; `form` is `"layers"` or `"port"`.
        memory: Dictionary from `(variant, form)` to bytes or None, for training.

    Returns:
        List of dictionaries of JSON's types.
    """
    found = []
    for (variant, form), times in seconds.items():
        row = {"network": network, "mode": mode, "variant": variant, "form": form, "rounds": len(times)}
        row["milliseconds"] = round(1e3 * float(np.median(times)), 3)
        row["memory_mib"] = _mib(memory.get((variant, form)))
        bases = {"resnet": ("resnet", "layers"), "port": (variant, "port")}
        for base, key in bases.items():
            if key == (variant, form) or key not in seconds:
                continue
            wanted = target(backend, variant, base) if form == "layers" else None
            row[f"to_{base}"] = {k: round(v, 4) for k, v in ratio(times, seconds[key]).items()} | {"wanted": wanted}
        found.append(row)
    return found


def _mib(size):
    return None if size is None else round(size / 2**20, 2)
