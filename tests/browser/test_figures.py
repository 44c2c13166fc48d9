"""What holds for every live figure, each on its page alone: tests/browser/test_<figure>.py has the rest."""

import json

import pytest
from inside import run, state

from drsn_lib import widgets

FIGURES = widgets.figures()
WIDTHS = {"desktop": 1280, "phone": 390}
CHAPTER = 712  # as wide as a figure is in a chapter on a screen of 1280

# Sets every slider to both of its ends, every choice to each of its options, and collects what a check finds.
EVERY_SETTING = """
const found = [];
const look = (words) => { for (const line of check()) found.push(`${words}: ${line}`); };
look("as it begins");
for (const e of $$("input[type=range]"))
  for (const value of [e.min, e.max, String((+e.min + +e.max) / 2)]) {
    const before = e.value;
    e.value = value; e.dispatchEvent(new Event("input", { bubbles: true })); await frame();
    look(`${e.id} = ${value}`);
    e.value = before; e.dispatchEvent(new Event("input", { bubbles: true })); await frame();
  }
for (const id of $$("select").map(e => e.id))
  for (const value of [...root.getElementById(id).options].map(o => o.value)) {
    const e = root.getElementById(id);
    e.value = value; e.dispatchEvent(new Event("change", { bubbles: true })); await frame();
    look(`${id} = ${value}`);
  }
for (const [name, value] of $$("input[type=radio]").map(e => [e.name, e.value])) {
  $$(`input[type=radio][name="${name}"]`).find(e => e.value === value).click(); await frame();
  look(`${name} = ${value}`);
}
for (const name of new Set($$("[data-guess]").map(e => e.dataset.guess))) {
  $$(`[data-guess="${name}"]`)[0].click(); await frame();
  look(`guess ${name}`);
}
return found;"""

STICKS_OUT = """const sticksOut = () => {
  const card = root.querySelector('.drsn').getBoundingClientRect();
  return $$('svg text, button, select, canvas, .numbers dd, td, th').filter(e => {
    const r = e.getBoundingClientRect();
    if (!r.width || e.closest('[data-scrolls]')) return false;
    return r.left < card.left + 1 || r.right > card.right - 1;
  }).map(e => `${(e.textContent || e.id).slice(0, 40)} sticks out`).concat(
    document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : []);
};"""

COLLIDES = """const collides = () => {
  const out = [];
  for (const svg of $$('svg')) {
    const words = [...svg.querySelectorAll('text')].map(e => [e.textContent, e.getBoundingClientRect()]);
    for (let i = 0; i < words.length; i++) for (let j = i + 1; j < words.length; j++) {
      const [a, b] = [words[i][1], words[j][1]];
      const w = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const h = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (w > 2 && h > 5) out.push(`"${words[i][0]}" lies on "${words[j][0]}"`);
    }
  }
  return out;
};"""

BOTH = "const check = () => [...sticksOut(), ...collides()];"


@pytest.fixture(params=FIGURES, ids=FIGURES)
def tag(request):
    return request.param


def address(tag):
    return f"laboratory/{tag}.html"


def test_it_starts_in_pythons_default_state(open_page, tag):
    page = open_page(address(tag))
    assert state(page) == FIGURES[tag]().state()
    # An element without a state takes the script's own defaults: they are the same.
    run(page, "const bare = document.createElement(figure.localName); document.body.append(bare); await frame();")
    names = json.dumps(FIGURES[tag].state_names())
    bare = f"Object.fromEntries({names}.map(k => [k, document.body.lastElementChild.model.get(k)]))"
    assert page.evaluate(bare) == FIGURES[tag]().state()


def test_a_question_comes_first_and_is_answered(open_page, tag):
    page = open_page(address(tag))
    guesses = page.locator("[data-guess]")
    answer = page.locator(".ask [role=status]")
    assert guesses.count() >= 2 and answer.inner_text() == ""
    answers = set()
    for number in range(guesses.count()):
        guesses.nth(number).focus()
        page.keyboard.press("Enter")
        run(page, "await frame()")
        assert guesses.nth(number).get_attribute("aria-pressed") == "true"
        answers.add(answer.inner_text())
    assert len(answers) >= 2 and all(len(words) > 40 for words in answers)


def test_nothing_sticks_out_and_labels_do_not_collide(open_page, tag):
    page = open_page(address(tag))
    for width in (*WIDTHS.values(), CHAPTER):
        page.set_viewport_size({"width": width, "height": 900})
        run(page, "await frame()")
        assert run(page, STICKS_OUT + COLLIDES + BOTH + EVERY_SETTING) == [], f"{width} pixels wide"


def test_every_slider_follows_the_keys_and_says_its_value(open_page, tag):
    page = open_page(address(tag))
    sliders = page.locator("input[type=range]")
    for number in range(sliders.count()):
        slider = sliders.nth(number)
        before, words = slider.input_value(), slider.get_attribute("aria-valuetext")
        drawn = run(page, "return root.querySelector('.body').innerHTML")
        slider.focus()
        page.keyboard.press("ArrowLeft" if before == slider.get_attribute("max") else "ArrowRight")
        run(page, "await frame()")
        assert slider.input_value() != before
        assert words and slider.get_attribute("aria-valuetext") != words
        assert run(page, "return root.querySelector('.body').innerHTML") != drawn


def test_a_step_takes_less_than_a_frame(open_page, tag):
    page = open_page(address(tag))
    times = run(
        page,
        """const times = [];
        for (const e of $$("input[type=range]"))
          for (let i = 1; i <= 16; i++) {
            e.value = +e.min + (i * (e.max - e.min)) / 17; e.dispatchEvent(new Event("input")); await frame();
            times.push(figure.drawingTime);
          }
        return times.sort((a, b) => a - b);""",
    )
    # The quickest quarter: a shared machine is slow at times, a slow script always.
    assert times and times[len(times) // 4] < 16, times


def test_it_can_be_taken_away_and_put_back(open_page, tag):
    page = open_page(address(tag))
    run(page, "const parent = figure.parentNode; figure.remove(); await frame(); parent.append(figure); await frame();")
    assert state(page) == FIGURES[tag]().state()
    assert run(page, "return $$('svg, canvas').length") > 0


def test_without_scripts_a_picture_and_a_sentence(open_page, tag):
    page = open_page(address(tag), javascript=False)
    figure = FIGURES[tag]()
    assert figure.fallback() in page.locator(tag).inner_text()
    assert page.evaluate("document.querySelector('[data-state] img').naturalWidth") > 600
