"""Single values of JSON -> the values of the log: ``true`` is 1, 1001.0 is 1001, ISO 8601 text is a time.

Each function returns what it does not convert as it is, for the type's own check to take or refuse, and raises
``ValueError`` where it knows better than that check what is wrong.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from ranker import iso_times
from ranker.encoding import ColumnError
from ranker.encoding.columns import integers
from ranker.encoding.declared import as_declared
from ranker.schema import IdType
from serving.units import TimeRange

TIME = "a time in ISO 8601, such as 2024-01-31 or 2024-01-31T12:30:00Z, or microseconds since 1970-01-01 UTC"


def microseconds(text: str) -> int:
    """Microseconds since 1970-01-01 UTC of a date or time in ISO 8601; without a zone it is UTC.

    Digits beyond microseconds are cut off. Raises ``ValueError`` for other text.
    """
    try:
        return iso_times.microseconds(text)
    except ValueError as error:
        raise ValueError(f"must be {TIME}: {error}") from None


def number_reader(temporal: bool, trained: TimeRange | None) -> Callable[[Any], Any]:
    """What converts a value of a numeric feature; ``trained`` is the range of its times in training."""
    return partial(_number, temporal, trained)


def _number(temporal: bool, trained: TimeRange | None, value: Any) -> Any:
    kind = type(value)
    if kind is bool:
        return int(value)
    if temporal and kind is str:
        return microseconds(value)
    if trained is not None and kind in (int, float) and (unit := trained.other_unit(value)):
        raise ValueError(unit)
    return value


def id_reader(declared: IdType | None, temporal: bool, text: bool) -> Callable[[Any], Any]:
    """What converts an id; ``text`` says whether the feature may hold text."""
    if declared is not None:
        return partial(_declared_id, declared, temporal)
    return partial(_id, temporal, text)


def _id(temporal: bool, text: bool, value: Any) -> Any:
    kind = type(value)
    if kind is str and temporal and not text:
        return microseconds(value)
    if kind is bool:
        return int(value)
    if kind is float and value.is_integer():
        return _checked(partial(integers, [value], ""), int(value))
    return value


def _declared_id(declared: IdType, temporal: bool, value: Any) -> Any:
    if type(value) is str and temporal and declared != "string":
        return microseconds(value)
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
    return _id(False, False, value)


def _checked(convert: Callable[[], Any], instead: Any = None) -> Any:
    try:
        found = convert()
    except ColumnError as error:
        raise ValueError(f"must be {error.expected}") from None
    return found if instead is None else instead
