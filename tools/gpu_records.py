"""Makes GPU records on a training machine that has no network and lets little through its door.

    python tools/gpu_records.py prepare                    # here: .whl/ (wheels) and .parts/1, 2, ... (data)
    python tools/gpu_records.py commands                   # what to run there, call by call
    python3 tools/gpu_records.py work --out DIR ...        # there: trains what is missing, most wanted first
    python tools/gpu_records.py collect DIR                # here: checks what came back, adds it to the package

The machine needs Python, JAX for its device, NumPy, SciPy, pandas, h5py, Pillow and tqdm; Keras comes along. `work`
is the same on a processor, which is how it is rehearsed: `--device cpu --budget smoke`. It stops by itself before its
seconds are over; what is finished is packed. What is not goes on from its checkpoint in the next call, as long as the
machine is kept; on a fresh one it begins anew, and what was collected before is not trained again.
"""

import argparse
import collections
import io
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zipfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

WHEELS = ("keras==3.15.1", "namex", "optree")
# A call takes 64 MiB, the repository among them.
PART_BYTES = 46 * 2**20
FILE_BYTES = 16 * 2**20  # the largest file that comes back
IMAGES = 10_000  # in one mosaic of CIFAR-10
# Which file of the cache a recipe's data are in; the others need none.
NEEDS = {"cifar10": "cifar10.npz", "cwru": "cwru/12k", "mnist": "mnist.npz"}


