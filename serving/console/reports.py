"""The newest report of an experiment that ``ranker-train experiment`` has written as JSON."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from serving.console.report_content import Report
from serving.protocol.errors import cut

LARGEST = 8 * 2**20
"""Largest report in bytes."""
REASON = 500
"""Most characters of the reason why a report cannot be shown."""


def newest(source: Path | None) -> dict[str, Any] | None:
    """The newest report's ``file``, ``time`` and ``content``, or the ``reason`` for which it cannot be shown.

    ``source`` is a report or a folder of ``*.json``. ``None`` without a source; an empty folder gives a reason.
    """
    if source is None:
        return None
    try:
        # A pipe would block, and a folder is no report.
        files = [file for file in source.glob("*.json") if file.is_file()] if source.is_dir() else [source]
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
        content = Report.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        if first["type"] == "json_invalid":
            return {**found, "reason": f"{file.name}: is not valid JSON"}
        where = ".".join(map(str, first["loc"]))
        told = f"{where}: {first['msg']}" if where else first["msg"]
        return {
            **found,
            "reason": cut(f"{file.name}: is not a report of ranker-train experiment --json: {told}", REASON),
        }
    return {**found, "content": content.model_dump(mode="json")}
