"""The results explorer: the records of the studies over noise levels, to be chosen from, compared and taken along."""

import functools
import itertools

import numpy as np
import traitlets

from drsn_lib._names import VARIANT_NAMES
from drsn_lib.widgets._base import LiveFigure

STUDIES = ("mnist-snr", "vibration-snr", "cifar10-snr")
CLEAN = 99.0  # stands for "no noise" among levels in dB
ENOUGH_SEEDS = 5  # for a verdict, and for an interval to be drawn, as in records.Paired
NAMES = {key: name for key, name in VARIANT_NAMES.items() if "relu" not in key}  # of the networks of the studies
_RESAMPLES = 10_000


def intervals(differences):
    """Return the 95 % intervals that `records.paired` gives, of many sets of differences at once.

    Args:
        differences: Array (seeds, sets), at least two seeds.

    Returns:
        An array (2, sets): the lower and the upper ends.
    """
    from scipy import special

    n = len(differences)
    drawn = np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))
    counts = np.stack([(drawn == seed).sum(1) for seed in range(n)], axis=1)
    reach = np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.975)
    tail = special.ndtr(-reach)
    return np.quantile(counts @ differences / n, [tail, 1 - tail], axis=0)


def collected(folder=None):
    """Return what the figure shows: accuracies of the records' probes, seed by seed, and paired intervals.

    Args:
        folder: Path of a folder of your own records, read beside those that the package brings.

    Returns:
        A dictionary of plain values: for each study, training condition and kind of noise the levels (dB; 99 is no
        noise), and for each network its seeds and its accuracies in ten-thousandths, seeds by levels, three
        digits of base 36 each; for each pair of networks the ends of the interval at each level.
    """
    from drsn_lib import records

    studies = {}
    for study in STUDIES:
        trained = {}
        for record in records.load_records(study, folder, device="best"):
            if record.get("probes"):
                trained.setdefault(_key(record["condition"]), []).append(record)
        conditions = {}
        for key in sorted(trained, key=lambda key: (key != "mixed", key)):
            found = _alike(trained[key])
            conditions[key] = {
                "words": _words(found[0]["condition"]),
                "budget": found[0]["budget"],
                "provenance": records.provenance(found),
                "noises": _noises(found),
            }
        if conditions:
            studies[study] = {"count": found[0]["test"]["count"], "trained": conditions}
    return studies


def _key(condition):
    noise, level = condition["noise"], condition.get("snr_db")
    return noise if level is None else f"{noise} {level:g} dB"


def _words(condition):
    if condition["noise"] == "none":
        return "without noise"
    if condition["noise"] == "mixed":
        return f"in noise of {condition['low_db']:g} to {condition['high_db']:g} dB".replace("-", "−")
    return f"in {condition['noise']} noise, {condition['snr_db']:g} dB".replace("-", "−")


def _alike(found):
    """The records of one budget, and of every network those with the settings of the latest."""
    from drsn_lib.records.statistics import _best_budget

    seeds = {}
    for record in found:
        seeds.setdefault(record["budget"], set()).add(record["seed"])
    budget = _best_budget(seeds)
    found = [record for record in found if record["budget"] == budget and record["variant"] in NAMES]
    latest = {r["variant"]: r["digest"] for r in sorted(found, key=lambda r: r["date"])}
    return [record for record in found if record["digest"] == latest[record["variant"]]]


def _noises(found):
    tables = {}
    for record in found:
        probes = {(p["condition"]["noise"], p["condition"]["snr_db"]): p["accuracy"] for p in record["probes"]}
        clean = probes.pop(("none", None), None)
        for kind in dict.fromkeys(kind for kind, _ in probes):
            scores = {level: score for (name, level), score in probes.items() if name == kind}
            if clean is not None:
                scores[CLEAN] = clean
            tables.setdefault(kind, {}).setdefault(record["variant"], {})[record["seed"]] = scores
    out = {}
    for kind, networks in tables.items():
        levels = sorted(set.intersection(*({*scores} for seeds in networks.values() for scores in seeds.values())))
        whole = {
            name: {seed: np.rint([1e4 * seeds[seed][v] for v in levels]).astype(int) for seed in sorted(seeds)}
            for name, seeds in sorted(networks.items(), key=lambda item: [*NAMES].index(item[0]))
        }
        out[kind] = {
            "levels": levels,
            "networks": {
                name: {
                    "seeds": [*seeds],
                    "scores": "".join(f"{np.base_repr(v, 36).lower():0>3}" for one in seeds.values() for v in one),
                }
                for name, seeds in whole.items()
            },
            "intervals": _pairs(whole),
        }
    return out


