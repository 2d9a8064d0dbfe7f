"""A browser for the page, and what it hears of it."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from mergeline.compare import page
from mergeline.compare.report import Report
from tests.tools import need

BROWSERS = "chromium", "google-chrome", "chromium-browser"


@dataclass(frozen=True)
class Opened:
    """A report's page in the browser; `heard` are its errors and messages, `asked` the addresses that it asked for."""

    page: Page
    file: Path
    heard: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def column(self, table: str, title: str) -> list[str]:
        """Give the texts below a column's title, in the table below a heading."""
        found: list[str] = self.page.evaluate(
            """([table, title]) => {
                const heading = [...document.querySelectorAll("h2")].find((h) => h.textContent === table);
                const rows = [...heading.parentNode.querySelectorAll("table")]
                    .find((t) => heading.compareDocumentPosition(t) & Node.DOCUMENT_POSITION_FOLLOWING).rows;
                const i = [...rows[0].cells].findIndex((cell) => cell.textContent === title);
                return [...rows].slice(1).map((row) => row.cells[i].textContent.trim());
            }""",
            [table, title],
        )
        return found

    def title(self, table: str, title: str) -> Any:
        """Find a column's title in the first table below a heading."""
        heading = self.page.get_by_role("heading", name=table, exact=True)
        return heading.locator("xpath=following::table[1]").locator(f'th:text-is("{title}")')


Open = Callable[..., Opened]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium; a machine that lacks it skips the test, and fails under REQUIRE_TOOLS=1.

    It goes with its file: its event loop runs in this thread, where other tests start their own.
    """
    program = next(filter(None, map(shutil.which, BROWSERS)), None) or need(BROWSERS[0])
    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=program, args=["--no-sandbox"])  # root has no other way
        yield started
        started.close()


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Open a report's page, with the options of a browser context."""
    with ExitStack() as stack:

        def one(report: Report, **options: Any) -> Opened:
            file = tmp_path / "report.html"
            file.write_text(page.render(report), encoding="utf-8")
            context = browser.new_context(**options)
            stack.callback(context.close)
            found = Opened(context.new_page(), file)
            found.page.on("console", lambda message: found.heard.append(message.text))
            found.page.on("pageerror", lambda error: found.heard.append(str(error)))
            found.page.on("request", lambda request: found.asked.append(request.url))
            found.page.goto(file.as_uri())
            return found

        yield one
