"""Structured logs: one JSON object a line, on standard error, written by a thread of their own."""

import logging
from datetime import UTC, datetime
from typing import Any

import orjson

LOGGER = logging.getLogger("ranker.serving")


class JsonFormatter(logging.Formatter):
    """Time, level, event and whatever fields the event carries."""

    def format(self, record: logging.LogRecord) -> str:
        """One line of JSON."""
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
    """Log what happened, with its fields, and with the traceback of the error that is being handled."""
    LOGGER.log(level, text, extra={"fields": fields}, exc_info=traceback)


class Problems:
    """Problems that last, by name: each is logged once, until it is over or becomes another."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def note(self, name: str, text: str) -> bool:
        """Note a problem; return whether it is to be logged."""
        new = self._texts.get(name) != text
        self._texts[name] = text
        return new

    def end(self, name: str) -> bool:
        """Say that there is no problem; return whether there was one."""
        return self._texts.pop(name, None) is not None

    def __contains__(self, name: str) -> bool:
        return name in self._texts


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
"""What ``logging.config`` takes; every worker is given it."""
