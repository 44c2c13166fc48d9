"""The results explorer in its page: its numbers are Python's, whatever is chosen, and what is downloaded is there."""

from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from inside import run, set_state, state

from drsn_lib.widgets import ResultsExplorer, results_explorer

PAGE = "laboratory/results-explorer.html"
CASES = (
    {},
    {"study": "vibration-snr", "noise": "pink", "level": 99, "reference": "senet", "networks": ["drsn-cs", "drsn-cw"]},
    {"study": "cifar10-snr", "noise": "laplacian", "level": -60, "networks": ["convnet"]},
    {"trained": "none", "level": 4, "networks": ["convnet", "drsn-cs"], "reference": "drsn-cw"},
    {"seed": 2, "reference": "learned-fraction", "networks": list(results_explorer.NAMES)},
)


def rounded(value):
    """One digit, as JavaScript rounds: a tie goes up."""
    number = Decimal(abs(100 * value)).quantize(Decimal("0.1"), ROUND_HALF_UP)
    return f"−{number}" if value < 0 and number else str(number)


def points(value):
    return ("+" if value > 0 else "") + rounded(value)


def behind(m):
    """What stands behind a difference: its interval, or below five seeds the single differences."""
    if m["pairs"] < results_explorer.ENOUGH_SEEDS:
        return f"(seed by seed {', '.join(map(points, m['each']))})" if m["pairs"] > 1 else ""
    return f"({points(m['low'])} to {points(m['high'])})"


def expected_table(figure):
    """What the table must show, from the NumPy twin alone."""
    rows, at = [], figure.shown()
    for name, m in figure.measures().items():
        score = f"{rounded(m['mean'])} % " if m["n"] else "none"
        score += f"± {rounded(m['sd'])}" if m["sd"] is not None else ""
        score += f"{m['n']} seed{'s' if m['n'] != 1 else ''}" if m["n"] else ""
        other = "reference"
        if name != at["reference"]:
            other = f"{points(m['difference'])} {behind(m)}{m['verdict']}" if m["pairs"] else "no seed in common"
        rows.append([results_explorer.NAMES[name], score, other])
    return rows


def assert_shows_pythons_numbers(page):
    rows = run(page, "return $$('tbody tr').map(r => [...r.children].map(c => c.textContent))")
    assert rows == expected_table(ResultsExplorer(**state(page)))


@pytest.fixture
def page(open_page):
    return open_page(PAGE)


def test_numbers_equal_pythons(page):
    for case in CASES:
        figure = ResultsExplorer(**case)
        script = "const m = ResultsExplorer.math; return [m.shown(argument), m.measures(argument), m.csv(argument)]"
        shown, measures, csv = run(page, script, figure.state())
        assert shown == figure.shown() and csv == figure.csv()
        expected = figure.measures()
        assert list(measures) == list(expected)
        for name, row in expected.items():
            for key, value in row.items():
                exact = isinstance(value, str) or value is None or value == []
                assert measures[name][key] == (value if exact else pytest.approx(value, rel=1e-9, abs=1e-12)), (
                    name,
                    key,
                )


def test_the_table_shows_pythons_numbers(page):
    for case in CASES:
        set_state(page, **ResultsExplorer(**case).state())
        assert_shows_pythons_numbers(page)


def test_what_is_drawn_is_what_the_records_say(page):
    figure = ResultsExplorer(networks=["convnet", "drsn-cw"], reference="convnet")
    set_state(page, **figure.state())
    table = figure.load_data()["mnist-snr"]["trained"]["mixed"]["noises"]["gaussian"]
    values = {name: results_explorer.decoded(table["networks"][name]) for name in figure.networks}
    script = """return [$$('path.mean'), $$('path.run')].map(list => list.map(
        e => e.getAttribute('d').split(/[ML]/).slice(1).map(p => +p.split(' ')[1])))"""
    means, runs = run(page, script)
    expected = np.array([values[name].mean(0) for name in figure.networks])
    slope, offset = np.polyfit(expected.ravel(), np.ravel(means), 1)
    assert slope < 0
    np.testing.assert_allclose(means, slope * expected + offset, atol=0.11)
    np.testing.assert_allclose(runs, slope * np.concatenate([*values.values()]) + offset, atol=0.2)


