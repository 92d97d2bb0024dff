"""Requests per second of hits: the tower host beside other crates, the proxy beside nginx and Varnish.

    cargo build --release -p fast-cache-examples && cargo build --release --manifest-path benches/tower/Cargo.toml
    python benches/tower/compare.py handlers
    python benches/tower/compare.py proxies --bytes 200 10240

Every server has the first core, wrk the second; all servers are up, and the load goes round in turns. Besides requests
per second it prints requests per second of the server's processor time, which company on the machine disturbs less.
Needs wrk, and for `proxies` nginx and varnishd.
"""

from __future__ import annotations

import argparse
import os
import re
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import urlopen

FOLDER = Path(__file__).resolve().parent
ROOT = FOLDER.parent.parent
HANDLERS = (
    "floor",
    "bare",
    "fast-cache",
    "axum-response-cache",
    "axum-response-cache-lines",
    "http-cache-tower-server",
)
PATH = "/users/7"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Subject:
    """A server that answers hits."""

    name: str
    port: int
    pid: int
    rates: list[float] = field(default_factory=list)
    per_processor_second: list[float] = field(default_factory=list)

    def load(self, seconds: float) -> None:
        before = processor_seconds(self.pid)
        url = f"http://127.0.0.1:{self.port}{PATH}"
        command = ["taskset", "-c", "1", "wrk", "-t1", "-c16", f"-d{seconds:g}s", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        used = processor_seconds(self.pid) - before
        requests = re.search(r"(\d+) requests in ([\d.]+)s", said)
        rate = re.search(r"Requests/sec: +([\d.]+)", said)
        if requests is None or rate is None or "Non-2xx" in said or "Socket errors" in said:
            raise RuntimeError(f"{self.name}: {said}")
        self.rates.append(float(rate[1]))
        self.per_processor_second.append(int(requests[1]) / used)


def processor_seconds(pid: int) -> float:
    """What a process and its descendants have used of the processor, in seconds."""
    parents: dict[int, int] = {}
    used: dict[int, float] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(") ")[2].split()
        except OSError:
            continue
        parents[int(stat.parent.name)] = int(fields[1])
        used[int(stat.parent.name)] = (int(fields[11]) + int(fields[12])) / TICKS

    def belongs(one: int) -> bool:
        while one != pid and one in parents:
            one = parents[one]
        return one == pid

    return sum(seconds for one, seconds in used.items() if belongs(one))


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def served(name: str, port: int, command: list[str]) -> Iterator[Subject]:
    """A server on the first core, which answers by then, twice: the second answer may be a hit."""
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                with socket.create_connection(("127.0.0.1", port)):
                    break
            except OSError:
                time.sleep(0.05)
        for _ in range(2):
            with urlopen(f"http://127.0.0.1:{port}{PATH}") as answer:
                answer.read()
        yield Subject(name, port, process.pid)
    finally:
        process.terminate()
        process.wait()


def handler_command(binary: Path, subject: str, port: int, size: int) -> list[str]:
    return [str(binary), "serve", subject, f"127.0.0.1:{port}", str(size)]


def proxy_command(name: str, binary: Path, port: int, origin: int, folder: Path) -> list[str]:
    """A caching proxy, tuned for one core as its manual says."""
    if name == "reverse_proxy":
        return [str(binary), "--origin", f"http://127.0.0.1:{origin}", "--listen", f"127.0.0.1:{port}"]
    if name == "varnish":
        work = ["-n", str(folder / "varnish"), "-s", "malloc,256m", "-p", "thread_pools=1", "-p", "thread_pool_min=100"]
        return ["varnishd", "-F", "-a", f"127.0.0.1:{port}", "-b", f"127.0.0.1:{origin}", *work]
    text = (FOLDER / "nginx.conf").read_text()
    for word, value in {"PORT": port, "ORIGIN": origin, "FOLDER": folder}.items():
        text = text.replace(f"@{word}@", str(value))
    (folder / "nginx.conf").write_text(text)
    return ["nginx", "-c", str(folder / "nginx.conf"), "-p", str(folder)]


def report(subjects: list[Subject]) -> None:
    reference = subjects[0]
    print(f"{'':26}{'req/s':>9}{'ratio':>8}{'req/cpu-s':>12}{'ratio':>8}")
    for subject in subjects:
        ratios = [
            statistics.median(own / other for own, other in zip(mine, theirs, strict=True))
            for mine, theirs in (
                (subject.rates, reference.rates),
                (subject.per_processor_second, reference.per_processor_second),
            )
        ]
        rate, each = statistics.median(subject.rates), statistics.median(subject.per_processor_second)
        print(f"{subject.name:26}{rate:9.0f}{ratios[0]:8.2f}{each:12.0f}{ratios[1]:8.2f}", flush=True)


def compare(subjects: list[Subject], rounds: int, seconds: float) -> None:
    for round_number in range(rounds):
        for turn in range(len(subjects)):
            subjects[(round_number + turn) % len(subjects)].load(seconds)
    report(subjects)


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare servers.")
    parser.add_argument("what", choices=["handlers", "proxies"])
    parser.add_argument("--bytes", type=int, nargs="+", default=[200], metavar="N", help="sizes of the answer")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=2, help="of load, for each server and round")
    parser.add_argument("--binary", type=Path, default=FOLDER / "target/release/fast-cache-tower-bench")
    parser.add_argument("--proxy", type=Path, default=ROOT / "target/release/reverse_proxy")
    options = parser.parse_args()
    for size in options.bytes:
        print(f"\n{options.what}, {size} bytes, {options.rounds} rounds of {options.seconds:g} s")
        with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            # nginx gives up its rights before it writes there.
            os.chmod(folder, 0o755)

            def start(name: str, port: int, command: list[str], stack: ExitStack = stack) -> Subject:
                return stack.enter_context(served(name, port, command))

            if options.what == "handlers":
                ports = {name: free_port() for name in HANDLERS}
                commands = {name: handler_command(options.binary, name, ports[name], size) for name in HANDLERS}
            else:
                origin = free_port()
                start("origin", origin, handler_command(options.binary, "bare", origin, size))
                ports = {name: free_port() for name in ("reverse_proxy", "nginx", "varnish")}
                commands = {
                    name: proxy_command(name, options.proxy, port, origin, Path(folder)) for name, port in ports.items()
                }
            compare([start(name, ports[name], commands[name]) for name in ports], options.rounds, options.seconds)


if __name__ == "__main__":
    main()
