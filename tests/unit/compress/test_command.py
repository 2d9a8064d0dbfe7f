"""`model compress`: what is tried, what is offered, and what is written."""

import io
import shutil
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from mergeline import config
from mergeline.compare import trial
from mergeline.compress import command, measure
from mergeline.compress.result import Result
from mergeline.errors import BadData, NotServable
from mergeline.stages import export, refit, train
from mergeline.trials import Told, Train
from tests.unit.stages.conftest import Project

SMALLER = {"iterations": 5}


KEPT: dict[int, Path] = {}


def stages(folder: Path) -> None:
    """Do as a pull request does."""
    for stage in (train, export, refit):
        stage.run(folder)


@pytest.fixture
def fit(tmp_path_factory: pytest.TempPathFactory) -> Train:
    """Train a number of rounds once for all tests: the same rows and settings give the same bytes."""

    def made(folder: Path) -> None:
        rounds = config.params(folder).model["iterations"]
        if rounds not in KEPT:
            stages(folder)
            KEPT[rounds] = tmp_path_factory.mktemp("trained") / "bundle"
            shutil.copytree(folder / "bundle", KEPT[rounds])
        else:
            shutil.copytree(KEPT[rounds], folder / "bundle")

    return made


def fine(root: Path, present: Path, smaller: Path, *, refused: tuple[str, ...] = ()) -> Told:
    """Find the same everywhere."""
    assert root not in (present, smaller)
    return Told(
        metric="roc_auc",
        level=0.95,
        matters=0.005,
        word="same",
        noise="of both",
        present=0.7,
        trial=0.699,
        difference=-0.001,
        interval=(-0.003, 0.001),
        refused=list(refused),
    )


