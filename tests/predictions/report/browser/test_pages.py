"""Every page in a browser, opened from disk: style, links, narrow screens, accessibility, printing, no JavaScript."""

import re
import zlib

import pytest

PAGES = [
    "index.html", "listen.html", "census.html", "training.html", "toys.html", "mathematics.html",
    "provenance.html", "durations.html", "claim-1.html", "claim-2.html", "claim-3.html",
]  # fmt: skip
LOADED = "() => [...document.images].every((image) => image.complete && image.naturalWidth > 0)"
UNFOLD = "() => document.querySelectorAll('details').forEach((one) => { one.open = true })"


@pytest.fixture(scope="module")
def axe():
    return pytest.importorskip("axe_playwright_python.sync_playwright").Axe()


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_with_its_style_sheet(opened, name):
    page = opened(name)
    assert page.evaluate("() => getComputedStyle(document.querySelector('nav ul')).display") == "flex"


@pytest.mark.parametrize("name", PAGES)
def test_the_pictures_of_a_page_load_and_are_visible(opened, name):
    page = opened(name)
    page.evaluate("() => document.querySelectorAll('img').forEach((image) => { image.loading = 'eager' })")
    page.wait_for_function(LOADED)
    assert all(one.bounding_box()["width"] > 60 for one in page.locator("svg:visible").all())


def test_every_link_leads_to_a_file_or_an_anchor(opened, whole):
    page = opened("index.html")
    seen, waiting = set(), {"index.html"}
    while waiting:
        name = waiting.pop()
        seen.add(name)
        if not name.endswith(".html"):
            assert (whole.folder / name).stat().st_size > 100
            continue
        page.goto((whole.folder / name).as_uri())
        for target in page.locator("a").evaluate_all("(links) => links.map((link) => link.getAttribute('href'))"):
            file, _, anchor = target.partition("#")
            waiting |= {file} - seen - {""}
            if anchor and not file:
                assert page.locator(f"[id='{anchor}']").count() == 1
    assert set(PAGES) <= seen


@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_a_screen_of_360_pixels(opened, name):
    page = opened(name, width=360)
    page.evaluate(UNFOLD)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert page.evaluate("() => { scrollTo(99, 0); return scrollX }") == 0


@pytest.mark.parametrize(("scheme", "rules"), [("light", {}), ("dark", {"runOnly": ["color-contrast"]})])
@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_serious_fault(opened, axe, name, scheme, rules):
    page = opened(name, scheme=scheme)
    page.evaluate(UNFOLD)
    # With `preload`, axe would fetch the style sheet, which the page's policy forbids.
    parts = {"exclude": [["math"]]}  # axe has no rules for formulas, and takes seconds to find that out
    found = axe.run(page, context=parts, options={"preload": False, **rules}).response["violations"]
    serious = [
        f"{one['id']} ({one['impact']}): {node['html'][:200]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:3]
    ]
    assert not serious


PRINTED = ["index.html", "claim-1.html", "listen.html"]
A4_WIDTH, A4_HEIGHT = 794, 1123  # CSS pixels, 96 per inch


@pytest.mark.parametrize("name", PRINTED)
def test_a_page_prints_on_white_without_navigation(opened, name):
    page = opened(name, scheme="dark")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.evaluate("() => getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


@pytest.mark.parametrize("name", PRINTED)
def test_the_print_layout_is_no_wider_than_the_window(opened, name):
    page = opened(name)
    page.emulate_media(media="print")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 1280


def sheets(pdf):
    """How many sheets a PDF has: the largest count of its page trees, which may lie in compressed streams."""
    parts = [pdf]
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL):
        try:
            parts.append(zlib.decompress(stream))
        except zlib.error:
            continue
    return max(int(count) for part in parts for count in re.findall(rb"/Type\s*/Pages.*?/Count (\d+)", part, re.DOTALL))


@pytest.mark.parametrize("name", PRINTED)
def test_a_pdf_has_as_many_sheets_as_the_height_of_the_page_needs(opened, name):
    page = opened(name, width=A4_WIDTH)
    page.emulate_media(media="print")
    height = page.evaluate("() => document.documentElement.scrollHeight")
    pdf = page.pdf(format="A4")
    assert pdf.startswith(b"%PDF")
    needed = height / A4_HEIGHT  # without margins, and without the scaling that fits wide tables
    assert needed / 2 < sheets(pdf) < 2 * needed + 2


def test_without_javascript_the_verdicts_can_be_read(opened):
    page = opened("index.html", script=False)
    assert page.locator("table.verdicts tbody").count() == 3
    assert page.locator("th button").count() == 0


def test_without_javascript_the_arms_can_be_heard(opened):
    page = opened("listen.html", script=False)
    assert page.locator("audio[controls]").count() == 6
    assert not page.locator(".controls").is_visible()
    assert page.locator(".take .arm").first.is_visible()
    assert not page.locator(".ask").first.is_visible()


def test_a_table_of_numbers_sorts_by_value_not_by_text(opened):
    page = opened("training.html")
    head = page.locator("table.sortable thead th").nth(4)
    head.locator("button").click()
    keys = page.locator("table.sortable tbody td:nth-child(5)").evaluate_all(
        "(cells) => cells.map((one) => +one.dataset.key)"
    )
    assert len(keys) > 2
    assert keys == sorted(keys)


def test_an_incomplete_report_opens_and_says_that_it_is_incomplete(opened, incomplete):
    page = opened("index.html", folder=incomplete.folder)
    assert page.locator(".note", has_text="This run is incomplete").is_visible()
