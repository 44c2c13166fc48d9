"""What a table of records says: means over random seeds, paired differences, what is missing, where it is from."""

import collections
import dataclasses
import inspect
import itertools

import numpy as np

from drsn_lib._names import VARIANT_NAMES
from drsn_lib.records.schema import COLUMNS, plain, run_key
from drsn_lib.records.store import VARIANT_ORDER, load_records
from drsn_lib.records.weights import spans

__all__ = ["Paired", "by_seed", "is_current", "matched", "missing", "paired", "provenance", "summary"]

# What must not differ within an average: mixing budgets or devices would compare what is not alike.
_ALIKE = ("recipe", "variant", "budget", "device")
_METHODS = ("expanded", "percentile", "bca")
# From fewer random seeds than these no comparison gives a verdict, and no interval is printed or drawn.
_ENOUGH_SEEDS = 5
# Which budget of a recipe to look at first.
_BUDGETS = ("modern", "short", "faithful")


def by_seed(table, value="test_accuracy"):
    """One number a random seed: its runs' mean over the conditions, of which every seed must have the same.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"seed": [0, 1, 0, 1], "snr_db": [-5, -5, 5, 5], "test_accuracy": [0.5, 0.6, 0.9, 0.9]})
    >>> by_seed(table).tolist()
    [0.7, 0.75]

    Args:
        table: A table of records of one recipe, variant, budget and kind of device; see `load`. Columns that
            no record has of itself are conditions.
        value: String, the column of the numbers.

    Returns:
        A `pandas.Series` of them, indexed by seed.

    Raises:
        ValueError: If the table lacks a column, mixes what is not alike, has a run twice, or has not every
            condition for every seed.
    """
    _needs(table, ("seed", value))
    _check_alike(table, _ALIKE)
    rows = _condition_words(table)
    pairs = list(zip(table["seed"].tolist(), rows, strict=True))
    there = collections.Counter(pairs)
    twice = {seed for (seed, _), count in there.items() if count > 1}
    if twice:
        raise ValueError(f"The table has runs of seed {spans(twice)} twice. Drop one of each.")
    lacking = [pair for pair in itertools.product(table["seed"].unique().tolist(), set(rows)) if pair not in there]
    if lacking:
        seed, row = min(lacking)
        raise ValueError(
            f"Every seed must have the same conditions. Of {len(lacking)} runs there is no record: the first is seed "
            f"{seed} under {row}. Run them, leave the seed out, or average fewer conditions."
        )
    if "digest" in table:
        for row, group in table.groupby(np.array(rows, dtype=object), sort=False):
            if group["digest"].nunique() > 1:
                parts = {digest: spans(part["seed"]) for digest, part in group.groupby("digest", sort=False)}
                listed = "; ".join(f"{digest}: seeds {seeds}" for digest, seeds in parts.items())
                under = f" under {row}" if row else ""
                raise ValueError(f"The runs{under} were made with different settings ({listed}). Run the older anew.")
    return table.groupby("seed")[value].agg(lambda numbers: numbers.mean(skipna=False)).rename(value)


