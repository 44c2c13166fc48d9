"""Run the notebooks and store their outputs, so that running them again gives the same bytes.

    python tools/execute_notebooks.py                      # every notebook of notebooks/ (`make notebooks`)
    python tools/execute_notebooks.py notebooks/NAME.ipynb
    python tools/execute_notebooks.py --check              # write nothing; say which outputs would change

A notebook is replaced only when all of it has run; an error or Ctrl-C leaves the file as it was. Of the outputs,
only what a reader sees is stored: no widget state, no times, no folder of this machine.

Some notebooks need a data set that the package does not bring; their metadata says so, `"drsn": {"needs":
["cifar10.npz"]}`. Where it is not in the data folder they are left out by name, with the call that fetches it; one
that was asked for by its name has then failed.
"""

import argparse
import hashlib
import os
import re
import sys
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = ROOT / "notebooks"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# What a notebook may need in the data folder, and the call that puts it there.
FETCHED_BY = {
    "cifar10.npz": "data.load_cifar10()",
    "mnist.npz": "data.load_mnist(full=True)",
    "cwru": "data.load_cwru()",
}
LANGUAGE = {"name": "python", "file_extension": ".py", "mimetype": "text/x-python", "pygments_lexer": "ipython3"}
# What editors and hosts add of their own; none of it is the author's.
FLEETING_NOTEBOOK = {"widgets", "signature", "toc", "vscode", "accelerator"}
FLEETING_CELL = {"execution", "ExecuteTime", "outputId", "executionInfo", "trusted", "collapsed", "scrolled", "id"}


class NotebookError(Exception):
    """A notebook that could not be run; the message names notebook, cell and error."""


def lacking_data(path):
    """What a notebook needs and is not there: file, folder and the call that fetches it; None if nothing lacks.

    A need that nobody knows how to fetch is a `NotebookError`: a slip of the pen must not skip a notebook for ever.
    """
    try:
        needs = nbformat.read(path, as_version=4).metadata.get("drsn", {}).get("needs", [])
    except Exception as error:
        raise NotebookError(f"{name_of(path)}: not a notebook ({type(error).__name__}: {error})") from error
    if not needs:
        return None
    from drsn_lib import data

    unknown = [name for name in needs if name not in FETCHED_BY]
    if unknown:
        raise NotebookError(
            f"{name_of(path)}: its metadata needs {', '.join(map(repr, unknown))}; known are "
            f"{', '.join(map(repr, FETCHED_BY))} (FETCHED_BY in tools/execute_notebooks.py)"
        )
    folder = data.cache_directory()
    lacking = [name for name in needs if not (folder / name).exists()]
    if not lacking:
        return None
    calls = "; ".join(FETCHED_BY[name] for name in lacking)
    return (
        f"it needs {', '.join(lacking)}, not to be found in {folder} (DRSN_DATA names another folder); "
        f'python -c "from drsn_lib import data; {calls}" fetches it'
    )


def stable_id(position, source):
    """A cell id that depends on nothing but the cell's first place and text."""
    return hashlib.sha256(f"{position}\0{source}".encode()).hexdigest()[:8]


def strip_ansi(text):
    """Text without terminal colors."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def without_machine(value, replacements):
    """A JSON value with this machine's folders taken out of its strings."""
    if isinstance(value, str):
        for found, put in replacements:
            value = value.replace(found, put)
        return value
    if isinstance(value, list):
        return [without_machine(item, replacements) for item in value]
    if isinstance(value, dict):
        return type(value)({key: without_machine(item, replacements) for key, item in value.items()})
    return value


def machine_folders():
    """The folders of this machine that a traceback or a warning may print, longest first, and what stands for each."""
    folders = {str(ROOT): "", sys.prefix: "", os.path.realpath(sys.prefix): "", sys.base_prefix: ""}
    pairs = [(folder.rstrip("/") + "/", put) for folder, put in folders.items() if len(folder) > 1]
    pairs.append((str(Path.home()) + "/", "~/"))
    return sorted(pairs, key=lambda pair: -len(pair[0]))


