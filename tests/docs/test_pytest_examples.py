"""Examples that are tests themselves: pytest runs them, with the plugin it finds, and they pass."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def test_examples_with_fixtures_pass(tmp_path: Path) -> None:
    helpers = BLOCK.findall((ROOT / "docs" / "README.md").read_text())[0]
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    blocks = [block for page in pages for block in BLOCK.findall(page.read_text()) if "def test_" in block]
    assert blocks
    for number, block in enumerate(blocks):
        (tmp_path / f"test_{number}.py").write_text(f"{helpers}\n\n{block}")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{sum(block.count('def test_') for block in blocks)} passed" in done.stdout
