"""Write the numbers that live figures bring along: drsn_lib/widgets/data/NAME.json from tools/figure_data/NAME.py.

    python tools/make_figure_data.py                 # all
    python tools/make_figure_data.py digit_networks  # one
    python tools/make_figure_data.py --check         # write nothing; say which files are out of date

Each module has a function `build()` that returns what the file holds: dictionaries, lists, numbers, and arrays as
`drsn_lib.widgets._base.pack` writes them. Trained weights come from the records that the package ships; what a
network computes differs in its last digits between processors, so `--check` compares with a tolerance.
"""

import argparse
import importlib.util
import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "tools" / "figure_data"
DATA = ROOT / "drsn_lib" / "widgets" / "data"

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(ROOT))


def names():
    """The names of all data files, sorted."""
    return sorted(path.stem for path in MODULES.glob("[a-z]*.py"))


def build(name):
    """What the file NAME.json must hold."""
    spec = importlib.util.spec_from_file_location(f"figure_data_{name}", MODULES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build()


def _histograms(*lists):
    """Whether all are long lists of heights between 0 and 1."""
    return all(
        isinstance(x, list) and len(x) > 1000 and {type(v) for v in x} == {float} and 0 <= min(x) <= max(x) <= 1
        for x in lists
    )


def differences(fresh, stored, place=""):
    """Yield the places where two files' contents differ by more than a processor's last digits."""
    import numpy as np

    from drsn_lib.widgets._base import unpack

    if isinstance(fresh, dict) and isinstance(stored, dict) and fresh.keys() == stored.keys():
        for key in fresh:
            yield from differences(fresh[key], stored[key], f"{place}.{key}")
    elif _histograms(fresh, stored) and len(fresh) == len(stored):
        # A value at the edge of a bar falls to either side of it: one count more or less, in few bars.
        apart = np.abs(np.subtract(fresh, stored))
        if apart.max() > 0.1 or np.mean(apart > 5e-3) > 1e-3:
            yield f"{place}: heights of bars differ by up to {apart.max():.3f}"
    elif isinstance(fresh, (list, tuple)) and isinstance(stored, list) and len(fresh) == len(stored):
        for number, (a, b) in enumerate(zip(fresh, stored, strict=True)):
            yield from differences(a, b, f"{place}[{number}]")
    elif isinstance(fresh, float) and isinstance(stored, (int, float)):
        if not np.isclose(fresh, stored, rtol=5e-3, atol=5e-3):
            yield f"{place}: {stored} is stored, {fresh} was computed"
    elif fresh != stored:
        try:
            a, b = unpack(fresh), unpack(stored)
            same = a.shape == b.shape and np.allclose(a, b, rtol=5e-3, atol=5e-3)
        except (TypeError, ValueError):
            same = False
        if not same:
            yield f"{place}: {str(stored)[:60]!r} is stored, {str(fresh)[:60]!r} was computed"


def main(arguments=None):
    """Write or compare the files."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(names())} (default: all)")
    parser.add_argument("--check", action="store_true", help="write nothing; say what is out of date")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - set(names()))
    if unknown:
        parser.error(f"{', '.join(unknown)}: no such data; there are {', '.join(names())}")
    DATA.mkdir(exist_ok=True)
    stale = 0
    for name in options.names or names():
        path, fresh = DATA / f"{name}.json", build(name)
        if options.check:
            found = list(differences(fresh, json.loads(path.read_text(encoding="utf8")))) if path.exists() else ["none"]
            stale += bool(found)
            print(f"{name}: " + ("as stored" if not found else f"out of date, {len(found)} places: {found[0]}"))
        else:
            text = json.dumps(fresh, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
            path.write_text(text + "\n", encoding="utf8")
            print(f"{name}: {path.stat().st_size:,} bytes")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
