"""The live figures without a browser: their mathematics, their two forms, and the book's extensions."""

import importlib
import itertools
import json
import math
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import traitlets

from drsn_lib import widgets
from drsn_lib.widgets import _base, threshold_lab

ROOT = Path(__file__).resolve().parents[1]
X = np.concatenate([np.linspace(-5, 5, 401), [1e-12, -1e-12]])
TAUS = (0.0, 0.25, 1.0, 3.3)


# ---- random numbers ----------------------------------------------------------------------------------------


def test_uniforms_are_mulberry32s():
    # The first numbers of the published generator for the seed 0; ours stand in the middle of their bins.
    published = [0.26642920868471265, 0.0003297457005828619, 0.2232720274478197, 0.1462021479383111]
    np.testing.assert_allclose(_base.uniforms(0, 4), published, atol=2.0**-32)
    assert np.all((0 < _base.uniforms(3, 5000)) & (_base.uniforms(3, 5000) < 1))


def test_normals_are_normal():
    stats = pytest.importorskip("scipy.stats")
    z = _base.normals(11, 20_001)
    assert len(z) == 20_001
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) < 0.03
    assert not np.array_equal(_base.normals(1, 50), _base.normals(2, 50))
    np.testing.assert_array_equal(_base.normals(5, 7), _base.normals(5, 7))
    np.testing.assert_array_equal(_base.normals(5, 8)[:7], _base.normals(5, 7))


@pytest.mark.parametrize(("kind", "distribution"), [("laplacian", "laplace"), ("uniform", "uniform")])
def test_noises_have_their_distribution_and_variance_one(kind, distribution):
    stats = pytest.importorskip("scipy.stats")
    z = _base.noise(kind, 5, 20_000)
    scaled = {"laplacian": z * np.sqrt(2), "uniform": z / np.sqrt(12) + 0.5}[kind]
    assert stats.kstest(scaled, distribution).pvalue > 0.01
    assert np.var(z) == pytest.approx(1, abs=0.04) and np.mean(z) == pytest.approx(0, abs=0.02)


def test_a_wrong_noise_is_named():
    with pytest.raises(ValueError, match=r"must be one of gaussian, laplacian, uniform\. Received: kind='pink'"):
        _base.noise("pink", 1, 3)


# ---- threshold functions against other ways to say them ------------------------------------------------------


@pytest.mark.parametrize("tau", TAUS)
def test_soft_is_the_proximal_operator_of_the_absolute_value(tau):
    grid = np.linspace(-6, 6, 24_001)
    for x in (-5.0, -1.3, -0.2, 0.0, 0.7, 2.0, 4.4):
        best = grid[np.argmin(0.5 * (grid - x) ** 2 + tau * np.abs(grid))]
        assert threshold_lab.apply_threshold("soft", x, tau) == pytest.approx(best, abs=6e-4)


@pytest.mark.parametrize("tau", TAUS)
def test_soft_is_two_biased_rectifiers(tau):
    relu = threshold_lab.apply_threshold
    np.testing.assert_allclose(relu("soft", X, tau), relu("relu", X, tau) - relu("relu", -X, tau), atol=1e-15)


@pytest.mark.parametrize("tau", TAUS)
def test_functions_one_sample_at_a_time(tau):
    def reference(function, x):
        if function == "relu":
            return x - tau if x > tau else 0.0
        if abs(x) <= tau:
            return 0.0
        return {"soft": math.copysign(abs(x) - tau, x), "hard": x, "garrote": x * max(0, 1 - (tau / x) ** 2)}[function]

    for function in threshold_lab.FUNCTIONS:
        expected = [reference(function, x) for x in X.tolist()]
        np.testing.assert_allclose(threshold_lab.apply_threshold(function, X, tau), expected, atol=1e-14)


@pytest.mark.parametrize("tau", TAUS)
@pytest.mark.parametrize("function", threshold_lab.FUNCTIONS)
def test_derivatives_against_differences(function, tau):
    x = X[np.abs(np.abs(X) - tau) > 1e-3]
    h = 1e-6
    differences = (
        threshold_lab.apply_threshold(function, x + h, tau) - threshold_lab.apply_threshold(function, x - h, tau)
    ) / (2 * h)
    np.testing.assert_allclose(threshold_lab.derivative(function, x, tau), differences, atol=1e-5)


