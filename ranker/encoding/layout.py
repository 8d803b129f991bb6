"""Positions of features in the packed arrays that the model reads."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.task_state import TaskState

Side: TypeAlias = Literal["context", "candidate"]
Key: TypeAlias = tuple[str, ...]
"""Features that label statistics are grouped by, one or a combination."""


class Span(NamedTuple):
    """Days before a row's day: all, the last ``window``, or all with weights that halve every ``half_life`` days."""

    window: int | None = None
    half_life: float | None = None

    @property
    def name(self) -> str:
        """As part of the names of inputs."""
        return f"last {self.window} days" if self.window is not None else f"half-life {self.half_life:g} days"


def key_name(key: Key) -> str:
    """Name of a key's number columns: ``label_statistics(user_id, tab)``."""
    return f"label_statistics({', '.join(key)})"


def tree_score_name(task: str) -> str:
    """Name of a task's tree score among the numbers: ``tree_score(is_click)``."""
    return f"tree_score({task})"


class Packed(NamedTuple):
    """A packed batch: two arrays per side, with N rows per side or one context row for N candidates."""

    context_ids: NDArray[np.int32]
    context_numbers: NDArray[np.float32]
    candidate_ids: NDArray[np.int32]
    candidate_numbers: NDArray[np.float32]

    def with_candidates(self, rows: NDArray[np.intp] | slice) -> "Packed":
        """The same context with some of the candidates, in the order of ``rows``."""
        return self._replace(candidate_ids=self.candidate_ids[rows], candidate_numbers=self.candidate_numbers[rows])

    def taken(self, contexts: NDArray[np.intp] | slice, candidates: NDArray[np.intp] | slice) -> "Packed":
        """Some context rows with some candidates."""
        return self.with_candidates(candidates)._replace(
            context_ids=self.context_ids[contexts], context_numbers=self.context_numbers[contexts]
        )


@dataclass(frozen=True)
class IdField:
    """Columns ``start`` to ``start + length`` of a side's ids: one embedded feature.

    Ids are relative to the feature's first row; ``offset`` is that row in the table of its width. Id 0 means missing,
    and padding in pooled fields. The candidate feature ``target``, if set, attends to the field.
    """

    feature: str
    start: int
    length: int
    dimension: int
    offset: int
    pooling: str | None
    target: str | None = None
    heads: int = 1


class Piecewise(NamedTuple):
    """Piecewise linear encoding of a number: its place among the edges of ``bins`` bins, from 0 to ``bins``."""

    bins: int

    @property
    def width(self) -> int:
        """Number of inputs of the model for one number."""
        return self.bins


class Periodic(NamedTuple):
    """Embedding of a standardised number by its sines and cosines of ``frequencies``, drawn with ``sigma``."""

    frequencies: int
    sigma: float
    dimension: int

    @property
    def width(self) -> int:
        """Number of inputs of the model for one number."""
        return self.dimension


NumberEmbedding: TypeAlias = Piecewise | Periodic


@dataclass(frozen=True)
class NumberField:
    """Columns ``start`` to ``start + length`` of a side's numbers.

    The model embeds all but the last ``flags`` of them by ``embedding``, if any.
    """

    feature: str
    start: int
    length: int
    embedding: NumberEmbedding | None = dataclasses.field(default=None, kw_only=True)
    flags: int = dataclasses.field(default=0, kw_only=True)

    @property
    def width(self) -> int:
        """Number of columns once embedded."""
        if self.embedding is None:
            return self.length
        return self.embedding.width * (self.length - self.flags) + self.flags


@dataclass(frozen=True)
class StatisticsField(NumberField):
    """Columns of label statistics of a ``key`` of one or several features."""

    key: Key


@dataclass(frozen=True)
class TreeField(NumberField):
    """The column of a task's tree score, standardised: ``(score - shift) * scale``.

    With a ``blend``, no layer reads it: the served logit is ``blend`` times the score plus ``1 - blend`` times the
    network's logit.
    """

    task: str
    shift: float
    scale: float
    blend: float | None = None

    @property
    def width(self) -> int:
        """Number of columns once embedded."""
        return 1 if self.blend is None else 0


@dataclass(frozen=True)
class SideLayout:
    """The fields of one side in column order; ids of the same width are adjacent."""

    ids: tuple[IdField, ...]
    numbers: tuple[NumberField, ...]

    @property
    def id_width(self) -> int:
        """Number of id columns."""
        return sum(field.length for field in self.ids)

    @property
    def number_width(self) -> int:
        """Number of number columns."""
        return sum(field.length for field in self.numbers)

    @property
    def statistics(self) -> list[StatisticsField]:
        """Label statistics fields among the numbers."""
        return [field for field in self.numbers if isinstance(field, StatisticsField)]

    @property
    def trees(self) -> list[TreeField]:
        """Tree scores among the numbers; they come last."""
        return [field for field in self.numbers if isinstance(field, TreeField)]


