"""The command line: `python -m drsn_lib recipes|train|study|reproduce|records|diagnose|doctor`."""

import argparse
import contextlib
import importlib.metadata
import importlib.util
import os
import platform
import signal
import sys
import warnings

BACKENDS = ("tensorflow", "jax", "torch")


def main(arguments=None):
    """Runs one command; returns its exit status.

    Args:
        arguments: List of strings; None takes those of the process.

    Returns:
        Integer: 0, all is well; 1, it could not be done, and the message says why; 130, it was stopped. A
        wrong argument ends the process with 2, as `argparse` does.
    """
    options = _parser().parse_args(arguments)
    from drsn_lib.data import DataNotAvailable

    with _polite_stops(), warnings.catch_warnings():
        warnings.showwarning = lambda message, *rest, **more: print(f"warning: {message}", file=sys.stderr)
        try:
            return options.run(options) or 0
        except (ValueError, DataNotAvailable, FileNotFoundError, ModuleNotFoundError) as error:
            if os.environ.get("DRSN_DEBUG"):
                raise
            print(f"error: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt as stop:
            print(f"\n{stop or 'Stopped before there was anything to keep.'}", file=sys.stderr)
            return 130
        except BrokenPipeError:  # whoever read the list has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0


def _parser():
    from drsn_lib import recipes

    parser = argparse.ArgumentParser(
        prog="python -m drsn_lib",
        description="Train the book's recipes, list their records, look at this machine.",
        epilog="Set DRSN_DATA to the folder of data sets, DRSN_RECORDS to that of your records (else ./runs).",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    listed = commands.add_parser("recipes", help="print the recipes", description="Print recipes in full.")
    listed.add_argument("recipe", nargs="*", metavar="RECIPE", help="names; all if none is given")
    listed.set_defaults(run=_recipes)

    for name, help_text in (
        ("train", "train one variant of a recipe, for one or more random seeds"),
        ("study", "train a grid of variants, conditions and random seeds; run again, it goes on"),
        ("reproduce", "train what there are records of, and say whether the results lie where the records do"),
    ):
        command = commands.add_parser(name, help=help_text, description=help_text[0].upper() + help_text[1:] + ".")
        command.add_argument("recipe", choices=recipes.names(), help="the recipe")
        command.add_argument(
            "--variant",
            action="append",
            required=name == "train",
            metavar="NAME[,NAME...]",
            help="the network"
            + {"train": "", "study": "s; all of the recipe's if not given"}.get(
                name, "s; all that have records if not given"
            ),
        )
        command.add_argument("--seeds", default="0-4" if name == "study" else "0", help="such as 3, 0-4 or 0,2,7-9")
        command.add_argument("--budget", default="modern", help="faithful, modern (default), smoke; some have short")
        command.add_argument(
            "--condition",
            action="append",
            metavar="KEY=VALUE[,KEY=VALUE]",
            help="such as noise=pink,snr_db=-5; keys that are not named take all values",
        )
        command.add_argument("--backend", choices=BACKENDS, help="Keras' backend; $KERAS_BACKEND if not given")
        command.add_argument("--devices", type=int, default=1, metavar="N", help="devices that share every batch")
        command.add_argument("--together", action="store_true", help="JAX: all seeds and conditions at once")
        command.add_argument("--out", metavar="FOLDER", help="where records and checkpoints go")
        command.add_argument(
            "--keep-weights", metavar="SEEDS", help="random seeds whose trained weights are kept, such as 0"
        )
        command.add_argument("--quiet", action="store_true", help="no progress bars")
        command.set_defaults(run=_reproduce if name == "reproduce" else _train, name=name)

    table = commands.add_parser("records", help="list records, or what has none yet", description="List records.")
    table.add_argument("recipe", nargs="?", choices=recipes.names(), help="the recipe; all if not given")
    table.add_argument("--missing", action="store_true", help="planned runs without a record, most wanted first")
    table.add_argument("--device", choices=("cpu", "gpu", "tpu"), help="kind of device (--missing: gpu)")
    table.add_argument("--out", metavar="FOLDER", help="read this folder of records too")
    table.add_argument("--count", action="store_true", help="numbers only")
    table.add_argument("--add", metavar="PATH", help="add the records of a file or folder to those of the package")
    table.set_defaults(run=_records)

    _add_diagnose(commands)

    words = "look at this machine and say what is missing"
    doctor = commands.add_parser("doctor", help=words, description=words[0].upper() + words[1:] + ".")
    doctor.add_argument("--backend", choices=BACKENDS, help="Keras' backend; $KERAS_BACKEND if not given")
    doctor.set_defaults(run=_doctor)
    return parser


def _add_diagnose(commands):
    import inspect

    from drsn_lib.diagnose import _running

    usual = {name: one.default for name, one in inspect.signature(_running.run).parameters.items()}
    seeds, network = ",".join(map(str, usual["seeds"])), usual["variant"]
    words = "train on a folder of your own signals, and report how far the result can be believed"
    command = commands.add_parser("diagnose", help=words, description=words[0].upper() + words[1:] + ".")
    command.add_argument(
        "folder",
        nargs="?",
        metavar="FOLDER",
        help="signals (CSV, TXT, WAV, MAT, NPY, NPZ), one sub-folder for each class, or a labels.csv with the columns "
        "file,label[,recording]",
    )
    command.add_argument("--out", metavar="REPORT", help="folder of the report; FOLDER-report if not given")
    command.add_argument(
        "--sampling-rate", type=float, metavar="HZ", help="sampling rate of files that do not state it"
    )
    command.add_argument(
        "--window",
        type=int,
        default=usual["window"],
        metavar="POINTS",
        help="length of a window in points; it should hold some turns of the shaft (default %(default)s)",
    )
    command.add_argument(
        "--overlap",
        type=float,
        default=usual["overlap"],
        metavar="SHARE",
        help="share of a window that the next one repeats, from 0 to below 1 (default %(default)g)",
    )
    command.add_argument(
        "--variant", dest="network", default=network, metavar="NAME", help="the network to train (default %(default)s)"
    )
    command.add_argument(
        "--control",
        metavar="NAME",
        help=f"the network that it is compared with (default for {network}: {_running.CONTROLS[network]})",
    )
    command.add_argument(
        "--seeds",
        default=seeds,
        help="random seeds, such as 3, 0-4 or 0,2,7-9 (default %(default)s; a verdict takes five)",
    )
    command.add_argument(
        "--epochs",
        type=int,
        metavar="N",
        help=f"epochs of training (default: as many as make about {_running.STEPS} steps)",
    )
    command.add_argument(
        "--group-by",
        choices=("file", "recording"),
        default=usual["group_by"],
        help="what is never divided between training and test: a file, or a recording as named in labels.csv or by a "
        "sub-folder of the class (default %(default)s)",
    )
    command.add_argument(
        "--channel", metavar="NAME", help="which column, variable or channel to read, where a file has several"
    )
    command.add_argument("--backend", choices=BACKENDS, help="Keras' backend; $KERAS_BACKEND if not given")
    command.add_argument("--force", action="store_true", help="replace a report that is there")
    command.add_argument("--quiet", action="store_true", help="no progress bar, no summary")
    command.add_argument("--classify", metavar="FILE", help="no training: say which class this file belongs to")
    command.add_argument("--model", metavar="REPORT", help="with --classify: folder of the report to use")
    command.add_argument("--example", metavar="FOLDER", help="no training: write a folder of simulated signals to try")
    command.set_defaults(run=_diagnose)


def _diagnose(options):
    from drsn_lib import diagnose

    wanted = [name for name in ("folder", "classify", "example") if getattr(options, name) is not None]
    if len(wanted) != 1:
        raise ValueError(
            "`diagnose` does one of three things: FOLDER trains, --classify FILE --model REPORT uses what was trained, "
            f"--example FOLDER writes signals to try it. Received: {' and '.join(wanted) or 'none of them'}"
        )
    if (options.classify is None) != (options.model is None):
        raise ValueError("--classify FILE and --model REPORT belong together: the file, and the report's folder.")
    if options.example:
        folder = diagnose.write_example(options.example)
        print(f"{folder} holds simulated signals. Now: python -m drsn_lib diagnose {folder}")
        return
    _choose_backend(options.backend, start=False)  # wrong files are told at once, without those seconds
    if options.classify:
        print(diagnose.load(options.model).classify(options.classify, options.sampling_rate))
        return
    diagnose.run(
        options.folder,
        options.out,
        sampling_rate=options.sampling_rate,
        window=options.window,
        overlap=options.overlap,
        variant=options.network,
        control=options.control,
        seeds=_numbers("--seeds", options.seeds),
        epochs=options.epochs,
        group_by=options.group_by,
        channel=options.channel,
        force=options.force,
        progress=not options.quiet,
    )


@contextlib.contextmanager
def _polite_stops():
    """Lets a polite `kill`, as of a cluster's scheduler, stop a training as Ctrl-C does."""

    def stop(number, frame):
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _recipes(options):
    from drsn_lib import recipes

    print("\n\n".join(str(recipes.get(name)) for name in options.recipe or recipes.names()))


def _train(options):
    _trained(options)


def _trained(options):
    """Trains what the options say, prints its summary, and returns its table."""
    from drsn_lib import recipes

    recipe = recipes.get(options.recipe)
    variants = [one for group in options.variant or [] for one in group.split(",")] or None
    for variant in variants or ():
        recipe.variant(variant)
    recipe.budget(options.budget)
    seeds = _numbers("--seeds", options.seeds)
    kept = _numbers("--keep-weights", options.keep_weights) if options.keep_weights else ()
    conditions = _conditions(recipe, options.condition)
    if options.name == "train" and len(conditions) > 1 and not options.condition:
        keys = ", ".join(f"{key}={value}" for key, value in recipe.conditions[0])
        raise ValueError(
            f"Recipe {recipe.name!r} has {len(conditions)} conditions: name those to train under, such as "
            f"--condition {keys.replace(', ', ',')}, or use `study` for all of them."
        )
    _choose_backend(options.backend, options.devices)

    from drsn_lib import records, training

    folder = options.out or records.default_folder()
    made = training.study(
        recipe,
        variants,
        seeds,
        options.budget,
        conditions,
        folder=folder,
        together=options.together,
        devices=options.devices,
        progress=not options.quiet,
        keep_weights=kept,
    )
    print(_summary(records, records.to_table(made)))
    print(f"{records.provenance(records.to_table(made))}\nrecords: {os.path.join(folder, recipe.name)}.jsonl")
    return records.to_table(made)


def _reproduce(options):
    from drsn_lib import recipes, records

    recipe = recipes.get(options.recipe)
    recipe.budget(options.budget)
    conditions = _conditions(recipe, options.condition)
    known = records.load(recipe.name, budget=options.budget, device="best")
    known = known[known["digest"].isin(_digests(recipe, options.budget, conditions))]
    if known.empty:
        raise ValueError(
            f"There is no record of recipe {recipe.name!r}, budget {options.budget!r}, under these conditions to "
            f"compare with. `python -m drsn_lib records {recipe.name}` lists those that there are."
        )
    options.variant = options.variant or list(dict.fromkeys(known["variant"]))
    options.condition = options.condition or [
        ",".join(f"{key}={value}" for key, value in condition.items() if value is not None)
        for condition in conditions
        if condition and set(_digests(recipe, options.budget, [condition])) & set(known["digest"])
    ]
    made = _trained(options)
    found = records.agreement(made, known)
    print(f"\ncompared with: {records.provenance(known)}")
    print(found.to_string(index=False))
    if found["within"].isna().any():
        print("Where fewer than two seeds are recorded, nothing can be said.")
    if (found["within"] == False).any():  # noqa: E712 (None is neither)
        print("Not all lie where the records say: look for another version, or other data; then at the seeds.")
        return 1
    if found["within"].any():
        print(
            "All that can be judged lies within what the records' spread over random seeds lets expect (99 % "
            "prediction intervals)."
        )


def _digests(recipe, budget, conditions):
    """The settings that the recipe has now, by their digests."""
    from drsn_lib import recipes

    return [
        recipes.digest(recipe.settings(variant, budget, condition))
        for variant in recipe.variant_names
        for condition in conditions
    ]


def _summary(records, table):
    """Mean and standard deviation a variant and condition."""
    keys = [key for key in table.columns if key not in records.COLUMNS]
    return records.summary(table, by=(*keys, "variant")).to_string()


def _numbers(name, text):
    """The numbers that `0-4` or `0,2,7-9` stands for."""
    found = []
    for part in text.split(","):
        low, _, high = part.strip().partition("-")
        if not low.isdigit() or (high and not high.isdigit()) or (high and int(high) < int(low)):
            raise ValueError(f"`{name}` must be like 3, 0-4 or 0,2,7-9. Received: {name} {text}")
        found += range(int(low), int(high or low) + 1)
    return list(dict.fromkeys(found))


def _conditions(recipe, wanted):
    """The recipe's conditions that agree with one of `key=value,key=value`."""
    if not wanted:
        return [dict(one) for one in recipe.conditions]
    found = []
    for text in wanted:
        pairs = [part.partition("=") for part in text.split(",")]
        fits = [
            dict(one)
            for one in recipe.conditions
            if all(sign and key in dict(one) and _same(dict(one)[key], value) for key, sign, value in pairs)
        ]
        if not fits:
            keys = {key: None for one in recipe.conditions for key, _ in one}
            values = {key: dict.fromkeys(str(dict(one).get(key)) for one in recipe.conditions) for key in keys}
            listed = "; ".join(f"{key}: {', '.join(some)}" for key, some in values.items()) or "it has none"
            raise ValueError(f"No condition of recipe {recipe.name!r} fits --condition {text} ({listed}).")
        found += [one for one in fits if one not in found]
    return found


def _same(value, text):
    try:
        return float(text) == value
    except ValueError:
        return str(value) == text


def _choose_backend(backend, devices=1, start=True):
    """Chooses Keras' backend before it is loaded, and makes virtual devices where there are only processors."""
    backend = backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    if importlib.util.find_spec(backend) is None:
        there = [name for name in BACKENDS if importlib.util.find_spec(name)]
        raise ModuleNotFoundError(
            f"The backend {backend!r} is not installed; "
            + (f"--backend {there[0]} is" if there else "none is")
            + f". This installs it: python -m pip install {backend}"
        )
    os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if devices > 1 and backend == "jax":
        # Counts for processors only, so it does no harm where there are GPUs.
        flag = f"--xla_force_host_platform_device_count={devices}"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    if not start:
        return
    from drsn_lib import _quiet

    _quiet.import_keras()
    if devices > 1 and backend == "tensorflow":
        import tensorflow as tf

        if not tf.config.list_physical_devices("GPU"):
            processor = tf.config.list_physical_devices("CPU")[0]
            tf.config.set_logical_device_configuration(processor, [tf.config.LogicalDeviceConfiguration()] * devices)
    if devices > 1:
        from drsn_lib.training import facts

        if facts.device()["kind"] == "cpu":
            print(f"There is no GPU: {devices} virtual devices on the processor, to try it, not to gain time.")


def _records(options):
    from drsn_lib import records

    if options.add:
        added = records.merge(options.add, records.SHIPPED)
        print(f"{added} records added to {records.SHIPPED}")
        return
    if options.missing:
        device = options.device or "gpu"
        lacking = records.missing(device=device, recipe=options.recipe, folder=options.out)
        groups = {}
        for run in lacking:
            key = (run["recipe"], run["budget"], run["variant"])
            groups.setdefault(key, [set(), set()])
            groups[key][0].add(run["seed"])
            groups[key][1].add(str(run["condition"]))
        print(f"{len(lacking)} planned runs have no record on a {device} yet" + (":" if groups else "."))
        for (recipe, budget, variant), (seeds, conditions) in groups.items():
            print(f"  {recipe:<16} {budget:<9} {variant:<15} {len(seeds):>3} seeds x {len(conditions):>2} conditions")
        return
    table = records.load(options.recipe, folder=options.out, device=options.device)
    if table.empty:
        print("There are no such records yet. `python -m drsn_lib records --missing` lists the planned ones.")
        return
    for (recipe, budget, device), part in table.groupby(["recipe", "budget", "device"], sort=False):
        print(f"{recipe}, {budget}, {device}: {len(part)} runs")
        if not options.count:
            part = part.dropna(axis=1, how="all")
            print(_summary(records, part), records.provenance(part), sep="\n", end="\n\n")


def _doctor(options):
    print(f"Python     {platform.python_version()}, {platform.system()} {platform.machine()}, {os.cpu_count()} cores")
    for name in ("drsn-lib", "keras", *BACKENDS):
        print(f"{name:<10} {_version(name) or 'not installed'}")
    chosen = options.backend or os.environ.get("KERAS_BACKEND") or "tensorflow"
    status = 0
    try:
        _choose_backend(options.backend)
        from drsn_lib.training import facts

        found = facts.device()
        print(f"backend    {chosen}, on {found['count']} x {found['kind']}: {found['name']}")
        if found["kind"] == "cpu":
            print("           no GPU is seen: MNIST takes minutes a run, vibration more, CIFAR-10 hours")
    except ModuleNotFoundError as error:
        status = 1
        print(f"backend    {error}")

    from drsn_lib import data, records

    folder = data.cache_directory()
    print(f"data       {folder}" + ("" if folder.is_dir() else " (not there yet; it is made at the first download)"))
    for name, call, files in _data_sets(data):
        there = sum(any((folder / f).exists() for f in alike) for alike in files)
        if there == len(files):
            print(f"  {name:<12} there")
        else:
            lacks = "not there" if not there else f"{len(files) - there} of {len(files)} files are not there"
            print(f"  {name:<12} {lacks}; `data.{call}` downloads what is missing, or copy it into the folder")
    mine = records.default_folder()
    table = records.load(folder=mine if mine.is_dir() else None)
    by_kind = ", ".join(f"{count} on {kind}" for kind, count in table["device"].value_counts().items()) or "none"
    print(f"records    {by_kind}; {len(records.missing(device='gpu'))} planned runs lack one on a GPU")
    return status


def _version(name):
    names = {"drsn-lib": ("drsn-lib",), "tensorflow": ("tensorflow", "tensorflow-cpu")}.get(name, (name,))
    for one in names:
        try:
            return importlib.metadata.version(one)
        except importlib.metadata.PackageNotFoundError:
            continue
    if name == "drsn-lib":
        import drsn_lib

        return f"{drsn_lib.__version__} (from this folder, not installed)"
    return None


def _data_sets(data):
    """Name, call, and the files of each data set: any one of each group will do."""
    yield "MNIST", "load_mnist(full=True)", [["mnist.npz"]]
    yield "CIFAR-10", "load_cifar10()", [["cifar10.npz"]]
    for rate in ("12k", "48k"):
        files = []
        for one in data.cwru_recordings(rate):
            place = "12k" if one.label == "normal" else rate  # the one normal recording lies there
            files.append([f"cwru/{place}/{one.number}.{kind}" for kind in ("mat", "npz")])
        yield f"CWRU {rate}", f"load_cwru({rate!r})", files


if __name__ == "__main__":
    sys.exit(main())