def summary(table, by=("variant",), value="test_accuracy"):
    """Mean and standard deviation over random seeds, one row a variant.

    The mean is that of all runs of a row; the standard deviation is that of the seeds' means over the
    conditions, with n - 1, so it says how much a result owes to the random seed and not how much conditions
    differ.

    Example:

    >>> import pandas as pd
    >>> table = pd.DataFrame({"variant": "resnet", "seed": [0, 1, 2], "test_accuracy": [0.90, 0.91, 0.95]})
    >>> summary(table).round(3).to_dict("records")
    [{'variant': 'resnet', 'mean': 0.92, 'sd': 0.026, 'n': 3, 'runs': 3}]

    Args:
        table: A table of records; see `load`.
        by: Names of the columns that tell rows apart, or one name; `("variant", "snr_db")` for a curve.
        value: String, the column of the numbers.

    Returns:
        A `pandas.DataFrame` with the columns of `by`, `mean`, `sd` (NaN for one seed), `n` (seeds), `runs`,
        and, if the table has them, `parameters` and `seconds` (the median of a run's share).

    Raises:
        ValueError: As for `by_seed`.
    """
    import pandas as pd

    by = [by] if isinstance(by, str) else list(by)
    _needs(table, (*by, "seed", value))
    more = [name for name in ("parameters", "seconds") if name in table]
    rows = []
    groups = table.groupby(by, sort=False, dropna=False) if len(table) else ()
    for key, group in groups:
        try:
            seeds = by_seed(group, value)
        except ValueError as error:
            names = ", ".join(f"{name} {part!r}" for name, part in zip(by, key, strict=True))
            raise ValueError(f"{names}: {error}") from None
        row = dict(zip(by, key, strict=True))
        row |= {"mean": float(seeds.mean(skipna=False)), "sd": float(seeds.std(ddof=1, skipna=False))}
        row |= {"n": len(seeds), "runs": len(group)}
        if "parameters" in more:
            row["parameters"] = group["parameters"].iloc[0] if group["parameters"].nunique() == 1 else None
        if "seconds" in more:
            row["seconds"] = float(group["seconds"].median())
        rows.append(row)
    rows.sort(key=lambda row: tuple(_place(name, row[name]) for name in by))
    return pd.DataFrame(rows, columns=[*by, "mean", "sd", "n", "runs", *more])


def matched(recipe, variants, condition=None, budget=None, folder=None):
    """Loads the runs of several variants that may be compared: of one budget and device, of the seeds all have.

    Where no budget is asked for, it is the first of modern, short and faithful in which the variants share the
    five seeds that a verdict takes. If there are so many in none of them, it is the one in which they share most.

    Example:

    >>> from drsn_lib.records import to_table
    >>> table = to_table(matched("mnist-noise", ["resnet", "drsn-cw"]))
    >>> found = paired(table, "drsn-cw", "resnet")
    >>> found.n == table["seed"].nunique(), len(table) == 2 * found.n
    (True, True)

    Args:
        recipe: String, the name of a recipe.
        variants: List of names of variants.
        condition: Dictionary, part of the condition, as for `load_records`.
        budget: String, the name of a budget; None chooses.
        folder: Path of a folder of your own records, as for `load_records`.

    Returns:
        List of `Record`; empty where no seed has all the variants.

    Raises:
        ValueError: If there is no recipe of that name; the message lists those with records.
        FileNotFoundError: If there is no such folder.
    """
    runs = load_records(recipe, folder, budget, "best", list(variants), condition=condition)

    def shared(name):
        here = [run for run in runs if run["budget"] == name]
        return set.intersection(*({run["seed"] for run in here if run["variant"] == one} for one in variants))

    seeds = {name: shared(name) for name in (_BUDGETS if budget is None else (budget,))}
    best = _best_budget(seeds)
    return [run for run in runs if run["budget"] == best and run["seed"] in seeds[best]]


def _best_budget(seeds):
    """The budget to show, of a dictionary from budgets to their seeds: the first with enough, or that with most."""
    order = sorted(seeds, key=lambda name: _BUDGETS.index(name) if name in _BUDGETS else len(_BUDGETS))
    return next((name for name in order if len(seeds[name]) >= _ENOUGH_SEEDS), max(order, key=lambda n: len(seeds[n])))


