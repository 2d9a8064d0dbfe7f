"""GitHub's own OpenAPI description: checks requests and answers against it, and fills answers in.

The description is the npm package @octokit/openapi, which GitHub publishes; one pinned version, kept in a cache.
"""

import functools
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, validators  # type: ignore[import-untyped]
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

PACKAGE = "@octokit/openapi@23.0.2"
MEMBER = "package/generated/api.github.com.json"

Json = dict[str, Any]


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    id: str
    method: str
    path: str
    pattern: re.Pattern[str]
    described: Json


def fetch() -> Path:
    """Give the file of the description; the first time, it comes from the package registry."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mergeline-tests"
    file = home / (re.sub(r"\W+", "-", PACKAGE).strip("-") + ".json")
    if not file.is_file():
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home) as folder:
            subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                member = archive.extractfile(MEMBER)
                assert member is not None
                part = Path(folder) / "part"
                part.write_bytes(member.read())
            part.replace(file)
    return file


def _nullable(check: Any) -> Any:
    """OpenAPI 3.0 says null beside a schema, JSON Schema inside it."""

    def checked(validator: Any, value: Any, instance: Any, schema: Json) -> Iterator[Any]:
        if instance is None and schema.get("nullable"):
            return
        yield from check(validator, value, instance, schema) or ()

    return checked


Validator = validators.create(
    meta_schema=Draft202012Validator.META_SCHEMA,
    validators={name: _nullable(check) for name, check in Draft202012Validator.VALIDATORS.items() if name != "format"},
    type_checker=Draft202012Validator.TYPE_CHECKER,
)


class Specification:
    """The description with its look-ups."""

    def __init__(self, file: Path) -> None:
        self.root: Json = json.loads(file.read_text())
        self.operations = sorted(self._operations(), key=lambda o: o.path.count("{"))
        self._registry: Registry[Any] = Registry().with_resource(
            "github", Resource.from_contents(self.root, default_specification=DRAFT202012)
        )

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """Give the operation of a request and the parts of its path."""
        for operation in self.operations:
            if operation.method == method and (found := operation.pattern.fullmatch(path)):
                return operation, found.groupdict()
        return None

    def request(self, operation: Operation, query: Mapping[str, str], body: Any) -> list[str]:
        """Say what is wrong with a request: unknown or bad parameters, unknown, missing or bad fields."""
        wrong = []
        known = {p["name"]: p for p in map(self.resolve, operation.described.get("parameters", ()))}
        for name, value in query.items():
            if name not in known or known[name]["in"] != "query":
                wrong.append(f"{operation.id}: no query parameter {name}")
            else:
                schema = self.resolve(known[name]["schema"])
                kind = schema.get("type")
                given = int(value) if kind == "integer" and value.isdigit() else value
                given = value == "true" if kind == "boolean" and value in ("true", "false") else given
                wrong += self._check(f"{operation.id} query {name}", schema, given)
        described = operation.described.get("requestBody", {}).get("content", {}).get("application/json")
        if described and body is not None:
            schema = self.resolve(described["schema"])
            wrong += self._check(f"{operation.id} request", schema, body)
            if "properties" in schema and not any(k in schema for k in ("oneOf", "anyOf", "allOf")):
                wrong += [f"{operation.id}: no field {k}" for k in body if k not in schema["properties"]]
        elif body not in (None, {}) and not described and "application/octet-stream" not in str(operation.described):
            wrong.append(f"{operation.id} takes no body")
        return wrong

    def answer(self, operation: Operation, status: int, body: Any) -> list[str]:
        """Say what is wrong with an answer."""
        responses = operation.described["responses"]
        if str(status) not in responses:
            # Refusals that hold for every operation are described once, in prose.
            return [] if status in (401, 403, 404, 422, 429, 500) else [f"{operation.id}: no answer {status}"]
        content = self.resolve(responses[str(status)]).get("content", {}).get("application/json")
        return self._check(f"{operation.id} {status}", content["schema"], body) if content else []

    def filled(self, operation_id: str, status: int, values: Json) -> Json:
        """Give an answer of this operation with every required field, `values` where they are given."""
        operation = next(o for o in self.operations if o.id == operation_id)
        schema = self.resolve(operation.described["responses"][str(status)])["content"]["application/json"]["schema"]
        schema = self.resolve(schema)
        made: Json = self.made(schema["items"] if schema.get("type") == "array" else schema, values)
        return made

    def made(self, schema: Json, values: Any = None) -> Any:
        """Give an instance of a schema: its required properties, overlaid with `values` all the way down."""
        schema = self.resolve(schema)
        if schema.get("nullable") and values is None:
            return None
        for key in ("allOf", "oneOf", "anyOf"):
            if key in schema:
                return self.made({**self.resolve(schema[key][0]), "nullable": False}, values)
        if schema.get("type") == "object" or "properties" in schema:
            given = values if isinstance(values, dict) else {}
            properties = schema.get("properties", {})
            names = {*schema.get("required", ()), *given}
            return {
                n: self.made(properties[n], given.get(n)) if n in properties else given[n]
                for n in sorted(names)
                if n in properties or n in given
            }
        if isinstance(values, list) and "items" in schema:
            return [self.made(schema["items"], value) for value in values]
        return self._plain(schema) if values is None else values

    def _plain(self, schema: Json) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "array":
            return []
        if "example" in schema and not isinstance(schema["example"], dict):
            return schema["example"]
        text = {"date-time": "2026-01-01T00:00:00Z", "uri": "https://example.com/"}.get(
            schema.get("format", ""), "text"
        )
        return {"string": text, "integer": 1, "number": 1, "boolean": False}.get(schema.get("type", "string"), text)

    def resolve(self, schema: Json) -> Json:
        """Follow a $ref."""
        while "$ref" in schema:
            found: Any = self.root
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part.replace("~1", "/")]
            schema = found
        return schema

    def _check(self, where: str, schema: Json, instance: Any) -> list[str]:
        # A document of its own address, so that "#/components/..." means the description.
        anchored = json.loads(json.dumps(schema).replace('"#/components/', '"github#/components/'))
        found = Validator(anchored, registry=self._registry).iter_errors(instance)
        return [f"{where}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in found]

    def _operations(self) -> Iterator[Operation]:
        for path, methods in self.root["paths"].items():
            if not path.startswith(("/repos/{owner}/{repo}", "/user", "/rate_limit")):
                continue
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
            for method, described in methods.items():
                if isinstance(described, dict) and "operationId" in described:
                    yield Operation(described["operationId"], method.upper(), path, re.compile(pattern), described)


@functools.cache
def load() -> Specification:
    """Give the description, read once."""
    return Specification(fetch())
