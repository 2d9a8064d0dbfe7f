"""Which tests never run beside each other: those that share a thing of the machine, which one would take from the other."""

from xdist.scheduler import LoadScopeScheduling

SHARED = {
    "an engine": (
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


def group(nodeid: str) -> str:
    """Name what a test shares, else its file; tests of one name run in one process, one after the other."""
    kinds = (kind for kind, paths in SHARED.items() if nodeid.startswith(paths))
    return next(kinds, nodeid.partition("::")[0])


def turn(nodeid: str) -> int:
    """Give when a test's group begins; equal ones keep their order."""
    kinds = [*SHARED]
    return kinds.index(kind) if (kind := group(nodeid)) in kinds else len(kinds)


class ByGroup(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
    """Gives a process all tests of a group. pytest 9 hides the marks from pytest-xdist by which it would do so itself."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)
