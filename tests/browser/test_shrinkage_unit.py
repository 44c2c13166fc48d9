"""Inside a shrinkage unit, in its page: each stage's numbers are Python's, and channels are chosen in three ways."""

import numpy as np
import pytest
from inside import run, set_state, state

from drsn_lib.widgets import ShrinkageUnit

PAGE = "laboratory/shrinkage-unit.html"
CASES = (
    {"variant": "drsn-cw", "digit": 3, "snr": 0.0, "unit": 1, "channel": 2, "draw": 1},
    {"variant": "drsn-cw", "digit": 8, "snr": -10.0, "unit": 4, "channel": 15, "draw": 9},
    {"variant": "drsn-cs", "digit": 1, "snr": 20.0, "unit": 2, "channel": 12, "draw": 3},
    {"variant": "drsn-cs", "digit": 6, "snr": 7.0, "unit": 3, "channel": 0, "draw": 4},
)


def assert_shows_pythons_numbers(page):
    figure = ShrinkageUnit(**state(page))
    m = figure.measures()
    c = min(figure.channel, len(m["m"]) - 1)
    shown = run(page, "return ['#tau', '#m', '#zeroed', '.formula'].map(s => $(s).textContent)")
    before = ("", "") if figure.snr >= 20 else (f"{m['clean_tau']:.2f} → ", f"{m['clean_m']:.2f} → ")
    a, tau = f"{m['alpha'][c]:.2f}", f"{m['tau'][c]:.2f}"
    formula = f"τ{c} = α{c} · m{c} = {a} × {m['m'][c]:.2f} = {tau}"
    if figure.variant == "drsn-cs":
        formula = f"τ = α · mean of all m = {a} × {m['mean_m']:.2f} = {tau}"
    assert shown == [
        f"{before[0]}{m['mean_tau']:.2f}",
        f"{before[1]}{m['mean_m']:.2f}",
        f"{100 * m['mean_zeroed']:.0f} %",
        formula,
    ]
    label = page.locator(f".channels [value='{c}']").get_attribute("aria-label")
    assert label == f"Channel {c}: m {m['m'][c]:.2f}, α {a}, τ {tau}, {100 * m['zeroed'][c]:.0f} percent set to zero"


def test_the_numbers_equal_pythons(open_page):
    page = open_page(PAGE)
    script = """const f = ShrinkageUnit.math, l = f.look(argument);
    return [l.measures, f.response(argument), f.verdict(argument),
        Object.fromEntries(Object.entries(l.stages).map(([k, v]) => [k, Array.from(v)]))]"""
    for case in CASES:
        measures, response, verdict, stages = run(page, script, case)
        figure = ShrinkageUnit(**case)
        expected = figure.measures()
        assert measures.keys() == expected.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(measures[key], value, rtol=2e-5, atol=2e-5, err_msg=f"{case} {key}")
        for key, value in figure.stages().items():
            np.testing.assert_allclose(stages[key], value.ravel(), rtol=1e-4, atol=1e-4)
        wanted = figure.response()
        assert wanted.pop("levels") == run(page, "return DrsnFigure.data('shrinkage_unit').levels")
        assert response.keys() == wanted.keys()
        for key, value in wanted.items():
            np.testing.assert_allclose(response[key], value, rtol=1e-9)
        assert verdict == figure.verdict()


def test_what_is_shown_is_pythons(open_page):
    page = open_page(PAGE)
    for case in CASES:
        set_state(page, **case)
        assert_shows_pythons_numbers(page)


def points(page, selector):
    script = "return $(argument).getAttribute('d').split(/[ML]/).slice(1).map(p => p.split(' ').map(Number))"
    return np.array(run(page, script, selector))


