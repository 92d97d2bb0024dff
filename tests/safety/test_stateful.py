"""The whole middleware against a naive model: random requests, drops, clock moves, failures and held handlers."""

import asyncio
import hashlib
import re
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

import pytest
from asgi_client import Answer, request
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPBearer
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from starlette.requests import ClientDisconnect
from starlette.responses import StreamingResponse

from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    FastCacheMiddleware,
    InMemoryStorage,
    _core,
)

LIFETIME = 60
USERS = st.sampled_from(["", "alice", "bob"])
ITEMS = st.integers(1, 3)
QUERIES = st.sampled_from(["", "q=1", "q=2", "q=1&q=2", "q=1&noise=9", "noise=9"])
LANGUAGES = st.sampled_from(["", "de"])
WAYS = st.sampled_from(["stream", "length"])
REMEMBERED = 6
"""How many requests are asked again after every drop and every move of the clock."""


@dataclass
class Held:
    """A request that waits in its handler."""

    task: "asyncio.Task[Answer]"
    gate: asyncio.Event
    asked: "Asked"


@dataclass
class Asked:
    """A request, and what was true when it began."""

    item: int
    user: str
    query: str
    language: str
    way: str
    least: int
    began: float
    calls: int = 0

    @property
    def effective(self) -> str:
        """The part of the query that the handler sees."""
        return ",".join(pair[2:] for pair in self.query.split("&") if pair.startswith("q="))


@dataclass
class Shop:
    """The application and what it knows of itself."""

    clock: Any = field(default_factory=lambda: _core.SystemClock(1_700_000_000.0))
    versions: dict[int, int] = field(default_factory=lambda: {1: 0, 2: 0, 3: 0})
    made_at: dict[bytes, float] = field(default_factory=dict)
    calls: int = 0
    hold: asyncio.Event | None = None
    entered: asyncio.Event | None = None
    failing: str = ""

    def __post_init__(self) -> None:
        self.storage = InMemoryStorage(50, clock=self.clock)
        self.app = FastAPI()
        bearer = HTTPBearer(auto_error=False)

        async def read(
            item: int,
            q: str = "",
            credential: Annotated[Any, Depends(bearer)] = None,
            accept_language: Annotated[str, Header()] = "",
            way: Annotated[str, Header()] = "stream",
        ) -> Any:
            self.calls += 1
            number = self.calls
            user = "" if credential is None else credential.credentials
            version, failing = self.versions[item], self.failing
            hold, self.hold = self.hold, None
            if hold is not None and self.entered is not None:
                self.entered.set()
                await hold.wait()
            if failing == "raise":
                raise KeyError(item)
            if failing == "error":
                raise HTTPException(503)
            text = self.body(item, version, user, q, accept_language, number)
            self.made_at[text] = self.clock.now()
            return StreamingResponse(self.pieces(text, failing), headers=self.lines(way, text))

        self.read = read
        tags = ["items", "item:{item}"]
        self.app.add_api_route("/items/{item}", read, dependencies=[CacheConfig(LIFETIME, tags=tags)])
        for name, drop in {
            "path": CacheDropConfig(paths=["/items/{item}"]),
            "prefix": CacheDropConfig(paths=["/items/"]),
            "glob": CacheDropConfig(paths=["/items/*"]),
            "regex": CacheDropConfig(paths=[r"^/items/\d+$"]),
            "tag": CacheDropConfig(tags=["item:{item}"]),
            "endpoint": CacheDropConfig(methods=[read]),
        }.items():
            self.app.add_api_route(f"/{name}/{{item}}", self.write, methods=["POST"], dependencies=[drop])
        self.app.add_middleware(FastCacheMiddleware, storage=self.storage, follower_timeout=0.001)

    async def write(self, item: int, fail: int = 0) -> int:
        if fail:
            raise HTTPException(fail)
        self.versions[item] += 1
        return self.versions[item]

    def body(self, item: int, version: int, user: str, q: str, language: str, number: int) -> bytes:
        noise = hashlib.sha256(f"{item}{user}{q}{language}".encode()).hexdigest()
        return f"{item}|{version}|{user}|{q}|{language}|{number}|{noise}".encode()

    async def pieces(self, text: bytes, failing: str) -> Any:
        yield text[:7]
        if failing == "midway":
            raise KeyError("midway")
        yield text[7:]

    def lines(self, way: str, text: bytes) -> dict[str, str]:
        return {"content-length": str(len(text))} if way == "length" else {}


