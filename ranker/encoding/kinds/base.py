"""The interface of a feature kind: its config, what training rows teach it, and how its columns become inputs.

A kind is three classes. A :class:`FeatureKind` is the closed config. Its :class:`Fitter` reads the training rows and
makes an :class:`Encoding`, which lays the feature out, encodes its columns, and is saved in the artifact.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar, Generic, Literal, NamedTuple, Self, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from ranker.config.closed import Closed, ColumnName
from ranker.encoding.columns import Column, Integers
from ranker.encoding.declared import IdType
from ranker.encoding.layout import LayoutBuilder, Side
from ranker.encoding.time_range import TimeRange
from ranker.encoding.value_types import ValueType
from ranker.registry import Registry

Columns: TypeAlias = Mapping[str, Column]
Arrays: TypeAlias = dict[str, NDArray[Any]]
Value: TypeAlias = Literal["number", "integer", "unsigned", "string", "any"]
CsvType: TypeAlias = Literal["number", "text", "unsigned", "integer", "id"]


class RequestType(NamedTuple):
    """The values that requests hold for a feature; each may be missing.

    Attributes
    ----------
    value
        The type of one value. ``any`` is an integer or a string: ids of a feature that had no value in training.
    listed
        Whether a row holds a list of values.
    size
        Length of every list, where it is fixed.
    declared
        The id type that the schema declares; ids of other types are converted to it.
    times
        Whether times may be sent, if training had times.
    """

    value: Value
    listed: bool = False
    size: int | None = None
    declared: IdType | None = None
    times: bool = True

    @property
    def id_type(self) -> ValueType | None:
        """The type of ids; ``None`` where it is open, or values are no ids."""
        return None if self.value == "any" or self.value == "number" else self.value

    @classmethod
    def of_lists(cls, separator: str | None, ids: ValueType | None, declared: IdType | None) -> Self:
        """Lists of ids of a known type, or text to be split by the separator."""
        return cls(ids or "any", listed=True, declared=declared) if separator is None else cls("string", times=False)


class FeatureKind(Closed, ABC):
    """Config of a feature. Each kind adds ``kind``, a literal of the name it is registered by, and its options."""

    column: ColumnName | None = Field(None, description="Column of the log; by default the feature's own name.")
    required: bool = Field(
        True,
        description="false: requests, stored users and item files may leave the column out, and its values are then "
        "missing. The training log always has it.",
    )

    state_section: ClassVar[str | None] = None
    """Section of the saved encoder that holds what the kind learns; ``None`` if it learns nothing of its own."""
    single_valued: ClassVar[bool] = False
    """Whether a row holds one number or one id, so that fusions may read the raw column."""
    identifies: ClassVar[bool] = False
    """Whether a row holds one id of a vocabulary: it may be the ``candidate_id``, be shared by a sequence, and be a key
    of label statistics. Its encoding is then a :class:`~ranker.encoding.kinds.coded.CodedEncoding`."""
    holds_times: ClassVar[bool] = True
    """Whether the column may hold times."""

    @property
    def embedding_width(self) -> int | None:
        """Width of the feature's own embedding table; ``None`` if it has none."""
        return None

    @property
    def csv_type(self) -> CsvType | None:
        """Type of the column in a CSV file; ``None`` where CSV cannot hold it, ``id`` where the values decide."""
        return None

    def source_of(self, name: str) -> str:
        """Name of the feature whose vocabulary and table it uses: by default its own ``name``."""
        return name

    def check(self, path: str, context: Mapping[str, "FeatureKind"], candidate: Mapping[str, "FeatureKind"]) -> None:
        """Raise ``ValueError``, beginning with ``path``, where the feature does not fit the schema's other features."""

    def as_declared(self, column: Column, name: str) -> Column:
        """A raw column [N] with values of the type that the schema declares. Raises ``ColumnError``."""
        del name
        return column

    @abstractmethod
    def fitter(self, seed: int, fitters: Mapping[str, "Fitter"]) -> "Fitter":
        """Return a new fitter; ``fitters`` has those of all features that are their own source."""

    @abstractmethod
    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, "Encoding"]
    ) -> "Encoding":
        """Rebuild what :meth:`Encoding.state` took apart.

        ``encodings`` has those of features that are their own source; ``state`` is ``None`` for a kind without a
        ``state_section``. Raises ``KeyError`` where a part is missing.
        """


class FixedKind(FeatureKind):
    """Base of kinds that learn nothing from the training rows."""

    @abstractmethod
    def encoding(self) -> "Encoding":
        """Return the encoding, which follows from the config alone."""

    def fitter(self, seed: int, fitters: Mapping[str, "Fitter"]) -> "Fitter":
        """Return a fitter that reads nothing."""
        del seed, fitters
        return _FixedFitter(self)

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, "Encoding"]
    ) -> "Encoding":
        """Return the encoding of the config."""
        del name, state, arrays, encodings
        return self.encoding()


