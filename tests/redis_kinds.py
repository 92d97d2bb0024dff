"""Redis as it is run in earnest: encrypted, watched by a sentinel, and as a cluster."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme
from redis_servers import RedisServer, free_port


class EncryptedServer(RedisServer):
    """A server that speaks TLS alone, with a certificate of an authority of its own, and asks for a password."""

    def __init__(self, password: str) -> None:
        authority = trustme.CA()
        self.authority = authority.cert_pem.bytes().decode()
        self._issued = authority.issue_cert("localhost", "127.0.0.1")
        super().__init__("--requirepass", password)

    def _arguments(self, folder: Path) -> list[str]:
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        self._issued.cert_chain_pems[0].write_to_path(certificate)
        self._issued.private_key_pem.write_to_path(key)
        files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
        # The last of two settings holds.
        return [*super()._arguments(folder), "--port", "0", "--tls-port", str(self.port), *files]


class Sentinel(RedisServer):
    """A sentinel that watches a server as `main`."""

    def __init__(self, watched: RedisServer) -> None:
        self._watched = watched
        super().__init__()

    def _arguments(self, folder: Path) -> list[str]:
        settings = folder / "sentinel.conf"
        settings.write_text(f"sentinel monitor main 127.0.0.1 {self._watched.port} 1\n")
        return [str(settings), "--sentinel", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(folder)]


class Member(RedisServer):
    """A server of a cluster."""

    def __init__(self) -> None:
        # The usual one, 10,000 above the other, may not exist.
        self._bus = free_port()
        super().__init__("--cluster-enabled", "yes", "--cluster-port", str(self._bus))

    def meet(self, other: "Member") -> None:
        """Join the cluster of another one."""
        self.command("CLUSTER", "MEET", "127.0.0.1", str(other.port), str(other._bus))


@contextmanager
def cluster_of_three() -> Iterator[list[Member]]:
    """Three servers that share the slots of a cluster."""
    with ExitStack() as stack:
        servers = [stack.enter_context(Member()) for _ in range(3)]
        for server, first, last in zip(servers, (0, 5461, 10923), (5460, 10922, 16383), strict=True):
            server.command("CLUSTER", "ADDSLOTSRANGE", str(first), str(last))
            server.meet(servers[0])
        for server in servers:
            _until("they know one another", lambda server=server: _is_up(server))
        yield servers


def _is_up(server: RedisServer) -> bool:
    told = server.command("CLUSTER", "INFO")
    return b"cluster_state:ok" in told and b"cluster_known_nodes:3" in told


def _until(what: str, holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < end, f"not true within 20 s: {what}"
        time.sleep(0.01)
