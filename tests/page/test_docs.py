"""The server's page in a browser, under the policy that it is sent with: it asks its server alone and shows what it says."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, expect

from mergeline import bundle as bundles
from tests.page.conftest import Opened
from tests.unit.serve.made import export
from tests.unit.serve.servers import Running, start

pytestmark = pytest.mark.slow

POISON = "</textarea><script>alert(1)</script>'\"&$name"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A worker whose model's name and first smoke row try to break out of the page."""
    good = export(tmp_path_factory.mktemp("docs") / "good", name=POISON)
    folder = Path(shutil.copytree(good, good.parent / "bundle"))
    smoke = msgspec.json.decode((folder / bundles.SMOKE).read_bytes(), type=bundles.Smoke)
    smoke.rows[0]["unknown"] = POISON
    (folder / bundles.SMOKE).write_bytes(msgspec.json.encode(smoke))
    bundles.seal(folder)
    running = start(folder, release="5" * 64)
    yield running
    running.stop()


@pytest.fixture
def docs(browser: Browser, server: Running) -> Iterator[Opened]:
    """The page, opened."""
    context = browser.new_context()
    found = Opened(context.new_page(), Path())
    found.page.on("console", lambda message: found.heard.append(message.text))
    found.page.on("pageerror", lambda error: found.heard.append(str(error)))
    found.page.on("request", lambda request: found.asked.append(request.url))
    found.page.goto(f"http://127.0.0.1:{server.port}/docs")
    yield found
    context.close()


def shown(page: Page, table: str) -> list[str]:
    return [cell.inner_text() for cell in page.locator(f"#{table} tbody td:nth-child(2)").all()]


def test_a_row_is_sent_and_its_prediction_shown(docs: Opened, server: Running) -> None:
    page = docs.page
    row = msgspec.json.decode(page.locator("textarea").input_value())
    right = server.predict(row)["predictions"][0]

    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#said")).to_have_text(f"{right['label']} ({right['score']:.3f})")
    expect(page.locator("#how")).to_contain_text("200 in ")
    assert msgspec.json.decode(page.locator("#answer").inner_text())["predictions"] == [right]

    page.locator("textarea").fill('{"distance": "far"}')
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#said")).to_contain_text("column distance, row 0: 'far' is no number")

    address = f"http://127.0.0.1:{server.port}"
    assert docs.asked == [f"{address}/docs", f"{address}/predict", f"{address}/predict"]
    assert [words for words in docs.heard if "422" not in words] == []


def test_what_the_bundle_says_is_text_on_the_page(docs: Opened, server: Running) -> None:
    page = docs.page

    assert page.title() == page.locator("h1").inner_text() == POISON
    assert msgspec.json.decode(page.locator("textarea").input_value())["unknown"] == POISON
    assert page.locator("script").count() == 1
    assert "/invocations" in shown(page, "routes")
    assert shown(page, "columns") == ["number", "number", "time", "text", "text", "text"]
    assert page.locator("#curl").inner_text().startswith(f"curl -s http://127.0.0.1:{server.port}/predict ")
    assert docs.heard == []


def test_a_script_that_is_not_the_pages_own_does_not_run(docs: Opened) -> None:
    docs.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "document.title = 'taken'";
            document.body.append(script);
        }"""
    )

    assert docs.page.title() == POISON
    assert any("Content Security Policy" in words for words in docs.heard)


def test_on_a_phone_the_tables_scroll_not_the_page(docs: Opened) -> None:
    docs.page.set_viewport_size({"width": 380, "height": 800})

    assert docs.page.evaluate("document.documentElement.scrollWidth") <= 380
