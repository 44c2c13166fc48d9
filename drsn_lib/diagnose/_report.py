"""The one page: no other file, no script, no network; light and dark, on a desk and on a phone."""

import base64
import html
import io

import numpy as np

from drsn_lib import plotting
from drsn_lib.diagnose._running import with_sd

_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --ground: #ffffff; --soft: #5a5a5a; --line: #d9d9d9; --card: #f5f6f8;
  --warn: #8a4b00; --accent: #0b5a94; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e8e8; --ground: #15181c; --soft: #a8adb3; --line: #3a3f45;
  --card: #1e2228; --warn: #f2b36b; --accent: #7cc0f0; } img { filter: invert(0.9) hue-rotate(180deg); } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 62rem; padding: 1.2rem 1rem 3rem; color: var(--ink); background: var(--ground);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0.4rem 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 0.6rem; }
p { margin: 0.5rem 0; } .soft { color: var(--soft); font-size: 0.92rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(11rem, 1fr)); gap: 0.8rem; margin: 1rem 0; }
.tile { background: var(--card); border-radius: 0.5rem; padding: 0.7rem 0.9rem; }
.tile b { display: block; font-size: 1.5rem; line-height: 1.3; } .tile span { color: var(--soft); font-size: 0.9rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 0.95rem; }
th, td { text-align: left; padding: 0.35rem 0.7rem 0.35rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; display: block; margin: 0.6rem 0; }
figcaption { color: var(--soft); font-size: 0.92rem; max-width: 46rem; }
ul { padding-left: 1.2rem; } li { margin: 0.5rem 0; } .warn b { color: var(--warn); }
code { font-size: 0.9em; background: var(--card); padding: 0.1em 0.3em; border-radius: 0.25rem; }
pre { background: var(--card); padding: 0.7rem; border-radius: 0.5rem; white-space: pre-wrap; font-size: 0.9rem; }
a { color: var(--accent); } details { margin: 0.6rem 0; } summary { cursor: pointer; }
"""


def page(report, pieces):
    """The report as one HTML document."""
    import matplotlib.pyplot as plt

    with plt.rc_context(plotting.STYLE):
        return _page(report, pieces)


def _page(report, pieces):
    title = f"Diagnosis of {report['settings']['folder']}"
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft">{_text(_origin(report))}</p>',
        _tiles(report),
        "<h2>What to keep in mind</h2>",
        _warnings(report),
        "<h2>The data</h2>",
        _data(report),
        _figure(
            plotting.class_examples(*_examples(pieces)),
            f"A row for each class, {', '.join(pieces.classes)}: a waveform, and a spectrum.",
            "A window of each class as it was recorded (left), and the mean power spectrum of the class's windows, in "
            "decibels of the whole (right).",
        ),
        "<h2>How the recordings were divided</h2>",
        _split(report),
        "<h2>Scores</h2>",
        _scores(report),
        _score_rows(report),
        _comparisons(report),
        "<h2>What is taken for what</h2>",
        _confusion(report, pieces),
        "<h2>Can its probabilities be believed?</h2>",
        _calibration(report),
        "<h2>To use it</h2>",
        _use(report),
        "<h2>All settings</h2>",
        _settings(report),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(words):
    return html.escape(str(words), quote=True)


def _name(name):
    return plotting.VARIANT_NAMES.get(name, name)


def _chance(report):
    counts = [one["windows"] for one in report["data"]["classes"].values()]
    return max(counts) / sum(counts)


def _origin(report):
    device = report["device"]
    versions = ", ".join(f"{name} {value}" for name, value in report["versions"].items())
    return f"{report['date']}; {device['kind'].upper()} {device['name']}; {report['seconds']:.0f} seconds; {versions}"


def _tiles(report):
    variant = report["settings"]["variant"]
    own, curve = report["scores"][variant], report["calibration"][variant]["after"]
    tiles = [
        (with_sd(own["accuracy"]), f"of unseen windows right ({_name(variant)})"),
        (with_sd(own["file_accuracy"]), "of unseen files right, all windows of a file together"),
        (with_sd(report["scores"]["linear"]["accuracy"]), "windows right by a linear classifier on classical features"),
        (
            f"{curve['error']:.3f}",
            f"calibration error after the temperature; luck alone gives {curve['by_chance']:.3f}",
        ),
    ]
    cells = "".join(
        f'<div class="tile"><b>{_text(value)}</b><span>{_text(words)}</span></div>' for value, words in tiles
    )
    n = len(report["settings"]["seeds"])
    spread = f"Mean ± standard deviation over {n} random seeds; each draws other recordings for the test."
    spread = spread if n > 1 else "One random seed: no spread is known."
    return f'<div class="tiles">{cells}</div><p class="soft">{spread}</p>'


def _warnings(report):
    if not report["warnings"]:
        return "<p>Nothing stands out. That is no promise: see how the recordings were made.</p>"
    items = "".join(
        f"<li><b>{_text(one['kind'].capitalize())}.</b> {_text(one['words'])} <i>{_text(one['todo'])}</i></li>"
        for one in report["warnings"]
    )
    return f'<ul class="warn">{items}</ul>'


def _table(head, rows, numbers):
    """A table; `numbers` are the columns to be set to the right."""

    def row(cells, tag):
        return (
            "<tr>"
            + "".join(
                f"<{tag}{' class=n' if k in numbers else ''}>{_text(cell)}</{tag}>" for k, cell in enumerate(cells)
            )
            + "</tr>"
        )

    body = "".join(row(cells, "td") for cells in rows)
    return f'<div class="scroll"><table><thead>{row(head, "th")}</thead><tbody>{body}</tbody></table></div>'


def _data(report):
    data, settings = report["data"], report["settings"]
    rate = data["sampling_rate"]
    long = f", {1000 * settings['window'] / rate:.0f} ms" if rate else ""
    words = (
        f"{data['files']} files at {f'{rate:g} Hz' if rate else 'an unknown sampling rate'}, cut into "
        f"{data['windows']} windows "
        f"of {settings['window']} points{long}. Each window is brought to mean 0 and standard deviation 1, so that the "
        "network cannot go by loudness."
    )
    if data["channels"]:
        words += f" Channel read: {', '.join(data['channels'][:3])}{' ...' if len(data['channels']) > 3 else ''}."
    rows = [
        (
            name,
            one["files"],
            one["recordings"],
            one["windows"],
            "" if one["seconds"] is None else f"{one['seconds']:.1f}",
        )
        for name, one in data["classes"].items()
    ]
    return f"<p>{_text(words)}</p>" + _table(("class", "files", "recordings", "windows", "seconds"), rows, (1, 2, 3, 4))


def _examples(pieces):
    """A window of each class in the middle of its first file, and the class's mean spectrum in decibels."""
    rate, waves, spectra = pieces.sampling_rate, {}, {}
    shape = np.hanning(pieces.x.shape[1])
    frequency = np.fft.rfftfreq(pieces.x.shape[1], 1 / (rate or 1.0))
    for k, name in enumerate(pieces.classes):
        own = np.flatnonzero(pieces.y == k)
        waves[name] = pieces.x[own[len(own) // 2], :, 0]
        some = pieces.x[own[:: max(1, len(own) // 200)], :, 0]
        power = (np.abs(np.fft.rfft(some * shape, axis=1)) ** 2).mean(axis=0)
        spectra[name] = (frequency, 10 * np.log10(np.maximum(power / power.sum(), 1e-12)))
    return waves, spectra, rate


def _split(report):
    first = report["splits"][0]
    words = (
        "Each recording stands on one side as a whole, so that what is tested was not seen in any part. The network "
        "learned from the training windows; the temperature was found on the validation windows; nothing was chosen "
        "by the test windows."
    )
    if first["by_time"]:
        words += " Classes with one recording are divided by time instead; see above."
    rows = [(name, first[name]["windows"], ", ".join(first[name]["files"])) for name in ("train", "validation", "test")]
    table = _table(("side", "windows", "files"), rows, (1,))
    seed = first["seed"]
    return f"<p>{_text(words)}</p><details><summary>Which files, for random seed {seed}</summary>{table}</details>"


def _scores(report):
    rows = [
        (
            _name(name),
            f"{report['parameters'][name]:,}" if name in report["parameters"] else "",
            with_sd(one["accuracy"]),
            with_sd(one["balanced_accuracy"]),
            with_sd(one["file_accuracy"]),
        )
        for name, one in report["scores"].items()
    ]
    return _table(("classifier", "parameters", "windows", "mean over classes", "files"), rows, (1, 2, 3, 4))


def _score_rows(report):
    """The scores as a figure. One seed is one dot, with no mean to draw over it."""
    scores = {_name(name): [run["accuracy"] for run in one["runs"]] for name, one in report["scores"].items()}
    several, chance = len(report["settings"]["seeds"]) > 1, _chance(report)
    figure = plotting.score_rows(scores, chance=chance)
    (axis,) = figure.axes
    place = axis.get_xaxis_transform()
    axis.text(chance, 1.01, "guessing", fontsize=9, ha="center", va="bottom", transform=place)
    means = ", ".join(f"{name} {np.mean(values):.3f}" for name, values in scores.items())
    dots = "a dot for each random seed, and a bar at their mean" if several else "a dot for the one random seed"
    return _figure(
        figure,
        f"A row for each classifier, with its {'mean ' if several else ''}test accuracy: {means}. Guessing is at "
        f"{chance:.3f}.",
        f"Test accuracy of each classifier, in windows: {dots}. The dashed line is what always naming the most "
        "frequent class would score.",
    )


def _confusion(report, pieces):
    variant = report["settings"]["variant"]
    tables = {_name(name): report["scores"][name]["confusion"] for name in (variant, "linear")}
    recalls = {}
    for name, table in tables.items():
        shares = np.diag(table) / np.sum(table, axis=1)
        recalls[name] = ", ".join(f"{one} {share:.0%}" for one, share in zip(pieces.classes, shares, strict=True))
    together = ", all seeds together" if len(report["settings"]["seeds"]) > 1 else ""
    return _figure(
        plotting.confusion_tables(tables, pieces.classes),
        "Two tables. On the diagonals, the share of each class that is recognized: "
        + "; ".join(f"{name}: {shares}" for name, shares in recalls.items())
        + ".",
        f"What the test windows were taken for{together}: rows are true classes, columns answers, in percent of a "
        "row. On the diagonal are the right answers.",
    )


def _comparisons(report):
    settings, parameters = report["settings"], report["parameters"]
    same = parameters[settings["variant"]] == parameters[settings["control"]]
    words = (
        f"{_name(settings['control'])} is the control of {_name(settings['variant'])}: "
        + ("it has as many parameters, " if same else "it has other parameters, ")
        + "the same splits, and the same number of steps."
    )
    items = "".join(f"<li>{_text(one['words'])}: <b>{_text(one['verdict'])}</b></li>" for one in report["comparisons"])
    return f"<p>{_text(words)}</p><ul>{items}</ul>"


def _calibration(report):
    variant = report["settings"]["variant"]
    curve = report["calibration"][variant]
    runs = report["scores"][variant]["runs"]
    temperatures = ", ".join(f"{run['temperature']:.2f}" for run in runs)
    words = (
        "Of all windows for which the network is 80 % sure, 80 % should be right: the diagonal. The temperature, "
        f"found on validation windows (by seed: {temperatures}), makes the network less sure where it is above 1, and "
        f"surer where it is below. The expected calibration error is {curve['before']['error']:.3f} before and "
        f"{curve['after']['error']:.3f} after it; luck alone would give {curve['after']['by_chance']:.3f} on so many "
        "independent windows if the network were perfectly calibrated."
    )
    figure = plotting.reliability_panels({"before": curve["before"], "after the temperature": curve["after"]})
    return f"<p>{_text(words)}</p>" + _figure(
        figure,
        "Two panels, before and after the temperature: the share of right answers over the confidence beside a dashed "
        "diagonal, above a histogram of the confidence.",
        "Confidence and truth on the test windows. A dot is the share of right answers among those given with about "
        "that confidence; the bar at the dot says how far it is from the dashed diagonal, on which it should lie. "
        "Below: how many answers were given with that confidence.",
    )


def _use(report):
    return (
        "<p>The network of the first seed lies beside this page, with its classes, sampling rate, window and "
        "temperature. A new file is classified by</p><pre>python -m drsn_lib diagnose --classify FILE --model "
        "THIS_FOLDER</pre><p>or in "
        "Python by <code>diagnose.load(folder).classify(file)</code>. It knows only the classes above: of anything "
        "else, a new fault among them, it still names one of these. Try it on recordings made later before you rely "
        "on it.</p>"
    )


def _settings(report):
    rows = [(key.replace("_", " "), "" if value is None else value) for key, value in report["settings"].items()]
    return _table(("setting", "value"), rows, ())


def _figure(figure, alt, caption):
    """A figure inside the page, at twice the density of a plain screen, above its caption."""
    import matplotlib.pyplot as plt

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=2 * figure.dpi, bbox_inches="tight")
    plt.close(figure)
    from PIL import Image

    image = Image.open(buffer).convert("RGB")
    small = io.BytesIO()
    method = Image.Quantize.FASTOCTREE if image.getcolors(256) is None else Image.Quantize.MEDIANCUT
    image.quantize(128, method=method, dither=Image.Dither.NONE).save(small, "PNG", optimize=True)
    source = base64.b64encode(small.getvalue()).decode()
    picture = f'<img src="data:image/png;base64,{source}" width="{image.width // 2}" alt="{_text(alt)}">'
    return f"<figure>{picture}<figcaption>{_text(caption)}</figcaption></figure>"
