"""What people and accidents do to the environment staging, on each target."""

import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergeline import state
from mergeline.release import build, promotion, terraform
from mergeline.release.manifest import Release
from tests.tooling.docker import Docker
from tests.unit.docker_target import staging
from tests.unit.kubernetes_target.conftest import SPACE, Place
from tests.unit.local_target.conftest import break_answers, release
from tests.unit.project import Project


@dataclass
class OnMachine:
    """What listens on a port of this machine, which the environment's variables name."""

    project: Project

    @property
    def port(self) -> int:
        """Where clients reach it."""
        return int(re.findall(r"^port = (\d+)", self._values.read_text(), re.MULTILINE)[0])

    def change(self) -> None:
        """Change how its servers run, as a commit."""
        self._values.write_text(self._values.read_text() + 'env = { GREETING = "hello" }\n')
        self.project.commit("Say hello")

    def lose_state(self) -> None:
        """Remove what Terraform knows of it."""
        for file in terraform.folder(self.project.root, "staging").glob("terraform.tfstate*"):
            file.unlink()

    @property
    def _values(self) -> Path:
        return self.project.root / "infra/environments/staging/terraform.tfvars"


@dataclass
class OnLocal(OnMachine):
    """A process of this machine, and its supervisor."""

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
class OnDocker(OnMachine):
    """Two containers behind a gateway."""

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


@dataclass
class OnKubernetes:
    """Two pods behind a service, in a cluster of one node."""

    place: Place

    @property
    def project(self) -> Project:
        """Whose environment it is."""
        return self.place.project

    @property
    def port(self) -> int:
        """Where clients reach it."""
        return self.place.port

    def pin(self, seed: int) -> Release:
        """Make a release with its image and pin it."""
        return self.place.pin(seed)

    def pin_broken(self) -> Release:
        """Pin a release that comes up well and does not answer as it was tested: its image holds another model."""
        return self.place.pin(3, image=self.place.build(4).image)

    def under_way(self) -> bool:
        """Say whether servers of a new release are being started beside the old ones."""
        return len(self.place.objects("deployments")) > 1

    def kill_server(self) -> Callable[[], bool]:
        """Delete a pod; give what says whether another is in its place."""
        before = self._ready()
        self.place.kubectl("delete", "pod", sorted(self.place.objects("pods"))[0], "--wait=false")
        return lambda: len(self._ready()) == len(before) and self._ready() != before

    def change(self) -> None:
        """Change how its servers run, as a commit."""
        self.place.write(env={"GREETING": "hello"})

    def lose_state(self) -> None:
        """Remove what Terraform knows of it."""
        self.place.lose_state()

    def _ready(self) -> set[str]:
        return set(self.place.cluster.pod_addresses(f"mergeline.environment={SPACE}", SPACE))


Hands = OnLocal | OnDocker | OnKubernetes
