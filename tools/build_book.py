"""Build the book into _build/html, doing no more than is needed and never less.

    python tools/build_book.py          # `make book`
    python tools/build_book.py --all    # every page, from nothing

Warnings are errors, as in continuous integration. Sphinx by itself rebuilds too little in three cases, which are
therefore built from nothing here: a build after a failed one (it would not repeat the warnings of pages that it has
read), a change of static files or of the configuration alone, and a change of the library that pages quote.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import webbrowser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "_build"
STATE = BUILD / "inputs.json"
INDEX = BUILD / "html" / "index.html"
PAGE_SUFFIXES = {".md", ".ipynb"}
PASSED_OVER = {"__pycache__", ".ipynb_checkpoints", ".ruff_cache", "_build"}


def inputs(root=ROOT):
    """The digest of every file that the book is made from, by its path."""
    files = [root / "_config.yml", root / "requirements" / "book.txt"]
    for folder in ("book", "notebooks", "drsn_lib", "benchmarks/results"):
        files += sorted(path for path in (root / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if path.exists() and not PASSED_OVER & set(path.parts) and path.suffix != ".part"
    }


def plan(before, now):
    """What has to be built: "nothing", "changed" (pages alone were edited) or "all"."""
    if before is None or before.keys() != now.keys():
        return "all"
    changed = [name for name in now if now[name] != before[name]]
    if not changed:
        return "nothing"
    pages = all(Path(name).suffix in PAGE_SUFFIXES and not name.startswith("drsn_lib/") for name in changed)
    return "changed" if pages else "all"


def read_state(path=STATE):
    """The inputs of the last build that succeeded, or None."""
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        return state if isinstance(state, dict) and INDEX.exists() else None
    except (OSError, ValueError):
        return None


def run_shown(command, environment):
    """Run Sphinx, showing what it says: as it is on a terminal, without colors and percentages in a log."""
    if sys.stdout.isatty():
        return subprocess.run(command, cwd=ROOT, env=environment).returncode
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        text=True,
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    for line in process.stdout:
        line = re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()
        if line and not re.search(r"\[ *\d+%\]", line):
            print(line, flush=True)
    return process.wait()


def main():
    """Build what has to be built and say where it stands."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--all", action="store_true", help="build every page from nothing")
    parser.add_argument("--open", action="store_true", help="then show it in the browser (`make open`)")
    arguments = parser.parse_args()
    now = inputs()
    todo = "all" if arguments.all else plan(read_state(), now)
    start = time.monotonic()
    if todo == "nothing":
        print("The book is up to date.")
    else:
        print("Building the book: " + ("every page." if todo == "all" else "the pages that changed."), flush=True)
        STATE.unlink(missing_ok=True)  # until this build succeeds, the next one starts from nothing
        if todo == "all":
            for folder in (BUILD / "html", BUILD / ".doctrees"):
                shutil.rmtree(folder, ignore_errors=True)
        jupyter_book = Path(sys.executable).parent / "jupyter-book"
        command = [jupyter_book, "build", ".", "--toc", "book/_toc.yml"]
        command += ["-W", "-n", "--keep-going"] + (["--all"] if todo == "all" else [])
        # Reading the book needs no network and starts no backend; Sphinx may not find a stray one either.
        environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "SPHINXOPTS")}
        environment.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            status = run_shown(command, environment)
        except KeyboardInterrupt:
            print("\nInterrupted; the next build starts from nothing.", file=sys.stderr)
            return 130
        if status != 0:
            print(
                "The book was not built: mend the warnings and errors above, then run make book again.",
                file=sys.stderr,
            )
            return 1
        STATE.write_text(json.dumps(now, indent=0), encoding="utf-8")
        print(f"The book was built in {time.monotonic() - start:.0f} s.")
    if not arguments.open:
        print(f"Read it: {INDEX}\n     or: make open")
    elif not webbrowser.open(INDEX.as_uri()):
        print(f"No browser could be started. Open {INDEX} by hand.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
