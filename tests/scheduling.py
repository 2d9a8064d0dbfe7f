"""Which tests run in one process where several run side by side: a file's, and those that share a thing of the machine."""

from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "the engine": (
        "tests/unit/kubernetes_target/",
        "tests/unit/docker_target/",
        "tests/drills/test_deploy.py",
        "tests/unit/compose/",
        "tests/image/",
        "tests/unit/house/test_cluster.py",
    ),
    "the ports of an environment": ("tests/workflows/", "tests/bake/test_readme.py"),
    "a stack on moto": ("tests/unit/platform/", "tests/unit/aws_target/"),
}
"""By what they share: the beginnings of their paths. They are the long ones, so they begin in this order."""


def scope(nodeid: str) -> str:
    """Give the name of the tests that a test runs with."""
    return next((name for name, paths in SHARED.items() if nodeid.startswith(paths)), nodeid.rpartition("::")[0])


def shares(nodeid: str) -> bool:
    """Say whether a test shares a thing of the machine: such tests run in one process, with none beside it."""
    return scope(nodeid) in SHARED


def turn(nodeid: str) -> int:
    """Give when a test's turn is; equal ones keep their order."""
    names = list(SHARED)
    return names.index(name) if (name := scope(nodeid)) in names else len(names)


class ByScope(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """Gives a process all tests of a scope. pytest 9 hides from pytest-xdist the mark that would say it in the tests."""

    def _split_scope(self, nodeid: str) -> str:
        return scope(nodeid)
