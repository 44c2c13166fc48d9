"""Put a gate together piece by piece and time each piece, on every backend that is installed.

    .venv/bin/python benchmarks/pieces.py

A fixed threshold is the soft threshold alone, its numbers given. A learned fraction needs the mean magnitude of every
channel besides. A shrinkage unit has both and the small network; a SENet has the network and a product. All are timed
in turns with the ResNet, in training and inference. Results go to benchmarks/results/pieces.json.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import run  # noqa: E402

PATH = ROOT / "benchmarks" / "results" / "pieces.json"
VARIANTS = ("resnet", "fixed-threshold", "learned-fraction", "senet", "drsn-cw")
NETWORKS = ("mnist", "vibration")
SECONDS = 40  # a backend, network and mode


def measure(networks=NETWORKS, variants=VARIANTS, seconds=SECONDS):
    """Times the variants side by side on the backend of this process; returns the rows to store."""
    import keras

    from benchmarks import compare, steps

    rows = []
    for network in networks:
        for mode in steps.MODES:
            ways = {variant: steps.step(mode, *steps.network(network, variant)) for variant in variants}
            times = steps.in_turns(ways, seconds)
            for variant, found in times.items():
                row = {"backend": keras.backend.backend(), "network": network, "mode": mode, "variant": variant}
                row |= {"rounds": len(found), "milliseconds": round(1e3 * statistics.median(found), 3)}
                row["to_resnet"] = {k: round(v, 4) for k, v in compare.ratio(found, times[variants[0]]).items()}
                rows.append(row)
    return rows


def main():
    """Measure on one backend after the other, store, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--here", action="store_true", help="measure on this process' backend and print JSON")
    if parser.parse_args().here:
        print(json.dumps({"versions": run.circumstances(0)["versions"], "rows": measure()}))
        return
    os.environ["KERAS_BACKEND"] = "tensorflow"
    results = {**run.circumstances(os.getloadavg()[0]), "backend": [], "pieces": []}
    for backend in run.BACKENDS:
        python = run.python_of(backend)
        if python is None:
            sys.exit(f"{backend} is wanted: `make test-backends` makes the environment that has it.")
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run([python, __file__, "--here"], env=environment, stdout=subprocess.PIPE, check=True)
        found = json.loads(done.stdout.decode().splitlines()[-1])
        results["backend"].append(backend)
        results["versions"] |= {name: found["versions"][name] for name in (backend, "keras")}
        results["pieces"] += found["rows"]
    PATH.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    for row in results["pieces"]:
        named = "  ".join(f"{row[key]:<{width}}" for key, width in NAMED.items())
        print(f"{named} {row['milliseconds']:9.2f} ms  {row['to_resnet']['ratio']:.2f}")


NAMED = {"backend": 10, "network": 9, "mode": 9, "variant": 16}


if __name__ == "__main__":
    main()
