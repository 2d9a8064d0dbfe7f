"""The server's own OpenAPI document tells the truth: it is valid, and requests and answers fit it."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from mergeline import bundle as bundles
from mergeline.bundle import Bundle, Smoke
from mergeline.serve import openapi
from mergeline.serve.app import Application
from mergeline.serve.experiment.arms import Arms
from mergeline.serve.settings import Settings
from mergeline.serve.wire import JSON
from tests.unit.serve import asgi
from tests.unit.serve.made import export

CLASSES = {"regression": (), "two": ("no", "yes"), "three": ("early", "late", "on time")}
HASH = bytes(32)


@pytest.fixture(params=CLASSES)
def task(request: pytest.FixtureRequest, tmp_path: Path, folder: Path) -> Bundle:
    """A bundle of each task."""
    name = request.param
    return bundles.load(folder if name == "two" else export(tmp_path / name, classes=CLASSES[name]))


def ask(app: Application, path: str, body: Any = None, kind: str = JSON) -> tuple[int, bytes]:
    """Send one request; POST when there is a body, which is text or will be JSON."""
    content = None if body is None else body.encode() if isinstance(body, str) else msgspec.json.encode(body)
    status, _, answer = asyncio.run(asgi.ask(app, path, content, kind=kind))
    return status, answer


def validator(document: dict[str, Any], schema: Any) -> Draft202012Validator:
    """Check values against a schema that points into the document."""
    return Draft202012Validator({**schema, "components": document["components"]})


def document(app: Application) -> dict[str, Any]:
    status, body = ask(app, "/openapi.json")
    assert status == 200
    found: dict[str, Any] = msgspec.json.decode(body)
    return found


def test_every_example_is_answered_as_the_document_says(task: Bundle) -> None:
    app = Application(Arms(task, "r1"))
    said = document(app)
    forms = 0

    for path in ("/predict", "/invocations"):
        operation = said["paths"][path]["post"]
        answer = operation["responses"]["200"]["content"]["application/json"]
        for kind, content in operation["requestBody"]["content"].items():
            examples = content.get("examples") or {"text": {"value": content["example"]}}
            for name, example in examples.items():
                validator(said, content["schema"]).validate(example["value"])
                status, body = ask(app, path, example["value"], kind)
                assert status == 200, (path, name, body)
                got = msgspec.json.decode(body)
                validator(said, answer["schema"]).validate(got)
                assert got["predictions"] == answer["example"]["predictions"][: len(got["predictions"])]
                forms += 1
    assert forms == 9


def test_rows_that_the_server_answers_fit_the_document(bundle: Bundle, rows: list[dict[str, Any]]) -> None:
    app = Application(Arms(bundle, None))
    said = document(app)
    body = said["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    for given in (rows[0], rows, {"rows": rows}, {"columns": {"distance": [1, None, True], "x": [{}, []]}}):
        validator(said, body).validate(given)
        assert ask(app, "/predict", given)[0] == 200


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        7,
        {"x": 1},
        {"rows": []},
        {"rows": [{"distance": 1}], "x": 1},
        {"columns": {"distance": []}},
        {"columns": {"distance": 1}},
        {"distance": "1"},
        {"distance": [1]},
        {"carrier": 1},
        {"planned": 1},
        {"distance": 2**53 + 1},
        [{"distance": 1}, {"x": 1}],
        [{"distance": 1}] * 4,
        {"distance": 1, **{f"x{i}": 1 for i in range(10)}},
    ],
    ids=lambda body: repr(body)[:40],
)
def test_what_the_server_refuses_the_document_refuses(folder: Path, body: Any) -> None:
    app = Application(Arms(bundles.load(folder), None), Settings(max_rows=3, max_columns=4))
    said = document(app)
    operation = said["paths"]["/predict"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]

    status, answer = ask(app, "/predict", body)

    assert not validator(said, schema).is_valid(body)
    response = operation["responses"][str(status)]["$ref"].rpartition("/")[2]
    content = said["components"]["responses"][response]["content"]["application/json"]
    validator(said, content["schema"]).validate(msgspec.json.decode(answer))


def test_every_page_is_described_and_answers_in_the_form_described(folder: Path) -> None:
    app = Application(Arms(bundles.load(folder), "r1"))
    said = document(app)

    pages = {path for path, methods in said["paths"].items() if "get" in methods}

    assert pages == set(openapi.PAGES)
    for path in pages:
        status, body = ask(app, path)
        ((kind, content),) = said["paths"][path]["get"]["responses"]["200"]["content"].items()
        assert status == 200
        validator(said, content["schema"]).validate(
            msgspec.json.decode(body) if kind == "application/json" else body.decode()
        )


def test_a_guarded_server_asks_for_a_bearer_token_where_it_wants_one(folder: Path) -> None:
    bundle = bundles.load(folder)
    guarded = openapi.document(bundle, None, Settings(token_hashes=(HASH,)), list(openapi.PAGES))
    free = openapi.document(bundle, None, Settings(), list(openapi.PAGES))

    assert (guarded["security"], free["security"]) == ([{"bearer": []}], [])
    assert {"401", "429"} <= set(guarded["paths"]["/predict"]["post"]["responses"])
    assert {"401", "429"}.isdisjoint(free["paths"]["/predict"]["post"]["responses"])
    assert guarded["paths"]["/ready"]["get"]["security"] == []
    assert "401" not in guarded["paths"]["/ready"]["get"]["responses"]


def test_closed_docs_are_neither_there_nor_described(folder: Path) -> None:
    app = Application(Arms(bundles.load(folder), None), Settings(closed=frozenset({"docs"})))

    assert [ask(app, path)[0] for path in ("/docs", "/openapi.json", "/schema")] == [404, 404, 200]
    assert (
        "/metrics"
        not in document(Application(Arms(bundles.load(folder), None), Settings(closed=frozenset({"metrics"}))))["paths"]
    )


def test_a_bundle_without_smoke_rows_has_a_document_and_a_page(folder: Path) -> None:
    app = Application(Arms(replace(bundles.load(folder), smoke=Smoke([], [])), None))

    assert "examples" not in document(app)["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    assert ask(app, "/docs")[0] == 200
