"""A naive model of the whole middleware: what an answer may be, whatever happened before and at the same time.

Requests, writes, drops, moves of the clock, failures, cancellations and concurrent fills come in any order that a seed
gives. What must hold: never an answer that is older than a finished drop, never another client's, never stale but where
it may be, one call for a request, whole bodies only, and nobody waits for ever.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Annotated, Any

from asgi_client import Answer, request
from fastapi import Depends, FastAPI, Header, HTTPException
from fastapi.security import HTTPBearer
from starlette.responses import Response, StreamingResponse

from fast_cache_middleware import (
    CacheConfig,
    CacheDropConfig,
    CacheHandle,
    Controller,
    FastCacheMiddleware,
    InMemoryStorage,
    _core,
)

LIFETIME = 60.0
WINDOW = 20.0
"""For how long past it an answer may be served stale, or stand in for a failure; seconds."""
ITEMS = 3
LARGEST = 512
WAYS = ("tag", "path", "prefix", "glob", "endpoint", "soft")
ENDS = ("whole",) * 16 + ("raise", "raise", "error", "handled", "private", "large", "break", "short")
IN_BAD_TIMES = ("raise",) * 10 + ("error",) * 10 + ("whole", "whole", "handled", "private error")
TOKEN: ContextVar[int] = ContextVar("token")
"""The request that a call of the handler is made for."""


class HandlerError(Exception):
    """The handler raised; what it would have answered."""


@dataclass
class Shop:
    """The application, and what it knows of itself."""

    chance: random.Random
    versions: list[int] = field(default_factory=lambda: [0] * ITEMS)
    least: list[int] = field(default_factory=lambda: [0] * ITEMS)
    """The least version that may be answered to a request that begins now: what was older was dropped."""
    least_fresh: list[int] = field(default_factory=lambda: [0] * ITEMS)
    made: list[float] = field(default_factory=list)
    """When the answers were made, by the number of their call."""
    calls: Counter[int] = field(default_factory=Counter)
    gates: list[asyncio.Event] = field(default_factory=list)
    failing: bool = False
    """It is having a bad time."""
    ticks: int = 0
    """Counts what begins and ends."""
    ended: dict[int, int] = field(default_factory=dict)
    """When calls ended whose failure may be shared, by their number."""
    shared: int = 0
    """How many requests took the failure of another one."""

    def __post_init__(self) -> None:
        chance = self.chance
        self.clock = _core.SystemClock(1_700_000_000.0)
        # Some runs evict all the time.
        self.storage = InMemoryStorage(chance.choice([4, 1000]), clock=self.clock)
        self.app = FastAPI()
        bearer = HTTPBearer(auto_error=False)

        async def read(
            item: int,
            q: str = "",
            credential: Annotated[Any, Depends(bearer)] = None,
            accept_language: Annotated[str, Header()] = "",
        ) -> Response:
            user = "" if credential is None else credential.credentials
            return await self.answer(item, user, q, accept_language)

        self.read = read
        luck: Any = {"early_refresh": 1, "jitter": 0.5} if chance.random() < 0.5 else {}
        windows = {"stale_while_revalidate": WINDOW, "stale_if_error": WINDOW}
        config = CacheConfig(LIFETIME, tags=["items", "item:{item}"], **windows, **luck)
        self.app.add_api_route("/items/{item}", read, dependencies=[config])
        for way, drop in {
            "tag": CacheDropConfig(tags=["item:{item}"]),
            "path": CacheDropConfig(paths=["/items/{item}"]),
            "prefix": CacheDropConfig(paths=["/items/"]),
            "glob": CacheDropConfig(paths=["/it*"]),
            "endpoint": CacheDropConfig(methods=[read]),
            "soft": CacheDropConfig(tags=["item:{item}"], soft=True),
        }.items():
            self.app.add_api_route(f"/{way}/{{item}}", self.write, methods=["POST"], dependencies=[drop])
        self.app.add_middleware(
            FastCacheMiddleware,
            storage=self.storage,
            controller=Controller(max_body_size=LARGEST),
            follower_timeout=chance.choice([0.001, 3600, 3600]),
        )
        self.cache = CacheHandle(self.storage, app=self.app)

    def gate(self, share: float) -> asyncio.Event | None:
        """Now and then a gate, at which something waits until a later step."""
        if self.chance.random() >= share:
            return None
        self.gates.append(asyncio.Event())
        return self.gates[-1]

    async def answer(self, item: int, user: str, query: str, language: str) -> Response:
        self.calls[TOKEN.get()] += 1
        version, end = self.versions[item], self.chance.choice(IN_BAD_TIMES if self.failing else ENDS)
        first, second = self.gate(0.3), self.gate(0.15)
        if first is not None:
            await first.wait()
        number = len(self.made)
        text = f"{item}|{version}|{user}|{query}|{language}|{number}|{'x' * LARGEST * (end == 'large')}".encode()
        self.made.append(self.clock.now())
        if end == "handled":
            # Its answer ends when its client has taken it, which may be later than this.
            raise HTTPException(503, text.decode())
        if end == "raise":
            self.ended[number] = self.tick()
            raise HandlerError(text)
        headers = {"cache-control": "private"} if end.startswith("private") else {}
        if end == "short" or self.chance.random() < 0.5:
            headers["content-length"] = str(len(text) + (end == "short"))
        pieces = self.pieces(text, second, end, number)
        return StreamingResponse(pieces, 503 if end.endswith("error") else 200, headers)

    async def pieces(self, text: bytes, gate: asyncio.Event | None, end: str, number: int) -> AsyncIterator[bytes]:
        yield text[:7]
        if gate is not None:
            await gate.wait()
        if end == "break":
            raise HandlerError(text)
        yield text[7:]
        self.ended[number] = self.tick()

    def tick(self) -> int:
        """The moment, which is another one each time."""
        self.ticks += 1
        return self.ticks

    async def write(self, item: int) -> int:
        fails = self.chance.random() < 0.2
        if not fails:
            self.versions[item] += 1
        version = self.versions[item]
        gate = self.gate(0.3)
        if gate is not None:
            await gate.wait()
        if fails:
            raise HTTPException(500)
        return version

    def dropped(self, way: str, item: int, version: int) -> None:
        """A drop is finished that covers what an item was before `version`."""
        for covered in [item] if way in ("tag", "path", "soft") else range(ITEMS):
            least = self.least_fresh if way == "soft" else self.least
            least[covered] = max(least[covered], version if covered == item else 0)
            self.least_fresh[covered] = max(self.least_fresh[covered], self.least[covered])


@dataclass
class Read:
    """A request for an item, and what was true when it began."""

    shop: Shop
    token: int
    item: int
    user: str
    query: str
    language: str
    afresh: bool

    def __post_init__(self) -> None:
        self.began, self.tick = self.shop.clock.now(), self.shop.tick()
        self.least, self.least_fresh = self.shop.least[self.item], self.shop.least_fresh[self.item]
        self.pause = self.shop.gate(0.1)

    async def play(self) -> None:
        TOKEN.set(self.token)
        headers = [("authorization", f"Bearer {self.user}")] if self.user else []
        headers += [("accept-language", self.language)] if self.language else []
        headers += [("cache-control", "no-cache")] if self.afresh else []

        async def pause(message: Any) -> None:
            # A client that reads slowly.
            if self.pause is not None:
                await self.pause.wait()

        target = f"/items/{self.item}" + (f"?q={self.query}" if self.query else "")
        try:
            answer = await request(self.shop.app, "GET", target, headers, on_message=pause)
        except HandlerError as error:
            if not self.shop.calls[self.token]:
                self.check_shared(error.args[0])
            return
        self.check(answer)

    def check_shared(self, body: bytes) -> None:
        """A failure of another request's: of the same, and of one that was under way at the same time."""
        self.shop.shared += 1
        assert not self.afresh, "it did not wait"
        text = body.decode().removeprefix('{"detail":"').removesuffix('"}')
        item, version, user, query, language, number, _ = text.split("|")
        assert int(item) == self.item, "another item"
        assert (user, query, language) == (self.user, self.query, self.language), "another client's failure"
        assert int(version) >= self.least, "a failure that is older than a finished drop"
        assert self.shop.ended.get(int(number), self.tick + 1) > self.tick, "a failure that was over already"

    def check(self, answer: Answer) -> None:
        calls, outcome = self.shop.calls[self.token], answer.cache
        assert calls <= 1, "more calls than one for a request"
        forwarded = outcome in ("MISS", "BYPASS")
        if forwarded and not calls:
            assert answer.status == 503 and answer.header("age") is None, f"{outcome} without a call"
            assert "; collapsed" in (answer.header("cache-status") or ""), f"{outcome} without a call"
            assert answer.header("cache-control") is None, "a failure that is another client's"
            self.check_shared(answer.body)
            return
        assert forwarded or outcome == "STALE" or not self.afresh, f"{outcome} to no-cache"
        if answer.status != 200:
            assert answer.status == 503 and forwarded, "a failure from the cache"
            return
        item, version, user, query, language, number, _ = answer.body.decode().split("|")
        assert int(item) == self.item, "another item"
        assert (user, query, language) == (self.user, self.query, self.language), "another client's answer"
        assert int(version) >= self.least, f"{outcome} is older than a finished drop"
        age = self.began - self.shop.made[int(number)]
        if outcome == "HIT":
            assert age < LIFETIME, "a hit that is stale"
            assert int(version) >= self.least_fresh, "a hit after a soft drop"
        elif outcome == "STALE":
            assert age <= LIFETIME + WINDOW, "too stale"
        if not forwarded:
            assert int(answer.header("age") or -1) >= int(age), "younger than it is"


