"""Resolve what the project installs into exact, universal lock files, and write environment.yml from them.

    python tools/lock.py              # keep every pin that still fits (`make lock`)
    python tools/lock.py --upgrade    # take the newest versions (`make lock UPGRADE=1`)

``requirements/book.in`` becomes ``book.txt`` (what `make` installs), ``colab.in`` becomes ``colab.txt`` (Colab's
versions, for `make colab`), and ``backends.in`` becomes ``backends.txt`` (JAX and PyTorch beside the versions of
``book.txt``, for `make test-backends`). One file serves Python 3.11 to 3.13 on Linux and macOS: markers tell the
cases apart. No index is named, so that a mirror set in pip's own configuration goes on working.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ROOT / "requirements"

HEADERS = {
    "book": """\
# The exact versions that `make` installs: one file for Python 3.11 to 3.13, on Linux and macOS.
# Made from book.in by `make lock` (tools/lock.py); never edited by hand.
""",
    "colab": """\
# The environment that `make colab` runs the notebooks in: Colab's published versions and what they need.
# Made from colab.in by `make lock` (tools/lock.py); never edited by hand.
""",
    "backends": """\
# The environment that `make test-backends` runs JAX and PyTorch in; TensorFlow is tested in the one of `make`.
# Made from backends.in by `make lock` (tools/lock.py); never edited by hand.
""",
}
# The packages whose pins enter a lock as the source writes them: PyTorch's CPU build is in no general registry.
AS_WRITTEN = {"torch"}
ENVIRONMENT_HEADER = """\
# The same environment for conda:  conda env create -f environment.yml && conda activate drsn-book
# Then `make book VENV="$CONDA_PREFIX"` and `make test VENV="$CONDA_PREFIX"` use it instead of .venv.
# Written by `make lock` from requirements/book.in and book.txt; never edited by hand.
"""
CONDA_PYTHON = "3.12"


def canonical(name):
    """The form of a package name in which two spellings of it are equal."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement_lines(path):
    """The requirements of a file, without comments and empty lines."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", line).strip()
        if line:
            yield line


def requirement_name(line):
    """The canonical name of the package that a requirement line asks for."""
    match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
    if not match:
        raise ValueError(f"not a requirement: {line!r} (expected `name==version ; marker`)")
    return canonical(match.group())


def environment_text(requirements=REQUIREMENTS):
    """The text of environment.yml that belongs to the names in book.in and the pins in book.txt."""
    named = {requirement_name(line) for line in requirement_lines(requirements / "book.in")}
    pins = [line for line in requirement_lines(requirements / "book.txt") if requirement_name(line) in named]
    lines = [
        ENVIRONMENT_HEADER + "name: drsn-book",
        "channels:",
        "  - conda-forge",
        "dependencies:",
        f"  - python={CONDA_PYTHON}",
        "  - pip",
        "  - pip:",
        "      - -c requirements/book.txt # everything that the packages below bring along",
        *(f'      - "{pin}"' for pin in pins),
        "      - -e .",
    ]
    return "\n".join(lines) + "\n"


def find_uv(folder):
    """The path of uv: the one on PATH, else one installed for this run alone."""
    found = shutil.which("uv")
    if found:
        return found
    print("uv is not on PATH: installing it for this run", flush=True)
    venv.create(folder, with_pip=True)
    subprocess.run([f"{folder}/bin/python", "-m", "pip", "install", "--quiet", "uv"], check=True)
    return f"{folder}/bin/uv"


def compile_lock(uv, name, upgrade, constraints=None):
    """Resolve requirements/NAME.in and return the text of the lock file.

    Args:
        uv: The command.
        name: `"book"`, `"colab"` or `"backends"`.
        upgrade: Whether to take the newest versions instead of keeping what fits.
        constraints: Text of another lock whose versions are taken for the packages that it names.
    """
    target = REQUIREMENTS / f"{name}.txt"
    lines = list(requirement_lines(REQUIREMENTS / f"{name}.in"))
    written = [line for line in lines if requirement_name(line) in AS_WRITTEN]
    with tempfile.TemporaryDirectory() as folder:
        source, bounds = Path(folder) / f"{name}.in", Path(folder) / "constraints.txt"
        source.write_text("\n".join(line for line in lines if line not in written) + "\n", encoding="utf-8")
        output = Path(folder) / target.name
        if target.exists():
            shutil.copy(target, output)  # pins that uv keeps where they still fit
        command = [uv, "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"]
        command += ["--no-header", "--no-emit-index-url", "--no-emit-find-links", "--no-annotate"]
        command += ["--upgrade"] if upgrade else []
        if constraints is not None:
            bounds.write_text(constraints, encoding="utf-8")
            command += ["--constraint", bounds]
        subprocess.run([*command, source, "--output-file", output], check=True)
        pins = [*requirement_lines(output), *written]
        return HEADERS[name] + "\n".join(sorted(pins, key=requirement_name)) + "\n"


def main():
    """Write the lock files and environment.yml."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that fit")
    parser.add_argument("--environment-only", action="store_true", help="write environment.yml alone, offline")
    arguments = parser.parse_args()
    if not arguments.environment_only:
        with tempfile.TemporaryDirectory() as folder:
            uv = find_uv(folder)
            texts = {name: compile_lock(uv, name, arguments.upgrade) for name in ("book", "colab")}
            texts["backends"] = compile_lock(uv, "backends", arguments.upgrade, constraints=texts["book"])
        for name, text in texts.items():
            (REQUIREMENTS / f"{name}.txt").write_text(text, encoding="utf-8")
            print(f"requirements/{name}.txt: {sum(1 for _ in requirement_lines(REQUIREMENTS / f'{name}.txt'))} pins")
    (ROOT / "environment.yml").write_text(environment_text(), encoding="utf-8")
    print("environment.yml")


if __name__ == "__main__":
    sys.exit(main())
