"""What each column of a request must hold, by the schema and by what training met."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from ranker.artifact import Artifact
from ranker.encoding.lists import table_of
from ranker.schema import Categorical, Dense, Feature, Multi, Numeric, Sequence
from serving.messages import Integer, Number

Value = Literal["number", "integer", "string", "any"]
TYPES: dict[Value, Any] = {"number": Number, "integer": Integer, "string": str, "any": Integer | str}


class Expected(NamedTuple):
    """What a column holds: values, or lists of them, of ``size`` where it is said; each may be missing.

    ``any`` is an integer or a string: of a feature that had no value in training.
    """

    value: Value
    listed: bool = False
    size: int | None = None

    @property
    def type(self) -> Any:
        """As pydantic checks it."""
        if self.size is not None:
            vector = Annotated[list[Number], Field(min_length=self.size, max_length=self.size)]
            return vector | None
        single = TYPES[self.value] | None
        return list_of(single) | None if self.listed else single


def expected(artifact: Artifact, name: str, feature: Feature) -> Expected:
    """What a feature's column must hold: its kind by the schema, its values' by what training met."""
    if isinstance(feature, Numeric):
        return Expected("number")
    if isinstance(feature, Dense):
        return Expected("number", listed=True, size=feature.size)
    if isinstance(feature, Categorical):
        return Expected(artifact.encoder.coders[name].kind or "any")
    assert isinstance(feature, Multi | Sequence)
    if feature.separator is not None:
        return Expected("string")
    return Expected(artifact.encoder.coders[table_of(name, feature)].kind or "any", listed=True)


def list_of(item: Any) -> Any:
    """A list's type, of a type made at run time."""
    return list.__class_getitem__(item)