def main(arguments=None):
    """Runs one command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    made = commands.add_parser("prepare", help="make wheels and data parts, in folders that git ignores")
    made.add_argument("--python", default="3.12", help="the machine's Python")
    made.add_argument("--no-wheels", action="store_true", help="data alone")
    made.set_defaults(run=prepare)
    said = commands.add_parser("commands", help="print the calls for the machine")
    said.set_defaults(run=print_commands)
    work_ = commands.add_parser("work", help="train what is missing, on the machine")
    work_.add_argument("--out", required=True, help="folder of what comes back")
    work_.add_argument("--scratch", default="/tmp/drsn", help="folder that outlives the call: data, checkpoints")
    work_.add_argument("--parts", nargs="*", default=[], help="folders of data that came along")
    work_.add_argument("--seconds", type=float, default=540, help="time for all of it")
    work_.add_argument("--device", default="gpu", help="what it must be; anything else is refused")
    work_.add_argument("--budget", help="another budget than the planned one, for a rehearsal")
    work_.add_argument("--recipes", nargs="*", help="these alone")
    work_.add_argument("--seeds", type=int, help="no more random seeds than these")
    work_.add_argument("--precision", default="float32", help="float32 or bfloat16")
    work_.add_argument("--convolution", default="auto", help="auto, grouped or matmul")
    work_.set_defaults(run=work)
    back = commands.add_parser("collect", help="check what came back and add it to the package")
    back.add_argument("folder")
    back.add_argument("--device", default="gpu", help="the label that every record must bear")
    back.add_argument("--into", help="another folder of records than the package's")
    back.set_defaults(run=collect)
    options = parser.parse_args(arguments)
    return options.run(options) or 0


# ---------------------------------------------------------------- here: wheels and data


def prepare(options):
    """Fetches the wheels and cuts the data into parts."""
    if not options.no_wheels:
        folder = ROOT / ".whl"
        shutil.rmtree(folder, ignore_errors=True)
        platforms = [f"--platform=manylinux{tail}_x86_64" for tail in ("_2_28", "_2_27", "_2_17", "2014", "1")]
        kind = ["--only-binary=:all:", f"--python-version={options.python}", "--implementation=cp", *platforms]
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "-q", *kind, "-d", str(folder), *WHEELS]
        subprocess.run(pip, check=True)
        print(f".whl: {', '.join(sorted(path.name for path in folder.iterdir()))}")
    target = ROOT / ".parts"
    shutil.rmtree(target, ignore_errors=True)
    part, size = 1, 0
    for name, content in pieces():
        if size and size + len(content) > PART_BYTES:
            print(f".parts/{part}: {size / 2**20:.1f} MiB")
            part, size = part + 1, 0
        (target / str(part)).mkdir(parents=True, exist_ok=True)
        (target / str(part) / name).write_bytes(content)
        size += len(content)
    print(f".parts/{part}: {size / 2**20:.1f} MiB" if size else "no data set is in the cache: nothing to cut")


def pieces():
    """The data sets of the cache as `(name, bytes)`, the most wanted first; each piece is small."""
    from drsn_lib import data

    cache = data.cache_directory()
    if (cache / "mnist.npz").exists():
        import numpy as np

        with np.load(cache / "mnist.npz") as arrays:
            packed = io.BytesIO()
            np.savez_compressed(packed, **arrays)
        yield "mnist.npz", packed.getvalue()
    if (cache / "cifar10.npz").exists():
        yield from cifar10_pieces()
    if (cache / "cwru" / "12k").is_dir():
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_LZMA) as archive:
            for path in sorted((cache / "cwru" / "12k").iterdir()):
                archive.write(path, f"12k/{path.name}")
        yield "cwru.zip", packed.getvalue()


def cifar10_pieces():
    """CIFAR-10 as lossless mosaics, a third smaller than any general packer makes it."""
    import numpy as np
    from PIL import Image

    from drsn_lib import data

    (x_train, y_train), (x_test, y_test) = data.load_cifar10()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    labels = io.BytesIO()
    np.save(labels, y)
    yield "cifar10-labels.npy", labels.getvalue()
    for k in range(0, len(x), IMAGES):
        packed = io.BytesIO()
        Image.fromarray(mosaic(x[k : k + IMAGES])).save(packed, "WEBP", lossless=True, quality=60, method=3)
        yield f"cifar10-{k // IMAGES}.webp", packed.getvalue()


def mosaic(images, across=100):
    """Images side by side, `across` in a row."""
    rows, size = len(images) // across, images.shape[1]
    grid = images.reshape(rows, across, size, size, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * size, across * size, 3)


def unmosaic(picture, across=100):
    """The images of a mosaic."""
    size = picture.shape[1] // across
    grid = picture.reshape(-1, size, across, size, 3).transpose(0, 2, 1, 3, 4)
    return grid.reshape(-1, size, size, 3)


def print_commands(options):
    """Prints a call for each part of the data."""
    parts = sorted(path.name for path in (ROOT / ".parts").iterdir()) if (ROOT / ".parts").is_dir() else []
    install = (
        "python3 -m pip install -q --no-index --no-deps --no-compile --upgrade --target /tmp/site .whl/*.whl && "
        "export PYTHONPATH=/tmp/site PYTHONUNBUFFERED=1 KERAS_BACKEND=jax"
    )
    for part in parts or [None]:
        folder = f" --parts .parts/{part}" if part else ""
        last = part in (None, parts[-1] if parts else None)
        # The last call also says how far a step is from the least that the device could take.
        seconds, more = (400, " && python3 benchmarks/floor.py --out $OUT") if last else (520, "")
        print(f"carry: .whl{f', .parts/{part}' if part else ''}")
        print(f"  {install} && python3 tools/gpu_records.py work --out $OUT{folder} --seconds {seconds}{more}\n")


# ---------------------------------------------------------------- there: data


def take(parts, folder):
    """Puts data that came along where `drsn_lib.data` looks; joins CIFAR-10 once all of it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        for path in sorted(pathlib.Path(part).iterdir()):
            if path.name == "cwru.zip":
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(folder / "cwru")
            else:
                shutil.copyfile(path, folder / path.name)
    mosaics = [folder / f"cifar10-{k}.webp" for k in range(6)]
    if not (folder / "cifar10.npz").exists() and all(path.exists() for path in mosaics):
        import numpy as np
        from PIL import Image

        Image.MAX_IMAGE_PIXELS = None
        x = np.concatenate([unmosaic(np.asarray(Image.open(path).convert("RGB"))) for path in mosaics])
        y = np.load(folder / "cifar10-labels.npy").reshape(-1, 1)
        with open(folder / "cifar10.part", "wb") as file:
            np.savez(file, x_train=x[:50_000], y_train=y[:50_000], x_test=x[50_000:], y_test=y[50_000:])
        (folder / "cifar10.part").replace(folder / "cifar10.npz")


def has_data(recipe, budget, folder):
    """Whether a recipe's data need no file, or lie in the folder."""
    if recipe.data.source == "mnist" and not recipe.budget(budget).full:
        return True
    needed = NEEDS.get(recipe.data.source)
    return needed is None or (folder / needed).exists()


# ---------------------------------------------------------------- there: work


def work(options):
    """Trains what is missing until the time is over, and packs what there is."""
    begun = time.monotonic()
    scratch, out = pathlib.Path(options.scratch), pathlib.Path(options.out)
    runs = scratch / "runs"
    runs.mkdir(parents=True, exist_ok=True)
    out.mkdir(parents=True, exist_ok=True)
    os.environ["DRSN_DATA"] = os.environ.get("DRSN_DATA") or str(scratch / "data")
    os.environ["KERAS_BACKEND"] = "jax"
    take(options.parts, pathlib.Path(os.environ["DRSN_DATA"]))
    from drsn_lib import records
    from drsn_lib.training import facts

    device = facts.device()
    print(f"device: {device}, data and wheels after {time.monotonic() - begun:.0f} s")
    if device["kind"] != options.device:
        raise SystemExit(f"This is a {device['kind']}, not a {options.device}: nothing was trained.")

    def ring(number, frame):
        raise KeyboardInterrupt

    # Packing takes some seconds of its own.
    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(1.0, options.seconds - 12 - (time.monotonic() - begun)))
    report = []
    try:
        for (recipe, budget, variant), todo in groups(options, runs).items():
            report.append(train(recipe, budget, variant, todo, runs, options))
        print("all that could be done is done")
    except KeyboardInterrupt as stop:
        print(f"time is over: {stop}")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        pack(runs, out, report, device)
    count = sum(len(records.read_file(path)) for path in runs.glob("*.jsonl"))
    print(f"{count} records made here so far; {time.monotonic() - begun:.0f} s")


