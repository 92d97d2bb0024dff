"""Whatever an application sends: the server gets the same messages in the same order, and nothing odd is stored."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import pytest
from asgi_client import request, scope_for
from safety.differential import App, Seen, seen, wrapped

from fast_cache_middleware import CacheConfig, CacheRule, Controller, FastCacheMiddleware

START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY: dict[str, Any] = {"type": "http.response.body", "body": b"ok"}
LONG: dict[str, Any] = {**START, "headers": [(b"x-a", b"1"), (b"x-a", b"2")]}


def start(**more: Any) -> dict[str, Any]:
    return {**START, **more}


def body(value: Any, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.body", "body": value, **more}


class Message(dict[str, Any]):
    """A message that is not a plain dictionary."""


class Text(str):
    """A string that is not a plain one."""


def headers(make: Callable[[], Any]) -> Callable[[], list[Any]]:
    return lambda: [{**START, "headers": make()}, BODY]


PAIR = (b"content-length", b"2")
ODD: dict[str, Callable[[], list[Any]]] = {
    "start_twice": lambda: [START, START, BODY],
    "start_twice_with_another_status": lambda: [START, start(status=404), BODY],
    "start_in_the_midst": lambda: [LONG, body(b"a", more_body=True), START, BODY],
    "start_only": lambda: [START],
    "start_only_without_length": lambda: [LONG],
    "body_before_start": lambda: [BODY, START, BODY],
    "body_only": lambda: [BODY],
    "body_after_the_end": lambda: [LONG, BODY, body(b"more", more_body=True)],
    "body_never_ends": lambda: [START, body(b"o", more_body=True)],
    "body_too_short": lambda: [START, body(b"o")],
    "body_too_long": lambda: [START, body(b"okay")],
    "body_too_long_in_pieces": lambda: [START, body(b"o", more_body=True), body(b"kay", more_body=True), body(b"")],
    "nothing": list,
    "message_none": lambda: [START, None, BODY],
    "message_text": lambda: [START, "http.response.body"],
    "message_list_after_start": lambda: [START, [("type", "http.response.body")], BODY],
    "message_empty": lambda: [START, {}, BODY],
    "message_without_type": lambda: [START, {"body": b"ok"}, BODY],
    "message_of_another_type": lambda: [START, {"type": "http.response.future", "x": 1}, BODY],
    "message_type_odd": lambda: [START, {"type": 7}, BODY],
    "message_subclass": lambda: [Message(START), Message(BODY)],
    "message_type_subclass": lambda: [{**START, "type": Text("http.response.start")}, BODY],
    "pathsend": lambda: [START, {"type": "http.response.pathsend", "path": "/x"}],
    "zerocopysend": lambda: [START, {"type": "http.response.zerocopysend", "file": 7, "more_body": True}, BODY],
    "trailers": lambda: [start(trailers=True), BODY, {"type": "http.response.trailers", "headers": []}],
    "status_text": lambda: [start(status="200"), BODY],
    "status_negative": lambda: [start(status=-200), BODY],
    "status_zero": lambda: [start(status=0), BODY],
    "status_huge": lambda: [start(status=10**30), BODY],
    "status_float": lambda: [start(status=200.0), BODY],
    "status_none": lambda: [start(status=None), BODY],
    "status_true": lambda: [start(status=True), BODY],
    "status_missing": lambda: [{"type": "http.response.start", "headers": [PAIR]}, BODY],
    "headers_missing": lambda: [{"type": "http.response.start", "status": 404}, BODY],
    "headers_none": headers(lambda: None),
    "headers_number": headers(lambda: 7),
    "headers_generator": headers(lambda: (pair for pair in [PAIR, (b"x-a", b"1")])),
    "headers_iterator": headers(lambda: iter([PAIR])),
    "headers_text": headers(lambda: [("content-length", "2")]),
    "headers_text_in_a_generator": headers(lambda: (pair for pair in [PAIR, ("x-a", "1")])),
    "headers_triples": headers(lambda: [(b"a", b"b", b"c")]),
    "headers_generators_as_pairs": headers(lambda: [iter(PAIR)]),
    "headers_of_numbers": headers(lambda: [(1, 2)]),
    "headers_string": headers(lambda: "ab"),
    "length_negative": headers(lambda: [(b"content-length", b"-1")]),
    "length_text": headers(lambda: [(b"content-length", b"two")]),
    "length_contradicts": headers(lambda: [(b"content-length", b"2"), (b"content-length", b"3")]),
    "length_huge": headers(lambda: [(b"content-length", b"9" * 100)]),
    "body_none": lambda: [START, body(None)],
    "body_text": lambda: [START, body("ok")],
    "body_number": lambda: [START, body(2)],
    "body_numbers": lambda: [START, body([111, 107])],
    "body_generator": lambda: [START, body(letter for letter in b"ok")],
    "body_object": lambda: [LONG, body(...)],
}
"""Sequences of messages that no application should send."""

STORED: dict[str, Callable[[], list[Any]]] = {
    "start_after_the_body": lambda: [START, BODY, START],
    "body_twice": lambda: [START, BODY, BODY],
    "debug_after_start": lambda: [START, {"type": "http.response.debug", "info": {}}, BODY],
    "debug_before_start": lambda: [{"type": "http.response.debug", "info": {}}, START, BODY],
    "push_after_start": lambda: [START, {"type": "http.response.push", "path": "/x", "headers": []}, BODY],
    "early_hint": lambda: [{"type": "http.response.early_hint", "links": [b"</x>"]}, START, BODY],
    "trailers_unannounced": lambda: [START, BODY, {"type": "http.response.trailers", "headers": []}],
    "more_body_odd": lambda: [START, body(b"o", more_body="yes"), body(b"k", more_body=[])],
}
"""Odd around a response that is whole: passed on as it is, and the response is stored."""

GOOD: dict[str, Callable[[], list[Any]]] = {
    "headers_tuple": headers(lambda: (PAIR, (b"x-a", b"1"), (b"x-a", b"2"))),
    "headers_lists_as_pairs": headers(lambda: [list(PAIR)]),
    "headers_dict_view": headers(lambda: dict([PAIR]).items()),
    "headers_bytearray": headers(lambda: [(bytearray(b"content-length"), bytearray(b"2"))]),
    "headers_missing": lambda: [{"type": "http.response.start", "status": 200}, BODY],
    "status_enum": lambda: [start(status=HTTPStatus.OK), BODY],
    "body_missing": lambda: [LONG, {"type": "http.response.body"}],
    "body_bytearray": lambda: [START, body(bytearray(b"ok"))],
    "body_memoryview": lambda: [START, body(memoryview(b"ok"))],
    "body_memoryview_with_steps": lambda: [START, body(memoryview(b"o-k-")[::2])],
    "body_in_pieces": lambda: [START, body(b"o", more_body=True), body(b"k", more_body=True), body(b"")],
    "body_empty_pieces": lambda: [LONG, body(b"", more_body=True), body(b"", more_body=True), body(b"")],
    "message_subclass": lambda: [Message(START), Message(BODY)],
    "etag_given": lambda: [{**START, "headers": [(b"etag", b'"given"'), PAIR]}, BODY],
}
"""Unusual, and all right by the ASGI specification or by every server."""


def sending(messages: Callable[[], list[Any]]) -> App:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages():
            await send(message)

    return app


def raising(messages: Callable[[], list[Any]]) -> App:
    inner = sending(messages)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)
        raise KeyError("after all")

    return app


def twice(app: App) -> tuple[Seen, Seen, Seen]:
    async def run() -> tuple[Seen, Seen, Seen]:
        expected = await seen(app, scope_for("GET", "/a"))
        cache = wrapped(app)
        return (expected, await seen(cache, scope_for("GET", "/a")), await seen(cache, scope_for("GET", "/a")))

    return asyncio.run(run())


@pytest.mark.parametrize("name", ODD)
def test_odd_messages_reach_the_server_as_they_are(name: str) -> None:
    if name == "body_generator":  # one object per message: compare what is in it
        expected, first, second = (
            [[*message["body"]] for message in found.messages if message["type"] == "http.response.body"]
            for found in twice(sending(ODD[name]))
        )
        assert first == second == expected == [[111, 107]]
        return
    expected, first, second = twice(sending(ODD[name]))
    assert first == expected
    assert second == expected


@pytest.mark.parametrize("name", STORED)
def test_odd_messages_around_a_whole_response(name: str) -> None:
    expected, first, second = twice(sending(STORED[name]))
    assert first == expected
    assert [message["type"] for message in second.messages] == ["http.response.start", "http.response.body"]
    assert second.messages[1]["body"] == b"ok"


@pytest.mark.parametrize("name", [name for name in {**ODD, **STORED} if name != "body_generator"])
def test_odd_messages_and_then_an_exception(name: str) -> None:
    expected, first, second = twice(raising({**ODD, **STORED}[name]))
    assert expected.raised == "KeyError: 'after all'"
    assert first == expected
    assert second.raised in (expected.raised, None)


@pytest.mark.parametrize("name", GOOD)
def test_unusual_messages_are_stored_and_come_back(name: str) -> None:
    calls = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope)
        await sending(GOOD[name])(scope, receive, send)

    expected, first, second = twice(app)
    assert first == expected
    assert len(calls) == 2, "bare and behind the cache, where the second request is a hit"
    head, *bodies = second.messages
    assert head["status"] == 200
    assert head["headers"] == expected.messages[0].get("headers", [])
    whole = b"".join(message.get("body", b"") for message in expected.messages[1:])
    assert [message["body"] for message in bodies] == [whole]


@pytest.mark.parametrize(("content", "second"), [(b"", "HIT"), (b"x", "MISS")])
def test_a_204_is_kept_before_its_client_can_ask_again(content: bytes, second: str) -> None:
    headers = [(b"cache-control", b"max-age=60")]
    messages = [
        {"type": "http.response.start", "status": 204, "headers": headers},
        {"type": "http.response.body", "body": content},
    ]

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    controller = Controller(cacheable_status_codes=[204])
    app = FastCacheMiddleware(inner, rules=[CacheRule("/", CacheConfig(60, coalesce=False))], controller=controller)
    outcomes: list[str | None] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            outcomes.append((await request(app, "GET", "/")).cache)

    async def receive() -> Any:
        return {"type": "http.request"}

    asyncio.run(app(scope_for("GET", "/"), receive, send))
    assert outcomes == [second]
