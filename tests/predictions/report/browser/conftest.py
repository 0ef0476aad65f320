"""Headless Chromium with an empty profile, and pages that record their console messages and requests."""

import os
import shutil

import pytest

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--autoplay-policy=no-user-gesture-required", "--mute-audio",
]  # fmt: skip
# Fixes the shuffle of blind mode, so that its order is the same in every run and differs from the original order.
FIXED_SHUFFLE = "crypto.getRandomValues = (array) => array.fill(0)"


def pytest_collection_modifyitems(items):
    for item in items:
        if "browser" in item.path.parts:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    """The browser, started once. Without one, tests are skipped, except in CI, where they fail."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        reason = "there is no Chromium on the path; on Debian: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    sync_playwright = pytest.importorskip("playwright.sync_api").sync_playwright
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def opened(chromium, whole):
    """A function that opens a page of the report from disk.

    The test fails at its end if a page wrote to the console, raised an error, missed a file or requested anything from
    outside the report.
    """
    contexts, faults = [], []

    def open_page(name, *, folder=whole.folder, width=1280, scheme="light", script=True):
        context = chromium.new_context(
            viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=script,
            accept_downloads=True,
        )  # fmt: skip
        context.add_init_script(FIXED_SHUFFLE)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: faults.append(f"{name}, console {message.type}: {message.text}"))
        page.on("pageerror", lambda error: faults.append(f"{name}, error: {error}"))
        page.on("requestfailed", lambda request: _check_failure(request, name, faults))
        page.on("request", lambda request: _check_request(request.url, folder, name, faults))
        page.goto((folder / name).as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert not faults


def _check_request(url, folder, name, faults):
    if not url.startswith((folder.as_uri() + "/", "blob:")):
        faults.append(f"{name} requests {url}, which is outside the report")


def _check_failure(request, name, faults):
    if request.resource_type == "media" and request.failure == "net::ERR_ABORTED":
        return  # a player that seeks or reloads cancels its pending request
    faults.append(f"{name} cannot load {request.url}: {request.failure}")
