"""What each column of a request must hold, by the schema and by what training met."""

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
    """What a column holds: values, or lists of them, of ``size`` where it is said; each may be missing.

    ``any`` is an integer or a string: of a feature that had no value in training. ``declared`` is the schema's word for
    ids, by which values of other types are converted. ``temporal`` features had times in training, and ``guard`` tells
    which plain numbers may stand for one. A column that is not ``required`` may be left out, and its values are missing
    then.
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
        """One value, as pydantic checks and converts it."""
        return _either(self._strict(), self._converted())

    @property
    def column(self) -> Any:
        """A list of values, as pydantic checks and converts it."""
        strict = self._strict()
        return _either(None if strict is None else list_of(strict), list_of(self._converted()))

    def json(self) -> dict[str, Any]:
        """One value that is not null, as JSON Schema."""
        schema = TypeAdapter(TYPES[self.value]).json_schema()
        if self.declared is not None:
            other = {"type": "string"} if self.declared != "string" else {"type": "integer"}
            schema = {"anyOf": [schema, other]}
        if not self.temporal:
            return schema
        text = {"type": "string", "format": "date-time"}
        told = f"A time: ISO 8601 text (UTC where it names no zone), or a number of {UNIT}."
        return {"anyOf": [schema, text], "description": told, "examples": ["2024-01-31T12:30:00Z", 1706704200000000]}

    def _strict(self) -> Any:
        """The type of values that need no conversion, which pydantic checks fast; ``None`` where all need a look."""
        return None if self.temporal else self._shaped(TYPES[self.value])

    def _converted(self) -> Any:
        return self._shaped(Annotated[TYPES[self.value], BeforeValidator(self._reader())])

    def _shaped(self, value: Any) -> Any:
        if self.temporal or self.declared is not None:
            value = Annotated[value, WithJsonSchema(self.json())]
        if self.size is not None:
            return Annotated[list_of(value), Field(min_length=self.size, max_length=self.size, fail_fast=True)] | None
        # Of a list the first mistake is told: there may be millions, and each costs more than the rest of a request.
        return Annotated[list_of(value | None), Field(fail_fast=True)] | None if self.listed else value | None

    def _reader(self) -> Callable[[Any], Any]:
        if self.value == "number":
            return number_reader(self.temporal, self.guard)
        return id_reader(self.declared, self.temporal, self.guard)


def expected(encoder: Encoder, name: str) -> Expected:
    """What a feature's column must hold: its kind says the form, and what training met the type of values."""
    given, required = encoder.encodings[name].request_type, encoder.schema.features[name].required
    temporal = given.times and name in encoder.temporal
    guard = encoder.guard(name) if temporal else None
    return Expected(given.value, given.listed, given.size, given.declared, temporal, required, guard)


def expected_columns(encoder: Encoder, features: Iterable[str]) -> dict[str, Expected]:
    """What each column of some features must hold; one that several read is required where one of them is."""
    columns: dict[str, Expected] = {}
    for name in features:
        column, found = encoder.schema.column(name), expected(encoder, name)
        before = columns.get(column)
        columns[column] = found if before is None else found._replace(required=found.required or before.required)
    return columns


def list_of(item: Any) -> Any:
    """A list's type, of a type made at run time."""
    return list.__class_getitem__(item)


def _either(strict: Any, converted: Any) -> Any:
    """Values of the strict type; where they are not, the converted ones, whose mistakes are told."""
    if strict is None:
        return converted
    adapter = TypeAdapter(converted)

    def validated(value: Any, handler: Callable[[Any], Any]) -> Any:
        try:
            return handler(value)
        except ValidationError:
            return adapter.validate_python(value, strict=True)

    return Annotated[strict, WrapValidator(validated)]
