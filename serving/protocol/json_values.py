"""Converts single JSON values to values of the log: ``true`` to 1, 1001.0 to 1001, ISO 8601 text to a time.

Each function returns other values unchanged for the type's own check, and raises ``ValueError`` where it can report
the problem better than that check.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ranker import iso_times
from ranker.encoding import ColumnError
from ranker.encoding.columns import integers
from ranker.encoding.declared import IdType, as_declared
from ranker.encoding.encoder import Guard

TIME = "a time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:30:00Z, or microseconds since 1970-01-01 UTC"


def microseconds(text: str) -> int:
    """Microseconds since 1970-01-01 UTC of an ISO 8601 date or time, in UTC if it has no zone.

    Digits beyond microseconds are dropped. Raises ``ValueError`` for other text.
    """
    try:
        return iso_times.microseconds(text)
    except ValueError as error:
        raise ValueError(f"must be {TIME}: {error}") from None


def number_reader(temporal: bool, guard: Guard | None) -> Callable[[Any], Any]:
    """Return the converter of a numeric feature's values; ``guard`` refuses times in another unit."""
    return partial(_time, guard) if temporal else _number


def _number(value: Any) -> Any:
    return int(value) if type(value) is bool else value


def _time(guard: Guard | None, value: Any) -> Any:
    """Convert a value of a feature that held times in training; booleans are refused."""
    kind = type(value)
    if kind is str:
        return microseconds(value)
    if kind is bool:
        raise ValueError(f"must be {TIME}")
    if guard is not None and kind in (int, float) and (hint := guard.told(value)):
        raise ValueError(f"must be in microseconds since 1970-01-01 UTC, or ISO 8601 text; {hint}")
    return value


def id_reader(declared: IdType | None, temporal: bool, guard: Guard | None) -> Callable[[Any], Any]:
    """Return the converter of ids; ids that were times in training are converted as times."""
    if temporal:
        return partial(_time_id, guard)
    return _id if declared is None else partial(_declared_id, declared)


def _time_id(guard: Guard | None, value: Any) -> Any:
    return _id(_time(guard, value))


def _id(value: Any) -> Any:
    kind = type(value)
    if kind is bool:
        return int(value)
    if kind is float and value.is_integer():
        return _checked(partial(integers, [value], ""), int(value))
    return value


def _declared_id(declared: IdType, value: Any) -> Any:
    if declared == "string":
        if type(value) is bool:
            raise ValueError("must be text or an integer")
        if type(value) is int:
            return str(value) if value.bit_length() <= 64 else value
        if type(value) is float:
            return _checked(partial(as_declared, [value], "", declared))[0]
        return value
    if type(value) is str:
        return _checked(partial(as_declared, [value], "", declared))[0]
    return _id(value)


def _checked(convert: Callable[[], Any], instead: Any = None) -> Any:
    try:
        converted = convert()
    except ColumnError as error:
        raise ValueError(f"must be {error.expected}") from None
    return converted if instead is None else instead
