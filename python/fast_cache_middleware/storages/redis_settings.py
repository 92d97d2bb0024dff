"""Connection settings, from a URL or from a client of the `redis` package, which is not imported for it."""

from pathlib import Path
from typing import Any, Final

from fast_cache_middleware.exceptions import StorageError

SCHEMES: Final = (
    *(f"{scheme}{kind}://" for scheme in ("redis", "rediss") for kind in ("", "+sentinel", "+cluster")),
    "unix://",
)


def settings_of(redis: Any) -> dict[str, Any]:
    """Where and how to connect, as plain values; `StorageError` where that cannot be told."""
    if isinstance(redis, str):
        if not redis.startswith(SCHEMES):
            raise StorageError(f"RedisStorage: a URL begins with one of {', '.join(SCHEMES)}")
        return {"url": redis}
    nodes_manager = getattr(redis, "nodes_manager", None)
    if nodes_manager is not None:
        return _of_cluster(redis, nodes_manager)
    pool = getattr(redis, "connection_pool", None)
    settings = getattr(pool, "connection_kwargs", None)
    if pool is None or not isinstance(settings, dict):
        raise StorageError(f"RedisStorage takes a URL or a client of the redis package, not {type(redis).__name__}")
    manager = getattr(pool, "sentinel_manager", None)
    if manager is not None:
        return _of_sentinel(pool, manager, settings)
    node = str(settings["path"]) if settings.get("path") else (_host(settings), _port(settings))
    is_tls = "ssl" in type(pool).__name__.lower() or _is_tls(getattr(pool, "connection_class", None), settings)
    return {"kind": "single", "nodes": [node], **_credentials(settings), "tls": _tls(settings) if is_tls else None}


def _of_cluster(redis: Any, manager: Any) -> dict[str, Any]:
    settings = dict(getattr(redis, "connection_kwargs", None) or getattr(manager, "connection_kwargs", None) or {})
    nodes = [(node.host, int(node.port)) for node in manager.startup_nodes.values()]
    is_tls = _is_tls(settings.get("connection_class"), settings)
    return {
        "kind": "cluster",
        "nodes": nodes,
        **_credentials(settings),
        "database": 0,
        "tls": _tls(settings) if is_tls else None,
    }


def _of_sentinel(pool: Any, manager: Any, settings: dict[str, Any]) -> dict[str, Any]:
    sentinels = [client.connection_pool.connection_kwargs for client in manager.sentinels]
    first = sentinels[0] if sentinels else {}
    is_tls = _is_tls(getattr(pool, "connection_class", None), settings)
    return {
        "kind": "sentinel",
        "nodes": [(_host(sentinel), _port(sentinel)) for sentinel in sentinels],
        "master": str(pool.service_name),
        "sentinel_username": _text(first.get("username")),
        "sentinel_password": _text(first.get("password")),
        **_credentials(settings),
        "tls": _tls(settings) if is_tls else None,
    }


def _credentials(settings: dict[str, Any]) -> dict[str, Any]:
    if settings.get("credential_provider") is not None:
        raise StorageError("RedisStorage cannot take over a credential_provider; give username and password in a URL")
    return {
        "username": _text(settings.get("username")),
        "password": _text(settings.get("password")),
        "database": int(settings.get("db") or 0),
    }


def _is_tls(connection_class: Any, settings: dict[str, Any]) -> bool:
    return "SSL" in getattr(connection_class, "__name__", "") or bool(settings.get("ssl"))


def _tls(settings: dict[str, Any]) -> dict[str, Any]:
    """Certificates as PEM. They are always verified."""
    if str(settings.get("ssl_cert_reqs", "required")).lower() not in ("required", "verifymode.cert_required", "2"):
        raise StorageError("RedisStorage always verifies certificates: give ssl_ca_certs instead of ssl_cert_reqs")
    roots: bytes | None = None
    if settings.get("ssl_ca_data"):
        data = settings["ssl_ca_data"]
        roots = data.encode() if isinstance(data, str) else bytes(data)
    elif settings.get("ssl_ca_certs"):
        roots = _file(settings["ssl_ca_certs"])
    identity = None
    if settings.get("ssl_certfile"):
        identity = (_file(settings["ssl_certfile"]), _file(settings.get("ssl_keyfile") or settings["ssl_certfile"]))
    return {"roots": roots, "identity": identity}


def _file(path: Any) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise StorageError(f"RedisStorage: {path} cannot be read ({error.strerror})") from None


def _host(settings: dict[str, Any]) -> str:
    return str(settings.get("host") or "localhost")


def _port(settings: dict[str, Any]) -> int:
    return int(settings.get("port") or 6379)


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return value.decode() if isinstance(value, bytes) else str(value)
