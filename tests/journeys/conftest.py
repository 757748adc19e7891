"""A real Chromium for the journeys; without one they are not collected, which ``make test`` says loudly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.journeys.browser import find_browser

BROWSER = find_browser()
collect_ignore_glob = [] if BROWSER else ["test_*.py"]
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, once for a module: its event loop runs as long as it is open, and Django's tests bear none beside them."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=BROWSER, args=OPTIONS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh page in a context of its own; what it complains about is in ``page.complaints``."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    made = context.new_page()
    complaints: list[str] = []
    made.on("console", lambda message: message.type == "error" and complaints.append(message.text))
    made.on("pageerror", lambda error: complaints.append(str(error)))
    made.complaints = complaints  # type: ignore[attr-defined]
    yield made
    context.close()
