"""Interface of a feature kind: its config, fitting on training rows, and encoding of its columns.

A kind has three classes. A :class:`FeatureKind` is the closed config. Its :class:`Fitter` reads the training rows and
creates an :class:`Encoding`, which lays out the feature, encodes its columns, and is saved in the artifact.
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
from ranker.encoding.row_moves import RowMoves
from ranker.encoding.time_range import TimeRange
from ranker.encoding.value_types import ValueType
from ranker.registry import Registry

Columns: TypeAlias = Mapping[str, Column]
Arrays: TypeAlias = dict[str, NDArray[Any]]
Value: TypeAlias = Literal["number", "integer", "unsigned", "string", "any"]
Comparable: TypeAlias = Literal["category", "number", "tags", "vector"]
"""How rows compare by a feature: one id, a number, a set of ids, or a vector."""
CsvType: TypeAlias = Literal["number", "text", "unsigned", "integer", "id"]


class RequestType(NamedTuple):
    """Type of a feature's values in requests; any value may be missing.

    Attributes
    ----------
    value
        Type of one value. ``any`` is an integer or a string, for ids of a feature without values in training.
    listed
        Whether a row holds a list of values.
    size
        Fixed length of lists, if any.
    declared
        Id type declared in the schema; ids of other types are converted.
    times
        Whether times are accepted, if training had times.
    """

    value: Value
    listed: bool = False
    size: int | None = None
    declared: IdType | None = None
    times: bool = True

    @property
    def id_type(self) -> ValueType | None:
        """Type of ids; ``None`` if it is open or values are not ids."""
        return None if self.value == "any" or self.value == "number" else self.value

    @classmethod
    def of_lists(cls, separator: str | None, ids: ValueType | None, declared: IdType | None) -> Self:
        """Lists of ids of a known type, or text to split by the separator."""
        return cls(ids or "any", listed=True, declared=declared) if separator is None else cls("string", times=False)


class FeatureKind(Closed, ABC):
    """Config of a feature. Each kind adds ``kind``, a literal of its registered name, and its options."""

    column: ColumnName | None = Field(None, description="Column of the log; default: the feature's name.")
    required: bool = Field(
        True,
        description="false: requests, stored users and item files may omit the column; its values are then missing. "
        "The training log must always have it.",
    )

    state_section: ClassVar[str | None] = None
    """Section of the saved encoder for the kind's fitted state; ``None`` if it has none."""
    single_valued: ClassVar[bool] = False
    """Whether a row has a single number or id, so that fusions may read the raw column."""
    identifies: ClassVar[bool] = False
    """Whether a row has one id of a vocabulary: it may be the ``candidate_id``, be shared by a sequence, and be a key
    of label statistics. Its encoding is then a :class:`~ranker.encoding.kinds.coded.CodedEncoding`."""
    holds_times: ClassVar[bool] = True
    """Whether the column may contain times."""
    compared_as: ClassVar[Comparable | None] = None
    """How re-ranking compares candidates by the raw column; ``None`` if it cannot."""

    @property
    def embedding_width(self) -> int | None:
        """Width of the feature's embedding table; ``None`` if it has none."""
        return None

    @property
    def csv_type(self) -> CsvType | None:
        """Type of the column in a CSV file; ``None`` if CSV does not support it, ``id`` if the values decide."""
        return None

    def source_of(self, name: str) -> str:
        """Name of the feature whose vocabulary and table it uses; by default its own ``name``."""
        return name

    def check(self, path: str, context: Mapping[str, "FeatureKind"], candidate: Mapping[str, "FeatureKind"]) -> None:
        """Raise ``ValueError``, beginning with ``path``, if the feature conflicts with the schema's other features."""

    def as_declared(self, column: Column, name: str) -> Column:
        """Convert a raw column [N] to the type declared in the schema. Raises ``ColumnError``."""
        del name
        return column

    def listed(self, column: Column, name: str) -> NDArray[Any] | None:
        """Raw values of a column of several values per row [N, W], padded with missing ones; ``None`` for one value.

        Raises ``ColumnError``.
        """
        del column, name
        return None

    @abstractmethod
    def fitter(self, seed: int, fitters: Mapping[str, "Fitter"]) -> "Fitter":
        """Return a new fitter; ``fitters`` has the fitters of all features with their own vocabulary."""

    @abstractmethod
    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, "Encoding"]
    ) -> "Encoding":
        """Rebuild an encoding from :meth:`Encoding.state`.

        ``encodings`` has the encodings of features with their own vocabulary; ``state`` is ``None`` for a kind without
        ``state_section``. Raises ``KeyError`` if a part is missing.
        """


class FixedKind(FeatureKind):
    """Base of kinds that need no fitting."""

    @abstractmethod
    def encoding(self) -> "Encoding":
        """Return the encoding, which depends only on the config."""

    def fitter(self, seed: int, fitters: Mapping[str, "Fitter"]) -> "Fitter":
        """Return a fitter that does nothing."""
        del seed, fitters
        return _FixedFitter(self)

    def restored(
        self, name: str, state: Any, arrays: Mapping[str, NDArray[Any]], encodings: Mapping[str, "Encoding"]
    ) -> "Encoding":
        """Build the encoding from the config."""
        del name, state, arrays, encodings
        return self.encoding()


