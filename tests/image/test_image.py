"""The image of a release, built and run by a real engine."""

import re
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from mergeline import bundle as bundles
from tests.image.conftest import Container, Image
from tests.tools import until
from tests.unit.serve.made import made_rows

pytestmark = pytest.mark.slow

Run = Callable[..., Container]
FILES = """
import hashlib, pathlib
for path in sorted(pathlib.Path("/srv").rglob("*")):
    content = path.readlink().as_posix().encode() if path.is_symlink() else path.read_bytes() if path.is_file() else b""
    print(str(path).replace(" ", "_"), f"{path.lstat().st_mode:o}-{hashlib.sha256(content).hexdigest()}")
"""
"""Prints the path, mode and sha256 of everything that an image has over its base."""
TRAINING = ("sklearn", "pandas", "polars", "mlflow", "dvc", "onnx", "skl2onnx", "scipy", "pyarrow", "pytest", "pip")


def test_the_image_answers_as_the_bundle_does(image: Image, run: Run) -> None:
    bundle = bundles.load(image.project / "bundle")
    rows = made_rows(200, seed=5)

    answer = run("--env", "MERGELINE_RELEASE=r1").get("/predict", rows)

    scores = bundle.score(bundles.raw_from_rows(bundle.signature, rows)).tolist()
    assert (answer["release"], answer["bundle"]) == ("r1", bundle.id)
    assert [p["score"] for p in answer["predictions"]] == scores


def test_the_image_runs_read_only_without_privileges_as_somebody_else_than_root(image: Image, run: Run) -> None:
    container = run("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--network", "bridge")

    assert container.get("/version")["model"] == "flight-delays"
    assert image.python("import os; print(os.getuid() != 0, os.access('/srv', os.W_OK))") == "True False"


def test_the_image_answers_by_several_workers_where_nothing_but_memory_can_be_written(run: Run) -> None:
    container = run("--read-only", "--cap-drop", "ALL", command=("--workers", "2"))

    def workers() -> set[str]:
        with urllib.request.urlopen(f"{container.url}/metrics", timeout=10) as answer:  # noqa: S310 (the test's own address)
            return set(re.findall(r'^process_open_fds\{worker="(\d+)"', answer.read().decode(), re.MULTILINE))

    until(lambda: len(workers()) == 2)
    assert container.get("/version")["model"] == "flight-delays"


def test_the_image_becomes_healthy(image: Image, run: Run) -> None:
    container = run("--health-interval", "1s")

    deadline = time.monotonic() + 30
    while (state := image.docker.say("inspect", "--format", "{{.State.Health.Status}}", container.id)) == "starting":
        assert time.monotonic() < deadline, "still starting"
        time.sleep(0.3)

    assert state == "healthy"


def test_the_image_stops_in_order(image: Image, run: Run) -> None:
    container = run()

    image.docker.run("stop", "--time", "20", container.id)

    assert image.docker.say("inspect", "--format", "{{.State.ExitCode}}", container.id) == "0"


def test_the_labels_say_what_the_image_is_made_of(image: Image) -> None:
    said = image.docker.say("inspect", "--format", "{{json .Config.Labels}}", image.name)

    labels = msgspec.json.decode(said, type=dict[str, str])
    assert labels["org.opencontainers.image.title"] == "flight-delays"
    assert labels["org.opencontainers.image.revision"] == "0123abc"


def test_the_image_holds_nothing_of_training_and_no_release(image: Image) -> None:
    found = image.python(
        "import importlib.util as u, os;"
        f"print([m for m in {TRAINING} if u.find_spec(m)], sorted(os.listdir('/srv')), sorted(os.listdir('/srv/bundle')))"
    )

    assert found == f"[] ['bundle', 'src', 'venv'] {sorted([*bundles.FILES, bundles.INDEX])}"


def test_two_builds_of_equal_inputs_hold_equal_files(image: Image, base: str) -> None:
    again = f"{image.name}-again"
    image.docker.run("build", "--quiet", "--no-cache", "--tag", again, "--build-arg", f"BASE={base}", image.project)
    try:
        first, second = (
            dict(map(str.split, replace(image, name=name).python(FILES).splitlines())) for name in (image.name, again)
        )
    finally:
        image.docker.run("image", "rm", "--force", again)

    assert len(first) > 500
    assert {path for path in first.keys() | second.keys() if first.get(path) != second.get(path)} == set()


def test_a_changed_bundle_ends_the_build(image: Image, base: str) -> None:
    model = image.project / "bundle" / bundles.MODEL
    whole = model.read_bytes()
    model.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        with pytest.raises(RuntimeError, match=bundles.MODEL):
            image.docker.run("build", "--build-arg", f"BASE={base}", image.project)
    finally:
        model.write_bytes(whole)
