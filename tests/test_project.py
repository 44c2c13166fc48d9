"""The project around the library: its lock, its papers, its two commands and its checks, each of which can fail."""

import ast
import base64
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import zipfile
from pathlib import Path

import backends_check
import browser
import build_book
import check_book
import colab_check
import environment
import execute_notebooks
import lint
import lock
import nbformat
import pytest
import set_repository
import yaml

ROOT = Path(__file__).resolve().parent.parent
SUPPORTED = {"3.11", "3.12", "3.13"}


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


# ---------------------------------------------------------------- lock files and environment.yml


@pytest.mark.parametrize(("name", "size"), [("book", 100), ("colab", 100), ("backends", 40)])
def test_lock_pins_everything_and_names_no_index(name, size):
    lines = list(lock.requirement_lines(ROOT / "requirements" / f"{name}.txt"))
    assert len(lines) > size
    loose = [line for line in lines if not re.match(r"[a-z0-9-]+==[^\s,*]+( ; .+)?$", line)]
    assert loose == []
    text = read(f"requirements/{name}.txt") + read(f"requirements/{name}.in")
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links|file:|@", text)


@pytest.mark.parametrize("name", ["book", "colab", "backends"])
def test_lock_holds_every_name_of_its_source(name):
    from packaging.requirements import Requirement

    pinned = {}
    for line in lock.requirement_lines(ROOT / "requirements" / f"{name}.txt"):
        requirement = Requirement(line)
        pinned.setdefault(lock.canonical(requirement.name), []).append(requirement)
    for line in lock.requirement_lines(ROOT / "requirements" / f"{name}.in"):
        asked = Requirement(line)
        pins = pinned.get(lock.canonical(asked.name), [])
        if asked.name in lock.AS_WRITTEN:
            pins = [pin for pin in pins if str(pin) == str(asked)]
        versions = [next(iter(pin.specifier)).version for pin in pins]
        assert versions, f"{asked.name} is not in {name}.txt: make lock"
        assert all(asked.specifier.contains(version, prereleases=True) for version in versions), (line, versions)


def test_backends_share_the_versions_of_the_book():
    """What the backends are compared by must not differ between their two environments; torch brings no CUDA."""
    book, backends = (
        set(lock.requirement_lines(ROOT / "requirements" / f"{name}.txt")) for name in ("book", "backends")
    )
    named = {lock.requirement_name(line) for line in backends}
    both = {lock.requirement_name(line) for line in book} & named
    assert {"keras", "numpy", "pytest", "scipy"} <= both
    for name in both - {"colorama"}:  # its marker depends on who asks for it

        def of(lines, name=name):
            return sorted(line for line in lines if lock.requirement_name(line) == name)

        assert of(backends) == of(book)
    assert set(backends_check.NAMES) - {"tensorflow"} <= named
    assert not [name for name in named if name.startswith(("nvidia", "triton", "cuda"))]
    torch = {line.partition(" ; ")[2]: line for line in backends if line.startswith("torch==")}
    assert "+cpu" in torch["sys_platform == 'linux'"] and len(torch) == 2


def test_environment_yml_equals_the_lock():
    assert read("environment.yml") == lock.environment_text(), "run make lock"
    conda = yaml.safe_load(read("environment.yml"))
    assert conda["name"] == "drsn-book" and conda["channels"] == ["conda-forge"]
    assert next(item for item in conda["dependencies"] if str(item).startswith("python="))[7:] in SUPPORTED
    (pip,) = [item["pip"] for item in conda["dependencies"] if isinstance(item, dict)]
    assert pip[0] == "-c requirements/book.txt" and pip[-1] == "-e ."
    pins = set(lock.requirement_lines(ROOT / "requirements" / "book.txt"))
    assert set(pip[1:-1]) <= pins
    named = {lock.requirement_name(line) for line in lock.requirement_lines(ROOT / "requirements" / "book.in")}
    assert {lock.requirement_name(line) for line in pip[1:-1]} == named


def test_environment_yml_would_follow_another_lock(tmp_path):
    (tmp_path / "book.in").write_text("numpy>=2  # a reason\n")
    (tmp_path / "book.txt").write_text("numpy==2.4.6\nsix==1.17.0\n")
    text = lock.environment_text(tmp_path)
    assert '"numpy==2.4.6"' in text and "six" not in text


def test_the_lock_is_installed_here():
    """The tests say something about the lock only where they run on it; the weekly newest run is the exception."""
    stamp = environment.read_stamp(sys.prefix)
    if stamp.get("digest") != environment.digest_of(
        str(ROOT / "requirements" / "book.txt"), True, sys.version_info[:2]
    ):
        pytest.skip("this environment was not made by make from requirements/book.txt")
    state = environment.inspect(sys.prefix, str(ROOT / "requirements" / "book.txt"))
    assert state["bad"] == [] and state["broken"] == []


# ---------------------------------------------------------------- the environment


def test_environment_tool_is_readable_by_python_3_6():
    source = read("tools/environment.py")
    ast.parse(source, feature_version=(3, 6))
    modules = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module])
    }
    assert modules <= sys.stdlib_module_names


