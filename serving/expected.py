"""What each column of a request must hold, by the schema and by what training met."""

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from ranker.artifact import Artifact
from ranker.encoding.lists import table_of
from ranker.schema import Categorical, Dense, Feature, IdType, Multi, Numeric, Sequence
from serving.messages import Integer, Number

Value = Literal["number", "integer", "unsigned", "string", "any"]
Unsigned = Annotated[int, Field(ge=0, lt=2**64)]
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
    ids, by which values of other types are converted. ``temporal`` features had times in training.
    """

    value: Value
    listed: bool = False
    size: int | None = None
    declared: IdType | None = None
    temporal: bool = False

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
    temporal = name in artifact.encoder.temporal
    if isinstance(feature, Numeric):
        return Expected("number", temporal=temporal)
    if isinstance(feature, Dense):
        return Expected("number", listed=True, size=feature.size)
    if isinstance(feature, Categorical):
        return Expected(artifact.encoder.coders[name].kind or "any", declared=feature.type, temporal=temporal)
    assert isinstance(feature, Multi | Sequence)
    if feature.separator is not None:
        return Expected("string")
    coder = artifact.encoder.coders[table_of(name, feature)]
    return Expected(coder.kind or "any", listed=True, declared=coder.declared, temporal=temporal)


def list_of(item: Any) -> Any:
    """A list's type, of a type made at run time."""
    return list.__class_getitem__(item)
