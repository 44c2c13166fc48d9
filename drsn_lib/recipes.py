"""The book's experiments: data, network, optimizer and budget, as plain data that can be printed and stored.

A recipe only says what is to be done; `drsn_lib.training` does it. Nothing here needs a Keras backend.
Each recipe has three budgets: `"faithful"`, what the source did; `"modern"`, the same question in a
fraction of the time; `"smoke"`, seconds, to see that everything runs. Some have `"short"` beside them: what a
processor can do in minutes, where even the modern budget asks for a GPU.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import textwrap

__all__ = ["Budget", "Data", "Plan", "Recipe", "Schedule", "Variant", "digest", "get", "names", "planned"]


@dataclasses.dataclass(frozen=True)
class Data:
    """Which data, and what is done to them before they meet a network.

    Example:

    >>> data = get("mnist-noise").data
    >>> data.source, data.divide, data.uniform
    ('mnist', 255.0, 0.5)

    Args:
        source: String, `"mnist"`, `"cifar10"`, `"vibration"` (simulated) or `"cwru"`.
        divide: Float, what integer images are divided by.
        uniform: Float, upper end of the uniform noise from 0 that is added, once, to training and test.
        center: String or None: `"scalar"` subtracts the training set's mean, `"channel"` its mean a channel.
        standardize: Whether every window gets mean 0 and standard deviation 1 (after its noise).
        split: String or None: for `"cwru"` the name of the split.
        options: Tuple of `(name, value)`: further arguments of the loader or simulator.
        seed: Integer, draws simulation, noise and split. It is the same for all runs of a recipe, so that
            variants and random seeds are compared on the same data.
    """

    source: str
    divide: float = 1.0
    uniform: float = 0.0
    center: str | None = None
    standardize: bool = False
    split: str | None = None
    options: tuple = ()
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How the learning rate goes.

    Example:

    >>> Schedule("steps", 0.1, boundaries=(40, 80)).factor
    0.1

    Args:
        kind: String: `"constant"`; `"steps"`, multiplied by `factor` at every epoch of `boundaries`;
            `"cosine"`, half a cosine down to 0; `"one-cycle"`, up in a straight line for `warmup` of the
            time, then half a cosine down to 0.
        rate: Float, the highest rate.
        boundaries: Tuple of epochs.
        factor: Float.
        warmup: Float, share of all steps.
    """

    kind: str
    rate: float
    boundaries: tuple = ()
    factor: float = 0.1
    warmup: float = 0.0


@dataclasses.dataclass(frozen=True)
class Budget:
    """What a training may cost and how it is done.

    Example:

    >>> import dataclasses
    >>> longer = dataclasses.replace(get("mnist-noise").budget("modern"), epochs=10)
    >>> longer.epochs, longer == get("mnist-noise").budget("modern")
    (10, False)

    Args:
        epochs: Integer.
        batch_size: Integer. A last incomplete batch of an epoch is left out.
        schedule: A `Schedule`.
        optimizer: String, `"adam"` or `"sgd"`.
        momentum: Float, of `"sgd"`.
        nesterov: Whether `"sgd"` looks ahead.
        l2: Float, the weight of the squared kernels in the loss.
        gamma_l2: Float, that of the squared gammas of batch normalizations.
        bn_momentum: Float, of the moving statistics of batch normalizations.
        augment: Tuple of `(layer, ((argument, value), ...))`, layers of `drsn_lib.augment`.
        validation: Float, the share of the training data that is held out. The sources held out nothing
            and chose on the test set; their faithful budgets hold out nothing and choose nothing.
        train: Integer or None, the number of training samples, None for all.
        test: Integer or None, the number of test samples, None for all.
        full: Whether MNIST is the whole set; else the subset that comes with the package.
        data: Tuple of `(name, value)` that replace options of the recipe's `Data`.
        network: Tuple of `(name, value)` that replace arguments of the recipe's network.
    """

    epochs: int
    batch_size: int
    schedule: Schedule
    optimizer: str = "sgd"
    momentum: float = 0.9
    nesterov: bool = False
    l2: float = 1e-4
    gamma_l2: float = 0.0
    bn_momentum: float = 0.9
    augment: tuple = ()
    validation: float = 0.0
    train: int | None = None
    test: int | None = None
    full: bool = True
    data: tuple = ()
    network: tuple = ()


