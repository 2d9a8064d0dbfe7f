"""A reload while requests come."""

import signal
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from mergeline.bundle import Bundle
from tests.tools import until
from tests.unit.serve.load import Load
from tests.unit.serve.servers import Running

pytestmark = pytest.mark.slow


def test_reloads_under_load_lose_no_request(
    serve: Callable[..., Running],
    folder: Path,
    bundle: Bundle,
    store: Path,
    other: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    at = tmp_path / "pin.json"

    def pin(bundle_id: str, release: str) -> None:
        at.with_suffix(".new").write_bytes(
            msgspec.json.encode({"release": {"id": release, "model": {"bundle_id": bundle_id}}, "experiment": None})
        )
        at.with_suffix(".new").replace(at)

    pin(bundle.id, "r1")
    monkeypatch.setenv("MERGELINE_PIN", str(at))
    monkeypatch.setenv("MERGELINE_BUNDLES", str(store))
    server = serve(folder)
    with Load(server.port) as load:
        until(lambda: load.releases["r1"] > 20)
        pin(other.id, "r2")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: load.releases["r2"] > 20)
        pin("f" * 64, "r3")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: "not reloaded" in server.log.read_text())
        pin(bundle.id, "r4")
        until(lambda: load.releases["r4"] > 20)

    assert load.failures == []
    assert set(load.releases) == {"r1", "r2", "r4"}
