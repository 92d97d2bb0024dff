"""What `redis.asyncio` does: GET of values of 1 KB, 32 at once.

Usage: python benches/redis_get.py [URL]    (pip install redis)

Beside it stands `cargo run --release -p fast-cache-redis --example measure -- URL`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time

import redis.asyncio

CONCURRENT = 32
LOOKUPS = 50_000
KEYS = 1_000


async def main(url: str) -> None:
    """Fill, look up, print."""
    client = redis.asyncio.Redis.from_url(url)
    names = [f"measure-get:{number}" for number in range(KEYS)]
    for name in names:
        await client.set(name, b"x" * 1_200, px=600_000)
    times: list[float] = []
    numbers = iter(range(LOOKUPS))

    async def look_up() -> None:
        for number in numbers:
            began = time.perf_counter()
            value = await client.get(names[number % KEYS])
            times.append(time.perf_counter() - began)
            assert value is not None

    began = time.perf_counter()
    await asyncio.gather(*(look_up() for _ in range(CONCURRENT)))
    took = time.perf_counter() - began
    p99 = sorted(times)[len(times) * 99 // 100]
    print(f"redis.asyncio GET, {CONCURRENT} at once: {LOOKUPS / took:.0f}/s", end=", ")
    print(f"p50 {statistics.median(times) * 1e6:.0f} µs, p99 {p99 * 1e6:.0f} µs")
    await client.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "redis://127.0.0.1:6379"))
