"""axe-core finds nothing in any live figure, on a desktop and on a phone, in light and dark."""

import pytest

from drsn_lib import widgets

WIDTHS = {"desktop": 1280, "phone": 390}
FRAME = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
THEME = "document.querySelector('[data-state]').shadowRoot.querySelector('.drsn').dataset.theme"


@pytest.mark.parametrize("tag", widgets.figures())
def test_axe_finds_nothing(open_page, violations, tag):
    page = open_page(f"laboratory/{tag}.html", reduced_motion="reduce")  # a colour on its way is none to measure
    page.locator("[data-guess]").first.click()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        for name, width in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 900})
            page.wait_for_function(f"{THEME} === '{theme}'")
            page.evaluate(FRAME)
            assert violations(page) == [], f"{theme}, {name}"
