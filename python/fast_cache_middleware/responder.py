"""What needs `await`: hooks, key functions and custom storages around an exchange, and the drop after a call."""

import asyncio
import inspect
import logging
import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from . import _core
from .controller import Controller, call_generate_cache_key
from .exceptions import NotFoundStorageError, TTLExpiredStorageError
from .refreshing import discard, nothing_to_receive, refresh
from .routes import Analysis, RouteRecord
from .storages.base import BaseStorage, Stored, request_without_credentials
from .waiting import settled

logger: Final = logging.getLogger("fast_cache_middleware")


class Responder:
    """Drives exchanges that Python has a say in. The rules are the core's; this only waits."""

    def __init__(
        self,
        app: ASGIApp,
        controller: Controller,
        storage: BaseStorage,
        hooks: frozenset[str],
        *,
        external: bool,
    ) -> None:
        self._app = app
        self._controller = controller
        self._storage = storage
        self._hooks = hooks
        self._in_storage = external or bool(hooks & {"cache_response", "get_cached_response"})
        self._drops_in_storage = external or "invalidate_cache" in hooks
        self._records: tuple[RouteRecord, ...] = ()
        self._numbers: dict[int, int] | None = None
        self._sets = 0
        """How often something may have been kept in the storage."""

    def adopt(self, analysis: Analysis, numbered: tuple[RouteRecord, ...]) -> None:
        """Put an analysis to use; `numbered` are its records in the core's order."""
        self._records = numbered
        self._numbers = None

    def number_of(self, record: RouteRecord) -> int | None:
        """The number of a record of the analysis in use."""
        numbers = self._numbers
        if numbers is None:  # few applications have a route that must be asked for
            numbers = self._numbers = {id(one): number for number, one in enumerate(self._records)}
        return numbers.get(id(record))

    async def respond(self, exchange: _core.Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request for a cached route."""
        try:
            request = Request(scope, receive)
            bypass, custom = await self._consult(exchange, request)
            if bypass is None:
                bypass = exchange.begin(custom)
            if bypass is None:
                first = exchange.ask_first()
                if first is not None:
                    await first
                await self._look_up(exchange)
                answer = exchange.decide(send)
                while answer is None and (waiting := exchange.wait()) is not None:
                    await waiting
                    bypass = exchange.begin(custom)
                    await self._look_up(exchange)
                    answer = exchange.decide(send)
                if answer is not None:
                    if exchange.refreshes:
                        refresh(self._ask(exchange, None, request, nothing_to_receive(), discard))
                    await answer
                    return
            await self._ask(exchange, bypass, request, receive, send)
        finally:
            # Whoever waits for this one and was not told otherwise goes on.
            exchange.leave()

    async def _ask(
        self, exchange: _core.Exchange, bypass: str | None, request: Request, receive: Receive, send: Send
    ) -> None:
        """Call the application, and keep its answer if it may be kept."""
        hand_out = self._in_storage or "is_cachable_response" in self._hooks
        recorder = exchange.record(bypass, hand_out)
        receive = watch(receive, recorder)
        sender: Send = exchange.dropping(send) if exchange.drops else send

        async def record(message: Message) -> None:
            messages, whole = recorder.observe(message)
            if whole is not None and not _is_cancelled():
                recorder.kept(await self._keep(exchange, whole, request))
            for outgoing in messages:
                await sender(outgoing)

        try:
            if exchange.drops:
                await self.drop_after(exchange.scope, receive, sender, exchange.route, exchange.parameters, record)
            else:
                await self._app(exchange.scope, receive, record)
        except Exception as error:
            instead = recorder.stand_in()
            if instead is None:
                recorder.failed(error)
                await _release(recorder, sender)
                raise
            logger.exception("the application failed; a stale answer was sent instead")
            for outgoing in instead:
                await sender(outgoing)
        else:
            whole = recorder.complete()
            if whole is not None:
                recorder.kept(await self._keep(exchange, whole, request))
            await _release(recorder, sender)
        finally:
            recorder.over()

    async def drop_after(
        self,
        scope: Scope,
        receive: Receive,
        dropping: Any,
        route: int,
        parameters: list[tuple[str, str]],
        send: Send | None = None,
    ) -> None:
        """Call the application; `dropping` drops when it answers, and once more when the call has ended."""
        sender: Send = dropping if send is None else send
        if not self._drops_in_storage:
            try:
                await self._app(scope, receive, sender)
            finally:
                await settled(dropping.finish())
            return
        applying: list[Any] = []
        configs = self._records[route].drops
        sets_then = self._sets

        async def drop_first(message: Message) -> None:
            nonlocal sets_then
            status = _status_of(message)
            if status is not None and not applying:
                applying.extend(config.filled(dict(parameters)) for config in configs if _drops_on(config, status))
                sets_then = self._sets
                await self._drop_in_storage(applying)
            await sender(message)

        try:
            await self._app(scope, receive, drop_first)
        finally:
            await settled(dropping.finish())
            # What was kept in between is dead by its generation; this is for storages that outlive the process.
            if self._sets != sets_then or "invalidate_cache" in self._hooks:
                await self._drop_in_storage(applying)

    async def _drop_in_storage(self, configs: list[Any]) -> None:
        for config in configs:
            try:
                if "invalidate_cache" in self._hooks:
                    await self._controller.invalidate_cache(config, self._storage)
                else:
                    for pattern in config.patterns():
                        await self._storage.delete(pattern)
            except Exception:
                # What the storage kept is still dead by its generation in this process.
                logger.warning("a drop in %s failed", type(self._storage).__name__, exc_info=True)

    async def _consult(self, exchange: _core.Exchange, request: Request) -> tuple[str | None, str | None]:
        """What the hooks before the lookup say: a reason to keep out of it, and the author's own key."""
        try:
            if "is_cachable_request" in self._hooks and not await self._controller.is_cachable_request(request):
                return "hook", None
            if "generate_cache_key" in self._hooks:
                config = self._records[exchange.route].cache
                return None, _encodable(await call_generate_cache_key(self._controller, request, config))
            if exchange.key_func is not None:
                key = exchange.key_func(request)
                if inspect.isawaitable(key):
                    key = await key
                if not isinstance(key, str):
                    raise TypeError(f"key_func must return a str, not {type(key).__name__}")
                return None, _encodable(key)
        except Exception:
            logger.warning("a hook before the lookup raised; the request bypasses the cache", exc_info=True)
            return "hook-failed", None
        return None, None

    async def _look_up(self, exchange: _core.Exchange) -> None:
        if not self._in_storage:
            exchange.look_up()
            return
        key = exchange.storage_key
        if key is None:
            return
        watched = _Watched(self._storage)
        try:
            if "get_cached_response" in self._hooks:
                response = await self._controller.get_cached_response(key, watched)
                if response is None:
                    return
                if watched.found is None or watched.found[0] is not response:
                    exchange.trust(response.status_code, response.raw_headers, _body_of(response))
                    return
            else:
                await watched.get(key)
            if watched.found is not None:
                response, _, metadata = watched.found
                kept = metadata.get("fast_cache")
                if isinstance(kept, dict):
                    exchange.restore(response.status_code, response.raw_headers, _body_of(response), kept)
        except (NotFoundStorageError, TTLExpiredStorageError):
            return
        except Exception:
            logger.warning("%s failed to look up; this is a miss", type(self._storage).__name__, exc_info=True)

    async def _keep(self, exchange: _core.Exchange, whole: _core.Answer, request: Request) -> bool:
        """Keep a whole answer; whether it was kept."""
        try:
            response = Response(whole.body, whole.status)
            response.raw_headers = list(whole.headers)
            if "is_cachable_response" in self._hooks and not await self._controller.is_cachable_response(response):
                return False
            if not self._in_storage:
                return whole.commit(request.scope["headers"])
            bare = request_without_credentials(request, exchange.secret_headers, exchange.secret_query)
            metadata = {"ttl": whole.lifetime, "fast_cache": whole.metadata()}
            storage = _Watched(self._storage, metadata)
            if "cache_response" in self._hooks:
                await self._controller.cache_response(whole.storage_key, bare, response, storage, whole.lifetime)
            else:
                await storage.set(whole.storage_key, response, bare, {})
            whole.kept()
        except Exception:
            logger.warning("%s failed to keep a response", type(self._storage).__name__, exc_info=True)
            return False
        else:
            return True
        finally:
            self._sets += 1


def watch(receive: Receive, recorder: _core.RecordingSend | _core.ExchangeRecorder) -> Receive:
    """A `receive` that tells the recorder what the application learns by it."""

    async def watched() -> Message:
        message = await receive()
        recorder.received(message)
        return message

    return watched


class _Watched(BaseStorage):
    """A storage during one exchange: what it is given carries our metadata, and what it gave back is remembered."""

    def __init__(self, inner: BaseStorage, metadata: Mapping[str, Any] | None = None) -> None:
        self._inner = inner
        self._metadata = metadata or {}
        self.found: Stored | None = None

    async def set(self, key: str, response: Response, request: Request, metadata: Mapping[str, Any]) -> None:
        await self._inner.set(key, response, request, {**self._metadata, **metadata})

    async def get(self, key: str) -> Stored | None:
        self.found = await self._inner.get(key)
        return self.found

    async def delete(self, path: re.Pattern[str]) -> None:
        await self._inner.delete(path)

    async def close(self) -> None:
        await self._inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _encodable(key: str) -> str:
    """`key`, which clients may have put a half of a surrogate pair into: `UnicodeEncodeError` where they have."""
    key.encode()
    return key


def _is_cancelled() -> bool:
    """Whether this call is being cancelled: an application may then end its answer early, as if it were whole."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return task is not None and task.cancelling() > 0


async def _release(recorder: _core.ExchangeRecorder, send: Send) -> None:
    """Send the start message that is still held back: the application ended, or raised, without a body for it."""
    held = recorder.release()
    if held is not None:
        await send(held)


def _status_of(message: Any) -> int | None:
    """The status of a message that starts a response."""
    if not isinstance(message, Mapping) or message.get("type") != "http.response.start":
        return None
    status = message.get("status")
    return status if isinstance(status, int) else None


def _drops_on(config: Any, status: int) -> bool:
    try:
        return bool(config.drops_on(status))
    except Exception:
        return True


def _body_of(response: Response) -> bytes:
    body = response.body
    return body if isinstance(body, bytes) else bytes(body)
