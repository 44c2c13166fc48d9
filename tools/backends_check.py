"""Test the library on TensorFlow, JAX and PyTorch, and carry saved models from each of them to the others.

    python tools/backends_check.py                          # all three (`make test-backends`)
    python tools/backends_check.py --backend jax            # one; given twice, two and what they exchange
    python tools/backends_check.py --after-make-test        # TensorFlow's tests have just passed: only its exchange
    python tools/backends_check.py tests/test_ops.py        # some of the tests, and no exchange
    python tools/backends_check.py --pytest="-x --pdb"      # more words for pytest

Each backend has processes of its own. TensorFlow runs in the environment of this Python; JAX and PyTorch in
.venv-backends, made from requirements/backends.txt and kept. A backend that cannot be had is said aloud and counts
as a failure where CI=true.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-backends"
LOCK = ROOT / "requirements" / "backends.txt"
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}

# What runs on every backend; where only some of a file's tests touch one, pytest's words for choosing them.
TESTS = {
    "tests/test_ops.py": "",
    "tests/test_layers.py": "",
    "tests/test_models.py": "",
    "tests/test_saving.py": "",
    "tests/test_training.py": "",
    "tests/test_augment.py": "",
    "tests/test_fit.py": "",
    "tests/test_many.py": "",
    "tests/test_bench.py": "test_port_computes or test_steps",
    "tests/test_records.py": "test_weights or load_model",
    "tests/test_gpu_records.py": "another_device or from_plan",
    "tests/test_docstrings.py": "test_examples and (ops or models or layers or augment or training)",
}
# Tests that start Keras and that `make test` alone runs, and why.
TENSORFLOW_ALONE = {
    "tests/test_command_line.py": "it starts processes; what they do on a backend is tested by test_fit.py",
    "tests/test_recipes.py": "recipes are plain data; the layers and optimizers that they name are tested elsewhere",
}
# JAX compiles most and takes longest: these files are a process of their own there, about half of its time.
APART_ON_JAX = ("tests/test_many.py", "tests/test_fit.py")
EXCHANGE = "tests/test_exchange.py"

VARIABLES = {
    "tensorflow": {},
    # JAX compiles every operation for every shape, and these tests compute next to nothing: most of XLA's
    # optimizations are left out, and what is compiled is kept beside the environment, for other processes and runs.
    "jax": {
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(VENV / "jax-cache"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    },
    # Apple's graphics processor, which Keras would take by itself, has no float64.
    "torch": {"KERAS_TORCH_DEVICE": "cpu", "OMP_NUM_THREADS": "1"},
}

VERSIONS = "import sys, keras, importlib; print(importlib.import_module(sys.argv[1]).__version__, keras.__version__)"


@dataclass
class Job:
    """One process: what it is called, what it runs, and what came of it."""

    backend: str
    kind: str
    command: list
    variables: dict
    after: tuple = ()  # kinds of job that must all have ended
    counts: dict = field(default_factory=dict)
    seconds: float = 0.0
    status: int | None = None


# ---------------------------------------------------------------- the environment


def torch_can_be_had(python):
    """Whether pip finds the PyTorch that the lock names; nothing of it is installed by asking."""
    pins = [line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("torch==")]
    with tempfile.TemporaryDirectory(prefix="drsn-torch-") as folder:
        wanted = Path(folder) / "torch.txt"
        wanted.write_text("\n".join(pins) + "\n", encoding="utf-8")
        command = [python, "-m", "pip", "install", "--dry-run", "--no-deps", "--ignore-installed", "--quiet"]
        done = subprocess.run([*command, "--no-input", "-r", wanted], capture_output=True, text=True)
    return done.returncode == 0


def make_environment(backends):
    """Make or mend .venv-backends; (exit status, the backends that can be tested)."""
    if not {"jax", "torch"} & set(backends):
        return 0, backends

    def environment(lock, *more):
        command = [sys.executable, ROOT / "tools" / "environment.py", "--venv", VENV, "--lock", lock]
        return subprocess.run([*command, "--no-project", *more]).returncode

    base = ["--asked", os.path.realpath(sys.executable)]
    if environment(LOCK, "--check", *base) == 0:
        return 0, backends
    if torch_can_be_had(sys.executable):
        return environment(LOCK, *base), backends
    without = ROOT / "_build" / "backends-without-torch.txt"
    without.parent.mkdir(exist_ok=True)
    lines = LOCK.read_text(encoding="utf-8").splitlines()
    without.write_text("\n".join(line for line in lines if not line.startswith("torch==")) + "\n", encoding="utf-8")
    return environment(without, *base), [name for name in backends if name != "torch"]


def python_of(backend):
    """The Python that has the backend."""
    return sys.executable if backend == "tensorflow" else str(VENV / "bin" / "python")


def variables_of(backend):
    """A backend's environment variables: none of the reader's that would choose another one."""
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONHOME", "JAX_ENABLE_X64")}
    own = {"KERAS_BACKEND": backend, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONUTF8": "1"}
    return {**kept, **own, **VARIABLES[backend]}


# ---------------------------------------------------------------- the jobs


def choice(tests):
    """Pytest's words for running these files, of some of them only a part."""
    parts = [f"(not {Path(name).stem} or ({words}))" for name, words in tests.items() if words]
    return [*tests, *(["-k", " and ".join(parts)] if parts else [])]