class Fitter(ABC):
    """Fits one feature on the training rows, chunk by chunk."""

    @abstractmethod
    def add(self, column: Column, name: str) -> Integers | None:
        """Add a chunk [N] of column ``name``; return codes [N] if the kind has codes. Raises ``ColumnError``."""

    @abstractmethod
    def fitted(self, encodings: Mapping[str, "Encoding"]) -> "Encoding":
        """Return the encoding of all rows added; ``encodings`` has those of features with their own vocabulary."""

    @property
    @abstractmethod
    def empty(self) -> bool:
        """Whether the kind needs values and no added row had one."""

    @property
    def size(self) -> int:
        """Upper bound of the codes returned by :meth:`add`."""
        return 0

    def carry(self, earlier: "Encoding", facts: Mapping[str, NDArray[Any]], refit_scales: bool) -> str | None:
        """Carry an earlier fit's encoding on; return why it cannot be carried on, if so.

        Called before any row is added. ``facts`` are those of the earlier fitter, or a part of them; ``refit_scales``
        fits scales and buckets again.
        """
        del earlier, facts, refit_scales
        return None

    def dated(self, days: Integers) -> None:  # noqa: B027 - most kinds have no ids that expire
        """Take the day [N] of each row of the chunk added last."""

    def facts(self) -> Arrays:
        """What a later fitter needs besides the encoding; by default nothing."""
        return {}

    def moved(self) -> str | None:
        """How far the added rows lie from the scale of the encoding that is carried on; ``None`` if near."""
        return None


class _FixedFitter(Fitter):
    def __init__(self, feature: FixedKind) -> None:
        self._feature = feature

    def add(self, column: Column, name: str) -> None:
        """Do nothing."""

    def fitted(self, encodings: Mapping[str, "Encoding"]) -> "Encoding":
        """Build the encoding from the config."""
        del encodings
        return self._feature.encoding()

    @property
    def empty(self) -> bool:
        """Always false, since nothing is fitted."""
        return False


class Encoding(ABC):
    """A fitted feature. It writes ids [N, L], numbers [N, K], or both, at the columns that :meth:`lay_out` reserves."""

    feature: FeatureKind
    """The config."""

    @property
    @abstractmethod
    def request_type(self) -> RequestType:
        """Type of values in requests."""

    @property
    def csv_type(self) -> CsvType | None:
        """As :attr:`FeatureKind.csv_type`; id features know the type seen in training."""
        return self.feature.csv_type

    def reserve(self, builder: LayoutBuilder, name: str) -> None:  # noqa: B027 - most kinds have no table
        """Reserve rows of the embedding table, if any; called for all features before ``lay_out``."""

    @abstractmethod
    def lay_out(self, builder: LayoutBuilder, side: Side, name: str) -> None:
        """Add the feature's id and number columns to its side."""

    def ids(self, column: Column, name: str) -> NDArray[np.int32]:
        """Ids [N, L] of a column [N]. Raises ``ColumnError``."""
        raise NotImplementedError(f"{type(self).__name__} lays out ids and does not encode any")

    def numbers(self, column: Column, name: str) -> NDArray[np.float32]:
        """Numbers [N, K] of a column [N]. Raises ``ColumnError``."""
        raise NotImplementedError(f"{type(self).__name__} lays out numbers and does not encode any")

    @classmethod
    def block(cls, parts: Sequence["Part[Self]"]) -> "Block":
        """Return an encoder for all features of the kind on one side; by default they are encoded one by one."""
        return _OneByOne(parts)

    def state(self, name: str) -> tuple[Any, Arrays]:
        """Fitted state as JSON data and arrays. Names of arrays begin with the feature's ``name``."""
        del name
        return None, {}

    def texts(self) -> Collection[str]:
        """Distinct texts kept from training; none for features without a text vocabulary."""
        return ()

    def row_moves(self, earlier: "Encoding") -> RowMoves | None:
        """Embedding rows that come from an earlier encoding of the feature; ``None`` if all start fresh."""
        del earlier
        return None

    def time_range(self) -> TimeRange | None:
        """Range of the times in training, for artifacts without ``PlainTimes``; ``None`` if unknown."""
        return None


E = TypeVar("E", bound=Encoding)


class Part(NamedTuple, Generic[E]):
    """A feature in a :class:`Block`: its name, its column, and its slices of the side's ids and numbers."""

    name: str
    column: str
    encoding: E
    ids: slice | None
    numbers: slice | None


class Block(ABC):
    """Encodes all features of one kind on one side; encoding them together saves calls on small requests."""

    def codes(self, columns: Columns, rows: int) -> Mapping[str, Integers]:
        """Codes [N] by feature, for kinds that have codes. Raises ``ColumnError``."""
        del columns, rows
        return {}

    @abstractmethod
    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Write the features' rows of the transposed ids [I, N] and numbers [F, N]. Raises ``ColumnError``.

        ``codes`` holds the results of :meth:`codes` of all blocks.
        """


class _OneByOne(Block):
    def __init__(self, parts: Sequence[Part[Any]]) -> None:
        self._parts = parts

    def write(
        self, ids: NDArray[np.int32], numbers: NDArray[np.float32], columns: Columns, codes: Mapping[str, Integers]
    ) -> None:
        """Encode the columns one by one."""
        del codes
        for part in self._parts:
            if part.ids is not None:
                ids[part.ids] = part.encoding.ids(columns[part.column], part.column).T
            if part.numbers is not None:
                numbers[part.numbers] = part.encoding.numbers(columns[part.column], part.column).T


FEATURE_KINDS: Registry[type[FeatureKind]] = Registry("feature kind")
