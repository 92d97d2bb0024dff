"""A miss that is stored: what it adds to the application with neither config nor middleware, and to one with config."""

from collections.abc import Iterator
from itertools import count

import apps
from measure import Effort, Report, interleaved, micros
from traffic import Scope, expect, requests, scope_for


def run(effort: Effort) -> Report:
    report = Report("A miss that is stored (1 KB, a full store that makes room)")
    plain = apps.fastapi(configs=False, endpoint=apps.prepared_item)
    config = apps.fastapi(endpoint=apps.prepared_item)
    ours = apps.with_cache(apps.fastapi(endpoint=apps.prepared_item))
    number = apps.ROUTES // 2
    expect(plain, apps.path(number), None)
    expect(config, apps.path(number), None)
    for item in range(1, 1500):
        expect(ours, apps.path(number, item), "MISS")
    scopes = _ever_new(number)
    fewer = effort.scaled(0.2, rounds=2)
    subjects = {"no config, no middleware": plain, "config, no middleware": config, "config and middleware": ours}
    times = interleaved({name: requests(app, scopes, fewer.operations) for name, app in subjects.items()}, fewer)
    report.times(times)
    added = times.difference("config and middleware", "no config, no middleware")
    inside = times.difference("config and middleware", "config, no middleware")
    report.say(f"added: {micros(added)} in all, {micros(inside)} by the middleware")
    report.at_most("miss, added to the whole app", added * 1e6, 10.0, "µs")
    report.at_most("miss, in the middleware itself", inside * 1e6, 4.0, "µs")
    return report


def _ever_new(number: int) -> Iterator[Scope]:
    for item in count(1_000_000):
        yield scope_for(apps.path(number, item))