def test_differences_have_an_interval_from_five_seeds_on(page):
    """Dots are seeds, the bar is the interval: there is none behind fewer than five, nor is one printed."""
    many = {"study": "vibration-snr", "networks": ["convnet", "drsn-cw"], "reference": "convnet"}
    assert ResultsExplorer(**many).measures()["drsn-cw"]["pairs"] >= 5
    script = """return [$$('circle.pair').map(c => +c.getAttribute('cx')), $$('line.interval').map(
        bar => ['x1', 'x2'].map(k => +bar.getAttribute(k))), $('tbody tr:last-child td:last-child').textContent]"""
    set_state(page, **ResultsExplorer(**many).state())
    m = ResultsExplorer(**many).measures()["drsn-cw"]
    dots, bars, words = run(page, script)
    slope, offset = np.polyfit(m["each"], dots, 1)
    np.testing.assert_allclose(dots, slope * np.array(m["each"]) + offset, atol=0.11)
    np.testing.assert_allclose(bars, [slope * np.array([m["low"], m["high"]]) + offset], atol=0.3)
    assert f"{points(m['low'])} to {points(m['high'])}" in words and "seed by seed" not in words
    # The same table with its first three seeds only.
    cut = """for (const one of Object.values(DrsnFigure.data('results_explorer')[argument[0]].trained))
        for (const table of Object.values(one.noises)) for (const network of Object.values(table.networks)) {
            network.seeds.length = Math.min(3, network.seeds.length);
            network.scores = network.scores.slice(0, 3 * network.seeds.length * table.levels.length); }"""
    run(page, cut, ["vibration-snr"])
    set_state(page, networks=["drsn-cw"])
    dots, bars, words = run(page, script)
    assert len(dots) == 3 and bars == []
    np.testing.assert_allclose(np.diff(dots) / np.ptp(dots), np.diff(m["each"][:3]) / np.ptp(m["each"][:3]), atol=0.02)
    each = ", ".join(map(points, m["each"][:3]))
    assert f"(seed by seed {each})" in words and "no verdict from 3 seeds" in words


def test_every_control_works_from_the_keyboard(page):
    level = page.get_by_role("slider", name="Numbers at")
    level.focus()
    page.keyboard.press("ArrowRight")
    run(page, "await frame()")
    assert state(page)["level"] == -5 and "DRSN-CW" in level.get_attribute("aria-valuetext")
    page.keyboard.press("End")
    run(page, "await frame()")
    assert state(page)["level"] == results_explorer.CLEAN
    assert level.get_attribute("aria-valuetext").startswith("no noise")
    assert_shows_pythons_numbers(page)
    page.get_by_role("checkbox", name="DRSN-CS").focus()
    page.keyboard.press("Space")
    run(page, "await frame()")
    assert state(page)["networks"] == ["resnet", "senet", "drsn-cs", "drsn-cw"]
    for label, value in (("Study", "vibration-snr"), ("Noise of the test", "laplacian"), ("Compared with", "senet")):
        page.get_by_label(label, exact=True).select_option(value)
        run(page, "await frame()")
        assert_shows_pythons_numbers(page)
    page.get_by_label("Random seeds").select_option("0")
    run(page, "await frame()")
    assert state(page)["seed"] == 0
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Enter")
    run(page, "await frame()")
    assert state(page) == ResultsExplorer().state()


def test_the_last_network_cannot_be_taken_away(page):
    set_state(page, networks=["senet"])
    page.get_by_role("checkbox", name="SENet", exact=True).focus()
    page.keyboard.press("Space")
    run(page, "await frame()")
    assert state(page)["networks"] == ["senet"]
    assert page.get_by_role("checkbox", name="SENet", exact=True).is_checked()


def test_pointing_at_a_level_gives_its_numbers(page):
    run(page, "$('#line-chart').scrollIntoView({block: 'center'})")
    x, y, width, height = run(
        page, "const r = $('#line-chart').getBoundingClientRect(); return [r.x, r.y, r.width, r.height]"
    )
    page.mouse.click(x + 0.46 * width, y + height / 2)
    run(page, "await frame()")
    assert state(page)["level"] == 5
    assert_shows_pythons_numbers(page)


def test_the_prediction_is_answered_from_the_records(page):
    m = ResultsExplorer().measures()["drsn-cw"]
    sure = m["verdict"].endswith("is ahead")
    truth = ("ahead" if m["difference"] > 0 else "behind") if sure else "these runs cannot say"
    for name in ("ahead", "behind", "these runs cannot say"):
        page.get_by_role("button", name=name, exact=True).click()
        run(page, "await frame()")
        answer = page.locator("[role=status]").inner_text()
        assert answer.startswith("Yes." if name == truth else "Not so.")
        assert f"{points(m['difference'])} points" in answer and m["verdict"] in answer and behind(m) in answer


def test_a_download_holds_what_is_drawn(page):
    set_state(page, networks=["senet"], trained="none")
    with page.expect_download() as found:
        page.get_by_role("button", name="Download as CSV").click()
    assert found.value.suggested_filename == "mnist-snr.csv"
    text = Path(found.value.path()).read_text(encoding="utf8")
    assert text == ResultsExplorer(networks=["senet"], trained="none").csv() and text.count("\n") > 8


def test_where_the_numbers_are_from_is_said(page):
    source = ResultsExplorer.load_data()["mnist-snr"]["trained"]["mixed"]["provenance"]
    assert source in run(page, "return $('#source').textContent")


def test_a_step_is_quick(page):
    times = run(
        page,
        """const out = [];
        for (let i = 0; i < 16; i++) { figure.model.set('level', 5 * (i % 6) - 10);
            await frame(); out.push(figure.drawingTime); }
        return out.sort((a, b) => a - b)""",
    )
    assert times[4] < 16, times
