"""What the pins in git tell of an experiment to those who read its log."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from mergeline import forge
from mergeline.errors import Usage
from mergeline.forge import Status
from mergeline.release import course
from mergeline.release.manifest import Pin
from tests.unit.release.pinned import Pins, release

pytestmark = pytest.mark.slow

OURS, THEIRS, OTHER = release("1", "ours"), release("2", "theirs"), release("3", "other")


@pytest.fixture
def pins(tmp_path: Path) -> Pins:
    """A repository whose staging has had a release for a day."""
    made = Pins.make(tmp_path / "project")
    made.move("2026-11-02T00:00:00Z", Pin(release=OURS))
    return made


def test_the_share_holds_since_its_last_step(pins: Pins) -> None:
    pins.experiment("2026-11-03T00:00:00Z", OURS, THEIRS, share=0.1, key="carrier")
    pins.experiment("2026-11-05T12:00:00+02:00", OURS, THEIRS, share=0.5, key="carrier")
    pins.experiment("2026-11-06T00:00:00Z", OURS, THEIRS, share=0.5, key="carrier", limits={"errors": 0.1})

    found = course.of(pins.root, "staging")
    assert (found.pinned, found.release) == (OURS.id, THEIRS.id)
    assert (found.pinned_bundle, found.bundle) == ("ours", "theirs")
    assert (found.environment, found.kind, found.share, found.key) == ("staging", "ab", 0.5, "carrier")
    assert found.since == datetime(2026, 11, 5, 10, tzinfo=UTC)
    assert found.ended is None


def test_the_share_holds_since_it_was_deployed_where_that_is_known(pins: Pins) -> None:
    step = pins.experiment("2026-11-03T00:00:00Z", OURS, THEIRS)
    pins.deployed(step, "2026-11-03T01:00:00Z", state="failure")
    assert course.of(pins.root, "staging").since == datetime(2026, 11, 3, tzinfo=UTC)

    pins.deployed(step, "2026-11-03T04:30:00Z")
    pins.deployed(step, "2026-11-04T00:00:00Z")
    assert course.of(pins.root, "staging").since == datetime(2026, 11, 3, 4, 30, tzinfo=UTC)


class Forge:
    """A forge that knows one status of each commit."""

    def __init__(self, state: str) -> None:
        self.state = state

    def statuses(self, _: str) -> list[Status]:
        made = {"context": "deploy (staging)", "description": "", "url": None, "created": "2026-11-03T05:00:00"}
        return [msgspec.convert({**made, "state": self.state}, Status)]


@pytest.mark.parametrize(("state", "hour"), [("success", 5), ("failure", 0)])
def test_a_forge_says_when_it_was_deployed(pins: Pins, monkeypatch: pytest.MonkeyPatch, state: str, hour: int) -> None:
    pins.experiment("2026-11-03T00:00:00Z", OURS, THEIRS)
    monkeypatch.setattr(forge, "connect", lambda _: Forge(state))

    assert course.of(pins.root, "staging").since == datetime(2026, 11, 3, hour, tzinfo=UTC)


def test_an_experiment_that_ended_is_the_last_one_that_ran(pins: Pins) -> None:
    pins.experiment("2026-11-03T00:00:00Z", OURS, OTHER, kind="shadow", share=1.0)
    pins.experiment("2026-11-04T00:00:00Z", OURS, THEIRS, share=0.5)
    pins.move("2026-11-05T00:00:00Z", Pin(release=THEIRS))
    pins.move("2026-11-06T00:00:00Z", Pin(release=OTHER))

    found = course.of(pins.root, "staging")
    assert (found.kind, found.release) == ("ab", THEIRS.id)
    assert found.since == datetime(2026, 11, 4, tzinfo=UTC)
    assert found.ended == datetime(2026, 11, 5, tzinfo=UTC)


def test_the_same_pair_again_is_another_experiment(pins: Pins) -> None:
    pins.experiment("2026-11-03T00:00:00Z", OURS, THEIRS)
    pins.move("2026-11-04T00:00:00Z", Pin(release=OURS))
    pins.experiment("2026-11-05T00:00:00Z", OURS, THEIRS)

    assert course.of(pins.root, "staging").since == datetime(2026, 11, 5, tzinfo=UTC)


def test_where_none_ever_ran_there_is_nothing_to_report(pins: Pins) -> None:
    with pytest.raises(Usage, match="no experiment ever ran in staging") as refused:
        course.of(pins.root, "staging")
    assert "model experiment start staging" in str(refused.value)
    with pytest.raises(Usage, match="there is no environment nowhere"):
        course.of(pins.root, "nowhere")
