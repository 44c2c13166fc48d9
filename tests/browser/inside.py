"""What the tests of live figures share: scripts that run inside the figure of a page, and its state."""

from drsn_lib import widgets

# Prefixed to every script: the figure, its shadow root, ways to find things in it, and a frame to wait for.
HEAD = """const figure = document.querySelector('[data-state]'), root = figure.shadowRoot;
const $ = s => root.querySelector(s), $$ = s => [...root.querySelectorAll(s)];
const frame = () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));"""


def run(page, script, argument=None):
    """What a script returns that runs inside the page's figure, with `argument`."""
    return page.evaluate(f"async (argument) => {{ {HEAD} {script} }}", argument)


def state(page):
    """The state of the page's figure, by the names that Python knows."""
    names = widgets.figures()[run(page, "return figure.localName")].state_names()
    return run(page, "return Object.fromEntries(argument.map(k => [k, figure.model.get(k)]))", names)


def set_state(page, **changes):
    """Change the state of the page's figure, and wait until it is drawn."""
    run(page, "for (const [k, v] of Object.entries(argument)) figure.model.set(k, v); await frame()", changes)