def tidy(notebook):
    """Keep of a notebook only what does not change from one run to the next; return it."""
    notebook.metadata = nbformat.NotebookNode(
        {key: value for key, value in notebook.metadata.items() if key not in FLEETING_NOTEBOOK}
    )
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.metadata["language_info"] = dict(LANGUAGE)
    replacements, seen = machine_folders(), set()
    notebook.nbformat, notebook.nbformat_minor = 4, max(5, notebook.get("nbformat_minor", 5))
    for position, cell in enumerate(notebook.cells):
        identity = cell.get("id")
        if not identity or identity in seen:
            identity = stable_id(position, cell.source)
        seen.add(identity)
        cell["id"] = identity
        cell.metadata = nbformat.NotebookNode(
            {key: value for key, value in cell.metadata.items() if key not in FLEETING_CELL}
        )
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            # Without the widgets' state, which is not stored, a view is an error message; its name is random.
            output.get("data", {}).pop(WIDGET_VIEW, None)
        cell.outputs = [
            nbformat.from_dict(without_machine(output, replacements))
            for output in cell.outputs
            if not is_progress(output)
            and (output.output_type not in ("display_data", "execute_result") or output.get("data"))
        ]
    return notebook


def is_progress(output):
    """Whether an output is a progress bar: where no kernel runs, it would stand at nothing done for ever."""
    data = output.get("data", {})
    return set(data) <= {"text/plain"} and re.search(r"\d+%\|.*\| *\d+/\d+ \[", "".join(data.get("text/plain", "")))


def text_of(notebook):
    """The text of a notebook file."""
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def name_of(path):
    """A path as a person would name it: from the repository where it lies in it."""
    path = Path(path).resolve()
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def kernel_environment():
    """The environment of the kernel: this Python's packages alone, and no log lines among the outputs."""
    environment = dict(os.environ)
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "MPLBACKEND"):
        environment.pop(name, None)
    environment["TF_CPP_MIN_LOG_LEVEL"] = "3"
    environment["JUPYTER_PREFER_ENV_PATH"] = "1"  # the kernel of this environment, not one of the user's
    others = ROOT / ".venv-backends" / "bin" / "python"  # JAX and PyTorch, for the page that carries models there
    if others.is_file():
        environment.setdefault("DRSN_OTHER_PYTHON", str(others))
    return environment


class Runner(NotebookClient):
    """A client that reports each finished cell."""

    def __init__(self, notebook, on_cell, **options):
        super().__init__(notebook, **options)
        self._on_cell = on_cell
        self.cell_number = 0

    async def async_execute_cell(self, cell, cell_index, *arguments, **options):
        """Run one cell and count it."""
        if cell.cell_type == "code" and cell.source.strip():
            self.cell_number += 1
        done = await super().async_execute_cell(cell, cell_index, *arguments, **options)
        self._on_cell()
        return done


def run_notebook(path, on_cell=lambda: None, timeout=900):
    """Run one notebook and return it, tidied, with its outputs.

    Args:
        path: The notebook's file; it is only read.
        on_cell: Called after every cell.
        timeout: The most seconds that one cell may take.
    """
    path = Path(path)
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:
        raise NotebookError(f"{name_of(path)}: not a notebook ({type(error).__name__}: {error})") from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = Runner(
        notebook,
        on_cell,
        kernel_name="python3",
        timeout=timeout,
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # errors alone
        resources={"metadata": {"path": str(path.parent.resolve())}},
    )
    try:
        client.execute(env=kernel_environment())
    except CellExecutionError as error:
        lines = strip_ansi(error.traceback).strip().splitlines()
        shown = "\n".join("  | " + line for line in lines[-25:])
        message = f"{name_of(path)}, code cell {client.cell_number}: {error.ename}: {error.evalue}\n{shown}"
        raise NotebookError(message) from error
    except CellTimeoutError as error:
        message = f"{name_of(path)}, code cell {client.cell_number}: took longer than {timeout} s"
        raise NotebookError(message) from error
    except DeadKernelError as error:
        message = f"{name_of(path)}, code cell {client.cell_number}: the kernel died (out of memory?)"
        raise NotebookError(message) from error
    return tidy(notebook)


