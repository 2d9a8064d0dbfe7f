"""Which tests run side by side."""

import pytest

from tests import scheduling
from tools.bake import TEMPLATE


@pytest.mark.parametrize("path", [path for paths in scheduling.SHARED.values() for path in paths])
def test_what_shares_a_thing_of_the_machine_is_there(path: str) -> None:
    assert (TEMPLATE / path).exists()


def test_tests_that_share_an_engine_run_in_one_process_and_begin_first() -> None:
    drill, image = "tests/drills/test_deploy.py::test_a[local]", "tests/image/test_image.py::test_b"

    assert scheduling.scope(drill) == scheduling.scope(image)
    assert scheduling.turn(image) < scheduling.turn("tests/unit/test_metrics.py::test_c")


def test_what_shares_a_thing_of_the_machine_runs_alone(request: pytest.FixtureRequest) -> None:
    assert scheduling.shares("tests/workflows/test_loop.py::test_a")
    assert not scheduling.shares("tests/unit/test_metrics.py::test_b")
    assert request.node.get_closest_marker("alone") is None


def test_other_files_are_scopes_of_their_own_whatever_their_parameters_hold() -> None:
    assert scheduling.scope("tests/unit/test_metrics.py::test_c[a b]") == "tests/unit/test_metrics.py"