@dataclasses.dataclass(frozen=True)
class Variant:
    """One member of a comparison.

    Example:

    >>> get("mnist-noise").variant("drsn-cw").network
    'drsn-cw'

    Args:
        name: String, the name in records.
        network: String, the variant that `models.build` knows.
        options: Tuple of `(name, value)`, further arguments of `models.build`. A tuple as the value of
            `"activation"` is a layer: its name and its arguments.
    """

    name: str
    network: str
    options: tuple = ()


@dataclasses.dataclass(frozen=True)
class Plan:
    """Runs that the book wants records of.

    Example:

    >>> plan = get("mnist-noise").plans[0]
    >>> set(plan.variants) <= set(get("mnist-noise").variant_names)
    True

    Args:
        worth: Integer; what is smaller is wanted more.
        budget: String.
        seeds: Integer, how many random seeds, from 0.
        variants: Tuple of variant names.
        conditions: Tuple of conditions, each a tuple of `(name, value)`.
    """

    worth: int
    budget: str
    seeds: int
    variants: tuple
    conditions: tuple = ((),)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """One experiment.

    Example:

    >>> recipe = get("vibration-snr")
    >>> recipe.preset, recipe.budget_names
    ('vibration', ('faithful', 'modern', 'short', 'smoke'))
    >>> recipe.condition({"noise": "pink", "snr_db": -5})
    (('noise', 'pink'), ('snr_db', -5.0))

    Args:
        name: String.
        title: String, one line.
        source: String, where it comes from.
        notes: Tuple of strings, what has to be known to compare with the source.
        data: A `Data`.
        preset: String, the network out of `models.PRESETS`.
        variants: Tuple of `Variant`.
        budgets: Tuple of `(name, Budget)`.
        conditions: Tuple of conditions, each a tuple of `(name, value)`; one training is under one of them.
        plans: Tuple of `Plan`.
        network: Tuple of `(name, value)` that replace arguments of the preset.
        probes: Tuple of conditions: noise in which a trained network is measured besides its own. They decide
            nothing of a training, and so are no part of its settings.
    """

    name: str
    title: str
    source: str
    notes: tuple
    data: Data
    preset: str
    variants: tuple
    budgets: tuple
    conditions: tuple = ((),)
    plans: tuple = ()
    network: tuple = ()
    probes: tuple = ()

    @property
    def variant_names(self):
        """The names of the variants, a tuple of strings."""
        return tuple(variant.name for variant in self.variants)

    @property
    def budget_names(self):
        """The names of the budgets, a tuple of strings."""
        return tuple(name for name, _ in self.budgets)

    def variant(self, name):
        """The `Variant` of a name.

        Args:
            name: String out of `variant_names`.

        Returns:
            A `Variant`.

        Raises:
            ValueError: If the recipe has none of that name; the message lists them.
        """
        for variant in self.variants:
            if variant.name == name:
                return variant
        raise ValueError(
            f"`variant` of recipe {self.name!r} must be one of {', '.join(map(repr, self.variant_names))}. "
            f"Received: variant={name!r}"
        )

    def budget(self, name):
        """The `Budget` of a name; a `Budget` is returned as it is.

        Args:
            name: String out of `budget_names`, or a `Budget`.

        Returns:
            A `Budget`.

        Raises:
            ValueError: If the recipe has none of that name; the message lists them.
        """
        if isinstance(name, Budget):
            return name
        if name not in self.budget_names:
            raise ValueError(
                f"`budget` of recipe {self.name!r} must be one of {', '.join(map(repr, self.budget_names))}. "
                f"Received: budget={name!r}"
            )
        return dict(self.budgets)[name]

    def condition(self, condition=None):
        """A condition of the recipe as a tuple of `(name, value)`, checked.

        Args:
            condition: Dictionary, tuple of pairs, or None, which is only enough where there is just one. What
                is None in it may be left out.

        Returns:
            Tuple of `(name, value)`.

        Raises:
            ValueError: If the recipe has no such condition; the message says which it has.
        """
        if condition is None:
            if len(self.conditions) == 1:
                return self.conditions[0]
            condition = ()
        wanted = dict(condition)

        def said(one):
            return {key: value for key, value in dict(one).items() if value is not None}

        for one in self.conditions:
            if said(one) == said(wanted):
                return one
        listed = ", ".join(str(dict(one)) for one in self.conditions[:3])
        more = f", ... ({len(self.conditions)} in all)" if len(self.conditions) > 3 else ""
        raise ValueError(
            f"`condition` of recipe {self.name!r} must be one of {listed}{more}. Received: condition={wanted}"
        )

    def settings(self, variant, budget, condition=None):
        """All that decides a run but its random seed, for the record.

        Args:
            variant: String.
            budget: String, or a `Budget`.
            condition: As for `condition`.

        Returns:
            Dictionary of JSON's types.

        Raises:
            ValueError: If the recipe has no such variant, budget or condition.
        """
        settings = {
            "recipe": self.name,
            "data": dataclasses.asdict(self.data),
            "network": {"preset": self.preset, "options": self.network, **dataclasses.asdict(self.variant(variant))},
            "budget": dataclasses.asdict(self.budget(budget)),
            "condition": dict(self.condition(condition)),
        }
        return json.loads(json.dumps(settings))

    def to_dict(self):
        """The whole recipe, for a file.

        Returns:
            Dictionary of JSON's types.
        """
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def __str__(self):
        said = [("source", self.source), *(("note", note) for note in self.notes)]
        said.append(("data", _differences(self.data, ("source",))))
        said.append(("network", ", ".join([self.preset, *(f"{key}={value}" for key, value in self.network)])))
        said.append(("variants", ", ".join(self.variant_names)))
        for key in dict.fromkeys(key for one in self.conditions for key, _ in one):
            values = dict.fromkeys(dict(one).get(key) for one in self.conditions)
            said.append(("condition", f"{key}: {', '.join(map(str, values))}"))
        if self.probes:
            said.append(("measured in", "; ".join(_noise_words(dict(one)) for one in self.probes)))
        said += [(name, _differences(budget, ("epochs", "batch_size"))) for name, budget in self.budgets]
        wrap = functools.partial(
            textwrap.fill, width=84, subsequent_indent=" " * 14, break_long_words=False, break_on_hyphens=False
        )
        return "\n".join([f"{self.name}: {self.title}", *(wrap(f"  {key:<11} {words}") for key, words in said)])


