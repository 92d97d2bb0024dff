"""The first four requests of the quick start, on every server."""

from servers.processes import Server
from servers.wire import get


def test_quick_start(cached: Server, plain: Server) -> None:
    expected = plain.ask(get("/users/7"))
    first = cached.ask(get("/users/7"))
    second = cached.ask(get("/users/7"))
    assert [first.cache, second.cache] == ["MISS", "HIT"]
    assert second.values("age")[0].isdecimal()
    assert first.values("age") == []
    assert second.body == first.body == expected.body
    changed = cached.ask(get("/users/7", "Content-Length: 0", method="POST"))
    assert changed.body == b'{"user_id":7,"status":"updated"}'
    assert changed.cache is None
    third = cached.ask(get("/users/7"))
    assert third.cache == "MISS"
    assert third.body == expected.body


def test_lines_of_the_application_come_first_and_ours_last(cached: Server, plain: Server) -> None:
    plain_lines = plain.ask(get("/users/8")).lines_but(b"date", b"server")
    miss, hit = (cached.ask(get("/users/8")).lines_but(b"date", b"server") for _ in range(2))
    assert miss[: len(plain_lines)] == hit[: len(plain_lines)] == plain_lines
    names = [[line.split(b":", 1)[0].lower() for line in lines[len(plain_lines) :]] for lines in (miss, hit)]
    assert names == [
        [b"etag", b"x-cache-status", b"cache-status"],
        [b"etag", b"x-cache-status", b"age", b"cache-status"],
    ]