def groups(options, runs):
    """What is missing, by recipe, budget and variant, in order of worth."""
    from drsn_lib import data, recipes, records

    found, left_out = collections.OrderedDict(), set()
    for run in records.missing(device=options.device, folder=runs):
        recipe = recipes.get(run["recipe"])
        budget = options.budget or run["budget"]
        if options.recipes and recipe.name not in options.recipes:
            continue
        if options.seeds and run["seed"] >= options.seeds:
            continue
        if not has_data(recipe, budget, data.cache_directory()):
            left_out.add(recipe.name)
            continue
        todo = found.setdefault((recipe.name, budget, run["variant"]), [])
        if (run["seed"], run["condition"]) not in todo:
            todo.append((run["seed"], run["condition"]))
    if left_out:
        print(f"left out, their data are not here yet: {', '.join(sorted(left_out))}")
    return found


def train(recipe, budget, variant, todo, runs, options):
    """Trains the runs of a group at once; every record is stored as it comes."""
    from drsn_lib import recipes, records
    from drsn_lib.training import many

    begun, made = time.monotonic(), []
    by_seeds = collections.OrderedDict()
    for _, condition in todo:
        seeds = tuple(sorted({seed for seed, one in todo if one == condition}))
        conditions = by_seeds.setdefault(seeds, [])
        if condition not in conditions:
            conditions.append(condition)
    stored = {(r["digest"], r["seed"]) for r in records.load_records(recipe, runs)}
    for seeds, conditions in by_seeds.items():
        settings = [recipes.get(recipe).settings(variant, budget, one) for one in conditions]
        done = {(recipes.digest(one), seed) for one in settings for seed in seeds} & stored
        if len(done) == len(seeds) * len(conditions):
            continue
        for record in many.stream_many(
            recipe,
            variant,
            seeds,
            budget,
            conditions=conditions,
            folder=runs,
            progress=False,
            keep_weights=[0],
            precision=options.precision,
            convolution=options.convolution,
        ):
            records.append(runs, record)
            made.append(record)
    seconds = time.monotonic() - begun
    line = {"recipe": recipe, "budget": budget, "variant": variant, "runs": len(made), "wall": round(seconds, 1)}
    if made:
        accuracies = [record["test"]["accuracy"] for record in made]
        line["accuracy"] = round(sum(accuracies) / len(accuracies), 4)
        line["train"] = round(sum(record["seconds"]["train"] / record["seconds"]["together"] for record in made), 1)
        line["compile"] = round(made[0]["seconds"]["compile"], 1)
        line["together"] = made[0]["seconds"]["together"]
    print(json.dumps(line))
    return line


def pack(runs, out, report, device):
    """Writes what comes back: records and weights in one archive, and what was done when."""
    (out / "report.json").write_text(json.dumps({"device": device, "groups": report}, indent=1))
    with zipfile.ZipFile(out / "records.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted([*runs.glob("*.jsonl"), *runs.glob("weights/**/*.npz")]):
            archive.write(path, path.relative_to(runs))
    size = (out / "records.zip").stat().st_size
    print(f"records.zip: {size / 2**20:.2f} MiB" + (" is larger than the door" if size > FILE_BYTES else ""))


# ---------------------------------------------------------------- here: what came back


def collect(options):
    """Checks that every record bears the right label, and merges them with their weights."""
    import tempfile

    from drsn_lib import records

    target = pathlib.Path(options.into) if options.into else records.SHIPPED
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(pathlib.Path(options.folder) / "records.zip") as archive:
            archive.extractall(folder)
        kinds = collections.Counter()
        for path in sorted(pathlib.Path(folder).glob("*.jsonl")):
            found = records.read_file(path)
            kinds.update(record["device"]["kind"] for record in found)
        wrong = {kind: number for kind, number in kinds.items() if kind != options.device}
        if wrong:
            raise SystemExit(f"Records of another device than {options.device}: {wrong}. Nothing was added.")
        added = records.merge(folder, target)
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file())
    print(f"{added} of {sum(kinds.values())} records added to {target}, which holds {size / 2**20:.2f} MiB now")


if __name__ == "__main__":
    sys.exit(main())
