"""Run each notebook as Colab would: alone in an empty folder, with Colab's versions and the installed wheel.

    python tools/colab_check.py                        # every notebook (`make colab`)
    python tools/colab_check.py notebooks/NAME.ipynb
    python tools/colab_check.py --newest               # the newest versions instead of Colab's (the weekly run)
    python tools/colab_check.py --slow-machine         # as on an older processor: one core each, AVX2 alone

The environment (.venv-colab, Python 3.13 where there is one) is made from requirements/colab.txt and kept. The
wheel is built from the working tree and installed without its dependencies, as the bootstrap cell does it.

Trained numbers differ between processors, and Colab's are not ours. With `--slow-machine` every notebook runs on
one core with AVX2 alone, so that its claims are seen to hold with other versions and on another processor at
once; as many notebooks run side by side as there are cores.

A notebook that needs a data set which is not on this machine is left out by name: see tools/execute_notebooks.py.
"""

import argparse
import concurrent.futures
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import execute_notebooks

ROOT = Path(__file__).resolve().parent.parent
LARGEST_WHEEL = 15_000_000
COLAB_PYTHON = "3.13"

# Imports every module from the wheel and looks for the files that it must carry.
IMPORT_CHECK = """
import importlib, json, pathlib, pkgutil, sys
import drsn_lib
folder = pathlib.Path(drsn_lib.__file__).parent
assert "site-packages" in folder.parts, f"drsn_lib comes from {folder}, not from the wheel"
assert "keras" not in sys.modules, "importing drsn_lib alone starts Keras"
missing = [name for name in json.loads(sys.argv[1]) if not (folder / name).is_file()]
assert not missing, f"the wheel lacks {missing}"
names = [module.name for module in pkgutil.walk_packages([str(folder)], "drsn_lib.") if "__main__" not in module.name]
for name in names:
    importlib.import_module(name)
import keras
print(f"{len(names)} modules imported; Python {sys.version.split()[0]}, Keras {keras.__version__}")
"""

# Runs one notebook where it lies, with the environment's own nbclient; prints the fault as JSON.
RUN_NOTEBOOK = """
import json, sys, nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
notebook = nbformat.read(sys.argv[1], as_version=4)
for cell in notebook.cells:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
number = 0
class Client(NotebookClient):
    async def async_execute_cell(self, cell, cell_index, *a, **k):
        global number
        number += cell.cell_type == "code" and bool(cell.source.strip())
        return await super().async_execute_cell(cell, cell_index, *a, **k)
client = Client(notebook, timeout=900, kernel_name="python3", store_widget_state=False)
try:
    client.execute()
except CellExecutionError as error:
    print(json.dumps({"cell": number, "error": str(error)}))
except (CellTimeoutError, DeadKernelError) as error:
    print(json.dumps({"cell": number, "error": f"{type(error).__name__}: {error}"}))
else:
    print(json.dumps({"cells": number}))
"""


def find_python():
    """The command of a Python of Colab's version, or this Python's where there is none."""
    candidates = [f"python{COLAB_PYTHON}"]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    candidates += [str(path / "bin" / "python3") for path in sorted(pyenv.glob(f"{COLAB_PYTHON}*"), reverse=True)]
    for command in candidates:
        try:
            done = subprocess.run([command, "--version"], capture_output=True, text=True)
        except OSError:
            continue
        if done.returncode == 0 and done.stdout.startswith(f"Python {COLAB_PYTHON}."):
            return command
    version = ".".join(map(str, sys.version_info[:2]))
    print(f"Python {COLAB_PYTHON}, which Colab has, was not found: using Python {version}.", flush=True)
    return os.path.realpath(sys.executable)


def isolated():
    """An environment for programs that must see nothing of the repository."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    for name in ("VIRTUAL_ENV", "MPLBACKEND", "KERAS_BACKEND"):
        environment.pop(name, None)
    environment.update(TF_CPP_MIN_LOG_LEVEL="3", JUPYTER_PREFER_ENV_PATH="1", PYTHONUTF8="1")
    return environment


def run(command, **options):
    """Run a program to its end; a failure shows what it printed and stops the check."""
    done = subprocess.run(command, capture_output=True, text=True, env=isolated(), **options)
    if done.returncode != 0:
        words = (done.stdout + done.stderr).strip().splitlines()[-15:]
        print("\n".join("  | " + line for line in words), file=sys.stderr)
        raise SystemExit(f"failed: {' '.join(map(str, command))[:120]}")
    return done.stdout.strip()


def build_wheel(folder):
    """Build the wheel from the working tree and return its path."""
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT])
    (wheel,) = Path(folder).glob("*.whl")
    size = wheel.stat().st_size
    if size >= LARGEST_WHEEL:
        raise SystemExit(f"{wheel.name}: {size:,} bytes; under {LARGEST_WHEEL:,} expected")
    print(f"{wheel.name}: {size / 1e6:.2f} MB", flush=True)
    return wheel


def package_data():
    """The files of the package that are no Python code: the wheel must carry each."""
    folder = ROOT / "drsn_lib"
    kept = {".js", ".css", ".npz", ".json", ".svg"}
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.suffix in kept)


def check_wheel_contents(wheel):
    """The wheel holds the package and its metadata, and nothing of the rest of the repository."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    foreign = sorted(top for top in tops if top != "drsn_lib" and not top.endswith(".dist-info"))
    if foreign:
        raise SystemExit(f"{wheel.name} holds what is not the package's: {', '.join(foreign)}")
    licenses = [name for name in names if ".dist-info/licenses/" in name]
    for needed in ("LICENSE", "LICENSE-MNIST"):
        if not any(name.endswith("/" + needed) for name in licenses):
            raise SystemExit(f"{wheel.name} lacks {needed}")


