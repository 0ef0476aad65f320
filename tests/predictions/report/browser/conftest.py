"""Debian's Chromium, headless, with an empty profile; a page that notes what it says and asks for."""

import os
import shutil

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
]  # fmt: skip
# Any other shuffle would do; this one makes the order of a blind row the same in every run, and not the page's own.
FIXED_DICE = "crypto.getRandomValues = (array) => array.fill(0)"


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser, started once. In CI a missing one is a failure: a check that nobody runs finds nothing."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        said = "no Chromium on the path; on Debian: apt-get install chromium"
        pytest.fail(said) if os.environ.get("CI") else pytest.skip(said)
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, whole):
    """A function that opens a page of the report from disk and returns it; at the end nothing may have gone wrong."""
    contexts, faults = [], []

    def open_page(name, *, folder=whole.folder, width=1280, scheme="light", script=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=script,
            accept_downloads=True,
        )  # fmt: skip
        context.add_init_script(FIXED_DICE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"{name} says {message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"{name} fails: {error}"))
        page.on("requestfailed", lambda request: _missed(request, name, faults))
        page.on("request", lambda request: _judge(request.url, folder, name, faults))
        page.goto((folder / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _judge(url, folder, name, faults):
    if not url.startswith((folder.as_uri() + "/", "blob:")):
        faults.append(f"{name} asks for {url}")


def _missed(request, name, faults):
    if request.resource_type == "media" and request.failure == "net::ERR_ABORTED":
        return  # a player that seeks or loads anew drops what it was fetching
    faults.append(f"{name} misses {request.url}: {request.failure}")
