"""A headless Chromium, without which these tests fail: a page that was never opened is not tested."""

import shutil
import subprocess
from pathlib import Path

OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--virtual-time-budget=10000"),
)


def browser() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert found, "no Chromium on PATH: install Debian's package `chromium`"
    return found


def dom(page: str, folder: Path) -> str:
    """The document once its scripts have run."""
    file = folder / "page.html"
    file.write_text(page, encoding="utf-8")
    command = [browser(), *OPTIONS, f"--user-data-dir={folder / 'profile'}", "--dump-dom", file.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
