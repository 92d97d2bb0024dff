"""Measuring: rounds that take turns, medians, and verdicts."""

import gc
import statistics
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Work = Callable[[], float]
"""One round of a subject: does its work and returns seconds per operation."""


@dataclass(frozen=True)
class Times:
    """Seconds per operation of several subjects, round by round."""

    rounds: Mapping[str, Sequence[float]]

    def median(self, subject: str) -> float:
        return statistics.median(self.rounds[subject])

    def best(self, subject: str) -> float:
        return min(self.rounds[subject])

    def ratio(self, subject: str, floor: str) -> float:
        """The median of the ratios within a round, so that what slows a whole round down cancels out."""
        return statistics.median(mine / its for mine, its in zip(self.rounds[subject], self.rounds[floor], strict=True))

    def difference(self, subject: str, floor: str) -> float:
        """The median of the differences within a round, in seconds."""
        return statistics.median(mine - its for mine, its in zip(self.rounds[subject], self.rounds[floor], strict=True))


@dataclass(frozen=True)
class Verdict:
    """One line of the final table. `measured` is None where it could not be measured; `note` says why."""

    name: str
    target: str
    measured: str | None
    passed: bool | None
    note: str = ""


@dataclass
class Report:
    """What one benchmark found."""

    title: str
    lines: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    def say(self, line: str) -> None:
        self.lines.append(line)

    def times(self, times: Times, floor: str | None = None) -> None:
        """A line per subject: median, best, and the paired ratio to the floor."""
        for subject in times.rounds:
            beside = "" if floor is None else f"   {times.ratio(subject, floor):6.3f} x floor"
            median, best = micros(times.median(subject)), micros(times.best(subject))
            self.say(f"{subject:<44} {median:>11} median {best:>11} best{beside}")

    def at_most(self, name: str, measured: float, limit: float, unit: str = "", *, digits: int = 3) -> None:
        """`measured` must not be above `limit`."""
        self._judge(name, "<=", measured, limit, measured <= limit, unit, digits)

    def at_least(self, name: str, measured: float, limit: float, unit: str = "", *, digits: int = 3) -> None:
        """`measured` must not be below `limit`."""
        self._judge(name, ">=", measured, limit, measured >= limit, unit, digits)

    def skipped(self, name: str, target: str, why: str) -> None:
        self.verdicts.append(Verdict(name, target, None, None, why))

    def _judge(self, name: str, sign: str, measured: float, limit: float, passed: bool, unit: str, digits: int) -> None:
        def shown(value: float) -> str:
            return f"{value:,.{digits}f}{unit and ' ' + unit}"

        self.verdicts.append(Verdict(name, f"{sign} {shown(limit)}", shown(measured), passed))


@dataclass(frozen=True)
class Effort:
    """How much work a benchmark does."""

    rounds: int
    operations: int
    smoke: bool = False
    """Only show that it runs; the numbers mean nothing."""

    def scaled(self, factor: float, *, rounds: float = 1.0) -> "Effort":
        """More or fewer operations per round, and rounds; never fewer than a handful."""
        return Effort(max(2, round(self.rounds * rounds)), max(3, round(self.operations * factor)), self.smoke)


def interleaved(subjects: Mapping[str, Work], effort: Effort) -> Times:
    """Run every subject once per round, in turning order, without garbage collection inside a round."""
    names = list(subjects)
    taken: dict[str, list[float]] = {name: [] for name in names}
    for work in subjects.values():
        work()
    enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    try:
        for number in range(effort.rounds):
            start = number % len(names)
            for name in (names[start:] + names[:start])[:: 1 if number // len(names) % 2 else -1]:
                gc.collect()
                gc.disable()
                taken[name].append(subjects[name]())
                gc.enable()
    finally:
        gc.unfreeze()
        (gc.enable if enabled else gc.disable)()
    return Times(taken)


def complete(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive a coroutine that never suspends; there is no event loop to account for."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value
    coroutine.close()
    raise RuntimeError("the measured code suspended")


def micros(seconds: float) -> str:
    return f"{seconds * 1e6:,.3f} µs"
