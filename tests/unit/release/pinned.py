"""A repository that holds pins and little else: moves of chosen times in milliseconds, nothing is trained."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mergeline.release import manifest, records
from mergeline.release.manifest import DataState, Experiment, Identity, Model, Pin, Release


def release(code: str, bundle: str = "bundle") -> Release:
    """A release of a bundle; another code gives another id."""
    identity = Identity(
        model=Model(name="made", bundle_id=bundle, signature="s"),
        image=None,
        code=code,
        data=DataState(hash="h", rows=1),
        params={},
        metrics={},
    )
    known = {name: getattr(identity, name) for name in identity.__struct_fields__}
    return Release(id=manifest.identify(identity), created="2026-11-01T00:00:00Z", **known)


@dataclass(frozen=True)
class Pins:
    """The repository; staging is the environment whose pin moves."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Pins":
        root.mkdir()
        (root / "gates.yaml").write_text(
            "primary: roc_auc\nmetrics: {roc_auc: {matters: 0.02}}\npromotion: {order: [staging]}\n"
        )
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.move("2026-11-01T00:00:00Z", Pin(release=None))
        return made

    def move(self, when: str, pin: Pin) -> str:
        """Commit a pin at a time; give the commit."""
        path = self.root / "infra/environments/staging/pin.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        manifest.write(path, pin)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Move", GIT_COMMITTER_DATE=when, GIT_AUTHOR_DATE=when)
        return self.git("rev-parse", "HEAD")

    def experiment(self, when: str, pinned: Release, beside: Release, **changes: Any) -> str:
        """Commit an experiment beside a release."""
        known: dict[str, Any] = {"kind": "ab", "share": 0.1, "key": None, "limits": {}}
        made = Experiment(release=beside, **{**known, **changes})
        return self.move(when, Pin(release=pinned, experiment=made))

    def deployed(self, commit: str, when: str, state: str = "success") -> None:
        """Note that a commit was deployed."""
        line = f'{{"environment":"staging","release":null,"state":"{state}","description":"","created":"{when}"}}'
        self.git("notes", "--ref", records.NOTES, "append", "-m", line, commit)

    def git(self, *arguments: str, **environment: str) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
