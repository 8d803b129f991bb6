"""The newest report of an experiment that ``ranker-train experiment`` has written as JSON."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

LARGEST = 8 * 2**20
"""Largest report in bytes."""
KEPT = (
    *("experiment", "state", "why", "control", "first", "last", "method", "level", "correction", "groups"),
    *("comparisons", "guardrails", "notes"),
)
"""Parts of a report that are shown; the differences day by day are on its own page."""


def newest(source: Path | None) -> dict[str, Any] | None:
    """The newest report's ``file``, ``time`` and ``content``, or the ``reason`` for which it cannot be shown.

    ``source`` is a report or a folder of ``*.json``. ``None`` without a source; an empty folder gives a reason.
    """
    if source is None:
        return None
    try:
        files = list(source.glob("*.json")) if source.is_dir() else [source]
        if not files:
            return {"reason": f"{source.name}: holds no *.json"}
        time, file = max((file.stat().st_mtime, file) for file in files)
        with file.open("rb") as stream:
            text = stream.read(LARGEST + 1)
    except OSError as error:
        return {"reason": f"{source.name}: cannot be read: {error.strerror or error}"}
    found = {"file": file.name, "time": datetime.fromtimestamp(time, UTC).isoformat()}
    if len(text) > LARGEST:
        return {**found, "reason": f"{file.name}: has more than {LARGEST} bytes"}
    try:
        content = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {**found, "reason": f"{file.name}: is not valid JSON"}
    if not isinstance(content, dict) or any(name not in content for name in KEPT):
        return {**found, "reason": f"{file.name}: is not a report of ranker-train experiment --json"}
    return {**found, "content": {name: content[name] for name in KEPT}}
