from __future__ import annotations

import importlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator, validate

from bestchat_server_ext.api import frames, openapi
from bestchat_server_ext.api.catalog import PROCEDURES
from bestchat_server_ext.api.closing import CLOSINGS
from bestchat_server_ext.api.procedure import Procedure
from bestchat_server_ext.core.access import Scope
from bestchat_server_ext.core.events import Event

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts"

Json = dict[str, Any]


@pytest.fixture(scope="module")
def document() -> Json:
    return openapi.document("1.2.3", "https://hub.example/user/ada")


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> tuple[msgspec.Struct, ...]:
    monkeypatch.syspath_prepend(SCRIPTS)
    return tuple(importlib.import_module("api_samples").SAMPLES)


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, item in document["paths"].items():
        for method in ("get", "post"):
            if method in item:
                yield path, item[method]


def test_it_is_valid_openapi_3_1(document: Json) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(json.loads(json.dumps(document)), cls=OpenAPIV31SpecValidator)


def test_every_procedure_is_there_exactly_once(document: Json) -> None:
    calls = [call["operationId"] for path, call in operations(document) if "requestBody" in call]
    streams = list(document["x-websocket"]["procedures"])
    assert sorted(calls + streams) == sorted(item.name for item in PROCEDURES)
    assert streams == [item.name for item in PROCEDURES if item.stream]


@pytest.mark.parametrize(
    "procedure", [item for item in PROCEDURES if not item.stream], ids=lambda item: item.name
)
def test_a_call_says_where_what_and_for_whom(
    document: Json, procedure: Procedure[Any, Any]
) -> None:
    item = document["paths"][f"/bestchat/api/{procedure.name}"]
    call = item["post"]
    assert call["tags"] == [procedure.topic]
    assert call["summary"] == procedure.summary
    assert call["x-required-scope"] == procedure.scope
    assert ({} in call["security"]) == (procedure.scope is None)
    content = call["requestBody"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith(f"/{procedure.request.__name__}")
    content = call["responses"]["200"]["content"]["application/json"]
    assert content["schema"]["$ref"].endswith(f"/{procedure.response.__name__}")
    header = document["components"]["parameters"]["Protocol"]
    assert item["parameters"] == [{"$ref": "#/components/parameters/Protocol"}]
    assert (header["name"], header["in"]) == ("X-BestChat-Protocol", "header")
    assert not header.get("required", False)


def test_the_address_of_a_call_is_the_server_and_the_path(document: Json) -> None:
    addresses = {document["servers"][0]["url"] + path for path in document["paths"]}
    assert "https://hub.example/user/ada/bestchat/api/turns.start" in addresses
    assert "https://hub.example/user/ada/bestchat/api/health" in addresses
    assert "https://hub.example/user/ada/bestchat/api/openapi.json" in addresses
    assert document["x-websocket"]["url"] == "/bestchat/api/events"
    codes = [item["code"] for item in document["x-websocket"]["closings"]]
    assert codes == sorted(codes), "all of them, each once"
    assert len(codes) == len(set(codes)) == len(CLOSINGS)


def test_every_failure_has_the_same_shape(document: Json) -> None:
    shape = {"application/json": {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}
    failures = document["components"]["responses"]
    for _, call in operations(document):
        refs = {status: said for status, said in call["responses"].items() if status >= "400"}
        assert set(refs) >= {"403", "413", "500"}
        names = [said["$ref"].rpartition("/")[2] for said in refs.values()]
        assert all(failures[name]["content"] == shape for name in names)


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("system.whoami", ""),
        ("conversations.list", ""),
        ("conversations.get", "404"),
        ("conversations.create", "409 429"),
        ("conversations.delete", "404 409 429"),
        ("turns.start", "404 409 429 502"),
        ("approvals.answer", "404 409 429"),
        ("events.replay", "404"),
        ("models.list", "502"),
        ("tokens.create", "409 429"),
    ],
)
def test_a_call_says_what_may_become_of_it(document: Json, name: str, more: str) -> None:
    said = document["paths"][f"/bestchat/api/{name}"]["post"]["responses"]
    assert set(said) == {"200", "400", "401", "403", "413", "500", "503", *more.split()}


def test_a_body_is_asked_for_where_something_has_to_be_in_it(document: Json) -> None:
    schemas = document["components"]["schemas"]
    for _, call in operations(document):
        if "requestBody" in call:
            body = call["requestBody"]
            name = body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
            assert body["required"] == bool(schemas[name].get("required"))


