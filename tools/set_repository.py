"""Set the repository's address and the version everywhere from their one home each.

    python tools/set_repository.py OWNER/NAME        # move the project: pyproject.toml first, then all the rest
    python tools/set_repository.py                   # carry address and version from their homes everywhere
    python tools/set_repository.py --check           # change nothing; fail where a place differs
    python tools/set_repository.py --bootstrap-cell  # print the source of a notebook's first code cell

The address lives in pyproject.toml (``[project.urls] Repository``), the version in ``drsn_lib/__init__.py``.
Badges, citation, the book's configuration and the notebooks' bootstrap cells follow them.
"""

import argparse
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})/[A-Za-z0-9._-]+")
BOOTSTRAP = "bootstrap"
TEXT_SUFFIXES = {".md", ".yml", ".yaml", ".cff", ".toml", ".ipynb", ".py", ".html", ".cfg", ".bib", ".rst", ".txt"}
PASSED_OVER = {".git", "_build", "build", "dist", "__pycache__", ".ipynb_checkpoints", "node_modules"}

# Where an address must stand: the file, and a pattern whose group "slug" is OWNER/NAME.
PLACES = [
    ("README.md", r"https://github\.com/(?P<slug>[\w.-]+/[\w.-]+)/actions/workflows/tests\.yml/badge\.svg"),
    ("README.md", r"https://colab\.research\.google\.com/github/(?P<slug>[\w.-]+/[\w.-]+)/blob/"),
    ("README.md", r"git clone https://github\.com/(?P<slug>[\w.-]+/[\w.-]+)(?= )"),
    ("CITATION.cff", r"(?m)^repository-code: \"?https://github\.com/(?P<slug>[\w.-]+/[\w.-]+)\"?$"),
    ("_config.yml", r"(?m)^  url: \"?https://github\.com/(?P<slug>[\w.-]+/[\w.-]+)\"?$"),
]


def home_slug(root=ROOT):
    """OWNER/NAME, from pyproject.toml."""
    address = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    slug = address.removeprefix("https://github.com/")
    if slug == address or not SLUG.fullmatch(slug):
        raise SystemExit(f"pyproject.toml: Repository is {address!r}; expected https://github.com/OWNER/NAME")
    return slug


def home_version(root=ROOT):
    """The version, from drsn_lib/__init__.py."""
    text = (root / "drsn_lib" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'(?m)^__version__ = "([^"]+)"$', text)
    if not match:
        raise SystemExit('drsn_lib/__init__.py: expected a line __version__ = "X.Y.Z"')
    return match.group(1)


def pages_address(slug):
    """Where GitHub Pages shows the book of a repository."""
    owner, name = slug.split("/")
    return f"https://{owner.lower()}.github.io/{name}"


def bootstrap_source(slug=None, version=None):
    """The source of a notebook's first code cell: on Colab it installs the library, elsewhere it does nothing."""
    slug, version = slug or home_slug(), version or home_version()
    return (
        "# On Colab this installs the book's library; anywhere else it does nothing.\n"
        "import sys\n"
        "\n"
        'if "google.colab" in sys.modules:\n'
        f"    %pip install --quiet --no-deps https://github.com/{slug}/archive/refs/tags/v{version}.zip"
    )


def bootstrap_cell(slug=None, version=None):
    """The first code cell of a notebook, as JSON."""
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": BOOTSTRAP,
        "metadata": {"tags": [BOOTSTRAP, "remove-cell"]},
        "outputs": [],
        "source": bootstrap_source(slug, version).splitlines(keepends=True),
    }


def is_bootstrap(cell):
    """Whether a notebook's cell is the bootstrap cell."""
    return cell.get("cell_type") == "code" and BOOTSTRAP in cell.get("metadata", {}).get("tags", [])


def text_files(root):
    """The project's text files that may hold its address."""
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if PASSED_OVER & set(parts) or any(part.startswith(".venv") for part in parts):
            continue
        if path.is_file() and path.suffix in TEXT_SUFFIXES:
            yield path


def replace_slug(text, old, new):
    """Text with every address of the old repository turned into that of the new one."""
    if old == new:
        return text
    text = re.sub(rf"(github\.com/|/github/){re.escape(old)}(?![\w-])", rf"\g<1>{new}", text)
    return text.replace(pages_address(old), pages_address(new))


def with_bootstrap(text, slug, version):
    """A notebook's text with its bootstrap cell brought up to date."""
    notebook = json.loads(text)
    want, changed = bootstrap_source(slug, version), False
    for cell in notebook["cells"]:
        if is_bootstrap(cell) and "".join(cell["source"]) != want:
            cell["source"], changed = want.splitlines(keepends=True), True
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n" if changed else text


def with_version(text, version):
    """CITATION.cff's text with the version."""
    return re.sub(r"(?m)^version: .*$", f'version: "{version}"', text)


def write(slug, root=ROOT):
    """Make `slug` the address, in its home and everywhere else; return the files that changed."""
    old, version, changed = home_slug(root), home_version(root), []
    for path in text_files(root):
        before = path.read_text(encoding="utf-8")
        after = replace_slug(before, old, slug)
        if path.suffix == ".ipynb":
            after = with_bootstrap(after, slug, version)
        elif path.name == "CITATION.cff":
            after = with_version(after, version)
        for name, pattern in PLACES:
            if path == root / name:
                after = re.sub(pattern, lambda found: found.group().replace(found["slug"], slug), after)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path.relative_to(root).as_posix())
    return changed


def check(root=ROOT):
    """One line for each place whose address or version is not that of its home."""
    slug, version, lines = home_slug(root), home_version(root), []
    for name, pattern in PLACES:
        path = root / name
        found = [match["slug"] for match in re.finditer(pattern, path.read_text(encoding="utf-8"))]
        if not found:
            lines.append(f"{name}: nothing matches {pattern}")
        lines += [f"{name}: address {other}, expected {slug}" for other in found if other != slug]
    citation = (root / "CITATION.cff").read_text(encoding="utf-8")
    if f'\nversion: "{version}"\n' not in citation:
        lines.append(f'CITATION.cff: expected version: "{version}"')
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        name = path.relative_to(root).as_posix()
        code = [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == "code"]
        if not code or not is_bootstrap(code[0]):
            lines.append(f"{name}: the first code cell is not the bootstrap cell (tag {BOOTSTRAP!r})")
        elif "".join(code[0]["source"]) != bootstrap_source(slug, version):
            lines.append(f"{name}: the bootstrap cell differs from `python tools/set_repository.py --bootstrap-cell`")
    return lines


def main(arguments=None):
    """Set, carry or check the address."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("slug", nargs="?", metavar="OWNER/NAME", help="the new address on GitHub")
    parser.add_argument("--check", action="store_true", help="change nothing; fail where a place differs")
    parser.add_argument("--bootstrap-cell", action="store_true", help="print the bootstrap cell's source")
    options = parser.parse_args(arguments)
    if options.slug and not SLUG.fullmatch(options.slug):
        parser.error(f"{options.slug!r} is not of the form OWNER/NAME")
    if options.bootstrap_cell:
        print(bootstrap_source())
        return 0
    if not options.check:
        changed = write(options.slug or home_slug())
        print("\n".join(changed) or "Nothing had to be changed.")
    lines = check()
    for line in lines:
        print(line, file=sys.stderr)
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
