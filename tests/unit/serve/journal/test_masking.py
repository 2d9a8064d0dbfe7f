"""Nothing that is sensitive touches the disk."""

from collections.abc import Callable

import pytest

from mergeline.bundle import Bundle
from mergeline.columns import Masking
from mergeline.serve.experiment.arms import Arms, Beside, Experiment, Model, Release
from mergeline.serve.journal.masking import Hasher
from tests.unit.serve.journal.conftest import Log, answered, masking
from tests.unit.serve.made import made_rows

ROW = {"distance": 1234.5, "minutes": 77, "planned": "2013-06-05T07:08:09Z", "carrier": "UA", "origin": "Łódź"}
KEY = "a key of 16 characters or more"


@pytest.mark.parametrize("masked", [{}, {"distance": "hash", "planned": "hash", "carrier": "hash", "dest": "drop"}])
def test_a_row_is_written_alone_as_among_others(
    bundle: Bundle, log: Callable[..., Log], masked: dict[str, Masking]
) -> None:
    hidden = masking(bundle, **masked)
    rows = [*made_rows(50), {"planned": "0001-01-01T00:00:00+05:30"}]
    alone = [answered(hidden, [row], request=str(i)) for i, row in enumerate(rows)]
    written = log().start().put(hidden, *alone, answered(hidden, rows))

    *single, together = written.events()

    assert [event.rows[0].features for event in single] == [row.features for row in together.rows]


def test_what_is_not_masked_is_there_in_its_kind(bundle: Bundle, log: Callable[..., Log]) -> None:
    written = log().start().put(bundle, answered(bundle, [ROW, {"dest": "ORD"}]))

    first, second = written.events()[0].rows

    assert first.features == ROW | {"planned": "2013-06-05T07:08:09.000000Z", "dest": None}
    assert second.features == dict.fromkeys(ROW) | {"dest": "ORD"}


@pytest.mark.parametrize(
    ("name", "plain"), [("distance", "1234.5"), ("planned", "2013-06-05"), ("origin", "Łódź"), ("carrier", '"UA"')]
)
def test_a_masked_value_is_nowhere_in_the_folder(
    bundle: Bundle, log: Callable[..., Log], name: str, plain: str
) -> None:
    masked: dict[str, Masking] = {name: "hash", "dest": "drop"}
    hidden = masking(bundle, **masked)
    row = ROW | {"dest": "Ørsta"}
    written = log(key=KEY).start().put(hidden, answered(hidden, [row, row, {"minutes": 1}]))

    one, same, missing = (row.features for row in written.events()[0].rows)

    assert plain not in written.bytes().decode()
    assert "dest" not in one
    assert "Ørsta" not in written.bytes().decode()
    assert one[name] == same[name]
    assert len(bytes.fromhex(str(one[name]))) == 8
    assert missing[name] is None


def test_a_column_that_the_signature_does_not_have_is_not_logged(bundle: Bundle, log: Callable[..., Log]) -> None:
    written = log().start().put(bundle, answered(bundle, [ROW | {"passport": "X1234567"}]))

    assert written.events()
    assert b"X1234567" not in written.bytes()
    assert b"passport" not in written.bytes()


def test_a_key_of_ones_own_joins_what_several_servers_hash() -> None:
    assert Hasher(KEY)("name", "Ada") == Hasher(KEY)("name", "Ada")
    assert Hasher(KEY)("name", "Ada") != Hasher(KEY)("friend", "Ada")
    assert Hasher(KEY)("name", "Ada") != Hasher(KEY + "!")("name", "Ada")
    assert Hasher("")("name", "Ada") != Hasher("")("name", "Ada")


def test_hashes_of_half_a_character_are_hashes_too() -> None:
    assert len(Hasher("")("name", "\ud800")) == 16


def test_what_either_release_masks_is_masked_for_both(bundle: Bundle, other: Bundle, log: Callable[..., Log]) -> None:
    ours = masking(bundle, carrier="hash", dest="drop")
    theirs = masking(other, carrier="drop", origin="hash", dest="hash")
    experiment = Experiment(release=Release("r2", Model(other.id)), kind="ab", share=0.5)
    arms = Arms(ours, "r1", Beside(experiment, theirs, ours, lambda _: None))
    written = log().start().put(ours, answered(ours, [ROW]), arms=arms)

    features = written.events()[0].rows[0].features

    assert not {"carrier", "dest"} & features.keys()
    assert features["origin"] != ROW["origin"]


def test_times_before_and_after_our_calendar_are_written(bundle: Bundle, log: Callable[..., Log]) -> None:
    made = answered(bundle, [{"planned": "0001-01-01T00:00:00+05:30"}, {"planned": "9999-12-31T23:59:59-05:00"}])
    written = log().start().put(bundle, made)

    assert [row.features["planned"] for row in written.events()[0].rows] == [
        "0000-12-31T18:30:00.000000Z",
        "10000-01-01T04:59:59.000000Z",
    ]
