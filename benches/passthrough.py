"""A request for a route without config: against a middleware in pure Python that does nothing, and against none."""

from typing import Any

import apps
from measure import Effort, Report, interleaved
from traffic import expect, repeated, requests

from fast_cache_middleware import FastCacheMiddleware

TARGET = apps.path(apps.ROUTES // 2 + 1)


def run(effort: Effort) -> Report:
    report = Report("A request for a route without config")
    scopes = repeated(TARGET)

    none = apps.Stop(apps.fastapi())
    bare: dict[str, Any] = {"none": none, "do nothing": apps.DoNothing(none), "ours": apps.outside(none)}
    alone = interleaved({name: requests(app, scopes, effort.operations) for name, app in bare.items()}, effort)
    report.say("The middleware alone, around an application that returns at once:")
    report.times(alone)

    whole = {name: apps.fastapi(endpoint=apps.prepared_item) for name in bare}
    whole["do nothing"].add_middleware(apps.DoNothing)
    whole["ours"].add_middleware(FastCacheMiddleware)
    for app in whole.values():
        expect(app, TARGET, None)
    fewer = effort.scaled(0.2)
    together = interleaved({name: requests(app, scopes, fewer.operations) for name, app in whole.items()}, fewer)
    report.say("In FastAPI, by add_middleware, with the whole application behind it:")
    report.times(together, "none")

    ours, nothing = (alone.difference(name, "none") for name in ("ours", "do nothing"))
    report.say(f"added: {ours * 1e6:.3f} µs by ours, {nothing * 1e6:.3f} µs by the one that does nothing")
    report.at_most("pass-through, added / added by a no-op", ours / nothing, 1.0)
    return report
