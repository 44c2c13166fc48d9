"""Check code, spelling, configuration files and addresses (`make lint`); each check is a command of the lock's.

python tools/lint.py          # every check, all faults
python tools/lint.py --fix    # mend first what ruff can mend
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import set_repository
import yaml

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
SPELLED = ["book", "drsn_lib", "tests", "benchmarks", "tools", "requirements", ".github", ".ci"]


def yaml_files():
    """Every YAML file of the project."""
    files = [ROOT / "_config.yml", ROOT / "environment.yml", ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"]
    files += sorted((ROOT / ".github").rglob("*.yml")) + sorted((ROOT / "book").rglob("*.yml"))
    return [str(path.relative_to(ROOT)) for path in files]


def workflow_files():
    """Every workflow of GitHub's."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / ".github" / "workflows").glob("*.yml"))]


def workflow_faults():
    """What the workflows' schema cannot see: each make target that they call exists, each job has a time limit."""
    targets = {
        line.split(":")[0]
        for line in (ROOT / "Makefile").read_text(encoding="utf-8").splitlines()
        if line[:1].isalpha() and ":" in line and not line.split(":")[1].startswith("=")
    }
    for name in workflow_files():
        jobs = yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))["jobs"]
        for job, content in jobs.items():
            if "timeout-minutes" not in content:
                yield f"{name}: job {job} has no timeout-minutes"
            for step in content["steps"]:
                for line in step.get("run", "").splitlines():
                    words = line.split()
                    called = [word for word in words[1:] if word.isidentifier() or "-" in word[1:]] if words else []
                    if words[:1] == ["make"]:
                        called = [word for word in words[1:] if "=" not in word and not word.startswith("-")]
                        yield from (f"{name}: make has no target {word}" for word in called if word not in targets)


def write_notebook_texts(folder):
    """What authors wrote in notebooks, as text files: stored pictures are full of letters that spell nothing."""
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        parts = [["".join(cell["source"]), *strings(cell["metadata"].get("mystnb", {}))] for cell in cells]
        text = "\n\n".join(f"cell {number}\n" + "\n".join(part) for number, part in enumerate(parts, 1))
        (Path(folder) / f"{path.stem}.txt").write_text(text, encoding="utf-8")


def strings(value):
    """Every string of a JSON value: captions and alternative texts."""
    if isinstance(value, str):
        return [value]
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [found for item in items for found in strings(item)]


def commands(fix, notebook_texts):
    """The checks: a name and a command each."""
    text = [name for name in SPELLED if (ROOT / name).exists()] + [notebook_texts]
    text += [path.name for path in sorted(ROOT.glob("*.md"))] + ["CITATION.cff", "Makefile", "pyproject.toml"]
    if fix:
        yield "ruff, mending", [BIN / "ruff", "check", "--fix", "--quiet", "."]
        yield "ruff, formatting", [BIN / "ruff", "format", "--quiet", "."]
    yield "ruff check", [BIN / "ruff", "check", "--quiet", "."]
    yield "ruff format", [BIN / "ruff", "format", "--check", "--quiet", "."]
    yield "codespell", [BIN / "codespell", *text]
    yield "yamllint", [BIN / "yamllint", "--strict", "-d", YAML_RULES, *yaml_files()]
    schema = [BIN / "check-jsonschema", "--quiet", "--builtin-schema"]
    yield "workflow schema", [*schema, "vendor.github-workflows", *workflow_files()]
    yield "citation schema", [*schema, "vendor.citation-file-format", "CITATION.cff"]


YAML_RULES = (
    "{extends: default, rules: {line-length: {max: 120}, document-start: disable, truthy: {check-keys: false},"
    " comments: {min-spaces-from-content: 1}, braces: {max-spaces-inside: 1}}}"
)


def main(arguments=None):
    """Run every check; fail where one fails."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--fix", action="store_true", help="mend first what ruff can mend")
    options = parser.parse_args(arguments)
    failed = []
    with tempfile.TemporaryDirectory(prefix="drsn-spelling-") as folder:
        write_notebook_texts(folder)
        for name, command in commands(options.fix, folder):
            done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True)
            print(f"{name}: {'good' if done.returncode == 0 else 'FAILED'}", flush=True)
            if done.returncode != 0:
                failed.append(name)
                print((done.stdout + done.stderr).strip(), flush=True)
    for name, faults in [("addresses", set_repository.check()), ("workflow targets", list(workflow_faults()))]:
        print(f"{name}: {'good' if not faults else 'FAILED'}")
        if faults:
            failed.append(name)
            print("\n".join(f"  {fault}" for fault in faults))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