@dataclasses.dataclass(frozen=True)
class Paired:
    """How much `a` is ahead of `b`, seed by seed.

    Printed, it gives the mean with its interval; below five seeds, where an interval would look surer than it is
    (see `enough`), the single differences stand in the interval's place. Networks have the names that tables and
    charts call them.

    Example:

    >>> import pandas as pd
    >>> variants, seeds, scores = ["resnet"] * 2 + ["drsn-cw"] * 2, [0, 1, 0, 1], [0.90, 0.92, 0.93, 0.94]
    >>> table = pd.DataFrame({"variant": variants, "seed": seeds, "test_accuracy": scores})
    >>> found = paired(table, "drsn-cw", "resnet")
    >>> found.n, round(found.mean, 3), found.differences.round(3).tolist()
    (2, 0.025, [0.03, 0.02])
    >>> print(found)
    DRSN-CW minus ResNet: +0.0250 (seed by seed +0.0300, +0.0200), n = 2 seeds

    Args:
        a: String, a variant.
        b: String, the variant that it is compared with.
        value: String, what was compared.
        differences: `pandas.Series` of `a - b`, indexed by seed: means over the conditions.
        mean: Float, the mean of the differences.
        sd: Float, their standard deviation, with n - 1.
        n: Integer, the number of seeds.
        runs: Integer, the number of pairs of runs: seeds times conditions.
        low: Float, the lower end of the interval, too narrow below five seeds; NaN for one seed.
        high: Float, the upper end.
        confidence: Float, the interval's nominal coverage.
        method: String, how the interval was made; see `paired`.
    """

    a: str
    b: str
    value: str
    differences: object
    mean: float
    sd: float
    n: int
    runs: int
    low: float
    high: float
    confidence: float
    method: str

    @property
    def enough(self):
        """Whether there are seeds enough for a verdict, and so for an interval to be printed or drawn.

        Example:

        >>> import pandas as pd
        >>> rows = [(v, seed, x + seed / 100) for v, x in (("resnet", 0.9), ("drsn-cw", 0.92)) for seed in range(5)]
        >>> table = pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])
        >>> [paired(table[table["seed"] < n], "drsn-cw", "resnet").enough for n in (2, 4, 5)]
        [False, False, True]

        Returns:
            Boolean: True from five seeds on.
        """
        return self.n >= _ENOUGH_SEEDS

    @property
    def verdict(self):
        """What the differences decide, and nothing more.

        Below five seeds nothing, whatever the interval: of three or four differences it is hardly more than their
        range, and that such a range misses zero by luck is no rare thing.

        Example:

        >>> import pandas as pd
        >>> scores = {"resnet": [0.90, 0.92, 0.91, 0.93, 0.92], "drsn-cw": [0.93, 0.94, 0.95, 0.96, 0.93]}
        >>> rows = [(v, seed, x) for v, numbers in scores.items() for seed, x in enumerate(numbers)]
        >>> table = pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])
        >>> paired(table, "drsn-cw", "resnet").verdict
        'DRSN-CW is ahead'
        >>> paired(table[table["seed"] < 3], "drsn-cw", "resnet").verdict
        'no verdict from 3 seeds'

        Returns:
            String: `"no verdict from 3 seeds"`; `"undecided"`, the interval holds zero; or which of the two is
            ahead, by the name that it has in tables and charts.
        """
        if not self.enough:
            return f"no verdict from {self.n} seed{'s' if self.n > 1 else ''}"
        if not self.low * self.high > 0:  # so of an interval that could not be had, too
            return "undecided"
        return f"{_called(self.a if self.mean > 0 else self.b)} is ahead"

    def __str__(self):
        words = f"{_called(self.a)} minus {_called(self.b)}: {_signed(self.mean)}"
        if self.enough:
            words += f" ({100 * self.confidence:g} % bootstrap interval {_signed(self.low)} to {_signed(self.high)})"
        elif self.n > 1:
            words += f" (seed by seed {', '.join(map(_signed, self.differences))})"
        return words + f", n = {self.n} seed{'s' if self.n > 1 else ''}"


