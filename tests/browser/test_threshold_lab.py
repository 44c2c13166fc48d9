"""The threshold laboratory in the book's page: it moves, its numbers are Python's, and all can use it."""

import itertools

import numpy as np
import pytest
from inside import HEAD, run, set_state, state

from drsn_lib.widgets import ThresholdLab, threshold_lab

WIDTHS = {"desktop": 1280, "phone": 390}
ALONE = "laboratory/threshold-lab.html"  # quicker to open than the first page, on which the figure stands too

DRAWN = ("#function-chart", "#error-chart", "#signal-chart")
SHOWN = ("#mse", "#snr", "#zeroed", "#threshold-value")


def settle(page):
    """Wait for the frame in which the figure is drawn again."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def look(page):
    drawn = run(page, "return argument.map(s => $(s).innerHTML)", list(DRAWN))
    shown = run(page, "return argument.map(s => $(s).textContent)", list(SHOWN))
    return drawn, shown


def expected_words(figure):
    """What the figure must show, from the NumPy twin alone."""
    m = figure.measures()
    words = [
        f"{m['mse_before']:.3f} → {m['mse_after']:.3f}",
        f"{m['snr_before']:.1f} → {m['snr_after']:.1f} dB ({m['snr_gain']:+.1f})",
        f"{100 * m['zeroed']:.0f} %",
        f"{figure.threshold:.2f} = {figure.threshold / figure.sigma:.1f} σ",
    ]
    return [w.replace("-", "−") for w in words]


def assert_shows_pythons_numbers(page):
    assert look(page)[1] == expected_words(ThresholdLab(**state(page)))


def test_the_page_starts_in_pythons_default_state(open_page):
    page = open_page()
    assert state(page) == ThresholdLab().state()
    assert_shows_pythons_numbers(page)
    assert run(page, "return argument in figure.attributes", "data-state")


def test_arrow_keys_move_everything_and_the_numbers_are_pythons(open_page):
    page = open_page(ALONE)
    slider = page.get_by_role("slider", name="Threshold τ")
    slider.focus()
    before = look(page)
    value_text = slider.get_attribute("aria-valuetext")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    settle(page)
    after = look(page)
    assert state(page)["threshold"] == pytest.approx(ThresholdLab().threshold + 6 * threshold_lab.STEP)
    for name, a, b in zip([*DRAWN, *SHOWN], before[0] + before[1], after[0] + after[1], strict=True):
        assert a != b, f"{name} did not change"
    assert slider.get_attribute("aria-valuetext") != value_text
    assert_shows_pythons_numbers(page)
    page.keyboard.press("Home")
    settle(page)
    assert state(page)["threshold"] == 0
    page.keyboard.press("End")
    settle(page)
    assert state(page)["threshold"] == threshold_lab.MAX_THRESHOLD
    assert_shows_pythons_numbers(page)


def drag(page, selector, start, end):
    box = run(page, "const r = $(argument).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]", selector)
    page.mouse.move(box[0] + start * box[2], box[1] + box[3] / 2)
    page.mouse.down()
    page.mouse.move(box[0] + end * box[2], box[1] + box[3] / 2, steps=8)
    page.mouse.up()
    settle(page)


@pytest.mark.parametrize(
    "selector, start, end", [("#threshold", 0.11, 0.5), ("#error-chart", 0.3, 0.7), ("#function-chart", 0.6, 0.8)]
)
def test_the_mouse_moves_the_threshold(open_page, selector, start, end):
    page = open_page(ALONE)
    page.locator("threshold-lab").scroll_into_view_if_needed()
    run(page, "$(argument).scrollIntoView({block: 'center'})", selector)
    before = look(page)
    drag(page, selector, start, end)
    after = look(page)
    assert state(page)["threshold"] > ThresholdLab().threshold + 0.5
    assert all(a != b for a, b in zip(before[0], after[0], strict=True))
    assert_shows_pythons_numbers(page)


def test_every_control_works_from_the_keyboard(open_page):
    page = open_page(ALONE)
    for function in ("hard", "garrote", "relu"):
        page.locator("threshold-lab input[value=soft]").focus() if function == "hard" else None
        page.keyboard.press("ArrowRight")
        settle(page)
        assert state(page)["function"] == function
        assert_shows_pythons_numbers(page)
    page.get_by_role("slider", name="Noise level σ").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("combobox", name="Kind of noise").focus()
    page.keyboard.press("ArrowDown")
    settle(page)
    assert state(page)["noise"] == "laplacian"
    page.get_by_role("button", name="New noise").focus()
    page.keyboard.press("Enter")
    settle(page)
    assert state(page)["draw"] == ThresholdLab().draw + 1
    assert state(page)["sigma"] == pytest.approx(ThresholdLab().sigma + 0.05)
    assert_shows_pythons_numbers(page)
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Space")
    settle(page)
    assert state(page) == ThresholdLab().state()


def test_the_prediction_is_answered_from_the_data(open_page):
    page = open_page(ALONE)
    answer = page.locator("threshold-lab [role=status]")
    assert answer.inner_text() == ""
    page.get_by_role("button", name="soft", exact=True).click()
    settle(page)
    soft, hard = (threshold_lab.best_threshold(f, 0.5, 1) for f in ("soft", "hard"))
    assert hard > soft
    assert f"τ = {soft:.2f}" in answer.inner_text() and f"τ = {hard:.2f}" in answer.inner_text()
    assert answer.inner_text().startswith("Not here.")
    page.get_by_role("button", name="hard", exact=True).click()
    settle(page)
    assert answer.inner_text().startswith("Yes.")


def test_the_formulas_equal_pythons(open_page):
    page = open_page(ALONE)
    math = "const m = ThresholdLab.math; const list = v => Array.from(v);"
    assert page.evaluate("DrsnFigure.uniforms(7, 500).length") == 500
    for seed in (0, 1, 7, 2**31 - 1):
        from drsn_lib.widgets._base import normals, uniforms

        u, z = page.evaluate(
            "s => [Array.from(DrsnFigure.uniforms(s, 501)), Array.from(DrsnFigure.normals(s, 501))]", seed
        )
        np.testing.assert_array_equal(u, uniforms(seed, 501))
        np.testing.assert_allclose(z, normals(seed, 501), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(
        page.evaluate(f"() => {{ {math} return list(m.cleanSignal()) }}"), threshold_lab.clean_signal(), atol=1e-14
    )
    x = np.concatenate([np.linspace(-4, 4, 201), [0.0, 1.0, -1.0, 1e-300]])
    for function, t in itertools.product(threshold_lab.FUNCTIONS, (0.0, 0.3, 1.0, 4.0)):
        y, d = page.evaluate(
            f"([f, x, t]) => {{ {math} return [m.apply(f, x, t), m.derivative(f, x, t)] }}", [function, x.tolist(), t]
        )
        np.testing.assert_allclose(y, threshold_lab.apply_threshold(function, x, t), rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(d, threshold_lab.derivative(function, x, t), rtol=1e-13)
    cases = itertools.product(threshold_lab.FUNCTIONS, (0.1, 0.5, 1.2), (1, 12345), threshold_lab.NOISES)
    for function, sigma, draw, noise in cases:
        settings = {"function": function, "sigma": sigma, "draw": draw, "noise": noise, "threshold": 0.62}
        curve, measures = page.evaluate(
            f"s => {{ {math} return [list(m.errorCurve(s.function, s.sigma, s.draw, s.noise)), m.measures(s)] }}",
            settings,
        )
        np.testing.assert_allclose(curve, threshold_lab.error_curve(function, sigma, draw, noise), rtol=1e-11)
        expected = ThresholdLab(**settings).measures()
        assert measures.keys() == expected.keys()
        for key in expected:
            assert measures[key] == pytest.approx(expected[key], rel=1e-10, abs=1e-12), (settings, key)


def test_what_is_drawn_is_what_python_computes(open_page):
    page = open_page(ALONE)
    set_state(page, function="garrote", threshold=0.9, sigma=0.7, draw=5)
    figure = ThresholdLab(function="garrote", threshold=0.9, sigma=0.7, draw=5)
    signals = figure.signals()
    curve = threshold_lab.error_curve("garrote", 0.7, 5)
    for selector, values in (
        ("path.noisy", signals["noisy"]),
        ("path.output", signals["output"]),
        ("path.residual", signals["residual"]),
        ("path.error", curve),
    ):
        points = run(
            page,
            "return $(argument).getAttribute('d').split(/[ML]/).slice(1).map(p => p.split(' ').map(Number))",
            selector,
        )
        points = np.array(points)
        assert len(points) == len(values)
        # Heights on the screen are a straight line of the values, falling, for y grows downward there.
        slope, offset = np.polyfit(values, points[:, 1], 1)
        assert slope < 0
        np.testing.assert_allclose(points[:, 1], slope * values + offset, atol=0.11)
        if selector == "path.error":
            here = run(page, "const c = $('circle.here'); return [+c.getAttribute('cx'), +c.getAttribute('cy')]")
            across, start = np.polyfit(threshold_lab.threshold_grid(), points[:, 0], 1)
            assert here[0] == pytest.approx(across * 0.9 + start, abs=0.11)
            assert here[1] == pytest.approx(slope * figure.measures()["mse_after"] + offset, abs=0.11)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_nothing_sticks_out_and_labels_do_not_collide(open_page, width):
    page = open_page(ALONE, width=width)
    for function, threshold, sigma in itertools.product(
        threshold_lab.FUNCTIONS, (0, 0.4, 1.6, 2.6, 4), (0.1, 0.5, 1.2)
    ):
        set_state(page, function=function, threshold=threshold, sigma=sigma)
        outside = run(
            page,
            """const card = $('.drsn').getBoundingClientRect();
            return [...root.querySelectorAll('svg text, button, .numbers dd')].filter(e => {
                const r = e.getBoundingClientRect();
                return r.left < card.left + 1 || r.right > card.right - 1;
            }).map(e => e.textContent)""",
        )
        assert outside == [], (function, threshold, sigma)
        overlaps = run(
            page,
            """const out = [];
            for (const svg of root.querySelectorAll('svg')) {
                const words = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
                for (let i = 0; i < words.length; i++) for (let j = i + 1; j < words.length; j++) {
                    const [a, b] = [words[i][1], words[j][1]];
                    const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
                    const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
                    if (w > 2 && h > 5) out.push([words[i][0], words[j][0]]);
                }
            }
            return out""",
        )
        assert overlaps == [], (function, threshold, sigma)


def test_the_figure_follows_the_theme(open_page):
    page = open_page(theme="light")

    def colors():
        return run(
            page,
            "const s = getComputedStyle($('.drsn')); return [$('.drsn').dataset.theme, s.color, s.backgroundColor]",
        )

    def luminance(color):
        r, g, b = (int(v) / 255 for v in color[4:-1].split(","))
        return 0.2126 * r**2.2 + 0.7152 * g**2.2 + 0.0722 * b**2.2

    seen = {}
    for theme in ("light", "dark", "light"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme }", theme)
        page.wait_for_function(f"theme => {{ {HEAD} return $('.drsn').dataset.theme === theme }}", arg=theme)
        seen[theme] = colors()
        ink, paper = luminance(seen[theme][1]), luminance(seen[theme][2])
        assert (max(ink, paper) + 0.05) / (min(ink, paper) + 0.05) > 7
    assert seen["light"] != seen["dark"]


def test_without_javascript_a_sentence_says_what_would_be_seen(open_page):
    page = open_page(javascript=False)
    text = page.locator("threshold-lab").inner_text()
    assert text == ThresholdLab().fallback()
    assert f"{ThresholdLab().measures()['mse_after']:.3f}" in text


def test_with_javascript_the_sentence_is_out_of_sight(open_page):
    page = open_page(ALONE)
    assert not page.locator("threshold-lab > p").is_visible()
