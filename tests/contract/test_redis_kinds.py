"""`RedisStorage` on the other kinds of Redis, by URL and by the settings of a client of the `redis` package."""

import asyncio
from typing import Any

import pytest
from contract.test_redis_storage import Node, ready, until
from redis_servers import RedisServer

pytestmark = pytest.mark.slow

redis = pytest.importorskip("redis", reason="the matrix has no clients")
kinds = pytest.importorskip("redis_kinds", reason="the matrix makes no certificates")


async def _shared(first: Any, second: Any, namespace: str, **settings: Any) -> None:
    """What one keeps the other finds, and what one drops the other does not."""
    nodes = [Node(redis, namespace, coherence="strict", **settings) for redis in (first, second)]
    one, other = nodes
    try:
        for node in nodes:
            await until(f"it is connected: {node.storage.health}", lambda node=node: ready(node))
        assert await one.outcomes("/x/1", "/x/1") == ["MISS", "HIT"]

        async def finds_it() -> bool:
            return await other.outcomes("/x/1") == ["HIT"]

        await until("the other finds it", finds_it)
        assert (await other.ask("POST", "/x/1")).status == 200
        assert await one.outcomes("/x/1") == ["MISS"]
    finally:
        for node in nodes:
            await node.storage.close()


def test_encrypted() -> None:
    with kinds.EncryptedServer("secret") as server:
        encrypted = {"host": "localhost", "port": server.port, "password": "secret", "ssl": True}
        clients = [
            client(**encrypted, ssl_ca_data=server.authority, decode_responses=decoded)
            for client, decoded in ((redis.Redis, False), (redis.asyncio.Redis, True))
        ]
        asyncio.run(_shared(*clients, "encrypted"))


@pytest.mark.parametrize("distrusted", ["authority", "password"])
def test_whom_it_does_not_trust_or_who_does_not_trust_it_is_a_miss_that_says_why(distrusted: str) -> None:
    async def run(server: Any) -> None:
        trust = {"ssl_ca_data": server.authority} if distrusted == "password" else {}
        password = "wrong" if distrusted == "password" else "secret"
        client = redis.Redis(host="localhost", port=server.port, password=password, ssl=True, **trust)
        node = Node(client, "distrusted")
        try:

            async def has_trouble() -> bool:
                assert [(await node.ask("GET", "/x/1")).status] == [200]
                return node.storage.health["trouble"] is not None

            await until("it says why", has_trouble)
            assert not node.storage.health["up"]
            assert "secret" not in str(node.storage.health)
            assert "wrong" not in str(node.storage.health)
        finally:
            await node.storage.close()

    with kinds.EncryptedServer("secret") as server:
        asyncio.run(run(server))


def test_watched_by_a_sentinel() -> None:
    with RedisServer() as server, kinds.Sentinel(server) as sentinel:
        url = f"redis+sentinel://127.0.0.1:{sentinel.port}/main/0"
        watched = redis.sentinel.Sentinel([("127.0.0.1", sentinel.port)]).master_for("main")
        asyncio.run(_shared(url, watched, "watched"))
        watched = redis.asyncio.sentinel.Sentinel([("127.0.0.1", sentinel.port)]).master_for("main")
        asyncio.run(_shared(watched, url, "watched-asynchronously"))


def test_a_cluster() -> None:
    with kinds.cluster_of_three() as servers:
        url = "redis+cluster://" + ",".join(f"127.0.0.1:{server.port}" for server in servers)
        client = redis.RedisCluster(host="127.0.0.1", port=servers[1].port)
        asyncio.run(_shared(url, client, "cluster"))

        async def asynchronously() -> None:
            client = redis.asyncio.RedisCluster(host="127.0.0.1", port=servers[2].port)
            await _shared(client, url, "cluster-asynchronously")

        asyncio.run(asynchronously())
