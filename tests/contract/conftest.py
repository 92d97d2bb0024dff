"""The contract for FastAPI; what Starlette alone can do is in `tests/without_fastapi`."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("fastapi") else ["test_*.py"]