def _pairs(whole):
    groups, out = {}, {}
    for a, b in itertools.combinations(whole, 2):
        seeds = [seed for seed in whole[a] if seed in whole[b]]
        if len(seeds) > 1:
            differences = np.array([whole[a][seed] - whole[b][seed] for seed in seeds])
            groups.setdefault(len(seeds), {})[f"{a} {b}"] = differences
    for pairs in groups.values():
        ends = intervals(np.concatenate([*pairs.values()], axis=1))
        for k, (name, differences) in enumerate(pairs.items()):
            m = differences.shape[1]
            out[name] = np.rint(ends[:, k * m : (k + 1) * m]).astype(int).tolist()
    return out


def _stamp():
    from drsn_lib import records

    files = sorted(records.SHIPPED.glob("*.jsonl"))
    return tuple((file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files)


@functools.lru_cache(maxsize=2)
def _made(stamp):
    return collected()


def decoded(table):
    """Return a network's accuracies.

    Args:
        table: One of the `networks` of `collected()`.

    Returns:
        A float array (seeds, levels).
    """
    text = table["scores"]
    values = [int(text[i : i + 3], 36) / 1e4 for i in range(0, len(text), 3)]
    return np.reshape(values, (len(table["seeds"]), -1))


class ResultsExplorer(LiveFigure):
    """The results explorer: test accuracy against noise, network by network and seed by seed, from the records.

    What is shown is read from the records that the package brings when the figure is first made. What a state
    names and the records lack is replaced by the nearest that they have.

    Example:

    >>> explorer = ResultsExplorer(networks=["senet", "drsn-cw"], reference="senet", level=0)
    >>> explorer.shown()["level"]
    0.0

    Args:
        study: `"mnist-snr"`, `"vibration-snr"` or `"cifar10-snr"`, the recipe of the records.
        trained: String, what the networks were trained in: `"mixed"` (each sample at a level of its own),
            `"none"`, or such as `"gaussian 0 dB"`.
        noise: String, the kind of noise of the test: `"gaussian"`, `"laplacian"` or `"pink"`.
        level: Float, the level in dB at which numbers are given; 99 stands for no noise.
        networks: List of strings, the networks that are shown.
        reference: String, the network with which the others are compared.
        seed: Integer, the random seed that is shown; -1 for all.

    Raises:
        TraitError: If a value is not one of those; the old one stays.
    """

    _js = "results_explorer.js"
    _constant = "ResultsExplorer"
    _tag = "results-explorer"
    study = traitlets.Enum(STUDIES, default_value="mnist-snr").tag(sync=True, figure=True)
    trained = traitlets.Unicode("mixed").tag(sync=True, figure=True)
    noise = traitlets.Enum(("gaussian", "laplacian", "pink"), default_value="gaussian").tag(sync=True, figure=True)
    level = traitlets.CFloat(-10.0).tag(sync=True, figure=True)
    networks = traitlets.List(traitlets.Enum(tuple(NAMES)), ["resnet", "senet", "drsn-cw"]).tag(sync=True, figure=True)
    reference = traitlets.Enum(tuple(NAMES), default_value="resnet").tag(sync=True, figure=True)
    seed = traitlets.CInt(-1).tag(sync=True, figure=True)

    def __new__(cls, *args, **kwargs):
        """Make a figure of what the records hold now."""
        # Only now, and anew each time: importing the package reads no records, and none is out of date.
        ResultsExplorer._esm = "\n".join([*cls.scripts().values(), f"export default {cls._constant};\n"])
        return super().__new__(cls, *args, **kwargs)

    @traitlets.validate("level", "seed")
    def _check(self, proposal):
        name, value = proposal["trait"].name, proposal["value"]
        if not (np.isfinite(value) if name == "level" else value >= -1):
            raise traitlets.TraitError(f"Argument `{name}` of ResultsExplorer cannot be {value!r}.")
        return value

    @classmethod
    def load_data(cls, name="results_explorer"):
        """Return what the records hold now; it is made anew where their files have changed.

        Args:
            name: Not used; there is but one.

        Returns:
            What `collected()` gives.
        """
        return _made(_stamp())

    def shown(self):
        """Return what is shown of the state, where the records lack what it asks for.

        Returns:
            A dictionary: `study`, `trained`, `noise`, `level`, `networks`, `reference` and `seed`.
        """
        studies = self.load_data()
        study = self.study if self.study in studies else next(iter(studies))
        conditions = studies[study]["trained"]
        trained = self.trained if self.trained in conditions else next(iter(conditions))
        noises = conditions[trained]["noises"]
        noise = self.noise if self.noise in noises else next(iter(noises))
        table = noises[noise]
        there = [*table["networks"]]
        networks = [name for name in there if name in self.networks] or there
        return {
            "study": study,
            "trained": trained,
            "noise": noise,
            "level": min(table["levels"], key=lambda v: abs(v - self.level)),
            "networks": networks,
            "reference": self.reference if self.reference in there else there[0],
            "seed": self.seed if any(self.seed in table["networks"][name]["seeds"] for name in networks) else -1,
        }

    def measures(self):
        """Return the numbers of the figure's table, at the chosen level.

        Returns:
            A dictionary from each network that is shown to `mean`, `sd` (None for one seed), `n` and, but for the
            reference itself, `difference`, `low`, `high` (None for one seed; below five neither drawn nor printed),
            `pairs`, `each` (the differences, seed by seed) and `verdict`.
        """
        at = self.shown()
        table = self.load_data()[at["study"]]["trained"][at["trained"]]["noises"][at["noise"]]
        place = table["levels"].index(at["level"])

        def scores(name):
            one = table["networks"][name]
            found = dict(zip(one["seeds"], decoded(one)[:, place].tolist(), strict=True))
            return {seed: score for seed, score in found.items() if at["seed"] in (-1, seed)}

        out, other = {}, scores(at["reference"])
        for name in at["networks"]:
            own = scores(name)
            numbers = [*own.values()]
            row = {"mean": float(np.mean(numbers)) if numbers else None, "n": len(numbers)}
            row["sd"] = float(np.std(numbers, ddof=1)) if len(numbers) > 1 else None
            if name != at["reference"]:
                pairs = [own[seed] - other[seed] for seed in own if seed in other]
                ends = table["intervals"].get(f"{name} {at['reference']}")
                low, high = (ends[0][place], ends[1][place]) if ends else (None, None)
                ends = table["intervals"].get(f"{at['reference']} {name}")
                low, high = (-ends[1][place], -ends[0][place]) if ends else (low, high)
                one = len(pairs) < 2 or low is None
                row |= {"difference": float(np.mean(pairs)) if pairs else None, "pairs": len(pairs), "each": pairs}
                row |= {"low": None if one else low / 1e4, "high": None if one else high / 1e4}
                row["verdict"] = _verdict(row, name, at["reference"])
            out[name] = row
        return out

    def csv(self):
        """Return all that is drawn as text with commas, as the figure's button does.

        Returns:
            A string: a line a network, seed and level.
        """
        at = self.shown()
        table = self.load_data()[at["study"]]["trained"][at["trained"]]["noises"][at["noise"]]
        lines = ["study,trained,noise,snr_db,network,seed,test_accuracy"]
        for name in at["networks"]:
            one = table["networks"][name]
            for seed, scores in zip(one["seeds"], decoded(one), strict=True):
                for level, score in zip(table["levels"], scores, strict=True):
                    if at["seed"] in (-1, seed):
                        words = "clean" if level == CLEAN else f"{level:g}"
                        start = f"{at['study']},{at['trained']},{at['noise']},{words}"
                        lines.append(f"{start},{name},{seed},{score:.4f}")
        return "\n".join(lines) + "\n"

    def fallback(self):
        """Return what the figure shows, for a reader without JavaScript.

        Returns:
            A string of three sentences, without numbers: these change with every record that is added.
        """
        networks = ", ".join(NAMES[name] for name in self.networks)
        return (
            "The results explorer is a live figure and needs JavaScript, as in the book's pages or in a running "
            f"notebook. It shows the test accuracy of {networks} in the records of {self.study} against the "
            "signal-to-noise ratio of the test, a line for each random seed, with mean and standard deviation. "
            f"Beside it stand the differences to {NAMES[self.reference]}, paired by random seed, and from five seeds "
            "on the interval of their mean."
        )


# Behind the class, whose making reads what it names.
ResultsExplorer._data = ("results_explorer",)


def _verdict(row, name, reference):
    """The words of records.Paired."""
    n = row["pairs"]
    if n < ENOUGH_SEEDS:
        return f"no verdict from {n} seed{'s' if n != 1 else ''}"
    if row["low"] is None or not row["low"] * row["high"] > 0:
        return "undecided"
    return f"{NAMES[name if row['difference'] > 0 else reference]} is ahead"