def jobs_for(backends, paths, folder, words, tested=()):
    """The processes to run, the longest first as far as they may; backends that were `tested` only exchange."""
    # Not the options of pyproject.toml: they are for the notebooks, and need a plugin that is not everywhere.
    pytest = ["-m", "pytest", "-o", "addopts=", "--strict-markers", "-q", "-ra", "-p", "no:cacheprovider", *words]
    tests = {name: "" for name in paths} or TESTS
    order = [name for name in ("jax", "tensorflow", "torch") if name in backends]
    jobs = []

    def add(backend, kind, command, after=(), **variables):
        variables = {**variables_of(backend), **variables}
        jobs.append(Job(backend, kind, [python_of(backend), *command], variables, after))

    if not paths and len(order) > 1:
        for backend in order:
            add(backend, "writing models", [str(ROOT / "tests" / "exchange.py"), str(folder)])
    for backend in order:
        if backend not in tested:
            apart = [name for name in tests if backend == "jax" and name in APART_ON_JAX]
            rest = [name for name in tests if name not in apart]
            for number, names in enumerate(filter(None, (apart, rest))):
                kind = f"tests{', the others' if number else ''}"
                add(backend, kind, [*pytest, *choice({name: tests[name] for name in names})])
    if not paths and len(order) > 1:
        for backend in order:
            where = {"DRSN_EXCHANGE": str(folder), "JAX_ENABLE_X64": "0"}  # as JAX runs by default
            add(backend, "exchange", [*pytest, EXCHANGE], ("writing models",), **where)
    return jobs


def run_all(jobs, folder, at_once):
    """Run the jobs, some side by side, each on its own core; show each as it ends."""
    waiting, running = list(jobs), {}
    try:
        while waiting or running:
            for job in list(waiting):
                left = any(other.kind in job.after for other in waiting + [one[0] for one in running.values()])
                if len(running) < at_once and not left:
                    waiting.remove(job)
                    log = folder / f"{job.backend}-{job.kind.replace(' ', '-')}.log"
                    with log.open("w") as file:
                        process = subprocess.Popen(
                            job.command, cwd=ROOT, env=job.variables, stdout=file, stderr=subprocess.STDOUT
                        )
                    running[job.backend, job.kind] = (job, process, log, time.monotonic())
            for key, (job, process, log, start) in list(running.items()):
                if process.poll() is not None:
                    del running[key]
                    job.status, job.seconds = process.returncode, time.monotonic() - start
                    show(job, log.read_text(errors="replace"))
            time.sleep(0.1)
    except KeyboardInterrupt:
        for _, process, _, _ in running.values():
            process.terminate()
        raise


def show(job, text):
    """Print what a process said: all of it where it failed, else its closing line and what it skipped."""
    title = f"{NAMES[job.backend]}, {job.kind}"
    closing = re.findall(r"(?m)^=*\s*(\d+ (?:passed|failed|error|skipped).* in [\d.]+s(?: \([\d:]+\))?)\s*=*$", text)
    if job.kind != "writing models":
        job.counts = {word: int(n) for n, word in re.findall(r"(\d+) (passed|failed|skipped|error)", " ".join(closing))}
        if job.status == 0 and not job.counts.get("passed"):
            job.status = 5
    if job.status != 0:
        print(text, flush=True)
        print(f"{title}: FAILED (exit status {job.status})", flush=True)
    else:
        skipped = [line for line in text.splitlines() if line.startswith("SKIPPED")]
        said = closing[-1] if closing else text.strip().splitlines()[-1]
        print("\n".join([*skipped, f"{title}: {said}"]), flush=True)


