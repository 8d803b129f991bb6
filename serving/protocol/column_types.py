"""Type of each request column, from the schema and from the types seen in training."""

from collections.abc import Callable, Iterable
from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, WithJsonSchema, WrapValidator

from ranker.encoding import Encoder
from ranker.encoding.declared import IdType
from ranker.encoding.encoder import Guard
from ranker.encoding.kinds.base import Value
from serving.protocol.json_values import id_reader, number_reader
from serving.protocol.messages import Integer, Number

Unsigned = Annotated[int, Field(ge=0, lt=2**64)]
UNIT = "microseconds since 1970-01-01 UTC"
TYPES: dict[Value, Any] = {
    "number": Number,
    "integer": Integer,
    "unsigned": Unsigned,
    "string": str,
    "any": Integer | str,
}


class Expected(NamedTuple):
    """Expected type of a column: values, or lists of values, of length ``size`` if set; each may be null.

    The value type ``any`` (integer or string) is for a feature without values in training. ``declared`` is the id type
    in the schema, to which values of other types are converted. ``temporal`` features held times in training, and
    ``guard`` refuses numbers that are times in another unit. A column that is not ``required`` may be omitted; its
    values are then missing.
    """

    value: Value
    listed: bool = False
    size: int | None = None
    declared: IdType | None = None
    temporal: bool = False
    required: bool = True
    guard: Guard | None = None

    @property
    def type(self) -> Any:
        """Pydantic type of one value, with conversions."""
        return _either(self._strict(), self._converted())

    @property
    def column(self) -> Any:
        """Pydantic type of a list of values, with conversions."""
        strict = self._strict()
        return _either(None if strict is None else list_of(strict), list_of(self._converted()))

    def json(self) -> dict[str, Any]:
        """JSON Schema of one value that is not null."""
        schema = TypeAdapter(TYPES[self.value]).json_schema()
        if self.declared is not None:
            other = {"type": "string"} if self.declared != "string" else {"type": "integer"}
            schema = {"anyOf": [schema, other]}
        if not self.temporal:
            return {"anyOf": [*schema.get("anyOf", [schema]), {"type": "boolean"}]} if self._takes_booleans else schema
        text = {"type": "string", "format": "date-time"}
        description = f"A time: ISO 8601 text (UTC if it has no zone), or a number of {UNIT}."
        return {
            "anyOf": [schema, text],
            "description": description,
            "examples": ["2024-01-31T12:30:00Z", 1706704200000000],
        }

    @property
    def _takes_booleans(self) -> bool:
        """Whether ``true`` and ``false`` are read as 1 and 0."""
        return not self.temporal and self.value != "string"

    def _strict(self) -> Any:
        """Type of values that need no conversion, which pydantic checks fast; ``None`` if every value may need it."""
        return None if self.temporal else self._shaped(TYPES[self.value])

    def _converted(self) -> Any:
        return self._shaped(Annotated[TYPES[self.value], BeforeValidator(self._reader())])

    def _shaped(self, value: Any) -> Any:
        if self.temporal or self.declared is not None or self._takes_booleans:
            value = Annotated[value, WithJsonSchema(self.json())]
        if self.size is not None:
            return Annotated[list_of(value), Field(min_length=self.size, max_length=self.size, fail_fast=True)] | None
        # Report only a list's first mistake: there may be millions, and reporting each one is expensive.
        return Annotated[list_of(value | None), Field(fail_fast=True)] | None if self.listed else value | None

    def _reader(self) -> Callable[[Any], Any]:
        if self.value == "number":
            return number_reader(self.temporal, self.guard)
        return id_reader(self.declared, self.temporal, self.guard)


def expected(encoder: Encoder, name: str) -> Expected:
    """Expected type of a feature's column: its form from the feature's kind, its value type from training."""
    request, required = encoder.encodings[name].request_type, encoder.schema.features[name].required
    temporal = request.times and name in encoder.temporal
    guard = encoder.guard(name) if temporal else None
    return Expected(request.value, request.listed, request.size, request.declared, temporal, required, guard)


def expected_columns(encoder: Encoder, features: Iterable[str]) -> dict[str, Expected]:
    """Expected type of each column of some features; a shared column is required if one of its features is."""
    columns: dict[str, Expected] = {}
    for name in features:
        column, new = encoder.schema.column(name), expected(encoder, name)
        before = columns.get(column)
        columns[column] = new if before is None else new._replace(required=new.required or before.required)
    return columns


def list_of(item: Any) -> Any:
    """The type ``list[item]`` for an item type made at run time."""
    return list.__class_getitem__(item)


def _either(strict: Any, converted: Any) -> Any:
    """A type that tries ``strict`` first, then ``converted``, whose mistakes are reported."""
    if strict is None:
        return converted
    adapter = TypeAdapter(converted)

    def validated(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return adapter.validate_python(value, strict=True)

    return Annotated[strict, WrapValidator(validated)]
