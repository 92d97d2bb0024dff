"""The coroutine of an answer from the cache."""

from starlette.types import Message, Send


async def send_both(send: Send, start: Message, body: Message) -> None:
    """Send two messages.

    The core makes them and calls this: the interpreter drives a coroutine of its own for less than any other awaitable.
    """
    await send(start)
    await send(body)