def paired(table, a, b, value="test_accuracy", confidence=0.95, method="expanded", resamples=10_000, random_state=0):
    """The paired differences of two variants over random seeds, with a bootstrap interval of their mean.

    Runs are paired by seed and condition: a pair met the same data and the same noise. Seeds are what is
    resampled, each with all its conditions, because the runs of a seed share initial weights, order of samples
    and noise and are no independent observations (a cluster bootstrap). The interval says what other seeds
    would give on these data, not what other data would.

    A bootstrap percentile interval of few numbers is too narrow: it lacks the factor sqrt(n / (n - 1)) and the
    t-distribution's tails. `"expanded"`, the default, takes percentiles further out that make up for both, those
    of the normal quantiles -+ sqrt(n / (n - 1)) t(n - 1). Of normal differences it then covers the true mean in
    92 % of cases with five seeds and 94 % with ten, where plain percentiles cover it in 84 % and 90 %. No
    resample reaches beyond the smallest and the largest difference: with three seeds any bootstrap interval
    covers at most 75 %. So below five seeds it is neither printed nor drawn, see `Paired`. `"percentile"` and
    `"bca"` are the plain ones.

    Example:

    >>> import pandas as pd
    >>> scores = {"resnet": [0.90, 0.92, 0.91, 0.93, 0.92], "drsn-cw": [0.93, 0.94, 0.95, 0.96, 0.93]}
    >>> rows = [(v, seed, x) for v, numbers in scores.items() for seed, x in enumerate(numbers)]
    >>> print(paired(pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"]), "drsn-cw", "resnet"))
    DRSN-CW minus ResNet: +0.0260 (95 % bootstrap interval +0.0131 to +0.0380), n = 5 seeds

    Args:
        table: A table of records; see `load`.
        a: String, a variant.
        b: String, the variant to compare it with.
        value: String, the column of the numbers.
        confidence: Float, the interval's nominal coverage.
        method: `"expanded"`, `"percentile"` or `"bca"`.
        resamples: Integer, how many resamples are drawn.
        random_state: Integer, the random seed of the resampling: the same table gives the same interval.

    Returns:
        A `Paired`.

    Raises:
        ValueError: If a variant has no record, seeds or conditions of one are missing in the other (the
            message says which), or as for `by_seed`.

    Reference:
        Hesterberg, "What teachers should know about the bootstrap" (2015), for `"expanded"`; Efron and
        Tibshirani, "An introduction to the bootstrap" (1993), chapters 13 and 14, for the others.
    """
    _needs(table, ("variant", "seed", value))
    if method not in _METHODS:
        raise ValueError(f"`method` must be one of {', '.join(map(repr, _METHODS))}. Received: method={method!r}")
    if not 0 < confidence < 1:
        raise ValueError(f"`confidence` must lie between 0 and 1. Received: confidence={confidence!r}")
    parts = {name: table[table["variant"] == name] for name in (a, b)}
    for name, part in parts.items():
        if not len(part):
            listed = ", ".join(map(repr, dict.fromkeys(table["variant"]))) or "no variant"
            raise ValueError(f"There is no record of variant {name!r} in the table, which has {listed}.")
    _check_alike(table[table["variant"].isin([a, b])], [name for name in _ALIKE if name != "variant"])
    keys = {name: set(zip(part["seed"].tolist(), _condition_words(part), strict=True)) for name, part in parts.items()}
    faults = []
    for name, other in ((a, b), (b, a)):
        lacking = keys[other] - keys[name]
        if lacking:
            seeds = {seed for seed, _ in lacking}
            whole = seeds - {seed for seed, _ in keys[name]}
            said = [f"seeds {spans(whole)}"] if whole else []
            partly = sorted(pair for pair in lacking if pair[0] not in whole)
            if partly:
                said.append(f"{len(partly)} runs, the first seed {partly[0][0]} under {partly[0][1]}")
            faults.append(f"{name!r} lacks {' and '.join(said)}, which {other!r} has")
    if faults:
        raise ValueError(f"Seeds and conditions must match to be paired: {'; '.join(faults)}.")
    differences = by_seed(parts[a], value) - by_seed(parts[b], value)
    low, high = _interval(differences.to_numpy(float), confidence, method, resamples, random_state)
    return Paired(
        a,
        b,
        value,
        differences,
        float(differences.mean(skipna=False)),
        float(differences.std(ddof=1, skipna=False)),
        len(differences),
        len(parts[a]),
        low,
        high,
        confidence,
        method,
    )


def _interval(numbers, confidence, method, resamples, random_state):
    """The ends of a bootstrap interval of the mean."""
    if len(numbers) < 2 or not np.all(np.isfinite(numbers)):
        return float("nan"), float("nan")
    if np.ptp(numbers) == 0:
        return float(numbers[0]), float(numbers[0])
    from scipy import special, stats

    if method == "expanded":
        n = len(numbers)
        reach = np.sqrt(n / (n - 1)) * special.stdtrit(n - 1, 0.5 + confidence / 2)
        confidence = 1 - 2 * special.ndtr(-reach)
    # SciPy 1.15 gave the argument its new name.
    name = "rng" if "rng" in inspect.signature(stats.bootstrap).parameters else "random_state"
    found = stats.bootstrap(
        (numbers,),
        np.mean,
        n_resamples=resamples,
        confidence_level=confidence,
        method="bca" if method == "bca" else "percentile",
        **{name: np.random.default_rng(random_state)},
    ).confidence_interval
    return float(found.low), float(found.high)


