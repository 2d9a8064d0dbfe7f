from typing import Any

import pytest

from mergeline.compare import plots
from mergeline.compare.report import Curve, Point
from tests.unit.compare.conftest import metric_row

LINE = [Point(x=0, y=0), Point(x=1, y=1)]


def curve(points: list[Point], **more: Any) -> Curve:
    return Curve(title="t", x="x", y="y", base=[], candidate=points, **more)


def test_better_is_to_the_right_whichever_way_a_metric_goes() -> None:
    up, down = metric_row(value=0.03), metric_row(value=-0.03, better="lower")

    right, too = (plots.forest(row, row.matters, row.better) for row in (up, down))

    assert right.dot == too.dot > plots.FOREST / 2
    assert (right.low, right.high) == (too.low, too.high)
    assert 0 < right.low < right.dot < right.high <= plots.FOREST


def test_a_band_wider_than_the_scale_ends_at_its_edges() -> None:
    row = metric_row(value=0.001, error=0.0001)

    assert plots.forest(row, 0.5, "higher", reach=0.001).matters == (0, plots.FOREST)


@pytest.mark.parametrize(
    ("over", "found"),
    [
        ((0.0, 1.0), [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ((-33.0, 92.0), [-20, 0, 20, 40, 60, 80]),
        ((0.0, 15.0), [0, 2.5, 5, 7.5, 10, 12.5, 15]),
        ((0.00001, 0.00003), [0.00001, 0.000015, 0.00002, 0.000025, 0.00003]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(over: tuple[float, float], found: list[float]) -> None:
    assert plots.ticks(over) == pytest.approx(found)


def test_shares_are_shown_from_nought_to_one_and_a_point_is_where_its_value_is() -> None:
    found = plots.plot(curve(LINE))

    assert (
        found.sides["candidate"].line == f"{found.left}.0,{plots.HEIGHT - plots.BOTTOM}.0 {found.right}.0,{plots.TOP}.0"
    )
    assert found.diagonal == (found.left, plots.HEIGHT - plots.BOTTOM, found.right, plots.TOP)
    assert "base" not in found.sides


@pytest.mark.parametrize(
    "points", [[Point(x=0.2, y=0.3)], [Point(x=5, y=5)], [Point(x=0, y=0)], [Point(x=-3, y=-3)] * 2]
)
@pytest.mark.parametrize("diagonal", [True, False])
def test_one_point_has_axes_too(points: list[Point], diagonal: bool) -> None:
    found = plots.plot(curve(points, diagonal=diagonal))

    (x, y, _), *_ = found.sides["candidate"].dots
    assert found.left <= x <= found.right
    assert plots.TOP <= y <= plots.HEIGHT - plots.BOTTOM
    assert len(found.xs) >= 2


def test_bars_stand_on_the_axis_and_a_threshold_outside_them_is_left_out() -> None:
    points = [Point(x=0, y=10), Point(x=0.5, y=30), Point(x=1, y=30)]

    found = plots.plot(curve(points, diagonal=False, steps=True, marks=(None, 1.5)))

    floor = plots.HEIGHT - plots.BOTTOM
    corners = [tuple(map(float, corner.split(","))) for corner in found.sides["candidate"].line.split()]
    assert corners[0] == (found.left, floor)
    assert corners[-1] == (found.right, floor)
    assert [y for _, y in corners[1:-1]] == [corners[1][1]] * 2 + [plots.TOP] * 2
    assert found.sides["candidate"].mark is None


def test_bars_without_any_rows_are_drawn_flat() -> None:
    found = plots.plot(curve([Point(x=0, y=0), Point(x=1, y=0)], diagonal=False, steps=True))

    assert found.sides["candidate"].line.endswith(f",{plots.HEIGHT - plots.BOTTOM}.0")