def _noise_words(condition):
    return "no noise" if condition["noise"] == "none" else f"{condition['noise']} {condition['snr_db']:g} dB"


def _differences(one, always):
    """The fields of a data class that differ from their defaults, in words."""
    said = []
    for field in dataclasses.fields(one):
        value = getattr(one, field.name)
        if field.name not in always and value == field.default:
            continue
        if dataclasses.is_dataclass(value):
            value = f"{type(value).__name__}({_differences(value, ('kind', 'rate'))})"
        said.append(f"{field.name}={value}")
    return ", ".join(said)


def digest(settings):
    """The name of settings: the first 16 hexadecimal digits of the sha256 of their canonical JSON.

    Example:

    >>> recipe = get("mnist-noise")
    >>> digest(recipe.settings("resnet", "smoke")) == digest(recipe.settings("resnet", "modern"))
    False

    Args:
        settings: Dictionary of JSON's types, as `Recipe.settings` gives it.

    Returns:
        String of 16 hexadecimal digits.
    """
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


_GATED = tuple(Variant(name, name) for name in ("resnet", "senet", "drsn-cs", "drsn-cw"))
_WITH_CONVNET = (Variant("convnet", "convnet"), *_GATED)
# Gates that begin as if they were not there: thresholds near 0, excitations near 1. The others begin at 0.5.
_NEUTRAL = (
    Variant("senet-open", "senet", (("initial_scale", 0.98),)),
    Variant("drsn-cs-low", "drsn-cs", (("initial_scale", 0.02),)),
    Variant("drsn-cw-low", "drsn-cw", (("initial_scale", 0.02),)),
)
_LEARNED_FRACTION = Variant("learned-fraction", "learned-fraction")
_FRACTION_NOTE = "learned-fraction is a threshold without attention: one fraction a channel, for all samples."
_START_NOTE = "senet-open, drsn-cs-low and drsn-cw-low begin nearly as the resnet; other gates begin at one half."
_SMOKE = Budget(
    epochs=2,
    batch_size=50,
    schedule=Schedule("cosine", 0.02),
    validation=0.1,
    train=500,
    test=200,
    full=False,
)

