"""The whole way: files, windows, sides, trainings, measurements, a stored network and a report."""

import hashlib
import json
import pathlib
import shutil
import time

import numpy as np

from drsn_lib.diagnose import _saved
from drsn_lib.diagnose._calibration import calibration, fit_temperature, with_temperature
from drsn_lib.diagnose._reading import BadData, read_folder
from drsn_lib.diagnose._windows import cut, split, standardize

_UNFINISHED = "unfinished"
_OWN = (_saved.MODEL, _saved.FACTS, _saved.REPORT, _saved.PAGE)
# What each network is compared with: one that differs in the part that its name is about.
CONTROLS = {"drsn-cw": "senet", "drsn-cs": "senet", "senet": "resnet", "resnet": "convnet"}
STEPS = 800  # of training, if the user does not say how many epochs
_LEARNED = 0.8  # the least share of its own training windows on which a network that has learned them is right


def run(
    folder,
    out=None,
    *,
    sampling_rate=None,
    window=2048,
    overlap=0.0,
    variant="drsn-cw",
    control=None,
    seeds=(0, 1, 2),
    epochs=None,
    group_by="file",
    channel=None,
    force=False,
    progress=True,
):
    """Trains a network on a folder of signals, and reports how far it can be believed.

    For every random seed the recordings are split anew, so that the spread says what both chances are worth: which
    recordings were drawn for the test, and with which weights the training began. A control of the same size is
    trained beside it on the same splits, and so are two linear classifiers on classical features
    (`data.vibration_features`), one with and one without the signals' level. Nothing is chosen by the test windows.

    Written are `report.html`, one page that needs no other file, `report.json`, and the network of the first seed
    as `model.keras` with `model.json`; see `load`. Stopped by Ctrl-C, the same call goes on where it was.

    Example:

    >>> report = run("signals", seeds=range(5))  # doctest: +SKIP
    >>> report["scores"]["drsn-cw"]["accuracy"]["mean"]  # doctest: +SKIP

    Args:
        folder: Path of the signals; see `read_folder`.
        out: Path of the report; by default the folder's name with `-report` behind it, in the current directory.
        sampling_rate: Float, in hertz, or None; see `read_folder`.
        window: Integer, points of a window.
        overlap: Float from 0 to below 1; see `cut`.
        variant: String, a network of `models.VARIANTS`.
        control: String, the network that it is compared with; None takes `"senet"` for a DRSN, which has the same
            gates, and as many parameters as `"drsn-cw"`, but multiplies.
        seeds: Sequence of integers.
        epochs: Integer; None takes what makes some hundreds of steps.
        group_by: `"file"` or `"recording"`; see `read_folder`.
        channel: String or None; see `read_folder`.
        force: Whether a report that is there already is replaced.
        progress: Whether progress is shown, and what was found is said.

    Returns:
        Dictionary, what `report.json` holds.

    Raises:
        BadData: If something is wrong with the signals, or the report is there already.
        ValueError: If an argument is out of its range.
        Stopped: If the training was interrupted; `training.Stopped`.
    """
    control = CONTROLS.get(variant, "resnet") if control is None else control
    seeds = _checked_seeds(seeds)
    if epochs is not None and (isinstance(epochs, bool) or not isinstance(epochs, int | np.integer) or epochs < 1):
        raise ValueError(f"`epochs` must be an integer of at least 1. Received: epochs={epochs!r}")
    folder = pathlib.Path(folder)
    out = pathlib.Path(f"{folder.resolve().name}-report" if out is None else out)
    _check_out(out, folder, force)
    say = print if progress else lambda *_: None

    began = time.perf_counter()
    found = read_folder(folder, sampling_rate, channel, group_by)
    say(found)
    pieces = cut(found, window, overlap)
    x, sides = standardize(pieces.x), [split(pieces, seed) for seed in seeds]
    say(f"{len(pieces)} windows of {window} points; for {_words(sides[0])} in the first split")

    training = _backend(variant, control)
    batch = int(min(32, max(4, min(len(one.train) for one in sides) // 4)))
    steps = min(len(one.train) for one in sides) // batch
    if steps < 1:
        raise BadData(f"There are {len(sides[0].train)} windows to train on, and a batch needs {batch}. Record more.")
    if epochs is None:
        epochs = max(5, min(200, -(-STEPS // steps)))
    plan = {
        "window": int(window),
        "overlap": float(overlap),
        "batch_size": batch,
        "steps": steps,
        "epochs": int(epochs),
        "group_by": group_by,
        "channel": channel,
        "seeds": seeds,
    }
    work = out / _UNFINISHED
    jobs = [(name, seed, side) for name in (variant, control) for seed, side in zip(seeds, sides, strict=True)]
    digest = _digest(plan, x, pieces)
    _prepare_out(out, digest, force)
    results, networks = {}, {}
    with training.bar(len(jobs) * epochs * steps, progress) as bar:
        for name, seed, side in jobs:
            networks.setdefault(name, training.Network(name, window, len(pieces.classes), plan))
            path = work / f"{name}-seed{seed}.npz"
            results[name, seed] = training.train(networks[name], seed, x, pieces.y, side, plan, path, bar)
    linear = _linear(pieces, x, sides, seeds)

    made = _measured(pieces, sides, seeds, results, linear)
    kept, first = networks[variant], results[variant, seeds[0]]
    kept.model.set_weights(first["weights"])
    facts = {
        "variant": variant,
        "classes": list(pieces.classes),
        "window": int(window),
        "sampling_rate": pieces.sampling_rate,
        "temperature": made["scores"][variant]["runs"][0]["temperature"],
        "channel": channel,
        "seed": seeds[0],
        "trained_on": sorted({pieces.files[k] for k in pieces.file[sides[0].train]}),
        "versions": training.facts.versions(),
    }
    report = {
        "schema": 1,
        "date": training.facts.now(),
        "device": training.facts.device(),
        "versions": training.facts.versions(),
        "seconds": round(time.perf_counter() - began, 1),
        "settings": {"folder": folder.resolve().name, "variant": variant, "control": control, **plan},
        "data": _told(found, pieces),
        "splits": [_told_split(pieces, seed, side) for seed, side in zip(seeds, sides, strict=True)],
        "parameters": {name: int(one.model.count_params()) for name, one in networks.items()},
        **made,
    }
    report["comparisons"] = _comparisons(report["scores"], variant, control)
    report["warnings"] = _warnings(report, found, pieces, sides, variant)
    from drsn_lib.diagnose import _report

    page = _report.page(report, pieces)
    _saved.store(kept.model, out, facts)
    (out / _saved.REPORT).write_text(json.dumps(report, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    (out / _saved.PAGE).write_text(page, encoding="utf-8")
    shutil.rmtree(work)
    say(summary(report))
    say(f"report: {out / _saved.PAGE}")
    return report


def _checked_seeds(seeds):
    seeds = [seeds] if isinstance(seeds, int) else list(seeds)
    good = all(isinstance(one, int | np.integer) and not isinstance(one, bool) and one >= 0 for one in seeds)
    if not seeds or not good or len(set(seeds)) < len(seeds):
        raise ValueError(f"`seeds` must be different integers of at least 0, one or more. Received: seeds={seeds!r}")
    return [int(one) for one in seeds]


def _check_out(out, folder, force):
    """Refuses to write where something lies already."""
    if out.exists() and not out.is_dir():
        raise BadData(f"{out} is a file, and the report needs a folder. Name another one with `out` (--out).")
    if out.resolve() == folder.resolve() or folder.resolve() in out.resolve().parents:
        raise BadData(f"The report would lie among the signals, in {out}. Name another folder with `out` (--out).")
    there = sorted(path.name for path in out.iterdir()) if out.exists() else []
    if not force and (mine := [name for name in there if name in _OWN]):
        raise BadData(
            f"{out} holds a report already ({', '.join(mine)}). Nothing was changed. Name another folder with `out` "
            "(--out), or say `force` (--force) to replace it."
        )
    if others := [name for name in there if name not in (*_OWN, _UNFINISHED)]:
        raise BadData(
            f"{out} holds other files ({', '.join(others[:3])}). Nothing was changed. Name a new folder with `out` "
            "(--out)."
        )


def _prepare_out(out, digest, force):
    """Makes the folder of unfinished work, or finds it as the same call left it."""
    work, note = out / _UNFINISHED, out / _UNFINISHED / "settings.json"
    if note.exists() and json.loads(note.read_text(encoding="utf-8")) != digest:
        if not force:
            raise BadData(
                f"{out} holds an unfinished training of other signals or settings. Give the same ones as then to go "
                "on, name another folder with `out` (--out), or say `force` (--force) to begin anew."
            )
        shutil.rmtree(work)
    work.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(digest), encoding="utf-8")


def _digest(plan, x, pieces):
    """What unfinished work must agree with: the data, and all settings but the seeds."""
    made = hashlib.sha256(x.tobytes() + pieces.y.tobytes() + pieces.group.tobytes()).hexdigest()
    return {"data": made, **{key: value for key, value in plan.items() if key != "seeds"}}


def _backend(variant, control):
    """The part that needs Keras."""
    from drsn_lib import _quiet

    _quiet.import_keras()
    from drsn_lib import models
    from drsn_lib.diagnose import _training

    for name, argument in ((variant, "variant"), (control, "control")):
        if name not in models.VARIANTS:
            known = ", ".join(map(repr, models.VARIANTS))
            raise ValueError(f"`{argument}` must be one of {known}. Received: {argument}={name!r}")
    if variant == control:
        raise ValueError(f"`control` must be another network than `variant`. Received: {variant!r} for both")
    return _training


def _words(side):
    return f"training {len(side.train)}, validation {len(side.validation)}, test {len(side.test)}"


def _linear(pieces, x, sides, seeds):
    """Linear classifiers on classical features: the windows as the network gets them, and as they were recorded."""
    from drsn_lib import data, training

    rate = pieces.sampling_rate or 1.0
    found = {}
    for name, windows in (("linear", x), ("linear, with level", pieces.x)):
        features, _ = data.vibration_features(windows, rate)
        for seed, side in zip(seeds, sides, strict=True):
            fitted = training.fit_linear(features[side.train], pieces.y[side.train])
            order = np.random.default_rng((seed, 11)).permutation(len(x))
            test, train = order[: len(side.test)], order[len(side.test) :][: len(side.train)]
            leaky = None
            if set(pieces.y[train].tolist()) == set(range(len(pieces.classes))):
                again = training.fit_linear(features[train], pieces.y[train])
                leaky = float((again.predict(features[test]) == pieces.y[test]).mean())
            found[name, seed] = {
                "validation": fitted.probabilities(features[side.validation]),
                "test": fitted.probabilities(features[side.test]),
                "leaky": leaky,
            }
    return found


def _measured(pieces, sides, seeds, results, linear):
    """Scores of everything, means over seeds, and calibration over all test windows."""
    scores, curves = {}, {}
    everything = {**results, **linear}
    for name in dict.fromkeys(name for name, _ in everything):
        rows, before, after, truth = [], [], [], []
        for seed, side in zip(seeds, sides, strict=True):
            one, y = everything[name, seed], pieces.y[side.test]
            temperature = fit_temperature(one["validation"], pieces.y[side.validation])
            p, q = one["test"], with_temperature(one["test"], temperature)
            table = np.zeros((len(pieces.classes),) * 2, int)
            np.add.at(table, (y, p.argmax(axis=1)), 1)
            files = pieces.file[side.test]
            right = [q[files == k].mean(axis=0).argmax() == y[files == k][0] for k in np.unique(files)]
            row = {
                "seed": seed,
                "accuracy": round(float((p.argmax(axis=1) == y).mean()), 6),
                "file_accuracy": round(float(np.mean(right)), 6),
                "test_files": len(right),
                "balanced_accuracy": round(float(np.mean(np.diag(table) / table.sum(axis=1))), 6),
                "loss": round(float(-np.log(np.maximum(q[np.arange(len(y)), y], 1e-7)).mean()), 6),
                "temperature": round(temperature, 4),
                "confusion": table.tolist(),
            }
            if "train" in one:
                row["train_accuracy"] = round(float((one["train"].argmax(axis=1) == one["train_y"]).mean()), 6)
            if one.get("leaky") is not None:
                row["leaky_accuracy"] = round(one["leaky"], 6)
            rows.append(row)
            before.append(p)
            after.append(q)
            truth.append(y)
        told = {"runs": rows}
        for value in ("accuracy", "file_accuracy", "balanced_accuracy", "train_accuracy", "leaky_accuracy"):
            numbers = [row[value] for row in rows if value in row]
            if numbers:
                sd = round(float(np.std(numbers, ddof=1)), 6) if len(numbers) > 1 else None
                told[value] = {"mean": round(float(np.mean(numbers)), 6), "sd": sd}
        told["confusion"] = np.sum([row["confusion"] for row in rows], axis=0).tolist()
        scores[name], truth = told, np.concatenate(truth)
        curves[name] = {
            word: _told_calibration(calibration(np.concatenate(p), truth))
            for word, p in (("before", before), ("after", after))
        }
    return {"scores": scores, "calibration": curves}


def _told_calibration(found):
    def plain(values):
        return [None if np.isnan(one) else round(float(one), 4) for one in values]

    return {
        "edges": plain(found.edges),
        "count": found.count.tolist(),
        "confidence": plain(found.confidence),
        "accuracy": plain(found.accuracy),
        "error": round(found.error, 4),
        "by_chance": round(found.by_chance, 4),
    }


def _told(found, pieces):
    classes = {}
    for k, name in enumerate(pieces.classes):
        own = [one for one in found.signals if one.label == name]
        points = sum(len(one.values) for one in own)
        classes[name] = {
            "files": len(own),
            "recordings": len({one.group for one in own}),
            "windows": int((pieces.y == k).sum()),
            "seconds": None if found.sampling_rate is None else round(points / found.sampling_rate, 2),
        }
    return {
        "files": len(found.signals),
        "sampling_rate": found.sampling_rate,
        "windows": len(pieces),
        "classes": classes,
        "channels": sorted({one.channel for one in found.signals if one.channel}),
        "ignored": list(found.ignored),
        "constant_windows": pieces.left_out,
    }


def _told_split(pieces, seed, side):
    told = {"seed": seed, "by_time": list(side.by_time), "shared_validation": list(side.shared_validation)}
    for name in ("train", "validation", "test"):
        rows = getattr(side, name)
        told[name] = {"windows": len(rows), "files": [pieces.files[k] for k in np.unique(pieces.file[rows])]}
    return told


def _comparisons(scores, variant, control):
    """The network against its control and against the better-known way, seed by seed."""
    import pandas as pd

    from drsn_lib import records

    rows = [
        {"variant": name, "seed": row["seed"], "test_accuracy": row["accuracy"]}
        for name, one in scores.items()
        for row in one["runs"]
    ]
    table, found = pd.DataFrame(rows), []
    for other in (control, "linear"):
        pair = records.paired(table, variant, other)
        interval = [round(float(pair.low), 6), round(float(pair.high), 6)] if pair.n > 1 else [None, None]
        found.append(
            {
                "a": variant,
                "b": other,
                "mean": round(pair.mean, 6),
                "low": interval[0],
                "high": interval[1],
                "n": pair.n,
                "verdict": pair.verdict,
                "words": str(pair),
            }
        )
    return found


def _warnings(report, found, pieces, sides, variant):
    """What a reader of the scores must know, and what to do about it."""
    said = []

    def warn(kind, words, todo):
        said.append({"kind": kind, "words": words, "todo": todo})

    classes, scores = report["data"]["classes"], report["scores"]
    if any(side.by_time for side in sides):
        names = sorted({name for side in sides for name in side.by_time})
        warn(
            "split by time",
            f"Of {_listed(names)} there is only one recording. Its beginning was trained on and its end tested, with a "
            "gap of a window between. Mounting, speed and damage are the same on both sides: the scores flatter.",
            "Record these states again, after taking the sensor off and the machine apart if you can.",
        )
    if any(side.shared_validation for side in sides):
        names = sorted({name for side in sides for name in side.shared_validation})
        warn(
            "two recordings",
            f"Of {_listed(names)} there are two recordings: one was trained on, with its end for validation, and one "
            "tested. The temperature was found on windows that resemble those of the training.",
            "A third recording gives a validation of its own.",
        )
    few = [name for name, one in classes.items() if one["recordings"] < 5]
    if few:
        warn(
            "few recordings",
            f"Fewer than five recordings of {_listed(few)}. The test then rests on one or two a class, whatever the "
            "number of windows, since windows of one recording are right or wrong together.",
            "More recordings are worth more than longer ones.",
        )
    counts = {name: one["windows"] for name, one in classes.items()}
    if max(counts.values()) > 3 * min(counts.values()):
        most, least = max(counts, key=counts.get), min(counts, key=counts.get)
        warn(
            "imbalance",
            f"There are {counts[most]} windows of {most} and {counts[least]} of {least}. The accuracy says little of "
            "rare classes; the balanced accuracy, the mean over classes, does.",
            "Record more of the rare classes, or leave out some of the frequent ones.",
        )
    if report["data"]["constant_windows"]:
        warn(
            "constant",
            f"{report['data']['constant_windows']} windows were constant and left out.",
            "Look for a loose cable, a wrong channel or a pause in the recording.",
        )
    clipped = [one.name for one in found.signals if one.clipped > 1e-3]
    if clipped:
        warn(
            "clipped",
            f"{len(clipped)} of {len(found.signals)} files stand still at their largest or smallest value for more "
            f"than a thousandth of the time: {_listed(clipped)}. The sensor or the recorder was at its limit.",
            "Lower the gain and record again: what was cut off cannot be had back, and clipping itself can give a "
            "class away.",
        )
    alike = _alike(found)
    if alike:
        warn(
            "copies",
            f"{alike[0]} and {alike[1]} hold the same signal. If they stand on two sides of a split, it leaks.",
            "Delete copies.",
        )
    if report["data"]["sampling_rate"] is None:
        warn(
            "no sampling rate",
            "Nothing tells the sampling rate. Frequencies are in cycles a sample, and files of another rate would not "
            "be noticed.",
            "Give it with --sampling-rate.",
        )
    if report["data"]["ignored"]:
        warn(
            "files not read",
            f"{len(report['data']['ignored'])} files were not read: {_listed(report['data']['ignored'])}.",
            "If they belong to the data, put them in the folder of their class in a format that is read.",
        )
    if report["settings"]["overlap"]:
        warn(
            "overlap",
            "Windows overlap. They are on one side of a split each, but there are fewer independent ones than counted.",
            "Judge by the number of recordings.",
        )
    n = len(report["settings"]["seeds"])
    if n < 5:
        warn(
            "few seeds",
            f"{n} random seed{'s' if n > 1 else ''}: too few to say which network is ahead.",
            "Take five or more: --seeds 0-4.",
        )
    mean, chance = scores[variant]["accuracy"]["mean"], max(counts.values()) / sum(counts.values())
    if mean < chance + 0.1:
        warn(
            "hardly above guessing",
            f"The network is right on {mean:.0%} of the windows; always naming the most frequent class would give "
            f"{chance:.0%}.",
            "Train longer (--epochs), or look whether the windows are long enough to hold some turns of the shaft.",
        )
    control = report["settings"]["control"]
    if scores[control]["accuracy"]["mean"] < chance + 0.1:
        warn(
            "the control is hardly above guessing",
            f"The control, {control}, is right on {scores[control]['accuracy']['mean']:.0%} of the windows; always "
            f"naming the most frequent class would give {chance:.0%}. To be ahead of it says nothing.",
            "Train longer (--epochs): the control must have learned something, too.",
        )
    linear = scores["linear"]["accuracy"]["mean"]
    if linear > mean:
        words = f"A linear classifier on classical features scores {linear:.1%}, the network {mean:.1%}."
        known = scores[variant].get("train_accuracy")  # what an older version has left unfinished does not hold it
        if known and known["mean"] < max(_LEARNED, linear):
            warn(
                "the linear classifier is ahead",
                f"{words} The network is right on only {known['mean']:.1%} of the windows that it was trained on, so "
                "it has learned too little so far.",
                "Train longer (--epochs) before you compare them; until then, use the linear one.",
            )
        else:
            warn(
                "the linear classifier is ahead",
                words,
                "Use the linear one, or record more: networks need more recordings than it does.",
            )
    level = scores["linear, with level"]["accuracy"]["mean"]
    if level > linear + 0.1:
        warn(
            "the level tells",
            f"With the signals' level the linear classifier scores {level:.1%}, without it {linear:.1%}.",
            "Make sure that it is the machine, and not gain, range or another sensor, that makes classes differ in "
            "level.",
        )
    leaky = scores["linear"].get("leaky_accuracy")
    if leaky and leaky["mean"] > linear + 0.02:
        warn(
            "what a leak would have claimed",
            f"With windows drawn at random, neighbors of one recording on both sides, the linear classifier would have "
            f"scored {leaky['mean']:.1%}. By recording it scores {linear:.1%}.",
            "Distrust scores of windows drawn at random, here and in publications.",
        )
    after = report["calibration"][variant]["after"]
    if after["error"] > after["by_chance"] + 0.05:
        warn(
            "probabilities",
            f"The probabilities are off by {after['error']:.2f} on average (expected calibration error; luck alone "
            f"gives {after['by_chance']:.2f}), after the temperature.",
            "Take the network's word for the class, not for how sure it is.",
        )
    return said


def _listed(names, most=4):
    names = list(names)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _alike(found):
    seen = {}
    for one in found.signals:
        key = hashlib.sha256(one.values.tobytes()).digest()
        if key in seen:
            return seen[key], one.name
        seen[key] = one.name
    return None


def summary(report):
    """The report in some lines for a terminal."""
    lines = ["", f"{'test accuracy':20}  {'windows':>15}  {'files':>15}"]
    for name, one in report["scores"].items():
        lines.append(f"  {name:18}  {with_sd(one['accuracy']):>15}  {with_sd(one['file_accuracy']):>15}")
    lines += [""] + [f"{one['words']}; {one['verdict']}" for one in report["comparisons"]]
    curve = report["calibration"][report["settings"]["variant"]]
    lines.append(
        f"calibration error {curve['before']['error']:.3f}, after the temperature {curve['after']['error']:.3f} "
        f"(luck alone: {curve['after']['by_chance']:.3f})"
    )
    for one in report["warnings"]:
        lines.append(f"! {one['kind']}: {one['words']}")
    return "\n".join(lines)


def with_sd(score):
    """A mean and its spread over seeds."""
    return f"{score['mean']:.3f}" + ("" if score["sd"] is None else f" ± {score['sd']:.3f}")
