"""Base class of config models, and types of names and formulas in configs."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ranker.expressions import Expression, ExpressionError, parse
from ranker.registry import alternatives

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ColumnName = Annotated[str, Field(min_length=1)]

PLAIN = frozenset({float, int, str, type(None)})
"""Types of values that neither are booleans nor hold any: skipped at once, as lists of scores are long."""


@lru_cache(maxsize=1024)
def formula(text: str) -> Expression:
    """Parse a formula over columns of the log. Raises ``ExpressionError``."""
    expression = parse(text)
    if not expression.names:
        raise ExpressionError(f"{text!r} reads no column of the log, so its value is the same for every row")
    return expression


def _checked(text: str) -> str:
    formula(text)
    return text


Formula = Annotated[str, AfterValidator(_checked)]
"""Text that :func:`formula` takes."""


class Closed(BaseModel):
    """Base of config models: no unknown keys, immutable, finite floats only."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data if isinstance(data, Mapping) else ():
            if key not in known:
                text = f"unknown key {key!r:.200}{alternatives(key, known)}"
                raise PydanticCustomError("unknown_key", "{text}", {"text": text, "key": str(key)})
        return data

    @model_validator(mode="before")
    @classmethod
    def _no_boolean_for_number(cls, data: Any) -> Any:
        """Reject ``true`` for a number, which Pydantic would convert to 1."""
        for name, field in cls.model_fields.items() if isinstance(data, Mapping) else ():
            for key in {name, field.alias or name}:
                if _boolean_for_number(field.annotation, data.get(key)):
                    text = f"must be a number, got {str(data[key]).lower():.80}"
                    raise PydanticCustomError("boolean_for_number", "{text}", {"text": text, "key": key})
        return data


def _boolean_for_number(annotation: Any, value: Any) -> bool:
    """Whether ``value`` is or contains a boolean where ``annotation`` allows a number but no boolean."""
    if not isinstance(value, bool | Mapping | list | tuple):
        return False
    options = list(_options(annotation))
    if isinstance(value, bool):
        texts = (get_args(option) for option in options if get_origin(option) is Literal)
        return bool({int, float} & set(options)) and bool not in options and not any(value in text for text in texts)
    kinds, inner = ((Mapping, dict), -1) if isinstance(value, Mapping) else ((Sequence, list, tuple), 0)
    inside = [get_args(option)[inner] for option in options if get_origin(option) in kinds and get_args(option)]
    values = (value.values() if isinstance(value, Mapping) else value) if inside else ()
    parts = (part for part in values if type(part) not in PLAIN)
    return any(all(_boolean_for_number(kind, part) for kind in inside) for part in parts)


def _options(annotation: Any) -> Iterator[Any]:
    """Members of a union, without their annotations."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _options(get_args(annotation)[0])
    elif origin in (Union, UnionType):
        for option in get_args(annotation):
            yield from _options(option)
    else:
        yield annotation