def drawn(result: Result) -> str:
    console = Console(width=250, file=io.StringIO())
    console.print(result.table())
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture(autouse=True)
def steady(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let equal latencies be equal, on a busy machine too."""
    monkeypatch.setattr(command, "EQUAL", 1e6)
    monkeypatch.setattr(measure, "CALLS", 3)


def test_the_smallest_that_passes_is_offered_and_nothing_is_written_unasked(project: Project, fit: Train) -> None:
    project.set(model={"iterations": 20})
    before = (project.root / "params.yaml").read_bytes()

    found = command.run(project.root, fit, fine, write=False)

    assert [t.model for t in found.trials] == [{"iterations": 10}, {"iterations": 5}]
    assert [t.offered for t in found.trials] == [True, True]
    assert found.offer == SMALLER
    sizes = [t.size.bytes for t in found.trials if t.size]
    assert found.present.bytes > sizes[0] > sizes[1] > 0
    assert (project.root / "params.yaml").read_bytes() == before
    assert not (project.root / "bundle").exists()
    said = drawn(found)
    assert "-0.0010 [-0.0030, +0.0010]" in said
    assert "Offered: iterations 5; `model compress --write` sets it." in said
    assert "looks better than it is" in said


def test_what_is_offered_is_written_as_numbers_in_place(project: Project, fit: Train) -> None:
    path = project.root / "params.yaml"
    path.write_text("# mine\n" + path.read_text().replace("iterations: 10", "iterations: 10  # rounds"))

    found = command.run(project.root, fit, fine, write=True)

    assert found.written
    assert path.read_text().startswith("# mine\n")
    assert "iterations: 5  # rounds" in path.read_text()
    assert config.params(project.root).model["iterations"] == 5
    assert "open a pull request" in drawn(found)
    assert msgspec.json.decode(msgspec.json.encode(found))["offer"] == SMALLER


def test_nothing_is_offered_or_written_when_the_gates_refuse_every_trial(project: Project, fit: Train) -> None:
    before = (project.root / "params.yaml").read_bytes()

    def refused(root: Path, present: Path, smaller: Path) -> Told:
        return fine(root, present, smaller, refused=("roc_auc.not_worse: worse by 0.1",))

    found = command.run(project.root, fit, refused, write=True)

    assert found.offer is None
    assert not found.written
    assert (project.root / "params.yaml").read_bytes() == before
    assert "no: roc_auc.not_worse: worse by 0.1" in drawn(found)
    assert "Nothing is offered" in drawn(found)


@pytest.mark.parametrize("word", ["worse", "cannot tell"])
def test_what_is_not_shown_to_be_as_good_is_not_offered(project: Project, fit: Train, word: str) -> None:
    def other(root: Path, present: Path, smaller: Path) -> Told:
        return msgspec.structs.replace(fine(root, present, smaller), word=word)

    found = command.run(project.root, fit, other, write=True)

    assert found.trials[0].reasons == ["not shown to be as good"]
    assert not found.written


def test_what_is_slower_is_not_offered(project: Project, fit: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "EQUAL", 0.0)

    found = command.run(project.root, fit, fine, write=False)

    assert found.trials[0].reasons == ["slower"]


def test_what_is_not_smaller_is_not_offered(project: Project, fit: Train) -> None:
    def ignoring(folder: Path) -> None:
        path = folder / "params.yaml"
        path.write_text(path.read_text().replace("iterations: 5", "iterations: 10"))
        fit(folder)

    found = command.run(project.root, ignoring, fine, write=False)

    assert found.trials[0].reasons == ["not smaller"]


def test_a_model_that_the_limit_refuses_is_compressed_and_the_limit_holds_for_what_is_offered(
    project: Project, fit: Train
) -> None:
    project.set(export={"compress": {"max_bytes": 100}})
    with pytest.raises(NotServable, match="model compress"):
        project.run("train", "export")

    found = command.run(project.root, fit, fine, write=True)

    assert found.trials[0].reasons == ["more than the 100 bytes of export.compress.max_bytes"]
    assert found.offer is None


def test_a_trial_that_cannot_be_served_is_no_offer_and_says_why(project: Project, fit: Train) -> None:
    def broken(folder: Path) -> None:
        fit(folder)
        if folder.name != "present":
            raise NotServable("bundle/ disagrees with training", "Change it.")

    found = command.run(project.root, broken, fine, write=True)

    assert found.trials[0].size is None
    assert "bundle/ disagrees with training. Change it." in drawn(found)
    assert found.offer is None


def test_rows_that_are_not_there_are_said_with_the_remedy(project: Project) -> None:
    (project.root / "data/train.parquet").unlink()

    with pytest.raises(BadData, match=r"data/train\.parquet cannot be read.*dvc repro"):
        command.run(project.root, stages, fine, write=False)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("least", "passes"), [("0.30", True), ("0.99", False)], ids=["gates that pass", "gates that refuse"]
)
def test_real_trials_are_judged_by_the_project_s_own_gates(project: Project, least: str, passes: bool) -> None:
    project.set(compare={"refits": 2})
    wide = f"roc_auc: {{ matters: 5, rules: {{ at_least: {least}"  # so wide that few rows tell that they are the same
    project.edit("gates.yaml", "roc_auc: { matters: 0.005, rules: { not_worse: true, at_least: 0.30", wide)
    project.edit(
        "gates.yaml", "log_loss: { matters: 0.005, rules: { not_worse: true } }", "log_loss: { matters: 0.005 }"
    )

    found = command.run(project.root, stages, trial.judged, write=True)

    told = found.trials[0].told
    assert told is not None
    assert (told.metric, told.noise) == ("roc_auc", "of both")
    assert told.present is not None
    assert told.trial is not None
    assert told.difference is not None
    assert told.difference == pytest.approx(told.trial - told.present)
    assert told.interval is not None
    assert told.interval[0] < told.difference < told.interval[1]
    assert told.word == "same"
    assert [reason.partition(":")[0] for reason in told.refused] == ([] if passes else ["roc_auc.at_least"])
    assert bool(found.offer) == passes
    assert config.params(project.root).model["iterations"] == (5 if found.offer else 10)
