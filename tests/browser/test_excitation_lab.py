"""The excitation laboratory in its page: gates and answers are Python's, and every channel has its switch."""

import json

import numpy as np
import pytest
from inside import run, set_state, state

from drsn_lib.widgets import ExcitationLab

PAGE = "laboratory/excitation-lab.html"
CASES = (
    {"digit": 3, "snr": 0.0, "unit": 4, "draw": 1, "switched": ""},
    {"digit": 9, "snr": -10.0, "unit": 1, "draw": 7, "switched": "0.1"},
    {"digit": 0, "snr": 20.0, "unit": 3, "draw": 2, "switched": "1111111111111111"},
)


def assert_shows_pythons_numbers(page):
    figure = ExcitationLab(**state(page))
    m = figure.measures()
    answer = f"{m['label']}: "
    if any(c in "01" for c in figure.switched):
        answer += f"{100 * m['before']:.0f} % → "
    answer += f"{100 * m['after']:.0f} %" + (f" now {m['label_after']}" if m["label_after"] != m["label"] else "")
    shown = run(page, "return ['#probability', '#noise', '#digits'].map(s => $(s).textContent)")
    assert shown == [answer, f"{m['moved_by_noise']:.2f}", f"{m['moved_by_digit']:.2f}"]
    cards = run(page, "return $$('.card:not([hidden])').map(e => e.querySelector('b').textContent)")
    switched = figure.switched.ljust(len(m["gates"]), ".")
    words = [{"0": "shut", "1": "open"}.get(c, f"{g:.2f}") for c, g in zip(switched, m["gates"], strict=True)]
    assert cards == words


def test_the_numbers_equal_pythons(open_page):
    page = open_page(PAGE)
    for case in CASES:
        found, worth = page.evaluate(
            "s => [ExcitationLab.math.measures(s), ExcitationLab.math.importance(s)]", {**case}
        )
        figure = ExcitationLab(**case)
        expected = figure.measures()
        assert found.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, atol=2e-5, err_msg=f"{case} {key}")
        np.testing.assert_allclose(worth, figure.importance(), atol=3e-5)


def test_what_is_shown_is_pythons(open_page):
    page = open_page(PAGE)
    for case in CASES:
        set_state(page, **case)
        assert_shows_pythons_numbers(page)


def test_what_is_drawn_is_pythons(open_page):
    page = open_page(PAGE)
    set_state(page, switched="............0")
    figure = ExcitationLab(switched="............0")
    gates = np.array(figure.measures()["gates"])
    gates[12] = 0
    bars = run(page, "return $$('.card i').map(e => parseFloat(e.style.width))")
    np.testing.assert_allclose(bars, 100 * gates, atol=1e-3)
    widths = run(page, "return $$('rect.now').map(e => +e.getAttribute('width'))")
    probabilities = figure._run([None] * 12 + [0.0])["probabilities"]
    np.testing.assert_allclose(widths, np.maximum(probabilities, 0.004) * (240 - 46 - 18), atol=0.02)
    # What goes on of a shut channel is nothing; of an open one it is the map itself.
    alphas = """const sum = (c) => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
        return d.reduce((s, v, i) => s + (i % 4 === 3 ? v : 0), 0); };
    return $$('.card').map(card => [...card.querySelectorAll('canvas')].map(sum));"""
    sums = np.array(run(page, alphas))
    assert sums[12, 0] > 0 and sums[12, 1] == 0
    np.testing.assert_allclose(sums[:, 1] / sums[:, 0], gates, atol=0.05)


def test_a_channel_is_switched_by_mouse_and_keys(open_page):
    page = open_page(PAGE)
    card = page.locator(".card").nth(12)
    card.click()
    run(page, "await frame()")
    assert state(page)["switched"] == "............0"
    assert "set by you" in card.get_attribute("aria-label")
    assert_shows_pythons_numbers(page)
    assert "now" in run(page, "return $('#probability').textContent")
    card.focus()
    for key, expected in (("Enter", "............1"), ("Space", "")):
        page.keyboard.press(key)
        run(page, "await frame()")
        assert state(page)["switched"] == expected
        assert_shows_pythons_numbers(page)
    page.get_by_role("button", name="Open all").focus()
    page.keyboard.press("Enter")
    run(page, "await frame()")
    assert state(page)["switched"] == "1" * 16
    page.get_by_role("button", name="As computed").click()
    run(page, "await frame()")
    assert state(page)["switched"] == ""


def test_every_control_works_from_the_keyboard(open_page):
    page = open_page(PAGE)
    set_state(page, switched="0")
    page.locator("[name=unit][value='4']").focus()
    page.keyboard.press("ArrowLeft")
    run(page, "await frame()")
    # Another unit has other channels: what was switched is forgotten.
    assert (state(page)["unit"], state(page)["switched"]) == (3, "")
    page.locator("[name=digit][value='3']").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="Noise").focus()
    page.keyboard.press("End")
    page.get_by_role("button", name="New noise").focus()
    page.keyboard.press("Enter")
    run(page, "await frame()")
    assert state(page) == {"digit": 4, "draw": 2, "snr": 20, "switched": "", "unit": 3}
    assert page.get_by_role("slider", name="Noise").get_attribute("aria-valuetext") == "no noise"
    assert_shows_pythons_numbers(page)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    run(page, "await frame()")
    assert state(page) == ExcitationLab().state()


def test_units_have_as_many_cards_as_channels(open_page):
    page = open_page(PAGE)
    for unit, channels in ((1, 8), (2, 8), (3, 16), (4, 16)):
        set_state(page, unit=unit)
        assert page.locator(".card:visible").count() == channels


@pytest.mark.parametrize("unit", [1, 4])
def test_the_prediction_is_answered_from_the_network(open_page, unit):
    page = open_page(PAGE)
    set_state(page, unit=unit)
    figure = ExcitationLab(unit=unit)
    m, worth = figure.measures(), figure.importance()
    widest, first = int(np.argmax(m["gates"])), int(np.argmax(worth))
    truth = "yes" if widest == first else "no"
    for guess in ("yes", "no"):
        page.locator(f"[data-guess={guess}]").click()
        run(page, "await frame()")
        words = page.locator(".ask [role=status]").inner_text()
        assert words.startswith("Right." if guess == truth else "Not here.")
        assert f"channel {widest} ({m['gates'][widest]:.2f})" in words
        assert f"{100 * (m['before'] - worth[first]):.0f} %" in words


def test_a_step_is_quick_with_an_answer_open(open_page):
    page = open_page(PAGE)
    page.locator("[data-guess=no]").click()
    script = """const times = [];
    for (let i = -10; i < 10; i += 2) { figure.model.set('snr', i); await frame(); times.push(figure.drawingTime); }
    return times.sort((a, b) => a - b)"""
    times = run(page, script)
    assert times[2] < 16, json.dumps(times)
