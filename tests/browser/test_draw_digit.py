"""The drawing board in a page: hand, keys and slider move it, and what the networks say is what Python says."""

import numpy as np
import pytest
from inside import HEAD, run, set_state, state

from drsn_lib.widgets import DrawDigit, draw_digit

PAGE = "laboratory/draw-digit.html"
SEVEN = [[(16, 10), (46, 10), (28, 56)]]


def settle(page):
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


@pytest.fixture
def page(open_page):
    page = open_page(PAGE)
    page.wait_for_function(f"() => {{ {HEAD} return $('#networks svg') }}")
    return page


def assert_shows_pythons_numbers(page):
    figure = DrawDigit(**state(page))
    m = figure.measures()
    words = run(page, "return [...root.querySelectorAll('#networks text')].map(e => e.textContent)")
    said = run(page, "return $('#said').textContent").replace("\xa0", " ")
    for variant, name in draw_digit.NAMES.items():
        assert name in words
        mark = "" if figure.drawing else " ✓" if m["readings"][variant] == figure.digit else " ✗"
        assert f"reads {m['readings'][variant]}{mark}" in words
        accuracy = draw_digit.recorded(figure.snr)["mean"][variant]
        assert any(word.replace("\xa0", " ").startswith(f"{100 * accuracy:.1f} %") for word in words)
    # A bar is as long as the probability: those of one network against its longest.
    widths = np.array(
        run(page, "return [...root.querySelectorAll('#networks .bar')].map(e => +e.getAttribute('width'))")
    )
    probabilities = np.array([m["probabilities"][variant] for variant in draw_digit.VARIANTS])
    full = (run(page, "return $('#networks svg').viewBox.baseVal.width") - 2 * 34) / 3 - 60
    np.testing.assert_allclose(widths, np.maximum(probabilities.ravel() * full, 1), atol=0.2)
    heights = run(page, "return [...root.querySelectorAll('#thresholds .zeroed')].map(e => +e.getAttribute('height'))")
    np.testing.assert_allclose(heights, 116 * np.concatenate(m["zeroed"]), atol=0.2)
    zeroed, clean = (f"{100 * np.mean(np.concatenate(m[key])):.0f} %" for key in ("zeroed", "zeroed_clean"))
    if figure.snr < 20:
        assert f"{m['threshold_ratio']:.2f} times" in said and f"set {zeroed} of" in said and f"it is {clean}" in said
    else:
        assert f"set on average {clean} of" in said


def test_it_starts_in_pythons_default_state(page):
    assert state(page) == DrawDigit().state()
    assert_shows_pythons_numbers(page)


CASES = [
    {"digit": 8, "snr": -10, "draw": 5},
    {"digit": 0, "snr": 20, "draw": 1},
    {"drawing": draw_digit.encode(SEVEN), "snr": -3, "draw": 9},
    {"drawing": draw_digit.encode([[(5, 60)], [(20, 3), (60, 9), (33, 40)]]), "snr": 12, "draw": 2},
]


def test_the_script_computes_what_python_does(page):
    default = DrawDigit().state()
    found = run(
        page,
        """const plain = v => v.map(u => Array.from(u.zeroed));
        return argument.map(state => {
            const m = DrawDigit.math.measures(state);
            return {
                pixels: Array.from(m.pixels), given: Array.from(m.given), ratio: m.ratio,
                probabilities: Object.values(m.said).map(one => Array.from(one.probabilities)),
                zeroed: plain(m.units).flat(), clean: plain(m.clean).flat(),
            };
        })""",
        [{**default, **case} for case in CASES],
    )
    for case, script in zip(CASES, found, strict=True):
        figure = DrawDigit(**case)
        m = figure.measures()
        np.testing.assert_allclose(script["pixels"], figure.image(), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(script["given"], figure.noisy_image(), rtol=1e-9, atol=1e-11)
        assert script["ratio"] == pytest.approx(m["threshold_ratio"], rel=1e-5)
        assert len(script["probabilities"]) == 3
        np.testing.assert_allclose(script["probabilities"], list(m["probabilities"].values()), atol=1e-5)
        # One value in a thousand may lie on the other side of its threshold in float32.
        np.testing.assert_allclose(script["zeroed"], np.concatenate(m["zeroed"]), atol=0.021)
        np.testing.assert_allclose(script["clean"], np.concatenate(m["zeroed_clean"]), atol=0.021)


def test_records_are_read_as_python_reads_them(page):
    for snr in (-10, -7, 0, 20):
        assert run(page, "return DrawDigit.math.recorded(argument)", snr) == draw_digit.recorded(snr)


def test_the_mouse_draws_a_digit_that_is_read(page):
    set_state(page, snr=5)
    run(page, "$('#board').scrollIntoView({block: 'center'})")
    box = page.locator("#board").bounding_box()
    at = [(box["x"] + (x + 0.5) / 64 * box["width"], box["y"] + (y + 0.5) / 64 * box["height"]) for x, y in SEVEN[0]]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=15)
    page.mouse.up()
    settle(page)
    strokes = draw_digit.decode(state(page)["drawing"])
    assert len(strokes) == 1 and len(strokes[0]) > 10
    assert strokes[0][0].tolist() == [16, 10] and np.abs(strokes[0][-1] - [28, 56]).max() <= 2
    assert set(DrawDigit(**state(page)).measures()["readings"].values()) == {7}
    assert_shows_pythons_numbers(page)
    assert run(page, "return $('#pen').textContent") == "your drawing"
    assert run(page, "return root.querySelector('[name=digit]:checked')") is None
    # A second stroke is added, and the button takes all away.
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.up()
    settle(page)
    assert len(state(page)["drawing"].split()) == 2
    page.get_by_role("button", name="Clear", exact=True).click()
    settle(page)
    assert state(page)["drawing"] == "" and page.get_by_role("button", name="Clear", exact=True).is_disabled()