def test_thresholds_agree_with_the_library():
    ops = importlib.import_module("drsn_lib.ops")
    x = X.astype("float32")
    pairs = {"soft": ops.soft_threshold, "hard": ops.hard_threshold, "garrote": ops.garrote_threshold}
    for name, function in pairs.items():
        theirs = np.asarray(function(x, np.float32(0.75)))
        np.testing.assert_allclose(threshold_lab.apply_threshold(name, x, 0.75), theirs, atol=2e-6)
    assert threshold_lab.universal_threshold(0.5, 512) == pytest.approx(ops.universal_threshold(0.5, 512))


# ---- the signal and its numbers -------------------------------------------------------------------------------


def test_the_clean_signal_is_sparse_in_time():
    s = threshold_lab.clean_signal()
    assert s.shape == (threshold_lab.LENGTH,)
    assert np.mean(s == 0) > 0.7
    assert [round(s[start], 12) for start, _ in threshold_lab.IMPACTS] == [
        height for _, height in threshold_lab.IMPACTS
    ]


def test_numbers_from_plain_loops():
    figure = widgets.ThresholdLab(function="hard", threshold=0.9, sigma=0.6, draw=4)
    s, x, y = (figure.signals()[key].tolist() for key in ("clean", "noisy", "output"))
    n = len(s)
    before = math.fsum((a - b) ** 2 for a, b in zip(x, s, strict=True)) / n
    after = math.fsum((a - b) ** 2 for a, b in zip(y, s, strict=True)) / n
    power = math.fsum(a * a for a in s) / n
    m = figure.measures()
    assert m["mse_before"] == pytest.approx(before)
    assert m["mse_after"] == pytest.approx(after)
    assert m["snr_before"] == pytest.approx(10 * math.log10(power) - 10 * math.log10(before))
    assert m["snr_gain"] == pytest.approx(m["snr_after"] - m["snr_before"])
    assert m["zeroed"] == sum(abs(a) <= 0.9 for a in x) / n
    assert m["universal"] == pytest.approx(0.6 * math.sqrt(2 * math.log(256)))


@pytest.mark.parametrize("function", threshold_lab.FUNCTIONS)
def test_the_error_curve_is_the_measures_at_each_threshold(function):
    curve = threshold_lab.error_curve(function, 0.5, 2)
    grid = threshold_lab.threshold_grid()
    assert (grid[0], grid[-1], len(grid)) == (0, 4, 201)
    for i in (0, 17, 80, 200):
        figure = widgets.ThresholdLab(function=function, threshold=grid[i], sigma=0.5, draw=2)
        assert figure.measures()["mse_after"] == pytest.approx(curve[i])
    best = threshold_lab.best_threshold(function, 0.5, 2)
    assert curve[round(best / threshold_lab.STEP)] == pytest.approx(curve.min())
    assert np.all(curve[: round(best / threshold_lab.STEP)] > curve.min())


def test_hard_wants_the_larger_threshold():
    """What the figure tells its reader holds wherever its controls can lead, near enough."""
    cases = list(itertools.product(np.linspace(0.1, 1.2, 12), range(1, 41)))
    holds = [threshold_lab.best_threshold("hard", s, d) > threshold_lab.best_threshold("soft", s, d) for s, d in cases]
    assert np.mean(holds) > 0.98


# ---- the widget -------------------------------------------------------------------------------------------------