def older_processor(notebook):
    """The variables under which a notebook computes as on a processor that has AVX2 alone."""
    variables = {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    if "bfloat16" in Path(notebook).read_text(encoding="utf-8"):
        # TensorFlow sees the real processor, asks oneDNN for a product in bfloat16, and dies of its refusal.
        variables["TF_ENABLE_ONEDNN_OPTS"] = "0"
    return variables


def run_alone(python, notebook, folder, core=None):
    """Run a copy of a notebook in an empty folder; return (seconds, fault or None, number of code cells).

    Where a core is named, the notebook gets that one alone, and of its instructions those of an older processor.
    """
    place = Path(folder) / notebook.stem
    place.mkdir()
    copy = place / notebook.name
    copy.write_bytes(notebook.read_bytes())
    start = time.monotonic()
    command, environment = [python, "-c", RUN_NOTEBOOK, copy.name], isolated()
    if core is not None:
        command = ["taskset", "-c", str(core), *command]
        environment.update(older_processor(notebook))
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True)
    seconds = time.monotonic() - start
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (ValueError, IndexError):
        return seconds, "the runner failed:\n" + (done.stdout + done.stderr)[-2000:], 0
    if "error" in answer:
        return seconds, f"code cell {answer['cell']}:\n{execute_notebooks.strip_ansi(answer['error'])[-3000:]}", 0
    return seconds, None, answer["cells"]


def run_side_by_side(python, notebooks, folder, slow):
    """Run the notebooks, and yield each with what came of it as it ends."""
    cores = sorted(os.sched_getaffinity(0)) if slow and shutil.which("taskset") else [None]
    if slow and cores == [None]:
        print("taskset is not to be had here: the notebooks run on all cores, one after another.", flush=True)
    free = queue.SimpleQueue()
    for core in cores:
        free.put(core)

    def on_a_free_core(notebook):
        core = free.get()
        try:
            return notebook, run_alone(python, notebook, folder, core)
        finally:
            free.put(core)

    with concurrent.futures.ThreadPoolExecutor(len(cores)) as pool:
        for future in concurrent.futures.as_completed([pool.submit(on_a_free_core, one) for one in notebooks]):
            yield future.result()


def sort_out(notebooks):
    """The notebooks whose data are here, and the names of those whose data are not; says which those are and why."""
    there, absent = [], []
    for notebook in notebooks:
        lacking = execute_notebooks.lacking_data(notebook)
        if lacking is None:
            there.append(notebook)
        else:
            absent.append(execute_notebooks.name_of(notebook))
            print(f"{absent[-1]}: NOT run: {lacking}", flush=True)
    return there, absent


def main(arguments=None):
    """Make the environment, install the wheel and run the notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("paths", nargs="*", help="notebooks (default: all)")
    parser.add_argument("--newest", action="store_true", help="the newest versions instead of Colab's")
    parser.add_argument("--slow-machine", action="store_true", help="each on one core of an older processor")
    options = parser.parse_args(arguments)
    notebooks, absent = sort_out(execute_notebooks.find_notebooks(options.paths))
    venv = ROOT / (".venv-newest" if options.newest else ".venv-colab")
    lock = ROOT / "requirements" / ("book.in" if options.newest else "colab.txt")
    command = [sys.executable, ROOT / "tools" / "environment.py", "--venv", venv, "--lock", lock, "--no-project"]
    if subprocess.run([*command, "--check"]).returncode != 0:
        made = subprocess.run([*command, "--prefer", find_python()])
        if made.returncode != 0:
            return made.returncode
    python = venv / "bin" / "python"
    failed = []
    with tempfile.TemporaryDirectory(prefix="drsn-colab-") as folder:
        wheel = build_wheel(Path(folder) / "wheel")
        check_wheel_contents(wheel)
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", "--force-reinstall", wheel])
        print(run([python, "-c", IMPORT_CHECK, json.dumps(package_data())], cwd=folder), flush=True)
        for notebook, (seconds, fault, cells) in run_side_by_side(python, notebooks, folder, options.slow_machine):
            name = execute_notebooks.name_of(notebook)
            print(f"{name}: {f'{cells} code cells' if fault is None else 'FAILED'}, {seconds:.0f} s", flush=True)
            if fault is not None:
                failed.append(name)
                print(f"{name}, {fault}", file=sys.stderr, flush=True)
    print(
        f"{len(notebooks) - len(failed)} of {len(notebooks)} notebooks ran alone"
        + (f"; failed: {', '.join(failed)}" if failed else ".")
        + (f" Not run, for want of data: {', '.join(absent)}." if absent else "")
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
