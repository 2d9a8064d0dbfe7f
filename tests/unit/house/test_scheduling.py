"""Which tests never run beside each other."""

import pytest

from tests import scheduling
from tools.bake import TEMPLATE

PATHS = [(kind, path) for kind, paths in scheduling.SHARED.items() for path in paths]


@pytest.mark.parametrize(("kind", "path"), PATHS)
def test_what_shares_a_thing_of_the_machine_is_there_and_in_its_group(kind: str, path: str) -> None:
    assert (TEMPLATE / path).exists()
    assert scheduling.group(f"{path}test_some.py::test_one[tests/image/]") == kind


def test_each_test_says_its_group_and_one_that_shares_nothing_is_with_its_file(request: pytest.FixtureRequest) -> None:
    mark = request.node.get_closest_marker("xdist_group")

    assert mark is not None
    assert mark.args == ("tests/unit/house/test_scheduling.py",)
