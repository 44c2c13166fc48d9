"""Whether probabilities mean what they say."""

import dataclasses

import numpy as np

_TEMPERATURES = (0.05, 20.0)


@dataclasses.dataclass(frozen=True, eq=False)
class Calibration:
    """How sure a classifier was, and how often it was right when it was so sure.

    Example:

    >>> found = calibration(np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6], [0.3, 0.7]]), [0, 0, 1, 0], bins=2)
    >>> found.count.tolist(), found.accuracy.tolist(), round(found.error, 3)
    ([0, 4], [nan, 0.75], 0.0)

    Args:
        edges: Float array of shape `(bins + 1,)`, between 0 and 1.
        count: Integer array of shape `(bins,)`, how many answers were given with a confidence in the bin.
        confidence: Float array of shape `(bins,)`, their mean confidence; NaN for an empty bin.
        accuracy: Float array of shape `(bins,)`, the share of them that was right; NaN for an empty bin.
        error: Float, the expected calibration error.
        by_chance: Float, the mean error that a perfectly calibrated classifier with these very probabilities would
            show on as many independent samples: what is not above it is no finding.
    """

    edges: np.ndarray
    count: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray
    error: float
    by_chance: float


def calibration(probabilities, y, bins=10):
    """Compares a classifier's confidence with how often it is right.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> sure = np.full((1000, 2), [0.95, 0.05])
    >>> right_in_7_of_10 = (rng.uniform(size=1000) > 0.7).astype(int)
    >>> found = calibration(sure, right_in_7_of_10)
    >>> round(found.error, 2), found.error > 5 * found.by_chance
    (0.27, True)

    Args:
        probabilities: Float array of shape `(samples, classes)`, rows that add up to 1.
        y: Integer sequence of length `samples`, the true classes.
        bins: Integer, number of bins of equal width.

    Returns:
        A `Calibration`.

    Raises:
        ValueError: If shapes do not fit, or rows are no probabilities.

    Formula:

    ```
    error = sum over bins of count / samples * |accuracy - confidence|
    ```

    Reference:
        Guo et al., "On calibration of modern neural networks" (2017), equation 3.
    """
    p, y = _checked(probabilities, y)
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ValueError(f"`bins` must be an integer of at least 1. Received: bins={bins!r}")
    sure, right = p.max(axis=1), p.argmax(axis=1) == y
    place = np.clip(np.ceil(sure * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    error, confidence, accuracy = _error(place, sure, right, count)
    rng = np.random.default_rng(0)
    chance = [_error(place, sure, rng.uniform(size=len(sure)) < sure, count)[0] for _ in range(200)]
    return Calibration(np.linspace(0, 1, bins + 1), count, confidence, accuracy, error, float(np.mean(chance)))


def _error(place, sure, right, count):
    with np.errstate(invalid="ignore"):
        confidence = np.bincount(place, weights=sure, minlength=len(count)) / count
        accuracy = np.bincount(place, weights=right, minlength=len(count)) / count
    return float(np.nansum(count * np.abs(accuracy - confidence)) / count.sum()), confidence, accuracy


def fit_temperature(probabilities, y):
    """Finds the temperature that makes probabilities fit best what is true: above 1, they were too sure.

    Take windows on which the network was neither trained nor is to be tested. The targets are kept a little below
    1, as if one of `samples + 2` labels were wrong: else a classifier without an error would be made sure without
    bound.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> honest = rng.dirichlet(np.ones(3), size=4000)
    >>> y = (rng.uniform(size=4000)[:, None] > honest.cumsum(axis=1)).sum(axis=1)
    >>> too_sure = with_temperature(honest, 0.5)
    >>> round(fit_temperature(too_sure, y), 1)
    2.0

    Args:
        probabilities: Float array of shape `(samples, classes)`.
        y: Integer sequence of length `samples`.

    Returns:
        Float, from 0.05 to 20.

    Raises:
        ValueError: As for `calibration`.

    Reference:
        Guo et al., "On calibration of modern neural networks" (2017), section 4.2. The targets are those of Platt,
        "Probabilistic outputs for support vector machines" (1999).
    """
    from scipy.optimize import minimize_scalar

    p, y = _checked(probabilities, y)

    wrong = 1 / (len(y) + 2)
    target = np.full(p.shape, wrong / max(1, p.shape[1] - 1))
    target[np.arange(len(y)), y] = 1 - wrong

    def cost(log_temperature):
        q = with_temperature(p, np.exp(log_temperature))
        return -(target * np.log(np.maximum(q, 1e-12))).sum(axis=1).mean()

    bounds = tuple(np.log(_TEMPERATURES))
    return float(np.exp(minimize_scalar(cost, bounds=bounds, method="bounded", options={"xatol": 1e-4}).x))


def with_temperature(probabilities, temperature):
    """Probabilities as they are at another temperature: their logarithms are divided by it.

    The most likely class stays the most likely one.

    Example:

    >>> with_temperature(np.array([[0.8, 0.2]]), 2.0).round(3)
    array([[0.667, 0.333]])

    Args:
        probabilities: Float array of shape `(samples, classes)`.
        temperature: Float above 0.

    Returns:
        Float array of that shape.

    Formula:

    ```
    q = p ** (1 / temperature) / sum(p ** (1 / temperature))
    ```
    """
    logits = np.log(np.maximum(np.asarray(probabilities, dtype=np.float64), 1e-30)) / temperature
    logits -= logits.max(axis=1, keepdims=True)
    return np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


def _checked(probabilities, y):
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(y)
    if p.ndim != 2 or y.shape != (len(p),) or not len(p) or y.dtype.kind not in "iu":
        raise ValueError(
            "`probabilities` must be of shape (samples, classes) and `y` hold an integer a sample. "
            f"Received: shapes {p.shape} and {y.shape}, `y` of {y.dtype}"
        )
    if not np.isfinite(p).all() or (p < 0).any() or np.abs(p.sum(axis=1) - 1).max() > 1e-3:
        raise ValueError("Each row of `probabilities` must hold numbers from 0 to 1 that add up to 1.")
    return p, y