_MNIST_NOISE = Recipe(
    name="mnist-noise",
    title="handwritten digits under uniform noise",
    source="Zhao, article with Keras code (2019), section 3",
    notes=(
        "The article printed accuracies with batch statistics; ours are in inference mode, statistics recalibrated.",
        "The article's compile line is lost; Adam is imported in it.",
        "The noise is U[0, 0.5], so it also raises the mean by 0.25; it is drawn once for training and test.",
    ),
    data=Data("mnist", divide=255.0, uniform=0.5),
    preset="mnist",
    variants=(*_WITH_CONVNET, Variant("senet-textbook", "senet-textbook", (("reduction", 4),))),
    budgets=(
        (
            "faithful",
            Budget(epochs=5, batch_size=100, optimizer="adam", schedule=Schedule("constant", 1e-3), bn_momentum=0.99),
        ),
        (
            "modern",
            Budget(
                epochs=4,
                batch_size=200,
                optimizer="adam",
                schedule=Schedule("one-cycle", 0.03, warmup=0.2),
                validation=1 / 12,
            ),
        ),
        ("smoke", dataclasses.replace(_SMOKE, optimizer="adam")),
    ),
    plans=(
        Plan(10, "modern", 10, ("resnet", "senet", "drsn-cs", "drsn-cw", "convnet", "senet-textbook")),
        Plan(40, "faithful", 5, ("resnet", "senet", "drsn-cs", "drsn-cw", "convnet")),
    ),
)

_NO_NOISE = (("noise", "none"), ("snr_db", None))
_LEVELS = (_NO_NOISE, *((("noise", "gaussian"), ("snr_db", snr)) for snr in (20.0, 15.0, 10.0, 5.0, 0.0, -5.0, -10.0)))
_MIXED = (("noise", "mixed"), ("low_db", -10.0), ("high_db", 15.0))
_ABLATIONS = (*(Variant(name, name) for name in ("fixed-threshold", "learned-threshold")), _LEARNED_FRACTION)

_MNIST_SNR = Recipe(
    name="mnist-snr",
    title="handwritten digits, trained clean or in noise, tested at every level",
    source="this book; data of the article with Keras code (2019), noise of Zhao et al. (2020), section IV",
    notes=(
        "No source did just this: faithful means the article's optimizer and epochs.",
        "Four units instead of the article's one, so that thresholds can be compared over the depth.",
        "Mixed noise is Gaussian, every image at a level of its own, uniform in decibels; drawn once.",
        "The modern budget trains on the 10,000 images that come with the package: seconds a run.",
    ),
    data=Data("mnist", divide=255.0),
    preset="mnist",
    network=(("stages", ((8, 2, 2), (16, 2, 2))),),
    variants=(*_WITH_CONVNET, Variant("senet-textbook", "senet-textbook", (("reduction", 4),)), *_ABLATIONS),
    budgets=(
        (
            "faithful",
            Budget(epochs=5, batch_size=100, optimizer="adam", schedule=Schedule("constant", 1e-3), validation=1 / 12),
        ),
        (
            "modern",
            Budget(
                epochs=4,
                batch_size=50,
                optimizer="adam",
                schedule=Schedule("one-cycle", 0.01, warmup=0.25),
                validation=0.1,
                full=False,
            ),
        ),
        ("smoke", dataclasses.replace(_SMOKE, optimizer="adam")),
    ),
    conditions=(_NO_NOISE, _LEVELS[5], _MIXED),
    probes=_LEVELS,
    plans=(
        Plan(
            15,
            "modern",
            10,
            (
                "resnet",
                "senet",
                "drsn-cw",
                "drsn-cs",
                "convnet",
                "learned-fraction",
                "learned-threshold",
                "fixed-threshold",
            ),
            (_NO_NOISE, _LEVELS[5], _MIXED),
        ),
    ),
)

