"""The base of every config model, and the types of names and formulas in configs."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from ranker.expressions import Expression, ExpressionError, parse
from ranker.registry import nearest

Name = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ColumnName = Annotated[str, Field(min_length=1)]


@lru_cache(maxsize=1024)
def formula(text: str) -> Expression:
    """A formula of columns of the log. Raises ``ExpressionError``."""
    expression = parse(text)
    if not expression.names:
        raise ExpressionError(f"{text!r} reads no column of the log, so it is the same for every row")
    return expression


def _checked(text: str) -> str:
    formula(text)
    return text


Formula = Annotated[str, AfterValidator(_checked)]
"""Text that :func:`formula` takes."""


class Closed(BaseModel):
    """Base of every config model: no unknown keys, no changes, every float finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: Any) -> Any:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data if isinstance(data, Mapping) else ():
            if key not in known:
                hint = nearest(str(key), known)
                text = f"unknown key {key!r}{'; ' + hint if hint else ''} (known: {', '.join(known)})"
                raise PydanticCustomError("unknown_key", "{text}", {"text": text, "key": str(key)})
        return data