@dataclass(frozen=True)
class Layout:
    """Both sides, the number of embedding rows of each width, and the state of tasks that are fitted on labels."""

    context: SideLayout
    candidate: SideLayout
    tables: Mapping[int, int]
    tasks: Mapping[str, TaskState] = dataclasses.field(default_factory=dict, compare=False)

    def sides(self) -> Iterator[tuple[Side, SideLayout]]:
        """Yield each side with its layout."""
        yield "context", self.context
        yield "candidate", self.candidate

    def widths(self) -> tuple[int, int, int, int]:
        """Number of columns of each array of :class:`Packed`."""
        return (
            self.context.id_width,
            self.context.number_width,
            self.candidate.id_width,
            self.candidate.number_width,
        )

    def number(self, feature: str) -> tuple[Side, int]:
        """Side, and column among the side's numbers, of a numeric feature."""
        found = [
            (name, field.start) for name, side in self.sides() for field in side.numbers if field.feature == feature
        ]
        return found[0]

    def places(self) -> tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]]:
        """Start and width of each feature's columns once embedded, by side.

        Ids come first, in field order, then numbers; lists pooled by target attention are at the end of the candidate.
        """
        placed: tuple[dict[str, tuple[int, int]], dict[str, tuple[int, int]]] = ({}, {})
        for places, (_, side) in zip(placed, self.sides(), strict=True):
            widths = [(f.feature, f.dimension) for f in side.ids if f.target is None]
            _append(places, widths + [(f.feature, f.width) for f in side.numbers])
        _append(placed[1], [(f.feature, f.dimension) for f in self.attending()])
        return placed

    def attending(self) -> list[IdField]:
        """Fields of both sides with target attention, in column order."""
        return [field for _, side in self.sides() for field in side.ids if field.target is not None]

    def embedded(self) -> Iterator[tuple[str, int, int, int]]:
        """Yield side, start, width and number of ids of each embedded feature."""
        context, candidate = self.places()
        for name, side in self.sides():
            for field in side.ids:
                where = "context" if name == "context" and field.target is None else "candidate"
                start, width = (context if where == "context" else candidate)[field.feature]
                yield where, start, width, field.length


def _append(places: dict[str, tuple[int, int]], widths: Sequence[tuple[str, int]]) -> None:
    start = sum(width for _, width in places.values())
    for name, width in widths:
        places[name] = (start, width)
        start += width


class LayoutBuilder:
    """Collects fields and builds the layout."""

    def __init__(self) -> None:
        self._rows: dict[int, int] = {}
        self._offsets: dict[str, tuple[int, int]] = {}
        self._ids: dict[Side, list[IdField]] = {"context": [], "candidate": []}
        self._numbers: dict[Side, list[NumberField]] = {"context": [], "candidate": []}

    def table(self, feature: str, rows: int, dimension: int) -> None:
        """Reserve rows for a feature in the table of its width."""
        self._offsets[feature] = (self._rows.get(dimension, 0), dimension)
        self._rows[dimension] = self._rows.get(dimension, 0) + rows

    def ids(
        self,
        side: Side,
        feature: str,
        table: str,
        length: int = 1,
        pooling: str | None = None,
        attends: bool = False,
        heads: int = 1,
    ) -> None:
        """Add a field that reads the rows of feature ``table``, which is also the attention target if ``attends``."""
        offset, dimension = self._offsets[table]
        field = IdField(feature, 0, length, dimension, offset, pooling)
        self._ids[side].append(replace(field, target=table, heads=heads) if attends else field)

    def numbers(
        self, side: Side, feature: str, length: int, embedding: NumberEmbedding | None = None, flags: int = 0
    ) -> None:
        """Add number columns; the model embeds all but the last ``flags`` of them by ``embedding``, if any."""
        start = self._number_width(side)
        self._numbers[side].append(NumberField(feature, start, length, embedding=embedding, flags=flags))

    def statistics(self, side: Side, key: Key, length: int, embedding: NumberEmbedding | None = None) -> None:
        """Add columns of label statistics; the model embeds each by ``embedding``, if any."""
        start = self._number_width(side)
        self._numbers[side].append(StatisticsField(key_name(key), start, length, key, embedding=embedding))

    def tree_score(self, task: str, shift: float, scale: float, blend: float | None = None) -> None:
        """Add the column of a task's tree score to the candidate's side; to be called last."""
        start = self._number_width("candidate")
        self._numbers["candidate"].append(TreeField(tree_score_name(task), start, 1, task, shift, scale, blend))

    def build(self) -> Layout:
        """Build the layout: fields by width, single ids before pooled ones."""

        def arranged(side: Side) -> SideLayout:
            fields, start = [], 0
            for field in sorted(self._ids[side], key=lambda f: (f.dimension, f.pooling is not None)):
                fields.append(replace(field, start=start))
                start += field.length
            return SideLayout(tuple(fields), tuple(self._numbers[side]))

        return Layout(arranged("context"), arranged("candidate"), dict(sorted(self._rows.items())))

    def _number_width(self, side: Side) -> int:
        return sum(field.length for field in self._numbers[side])
