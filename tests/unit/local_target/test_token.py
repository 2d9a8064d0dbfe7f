"""An environment whose server asks for a token: who is let in, and how a deployment tests it."""

import contextlib
import hashlib
import http.client

import msgspec
import pytest

from mergeline.errors import DeploymentFailed
from mergeline.release import deploy, status
from tests.unit.bundles import ROWS
from tests.unit.local_target.conftest import release
from tests.unit.project import Project

pytestmark = pytest.mark.slow

TOKEN = "correct-horse-battery-staple"  # noqa: S105 - the test's own


def asked(port: int, **headers: str) -> int:
    """Ask for a prediction; give the status."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request(
            "POST", "/predict", msgspec.json.encode(ROWS[0]), {"content-type": "application/json", **headers}
        )
        return connection.getresponse().status


def test_a_deployment_is_tested_with_the_token_and_others_need_one_too(
    place: Project, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = place.root / "infra/environments/staging/terraform.tfvars"
    hashed = hashlib.sha256(TOKEN.encode()).hexdigest()
    values.write_text(f'{values.read_text()}token_hashes = ["{hashed}"]\n')
    place.commit("Ask for a token")
    made = release(place, 1)
    with pytest.raises(DeploymentFailed, match="wants a token"):
        deploy.run(place.root, "staging")

    monkeypatch.setenv("MERGELINE_TOKEN", TOKEN)
    deploy.run(place.root, "staging")

    assert status.look(place.root, "staging").running == made.id
    assert asked(port) == 401
    assert asked(port, authorization="Bearer wrong") == 401
    assert asked(port, authorization=f"Bearer {TOKEN}") == 200