_FLIP_AND_CROP = (("RandomFlip", ()), ("RandomCrop", (("padding", 4),)))

# What a processor can do in minutes: a fifth of the images, a fraction of the epochs.
_CIFAR10_SHORT = Budget(
    epochs=8,
    batch_size=100,
    schedule=Schedule("one-cycle", 0.1, warmup=0.25),
    nesterov=True,
    augment=_FLIP_AND_CROP,
    validation=0.1,
    train=10_000,
)

_CIFAR10_NOISE = Recipe(
    name="cifar10-noise",
    title="photographs under weak uniform noise",
    source="Zhao, article with TFLearn code (2019), section 4",
    notes=(
        "U[0, 0.1] is about 18.8 dB below the images: hardly noise.",
        "TFLearn halves the sum of squares, so its L2 of 1e-4 is 5e-5 here; it leaves the classifier out.",
        "Stated by the author's repository, single runs: DRSN 84.33 %, ResNet 83.99 % noisy; 85.87 %, 85.57 % clean.",
    ),
    data=Data("cifar10", divide=255.0, uniform=0.1, center="channel"),
    preset="cifar10",
    variants=_GATED,
    budgets=(
        (
            "faithful",
            Budget(
                epochs=100,
                batch_size=100,
                schedule=Schedule("steps", 0.1, boundaries=(40, 80)),
                l2=5e-5,
                augment=_FLIP_AND_CROP,
            ),
        ),
        (
            "modern",
            Budget(
                epochs=30,
                batch_size=250,
                schedule=Schedule("one-cycle", 0.2, warmup=0.2),
                nesterov=True,
                l2=2e-4,
                augment=_FLIP_AND_CROP,
                validation=0.1,
            ),
        ),
        ("short", _CIFAR10_SHORT),
        ("smoke", dataclasses.replace(_SMOKE, augment=_FLIP_AND_CROP)),
    ),
    plans=(
        Plan(30, "modern", 5, ("resnet", "drsn-cw", "senet", "drsn-cs")),
        Plan(60, "faithful", 5, ("resnet", "drsn-cw", "senet", "drsn-cs")),
    ),
)

_CIFAR10_SNR = dataclasses.replace(
    _CIFAR10_NOISE,
    name="cifar10-snr",
    title="photographs, trained clean or in noise that is noise, tested at every level",
    source="this book; network and budgets of the article with TFLearn code (2019)",
    notes=("No source did just this: faithful means the article's schedule.", _START_NOTE, _FRACTION_NOTE),
    variants=(*_GATED, _LEARNED_FRACTION, *_NEUTRAL),
    data=Data("cifar10", divide=255.0, center="channel"),
    conditions=(_NO_NOISE, _LEVELS[4]),
    probes=(_NO_NOISE, *_LEVELS[1:7]),
    plans=(
        Plan(32, "modern", 5, ("resnet", "drsn-cw", "senet", "drsn-cs"), (_NO_NOISE, _LEVELS[4])),
        Plan(33, "modern", 5, ("learned-fraction", "senet-open", "drsn-cw-low"), (_LEVELS[4],)),
    ),
)

_RECORD_16 = ("Affine", (("rotation", 30.0), ("shear", 30.0), ("zoom", 0.2), ("shift", 0.125), ("flip", True)))
# The units that stand commented out in the program: two more of 32 filters, two more of 64.
_LARGER = ("stages", ((32, 1, 1), (32, 3, 2), (64, 3, 2)))

