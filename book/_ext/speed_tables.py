"""The tables of the page on speed, made from what `make bench` and its companions stored.

The directive ``{speed-table}`` takes the name of a file of `benchmarks/results` without its ending, and for those of
`make bench` a mode, training or inference. Beneath each table stand device, versions, date and commit. Where nothing
is stored, what the option `missing` says stands in its place. The chart of all ratios is drawn into
`_build/generated` when a build begins.
"""

import json
import sys
from pathlib import Path
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "benchmarks" / "results"
for _folder in (ROOT / "tools", ROOT):
    if str(_folder) not in sys.path:
        sys.path.insert(0, str(_folder))

from backends_check import NAMES as TITLES  # noqa: E402

NETWORKS = {
    "mnist": "digits",
    "cifar10": "photographs",
    "cifar10-aprelu": "photographs, wider",
    "vibration": "gearbox",
}


def names():
    """How the book names its networks."""
    from drsn_lib import plotting

    return plotting.VARIANT_NAMES


def steps(results, mode):
    """Head and rows of the networks side by side."""
    head = ["Network", "Variant", "ms", "to ResNet", "to many layers"]
    rows, before = [], None
    found = [row for row in results["results"] if row["mode"] == mode and row["form"] == "layers"]
    memory = any(row["memory_mib"] for row in found)
    for row in found:
        cells = ["" if row["network"] == before else NETWORKS[row["network"]], names()[row["variant"]]]
        cells.append(f"{row['milliseconds']:.1f}")
        cells += [ratio(row.get(base)) for base in ("to_resnet", "to_port")]
        if memory:
            cells.append(f"{row['memory_mib']:.0f}" if row["memory_mib"] else "")
        rows.append(cells)
        before = row["network"]
    return head + ["MiB"] * memory, rows


def ratio(one):
    """A ratio with its interval, marked where it misses what is wanted of it."""
    if one is None:
        return ""
    said = f"{one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"
    return said + " *" if missed(one) else said


def missed(one):
    """Whether a ratio, as printed, is larger than what is wanted."""
    return one["wanted"] is not None and round(one["ratio"], 2) > one["wanted"]


def together(results):
    """Head and rows of many trainings at once."""
    head = ["Models at once", "Convolutions", "ms a model", "times as fast as alone"]
    rows = []
    for row in results["steps"]:
        faster = row.get("faster")
        said = f"{faster['ratio']:.2f} [{faster['low']:.2f}, {faster['high']:.2f}]" if faster else ""
        way = {"alone": "model.fit", "grouped": "grouped", "matmul": "matrix products"}[row["way"]]
        rows.append([str(row["models"]), way, f"{row['milliseconds']:.2f}", said])
    return head, rows


def floor(results):
    """Head and rows of steps beside what the chip could do at best."""
    head = ["Recipe", "Variant", "GFLOP", "MB", "ms: operations", "bytes", "products alone", "step", "step to floor"]
    rows = []
    for row in results["steps"]:
        least = [1e3 * row[name] / results["ceilings"][name] for name in ("flops", "bytes")]
        step = 1e3 * row["seconds"]
        at_once = f", {row['models']} at once" if row["models"] > 1 else ""
        cells = [row["recipe"], names()[row["variant"]] + at_once]
        cells += [f"{row['flops'] / 1e9:.1f}", f"{row['bytes'] / 1e6:,.0f}"]
        for one in (*least, 1e3 * row["products_seconds"], step):
            cells.append(f"{one:,.0f}" if one >= 10 else f"{one:.2g}")
        cells.append(f"{step / max(least):.1f}")
        rows.append(cells)
    return head, rows


def parts(results):
    """Head and rows of a step taken apart: what each network takes longer than the first, in milliseconds."""
    found = {(row["samples"], row["variant"], row["part"]): row["milliseconds"] for row in results["parts"]}
    further = {(row["samples"], row["variant"]): row["more"] for row in results["parts"] if row["part"] == "step"}
    sizes = sorted({samples for samples, _, _ in found})
    variants = list(dict.fromkeys(variant for _, variant, _ in found))
    head = ["Samples", "Variant", "Forward", "Backward", "Update", "Step", "More than " + names()[variants[0]]]
    rows = []
    for samples in sizes:
        for variant in variants:
            forward, gradient, step = (found[samples, variant, part] for part in ("forward", "gradient", "step"))
            cells = [str(samples) if variant == variants[0] else "", names()[variant]]
            cells += [f"{one:.1f}" for one in (forward, gradient - forward, step - gradient, step)]
            rows.append([*cells, f"{further[samples, variant]:.1f}" if variant != variants[0] else ""])
    return head, rows


