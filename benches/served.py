"""The applications that the servers run: `app` is the one that BENCH_SUBJECT names, `floor` or `hit`."""

import os

import apps

TARGET = apps.path(apps.ROUTES // 2)

app = apps.with_cache(apps.fastapi())
if os.environ.get("BENCH_SUBJECT") == "floor":
    app = apps.with_floor(apps.fastapi(), apps.hit_messages(app, TARGET))
