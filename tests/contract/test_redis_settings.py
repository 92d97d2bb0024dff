"""`RedisStorage`: what it refuses, and the settings that it takes over from a client."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from fast_cache_middleware import RedisStorage, StorageError
from fast_cache_middleware.storages.redis_settings import settings_of


@pytest.mark.parametrize(
    "settings,field",
    [
        ({"local": 0}, "local"),
        ({"timeout": 0}, "timeout"),
        ({"ttl": timedelta(0)}, "ttl"),
        ({"coherence": "maybe"}, "coherence"),
        ({"namespace": ""}, "namespace"),
        ({"secret": b"short"}, "secret"),
        ({"compress_from": -1}, "compress_from"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any], field: str) -> None:
    with pytest.raises(StorageError, match=rf"RedisStorage\.{field} must be"):
        RedisStorage("redis://127.0.0.1", **settings)


@pytest.mark.parametrize("redis", ["http://127.0.0.1", "127.0.0.1:6379", 5, None, object(), "redis://host:port"])
def test_what_names_no_redis_is_refused(redis: Any) -> None:
    with pytest.raises(StorageError, match="RedisStorage"):
        RedisStorage(redis)


def client(**settings: Any) -> Any:
    """A client as far as its settings go."""
    name = settings.pop("connection_class", "Connection")
    pool = SimpleNamespace(connection_kwargs=settings, connection_class=SimpleNamespace(__name__=name))
    return SimpleNamespace(connection_pool=pool)


def test_the_settings_of_a_client_are_taken_over() -> None:
    plain = settings_of(client(host="h", port=7, db=3, username="u", password=b"p"))
    assert plain["nodes"] == [("h", 7)]
    assert (plain["username"], plain["password"], plain["database"], plain["tls"]) == ("u", "p", 3, None)
    assert settings_of(client(path="/run/redis.sock"))["nodes"] == ["/run/redis.sock"]
    encrypted = settings_of(client(connection_class="SSLConnection", ssl_ca_data="PEM"))
    assert encrypted["tls"] == {"roots": b"PEM", "identity": None}
    with pytest.raises(StorageError, match="verifies certificates"):
        settings_of(client(connection_class="SSLConnection", ssl_cert_reqs="none"))
    with pytest.raises(StorageError, match="credential_provider"):
        settings_of(client(credential_provider=object()))
    nodes = {"a": SimpleNamespace(host="a", port=1), "b": SimpleNamespace(host="b", port="2")}
    cluster = SimpleNamespace(nodes_manager=SimpleNamespace(startup_nodes=nodes), connection_kwargs={"password": "p"})
    assert settings_of(cluster)["nodes"] == [("a", 1), ("b", 2)]
    assert settings_of(cluster)["kind"] == "cluster"
    manager = SimpleNamespace(sentinels=[client(host="s", port=26379)])
    watched = client(password="p")
    watched.connection_pool.sentinel_manager = manager
    watched.connection_pool.service_name = "main"
    found = settings_of(watched)
    assert (found["kind"], found["master"], found["nodes"]) == ("sentinel", "main", [("s", 26379)])
