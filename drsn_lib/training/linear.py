"""A linear classifier: what a network has to beat before its depth is worth anything."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class LinearClassifier:
    """A multinomial logistic regression on standardized features, fitted by `fit_linear`.

    Example:

    >>> points = np.array([[0.0, 1.0], [1.0, 0.0], [4.0, 5.0], [5.0, 4.0]])
    >>> fitted = fit_linear(points, ["low", "low", "high", "high"])
    >>> fitted.predict(points + 0.5).tolist()
    ['low', 'low', 'high', 'high']

    Args:
        classes: Array of the labels, sorted.
        mean: Float array of shape `(features,)`, taken off before the weights.
        scale: Float array of shape `(features,)`, divided by before the weights.
        weights: Float array of shape `(features, classes)`, for standardized features.
        bias: Float array of shape `(classes,)`.
    """

    classes: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: np.ndarray

    def scores(self, features):
        """The scores of the classes; the highest wins.

        Args:
            features: Array of shape `(samples, features)`.

        Returns:
            Float array of shape `(samples, classes)`: logarithms of probabilities but for a constant a sample.

        Raises:
            ValueError: If `features` has another number of columns than those that were fitted.
        """
        features = np.asarray(features, dtype=np.float64)
        if features.ndim != 2 or features.shape[1] != len(self.mean):
            raise ValueError(
                f"`features` must be of shape (samples, {len(self.mean)}), as in the fit. "
                f"Received: shape {features.shape}"
            )
        return (features - self.mean) / self.scale @ self.weights + self.bias

    def probabilities(self, features):
        """The probabilities of the classes, by the softmax of the scores.

        Args:
            features: Array of shape `(samples, features)`.

        Returns:
            Float array of shape `(samples, classes)`; rows sum to 1.
        """
        scores = self.scores(features)
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict(self, features):
        """The label of the highest score.

        Args:
            features: Array of shape `(samples, features)`.

        Returns:
            Array of shape `(samples,)`, with values out of `classes`.
        """
        return self.classes[self.scores(features).argmax(axis=1)]


def fit_linear(features, y, l2=1e-3, iterations=300):
    """Fits a multinomial logistic regression to standardized features.

    The loss is convex, so that there is one answer, no random start and no learning rate to choose. Mean
    and scale of each feature are those of the samples that are fitted. A feature that never changes among
    them gets no say.

    Example:

    >>> rng = np.random.default_rng(0)
    >>> y = np.repeat([0, 1, 2], 50)
    >>> features = np.eye(3)[y] + 0.2 * rng.standard_normal((150, 3))
    >>> fitted = fit_linear(features, y)
    >>> fitted.weights.shape, bool((fitted.predict(features) == y).mean() > 0.95)
    ((3, 3), True)

    Args:
        features: Array of shape `(samples, features)`, for example from `data.vibration_features`.
        y: Array of shape `(samples,)`, labels of any kind that sorts.
        l2: Float, at least 0: penalty on the squared weights. The bias is not penalized.
        iterations: Integer, the most steps of the optimizer (L-BFGS).

    Returns:
        A `LinearClassifier`.

    Raises:
        ValueError: If the shapes do not fit, something is not finite, or there are fewer than two classes.

    Formula:

    ```
    loss = mean(-log(softmax(z @ weights + bias)[y])) + l2 / 2 * sum(weights ** 2)
    z = (features - mean) / scale
    ```
    """
    import scipy.optimize

    features, y = np.asarray(features, dtype=np.float64), np.asarray(y)
    if features.ndim != 2 or y.shape != features.shape[:1]:
        raise ValueError(
            "`features` must be of shape (samples, features) and `y` of shape (samples,). "
            f"Received: shapes {features.shape} and {y.shape}"
        )
    if not np.isfinite(features).all():
        broken = int(np.flatnonzero(~np.isfinite(features).all(axis=1))[0])
        raise ValueError(f"`features` must be finite. Received: NaN or infinite values in row {broken}")
    if not (np.isfinite(l2) and l2 >= 0):
        raise ValueError(f"`l2` must be a number of at least 0. Received: l2={l2!r}")
    if not isinstance(iterations, int | np.integer) or iterations < 1:
        raise ValueError(f"`iterations` must be an integer of at least 1. Received: iterations={iterations!r}")
    classes, label = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"`y` must hold at least two classes. Received: {classes.tolist()}")

    mean, scale = features.mean(axis=0), features.std(axis=0)
    # What is constant but for rounding is taken as zero, in the fit and afterwards.
    still = scale <= 1e-9 * (1 + np.abs(mean))
    scale = np.where(still, np.inf, scale)
    z = (features - mean) / scale
    samples, width, kinds = *z.shape, len(classes)
    target = np.eye(kinds)[label]

    def loss(flat):
        weights, bias = flat[: width * kinds].reshape(width, kinds), flat[width * kinds :]
        scores = z @ weights + bias
        scores -= scores.max(axis=1, keepdims=True)
        log_sum = np.log(np.exp(scores).sum(axis=1, keepdims=True))
        value = -(target * (scores - log_sum)).sum() / samples + l2 / 2 * (weights**2).sum()
        error = (np.exp(scores - log_sum) - target) / samples
        return value, np.concatenate([(z.T @ error + l2 * weights).ravel(), error.sum(axis=0)])

    start = np.zeros((width + 1) * kinds)
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": int(iterations)}).x
    return LinearClassifier(
        classes=classes,
        mean=mean,
        scale=scale,
        weights=found[: width * kinds].reshape(width, kinds),
        bias=found[width * kinds :],
    )