class Machine(RuleBasedStateMachine):
    """Never older than a finished drop, never another user's, never stale, one handler call, right bytes."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.shop = Shop()
        self.dropped: dict[int, int] = {1: 0, 2: 0, 3: 0}
        self.held: list[Held] = []
        self.remembered: list[Asked] = []

    def run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        for one in self.held:
            one.task.cancel()
            self.run(asyncio.wait([one.task]))
        self.run(self.loop.shutdown_asyncgens())
        self.loop.close()

    async def ask(self, asked: Asked, on_message: Any = None, more: Any = ()) -> Answer:
        headers = [("way", asked.way), *more]
        if asked.user:
            headers.append(("authorization", f"Bearer {asked.user}"))
        if asked.language:
            headers.append(("accept-language", asked.language))
        return await request(self.shop.app, "GET", f"/items/{asked.item}?{asked.query}", headers, on_message=on_message)

    def asked(self, item: int, user: str, query: str, language: str, way: str) -> Asked:
        asked = Asked(item, user, query, language, way, self.dropped[item], self.shop.clock.now(), self.shop.calls)
        self.remembered = [asked, *self.remembered[: REMEMBERED - 1]]
        return asked

    def look_again(self) -> None:
        """Ask again what was asked before: whatever is stored for it must still be right."""
        for one in list(self.remembered):
            now = replace(one, least=self.dropped[one.item], began=self.shop.clock.now(), calls=self.shop.calls)
            answer = self.run(self.ask(now))
            self.check(now, answer)
            assert self.shop.calls - now.calls == (0 if answer.cache == "HIT" else 1)

    def check(self, asked: Asked, answer: Answer) -> None:
        if answer.status != 200:
            assert answer.status == 503
            return
        item, version, user, query, language, _, noise = answer.body.decode().split("|")
        assert int(item) == asked.item, "another item"
        assert user == asked.user, "another user's answer"
        assert query == asked.effective.rpartition(",")[2], "another query's answer"
        assert language == asked.language, "another language's answer"
        assert len(noise) == 64, "a truncated body"
        assert int(version) >= asked.least, "older than a finished drop"
        if answer.cache == "HIT":
            made = self.shop.made_at[answer.body]
            assert asked.began - made < LIFETIME, "a stale answer"
            assert int(answer.header("age") or -1) >= int(asked.began - made)

    # -- requests ------------------------------------------------------------------------------------------------------

    @rule(item=ITEMS, user=USERS, query=QUERIES, language=LANGUAGES, way=WAYS)
    def read(self, item: int, user: str, query: str, language: str, way: str) -> None:
        asked = self.asked(item, user, query, language, way)
        answer = self.run(self.ask(asked))
        self.check(asked, answer)
        assert self.shop.calls - asked.calls == (0 if answer.cache == "HIT" else 1)
        again = self.run(self.ask(asked))
        assert (again.cache, again.body) == ("HIT", answer.body), "a whole answer is found again"

    @rule(item=ITEMS, user=USERS, query=QUERIES, way=WAYS)
    def read_afresh(self, item: int, user: str, query: str, way: str) -> None:
        asked = self.asked(item, user, query, "", way)
        answer = self.run(self.ask(asked, more=[("cache-control", "no-cache")]))
        self.check(asked, answer)
        assert self.shop.calls - asked.calls == 1
        assert int(answer.body.split(b"|")[1]) == self.shop.versions[item]

    @rule(item=ITEMS, user=USERS, way=WAYS, failing=st.sampled_from(["raise", "error", "midway"]))
    def read_from_a_failing_handler(self, item: int, user: str, way: str, failing: str) -> None:
        asked = self.asked(item, user, "", "", way)
        self.shop.failing = failing
        try:
            answer = self.run(self.ask(asked))
        except KeyError:
            assert self.shop.calls - asked.calls == 1
        else:
            self.check(asked, answer)
            assert answer.cache == "HIT" or failing == "error"
        finally:
            self.shop.failing = ""

    @rule(item=ITEMS, user=USERS, way=WAYS, at=st.integers(1, 3))
    def read_with_a_client_that_leaves(self, item: int, user: str, way: str, at: int) -> None:
        asked = self.asked(item, user, "", "", way)
        seen: list[Any] = []

        async def leave(message: Any) -> None:
            seen.append(message)
            if len(seen) == at:
                raise OSError("the client left")

        try:
            self.check(asked, self.run(self.ask(asked, on_message=leave)))
        except (OSError, ClientDisconnect):
            assert len(seen) == at
        assert self.shop.calls - asked.calls <= 1

    @rule(item=ITEMS, user=USERS, way=WAYS, at=st.integers(1, 3))
    def read_and_cancel_in_send(self, item: int, user: str, way: str, at: int) -> None:
        asked = self.asked(item, user, "", "", way)
        seen: list[Any] = []

        async def both() -> None:
            stuck = asyncio.Event()

            async def stall(message: Any) -> None:
                seen.append(message)
                if len(seen) == at:
                    stuck.set()
                    await asyncio.Event().wait()

            task = asyncio.ensure_future(self.ask(asked, on_message=stall))
            waiting = asyncio.ensure_future(stuck.wait())
            await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            task.cancel()
            await asyncio.wait([task])

        self.run(both())
        assert self.shop.calls - asked.calls <= 1

    @rule(item=ITEMS, user=USERS, way=WAYS, failing=st.sampled_from(["", "raise", "error"]), leaves=st.booleans())
    def read_in_a_crowd(self, item: int, user: str, way: str, failing: str, leaves: bool) -> None:
        asked = self.asked(item, user, "", "", way)
        gate, entered = asyncio.Event(), asyncio.Event()
        self.shop.hold, self.shop.entered, self.shop.failing = gate, entered, failing

        async def all_at_once() -> list[Any]:
            tasks = [asyncio.ensure_future(self.ask(asked)) for _ in range(4)]
            waiting = asyncio.ensure_future(entered.wait())
            await asyncio.wait([*tasks, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if leaves:
                tasks[0].cancel()
            gate.set()
            return await asyncio.gather(*tasks, return_exceptions=True)

        answers = self.run(all_at_once())
        self.shop.hold, self.shop.entered, self.shop.failing = None, None, ""
        for answer in answers:
            if isinstance(answer, Answer):
                self.check(asked, answer)
            else:
                assert isinstance(answer, (KeyError, asyncio.CancelledError)), answer
        assert self.shop.calls - asked.calls <= len(answers)

    # -- requests that wait in their handler ---------------------------------------------------------------------------

    @rule(item=ITEMS, user=USERS, query=QUERIES, way=WAYS)
    def hold(self, item: int, user: str, query: str, way: str) -> None:
        asked = self.asked(item, user, query, "", way)
        gate, entered = asyncio.Event(), asyncio.Event()
        self.shop.hold, self.shop.entered = gate, entered

        async def begin() -> "asyncio.Task[Answer]":
            task = asyncio.ensure_future(self.ask(asked))
            waiting = asyncio.ensure_future(entered.wait())
            await asyncio.wait([task, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            return task

        task = self.run(begin())
        self.shop.hold = self.shop.entered = None
        if task.done():
            self.check(asked, task.result())
        else:
            self.held.append(Held(task, gate, asked))

    @rule(which=st.integers(0, 5), cancel=st.booleans())
    def release(self, which: int, cancel: bool) -> None:
        if not self.held:
            return
        one = self.held.pop(which % len(self.held))
        if cancel:
            one.task.cancel()
        else:
            one.gate.set()
        self.run(asyncio.wait([one.task]))
        if not cancel:
            self.check(one.asked, one.task.result())
        self.look_again()

    # -- writes, drops and time ----------------------------------------------------------------------------------------

    @rule(item=ITEMS, how=st.sampled_from(["path", "prefix", "glob", "regex", "tag", "endpoint"]))
    def write(self, item: int, how: str) -> None:
        assert self.run(request(self.shop.app, "POST", f"/{how}/{item}")).status == 200
        covered = [item] if how in ("path", "tag") else [1, 2, 3]
        self.dropped.update({one: self.shop.versions[one] for one in covered})
        self.look_again()

    @rule(item=ITEMS, how=st.sampled_from(["path", "tag", "endpoint"]), status=st.sampled_from([401, 422, 500]))
    def fail_to_write(self, item: int, how: str, status: int) -> None:
        entries = len(self.shop.storage)
        assert self.run(request(self.shop.app, "POST", f"/{how}/{item}?fail={status}")).status == status
        assert len(self.shop.storage) == entries
        self.look_again()

    @rule(item=ITEMS, how=st.sampled_from(["path", "glob", "regex", "compiled", "tag", "soft", "endpoint", "clear"]))
    def drop_from_code(self, item: int, how: str) -> None:
        self.shop.versions[item] += 1
        cache = CacheHandle(self.shop.storage, app=self.shop.app)
        drops: dict[str, Any] = {
            "path": lambda: cache.drop(paths=[f"/items/{item}"]),
            "glob": lambda: cache.drop(paths=["/it*"]),
            "regex": lambda: cache.drop(paths=[rf"^/items/{item}"]),
            "compiled": lambda: cache.drop(paths=[re.compile("/(?=items)")]),
            "tag": lambda: cache.drop(tags=[f"item:{item}"]),
            # Without a window for stale answers, what is marked as stale is gone.
            "soft": lambda: cache.drop(tags=[f"item:{item}"], soft=True),
            "endpoint": lambda: cache.drop(endpoints=[self.shop.read]),
            "clear": cache.clear,
        }
        if how == "endpoint" and self.shop.calls == 0:
            return  # an application that was never asked has no analysed endpoints
        self.run(drops[how]())
        covered = [1, 2, 3] if how in ("glob", "compiled", "endpoint", "clear") else [item]
        self.dropped.update({one: self.shop.versions[one] for one in covered})
        self.look_again()

    @rule(seconds=st.sampled_from([0.5, 1, 29, 30, 59, 59.9, 60, 61, 10_000]))
    def wait(self, seconds: float) -> None:
        self.shop.clock.advance(seconds)
        self.look_again()

    @invariant()
    def the_store_keeps_its_bound(self) -> None:
        assert len(self.shop.storage) <= 50


Machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30)
TestMachine = pytest.mark.slow(Machine.TestCase)