def pieces(results):
    """Head and rows of a gate put together piece by piece: ratios to the first network."""
    found = {tuple(row[key] for key in ("network", "backend", "mode", "variant")): row for row in results["pieces"]}
    variants = list(dict.fromkeys(key[-1] for key in found))[1:]
    rows, before = [], None
    for network, backend, mode in dict.fromkeys(key[:3] for key in sorted(found, key=_order)):
        ratios = [found[network, backend, mode, variant]["to_resnet"]["ratio"] for variant in variants]
        cells = ["" if network == before else NETWORKS[network], f"{TITLES[backend]}, {mode}"]
        rows.append([*cells, *[f"{one:.2f}" for one in ratios]])
        before = network
    return ["Network", "Step", *[names()[variant] for variant in variants]], rows


def _order(key):
    network, backend, mode, _ = key
    return list(NETWORKS).index(network), list(TITLES).index(backend), mode == "inference"


def where(results):
    """A sentence that says what the numbers were measured with."""
    machine, versions = results["machine"], results["versions"]
    backend = results.get("backend", "tensorflow" if "parts" in results else "jax")
    libraries = " and ".join(
        f"{TITLES[one]} {versions[one]}" for one in ([backend] if isinstance(backend, str) else backend)
    )
    device = results.get("device", {}).get("name") or machine["processor"]
    said = f"{device}, {machine['cores']} cores; {libraries}, Keras {versions['keras']}; "
    said += f"{results['date'][:10]}, commit {results['commit']}."
    if "pieces" in results:
        widest = max((row["to_resnet"]["high"] - row["to_resnet"]["low"]) / 2 for row in results["pieces"])
        said += f" Ratios to the ResNet's step; no 95 % interval is wider than ± {widest:.2f}."
    if "ceilings" in results:
        best = results["ceilings"]
        batches = sorted({row["batch"] for row in results["steps"]}, reverse=True)
        said += f" Batches of {' and '.join(map(str, batches))}."
        said += (
            f" At best the device did {best['flops'] / 1e9:,.0f} GFLOP and moved {best['bytes'] / 1e9:,.1f} GB "
            f"a second ({results['precision']})."
        )
    if "what" in results:
        what = results["what"]
        said += f" {what['recipe']}, {names()[what['variant']]}, batches of {what['batch']}, {what['precision']}."
    if machine.get("load_before", 0) > 0.7:
        said += " Other programs were running when the measurement began, so the times may be high."
    return said


class SpeedTable(SphinxDirective):
    """A table of stored times."""

    required_arguments = 1
    option_spec: ClassVar = {
        "mode": lambda text: directives.choice(text, ("training", "inference")),
        "missing": directives.unchanged_required,
    }

    def run(self):
        """Return the table and the sentence beneath it."""
        path = RESULTS / f"{self.arguments[0]}.json"
        self.env.note_dependency(str(path))
        if "missing" in self.options and not path.exists():
            return [nodes.paragraph("", self.options["missing"], classes=["speed-source"])]
        try:
            results = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise self.error(f"There are no stored times to be read in {path}: {error}") from None
        if "results" in results:
            head, rows = steps(results, self.options.get("mode", "training"))
            misses = any(cell.endswith("*") for row in rows for cell in row)
        else:
            kinds = {"ceilings": floor, "parts": parts, "pieces": pieces}
            head, rows = next((kind for key, kind in kinds.items() if key in results), together)(results)
            misses = False
        words = where(results) + (" *: larger than wanted." if misses else "")
        return [table(head, rows), nodes.paragraph("", words, classes=["speed-source"])]


def table(head, rows):
    """A docutils table; the theme lets it scroll in a frame of its own where it is too wide."""
    made = nodes.table(classes=["speed-table"])
    group = nodes.tgroup(cols=len(head))
    made += group
    group += [nodes.colspec(colwidth=1) for _ in head]
    group += nodes.thead("", row(head))
    group += nodes.tbody("", *[row(cells) for cells in rows])
    return made


def row(cells):
    """One row."""
    return nodes.row("", *[nodes.entry("", nodes.paragraph("", cell)) for cell in cells])


def draw(app=None, folder=ROOT / "_build" / "generated"):
    """Draw the ratios of all libraries; return the path of the picture."""
    import matplotlib

    from benchmarks import compare
    from drsn_lib import plotting

    rows, wanted = {}, {}
    for backend, title in TITLES.items():
        results = json.loads((RESULTS / f"{backend}.json").read_text(encoding="utf-8"))["results"]
        rows[title] = {mode: {} for mode in ("training", "inference")}
        wanted[title] = {name: compare.target(backend, name, "resnet") for name in compare.TO_RESNET}
        for row in results:
            if row["form"] == "layers" and "to_resnet" in row:
                variants = rows[title][row["mode"]].setdefault(NETWORKS[row["network"]], {})
                variants[row["variant"]] = row["to_resnet"]
    path = folder / "step_ratios.png"
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.use("Agg")
    with matplotlib.rc_context():
        plotting.use_style()
        plotting.step_ratios(rows, wanted).savefig(path, dpi=192)
    return path


def setup(app):
    """Register the directive, and the drawing of the chart."""
    app.add_directive("speed-table", SpeedTable)
    app.connect("builder-inited", draw)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
