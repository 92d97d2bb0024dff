"""A hit: against the floor on FastAPI and on Starlette, and whole when wrapped around the application from outside."""

from collections.abc import Callable
from typing import Any

import apps
from measure import Effort, Report, Times, interleaved
from traffic import repeated, requests

TARGET = apps.path(apps.ROUTES // 2)


def run(effort: Effort) -> Report:
    report = Report("A hit (9 header lines, 100 routes, 1 KB of JSON)")
    fastapi = _beside_floor(apps.fastapi, effort)
    report.say("FastAPI, by add_middleware:")
    report.times(fastapi, "floor")
    starlette = _beside_floor(apps.starlette, effort)
    report.say("Starlette, by add_middleware:")
    report.times(starlette, "floor")
    outside = _outside(effort)
    report.say("Wrapped around the application from outside:")
    report.times(outside, "floor")
    report.at_most("hit on FastAPI / floor", fastapi.ratio("hit", "floor"), 1.10)
    report.at_most("hit on Starlette / floor", starlette.ratio("hit", "floor"), 1.30)
    report.at_most("hit from outside, whole", outside.median("hit") * 1e6, 2.0, "µs")
    return report


def _beside_floor(make: Callable[[], Any], effort: Effort) -> Times:
    ours = apps.with_cache(make())
    messages = apps.hit_messages(ours, TARGET)
    subjects = {
        "floor": apps.with_floor(make(), messages),
        "contract alone": apps.with_contract(make(), messages),
        "hit": ours,
    }
    scopes, count = repeated(TARGET), effort.operations
    return interleaved({name: requests(app, scopes, count) for name, app in subjects.items()}, effort)


def _outside(effort: Effort) -> Times:
    ours = apps.outside(apps.fastapi())
    messages = apps.hit_messages(ours, TARGET)
    floor = apps.PreparedAnswer(apps.fastapi(), messages)
    scopes, count = repeated(TARGET), effort.operations
    return interleaved({"floor": requests(floor, scopes, count), "hit": requests(ours, scopes, count)}, effort)