# ---------------------------------------------------------------- what came of it


def table(jobs, versions, missing):
    """Counts and seconds by backend, a line each."""
    rows = [("backend", "version", "passed", "failed", "skipped", "exchanged", "seconds")]
    for backend, name in NAMES.items():
        own = [job for job in jobs if job.backend == backend]
        if own:

            def total(kind, *words, own=own):
                found = [job.counts.get(word, 0) for job in own for word in words if job.kind.startswith(kind)]
                return sum(found) if found else "-"

            failed = total("", "failed", "error")
            numbers = (total("tests", "passed"), failed, total("tests", "skipped"), total("exchange", "passed"))
            rows.append((name, versions[backend], *numbers, f"{sum(job.seconds for job in own):.0f}"))
        elif backend in missing:
            rows.append((name, "NOT RUN", *5 * ("-",)))
    widths = [max(len(str(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [str(cell) for cell in row]
        left = "  ".join(cell.ljust(width) for cell, width in zip(cells[:2], widths[:2], strict=True))
        yield left + "  " + "  ".join(cell.rjust(width) for cell, width in zip(cells[2:], widths[2:], strict=True))


def largest_differences(folder):
    """What was compared across backends, with its largest difference, a line each."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            one = json.loads(line)
            count, largest = found.get(one["what"], (0, one))
            found[one["what"]] = (count + 1, max(largest, one, key=lambda each: each["difference"]))
    for what, (count, one) in found.items():
        where = f"{one['model']}, {NAMES[one['from']]} to {NAMES[one['to']]}"
        words = f"{what}: {count} comparisons, largest difference {one['difference']:.1e} ({where})"
        yield f"{words}, at most {one['bound']:.0e} allowed"


def main(arguments=None):
    """Make the environment, run the jobs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("paths", nargs="*", help="files of tests (default: all that every backend must pass)")
    parser.add_argument("--backend", action="append", choices=NAMES, help="this one alone (may be repeated)")
    parser.add_argument("--pytest", default="", metavar="WORDS", help="more words for pytest")
    parser.add_argument("--after-make-test", action="store_true", help="leave out TensorFlow's tests, just run")
    options = parser.parse_args(arguments)
    asked = [name for name in NAMES if name in (options.backend or NAMES)]
    status, backends = make_environment(asked)
    if status != 0:
        return status
    missing = [name for name in asked if name not in backends]
    if missing:
        version = ".".join(map(str, sys.version_info[:2]))
        pin = next(line for line in LOCK.read_text(encoding="utf-8").splitlines() if line.startswith("torch=="))
        sorry = (
            f"PyTorch is NOT tested: {pin.split(' ;')[0]} cannot be had for Python {version} from where pip looks. "
            "CONTRIBUTING.md (The three backends) says what to do."
        )
        print(sorry, flush=True)
    start, versions = time.monotonic(), {}
    for name in backends:
        done = subprocess.run(
            [python_of(name), "-c", VERSIONS, name], capture_output=True, text=True, env=variables_of(name)
        )
        if done.returncode != 0:
            print(done.stderr, file=sys.stderr)
            print(f"{NAMES[name]} does not start in {Path(python_of(name)).parent.parent}.", file=sys.stderr)
            return 1
        versions[name], keras = done.stdout.split()[-2:]
        versions[name] += f", Keras {keras}"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with tempfile.TemporaryDirectory(prefix="drsn-backends-") as name:
        folder = Path(name)
        exchange = folder / "exchange"
        exchange.mkdir()
        jobs = jobs_for(
            backends, options.paths, exchange, shlex.split(options.pytest), options.after_make_test * ("tensorflow",)
        )
        try:
            run_all(jobs, folder, min(cores, 3))
        except KeyboardInterrupt:
            return 130
        print("\n" + "\n".join(table(jobs, versions, missing)))
        print("\n".join(largest_differences(exchange)))
    failed = [f"{NAMES[job.backend]}, {job.kind}" for job in jobs if job.status != 0]
    print(f"All in {time.monotonic() - start:.0f} s." if not failed else f"Failed: {'; '.join(failed)}", flush=True)
    if missing:
        print(sorry, flush=True)
    return int(bool(failed) or (bool(missing) and os.environ.get("CI") == "true"))


if __name__ == "__main__":
    sys.exit(main())
