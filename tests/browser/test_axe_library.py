"""axe-core finds nothing in the pages of the library, in a file of their own, which another worker takes."""

from test_axe_pages import check_all


def test_every_page_of_the_library_is_whole_fits_and_pleases_axe(open_page, book, pages, violations):
    names = [name for name in pages if name.startswith("book/api/")]
    assert len(names) > 10
    # One extension writes them all, in the same elements: dark on a phone for each, light on a desktop for one.
    check_all(open_page, book, names, violations, both=["book/api/layers.html"])