@dataclass
class Run:
    """One run: a shop, and the requests that are under way."""

    seed: int
    tasks: list["asyncio.Task[None]"] = field(default_factory=list)
    token: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.shop = Shop(random.Random(self.chance.getrandbits(64)))

    async def play(self, steps: int) -> dict[str, Any]:
        """Take so many steps, and let everybody come to an end."""
        for _ in range(steps):
            await self.step()
            self.judge()
        for _ in range(10_000):
            self.let_through(everybody=True)
            await asyncio.sleep(0)
            self.judge()
            if not self.tasks:
                break
        if self.tasks:
            # Only who waits for its time to be over is left.
            await asyncio.wait(self.tasks, timeout=5)
            self.judge()
        assert not self.tasks, f"{len(self.tasks)} wait for ever"
        stats = {**self.shop.cache.stats(), "shared": self.shop.shared}
        # FastAPI remembers some thousand endpoints, and theirs hold the shop.
        vars(self.shop).clear()
        return stats

    async def step(self) -> None:
        chance, shop = self.chance, self.shop
        match chance.randrange(24):
            case 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9:
                self.token += 1
                item, user = chance.randrange(ITEMS), chance.choice(["", "", "", "alice", "bob"])
                query, language = chance.choice(["", "", "", "1"]), chance.choice(["", "", "", "de"])
                if shop.failing and chance.random() < 0.75:
                    # Many for the same, so that some wait for two failures.
                    item, user, query, language = 0, "", "", ""
                read = Read(shop, self.token, item, user, query, language, chance.random() < 0.1)
                self.tasks.append(asyncio.create_task(read.play()))
            case 10:
                self.tasks.append(asyncio.create_task(self.write(chance.choice(WAYS), chance.randrange(ITEMS))))
            case 11:
                await self.purge(chance.choice([*WAYS, "clear"]), chance.randrange(ITEMS))
            case 12:
                shop.clock.advance(chance.choice([1, 1, 10, 29, 59, 60, 80]))
            case 13 if self.tasks:
                chance.choice(self.tasks).cancel()
            case 14 if chance.random() < 0.25:
                shop.failing = not shop.failing
            case 14 | 15 | 16:
                self.let_through()
            case _:
                for _ in range(chance.randrange(4)):
                    await asyncio.sleep(0)
        if len(self.tasks) > 12:
            self.let_through()

    async def write(self, way: str, item: int) -> None:
        status = 0

        async def note(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            if message["type"] == "http.response.body" and status == 200:
                self.shop.dropped(way, item, int(message.get("body") or b"0"))

        await request(self.shop.app, "POST", f"/{way}/{item}", on_message=note)

    async def purge(self, way: str, item: int) -> None:
        shop, cache = self.shop, self.shop.cache
        if not shop.calls and way == "endpoint":
            return  # an application that was never asked has no analysed endpoints
        shop.versions[item] += 1
        version = shop.versions[item]
        match way:
            case "tag" | "soft":
                await cache.drop(tags=[f"item:{item}"], soft=way == "soft")
            case "path":
                await cache.drop(paths=[f"/items/{item}"])
            case "prefix" | "glob":
                await cache.drop(paths=["/items/*" if way == "prefix" else "/it*"])
            case "endpoint":
                await cache.drop(endpoints=[shop.read])
            case _:
                await cache.clear()
        shop.dropped(way, item, version)

    def let_through(self, *, everybody: bool = False) -> None:
        """Open one of the gates, or all."""
        gates = self.shop.gates
        while gates:
            gates.pop(self.chance.randrange(len(gates))).set()
            if not everybody:
                return

    def judge(self) -> None:
        """Take those who have come to their end off the list, and raise what they found wrong."""
        ended = [task for task in self.tasks if task.done()]
        self.tasks = [task for task in self.tasks if not task.done()]
        for task in ended:
            if not task.cancelled() and (error := task.exception()) is not None:
                raise error
