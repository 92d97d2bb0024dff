"""The number of routes: hits and pass-through from 10 to 10,000, and reading 1,000 routes."""

import gc
import shutil
import statistics
from time import perf_counter
from typing import Any

import apps
import instructions
from fastapi import FastAPI
from measure import Effort, Report, interleaved
from traffic import repeated, requests, scope_for

TOLERANCE = 1.15
ANALYSED = 1_000
LIMIT = 10.0


def run(effort: Effort) -> Report:
    report = Report("The number of routes")
    _flat(report, effort)
    _analysis(report, effort)
    return report


def _flat(report: Report, effort: Effort) -> None:
    sizes = (10, 100) if effort.smoke else (10, 1_000, 10_000)
    hits: dict[str, Any] = {}
    passed: dict[str, Any] = {}
    for size in sizes:
        app = apps.fastapi(size)
        cached, uncached = apps.path(size - 2), apps.path(size - 1)
        ours = apps.outside(app)
        apps.hit_messages(ours, cached)
        hits[f"hit, {size:,} routes"] = requests(ours, repeated(cached), effort.operations)
        stopped = apps.outside(apps.Stop(app))
        passed[f"pass-through, {size:,} routes"] = requests(stopped, repeated(uncached), effort.operations)
    for kind, subjects in (("hit", hits), ("pass-through", passed)):
        first, *_, last = subjects
        times = interleaved(subjects, effort)
        report.times(times, first)
        report.at_most(f"{kind}, 10,000 routes / 10", times.ratio(last, first), TOLERANCE)


def _analysis(report: Report, effort: Effort) -> None:
    routes = 20 if effort.smoke else ANALYSED
    _analyse(apps.fastapi(20))
    taken = [_analyse(apps.fastapi(routes)) for _ in range(2 if effort.smoke else 7)]
    report.say(
        f"analysis of {routes:,} routes, half of them cached, ms: "
        + " ".join(f"{seconds * 1e3:.1f}" for seconds in sorted(taken))
    )
    report.at_most("analysis of 1,000 routes", statistics.median(taken) * 1e3, LIMIT, "ms", digits=1)
    if shutil.which("valgrind") is not None and not effort.smoke:
        once, twice = (instructions.callgrind("reading", count) for count in (1, 2))
        report.say(f"instructions of one: {twice - once:,}")


def _analyse(app: FastAPI) -> float:
    middleware = apps.outside(app)
    asked: list[None] = []
    openapi = app.openapi

    def noticed() -> dict[str, Any]:
        asked.append(None)
        return openapi()

    app.openapi = noticed  # type: ignore[method-assign]
    scope = scope_for("/")
    gc.collect()
    gc.disable()
    began = perf_counter()
    middleware.analyse(scope)
    seconds = perf_counter() - began
    gc.enable()
    if asked or app.openapi_schema is not None:
        raise RuntimeError("the analysis made the OpenAPI schema")
    return seconds