@pytest.mark.parametrize("variant", ["drsn-cw", "drsn-cs"])
def test_what_is_drawn_is_pythons(open_page, variant):
    page = open_page(PAGE)
    set_state(page, variant=variant, unit=3, channel=5, snr=-4, digit=2)
    figure = ShrinkageUnit(variant=variant, unit=3, channel=5, snr=-4, digit=2)
    m, stages, response = figure.measures(), figure.stages(), figure.response()
    heights = run(page, "return ['m', 'tau'].map(c => $$(`rect.${c}`).map(e => +e.getAttribute('height')))")
    slope = heights[0][0] / m["m"][0]
    np.testing.assert_allclose(heights[0], slope * np.array(m["m"]), atol=0.15)
    np.testing.assert_allclose(heights[1], slope * np.minimum(m["tau"], m["m"]), atol=0.15)
    drawn = {"path.before": np.sort(stages["u"].ravel()), "path.after": np.sort(stages["output"].ravel())}
    drawn |= {f"path.{key}": np.array(response[key]) for key in ("m", "alpha", "tau")}
    for selector, values in drawn.items():
        found = points(page, selector)
        assert len(found) == len(values)
        slope, offset = np.polyfit(values, found[:, 1], 1)
        assert slope < 0
        np.testing.assert_allclose(found[:, 1], slope * values + offset, atol=0.15)


def test_a_map_is_colored_by_its_values(open_page):
    page = open_page(PAGE)
    u = ShrinkageUnit().stages()["u"]
    script = """const c = $('#u'), d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
    return [c.width, c.height, Array.from(d)]"""
    width, height, bytes_ = run(page, script)
    assert (height, width) == u.shape
    pixels = np.array(bytes_).reshape(height, width, 4)
    np.testing.assert_allclose(pixels[..., 3], 255 * np.abs(u) / np.abs(u).max(), atol=1)
    strong = pixels[..., 3] > 40
    assert ((pixels[..., 0] > pixels[..., 2]) == (u > 0))[strong].all()


def test_a_channel_is_chosen_by_pointing_by_pressing_and_by_keys(open_page):
    page = open_page(PAGE)
    labels = page.locator(".channels label")
    labels.nth(6).hover()
    run(page, "await frame()")
    assert state(page)["channel"] == 6
    assert_shows_pythons_numbers(page)
    page.locator(".channels [value='6']").focus()
    page.keyboard.press("ArrowRight")
    run(page, "await frame()")
    assert state(page)["channel"] == 7
    assert_shows_pythons_numbers(page)
    labels.nth(1).click()
    run(page, "await frame()")
    assert state(page)["channel"] == 1
    assert "channel 1" in run(page, "return $('#u').getAttribute('aria-label')")


def test_units_have_as_many_maps_as_channels(open_page):
    page = open_page(PAGE)
    for unit, channels in ((1, 8), (4, 16)):
        set_state(page, unit=unit, channel=15)
        assert page.locator(".channels label:visible").count() == channels
        # A channel that the unit does not have is its last one.
        assert page.locator(".channels input:checked").get_attribute("value") == str(channels - 1)
        assert_shows_pythons_numbers(page)


def test_every_control_works_from_the_keyboard(open_page):
    page = open_page(PAGE)
    for name, value in (("digit", "3"), ("unit", "1"), ("variant", "drsn-cw")):
        page.locator(f"[name={name}][value='{value}']").focus()
        page.keyboard.press("ArrowRight")
    page.get_by_role("slider", name="Noise").focus()
    page.keyboard.press("Home")
    page.get_by_role("button", name="New noise").focus()
    page.keyboard.press("Enter")
    run(page, "await frame()")
    assert state(page) == {"channel": 2, "digit": 4, "draw": 2, "snr": -10, "unit": 2, "variant": "drsn-cs"}
    spoken = page.get_by_role("slider", name="Noise").get_attribute("aria-valuetext")
    assert spoken == "signal-to-noise ratio −10 decibels"
    assert_shows_pythons_numbers(page)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    run(page, "await frame()")
    assert state(page) == ShrinkageUnit().state()


@pytest.mark.parametrize(("variant", "unit"), [("drsn-cw", 1), ("drsn-cw", 4), ("drsn-cs", 3)])
def test_the_prediction_is_answered_from_many_digits(open_page, variant, unit):
    page = open_page(PAGE)
    set_state(page, variant=variant, unit=unit)
    figure = ShrinkageUnit(variant=variant, unit=unit)
    response = figure.response()
    for guess in ("rise", "stay", "fall"):
        page.locator(f"[data-guess={guess}]").click()
        run(page, "await frame()")
        words = page.locator(".ask [role=status]").inner_text()
        assert words.startswith("Right." if guess == figure.verdict() else "Not this unit.")
        for key, name in (("tau", "τ goes"), ("m", "m"), ("alpha", "α")):
            assert f"{name} ×{response[key][0]:.2f}" in words
