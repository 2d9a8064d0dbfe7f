"""The HTML report as a browser shows it: whole, alone, legible on a phone and in the dark, with tables that sort."""

from pathlib import Path

import pytest

from tests.unit.compare.full import KINDS, regression

from .conftest import Open

pytestmark = pytest.mark.slow

KIND = pytest.mark.parametrize("kind", list(KINDS))
PHONE = {"width": 390, "height": 844}
CUT = """() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
    const box = svg.getBoundingClientRect();
    return [...svg.querySelectorAll("text")].filter((text) => {
        const at = text.getBoundingClientRect();
        return at.left < box.left || at.right > box.right || at.top < box.top || at.bottom > box.bottom;
    }).map((text) => text.textContent);
})"""
OVERLAPS = """() => [...document.querySelectorAll("figure svg")].flatMap((svg) => {
    const texts = [...svg.querySelectorAll("text")].map((text) => [text.textContent, text.getBoundingClientRect()]);
    return texts.flatMap(([one, a], i) => texts.slice(i + 1)
        .filter(([, b]) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
        .map(([other]) => `${one} on ${other}`));
})"""


@KIND
def test_the_page_opens_without_an_error_and_asks_for_nothing(opened: Open, kind: str) -> None:
    found = opened(KINDS[kind]())

    assert found.page.locator("figure svg").count() >= 3
    assert found.page.locator("th[tabindex]").count() > 10
    assert (found.heard, found.asked) == ([], [found.file.as_uri()])


@KIND
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_cut_and_no_label_lies_on_another_on_a_phone(
    opened: Open, kind: str, scheme: str, tmp_path: Path
) -> None:
    found = opened(KINDS[kind](), viewport=PHONE, color_scheme=scheme)

    assert (found.page.evaluate(CUT), found.page.evaluate(OVERLAPS)) == ([], [])
    picture = found.page.screenshot(path=tmp_path / "page.png", full_page=True)
    width, height = (int.from_bytes(picture[at : at + 4], "big") for at in (16, 20))
    assert width == PHONE["width"]
    assert height == found.page.evaluate("document.documentElement.scrollHeight")
    assert found.page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0), (1e-6, 0), (0.001, 20_000), (1e-12, 1), (0, 7)])
def test_labels_have_room_whatever_the_numbers_are(opened: Open, scale: float, shift: float) -> None:
    found = opened(regression(scale, shift, "minutes_between_the_planned_and_the_true_arrival"), viewport=PHONE)

    assert found.page.locator("figure text").count() > 20
    assert (found.page.evaluate(CUT), found.page.evaluate(OVERLAPS)) == ([], [])


def test_the_page_is_dark_where_the_reader_wants_it_dark(opened: Open) -> None:
    paper = {
        scheme: opened(KINDS["regression"](), color_scheme=scheme).page.evaluate(
            "getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    }

    assert paper == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}


def test_a_click_sorts_numbers_by_size_and_a_second_one_the_other_way(opened: Open) -> None:
    found = opened(KINDS["two classes"]())
    title = found.title("Slices", "rows")
    assert found.column("Slices", "rows") == ["812", "9,120", "1,291", "2,311"]
    assert title.get_attribute("aria-sort") is None

    title.click()
    assert found.column("Slices", "rows") == ["812", "1,291", "2,311", "9,120"]
    assert title.get_attribute("aria-sort") == "ascending"

    title.click()
    assert found.column("Slices", "rows") == ["9,120", "2,311", "1,291", "812"]
    assert title.get_attribute("aria-sort") == "descending"

    found.title("Slices", "difference").click()
    assert found.column("Slices", "difference") == ["-0.041", "+0.027", "+0.038", "+0.057"]
    assert title.get_attribute("aria-sort") is None


def test_enter_sorts_texts_by_alphabet_and_rows_stay_whole(opened: Open) -> None:
    found = opened(KINDS["two classes"]())

    found.title("Slices", "slice").focus()
    found.page.keyboard.press("Enter")

    assert found.column("Slices", "slice") == ["carrier = HA", "dest = ORD", "hour = 6", "origin = LGA"]
    assert found.column("Slices", "rows") == ["812", "1,291", "2,311", "9,120"]


@pytest.mark.parametrize("clicks", [1, 2])
def test_what_is_no_number_comes_after_the_numbers_either_way(opened: Open, clicks: int) -> None:
    found = opened(KINDS["two classes"]())

    for _ in range(clicks):
        found.title("Metrics", "base").click()

    numbers = ["0.173", "0.521", "0.712", "0.7120"]
    assert found.column("Metrics", "base") == [*(numbers if clicks == 1 else numbers[::-1]), "n/a"]


def test_small_probabilities_sort_as_numbers(opened: Open) -> None:
    found = opened(KINDS["two classes"]())

    found.title("Drift of the raw columns", "q").click()

    assert found.column("Drift of the raw columns", "q") == ["1.3e-09", "0.00021", "0.0021", "0.61"]


def test_without_scripts_the_page_reads_the_same(opened: Open) -> None:
    with_scripts = opened(KINDS["two classes"]()).page.inner_text("main")

    found = opened(KINDS["two classes"](), java_script_enabled=False)

    assert found.page.inner_text("main") == with_scripts
    assert found.page.locator("th[tabindex]").count() == 0
    assert found.heard == []
