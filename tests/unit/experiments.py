"""An experiment in a deployed environment: started and stopped by commits, and who answers then."""

import json
import urllib.request

from mergeline.release import experiment
from mergeline.release.manifest import Release
from tests.unit.project import Project


def start(project: Project, other: Release) -> None:
    """Give half of the requests to another release in staging."""
    experiment.start(
        project.root, "staging", release=other.id, kind="ab", share=0.5, key=None, limits=[], pull_request=False
    )


def stop(project: Project) -> None:
    experiment.stop(project.root, "staging", pull_request=False)


def answering(url: str, project: Project) -> set[str]:
    """Name the releases that answer forty requests, each with an id of its own."""
    row = json.loads((project.root / "bundle/smoke.json").read_bytes())["rows"][0]
    found = set()
    for number in range(40):
        headers = {"content-type": "application/json", "x-request-id": f"request-{number}"}
        request = urllib.request.Request(f"{url}/predict", json.dumps(row).encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - the test's own environment
            (prediction,) = (said := json.loads(answer.read()))["predictions"]
            found.add(prediction.get("release", said["release"]))
    return found