_CIFAR10_APRELU = Recipe(
    name="cifar10-aprelu",
    title="photographs, and the rectifier that learns its slopes",
    source="Zhao et al., article on APReLU with Keras code (2020), tuning record 16",
    notes=(
        "The article chose on the test set and stopped at epoch 3345 of 5000: 88.6 to 89.2 %, 10.7 hours.",
        "Its numbers are with batch statistics; ours are in inference mode, statistics recalibrated.",
        "Its generator is one affine layer here, which equals it in interpolation and fill.",
        "relu-large and aprelu-large have the units that stand commented out in the article's program.",
        "aprelu-full has hidden layers as wide as the paper of 2021: the channels, not a sixteenth of them.",
        "aprelu-low starts with slopes near 0, and so nearly as the ReLU network; the others start near 0.5.",
    ),
    data=Data("cifar10", divide=255.0, center="scalar"),
    preset="cifar10-aprelu",
    variants=(
        Variant("relu", "resnet", (("activation", "relu"),)),
        Variant("leaky_relu", "resnet", (("activation", ("LeakyReLU", (("negative_slope", 0.1),))),)),
        Variant("prelu", "resnet", (("activation", ("PReLU", (("shared_axes", (1, 2)),))),)),
        Variant("aprelu", "resnet", (("activation", ("APReLU", (("reduction", 16),))),)),
        Variant("aprelu-full", "resnet", (("activation", ("APReLU", ())),)),
        Variant("aprelu-low", "resnet", (("activation", ("APReLU", (("reduction", 16), ("initial_scale", 0.02)))),)),
        Variant("relu-large", "resnet", (("activation", "relu"), _LARGER)),
        Variant("aprelu-large", "resnet", (("activation", ("APReLU", (("reduction", 16),))), _LARGER)),
    ),
    budgets=(
        (
            "faithful",
            Budget(
                epochs=5000,
                batch_size=100,
                schedule=Schedule("steps", 0.1, boundaries=(1500, 3000, 4500)),
                nesterov=True,
                gamma_l2=1e-4,
                bn_momentum=0.9,
                augment=(_RECORD_16,),
            ),
        ),
        (
            "modern",
            Budget(
                epochs=100,
                batch_size=500,
                schedule=Schedule("one-cycle", 0.4, warmup=0.2),
                nesterov=True,
                l2=2e-4,
                augment=_FLIP_AND_CROP,
                validation=0.1,
            ),
        ),
        ("short", dataclasses.replace(_CIFAR10_SHORT, epochs=6, train=8_000)),
        ("smoke", dataclasses.replace(_SMOKE, gamma_l2=1e-4, augment=(_RECORD_16,))),
    ),
    plans=(
        Plan(
            20,
            "modern",
            5,
            ("aprelu", "relu", "prelu", "leaky_relu", "aprelu-low", "aprelu-full", "aprelu-large", "relu-large"),
        ),
    ),
)

_SNRS = tuple(float(snr) for snr in range(-5, 6))
_NOISES = tuple(
    (("noise", noise), ("snr_db", snr)) for noise, snr in itertools.product(("gaussian", "laplacian", "pink"), _SNRS)
)
_PAPER_1 = Budget(epochs=100, batch_size=128, schedule=Schedule("steps", 0.1, boundaries=(40, 80)))
_ONE_CYCLE = Budget(
    epochs=15,
    batch_size=128,
    schedule=Schedule("one-cycle", 0.1, warmup=0.3),
    nesterov=True,
    validation=0.1,
)
_SMALL_NET = (("stages", ((4, 1, 4), (8, 1, 4))),)
_VIBRATION_SMOKE = dataclasses.replace(
    _SMOKE, data=(("recordings", 4), ("windows", 3)), network=_SMALL_NET, train=None, test=None
)
# A fifth of the windows; for a processor.
_VIBRATION_SHORT = dataclasses.replace(_ONE_CYCLE, batch_size=64, data=(("windows", 8),))
# The paper's levels, all in one training: every window at a level of its own.
_MIXED_VIBRATION = (("noise", "mixed"), ("low_db", -5.0), ("high_db", 5.0))

