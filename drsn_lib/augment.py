"""Augmentation as Keras layers: images moved, mirrored and cropped, signals shifted and reversed in sign.

Every layer draws for each sample of a batch on its own, works only in training, has no weights and gives
back the shape and the type of its input, whatever the dtype policy. Its random state is a variable of the
layer (`SeedGenerator`), so it runs inside a compiled training step, and, with JAX, for many models at once:
`jax.vmap` over `stateless_call` needs no more than one seed state a model.

What is missing is missing on purpose. An augmentation must leave the label alone, and a random gain does
not: the size of a bearing's defect shows in how strong its vibration is.
"""

import math
import operator

import keras
from keras import ops

__all__ = ["Affine", "RandomCrop", "RandomFlip", "RandomRoll", "RandomSign"]


class _Augmentation(keras.layers.Layer):
    """Base: the seed, the rank of the input, and the switch between training and use."""

    _input = ("images", "(batch, height, width, channels)")

    def __init__(self, seed=None, **kwargs):
        # Without autocast a half-precision policy cannot blur the images before they are resampled.
        super().__init__(autocast=False, **kwargs)
        self.seed = _seed(type(self).__name__, seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape):
        """Checks the rank; there are no weights to make."""
        _check_rank(type(self).__name__, input_shape, *self._input)

    def compute_output_shape(self, input_shape):
        """The shape of the input."""
        return tuple(input_shape)

    def compute_output_spec(self, inputs, training=None):
        """The shape and the type of the input."""
        return keras.KerasTensor(inputs.shape, dtype=inputs.dtype)

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "seed": self.seed}