def compared(cell):
    """Whether a cell's outputs are held to the letter: not those of trainings, which differ between processors."""
    return not {"nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))


def differences(stored, fresh):
    """One line for each code cell whose outputs would change."""
    lines = []
    if [cell.source for cell in stored.cells] != [cell.source for cell in fresh.cells]:
        return ["its cells differ"]
    number = 0
    for old, new in zip(stored.cells, fresh.cells, strict=True):
        if old.cell_type != "code":
            continue
        number += bool(old.source.strip())
        if compared(old) and (old.outputs != new.outputs):
            first = old.source.strip().splitlines()[:1]
            lines.append(f"code cell {number} ({first[0] if first else 'empty'}) gives other outputs")
    return lines


def write_whole(path, text):
    """Replace a file in one step, so that no moment shows half of it."""
    path = Path(path)
    part = path.with_name(path.name + ".part")
    try:
        part.write_text(text, encoding="utf-8")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def find_notebooks(paths):
    """The notebooks named, or all of the book's."""
    found = []
    for path in map(Path, paths or [NOTEBOOKS]):
        if path.is_dir():
            found += sorted(item for item in path.rglob("*.ipynb") if ".ipynb_checkpoints" not in item.parts)
        elif path.suffix == ".ipynb" and path.exists():
            found.append(path)
        else:
            raise NotebookError(f"{path}: there is no such notebook or folder")
    return found


def main(arguments=None):
    """Run the notebooks that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("paths", nargs="*", help="notebooks or folders (default: notebooks/)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where outputs would change")
    parser.add_argument("--timeout", type=float, default=900, help="the most seconds for one cell")
    options = parser.parse_args(arguments)
    failed = False
    named = {Path(path).resolve() for path in options.paths}
    try:
        paths, absent = find_notebooks(options.paths), {}
        for path in paths:
            lacking = lacking_data(path)
            if lacking is not None:
                absent[path] = lacking
        paths = [path for path in paths if path not in absent]
        total = sum(len(nbformat.read(path, as_version=4).cells) for path in paths)
    except Exception as error:
        print(error, file=sys.stderr)
        return 2
    for path, lacking in absent.items():
        # Out of all notebooks it may be left out; asked for by its name, it may not.
        failed = failed or path.resolve() in named
        print(f"{name_of(path)}: NOT run: {lacking}", file=sys.stderr, flush=True)
    with tqdm(total=total, unit="cell", smoothing=0.1, disable=None, file=sys.stderr) as bar:
        for path in paths:
            name, start, before = name_of(path), time.monotonic(), bar.n
            bar.set_description(Path(path).stem)
            try:
                fresh = run_notebook(path, bar.update, options.timeout)
            except NotebookError as error:
                failed = True
                bar.write(str(error), file=sys.stderr)
                bar.update(before + len(nbformat.read(path, as_version=4).cells) - bar.n)
                continue
            except KeyboardInterrupt:
                bar.write("Interrupted; the notebooks that had not run to their end are as they were.", file=sys.stderr)
                return 130
            words = f"{name}: {time.monotonic() - start:.1f} s"
            if options.check:
                lines = differences(nbformat.read(path, as_version=4), fresh)
                failed = failed or bool(lines)
                bar.write("\n  ".join([words + (", outputs hold" if not lines else ""), *lines]), file=sys.stdout)
            else:
                text = text_of(fresh)
                same = text == Path(path).read_text(encoding="utf-8")
                if not same:
                    write_whole(path, text)
                size = f"{len(text.encode()) / 1e3:.0f} kB"
                bar.write(f"{words}, {size}, {'unchanged' if same else 'stored'}", file=sys.stdout)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