class Fitter(ABC):
    """Reads one feature's column of the training rows, chunk by chunk."""

    @abstractmethod
    def add(self, column: Column, name: str) -> Integers | None:
        """Take up a chunk [N] of column ``name``; return codes [N] if the kind identifies. Raises ``ColumnError``."""

    @abstractmethod
    def fitted(self, encodings: Mapping[str, "Encoding"]) -> "Encoding":
        """Return the encoding of all rows added; ``encodings`` has those of features that are their own source."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the kind learns from values, and no row added held one."""

    @property
    def size(self) -> int:
        """Number of distinct codes that :meth:`add` can have returned."""
        return 0


class _FixedFitter(Fitter):
    def __init__(self, feature: FixedKind) -> None:
        self._feature = feature

    def add(self, column: Column, name: str) -> None:
        """Read nothing."""

    def fitted(self, encodings: Mapping[str, "Encoding"]) -> "Encoding":
        """Return the encoding of the config."""
        del encodings
        return self._feature.encoding()

    @property
    def empty(self) -> bool:
        """Never told, since nothing is read."""
        return False


class Encoding(ABC):
    """A fitted feature. It writes ids [N, L], numbers [N, K], or both, at the places that :meth:`lay_out` reserves."""

    feature: FeatureKind
    """The config."""

    @property
    @abstractmethod
    def request_type(self) -> RequestType:
        """The values that requests hold."""

    @property
    def csv_type(self) -> CsvType | None:
        """As :attr:`FeatureKind.csv_type`; kinds of ids know the type that training met."""
        return self.feature.csv_type

    def reserve(self, builder: LayoutBuilder, name: str) -> None:  # noqa: B027 - most kinds have no table
        """Reserve rows of the embedding table, if the feature has one; called for all features before ``lay_out``."""

    @abstractmethod
    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add the feature's columns of ids and of numbers to its side."""

    def ids(self, column: Column, name: str) -> NDArray[np.int32]:
        """Ids [N, L] of a column [N]. Raises ``ColumnError``."""
        raise NotImplementedError(f"{type(self).__name__} lays out ids and does not encode any")

    def numbers(self, column: Column, name: str) -> NDArray[np.float32]:
        """Numbers [N, K] of a column [N]. Raises ``ColumnError``."""
        raise NotImplementedError(f"{type(self).__name__} lays out numbers and does not encode any")

    @classmethod
    def block(cls, parts: Sequence["Part[Self]"]) -> "Block":
        """Return what encodes all features of the kind on one side; by default they are encoded one by one."""
        return _OneByOne(parts)

    def state(self, name: str) -> tuple[Any, Arrays]:
        """What the feature learnt, as plain JSON data and arrays. Names of arrays begin with the feature's ``name``."""
        del name
        return None, {}

    def texts(self) -> Collection[str]:
        """Distinct texts that were kept from training; none for features without a vocabulary of text."""
        return ()

    def time_range(self) -> TimeRange | None:
        """Range of the times in training, for artifacts that keep no ``PlainTimes``; ``None`` if it is unknown."""
        return None


E = TypeVar("E", bound=Encoding)


class Part(NamedTuple, Generic[E]):
    """A feature in a :class:`Block`: its name, its column, and its places among the side's ids and numbers."""

    name: str
    column: str
    encoding: E
    ids: slice | None
    numbers: slice | None


class Block(ABC):
    """Encodes the features of one kind on one side: kinds that encode many at once save calls on small requests."""

    def codes(self, columns: Columns, rows: int) -> Mapping[str, Integers]:
        """Codes [N] by feature, of kinds that identify. Raises ``ColumnError``."""
        del columns, rows
        return {}

    @abstractmethod
    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Write the features' rows of ids [I, N] and of numbers [F, N], which are transposed. Raises ``ColumnError``.

        ``codes`` holds what :meth:`codes` of all blocks returned.
        """


class _OneByOne(Block):
    def __init__(self, parts: Sequence[Part[Any]]) -> None:
        self._parts = parts

    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Encode the columns in turn."""
        del codes
        for part in self._parts:
            if part.ids is not None:
                ids[part.ids] = part.encoding.ids(columns[part.column], part.column).T
            if part.numbers is not None:
                numbers[part.numbers] = part.encoding.numbers(columns[part.column], part.column).T


FEATURE_KINDS: Registry[type[FeatureKind]] = Registry("feature kind")