def fake_python(folder, version, name="python3"):
    """A command that claims to be a Python of another version."""
    path = folder / name
    path.write_text(f'#!/bin/sh\necho "{version} {path}"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.14"])
def test_unsupported_python_is_said_in_one_line(tmp_path, version):
    fake = fake_python(tmp_path, version)
    command = [sys.executable, ROOT / "tools" / "environment.py", "--venv", tmp_path / "venv"]
    asked = subprocess.run([*command, "--asked", fake], capture_output=True, text=True)
    alone = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)})
    for done in (asked, alone):
        assert done.returncode == 2
        assert len(done.stderr.strip().splitlines()) == 1
        assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr and version in done.stderr
    assert not (tmp_path / "venv").exists()


def old_pythons():
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    return [str(path / "bin" / "python3") for path in sorted(versions.glob("3.[6-9].*"))] if versions.exists() else []


@pytest.mark.skipif(not old_pythons(), reason="no Python 3.6 to 3.9 at hand; a claimed one is tested above")
def test_a_real_old_python_can_say_so(tmp_path):
    fake_python(tmp_path, "3.9")
    for python in old_pythons():
        command = [python, ROOT / "tools" / "environment.py", "--venv", tmp_path / "venv"]
        done = subprocess.run(command, capture_output=True, text=True, env={"PATH": str(tmp_path)})
        assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1, (python, done.stderr)


