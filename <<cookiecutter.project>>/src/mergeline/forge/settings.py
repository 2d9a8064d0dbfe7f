"""What a repository asks of its forge, or what is set there."""

from typing import Annotated

import msgspec
from msgspec import Meta


class Main(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The rules of the main branch: checks and approvals without which nothing is merged."""

    checks: list[str] = []
    owners: bool = False
    approvals: Annotated[int, Meta(ge=0, le=10)] = 0


class Environment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Logins of the people of whom one approves each deployment."""

    reviewers: list[str] = []


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All of it; an environment that is not named has no reviewers."""

    main: Main = Main()
    environments: dict[str, Environment] = {}
    actions_open_pull_requests: bool = False

    def differences(self, there: "Settings") -> list[str]:
        """Say in a line each where this, which is asked for, is not what is set there."""
        pairs = [
            ("main requires", ", ".join(sorted(self.main.checks)), ", ".join(sorted(there.main.checks))),
            ("owners of what CODEOWNERS lists must approve", self.main.owners, there.main.owners),
            ("people who must approve", self.main.approvals, there.main.approvals),
            ("Actions open pull requests", self.actions_open_pull_requests, there.actions_open_pull_requests),
        ]
        for name, asked in self.environments.items():
            found = there.environments.get(name, Environment())
            pairs.append(
                (f"{name} is approved by", ", ".join(sorted(asked.reviewers)), ", ".join(sorted(found.reviewers)))
            )
        return [f"{what}: {_said(a)} is asked for, {_said(b)} is set" for what, a, b in pairs if a != b]


def _said(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value or "nobody and nothing")
