"""Time the networks side by side on every backend that is installed, and print one table (`make bench`).

    python benchmarks/run.py                         # TensorFlow from .venv, JAX and PyTorch from .venv-backends
    python benchmarks/run.py --backend jax           # one backend; may be given more than once
    python benchmarks/run.py -k "mnist and training" # a part, to look at; its results are not stored
    python benchmarks/run.py --stored                # print the stored results again

Results go to benchmarks/results/BACKEND.json. Times mean something on a machine that does nothing else; ratios
stand a good deal of noise, since both of their times come from the same moment.
"""

import argparse
import datetime
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
BACKENDS = ("tensorflow", "jax", "torch")
SCHEMA = 1
BUSY = 0.7  # the load, beside our own, from which on times are doubtful
VERSIONS = """
import importlib.metadata as metadata, json, platform
found = {"python": platform.python_version()}
for package in ("keras", "tensorflow", "tensorflow-cpu", "jax", "torch", "numpy"):
    try:
        found[package.removesuffix("-cpu")] = metadata.version(package)
    except metadata.PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def python_of(backend):
    """The Python that has a backend, or None."""
    if backend == "tensorflow":
        return Path(sys.executable)
    python = ROOT / ".venv-backends" / "bin" / "python"
    return python if python.exists() else None


def machine():
    """What the times were measured on."""
    processor = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        processor = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"processor": processor or platform.machine(), "cores": cores, "system": platform.system()}


def circumstances(load):
    """What a measurement on this Python's backend was made with, and when; `load` is the machine's before it."""
    from drsn_lib.training import facts

    return {
        "device": facts.device(),
        "versions": facts.versions(),
        "machine": {**machine(), "load_before": round(load, 2)},
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit(),
    }


def commit():
    """The commit that was timed, or None outside a clone; `+` says that files were changed since."""
    command = ["git", "-C", str(ROOT)]
    done = subprocess.run([*command, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if done.returncode:
        return None
    changed = subprocess.run([*command, "status", "--porcelain", "--", "drsn_lib", "benchmarks/*.py"], **_QUIET)
    return done.stdout.strip() + ("+" if changed.stdout.strip() else "")


_QUIET = {"capture_output": True, "text": True}


def measure(backend, python, chosen=None):
    """Run the benchmark on one backend.

    Args:
        backend: One of `BACKENDS`.
        python: The Python that has it.
        chosen: String, pytest's `-k`, or None for all.

    Returns:
        The results as they are stored, or None where the run failed; then it has said why.
    """
    load = os.getloadavg()[0]
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drsn-bench-") as folder:
        report = Path(folder) / "report.json"
        command = [python, "-m", "pytest", "benchmarks/test_speed.py", "-o", "addopts=", "-q", "-x", "--no-header"]
        command += [
            "-p",
            "no:cacheprovider",
            "--benchmark-quiet",
            "--benchmark-disable-gc",
            "--benchmark-columns=rounds",
        ]
        command += [f"--benchmark-json={report}", *(["-k", chosen] if chosen else [])]
        environment = {**os.environ, "KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
        done = subprocess.run(command, cwd=ROOT, env=environment, **_QUIET)
        if done.returncode:
            print(f"{backend}: the benchmark failed.\n{done.stdout[-3000:]}{done.stderr[-1000:]}", file=sys.stderr)
            return None
        found = json.loads(report.read_text(encoding="utf-8"))["benchmarks"]
    versions = json.loads(subprocess.run([python, "-c", VERSIONS], check=True, **_QUIET).stdout)
    sys.path.insert(0, str(ROOT))
    return {
        "schema": SCHEMA,
        "backend": backend,
        "versions": versions,
        "machine": {**machine(), "load_before": round(load, 2)},
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "commit": commit(),
        "seconds": round(time.monotonic() - start, 1),
        "results": [row for one in found for row in one["extra_info"]["rows"]],
    }


def table(results):
    """The lines of the table for one backend."""
    versions, machine_ = results["versions"], results["machine"]
    yield (
        f"{results['backend']} {versions[results['backend']]}, Keras {versions['keras']}; {machine_['processor']}, "
        f"{machine_['cores']} cores; {results['date'][:10]}; {results['seconds']:.0f} s"
    )
    yield f"{'network':15} {'step':10} {'variant':8} {'ms':>9}  {'to resnet':21}  {'to many layers':21}  {'MiB':>6}"
    rows = results["results"]
    ports = {(r["network"], r["mode"], r["variant"]): r for r in rows if r["form"] == "port"}
    for row in rows:
        if row["form"] == "layers":
            port = ports.get((row["network"], row["mode"], row["variant"]), {})
            memory = [one.get("memory_mib") for one in (row, port)]
            said = "".join(f"{m:7.1f}" if m is not None else "" for m in memory)
            yield (
                f"{row['network']:15} {row['mode']:10} {row['variant']:8} {row['milliseconds']:9.2f}  "
                f"{_ratio(row.get('to_resnet')):21}  {_ratio(row.get('to_port')):21} {said}"
            ).rstrip()


def _ratio(one):
    if one is None:
        return ""
    over = " !" if one["wanted"] is not None and one["ratio"] > one["wanted"] else ""
    return f"{one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]{over}"


LEGEND = (
    "Ratios are medians over rounds with 95 % bootstrap intervals; ! is above what is wanted. MiB: the peak memory "
    "of a training step beside weights and batch, and that of the same network of many layers."
)


def main():
    """Measure, store, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only this one")
    parser.add_argument("-k", dest="chosen", metavar="EXPRESSION", help="only these, as pytest's -k; not stored")
    parser.add_argument("--stored", action="store_true", help="only print what is stored")
    given = parser.parse_args()
    failed = False
    for backend in given.backend or BACKENDS:
        path, python = RESULTS / f"{backend}.json", python_of(backend)
        if given.stored:
            results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        elif python is None:
            print(f"{backend}: not measured, there is no .venv-backends (make test-backends makes it)\n")
            continue
        else:
            if os.getloadavg()[0] > BUSY and backend == (given.backend or BACKENDS)[0]:
                print(f"The machine is busy (load {os.getloadavg()[0]:.1f}): the times will be too long.\n")
            results = measure(backend, python, given.chosen)
            failed |= results is None
            if results and not given.chosen:
                RESULTS.mkdir(exist_ok=True)
                path.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
        if results:
            print("\n".join(table(results)), end="\n\n", flush=True)
    print(LEGEND)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
