"""axe-core finds nothing in any live figure, on a desktop and on a phone, in light and dark."""

import pytest

from drsn_lib import widgets

WIDTHS = {"desktop": 1280, "phone": 390}
FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
THEME = "document.querySelector('[data-state]').shadowRoot.querySelector('.drsn').dataset.theme"


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tag", widgets.figures())
def test_axe_finds_nothing(open_page, violations, tag, theme, width):
    page = open_page(f"laboratory/{tag}.html", width=width, theme=theme)
    page.locator("[data-guess]").first.click()
    page.evaluate(FRAME)
    assert violations(page) == []
    assert page.evaluate(THEME) == theme
