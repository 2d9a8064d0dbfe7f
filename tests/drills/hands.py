"""What people and accidents do to the environment staging, on each target."""

import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mergeline import state
from mergeline.release import build, promotion, terraform
from mergeline.release.manifest import Release
from tests.tooling.docker import Docker
from tests.unit.docker_target import staging
from tests.unit.local_target.conftest import break_answers, release
from tests.unit.project import Project


def port_of(project: Project) -> int:
    """Give where clients reach it."""
    values = project.root / "infra/environments/staging/terraform.tfvars"
    return int(re.findall(r"^port = (\d+)", values.read_text(), re.MULTILINE)[0])


@dataclass
class OnLocal:
    """A process of this machine, and its supervisor."""

    project: Project

    def pin(self, seed: int) -> Release:
        """Make a release and pin it."""
        return release(self.project, seed)

    def pin_broken(self) -> Release:
        """Pin a release that comes up well and does not answer as it was tested."""
        return break_answers(self.project)

    def under_way(self) -> bool:
        """Say whether a server of a new release is being started beside the old one."""
        return len(self._said().get("workers", [])) > 1

    def kill_server(self) -> Callable[[], bool]:
        """Kill a server; give what says whether another is in its place."""
        (before,) = self._said()["workers"]
        os.kill(before["pid"], signal.SIGKILL)
        return lambda: self._said()["restarts"] == 1 and self._said()["workers"] not in ([], [before])

    def _said(self) -> dict[str, Any]:
        return state.supervisor(terraform.folder(self.project.root, "staging") / "run")


@dataclass
class OnDocker:
    """Two containers behind a gateway."""

    project: Project
    docker: Docker

    def pin(self, seed: int) -> Release:
        """Make a release with its image and pin it."""
        return staging.pin(self.project, self.docker, seed)

    def pin_broken(self) -> Release:
        """Pin a release that comes up well and does not answer as it was tested: its image holds another model."""
        image = staging.image(self.project, self.docker, 4)
        self.project.train(3)
        made = build.run(self.project.root, image=image).release
        promotion.promote(self.project.root, "staging", release=None, pull_request=False)
        return made

    def under_way(self) -> bool:
        """Say whether servers of a new release are being started beside the old ones."""
        return len(self._servers()) > 2

    def kill_server(self) -> Callable[[], bool]:
        """Kill a server; give what says whether it is back."""
        name = self._servers()[0]
        before = self._process(name)
        os.kill(before, signal.SIGKILL)
        return lambda: self._process(name) not in (0, before)

    def _servers(self) -> list[str]:
        return [name for name in staging.containers(self.docker) if name != staging.GATEWAY]

    def _process(self, name: str) -> int:
        return int(self.docker.say("inspect", "--format", "{{.State.Pid}}", name))


Hands = OnLocal | OnDocker