def test_the_keyboard_draws_a_digit_that_is_read(page):
    board = page.locator("#board")
    board.focus()
    for _ in range(2):
        page.keyboard.press("ArrowUp")
    settle(page)
    assert state(page)["drawing"] == "" and "pen up" in page.locator("#pen").inner_text()
    page.keyboard.press("Space")
    for _ in range(22):
        page.keyboard.press("ArrowDown")
    settle(page)
    assert page.locator("#pen").inner_text() == "pen down: column 32, row 52"
    page.keyboard.press("Space")
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert page.locator("#pen").inner_text() == "pen up: column 30, row 52"
    points = [[(32, 8 + 2 * i) for i in range(23)]]
    assert state(page)["drawing"] == draw_digit.encode(points)
    assert set(DrawDigit(**state(page)).measures()["readings"].values()) == {1}
    assert_shows_pythons_numbers(page)
    # Off the board the pen is lifted.
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    settle(page)
    assert page.locator("#pen").inner_text() == "your drawing"


def test_a_finger_draws_and_does_not_scroll(page):
    assert run(page, "return getComputedStyle($('#board')).touchAction") == "none"
    run(
        page,
        """const box = $('#board').getBoundingClientRect();
        $('#board').setPointerCapture = () => {};
        $('#board').hasPointerCapture = () => true;
        for (const [type, x, y] of [['pointerdown', 0.5, 0.1], ['pointermove', 0.5, 0.5], ['pointermove', 0.5, 0.9]])
            $('#board').dispatchEvent(new PointerEvent(type, {
                pointerType: 'touch', clientX: box.left + x * box.width, clientY: box.top + y * box.height}));""",
    )
    settle(page)
    assert len(draw_digit.decode(state(page)["drawing"])[0]) == 3
    assert set(DrawDigit(**state(page)).measures()["readings"].values()) == {1}


def test_the_other_controls_by_keyboard(page):
    page.locator("input[name=digit][value='3']").focus()
    page.keyboard.press("ArrowRight")
    settle(page)
    assert state(page)["digit"] == 4
    slider = page.get_by_role("slider", name="Signal-to-noise ratio")
    slider.focus()
    spoken = slider.get_attribute("aria-valuetext")
    page.keyboard.press("ArrowLeft")
    settle(page)
    assert state(page)["snr"] == -6 and slider.get_attribute("aria-valuetext") != spoken
    assert "−6 decibels, noise: 4.0 × the digit's power" == slider.get_attribute("aria-valuetext")
    page.get_by_role("button", name="New noise").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert state(page)["draw"] == 4
    assert_shows_pythons_numbers(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    settle(page)
    assert run(page, "return $('#power').textContent") == "no noise"
    assert_shows_pythons_numbers(page)
    page.get_by_role("button", name="Reset").click()
    settle(page)
    assert state(page) == DrawDigit().state()


def test_the_answer_is_the_records(page):
    said = draw_digit.recorded(-10)
    for guess in ("resnet", "none"):
        page.locator(f"[data-guess={guess}]").click()
        settle(page)
        answer = page.locator(".answer").inner_text().replace("\xa0", " ")
        assert answer.startswith("Yes." if guess == said["best"] else "Not by the records.")
        for variant, name in draw_digit.NAMES.items():
            assert f"{name} reads {100 * said['mean'][variant]:.1f} %" in answer
        assert "random seeds" in answer
        assert ("no further apart" in answer) == (said["best"] == "none")


def test_the_picture_is_what_the_networks_are_given(page):
    gray = run(
        page,
        "return Array.from($('#given').getContext('2d').getImageData(0, 0, 28, 28).data.filter((_, i) => i % 4 === 0))",
    )
    expected = 255 * np.clip((DrawDigit().noisy_image() + 0.5) / 2, 0, 1)
    np.testing.assert_allclose(gray, expected, atol=1)


def test_a_step_is_quick(page):
    milliseconds = run(
        page,
        """const state = {digit: 3, drawing: '', snr: -5};
        const start = performance.now();
        for (let i = 1; i <= 20; i++) DrawDigit.math.measures({...state, draw: i});
        return (performance.now() - start) / 20""",
    )
    assert milliseconds < 80  # about 5 on an idle desktop machine; a shared one may be slow
