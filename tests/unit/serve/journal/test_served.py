"""The log of a real worker, under load and to its end."""

import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from mergeline import bundle as bundles
from mergeline import events
from mergeline.errors import BadSettings
from mergeline.serve import settings
from tests.tools import until
from tests.unit.serve.load import Load
from tests.unit.serve.made import export
from tests.unit.serve.servers import Running

KEY = "a key of 16 characters or more"


def masked(folder: Path) -> Path:
    """A sealed bundle whose schema.py hides two columns."""
    made = export(folder, depth=2)
    signature = msgspec.json.decode((made / bundles.SIGNATURE).read_bytes(), type=bundles.Signature)
    hidden = msgspec.structs.replace(signature, masked={"carrier": "hash", "origin": "drop"})
    (made / bundles.SIGNATURE).write_bytes(msgspec.json.encode(hidden))
    bundles.seal(made)
    return made


def rows(server: Running, name: str) -> float:
    families = text_string_to_metric_families(server.ask("/metrics")[2].decode())
    return sum(s.value for family in families for s in family.samples if s.name == name)


@pytest.mark.slow
def test_under_load_every_answer_is_in_the_log_when_the_worker_ends(
    serve: Callable[..., Running], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_PREDICTION_LOG", str(tmp_path / "log"))
    monkeypatch.setenv("MERGELINE_LOG_KEY", KEY)
    server = serve(masked(tmp_path / "bundle"), release="r1", grace=0.2)

    with Load(server.port) as load:
        time.sleep(1)
    server.predict({"carrier": "Ada Lovelace", "origin": "Ockham", "extra": "Byron"}, x_request_id="last")
    while not (counted := rows(server, "mergeline_prediction_log_rows_total")):
        time.sleep(0.01)
    server.terminate()
    assert server.process.wait(20) == 0

    found = list(events.read(tmp_path / "log"))
    assert load.failures == []
    assert len(found) == load.releases["r1"] + 1 > 100
    assert len({event.request for event in found}) == len(found)
    assert counted <= len(found)
    assert {(event.release, event.arm) for event in found} == {("r1", "pinned")}
    said = b"".join(path.read_bytes() for path in events.files(tmp_path / "log"))
    assert not [word for word in (b"Ada", b"Lovelace", b"Ockham", b"Byron", b"origin", b"extra") if word in said]
    (last,) = (event for event in found if event.request == "last")
    assert len(str(last.rows[0].features["carrier"])) == 16


@pytest.mark.slow
def test_on_standard_output_it_is_read_from_all_that_the_server_said(
    serve: Callable[..., Running], folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERGELINE_PREDICTION_LOG", "-")
    server = serve(shutil.copytree(folder, tmp_path / "bundle"), release="r1", grace=0.2)
    sent = [f"order-{i}" for i in range(20)]

    for request in sent[:10]:
        server.predict({"carrier": "UA"}, x_request_id=request)
    server.process.send_signal(signal.SIGHUP)  # the server's own log says what it did
    until(lambda: b'"level"' in server.log.read_bytes())
    for request in sent[10:]:
        server.predict({"carrier": "UA"}, x_request_id=request)
    server.terminate()
    assert server.process.wait(20) == 0

    assert [event.request for event in events.read(server.log)] == sent
    assert len(server.log.read_bytes().splitlines()) > len(sent)


def test_without_its_variable_there_is_no_log() -> None:
    assert settings.read({}).prediction_log == ""


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("MERGELINE_PREDICTION_LOG_BYTES", "1GB", "no whole number from 16777216"),
        ("MERGELINE_PREDICTION_LOG_BYTES", "1000", "no whole number from 16777216"),
        ("MERGELINE_LOG_KEY", "secret", "6 characters are guessed too soon, take 16"),
    ],
)
def test_a_wrong_setting_stops_the_start_and_tells_no_secret(name: str, value: str, what: str) -> None:
    with pytest.raises(BadSettings, match=f"{name}: .*{what}") as refused:
        settings.read({name: value})
    assert "secret" not in str(refused.value)


def test_a_log_may_be_larger_than_two_gibibytes() -> None:
    read = settings.read({"MERGELINE_PREDICTION_LOG_BYTES": str(2**40), "MERGELINE_LOG_KEY": KEY})

    assert (read.prediction_log_bytes, read.log_key) == (2**40, KEY)
