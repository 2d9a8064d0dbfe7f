"""Which tests never run beside each other: those that share a thing of the machine, which one would take from the other."""

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
"""By what they share: the beginnings of their paths."""


def group(nodeid: str) -> str:
    """Name what a test shares, else its file; tests of one name run in one process, one after the other."""
    kinds = (kind for kind, paths in SHARED.items() if nodeid.startswith(paths))
    return next(kinds, nodeid.partition("::")[0])