def test_make_without_any_python_says_so_in_one_line(tmp_path):
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    make = shutil.which("make")
    done = subprocess.run(
        [make, "environment", f"VENV={tmp_path}/venv"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )
    words = [line for line in done.stderr.splitlines() if not line.startswith("make: *** [")]
    words = [line for line in words if "***" not in line]
    assert done.returncode != 0 and len(words) == 1 and "Python 3.11, 3.12 or 3.13 is needed" in words[0]


def write_wheel(folder, name="drsntiny", version="1.0"):
    """A wheel of one module, made by hand."""
    files = {
        f"{name}.py": b"value = 1\n",
        f"{name}-{version}.dist-info/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{name}-{version}.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for path, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        rows.append(f"{path},sha256={digest},{len(content)}")
    rows.append(f"{name}-{version}.dist-info/RECORD,,")
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        for path, content in files.items():
            file.writestr(path, content)
        file.writestr(f"{name}-{version}.dist-info/RECORD", "\n".join(rows) + "\n")


def test_environment_is_made_kept_and_mended(tmp_path):
    """From nothing, twice, damaged and interrupted, with a new lock: always whole in the end."""
    write_wheel(tmp_path)
    write_wheel(tmp_path, version="2.0")
    pins, venv = tmp_path / "lock.txt", tmp_path / "venv"
    pins.write_text("# a comment\ndrsntiny==1.0\nnot-for-here==1 ; sys_platform == 'win32'\n")
    command = [sys.executable, ROOT / "tools" / "environment.py", "--venv", venv, "--lock", pins, "--no-project"]
    variables = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "PYTHONPATH": str(tmp_path)}
    variables |= {"PIP_CONFIG_FILE": os.devnull}

    def make(*more):
        return subprocess.run([*command, *more], capture_output=True, text=True, env=variables)

    def version():
        code = "import drsntiny, importlib.metadata as m; print(m.version('drsntiny'), drsntiny.value)"
        return subprocess.run([venv / "bin" / "python", "-I", "-c", code], capture_output=True, text=True).stdout

    assert make("--check").returncode == 1
    done = make("--asked", sys.executable)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Making" in done.stdout and "ready: 1 packages" in done.stdout and version() == "1.0 1\n"
    assert make("--check").returncode == 0
    assert make().stdout == ""  # nothing to do, nothing said

    (site,) = venv.glob("lib/python*/site-packages")
    info, module, stamp = site / "drsntiny-1.0.dist-info", site / "drsntiny.py", venv / environment.STAMP
    for damage in (
        lambda: (info / "RECORD").unlink(),  # pip was killed in the middle of this package
        lambda: module.write_text("val"),
    ):
        damage()
        (venv / environment.INSTALLING).touch()
        done = make()
        assert done.returncode == 0, done.stdout + done.stderr
        assert "interrupted: mending" in done.stdout and version() == "1.0 1\n"
        assert stamp.exists() and not (venv / environment.INSTALLING).exists()

    module.unlink()
    stamp.write_text("{half")
    assert (
        make().returncode == 0
        and version() == "1.0 1\n"
        and json.loads(stamp.read_text())["python"] == list(sys.version_info[:2])
    )
    pins.write_text("drsntiny==2.0\n")
    assert make().returncode == 0 and version() == "2.0 1\n"
    pins.write_text("drsntiny==3.0\n")
    done = make()
    assert done.returncode == 2 and "pip failed" in done.stderr and make("--check").returncode == 1

    pins.write_text("drsntiny==2.0\n")
    (venv / "bin" / "python").unlink()  # a Python that is gone: made anew
    done = make("--asked", sys.executable)
    assert done.returncode == 0 and "Making" in done.stdout and version() == "2.0 1\n"


def test_a_folder_that_is_no_environment_is_never_removed(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    command = [sys.executable, ROOT / "tools" / "environment.py", "--venv", tmp_path, "--asked", sys.executable]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "no virtual environment" in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


# ---------------------------------------------------------------- make


def makefile_targets():
    return dict(re.findall(r"(?m)^([a-z-]+):[^=\n]*?(?:## (.*))?$", read("Makefile")))


def test_every_target_has_a_line_of_help():
    targets = makefile_targets()
    assert {
        "book",
        "open",
        "test",
        "test-backends",
        "notebooks",
        "lab",
        "lint",
        "lock",
        "colab",
        "check",
        "clean",
    } <= targets.keys()
    assert [name for name, words in targets.items() if not words] == []
    done = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    for name, words in targets.items():
        assert re.search(rf"make {name}\s+{re.escape(words)}", done.stdout)


def test_papers_name_only_targets_that_exist():
    for name in ["README.md", "CONTRIBUTING.md", "book/intro.md", ".ci/run"]:
        named = set(re.findall(r"(?:`|^\s*|&& )make ([a-z][a-z-]*)", read(name), flags=re.M))
        assert named and named <= makefile_targets().keys(), name


def test_build_does_what_changed_and_no_less():
    page, note, style, code = "book/a.md", "notebooks/b.ipynb", "book/_static/c.css", "drsn_lib/d.py"
    before = {page: "1", note: "1", style: "1", code: "1", "_config.yml": "1"}
    assert build_book.plan(None, before) == "all"  # the first, or the one after a failure
    assert build_book.plan(before, before) == "nothing"
    assert build_book.plan(before, {**before, page: "2", note: "2"}) == "changed"
    for name in (style, code, "_config.yml"):
        assert build_book.plan(before, {**before, name: "2"}) == "all"
    assert build_book.plan(before, {**before, "book/new.md": "1"}) == "all"
    assert build_book.plan(before, {key: value for key, value in before.items() if key != page}) == "all"


def test_the_book_is_made_from_what_is_watched():
    names = set(build_book.inputs())
    assert {"_config.yml", "book/_toc.yml", "book/intro.md", "drsn_lib/__init__.py", "requirements/book.txt"} <= names
    assert not any("__pycache__" in name for name in names)


# ---------------------------------------------------------------- address and version


def test_address_and_version_are_the_same_everywhere():
    assert set_repository.check() == []


def test_version_has_one_home():
    import drsn_lib

    version = set_repository.home_version()
    assert drsn_lib.__version__ == version and re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert yaml.safe_load(read("CITATION.cff"))["version"] == version
    assert f"/v{version}.zip" in set_repository.bootstrap_source()


@pytest.fixture
def small_project(tmp_path):
    """A copy of the files that hold the address, and one notebook."""
    for name in ["README.md", "CITATION.cff", "_config.yml", "pyproject.toml", "drsn_lib/__init__.py"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    write_notebook(tmp_path / "notebooks" / "01_small.ipynb", [set_repository.bootstrap_cell(), "1 + 1"])
    return tmp_path


def write_notebook(path, cells, metadata=None):
    """A notebook of code cells, given by their source, or of whole cells."""
    cells = [
        cell
        if isinstance(cell, dict)
        else {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{number}",
            "metadata": {},
            "outputs": [],
            "source": textwrap.dedent(cell).strip(),
        }
        for number, cell in enumerate(cells)
    ]
    path.parent.mkdir(exist_ok=True, parents=True)
    notebook = {"cells": cells, "metadata": metadata or {}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def test_the_project_can_move(small_project):
    old = set_repository.home_slug()
    assert set_repository.check(small_project) == []
    set_repository.write("Some-One/a.book", small_project)
    assert set_repository.home_slug(small_project) == "Some-One/a.book"
    assert set_repository.check(small_project) == []
    texts = [path.read_text() for path in small_project.rglob("*") if path.is_file()]
    assert not any(f"github.com/{old}" in text or f"/github/{old}" in text for text in texts)
    assert "some-one.github.io/a.book" in (small_project / "CITATION.cff").read_text()
    nbformat.validate(nbformat.read(small_project / "notebooks" / "01_small.ipynb", as_version=4))
    set_repository.write(old, small_project)
    for name in ["README.md", "CITATION.cff", "_config.yml", "pyproject.toml"]:
        assert (small_project / name).read_text() == read(name)


@pytest.mark.parametrize("name", ["README.md", "CITATION.cff", "_config.yml", "notebooks/01_small.ipynb"])
def test_a_place_that_was_left_behind_is_found(small_project, name):
    path = small_project / name
    path.write_text(path.read_text().replace(set_repository.home_slug(), "other/place"))
    assert any(line.startswith(name) for line in set_repository.check(small_project))


def test_a_new_version_is_carried(small_project):
    path = small_project / "drsn_lib" / "__init__.py"
    path.write_text(path.read_text().replace(set_repository.home_version(), "9.8.7"))
    assert {line.split(":")[0] for line in set_repository.check(small_project)} >= {"CITATION.cff"}
    set_repository.write(set_repository.home_slug(), small_project)
    assert set_repository.check(small_project) == []


def test_bootstrap_cell_does_nothing_here_and_installs_on_colab(monkeypatch):
    from IPython.core.interactiveshell import InteractiveShell

    calls = []
    shell = InteractiveShell()
    shell.register_magic_function(lambda line: calls.append(line), magic_name="pip")
    assert shell.run_cell(set_repository.bootstrap_source()).success and calls == []
    monkeypatch.setitem(sys.modules, "google.colab", sys)
    assert shell.run_cell(set_repository.bootstrap_source()).success
    (line,) = calls
    assert (
        "--no-deps" in line and f"v{set_repository.home_version()}.zip" in line and set_repository.home_slug() in line
    )


@pytest.mark.parametrize("slug", ["nothing", "a/b/c", "https://github.com/a/b", "a b/c", ""])
def test_an_address_of_another_form_is_refused(slug, capsys):
    with pytest.raises(SystemExit):
        set_repository.main([slug or "/"])
    assert "OWNER/NAME" in capsys.readouterr().err


# ---------------------------------------------------------------- papers


def test_readme_code_runs_as_printed(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", read("README.md"), flags=re.S)
    assert len([line for line in code.splitlines() if line.strip()]) <= 12
    code += "\nprint('ACCURACY', model.evaluate(x_test, y_test, verbose=0)[1])\n"
    variables = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, env=variables)
    assert done.returncode == 0, done.stderr[-2000:]
    assert float(re.search(r"ACCURACY ([\d.]+)", done.stdout).group(1)) > 0.8


def test_links_between_papers_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", read("README.md") + read("CONTRIBUTING.md"))
    assert len(targets) >= 5 and [target for target in targets if not (ROOT / target).exists()] == []


def test_readme_shows_a_light_picture():
    (picture,) = re.findall(r"!\[[^\]]{30,}\]\((book/_static/[^)]+)\)", read("README.md"))
    data = (ROOT / picture).read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < 200_000


def test_every_chapter_has_its_colab_link():
    names = set(re.findall(r"/blob/main/(notebooks/[\w.]+)", read("README.md")))
    assert {f"notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")} <= names
    assert all((ROOT / name).exists() for name in names)


def test_licenses_say_what_they_cover():
    assert read("LICENSE").startswith("MIT License")
    assert "Creative Commons Attribution 4.0" in read("LICENSE-text") and len(read("LICENSE-text")) > 15_000
    notice = read("drsn_lib/data/LICENSE-MNIST")
    assert all(word in notice for word in ["CC BY-SA 3.0", "LeCun", "Cortes", "Burges", "creativecommons.org"])


def test_committed_files_name_no_folder_of_a_machine():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode != 0:
        pytest.skip("not a git working tree")
    home = r"(?<![\w.~])/(?:root|home/\w+|Users/\w+)/"
    # Spelled in two parts, so that this file does not hold what it looks for.
    index = "|".join(["pypi" + r"\.org/simple", "files\\." + "pythonhosted", "registry\\." + r"npmjs\.org"])
    found = []
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if path.suffix in {".npz", ".png", ".svg"} or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        found += [f"{name}: {match.group()}" for match in re.finditer(f"{home}|{index}", text)]
    assert found == []


# ---------------------------------------------------------------- the library's promise to the reader


def test_importing_the_library_starts_no_backend():
    code = (
        "import sys, drsn_lib; from drsn_lib import plotting, widgets, data;"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


# ---------------------------------------------------------------- running notebooks


SMALL = [
    "import sys\nimport matplotlib.pyplot as plt\nimport numpy as np",
    "print('one')\nprint('two')\nprint(np.arange(3))",
    """
    figure, axes = plt.subplots()
    axes.plot(np.sin(np.arange(9)))
    plt.show()
    """,
    """
    from drsn_lib import widgets
    widgets.ThresholdLab()
    """,
    "import ipywidgets\nipywidgets.IntSlider(value=3)",
    "from tqdm.notebook import tqdm\nfor _ in tqdm(range(2)):\n    pass",
]


@pytest.fixture(scope="module")
def executed_twice(tmp_path_factory):
    path = write_notebook(tmp_path_factory.mktemp("notebooks") / "small.ipynb", SMALL, {"widgets": {"state": 1}})
    assert execute_notebooks.main([str(path)]) == 0
    first = path.read_text()
    notebook = json.loads(first)
    for cell in notebook["cells"]:  # what an editor leaves behind
        cell["metadata"]["execution"] = {"iopub.execute_input": "2026-01-01T00:00:00Z"}
        cell["execution_count"] = 17
    notebook["metadata"]["language_info"]["version"] = "3.99.0"
    notebook["metadata"]["kernelspec"]["display_name"] = "my kernel"
    path.write_text(json.dumps(notebook))
    assert execute_notebooks.main([str(path)]) == 0
    return first, path.read_text(), path


def test_running_again_gives_the_same_bytes(executed_twice):
    first, second, _ = executed_twice
    assert first == second
    outputs = [output for cell in json.loads(first)["cells"] for output in cell["outputs"]]
    assert any("image/png" in output.get("data", {}) for output in outputs)


def test_stored_notebooks_hold_what_a_reader_sees_and_no_more(executed_twice):
    first, _, _ = executed_twice
    notebook = json.loads(first)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    assert "version" not in notebook["metadata"]["language_info"]
    printed, _, live, slider, progress = [cell["outputs"] for cell in notebook["cells"][1:]]
    assert len(printed) == 1 and "".join(printed[0]["text"]) == "one\ntwo\n[0 1 2]\n"
    (live,) = live
    assert "threshold-lab" in "".join(live["data"]["text/html"])
    assert execute_notebooks.WIDGET_VIEW not in live["data"]
    assert list(slider[0]["data"]) == ["text/plain"] and "IntSlider" in "".join(slider[0]["data"]["text/plain"])
    assert [cell["execution_count"] for cell in notebook["cells"]] == [1, 2, 3, 4, 5, 6]
    assert progress == []


def test_check_says_what_would_change_and_writes_nothing(executed_twice, tmp_path, capsys):
    _, second, _ = executed_twice
    notebook = json.loads(second)
    notebook["cells"] = notebook["cells"][:2]
    path = tmp_path / "old.ipynb"
    path.write_text(json.dumps(notebook))
    assert execute_notebooks.main(["--check", str(path)]) == 0
    notebook["cells"][1]["outputs"][0]["text"] = ["one\n", "three\n"]
    path.write_text(json.dumps(notebook))
    before = path.read_text()
    assert execute_notebooks.main(["--check", str(path)]) == 1
    assert "code cell 2" in capsys.readouterr().out and path.read_text() == before
    notebook["cells"][1]["metadata"]["tags"] = ["nbval-ignore-output"]
    path.write_text(json.dumps(notebook))
    assert execute_notebooks.main(["--check", str(path)]) == 0


def test_a_failing_cell_is_named_and_the_file_kept(tmp_path, capsys):
    path = write_notebook(tmp_path / "broken.ipynb", ["1", "print('before')\nraise ValueError('the reason')", "3"])
    before = path.read_text()
    assert execute_notebooks.main([str(path)]) == 1
    words = capsys.readouterr().err
    assert "broken.ipynb, code cell 2: ValueError: the reason" in words
    assert path.read_text() == before and list(tmp_path.iterdir()) == [path]


def test_an_interrupted_run_leaves_the_file_as_it_was(tmp_path):
    path = write_notebook(tmp_path / "slow.ipynb", ["open('started', 'w').close()", "import time\ntime.sleep(120)"])
    before = path.read_text()
    process = subprocess.Popen(
        [sys.executable, ROOT / "tools" / "execute_notebooks.py", path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (tmp_path / "started").exists()
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) != 0
    assert path.read_text() == before and not list(tmp_path.glob("*.part"))


def test_a_notebook_that_is_none_is_named(tmp_path, capsys):
    (tmp_path / "half.ipynb").write_text('{"cells": [')
    assert execute_notebooks.main([str(tmp_path / "half.ipynb")]) != 0
    assert execute_notebooks.main([str(tmp_path / "missing.ipynb")]) != 0
    assert "missing.ipynb" in capsys.readouterr().err


def needing(path, *names):
    """A notebook that says what it needs; it would leave a file behind if it ran."""
    return write_notebook(path, ["open('ran', 'w').close()"], {"drsn": {"needs": list(names)}})


def test_a_notebook_whose_data_are_not_here_is_left_out_by_name(tmp_path, monkeypatch, capsys):
    store, books = tmp_path / "store", tmp_path / "books"
    monkeypatch.setenv("DRSN_DATA", str(store))
    path = needing(books / "photographs.ipynb", "cifar10.npz")
    before = path.read_text()

    def said():
        done = capsys.readouterr()
        return done.out + done.err

    # Among others it is left out; asked for by name, it has failed.
    for arguments, status in [([str(books)], 0), (["--check", str(books)], 0), ([str(path)], 1)]:
        assert execute_notebooks.main(arguments) == status
        words = said()
        assert "photographs.ipynb: NOT run" in words
        assert "cifar10.npz" in words and str(store) in words and "data.load_cifar10()" in words
    assert colab_check.sort_out([path]) == ([], [str(path)])
    assert "NOT run" in said() and path.read_text() == before and list(books.iterdir()) == [path]

    store.mkdir()
    (store / "cifar10.npz").touch()
    assert execute_notebooks.lacking_data(path) is None
    assert execute_notebooks.main([str(path)]) == 0
    assert (books / "ran").exists() and json.loads(path.read_text())["metadata"]["drsn"] == {"needs": ["cifar10.npz"]}
    assert colab_check.sort_out([path]) == ([path], [])


def test_a_need_that_nobody_can_meet_is_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DRSN_DATA", str(tmp_path))
    path = needing(tmp_path / "slip.ipynb", "cifar1O.npz")
    assert execute_notebooks.main([str(path)]) == 2
    assert "'cifar1O.npz'" in capsys.readouterr().err and not (tmp_path / "ran").exists()


@pytest.mark.parametrize("there", [False, True])
def test_the_tests_skip_a_notebook_whose_data_are_not_here_and_say_so(tmp_path, there):
    """In a process of its own, with this project's conftest and pytest's settings."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "tools").symlink_to(ROOT / "tools")
    needing(tmp_path / "notebooks" / "photographs.ipynb", "cifar10.npz")
    if there:
        (tmp_path / "cifar10.npz").touch()
    command = [sys.executable, "-m", "pytest", "notebooks", "-p", "no:cacheprovider", "-ra"]
    command += ["--nbval", "--nbval-current-env"]
    environment = {**os.environ, "DRSN_DATA": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("1 passed" if there else "1 skipped") in done.stdout
    assert (tmp_path / "notebooks" / "ran").exists() == there
    line = "photographs.ipynb did NOT run: it needs cifar10.npz"
    assert (line in done.stdout) != there
    assert there or (str(tmp_path) in done.stdout and "data.load_cifar10()" in done.stdout)


# ---------------------------------------------------------------- checking the book


PAGE = """<!doctype html><html><head><title>A</title>
<link rel="stylesheet" href="_static/a.css?v=1"><link rel="canonical" href="https://example.org/">
<script src="_static/a.js"></script></head><body><article class="bd-article">
<section id="one"><h1>One</h1><p id="two">see <a href="b.html#three">three</a>, <a href="#one">one</a>,
<a href="https://example.org/x">elsewhere</a></p>
<figure id="fig-a"><img src="_static/a.png" alt="A curve that falls"><figcaption><p><span class="caption-number">
Figure 1 </span><span class="caption-text">A curve.</span></p></figcaption></figure>
<figure id="fig-live"><div><threshold-lab data-state='{}'><p>A curve.</p></threshold-lab></div><figcaption><p>
<span class="caption-number">Figure 2 </span><span class="caption-text">A live curve.</span></p></figcaption></figure>
</section></article></body></html>"""


@pytest.fixture
def small_book(tmp_path):
    """A built book of two pages in which every check finds nothing."""
    static = tmp_path / "_static"
    static.mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "b.html").write_text("<html><body><article><h2 id='three'>x</h2><a href='/index.html'>up</a></article>")
    (static / "a.css").write_text("@font-face {src: url('a.woff2?x')} i {background: url(data:image/png;base64,AA)}")
    (static / "a.js").write_text(
        "const see = 'https://example.org/manual'; function later() { fetch('_static/a.png'); }"
    )
    (static / "a.woff2").write_bytes(b"x")
    (static / "a.png").write_bytes(b"x")
    return tmp_path


def faults(html):
    pages = check_book.read_pages(html)
    checks = [check_book.check_links, check_book.check_resources, check_book.check_figures, check_book.check_ids]
    return [line for check in checks for line in check(pages)]


def test_a_sound_book_passes(small_book):
    assert faults(small_book) == []


def test_a_page_that_leads_on_must_lead_somewhere(small_book):
    onward = '<meta http-equiv="Refresh" content="0; url=b.html" />'
    (small_book / "first.html").write_text(onward)
    assert faults(small_book) == []
    (small_book / "first.html").write_text(onward.replace("b.html", "gone.html"))
    assert "'gone.html' leads nowhere" in faults(small_book)[0]


CDN = "https://cdn.example.org/x"
BREAKAGES = {
    "a link to no page": ("b.html#three", "c.html", "leads nowhere"),
    "an anchor that is not there": ("b.html#three", "b.html#four", "anchor"),
    "an anchor of the page itself": ('"#one"', '"#none"', "anchor"),
    "a link out of the book": ("b.html#three", "../outside.html", "leads nowhere"),
    "a script from elsewhere": ("_static/a.js", f"{CDN}.js", "fetches https"),
    "a script from elsewhere, no scheme": ("_static/a.js", "//cdn.example.org/x.js", "fetches //"),
    "a style from elsewhere": ("_static/a.css?v=1", f"{CDN}.css", "fetches https"),
    "a picture from elsewhere": ('src="_static/a.png"', f'src="{CDN}.png"', "fetches https"),
    "a picture that is not there": ('src="_static/a.png"', 'src="_static/b.png"', "not there"),
    "a preconnection": ('rel="canonical"', 'rel="preconnect"', "fetches https"),
    "a frame": ("</section>", f'<iframe src="{CDN}"></iframe></section>', "<iframe src>"),
    "a style in the page": ("</head>", f"<style>@import '{CDN}.css';</style></head>", "<style> fetches"),
    "a style of an element": ('<p id="two"', f'<p style="background:url({CDN}.png)" id="two"', "<p style> fetches"),
    "a fetch in the page": ("</head>", f"<script>fetch('{CDN}.json')</script></head>", "a script in the page"),
    "an import in the page": ("</head>", f"<script>import('{CDN}.mjs')</script></head>", "a script in the page"),
    "a figure without number": ("caption-number", "other", "has no number"),
    "a figure without caption": ("A curve.</span>", "</span>", "has no caption"),
    "a picture without text": ('alt="A curve that falls"', 'alt=" "', "has no text (alt)"),
    "a picture named by its file": ("A curve that falls", "_static/a.png", "has no text (alt)"),
    "a live figure without words": ("<p>A curve.</p>", "", "without JavaScript"),
    "an id that stands twice": ('id="two"', 'id="one"', "stands 2 times"),
}


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_broken_page_is_caught(small_book, name):
    old, new, words = BREAKAGES[name]
    assert old in PAGE
    (small_book / "index.html").write_text(PAGE.replace(old, new, 1))
    found = faults(small_book)
    assert any(words in line for line in found), found


def test_a_picture_of_a_cell_must_be_a_figure(small_book):
    cell = '<div class="cell_output"><img src="_static/a.png" alt="A curve that falls"></div></section>'
    (small_book / "index.html").write_text(PAGE.replace("</section>", cell))
    assert any("no numbered figure" in line for line in faults(small_book))
    live = "<threshold-lab data-state='{}'>words</threshold-lab></section>"
    (small_book / "index.html").write_text(PAGE.replace("</section>", live))
    assert any("no numbered figure" in line for line in faults(small_book))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.css", "@import url(https://cdn.example.org/a.css);"),
        ("a.css", "i {background: url('//cdn.example.org/a.png')}"),
        ("a.css", "i {background: url(gone.png)}"),
        ("a.js", "fetch(`https://cdn.example.org/a.json`)"),
        ("a.js", "new WebSocket('wss://example.org/')"),
        ("a.js", "r.open('GET', 'https://example.org/a')"),
        ("a.js", "s.src = 'https://example.org/lib.js'"),
        ("a.js", "load('https://cdn.jsdelivr.net/npm/x')"),
    ],
)
def test_what_styles_and_scripts_fetch_is_seen(small_book, name, text):
    (small_book / "_static" / name).write_text(text)
    assert any(line.startswith(f"_static/{name}") for line in faults(small_book))


def test_links_into_the_repository_are_checked(small_book):
    slug, root = "owner/name", small_book
    (root / "notebooks").mkdir()
    (root / "notebooks" / "a.ipynb").touch()
    page = '<a href="https://colab.research.google.com/github/{}/blob/main/notebooks/{}.ipynb">run</a></section>'

    def found(name, notebook):
        (small_book / "index.html").write_text(PAGE.replace("</section>", page.format(name, notebook)))
        return list(check_book.check_repository_links(check_book.read_pages(small_book), root, slug))

    assert found(slug, "a") == []
    assert "not in the repository" in found(slug, "b")[0]
    assert "another repository" in found("else/where", "a")[0]
    assert "stands in no page" in next(check_book.check_notebooks_in_book(check_book.read_pages(small_book), root))


def test_a_name_of_the_library_without_its_place_is_found(small_book):
    page = small_book / "book" / "api" / "ops.html"
    page.parent.mkdir(parents=True)
    page.write_text("<html><body><article><section id='drsn_lib.ops.soft_threshold'></section></article></body></html>")
    pages = check_book.read_pages(small_book)
    assert list(check_book.check_library(pages, ["ops.soft_threshold"])) == []
    found = list(check_book.check_library(pages, ["ops.soft_threshold", "ops.new", "layers.Shrinkage"]))
    assert found == [
        "book/api/ops.html: nothing is said of drsn_lib.ops.new",
        "book/api/layers.html: nothing is said of drsn_lib.layers.Shrinkage",
    ]


@pytest.fixture
def sound_notebook(tmp_path):
    bootstrap = set_repository.bootstrap_cell() | {"execution_count": 1}
    path = write_notebook(tmp_path / "notebooks" / "a.ipynb", [bootstrap, "print(1)"])
    notebook = json.loads(path.read_text())
    notebook["cells"][1] |= {
        "execution_count": 2,
        "outputs": [{"output_type": "stream", "name": "stdout", "text": ["1\n"]}],
    }
    return path, notebook


NOTEBOOK_BREAKAGES = {
    "widget state": (lambda book: book["metadata"].update(widgets={}), "widget state"),
    "not executed": (lambda book: book["cells"][1].update(execution_count=None), "not executed"),
    "out of order": (lambda book: book["cells"][1].update(execution_count=7), "not executed"),
    "too large": (lambda book: book["cells"][1]["outputs"][0].update(text=["x" * 1_000_000]), "expected (fewer"),
    "no bootstrap": (lambda book: book["cells"][0]["metadata"].update(tags=[]), "not the bootstrap cell"),
    "old bootstrap": (lambda book: book["cells"][0].update(source=["import sys"]), "tools/set_repository.py"),
    "a stored error": (
        lambda book: book["cells"][1]["outputs"].append(
            {"output_type": "error", "ename": "E", "evalue": "v", "traceback": []}
        ),
        "holds the error E: v",
    ),
    "error stream": (lambda book: book["cells"][1]["outputs"][0].update(name="stderr"), "error stream"),
    "a folder of the machine": (
        lambda book: book["cells"][1]["outputs"][0].update(text=[f"{Path.home()}/secret"]),
        "an output that names",
    ),
}


@pytest.mark.parametrize("name", [None, *NOTEBOOK_BREAKAGES])
def test_stored_notebooks_are_checked(sound_notebook, name):
    path, notebook = sound_notebook
    spoil, words = NOTEBOOK_BREAKAGES.get(name, (lambda book: None, None))
    spoil(notebook)
    path.write_text(json.dumps(notebook))
    found = list(check_book.check_notebook(path, path.parent.parent, set_repository.bootstrap_source()))
    assert (found == []) if words is None else any(words in line for line in found), found


@pytest.mark.skipif(browser.find_chromium() is None, reason=browser.HOW_TO)
def test_requests_that_only_a_browser_sees_are_caught(small_book):
    pages = check_book.read_pages(small_book)
    assert list(check_book.check_in_browser(pages)) == []
    # Put together while the page runs: no search through the files could find it.
    hidden = "<script>const at = 'example.org'; const i = new Image(); i['s' + 'rc'] = 'https' + '://' + at;</script>"
    (small_book / "index.html").write_text(PAGE.replace("</head>", hidden + "</head>"))
    (small_book / "b.html").write_text("<html><body><p class='math'>\\(x\\)</p></body></html>")
    found = list(check_book.check_in_browser(check_book.read_pages(small_book)))
    assert any("asks for https://example.org" in line for line in found)
    assert any("formulas were not set" in line for line in found)


# ---------------------------------------------------------------- the other checks


def schema_accepts(schema, *paths):
    """Whether check-jsonschema accepts the files; run here, for starting it anew takes seconds."""
    from check_jsonschema import main
    from click.testing import CliRunner

    return CliRunner().invoke(main, ["--builtin-schema", schema, *map(str, paths)]).exit_code == 0


def test_workflows_and_citation_fit_their_schemas(tmp_path):
    assert len(lint.workflow_files()) == 3
    workflows = [ROOT / name for name in lint.workflow_files()]
    broken = tmp_path / "broken.yml"
    for schema, paths, old, new in [
        ("vendor.github-workflows", workflows, "jobs:", "jbos:"),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"], "authors:", "author:"),
    ]:
        assert schema_accepts(schema, *paths)
        broken.write_text(paths[0].read_text().replace(old, new))
        assert not schema_accepts(schema, broken)


def test_workflows_call_targets_that_exist(tmp_path, monkeypatch):
    assert list(lint.workflow_faults()) == []
    shutil.copytree(ROOT / ".github", tmp_path / ".github")
    shutil.copy(ROOT / "Makefile", tmp_path)
    path = tmp_path / ".github" / "workflows" / "book.yml"
    path.write_text(path.read_text().replace("make book", "make nothing").replace("    timeout-minutes: 20\n", ""))
    monkeypatch.setattr(lint, "ROOT", tmp_path)
    found = list(lint.workflow_faults())
    assert len(found) == 2 and "nothing" in found[1] and "timeout" in found[0]


def test_a_wheel_with_foreign_files_or_without_licenses_is_refused(tmp_path):
    def wheel(*names):
        path = tmp_path / "drsn_lib-1-py3-none-any.whl"
        with zipfile.ZipFile(path, "w") as file:
            for name in names:
                file.writestr(name, "x")
        return path

    licenses = ["drsn_lib-1.dist-info/licenses/LICENSE", "drsn_lib-1.dist-info/licenses/drsn_lib/data/LICENSE-MNIST"]
    colab_check.check_wheel_contents(wheel("drsn_lib/__init__.py", *licenses))
    with pytest.raises(SystemExit, match="what is not the package's: tests"):
        colab_check.check_wheel_contents(wheel("drsn_lib/__init__.py", "tests/test_a.py", *licenses))
    with pytest.raises(SystemExit, match="lacks LICENSE-MNIST"):
        colab_check.check_wheel_contents(wheel("drsn_lib/__init__.py", licenses[0]))


def test_a_notebook_runs_alone_or_its_cell_is_named(tmp_path):
    place = tmp_path / "runs"
    place.mkdir()
    good = write_notebook(tmp_path / "good.ipynb", ["import os", "assert os.listdir() == ['good.ipynb'], os.listdir()"])
    bad = write_notebook(tmp_path / "bad.ipynb", ["1", "open('beside.csv')"])
    assert colab_check.run_alone(sys.executable, good, place)[1:] == (None, 2)
    _, fault, _ = colab_check.run_alone(sys.executable, bad, place)
    assert fault.startswith("code cell 2:") and "FileNotFoundError" in fault


def test_every_test_that_starts_keras_runs_on_every_backend_or_says_why_not():
    listed = backends_check.TESTS.keys() | backends_check.TENSORFLOW_ALONE.keys() | {backends_check.EXCHANGE}
    assert [name for name in listed if not (ROOT / name).exists()] == []
    starting = {
        f"tests/{path.name}"
        for path in (ROOT / "tests").glob("test_*.py")
        if re.search(r"(?m)^(import|from) keras\b|return pytest.importorskip\(.keras", path.read_text(encoding="utf-8"))
    }
    assert starting <= listed, "name it in tools/backends_check.py"


def test_a_backend_that_fails_or_cannot_be_had_is_said(tmp_path, monkeypatch, capsys):
    test = tmp_path / "test_it.py"
    monkeypatch.setattr(backends_check, "make_environment", lambda asked: (0, ["tensorflow"]))
    monkeypatch.setattr(backends_check, "VERSIONS", "print('1.2', '3.4')")

    def run(content, ci, backends=("tensorflow",)):
        test.write_text(content)
        monkeypatch.setenv("CI", ci)
        status = backends_check.main([str(test), *(f"--backend={name}" for name in backends)])
        return status, capsys.readouterr().out

    asks = "import os, pytest\ndef test_a():\n    assert os.environ['KERAS_BACKEND'] == 'tensorflow'\n"
    status, words = run(asks + "def test_b():\n    pytest.skip('for a reason')\n", "true")
    assert status == 0 and "for a reason" in words
    assert re.search(r"(?m)^TensorFlow, tests: 1 passed, 1 skipped in [\d.]+s$", words)  # as .ci/run counts them
    assert re.search(r"(?m)^TensorFlow  1.2, Keras 3.4  +1  +0  +1  +-  +\d+$", words)
    assert run("def test_a():\n    assert 1 == 2\n", "")[0] == 1
    status, words = run("def test_a():\n    assert 1 == 2\n", "")
    assert status == 1 and "assert 1 == 2" in words and "Failed: TensorFlow, tests" in words
    assert run("x = 1\n", "")[0] == 1  # no test ran
    for ci, expected in (("", 0), ("true", 1)):
        status, words = run(asks, ci, ("tensorflow", "torch"))
        assert status == expected and "PyTorch is NOT tested: torch==" in words and "NOT RUN" in words


def test_colab_python_is_the_one_that_colab_has_or_said(capsys):
    command = colab_check.find_python()
    version = subprocess.run([command, "--version"], capture_output=True, text=True).stdout.split()[1]
    assert version.startswith(colab_check.COLAB_PYTHON + ".") or "was not found" in capsys.readouterr().out