def test_every_model_and_every_field_has_a_description(document: Json) -> None:
    silent = []
    for name, schema in document["components"]["schemas"].items():
        if name in openapi.UNIONS:
            continue
        fields = {f"{name}.{key}": value for key, value in schema.get("properties", {}).items()}
        said = {name: schema, **fields}
        silent += [where for where, what in said.items() if not what.get("description")]
    assert silent == []


def test_docstrings_of_fields_are_found_word_for_word(document: Json) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Delta"]["properties"]["text"]["description"] == "The pieces, joined."
    ids = schemas["CreateConversation"]["properties"]["conversation_id"]
    assert ids["description"].endswith("creates no second\nconversation.")


def test_names_of_models_are_plain(document: Json) -> None:
    names = document["components"]["schemas"]
    assert [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z]+", name)] == []


@pytest.mark.parametrize(
    ("name", "union"),
    [("Event", Event), ("ServerFrame", frames.ServerFrame), ("ClientFrame", frames.ClientFrame)],
)
def test_members_of_a_union_are_told_apart_by_their_type(
    document: Json, name: str, union: Any
) -> None:
    schemas = document["components"]["schemas"]
    members = {member.__struct_config__.tag: member.__name__ for member in get_args(union)}
    said = schemas[name]["discriminator"]["mapping"]
    assert {tag: ref.rpartition("/")[2] for tag, ref in said.items()} == members
    for tag, member in members.items():
        assert schemas[member]["properties"]["type"]["const"] == tag
        assert "type" in schemas[member]["required"]


def test_a_union_is_spelt_out_in_one_place_only(document: Json) -> None:
    schemas = document["components"]["schemas"]
    event = schemas["Envelope"]["properties"]["event"]
    assert event["$ref"] == "#/components/schemas/Event"
    parts = schemas["Message"]["properties"]["parts"]
    assert parts["items"] == {"$ref": "#/components/schemas/Part"}


def test_moments_are_marked(document: Json) -> None:
    turn = document["components"]["schemas"]["Turn"]["properties"]
    assert turn["started_at"]["format"] == "date-time"
    assert {"type": "string", "format": "date-time"} in turn["ended_at"]["anyOf"]


def test_the_samples_show_everything_that_travels(
    samples: tuple[msgspec.Struct, ...],
) -> None:
    shown = {type(sample) for sample in samples}
    shown |= {type(sample.event) for sample in samples if hasattr(sample, "event")}
    wanted = {model for item in PROCEDURES for model in (item.request, item.response)}
    wanted |= {*get_args(Event), *get_args(frames.ServerFrame), *get_args(frames.ClientFrame)}
    assert {model.__name__ for model in wanted - shown} == set()


def test_what_is_sent_fits_its_schema(document: Json, samples: tuple[msgspec.Struct, ...]) -> None:
    root = json.loads(json.dumps({"components": document["components"]}))
    for sample in samples:
        schema = {**root, "$ref": f"#/components/schemas/{type(sample).__name__}"}
        OAS31Validator(schema).validate(json.loads(msgspec.json.encode(sample)))


@pytest.mark.parametrize("member", get_args(frames.ClientFrame))
def test_a_misspelt_field_of_a_client_is_refused(document: Json, member: type) -> None:
    schema = document["components"]["schemas"][member.__name__]
    assert schema["additionalProperties"] is False
    frame = {"type": schema["properties"]["type"]["const"], "protocol": 1, "conversation_id": "c"}
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        msgspec.convert({**frame, "confetti": 1}, frames.ClientFrame)


def test_the_same_code_gives_the_same_document() -> None:
    assert json.dumps(openapi.document("1")) == json.dumps(openapi.document("1"))


def test_nothing_of_the_machine_gets_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "BESTCHAT_TOKEN", "JUPYTER_TOKEN"):
        monkeypatch.setenv(name, "sk-canary-4711")
    text = json.dumps(openapi.document("1.2.3"))
    assert "sk-canary-4711" not in text
    assert str(Path.home()) not in text
    assert str(SCRIPTS.parent) not in text


def test_every_scope_that_is_asked_for_exists(document: Json) -> None:
    asked = {call["x-required-scope"] for _, call in operations(document)}
    assert asked - {None} <= {scope.value for scope in Scope}
    assert len(asked) > 1
