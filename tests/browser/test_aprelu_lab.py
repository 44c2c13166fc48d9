"""The APReLU laboratory in its page: its slopes are Python's, channels are chosen by keyboard and by pointing."""

import numpy as np
import pytest
from inside import run, set_state, state

from drsn_lib.widgets import ApreluLab, aprelu_lab

PAGE = "laboratory/aprelu-lab.html"
CASES = (
    {},
    {"activation": 4, "machine": "ball", "level": 3, "channel": 3, "compare": "relu"},
    {"activation": 1, "machine": "healthy", "level": 0, "loudness": 2.5, "channel": 4, "compare": "leaky"},
    {"activation": 16, "machine": "eccentric gear", "level": 2, "loudness": 0.25, "channel": 16},
)


def assert_shows_pythons_numbers(page):
    figure = ApreluLab(**state(page))
    m = figure.measures()
    assert run(page, "return ['#slope', '#below', '#share'].map(s => $(s).textContent)") == [
        f"{m['slope']:.2f} all windows {m['low']:.2f} to {m['high']:.2f}",
        f"{100 * m['below']:.0f} %",
        f"noise {100 * m['noise']:.0f} % state {100 * m['state']:.0f} %",
    ]


@pytest.fixture
def page(open_page):
    return open_page(PAGE)


def test_the_slopes_equal_pythons(page):
    for case in CASES:
        figure = ApreluLab(**case)
        script = "const m = ApreluLab.math; return [m.allSlopes(argument.activation, argument.loudness).map(l => l.map("
        script += "s => s.map(a => Array.from(a)))), m.measures(argument), m.others(argument)]"
        slopes, measures, others = run(page, script, figure.state())
        np.testing.assert_allclose(slopes, figure.slopes(), rtol=1e-9)
        np.testing.assert_allclose(others, figure.others(), rtol=1e-12)
        for name, value in figure.measures().items():
            assert measures[name] == pytest.approx(value, rel=1e-9), (case, name)


def test_the_numbers_shown_are_pythons(page):
    for case in CASES:
        set_state(page, **ApreluLab(**case).state())
        assert_shows_pythons_numbers(page)


def points(page, selector):
    script = (
        "return $$(argument).map(e => e.getAttribute('d').split(/[ML]/).slice(1).map(p => p.split(' ').map(Number)))"
    )
    return run(page, script, selector)


def test_what_is_drawn_is_what_python_computes(page):
    case = {**ApreluLab().state(), "machine": "worn gear", "level": 2, "channel": 7}
    set_state(page, **case)
    figure = ApreluLab(**case)
    a = figure.slopes()
    # The dots of all channels: heights on the screen are a falling line of the slopes.
    heights = run(page, "return $$('circle.slope').map(c => +c.getAttribute('cy'))")
    slope, offset = np.polyfit(a[2, 6, 0], heights, 1)
    assert slope < 0
    np.testing.assert_allclose(heights, slope * a[2, 6, 0] + offset, atol=0.11)
    fixed = run(page, "return $$('line.fixed').map(c => +c.getAttribute('y1'))")
    np.testing.assert_allclose(fixed, slope * figure.others() + offset, atol=0.2)
    # The lines of the states: means of eight windows, at four levels; the chosen state's by itself.
    means = a[..., 6].mean(2)
    lines = np.array(points(page, "path.state"))[..., 1]
    slope, offset = np.polyfit(np.delete(means, 6, axis=1).T.ravel(), lines.ravel(), 1)
    np.testing.assert_allclose(lines, slope * np.delete(means, 6, axis=1).T + offset, atol=0.11)
    np.testing.assert_allclose(np.array(points(page, "path.mine"))[0, :, 1], slope * means[:, 6] + offset, atol=0.2)
    # The function: its corner at zero, to the left the slope of the channel.
    (left, corner, right) = points(page, "path.own")[0]
    up = (corner[1] - right[1]) / (right[0] - corner[0])
    assert (left[1] - corner[1]) / (corner[0] - left[0]) == pytest.approx(a[2, 6, 0, 6] * up, abs=0.01)
    assert len(points(page, "path.other")) == 16


def test_every_control_works_from_the_keyboard(page):
    for name, words, value in (("level", "Noise", 2), ("channel", "Channel", 2), ("loudness", "Loudness", 1.25)):
        page.get_by_role("slider", name=words).focus()
        page.keyboard.press("ArrowRight")
        run(page, "await frame()")
        assert state(page)[name] == value
        assert_shows_pythons_numbers(page)
    page.get_by_role("radio", name="PReLU", exact=True).focus()
    page.keyboard.press("ArrowLeft")
    page.get_by_label("Where in the network").select_option("4")
    page.get_by_label("State of the machine", exact=True).select_option("ball")
    run(page, "await frame()")
    seen = state(page)
    assert (seen["compare"], seen["activation"], seen["machine"]) == ("leaky", 4, "ball")
    assert_shows_pythons_numbers(page)
    assert page.get_by_role("slider", name="Channel").get_attribute("max") == "4"
    page.get_by_role("button", name="Reset").focus()
    page.keyboard.press("Enter")
    run(page, "await frame()")
    assert state(page) == ApreluLab().state()


def test_a_channel_is_chosen_by_pointing(page):
    run(page, "$('#slope-chart').scrollIntoView({block: 'center'})")
    where = "const r = $$('circle.slope')[11].getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]"
    page.mouse.move(*run(page, where))
    run(page, "await frame()")
    assert state(page)["channel"] == 12
    assert_shows_pythons_numbers(page)


def test_the_prediction_is_answered_from_the_data(page):
    noise, machine = aprelu_lab.shares()[3]
    for name, start in (("the noise", "Not quite."), ("first the noise, deeper the state", "Yes.")):
        page.get_by_role("button", name=name, exact=True).click()
        run(page, "await frame()")
        answer = page.locator("[role=status]").inner_text()
        assert answer.startswith(start)
        assert f"{100 * noise:.0f} % of their variance goes with the noise and {100 * machine:.0f} %" in answer


def test_louder_is_another_function_for_aprelu_alone(page):
    before = points(page, "path.own"), points(page, "path.other")
    set_state(page, loudness=3)
    after = points(page, "path.own"), points(page, "path.other")
    assert after[0] != before[0] and after[1] == before[1]


def test_a_step_is_quick(page):
    times = run(
        page,
        """const out = [];
        for (let i = 1; i < 17; i++) {
            figure.model.set('loudness', i / 4); await frame(); out.push(figure.drawingTime);
        }
        return out.sort((a, b) => a - b)""",
    )
    assert times[4] < 16, times