_VIBRATION_SNR = Recipe(
    name="vibration-snr",
    title="eight states of a gearbox under noise of three kinds and eleven levels",
    source="Zhao et al., Deep residual shrinkage networks for fault diagnosis (2020), section IV and Table II",
    notes=(
        "The paper's recordings are not public: the windows are simulated. Faithful in network and schedule only.",
        "The paper's folds mix windows of one recording; here every recording is on one side.",
        "Noise is added once to training and test windows, as in the paper.",
        "Mixed noise is Gaussian, every window at a level of its own, uniform in decibels: not the paper's.",
        _START_NOTE,
        _FRACTION_NOTE,
    ),
    data=Data("vibration", options=(("recordings", 10), ("windows", 40))),
    preset="vibration",
    variants=(*_WITH_CONVNET, _LEARNED_FRACTION, *_NEUTRAL),
    budgets=(
        ("faithful", _PAPER_1),
        ("modern", _ONE_CYCLE),
        ("short", _VIBRATION_SHORT),
        ("smoke", _VIBRATION_SMOKE),
    ),
    conditions=(*_NOISES, _NO_NOISE, _MIXED_VIBRATION),
    # All levels of the noise that is mixed in training; of the others, three.
    probes=(*(one for one in _NOISES if dict(one)["noise"] == "gaussian" or one[1][1] % 5 == 0), _NO_NOISE),
    plans=(
        Plan(25, "modern", 5, ("resnet", "senet", "drsn-cw", "drsn-cs", "convnet"), (*_NOISES, _NO_NOISE)),
        Plan(
            26,
            "modern",
            5,
            (
                "resnet",
                "senet",
                "learned-fraction",
                "drsn-cs",
                "drsn-cw",
                "senet-open",
                "drsn-cs-low",
                "drsn-cw-low",
            ),
            (_MIXED_VIBRATION,),
        ),
        Plan(
            70,
            "faithful",
            3,
            ("resnet", "senet", "drsn-cw"),
            tuple(one for one in _NOISES if one[1][1] in (-5.0, 0.0, 5.0)),
        ),
    ),
)


def _with_activation(name, layer, options=(), network="resnet"):
    return Variant(name, network, (("activation", (layer, options) if options or layer[0].isupper() else layer),))


_VIBRATION_APRELU = dataclasses.replace(
    _VIBRATION_SNR,
    name="vibration-aprelu",
    title="eight states of a gearbox, and the rectifier that learns its slopes",
    source="Zhao et al., residual networks with adaptively parametric rectifiers (2021); network of Zhao et al. (2020)",
    notes=(
        "The paper's recordings are not public: the windows are simulated.",
        "The paper has windows of 4096 points, 6 to 12 units and 5, 3 and 1 dB; here it is the network of 2020.",
        "The variants drsn-cw and drsn-cw-aprelu are this book's: whether the two ideas add up.",
        "So is relu-wide: ReLU with about as many parameters as APReLU brings.",
        "And aprelu-low, which starts with slopes near 0 instead of near 0.5.",
        _FRACTION_NOTE,
    ),
    variants=(
        _with_activation("relu", "relu"),
        Variant("relu-wide", "resnet", (("stem", (6, 2)), ("stages", ((6, 4, 2), (12, 4, 2), (24, 4, 2))))),
        _with_activation("leaky_relu", "LeakyReLU", (("negative_slope", 0.1),)),
        _with_activation("prelu", "PReLU", (("shared_axes", (1,)),)),
        _with_activation("aprelu", "APReLU"),
        *(
            _with_activation(f"aprelu-{one}", "APReLU", (("statistic", one),))
            for one in ("mean", "positive", "negative")
        ),
        _with_activation("aprelu-low", "APReLU", (("initial_scale", 0.02),)),
        _with_activation("drsn-cw", "relu", network="drsn-cw"),
        _with_activation("drsn-cw-aprelu", "APReLU", network="drsn-cw"),
        _with_activation("learned-fraction", "relu", network="learned-fraction"),
        _with_activation("learned-fraction-aprelu", "APReLU", network="learned-fraction"),
    ),
    conditions=(_MIXED_VIBRATION, _NO_NOISE),
    probes=(*(one for one in _NOISES if dict(one)["noise"] == "gaussian"), _NO_NOISE),
    plans=(
        Plan(
            27,
            "modern",
            5,
            (
                "relu",
                "relu-wide",
                "leaky_relu",
                "prelu",
                "aprelu",
                "aprelu-mean",
                "aprelu-positive",
                "aprelu-negative",
                "aprelu-low",
                "drsn-cw",
                "drsn-cw-aprelu",
                "learned-fraction",
                "learned-fraction-aprelu",
            ),
            (_MIXED_VIBRATION,),
        ),
    ),
)

