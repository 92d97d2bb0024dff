"""Hits per second behind real servers, one worker each, beside the floor behind the same server."""

import contextlib
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from load import Client
from measure import Effort, Report
from served import TARGET

SERVERS = ("uvicorn", "granian")
SUBJECTS = ("floor", "hit")
LIMIT = 0.93
ROUNDS = 8
SECONDS = 2.0
HERE = Path(__file__).parent


def run(effort: Effort) -> Report:
    report = Report("Hits per second behind a server (loopback, 1 worker, keep-alive, 16 connections)")
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    report.say(
        f"client: benches/load.py; server on core {cores[0]}, client on core {cores[1]}"
        if len(cores) > 1
        else "client: benches/load.py; server and client share what cores there are"
    )
    for server in SERVERS:
        name = f"{server}, hits / floor, requests per second"
        if importlib.util.find_spec(server) is None:
            report.skipped(name, f">= {LIMIT}", f"{server} is not installed")
            continue
        with contextlib.ExitStack() as stack:
            served = [stack.enter_context(_served(server, subject, cores)) for subject in SUBJECTS]
            rates, busy = _rates(served, cores, 2 if effort.smoke else ROUNDS, 0.2 if effort.smoke else SECONDS)
        for subject, taken, shares in zip(SUBJECTS, rates, busy, strict=True):
            report.say(
                f"{server:<8} {subject:<6} {statistics.median(taken):>9,.0f} requests/s median {max(taken):>9,.0f} best"
                f"   server busy {statistics.median(shares):.0%} of the time"
            )
        floor, hit = rates
        ratio = statistics.median(mine / its for mine, its in zip(hit, floor, strict=True))
        if all(map(all, busy)):
            efficiency = (
                (mine / my_share) / (its / its_share)
                for mine, my_share, its, its_share in zip(hit, busy[1], floor, busy[0], strict=True)
            )
            each = statistics.median(efficiency)
            report.say(f"{server:<8} hits / floor: {ratio:.3f} per second, {each:.3f} per second of processor time")
        report.at_least(name, ratio, LIMIT)
    return report


def _rates(
    served: list[tuple[int, int]], cores: list[int], rounds: int, seconds: float
) -> tuple[list[list[float]], list[list[float]]]:
    """Requests per second of every subject, round by round, and the share of it in which its server was busy."""
    ports = [str(port) for port, _ in served]
    command = [*_on(cores, 1), sys.executable, str(HERE / "load.py"), TARGET, *ports]
    rates: list[list[float]] = [[] for _ in served]
    busy: list[list[float]] = [[] for _ in served]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdin is not None and client.stdout is not None
        for index in range(len(served)):
            _ask(client.stdin, client.stdout, index, seconds / 2)
        for number in range(rounds):
            order = range(len(served)) if number % 2 == 0 else reversed(range(len(served)))
            for index in order:
                before, began = _cpu(served[index][1]), time.monotonic()
                rates[index].append(_ask(client.stdin, client.stdout, index, seconds))
                busy[index].append((_cpu(served[index][1]) - before) / (time.monotonic() - began))
        client.stdin.close()
    return rates, busy


def _ask(commands: IO[str], answers: IO[str], index: int, seconds: float) -> float:
    commands.write(f"{index} {seconds}\n")
    commands.flush()
    line = answers.readline()
    if not line:
        raise RuntimeError("the load client failed")
    return float(line.split()[0])


@contextlib.contextmanager
def _served(server: str, subject: str, cores: list[int]) -> Iterator[tuple[int, int]]:
    """A server with one worker; its port and process id."""
    port = _free_port()
    if server == "uvicorn":
        more = ["--no-access-log", "--log-level", "warning", "--lifespan", "off"]
        arguments = ["uvicorn", "served:app", "--host", "127.0.0.1", "--port", str(port), *more]
    else:
        more = ["--interface", "asginl", "--workers", "1", "--no-ws", "--log-level", "warning"]
        arguments = ["granian", "served:app", "--host", "127.0.0.1", "--port", str(port), *more]
    command = [*_on(cores, 0), sys.executable, "-m", *arguments]
    environment = {**os.environ, "BENCH_SUBJECT": subject}
    process = subprocess.Popen(command, cwd=HERE, env=environment)
    try:
        _wait_for(port, process)
        client = Client(port, TARGET, 1)
        client.answer()
        if b"x-cache-status: hit" not in client.answer().lower():
            raise RuntimeError(f"{server} does not serve hits")
        client.close()
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _on(cores: list[int], place: int) -> list[str]:
    """The server on the first core, the client on the second, where there are two."""
    if len(cores) < 2 or shutil.which("taskset") is None:
        return []
    return ["taskset", "-c", str(cores[place])]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with code {process.returncode}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise RuntimeError("the server did not start")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _cpu(pid: int) -> float:
    """Seconds of processor time of a process and its children so far; 0 where the system does not tell."""
    total = 0.0
    for one in (pid, *_children(pid)):
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