def agreement(table, reference, value="test_accuracy", confidence=0.99):
    """Whether new runs lie where the recorded ones say that they should.

    For every variant and condition, the mean of the new runs is compared with the interval in which it is to be
    expected if they are further draws of what the records are draws of: Student's prediction interval for the
    mean of as many seeds. Another processor, GPU or backend rounds otherwise, which over a training is like
    another seed; so this, and not equality, is what a reproduction can be held to.

    Example:

    >>> import pandas as pd
    >>> rows = [("resnet", seed, x) for seed, x in enumerate([0.90, 0.92, 0.91, 0.93])]
    >>> known = pd.DataFrame(rows, columns=["variant", "seed", "test_accuracy"])
    >>> agreement(known.assign(test_accuracy=0.80), known)[["variant", "n", "within"]].to_dict("records")
    [{'variant': 'resnet', 'n': 4, 'within': False}]

    Args:
        table: A table of the new runs; see `load`.
        reference: A table of the recorded runs, of one budget and one kind of device.
        value: String, the column of the numbers.
        confidence: Float, the interval's coverage.

    Returns:
        A `pandas.DataFrame` with the variant, the conditions, `mean` and `n` of the new runs, `low` and `high`
        of the interval, `recorded`, `recorded_sd` and `recorded_n`, and `within`: True, False, or None where
        fewer than two seeds are recorded.

    Raises:
        ValueError: As for `by_seed`.

    Reference:
        Hahn and Meeker, "Statistical intervals" (1991), chapter 4, for the interval.
    """
    import pandas as pd
    from scipy import special

    conditions = [name for name in table.columns if name not in COLUMNS and name in reference]
    by = [*conditions, "variant"]
    new, known = summary(table, by, value), summary(reference, by, value)
    rows = []
    for row in new.to_dict("records"):
        same = [
            one
            for one in known.to_dict("records")
            if all(one[name] == row[name] or (one[name] != one[name] and row[name] != row[name]) for name in by)
        ]
        found = {name: row[name] for name in by} | {"mean": row["mean"], "n": row["n"]}
        one = same[0] if same else {"mean": float("nan"), "sd": float("nan"), "n": 0}
        reach = float("nan")
        if one["n"] > 1:
            quantile = special.stdtrit(one["n"] - 1, 0.5 + confidence / 2)
            reach = float(quantile * one["sd"] * (1 / one["n"] + 1 / row["n"]) ** 0.5) + 1e-9
        low, high = one["mean"] - reach, one["mean"] + reach
        within = None if reach != reach else bool(low <= row["mean"] <= high)
        found |= {"low": low, "high": high, "recorded": one["mean"], "recorded_sd": one["sd"]}
        rows.append(found | {"recorded_n": one["n"], "within": within})
    behind = ["mean", "n", "low", "high", "recorded", "recorded_sd", "recorded_n", "within"]
    return pd.DataFrame(rows, columns=[*by, *behind])


def is_current(record):
    """Whether a record was made with the settings that its recipe has now.

    Example:

    >>> from drsn_lib import recipes
    >>> run = {"recipe": "mnist-noise", "variant": "resnet", "budget": "modern", "condition": {}}
    >>> now = recipes.digest(recipes.get("mnist-noise").settings("resnet", "modern"))
    >>> is_current({**run, "digest": now}), is_current({**run, "digest": "another"})
    (True, False)

    Args:
        record: Dictionary; see `validate`.

    Returns:
        Boolean; False too if the recipe, variant, budget or condition is gone.
    """
    from drsn_lib import recipes

    try:
        settings = recipes.get(record["recipe"]).settings(record["variant"], record["budget"], record["condition"])
    except ValueError:
        return False
    return recipes.digest(settings) == record["digest"]