@keras.saving.register_keras_serializable(package="drsn_lib")
class Affine(_Augmentation):
    """Turns, shears, zooms, shifts and mirrors images at random, in one affine map and one resampling.

    Four layers in a row, one a kind of motion, would blur an image four times; here the motions are
    composed first. Each image gets a map of its own. It is resampled bilinearly, and what comes from
    outside takes the value of the nearest edge.

    The distribution is that of the `ImageDataGenerator` with which older Keras programs train, for
    `rotation_range`, `shear_range`, `zoom_range`, `height_shift_range` and `width_shift_range` (equal
    ones), `horizontal_flip`, and its defaults `interpolation_order=1` and `fill_mode="nearest"`. For
    given parameters the result equals that of the generator in Keras 3 to float32 rounding on square
    images. Three things differ. On images that are not square the generator turns about a point that is
    not the center, and its `height_shift_range` moves columns; this layer does neither. The generator
    draws with NumPy, one image after the other. And early versions of the generator turned about a
    point one pixel away and sheared along the other axis.

    Example:

    >>> x = np.random.default_rng(0).random((8, 32, 32, 3), dtype="float32")
    >>> layer = Affine(rotation=30, shear=30, zoom=0.2, shift=0.125, flip=True, seed=0)
    >>> tuple(layer(x, training=True).shape)
    (8, 32, 32, 3)
    >>> bool(np.all(np.asarray(layer(x)) == x))
    True
    >>> turned = Affine.transform(x, rotation=90)
    >>> bool(np.allclose(turned, np.rot90(x, axes=(1, 2)), atol=1e-4))
    True

    Args:
        rotation: Number of degrees from 0 to 180; angles are drawn between minus and plus this.
        shear: Number of degrees, at least 0 and below 90; likewise.
        zoom: Number `z`, at least 0 and below 1, or pair `(low, high)`. Two factors, one for the height
            and one for the width, are drawn between `1 - z` and `1 + z`, or `low` and `high`. A factor
            below 1 enlarges.
        shift: Number from 0 to 1; two shifts are drawn between minus and plus this fraction of the height
            and of the width.
        flip: Whether every second image, on average, is mirrored left-right.
        seed: Integer, the random seed; by default one is drawn, and `keras.utils.set_random_seed` sets it.

    Call arguments:
        images: The batch.
        training: Whether to move the images; they pass untouched if not.

    Input shape:
        `(batch, height, width, channels)`; all but the channels may be unknown. Floats keep their type;
        of integers the nearest is given back.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If an argument is out of its range or the input is no batch of images.

    Formula:

    ```
    (x, y) = (column, row) of a pixel, counted from the center; x = -x where the image is mirrored
    column = zoom_x cos(rotation) x - zoom_y sin(rotation + shear) y + cos(rotation) shift_x - sin(rotation) shift_y
    row    = zoom_x sin(rotation) x + zoom_y cos(rotation + shear) y + sin(rotation) shift_x + cos(rotation) shift_y
    output(x, y) = input(column, row), interpolated
    ```

    Reference:
        Zhao et al., "Deep residual networks with adaptively parametric rectifier linear units for fault
        diagnosis" (2021), whose authors' CIFAR-10 program has `rotation=30`, `shear=30`, `zoom=0.2`,
        `shift=0.125` and `flip=True`.
    """

    def __init__(self, rotation=0.0, shear=0.0, zoom=0.0, shift=0.0, flip=False, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.rotation = _number("rotation", rotation, "from 0 to 180 degrees", lambda v: 0 <= v <= 180)
        self.shear = _number("shear", shear, "at least 0 and below 90 degrees", lambda v: 0 <= v < 90)
        self.zoom = _zoom(zoom)
        self.shift = _number("shift", shift, "a fraction from 0 to 1", lambda v: 0 <= v <= 1)
        if not isinstance(flip, bool):
            raise ValueError(f"`flip` of Affine must be True or False. Received: flip={flip!r}")
        self.flip = flip

    def draw(self, count):
        """Draws the parameters of `count` maps.

        Args:
            count: Integer, the number of images.

        Returns:
            Dictionary of the arguments of `transform`: `"rotation"`, `"shear"` and `"flip"` of shape
            `(count,)`, `"zoom"` and `"shift"` of shape `(count, 2)`.
        """
        # One draw for all, so that a seed's rotations stay what they are when another argument changes.
        unit = keras.random.uniform((count, 7), dtype="float32", seed=self.seed_generator)
        signed = 2.0 * unit - 1.0
        low, high = self.zoom if isinstance(self.zoom, tuple) else (1.0 - self.zoom, 1.0 + self.zoom)
        return {
            "rotation": self.rotation * signed[:, 0],
            "shear": self.shear * signed[:, 1],
            "zoom": low + (high - low) * unit[:, 2:4],
            "shift": self.shift * signed[:, 4:6],
            "flip": ops.logical_and(unit[:, 6] < 0.5, self.flip),
        }

    @staticmethod
    def transform(images, rotation=0.0, shear=0.0, zoom=1.0, shift=0.0, flip=False):
        """Moves images by given parameters.

        Args:
            images: Tensor of shape `(batch, height, width, channels)`.
            rotation: Angle in degrees, or one an image; positive angles turn counterclockwise.
            shear: Angle in degrees, or one an image.
            zoom: Factor, or the two factors of height and width, or an array of shape `(batch, 2)`.
            shift: Fraction, or the two fractions of height and width, or an array of shape `(batch, 2)`;
                positive fractions move up and to the left.
            flip: Whether to mirror left-right, or one answer an image.

        Returns:
            Tensor of the shape and the type of `images`.

        Raises:
            ValueError: If the images are no batch of images, or a parameter has another shape.
        """
        images = ops.convert_to_tensor(images)
        _check_rank("Affine.transform", images.shape, *_Augmentation._input)
        given = keras.backend.standardize_dtype(images.dtype)
        work = "float64" if given == "float64" else "float32"
        batch, height, width, channels = ops.shape(images)
        rows, columns = _sources(
            *_per_image(images.shape[0], work, rotation=rotation, shear=shear, zoom=zoom, shift=shift, flip=flip),
            height,
            width,
        )

        # Four gathers instead of `ops.image.affine_transform`, which XLA cannot compile on TensorFlow, and
        # which takes several times as long on JAX and PyTorch. A row and a column of zeros, which only ever
        # have the weight 0, spare the last row and column a case of their own.
        row, column = ops.floor(rows), ops.floor(columns)
        down, right = (rows - row)[..., None], (columns - column)[..., None]
        flat = ops.reshape(ops.pad(images, [[0, 0], [0, 1], [0, 1], [0, 0]]), (-1, channels))
        wide = width + 1
        corner = _starts(batch, (height + 1) * wide, 3) + ops.cast(row, "int32") * wide + ops.cast(column, "int32")

        def pixels(offset):
            return ops.cast(ops.take(flat, corner + offset, axis=0), work)

        upper = _between(pixels(0), pixels(1), right)
        lower = _between(pixels(wide), pixels(wide + 1), right)
        moved = _between(upper, lower, down)
        moved = moved if "float" in given else ops.round(moved)
        return ops.reshape(ops.cast(moved, given), ops.shape(images))

    def call(self, images, training=None):
        """Moves the images, each by its own parameters."""
        return self.transform(images, **self.draw(ops.shape(images)[0])) if training else images

    def get_config(self):
        """The arguments of the layer."""
        return {
            **super().get_config(),
            "rotation": self.rotation,
            "shear": self.shear,
            "zoom": self.zoom,
            "shift": self.shift,
            "flip": self.flip,
        }


@keras.saving.register_keras_serializable(package="drsn_lib")
class RandomFlip(_Augmentation):
    """Mirrors each image left-right with probability 1/2.

    Not for digits or text: a mirrored 2 is no 2.

    Example:

    >>> x = np.arange(6.0).reshape(1, 1, 6, 1)
    >>> layer = RandomFlip(seed=0)
    >>> sorted({tuple(np.asarray(layer(x, training=True)).ravel().tolist()) for _ in range(20)})
    [(0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (5.0, 4.0, 3.0, 2.0, 1.0, 0.0)]

    Args:
        seed: Integer, the random seed; by default one is drawn, and `keras.utils.set_random_seed` sets it.

    Call arguments:
        images: The batch.
        training: Whether to mirror; the images pass untouched if not.

    Input shape:
        `(batch, height, width, channels)`; all but the channels may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If the seed is no integer or the input is no batch of images.

    Reference:
        He et al., "Deep residual learning for image recognition" (2016), section 4.2.
    """

    def call(self, images, training=None):
        """Mirrors about half of the images."""
        if not training:
            return images
        unit = keras.random.uniform((ops.shape(images)[0], 1, 1, 1), dtype="float32", seed=self.seed_generator)
        return ops.where(unit < 0.5, ops.flip(images, axis=2), images)


@keras.saving.register_keras_serializable(package="drsn_lib")
class RandomCrop(_Augmentation):
    """Pads images with zeros on all sides and cuts a random window of the old size out of each.

    An image so moves by at most `padding` pixels in each direction. The zeros are black, or, behind a
    normalization that centers the data, the mean.

    Example:

    >>> x = np.ones((100, 32, 32, 3))
    >>> y = np.asarray(RandomCrop(padding=4, seed=0)(x, training=True))
    >>> y.shape, float(y.sum(axis=(1, 2, 3)).min()) >= 28 * 28 * 3
    ((100, 32, 32, 3), True)

    Args:
        padding: Integer of at least 0, the number of rows and columns of zeros on each side.
        seed: Integer, the random seed; by default one is drawn, and `keras.utils.set_random_seed` sets it.

    Call arguments:
        images: The batch.
        training: Whether to crop; the images pass untouched if not.

    Input shape:
        `(batch, height, width, channels)`; all but the channels may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If an argument is out of its range or the input is no batch of images.

    Formula:

    ```
    down, right = random integers from 0 to 2 * padding, for each image
    output[i, j] = padded[i + down, j + right]
    ```

    Reference:
        He et al., "Deep residual learning for image recognition" (2016), section 4.2.
    """

    def __init__(self, padding=4, seed=None, **kwargs):
        super().__init__(seed=seed, **kwargs)
        if isinstance(padding, bool) or not isinstance(padding, int) or padding < 0:
            raise ValueError(f"`padding` of RandomCrop must be an integer of at least 0. Received: padding={padding!r}")
        self.padding = padding

    def call(self, images, training=None):
        """Cuts a window out of each padded image."""
        if not training or self.padding == 0:
            return images
        batch, height, width, channels = ops.shape(images)
        margin = 2 * self.padding
        place = keras.random.randint((2, batch, 1, 1), 0, margin + 1, dtype="int32", seed=self.seed_generator)
        padded = ops.pad(images, [[0, 0], [self.padding] * 2, [self.padding] * 2, [0, 0]])
        rows = place[0] + ops.arange(height, dtype="int32")[:, None]
        columns = place[1] + ops.arange(width, dtype="int32")
        index = _starts(batch, (height + margin) * (width + margin), 3) + rows * (width + margin) + columns
        cut = ops.take(ops.reshape(padded, (-1, channels)), index, axis=0)
        return ops.reshape(cut, ops.shape(images))

    def get_config(self):
        """The arguments of the layer."""
        return {**super().get_config(), "padding": self.padding}


class _SignalAugmentation(_Augmentation):
    """Base of the layers for signals."""

    _input = ("signals", "(batch, length, channels)")


@keras.saving.register_keras_serializable(package="drsn_lib")
class RandomRoll(_SignalAugmentation):
    """Shifts each signal in a circle by a random number of points, all of its channels alike.

    A window of a steady vibration starts at no particular moment, so its label cannot depend on where
    it starts. The price is one seam, at which the window's last point meets its first: a jump that the
    machine did not make, and that a network may take for a weak impact. Where the whole record is at
    hand, windows cut at other moments (overlapping ones) do the same without a seam. It is not for
    signals that mean something by when they happen, such as a run-up or a triggered recording.

    Example:

    >>> x = np.arange(5.0).reshape(1, 5, 1)
    >>> np.asarray(RandomRoll(seed=3)(np.tile(x, (4, 1, 1)), training=True)).sum(axis=1).ravel()
    array([10., 10., 10., 10.])

    Args:
        seed: Integer, the random seed; by default one is drawn, and `keras.utils.set_random_seed` sets it.

    Call arguments:
        signals: The batch.
        training: Whether to shift; the signals pass untouched if not.

    Input shape:
        `(batch, length, channels)`; all but the channels may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If the seed is no integer or the input is no batch of signals.

    Formula:

    ```
    shift = random integer from 0 to length - 1, for each signal
    output[t] = input[(t + shift) mod length]
    ```
    """

    def call(self, signals, training=None):
        """Shifts each signal."""
        if not training:
            return signals
        batch, length, channels = ops.shape(signals)
        shift = keras.random.randint((batch, 1), 0, length, dtype="int32", seed=self.seed_generator)
        index = _starts(batch, length, 2) + ops.mod(shift + ops.arange(length, dtype="int32"), length)
        rolled = ops.take(ops.reshape(signals, (-1, channels)), index, axis=0)
        return ops.reshape(rolled, ops.shape(signals))


@keras.saving.register_keras_serializable(package="drsn_lib")
class RandomSign(_SignalAugmentation):
    """Multiplies each signal by -1 with probability 1/2, all of its channels at once.

    An accelerometer screwed on the other way round reads the negative of the same motion, and the fault
    is the same fault. Channels turn together, since their signs relative to each other tell a direction.
    Use it where the sensor's orientation may differ in use; if it is fixed, the sign of an impact's first
    swing is information, which this layer throws away. Signals that are never negative (a speed, an
    envelope, a spectrum) must not be turned.

    Example:

    >>> x = np.ones((1, 3, 1))
    >>> layer = RandomSign(seed=0)
    >>> sorted({tuple(np.asarray(layer(x, training=True)).ravel().tolist()) for _ in range(20)})
    [(-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)]

    Args:
        seed: Integer, the random seed; by default one is drawn, and `keras.utils.set_random_seed` sets it.

    Call arguments:
        signals: The batch.
        training: Whether to turn signs; the signals pass untouched if not.

    Input shape:
        `(batch, length, channels)`; all but the channels may be unknown.

    Output shape:
        The shape of the input.

    Raises:
        ValueError: If the seed is no integer or the input is no batch of signals.
    """

    def call(self, signals, training=None):
        """Turns the sign of about half of the signals."""
        if not training:
            return signals
        unit = keras.random.uniform((ops.shape(signals)[0], 1, 1), dtype="float32", seed=self.seed_generator)
        return ops.where(unit < 0.5, -signals, signals)


def _sources(rotation, shear, zoom, shift, flip, height, width):
    """Where each output pixel comes from: rows and columns of shape (batch, height, width), inside the image."""
    work = keras.backend.standardize_dtype(rotation.dtype)
    size = ops.cast(ops.stack([height, width]), work)
    center = (size - 1.0) / 2.0
    turned, sheared = rotation * (math.pi / 180.0), (rotation + shear) * (math.pi / 180.0)
    # Products of numbers, not of matrices: those a GPU may round to ten bits.
    across = zoom[:, 1] * (1.0 - 2.0 * ops.cast(flip, work))
    up, left = shift[:, 0] * size[0], shift[:, 1] * size[1]
    y = ops.reshape(ops.arange(height, dtype=work) - center[0], (1, -1, 1))
    x = ops.reshape(ops.arange(width, dtype=work) - center[1], (1, 1, -1))

    def place(by_x, by_y, offset, last):
        by_x, by_y, offset = (ops.reshape(one, (-1, 1, 1)) for one in (by_x, by_y, offset))
        return ops.clip(by_x * x + (by_y * y + offset), 0.0, last)

    columns = place(
        across * ops.cos(turned),
        -zoom[:, 0] * ops.sin(sheared),
        ops.cos(turned) * left - ops.sin(turned) * up + center[1],
        size[1] - 1.0,
    )
    rows = place(
        across * ops.sin(turned),
        zoom[:, 0] * ops.cos(sheared),
        ops.sin(turned) * left + ops.cos(turned) * up + center[0],
        size[0] - 1.0,
    )
    return rows, columns


def _between(first, second, share):
    return first + share * (second - first)


def _starts(batch, size, rank):
    """Where each sample begins when the batch is laid out in one row."""
    return ops.reshape(ops.arange(batch, dtype="int32") * size, (-1, *[1] * (rank - 1)))


def _per_image(batch, work, **parameters):
    """The parameters as tensors of shape (batch,) and (batch, 2), or with a batch of 1."""
    for name, value in parameters.items():
        pair = name in ("zoom", "shift")
        value = ops.cast(value, "bool") if name == "flip" else ops.convert_to_tensor(value, dtype=work)
        shape = tuple(value.shape)
        fits = shape in ((), (2,)) if pair else shape == ()
        if not fits and (shape[1:] != ((2,) if pair else ()) or (batch is not None and shape[0] not in (batch, None))):
            raise ValueError(
                f"`{name}` of Affine.transform must be "
                + ("a number, a pair (height, width) or an array (batch, 2)" if pair else "one value or one an image")
                + f"; there are {batch} images. Received: {name} of shape {shape}"
            )
        yield ops.broadcast_to(value, (1, 2) if pair else (1,)) if len(shape) < 1 + pair else value


def _check_rank(who, shape, what, wanted):
    shape = tuple(shape)
    if len(shape) != wanted.count(",") + 1:
        raise ValueError(f"{who} expects {what} of shape {wanted}. Received: an input of shape {shape}")
    if shape[-1] is None:
        raise ValueError(
            f"{who} needs a known number of channels in the last axis; other sizes may be None. "
            f"Received: an input of shape {shape}"
        )


def _seed(layer, seed):
    if seed is None:
        return None
    try:
        number = -1 if isinstance(seed, bool) else operator.index(seed)
    except TypeError:
        number = -1
    if not 0 <= number < 2**31:
        raise ValueError(f"`seed` of {layer} must be None or an integer from 0 to 2**31 - 1. Received: seed={seed!r}")
    return number


def _number(name, value, wanted, fits):
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not fits(number):
        raise ValueError(f"`{name}` of Affine must be a number, {wanted}. Received: {name}={value!r}")
    return number


def _zoom(value):
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = (
            _number("zoom", v, "or a pair of finite numbers above 0", lambda v: 0 < v < math.inf) for v in value
        )
        if low > high:
            raise ValueError(f"`zoom` of Affine must be a pair (low, high) with low <= high. Received: zoom={value!r}")
        return low, high
    return _number("zoom", value, "at least 0 and below 1, or a pair (low, high)", lambda v: 0 <= v < 1)
