import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mergeline import bundle as bundles
from mergeline.bundle import Bundle
from mergeline.serve.experiment.arms import Arms, Beside, Experiment
from mergeline.serve.request import Request
from mergeline.serve.scoring import PREDICT, PROTOCOLS, Prediction
from mergeline.serve.wire import BOUNDS, JSON
from tests.unit.serve.made import export


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of bundles, each below its id: one beside the pinned one."""
    folder = tmp_path_factory.mktemp("bundles")
    made = export(folder / "made", depth=2)
    made.rename(folder / bundles.identify(made))
    return folder


@pytest.fixture(scope="session")
def other(store: Path) -> Bundle:
    """The experiment's bundle: the same columns and classes, other trees."""
    return bundles.load(next(store.iterdir()), threads=1)


def said(bundle_id: str, **changes: Any) -> dict[str, Any]:
    """What the pin says of an experiment, as Terraform hands it over."""
    release = {"id": "r2", "image": None, "model": {"name": "made", "bundle_id": bundle_id}}
    return {"release": release, "kind": "ab", "share": 0.5, "key": None, "limits": {}, **changes}


class Broken:
    """A model that raises; the rest of its bundle is whole."""

    def get_inputs(self) -> list[Any]:
        return []

    def run(self, *_: Any) -> Any:
        raise RuntimeError("no more memory")


def broken(bundle: Bundle) -> Bundle:
    return replace(bundle, session=Broken())


@dataclass
class Server:
    """Arms as an application holds them."""

    arms: Arms

    def ask(self, body: Any, path: str = PREDICT, **headers: str) -> tuple[dict[str, Any], Prediction]:
        sent = {name.replace("_", "-").encode(): value.encode() for name, value in headers.items()}
        asked, content = Request("POST", path, sent), msgspec.json.encode(body)
        answering = self.arms.predict_together(asked, PROTOCOLS[path], JSON, content, BOUNDS)
        answer, made = asyncio.run(answering)
        return msgspec.json.decode(answer), made


@pytest.fixture
def beside(bundle: Bundle, other: Bundle) -> Callable[..., Server]:
    """Make arms with an experiment, changed as the test wants it."""

    def made(given: Bundle = other, **changes: Any) -> Server:
        experiment = msgspec.convert(said(given.id, **changes), Experiment)
        return Server(Arms(bundle, "r1", Beside(experiment, given, bundle, lambda _: None)))

    return made
