"""Which tests run alone: those that share a thing of the machine, which a test beside them would take or make slow."""

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


def shares(nodeid: str) -> bool:
    """Say whether a test shares a thing of the machine."""
    return any(nodeid.startswith(paths) for paths in SHARED.values())
