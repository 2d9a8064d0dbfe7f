"""A small project with a trained model, as the release room finds one: no pipeline has to run."""

import hashlib
import json
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from tests.unit import bundles

TEMPLATE = Path(__file__).resolve().parents[2] / "<<cookiecutter.project>>"
NAME = "flight-delays"
ENVIRONMENTS = ("dev", "staging", "production")
IGNORED = "/bundle/\n/results/\n/report/\n/data/\n/release.json\n/handover/\n/.dvc/cache/\n/.dvc/tmp/\n/.dvc/config.local\n.terraform.lock.hcl\n"


@cache
def _bundle(seed: int) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="bundle-")) / "bundle"
    bundles.make(folder, seed=seed)
    return folder


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@dataclass(frozen=True)
class Project:
    """Where it is, and what a test does to it."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Project":
        """Lay it out with the template's own infrastructure, commit it, and train a first model."""
        root.mkdir(parents=True)
        (root / "pyproject.toml").write_text(f'[project]\nname = "{NAME}"\n')
        (root / "params.yaml").write_text('python: "3.11"\ntask: classification\n')
        (root / "gates.yaml").write_text("primary: roc_auc\nmetrics: {roc_auc: {matters: 0.005}}\n")
        (root / ".gitignore").write_text(IGNORED)
        shutil.copytree(TEMPLATE / "infra", root / "infra", ignore=shutil.ignore_patterns(".terraform*"))
        for path in (root / "infra/environments").rglob("*.tf*"):
            path.write_text(path.read_text().replace("<< cookiecutter.project >>", NAME))
        (root / "src").symlink_to(TEMPLATE / "src")
        stages = {
            "ingest": {"cmd": "true", "outs": ["data/raw.parquet"]},
            "export": {"cmd": "true", "outs": ["bundle"]},
        }
        (root / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}))
        (root / ".dvc").mkdir()
        (root / ".dvc" / "config").write_text("[core]\n    analytics = false\n    autostage = false\n")
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("config", "user.name", "Ada")
        made.git("config", "user.email", "ada@example.org")
        made.commit("Start")
        made.train(1)
        return made

    def git(self, *arguments: str) -> str:
        """Run git and give what it said."""
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str) -> str:
        """Commit everything but dvc.lock, which only a release commits."""
        self.git("add", "--all", "--", ".", ":!dvc.lock")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def train(self, seed: int) -> None:
        """Put the results of a training in place, as the pipeline would leave them."""
        for folder in ("bundle", "results", "data"):
            shutil.rmtree(self.root / folder, ignore_errors=True)
        shutil.copytree(_bundle(seed), self.root / "bundle")
        (self.root / "results").mkdir()
        (self.root / "data").mkdir()
        raw = f"rows of {seed}".encode()
        (self.root / "data/raw.parquet").write_bytes(raw)
        (self.root / "results/profile.json").write_text(json.dumps({"rows": 12, "columns": {}}))
        metrics = {"metrics": {"roc_auc": {"value": 0.7 + seed / 100, "interval": [0.6, 0.9], "reason": None}}}
        (self.root / "results/metrics.json").write_text(json.dumps(metrics))
        self.lock()

    def lock(self) -> None:
        """Write the dvc.lock that names what is in place."""
        raw = (self.root / "data/raw.parquet").read_bytes()
        lock = {
            "schema": "2.0",
            "stages": {
                "ingest": {"cmd": "true", "outs": [{"path": "data/raw.parquet", "hash": "md5", "md5": md5(raw)}]},
                "export": {"cmd": "true", "outs": [{"path": "bundle", "hash": "md5", "md5": self._cached_bundle()}]},
            },
        }
        (self.root / "dvc.lock").write_text(yaml.safe_dump(lock))

    def _cached_bundle(self) -> str:
        """Put the bundle into DVC's cache as `dvc repro` does; give its name there."""
        cache_folder = self.root / ".dvc/cache/files/md5"
        entries = []
        for file in sorted((self.root / "bundle").iterdir()):
            name = md5(file.read_bytes())
            (cache_folder / name[:2]).mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, cache_folder / name[:2] / name[2:])
            entries.append({"md5": name, "relpath": file.name})
        listed = json.dumps(entries, sort_keys=True).encode()
        name = md5(listed) + ".dir"
        (cache_folder / name[:2]).mkdir(parents=True, exist_ok=True)
        (cache_folder / name[:2] / name[2:]).write_bytes(listed)
        return name

    def pin(self, environment: str) -> Path:
        """Give a pin's path."""
        return self.root / "infra/environments" / environment / "pin.json"

    def pinned(self, environment: str) -> str | None:
        """Give the id that a pin holds."""
        release = json.loads(self.pin(environment).read_text())["release"]
        return release["id"] if release else None