def test_the_package_starts_no_backend():
    code = (
        "import sys; import drsn_lib.widgets as w; w.ThresholdLab(); "
        "print([m for m in ('keras', 'tensorflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_repr_is_the_same_every_time():
    first, second = (widgets.ThresholdLab(threshold=0.1 + 0.2) for _ in range(2))
    assert (
        repr(first)
        == repr(second)
        == "ThresholdLab(draw=1, function='soft', noise='gaussian', sigma=0.5, threshold=0.3)"
    )
    assert eval(repr(first), {"ThresholdLab": widgets.ThresholdLab}).state() == first.state()


def test_the_bundle_in_a_notebook():
    figure = widgets.ThresholdLab(function="garrote")
    data, _ = figure._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "application/vnd.jupyter.widget-view+json"}
    assert data["text/plain"] == repr(figure)
    assert "<script" not in data["text/html"]
    state = re.search(r"data-state='([^']*)'", data["text/html"]).group(1)
    expected = {"draw": 1, "function": "garrote", "noise": "gaussian", "sigma": 0.5, "threshold": 0.4}
    assert json.loads(state) == figure.state() == expected
    assert figure.fallback() in data["text/html"]
    assert data["text/html"] == widgets.ThresholdLab(function="garrote")._repr_mimebundle_()[0]["text/html"]


def test_the_bundle_in_colab_has_no_html(monkeypatch):
    figure = widgets.ThresholdLab()
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    data, _ = figure._repr_mimebundle_()
    assert "text/html" not in data and "application/vnd.jupyter.widget-view+json" in data


def test_the_fallback_gives_the_numbers():
    figure = widgets.ThresholdLab(function="relu", threshold=1.1, sigma=0.8)
    m = figure.measures()
    for words in (
        "ReLU",
        "σ = 0.80",
        "τ = 1.10",
        f"{m['mse_before']:.3f}",
        f"{m['mse_after']:.3f}",
        f"{m['best']:.2f}",
    ):
        assert words in figure.fallback()


def test_traits_are_traits():
    figure = widgets.ThresholdLab()
    seen = []
    figure.observe(lambda change: seen.append(change["new"]), "threshold")
    figure.threshold = 1.25
    assert seen == [1.25]
    assert set(figure.state_names()) <= set(figure.keys)


@pytest.mark.parametrize(
    "arguments, words",
    [
        ({"threshold": 4.5}, "`threshold` of ThresholdLab must lie between 0.0 and 4.0. Received: threshold=4.5"),
        ({"threshold": float("nan")}, "Received: threshold=nan"),
        ({"sigma": 0.0}, "`sigma` of ThresholdLab must lie between 0.1 and 1.2"),
        ({"draw": 0}, "`draw` of ThresholdLab must lie between 1 and"),
        ({"function": "firm"}, "firm"),
    ],
)
def test_wrong_arguments_are_named(arguments, words):
    with pytest.raises(traitlets.TraitError, match=re.escape(words)):
        widgets.ThresholdLab(**arguments)


@pytest.mark.parametrize("call", [threshold_lab.apply_threshold, threshold_lab.derivative])
def test_a_wrong_function_is_named(call):
    with pytest.raises(ValueError, match=r"must be one of soft, hard, garrote, relu\. Received: function='firm'"):
        call("firm", X, 1.0)


def test_a_second_figure_needs_only_its_own_part(tmp_path, monkeypatch):
    (tmp_path / "figure.js").write_text("const DrsnFigure = 1;")
    (tmp_path / "other.js").write_text("const Other = DrsnFigure;")
    monkeypatch.setattr(_base, "_FOLDER", tmp_path)

    class Other(widgets.LiveFigure):
        _js = "other.js"
        _constant = "Other"
        _tag = "other-figure"
        level = traitlets.Float(0.5).tag(sync=True, figure=True)

        def fallback(self):
            return "A <b> & 'quotes'."

    figure = Other(level=1 / 3)
    assert figure._esm == "const DrsnFigure = 1;\nconst Other = DrsnFigure;\nexport default Other;\n"
    assert repr(figure) == "Other(level=0.333333)"
    assert figure.static_html() == (
        "<other-figure data-state='{\"level\": 0.333333}'><p>A &lt;b&gt; &amp; 'quotes'.</p></other-figure>"
    )