_CWRU_CONDITIONS = (_NO_NOISE, (("noise", "gaussian"), ("snr_db", 0.0)), (("noise", "gaussian"), ("snr_db", -4.0)))
_CWRU_MODERN = Budget(
    epochs=40,
    batch_size=64,
    schedule=Schedule("one-cycle", 0.05, warmup=0.3),
    nesterov=True,
    validation=0.1,
    augment=(("RandomRoll", ()),),
)
_CWRU_WANTED = ("resnet", "senet", "drsn-cw", "drsn-cs", "learned-fraction", "convnet")
_CWRU_SHORT = dataclasses.replace(_CWRU_MODERN, epochs=15, data=(("overlap", 0.0),))


def _cwru(name, title, split, worth):
    return Recipe(
        name=name,
        title=title,
        source="Case Western Reserve University bearing data, drive end; network of Zhao et al. (2020), Table II",
        notes=(
            "No source did just this: faithful means the paper's schedule.",
            "Three kinds of fault; the normal recording exists at one load only and is left out.",
            _FRACTION_NOTE,
        ),
        data=Data("cwru", standardize=True, split=split, options=(("rate", "12k"), ("overlap", 0.5))),
        preset="vibration",
        network=(("num_classes", 3),),
        variants=(*_WITH_CONVNET, _LEARNED_FRACTION),
        budgets=(
            ("faithful", _PAPER_1),
            ("modern", _CWRU_MODERN),
            ("short", _CWRU_SHORT),
            ("smoke", dataclasses.replace(_SMOKE, network=_SMALL_NET)),
        ),
        conditions=_CWRU_CONDITIONS,
        probes=_CWRU_CONDITIONS,
        plans=(Plan(worth, "modern", 5, _CWRU_WANTED, _CWRU_CONDITIONS),),
    )


_RECIPES = {
    recipe.name: recipe
    for recipe in (
        _MNIST_NOISE,
        _MNIST_SNR,
        _CIFAR10_NOISE,
        _CIFAR10_SNR,
        _CIFAR10_APRELU,
        _VIBRATION_SNR,
        _VIBRATION_APRELU,
        _cwru("cwru-random", "real bearings, windows drawn at random: this leaks", "random", 38),
        _cwru("cwru-time", "real bearings, tested on the end of every recording", "time", 37),
        _cwru("cwru-load-shift", "real bearings, tested at a load that was not trained on", "load", 35),
        _cwru("cwru-size-shift", "real bearings, tested at a fault size that was not trained on", "size", 36),
    )
}


def names():
    """The names of all recipes.

    Example:

    >>> names()[:4]
    ('mnist-noise', 'mnist-snr', 'cifar10-noise', 'cifar10-snr')

    Returns:
        Tuple of strings.
    """
    return tuple(_RECIPES)


def get(name):
    """One recipe by its name.

    Example:

    >>> recipe = get("mnist-noise")
    >>> recipe.variant_names
    ('convnet', 'resnet', 'senet', 'drsn-cs', 'drsn-cw', 'senet-textbook')
    >>> recipe.budget("faithful").epochs
    5

    Args:
        name: String; a `Recipe` is returned as it is.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: If there is none of that name; the message lists them.
    """
    if isinstance(name, Recipe):
        return name
    if name not in _RECIPES:
        raise ValueError(f"`recipe` must be one of {', '.join(map(repr, _RECIPES))}. Received: recipe={name!r}")
    return _RECIPES[name]


def planned(recipe=None):
    """The runs that the book wants records of, the most wanted first.

    Example:

    >>> first = planned()[0]
    >>> first["recipe"], first["variant"], first["seed"], first["budget"]
    ('mnist-noise', 'resnet', 0, 'modern')

    Args:
        recipe: String, only those of this recipe; None for all.

    Returns:
        List of dictionaries with `"recipe"`, `"variant"`, `"seed"`, `"budget"` and `"condition"`.

    Raises:
        ValueError: If there is no recipe of that name.
    """
    chosen = [get(recipe)] if recipe is not None else list(_RECIPES.values())
    plans = sorted(((plan, one) for one in chosen for plan in one.plans), key=lambda pair: pair[0].worth)
    return [
        {"recipe": one.name, "variant": variant, "seed": seed, "budget": plan.budget, "condition": dict(condition)}
        for plan, one in plans
        for condition in plan.conditions
        for seed in range(plan.seeds)
        for variant in plan.variants
    ]