def missing(device="gpu", folder=None, recipe=None):
    """The planned runs that have no record on a kind of device yet, the most wanted first.

    A record that was made with other settings than its recipe has now does not count.

    Example:

    >>> sorted(missing("tpu")[0])
    ['budget', 'condition', 'recipe', 'seed', 'variant']

    Args:
        device: Kind of device; None for any.
        folder: Path of a folder of your own records, read beside those that the package brings.
        recipe: Name of a recipe; None for all.

    Returns:
        List of dictionaries as `recipes.planned` gives them, in its order.

    Raises:
        ValueError: If there is no such recipe or kind of device.
    """
    from drsn_lib import recipes

    there = {run_key(r, "any") for r in load_records(recipe, folder, device=device) if is_current(r)}
    return [run for run in recipes.planned(recipe) if run_key(run, "any") not in there]


def provenance(table):
    """Where numbers are from, in one line for a figure's foot: seeds, device, backend, date, version, commit.

    Example:

    >>> provenance(load_records("mnist-noise", variant="no such variant"))
    'no records'

    Args:
        table: A table of records (see `load`), or a list of records.

    Returns:
        String, such as `5 seeds; GPU NVIDIA H200 (JAX 0.11), 2026-11-22, drsn_lib 0.1.0, commit 7a63ed7`.

    Raises:
        ValueError: If the table lacks the columns that say so.
    """
    if isinstance(table, list | tuple):
        from drsn_lib.records.store import to_table

        table = to_table(table)
    if not len(table):
        return "no records"
    _needs(table, ("device", "device_name", "backend", "backend_version", "date", "drsn_lib", "commit"))
    groups = [part for _, part in table.groupby(["recipe", "variant", "budget", "device"], sort=False)]
    counts = sorted({part["seed"].nunique() for part in groups})
    words = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else f"{counts[0]} seed{'s' * (counts[0] > 1)}"
    places = {}
    for row in table.itertuples():
        places[_device(row)] = places.get(_device(row), 0) + 1
    if len(places) > 1:
        devices = " and ".join(f"{number} runs on {place}" for place, number in places.items())
    else:
        (devices,) = places
    days = sorted({date[:10] for date in table["date"]})
    dates = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    versions = " and ".join(sorted(set(table["drsn_lib"])))
    commits = sorted({_commit(name) for name in table["commit"]})
    if len(commits) > 3:
        commits = [*commits[:2], f"{len(commits) - 2} more"]
    said = ("commits " if len(commits) > 1 else "commit ") + " and ".join(commits)
    return f"{words}; {devices}, {dates}, drsn_lib {versions}, {said}"


def _device(row):
    backend = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}.get(row.backend, row.backend)
    version = ".".join(row.backend_version.split(".")[:2])
    # A processor's long name says little; an accelerator's is what times depend on.
    name, kind = row.device_name, row.device.upper()
    name = "CPU" if kind == "CPU" else name if kind in name.upper() else f"{kind} {name}"
    count = f"{row.device_count} x " if row.device_count > 1 else ""
    return f"{count}{name} ({backend} {version})"


def _commit(name):
    if not isinstance(name, str):
        return "unknown"
    name, _, changed = name.partition("-")
    return name[:7] + (" with changes" if changed else "")


def _check_alike(table, names):
    for name in names:
        different = list(dict.fromkeys(table[name])) if name in table else []
        if len(different) > 1:
            raise ValueError(
                f"The table mixes records of {name} {', '.join(map(repr, different))}. Load or filter one"
                + ("; `records.load(..., device='best')` takes one." if name == "device" else ".")
            )


def _condition_words(table):
    """The condition of each row, in words; columns that no record has of itself are conditions."""
    names = [name for name in table.columns if name not in COLUMNS]
    words = [[f"{name} = {value}" for value in table[name]] for name in names]
    return [", ".join(row) for row in zip(*words, strict=True)] if words else [""] * len(table)


def _needs(table, names):
    lacking = [name for name in names if name not in table]
    if lacking:
        raise ValueError(f"The table has no column {', '.join(map(repr, lacking))}; it has {', '.join(table.columns)}.")


def _place(name, value):
    if name == "variant":
        return (VARIANT_ORDER.index(value), "") if value in VARIANT_ORDER else (len(VARIANT_ORDER), value)
    if value is None or value != value:
        return (2, "")
    return (1, value) if isinstance(value, str) else (0, value)


def _called(variant):
    return VARIANT_NAMES.get(variant, variant)


def _signed(number):
    return f"{plain(number):+.4f}".replace("-", "\N{MINUS SIGN}")