# ---- the scripts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("figure", widgets.figures().values(), ids=widgets.figures())
def test_scripts_serve_both_hosts(figure):
    scripts = figure.base_path().read_text(encoding="utf8"), figure.script_path().read_text(encoding="utf8")
    for script in scripts:
        assert not re.search(r"^\s*(export|import)\b", script, re.M), "a classic script has no export or import"
        assert not re.search(r"https?://(?!www\.w3\.org/)", script), "a figure asks for nothing off the machine"
    assert scripts[1].count(f"const {figure._constant} =") == 1
    assert figure._esm.endswith(f"export default {figure._constant};\n")
    assert figure()._esm == figure._esm
    assert f'"{figure._tag}"' in scripts[1]


def test_all_scripts_together_are_light(monkeypatch):
    """As pages load them: minified, not yet compressed."""
    pytest.importorskip("minify", reason="the minifier is a Linux wheel; elsewhere pages load the scripts as they are")
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    served = importlib.import_module("live_figures").as_served
    scripts = {name: text for figure in widgets.figures().values() for name, text in figure.scripts().items()}
    sizes = {name: len(served(name, text).encode()) for name, text in scripts.items() if not name.endswith(".data.js")}
    assert sum(sizes.values()) < 120_000, sizes


@pytest.mark.parametrize("figure", widgets.figures().values(), ids=widgets.figures())
def test_data_of_a_figure_are_light(figure):
    data = {name: len(text.encode()) for name, text in figure.scripts().items() if name.endswith(".data.js")}
    assert sum(data.values()) < 300_000, data


@pytest.mark.parametrize("figure", widgets.figures().values(), ids=widgets.figures())
def test_a_figure_has_a_title_and_says_what_is_to_be_seen(figure):
    assert re.fullmatch(r"[A-Z][\w ]+", figure.title())
    assert figure.__doc__.split("\n")[0].split(":", 1)[1].strip().endswith(".")
    assert len(figure().fallback()) > 80 and "JavaScript" in figure().fallback()


