"""What every live figure shares: one script for two hosts, a static form, and random numbers.

A figure's JavaScript is a plain classic script. In Jupyter it is handed to anywidget as an ES module; in
the book's pages the same file defines a custom element, `<threshold-lab data-state="...">`.
"""

import base64
import html
import json
import sys
from pathlib import Path

import anywidget
import numpy as np
import traitlets

_FOLDER = Path(__file__).parent


def uniforms(seed, count):
    """Return numbers in (0, 1) from mulberry32, the generator that the figures' scripts use.

    Args:
        seed: Integer, taken modulo 2**32.
        count: Integer, how many numbers.

    Returns:
        A float64 array of shape `(count,)`.
    """
    mask = 0xFFFFFFFF
    state = int(seed) & mask
    values = np.empty(count)
    for i in range(count):
        state = (state + 0x6D2B79F5) & mask
        t = ((state ^ (state >> 15)) * (state | 1)) & mask
        t = ((t + (((t ^ (t >> 7)) * (t | 61)) & mask)) & mask) ^ t
        values[i] = ((t ^ (t >> 14)) + 0.5) / 2.0**32
    return values


def normals(seed, count):
    """Return standard normal numbers: `uniforms` carried through Box and Muller's transform.

    Args:
        seed: Integer, taken modulo 2**32.
        count: Integer, how many numbers.

    Returns:
        A float64 array of shape `(count,)`.
    """
    u = uniforms(seed, count + count % 2).reshape(-1, 2)
    radius = np.sqrt(-2 * np.log(u[:, 0]))
    angle = 2 * np.pi * u[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()[:count]


def noise(kind, seed, count):
    """Return white noise of mean 0 and variance 1, the same numbers as the figures' scripts.

    Args:
        kind: `"gaussian"`, `"laplacian"` or `"uniform"`.
        seed: Integer, the random seed.
        count: Integer, how many numbers.

    Returns:
        A float64 array of shape `(count,)`.

    Raises:
        ValueError: If the kind is another.
    """
    if kind == "gaussian":
        return normals(seed, count)
    u = uniforms(seed, count)
    if kind == "uniform":
        return (u - 0.5) * np.sqrt(12)
    if kind == "laplacian":
        return np.sign(0.5 - u) * np.log(1 - 2 * np.abs(u - 0.5)) / np.sqrt(2)
    raise ValueError(f"Argument `kind` must be one of gaussian, laplacian, uniform. Received: kind={kind!r}")


def pack(values):
    """Return numbers as text, for a figure's data: float32 in base64, which the script reads with `floats`.

    Args:
        values: Array of numbers; it is read in C order, its shape is not kept.

    Returns:
        A string of four characters for three bytes.
    """
    return base64.b64encode(np.ascontiguousarray(values, "<f4").tobytes()).decode("ascii")


def unpack(text):
    """Return the numbers that `pack` wrote.

    Args:
        text: String from `pack`.

    Returns:
        A float32 array with one axis.
    """
    return np.frombuffer(base64.b64decode(text), "<f4")


class LiveFigure(anywidget.AnyWidget):
    """The base of the live figures.

    A subclass names its script (`_js`), the constant that the script defines (`_constant`) and its HTML tag
    (`_tag`), tags the traits of its state with `sync=True, figure=True`, and says in `fallback` what the
    figure shows, for a reader without JavaScript. A script that several figures share stands in `_shared`;
    numbers that were computed before (trained weights, say) stand in `data/NAME.json` and are named in `_data`.

    Example:

    >>> from drsn_lib.widgets import ThresholdLab
    >>> issubclass(ThresholdLab, LiveFigure), ThresholdLab.state_names()
    (True, ['draw', 'function', 'noise', 'sigma', 'threshold'])
    >>> ThresholdLab(threshold=0.8).state()["threshold"]
    0.8
    """

    _js = None
    _constant = None
    _tag = None
    _base_js = "figure.js"
    _shared = ()
    _data = ()

    def __init_subclass__(cls, **kwargs):
        # anywidget makes a subclass of its own when an object is made: that one names no script.
        if vars(cls).get("_js"):
            cls._esm = "\n".join([*cls.scripts().values(), f"export default {cls._constant};\n"])
        super().__init_subclass__(**kwargs)

    @classmethod
    def scripts(cls):
        """Return all that the figure runs: the base, what it shares with others, its data, its own script.

        Returns:
            A dictionary from file name to JavaScript text, in the order in which they must run.
        """
        files = [cls.base_path(), *(_FOLDER / name for name in cls._shared)]
        scripts = {path.name: path.read_text(encoding="utf8") for path in files}
        for name in cls._data:
            text = json.dumps(cls.load_data(name), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            scripts[f"{name}.data.js"] = f'(globalThis.DrsnData ||= {{}})["{name}"] = {text};\n'
        return {**scripts, cls._js: cls.script_path().read_text(encoding="utf8")}

    @classmethod
    def load_data(cls, name):
        """Return numbers that were computed before and that the figure shows.

        Args:
            name: One of the names in `_data`.

        Returns:
            What `data/NAME.json` holds; `tools/make_figure_data.py` writes these files.
        """
        return json.loads((_FOLDER / "data" / f"{name}.json").read_text(encoding="utf8"))

    @classmethod
    def base_path(cls):
        """Return the path of the script that all figures share.

        Returns:
            A `pathlib.Path`.
        """
        return _FOLDER / cls._base_js

    @classmethod
    def script_path(cls):
        """Return the path of the figure's own script.

        Returns:
            A `pathlib.Path`.
        """
        return _FOLDER / cls._js

    @classmethod
    def state_names(cls):
        """Return the names of the traits that make up the figure's state.

        Returns:
            A sorted list of strings.
        """
        return sorted(cls.class_trait_names(figure=True))

    @classmethod
    def title(cls):
        """Return the figure's name in words, the first line of its class's docstring up to its colon.

        Returns:
            A string such as `"The threshold laboratory"`.
        """
        return cls.__doc__.split("\n")[0].split(":")[0].rstrip(".")

    def state(self):
        """Return the figure's state.

        Returns:
            A dictionary from trait name to a plain Python value; floats are rounded to six decimals.
        """
        values = {name: getattr(self, name) for name in self.state_names()}
        return {name: round(v, 6) if isinstance(v, float) else v for name, v in values.items()}

    def fallback(self):
        """Return what the figure shows, in a sentence or two, for a reader without JavaScript.

        Returns:
            A string.

        Raises:
            NotImplementedError: If the figure's class does not say.
        """
        raise NotImplementedError(f"{type(self).__name__} must say in fallback() what it shows.")

    def static_html(self):
        """Return the element that the book's pages show: the state as an attribute, the fallback inside.

        Returns:
            A string of HTML.
        """
        state = html.escape(json.dumps(self.state(), sort_keys=True, ensure_ascii=False), quote=False)
        text = html.escape(self.fallback(), quote=False)
        return f"<{self._tag} data-state='{state.replace(chr(39), '&#39;')}'><p>{text}</p></{self._tag}>"

    def __repr__(self):
        # Without an address, so that a stored output can be compared with a fresh one.
        fields = ", ".join(f"{name}={value!r}" for name, value in self.state().items())
        name = next(c.__name__ for c in type(self).__mro__ if vars(c).get("_js"))
        return f"{name}({fields})"

    def _repr_mimebundle_(self, **kwargs):
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        data = {**data, "text/plain": repr(self)}
        # Colab would show the element, whose script it lacks, in place of the widget.
        if "google.colab" not in sys.modules:
            data["text/html"] = self.static_html()
        return data, metadata


def check_range(owner, trait, value):
    """Return a proposed number if it is within the trait's range, else say what was expected.

    Args:
        owner: The figure.
        trait: The trait, with `low` and `high` in its metadata.
        value: The proposed number.

    Returns:
        The number.
    """
    low, high = trait.metadata["low"], trait.metadata["high"]
    if not (np.isfinite(value) and low <= value <= high):
        raise traitlets.TraitError(
            f"Argument `{trait.name}` of {type(owner).__name__} must lie between {low} and {high}. "
            f"Received: {trait.name}={value!r}"
        )
    return value
