"""The ledger's page, opened: what moved is read there, nothing of it is run, nothing is asked of a network."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from mergeline.release import ledger_page
from mergeline.release.ledger import Ledger, Move
from mergeline.release.records import Deployment

pytestmark = pytest.mark.slow

POISON = "<img src=x onerror=alert(1)> {{ 7*7 }} & late"
MOVES = [
    Move(
        environment="production",
        commit="c" * 40,
        when="2026-11-25T10:00:00+00:00",
        who="Grace",
        action="rolled back",
        release="a" * 64,
        replaced="b" * 64,
        reason=POISON,
    ),
    Move(
        environment="production",
        commit="d" * 40,
        when="2026-11-24T10:00:00+00:00",
        who="Ada",
        action="promoted",
        release="b" * 64,
        replaced="a" * 64,
        verdict="better roc_auc +0.0321 [0.0110, 0.0530]",
        pull_request="#7",
        approved_by=["grace"],
        deployments=[
            Deployment(
                environment="production",
                release="b" * 64,
                state="failure",
                description="an answer is off; rolled back, aaaaaaaaaaaa runs again",
                created="2026-11-24T10:05:00Z",
            )
        ],
    ),
    Move(
        environment="production", commit="e" * 40, when="2026", who="Ada", action="created", release=None, replaced=None
    ),
]


def test_the_page_shows_every_move_as_text(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "pages" / "ledger.html"
    said = ledger_page.write(Ledger(moves=MOVES, note="The forge was not asked further."), "flight-delays", file)
    opened, heard, asked = browser.new_page(), [], []
    opened.on("console", lambda message: heard.append(message.text))
    opened.on("pageerror", lambda error: heard.append(str(error)))
    opened.on("request", lambda request: asked.append(request.url))

    opened.goto(file.as_uri())
    rows = [row.inner_text() for row in opened.locator("tbody tr").all()]

    assert said == f"{file}: 2 moves"
    assert opened.title() == "Ledger of flight-delays"
    assert POISON in rows[0]
    for words in ("better roc_auc +0.0321", "trained by #7", "approved by grace", "failure", "an answer is off"):
        assert words in rows[1]
    assert (heard, asked) == ([], [file.as_uri()])
    opened.set_viewport_size({"width": 380, "height": 800})
    assert opened.evaluate("document.documentElement.scrollWidth") <= 380, "on a phone the table scrolls, not the page"
