"""Structured logs: one JSON object per line on standard error, written by a separate thread."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

LOGGER = logging.getLogger("ranker.serving")


class JsonFormatter(logging.Formatter):
    """Formats time, level, event and the event's fields as JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
            "pid": record.process,
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(line, default=str).decode()


def event(level: int, text: str, traceback: bool = False, **fields: Any) -> None:
    """Log an event with its fields and, if ``traceback``, the traceback of the error being handled."""
    LOGGER.log(level, text, extra={"fields": fields}, exc_info=traceback)


class Problems:
    """Ongoing problems by name. Each is logged once, and again only after it ended or its text changed."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def note(self, name: str, text: str) -> bool:
        """Record a problem; return whether to log it."""
        new = self._texts.get(name) != text
        self._texts[name] = text
        return new

    def end(self, name: str) -> bool:
        """Clear a problem; return whether there was one."""
        return self._texts.pop(name, None) is not None

    def __contains__(self, name: str) -> bool:
        return name in self._texts

    def text(self, name: str) -> str | None:
        """The text of a problem; ``None`` if there is none of the name."""
        return self._texts.get(name)


CONFIG: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "serving.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "serving.observability.log_queue.QueuedHandler", "formatter": "json"}},
    "loggers": {
        "ranker": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "uvicorn": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
    },
}
"""Configuration for ``logging.config``, used by every worker."""