def test_pictures_are_of_what_the_figures_show(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    stale = importlib.import_module("screenshot").stale_pictures()
    assert stale == [], "make book; .venv/bin/python tools/screenshot.py --figures"


def test_numbers_that_figures_bring_along_are_those_of_today(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    maker = importlib.import_module("make_figure_data")
    named = {name for figure in widgets.figures().values() for name in figure._data}
    assert set(maker.names()) == {path.stem for path in maker.DATA.glob("*.json")} <= named
    assert maker.main(["--check"]) == 0


def test_numbers_that_differ_are_seen(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    maker = importlib.import_module("make_figure_data")
    stored = {"a": [1, 2.0, "words"], "b": _base.pack(np.arange(6.0))}
    assert list(maker.differences(stored, stored)) == []
    assert list(maker.differences({**stored, "b": _base.pack(np.arange(6.0) + 1e-5)}, stored)) == []
    for changed in ({"a": [1, 2.1, "words"]}, {"a": [1, 2.0, "word"]}, {"a": [1, 2.0]}, {"b": _base.pack(np.ones(6))}):
        assert len(list(maker.differences({**stored, **changed}, stored))) == 1
    assert maker.differences({"a": 1}, {"b": 1})
    bars = [0.5] * 2000
    assert list(maker.differences({"bars": [*bars[1:], 0.56]}, {"bars": bars})) == []
    for changed in ([*bars[1:], 0.7], bars[10:] + [0.52] * 10):
        assert len(list(maker.differences({"bars": changed}, {"bars": bars}))) == 1


def test_packed_numbers_come_back():
    values = np.linspace(-1, 1, 13, dtype="float32").reshape(13, 1)
    assert np.array_equal(_base.unpack(_base.pack(values)), values.ravel())


def test_colors_are_the_charts_colors():
    plotting = importlib.import_module("drsn_lib.plotting")
    script = (ROOT / "drsn_lib" / "widgets" / "figure.js").read_text(encoding="utf8")
    block = re.search(r"const COLORS = \{(.*?)\};", script, re.S).group(1)
    assert dict(re.findall(r"(\w+): \"(#\w+)\"", block)) == plotting.COLORS


def test_scripts_compute_what_python_does_under_node(tmp_path):
    """The same comparison as in the browser tests, for machines that have Node and no browser."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node was not found; the browser tests compare the formulas too")
    stubs = "globalThis.document = {currentScript: null};\n"
    ask = (
        "const m = ThresholdLab.math; const answer = c => "
        "[m.measures(c), Array.from(m.errorCurve(c.function, c.sigma, c.draw))]; "
        "console.log(JSON.stringify(CASES.map(answer)));"
    )
    settings = itertools.product(threshold_lab.FUNCTIONS, (0.0, 0.62, 3.0), (0.1, 0.7), (1, 99))
    cases = [dict(zip(("function", "threshold", "sigma", "draw"), case, strict=True)) for case in settings]
    esm = widgets.ThresholdLab._esm.replace("export default ThresholdLab;", "")
    program = tmp_path / "program.js"
    program.write_text(f"{stubs}{esm}\nconst CASES = {json.dumps(cases)};\n{ask}", encoding="utf8")
    done = subprocess.run([node, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert len(answers) == len(cases)
    for case, (measures, curve) in zip(cases, answers, strict=True):
        assert measures == pytest.approx(widgets.ThresholdLab(**case).measures(), rel=1e-10, abs=1e-12)
        np.testing.assert_allclose(
            curve, threshold_lab.error_curve(case["function"], case["sigma"], case["draw"]), rtol=1e-11
        )


# ---- the book's extensions and its tables ---------------------------------------------------------------------------


@pytest.fixture
def extensions(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "book" / "_ext"))
    return importlib.import_module


def test_icons_are_pruned_to_those_named(extensions):
    offline = extensions("offline_assets")
    theme = Path(importlib.import_module("pydata_sphinx_theme").__file__).parent
    script = (theme / "theme/pydata_sphinx_theme/static/scripts/fontawesome.js").read_text(encoding="utf8")
    pruned = offline.prune_icons(script, {"magnifying-glass", "github", "sun"})
    assert len(pruned) < 0.1 * len(script)
    names = {match.group(1).strip('"') for match in offline.ICON.finditer(pruned)}
    assert names == {"magnifying-glass", "github", "sun"}
    # An alias keeps its icon: "search" is another name of the magnifying glass.
    assert '"magnifying-glass":[' in offline.prune_icons(script, {"search"})


def test_directive_options_are_read(extensions):
    directive = extensions("live_figures").LiveFigure
    assert [directive.read_value(text) for text in ("0.8", "3", "hard")] == [0.8, 3, "hard"]


def test_names_in_the_notation_exist():
    library = importlib.import_module("drsn_lib")
    layers = importlib.import_module("drsn_lib.layers")
    text = (ROOT / "book" / "notation.md").read_text(encoding="utf8").replace("```", "")
    spans = re.findall(r"`([^`]+)`", text)
    named = [re.match(r"(ops|layers|data|models)\.(\w+)", span) for span in spans]
    checked = [match.groups() for match in named if match]
    assert len(checked) >= 9
    for module, name in checked:
        assert hasattr(getattr(library, module), name), f"{module}.{name}"
    methods = [match.groups() for span in spans if (match := re.fullmatch(r"([A-Z]\w+)\.(\w+)\(\w\)", span))]
    assert len(methods) >= 4
    for layer, method in methods:
        assert hasattr(getattr(layers, layer), method), f"{layer}.{method}"


def test_the_literature_is_complete():
    database = importlib.import_module("pybtex.database")
    entries = database.parse_file(str(ROOT / "book" / "references.bib")).entries
    assert entries["zhao2020shrinkage"].fields["doi"] == "10.1109/TII.2019.2943898"
    assert entries["zhao2021aprelu"].fields["doi"] == "10.1109/TIE.2020.2972458"
    for key, entry in entries.items():
        assert entry.persons["author"] and entry.fields["title"], key
        assert re.fullmatch(r"(19|20)\d\d", entry.fields["year"]) and entry.fields["year"] in key, key
        assert key.startswith(entry.persons["author"][0].last_names[-1].lower()[:4]) or "kobashikawa" in key, key
        if "doi" in entry.fields:
            assert re.fullmatch(r"10\.\d{4,}/\S+", entry.fields["doi"]), key
    dois = [entry.fields["doi"].lower() for entry in entries.values() if "doi" in entry.fields]
    assert len(dois) == len(set(dois))
