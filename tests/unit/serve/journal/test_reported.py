"""`model experiment report` of what the server itself assigned, answered and logged."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner

from mergeline import cli
from mergeline import store as stores
from mergeline.bundle import Bundle
from mergeline.release.manifest import Release
from mergeline.serve.experiment.arms import Arms, Beside, Experiment
from tests.unit.release.pinned import Pins, release
from tests.unit.serve.experiment.conftest import Server
from tests.unit.serve.journal.conftest import Log
from tests.unit.serve.made import made_rows

pytestmark = pytest.mark.slow

SOURCE = Path(cli.__file__).parents[1]
CUSTOMERS, REQUESTS = 150, 3


class Experimented:
    """A project whose staging has an experiment, and the arms of a server there."""

    def __init__(self, pins: Pins, bundle: Bundle, other: Bundle, folders: tuple[Path, Path], **changes: Any) -> None:
        (pins.root / "pyproject.toml").write_text('[project]\nname = "made"\n')
        (pins.root / "params.yaml").write_text('python: "3.11"\ntask: classification\n')
        (pins.root / "dvc.yaml").write_text("stages: {}\n")
        (pins.root / "src").symlink_to(SOURCE)
        for one in folders:
            stores.store(one, pins.root)
        self.bundle, self.other = bundle, other
        self.ours, self.theirs = release("1", bundle.id), release("2", other.id)
        yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat(timespec="seconds")
        pins.experiment(yesterday, self.ours, self.theirs, **changes)
        self.changes = changes

    def arms(self, log: Log) -> Arms:
        said = {"release": _known(self.theirs), "key": None, "limits": {}, **self.changes}
        experiment = msgspec.convert(said, Experiment)
        return Arms(self.bundle, self.ours.id, Beside(experiment, self.other, self.bundle, log.journal.shadowed))


def _known(one: Release) -> dict[str, Any]:
    return {"id": one.id, "model": {"bundle_id": one.model.bundle_id}}


@pytest.fixture
def experimented(
    tmp_path: Path, bundle: Bundle, other: Bundle, folder: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Experimented]:
    pins = Pins.make(tmp_path / "project")
    monkeypatch.chdir(pins.root)
    return lambda **changes: Experimented(pins, bundle, other, (folder, next(store.iterdir())), **changes)


def ask(server: Server, log: Log) -> list[tuple[str, str, float]]:
    """Let customers ask for a row each; give request, customer and the score that was answered."""
    rows, said = made_rows(CUSTOMERS * REQUESTS, seed=11), []
    for i, row in enumerate(rows):
        customer = f"customer {i % CUSTOMERS}"
        made = server.ask([row], x_request_id=f"request {i}", x_experiment_key=customer)[1]
        log.journal.predicted(made, server.arms, 1000)
        said.append((made.request, customer, float(made.scores[0, 1])))
    return said


def labels(path: Path, requests: list[str]) -> dict[str, bool]:
    truth = {request: bool(np.random.default_rng(7 + i).random() < 0.4) for i, request in enumerate(requests)}
    path.write_text("request,label\n" + "".join(f"{name},{'yes' if it else 'no'}\n" for name, it in truth.items()))
    return truth


def report(*arguments: str, given: bytes = b"") -> dict[str, Any]:
    done = CliRunner().invoke(cli.app, ["experiment", "report", "staging", *arguments, "--json"], input=given)
    assert done.exception is None, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("kind", ["ab", "canary"])
def test_two_arms_are_told_apart_as_the_server_assigned_them(
    experimented: Callable[..., Experimented], log: Callable[..., Log], tmp_path: Path, kind: str
) -> None:
    made, written = experimented(kind=kind, share=0.3), log(key="k" * 16).start()
    server = Server(made.arms(written))

    said = ask(server, written)
    written.journal.close()

    truth = labels(tmp_path / "labels.csv", [request for request, _, _ in said])
    found = report("--log", str(written.folder), "--labels", str(tmp_path / "labels.csv"))
    theirs = {event.request for event in written.events() if event.arm == kind}
    keys = [{customer for request, customer, _ in said if (request in theirs) == beside} for beside in (False, True)]
    assert [(arm["requests"], arm["units"]) for arm in found["arms"]] == [
        (CUSTOMERS * REQUESTS - len(theirs), len(keys[0])),
        (len(theirs), len(keys[1])),
    ]
    assert not keys[0] & keys[1]
    assert (found["ratio"]["beside"], found["unit"]) == (len(keys[1]), "keys")
    assert found["ratio"]["p_value"] > 0.001
    for side, beside in (("pinned", False), ("beside", True)):
        rows = [(truth[request], score) for request, _, score in said if (request in theirs) == beside]
        assert found["figures"][0][side] == pytest.approx(roc_auc_score(*zip(*rows, strict=True)))
    assert found["notes"] == []


def test_a_shadows_lines_are_paired_with_the_answers(
    experimented: Callable[..., Experimented], log: Callable[..., Log]
) -> None:
    made, written = experimented(kind="shadow", share=1.0), log(key="k" * 16).start()
    server = Server(made.arms(written))

    said = ask(server, written)
    server.arms.close()
    written.journal.close()

    found = report("--log", str(written.folder))
    assert report("--log", "-", given=written.bytes()) == found
    events = written.events()
    answered = {e.request: e.rows[0].scores[1] or 0.0 for e in events if e.arm == "pinned"}
    gaps = [(e.rows[0].scores[1] or 0.0) - answered[e.request] for e in events if e.arm == "shadow"]
    assert len(gaps) == len(said) == found["arms"][1]["rows"]
    score, moved = found["figures"][:2]
    assert (score["difference"], moved["difference"]) == pytest.approx((np.mean(gaps), np.abs(gaps).mean()))
    assert found["word"] is None


def test_a_refusal_is_one_line(experimented: Callable[..., Experimented], tmp_path: Path) -> None:
    experimented(kind="ab", share=0.3)

    done = CliRunner().invoke(cli.app, ["experiment", "report", "staging", "--log", str(tmp_path / "nowhere")])
    assert str(done.exception).startswith(f"there is no prediction log at {tmp_path / 'nowhere'}")
