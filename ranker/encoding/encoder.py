"""Raw columns -> packed arrays, identical in training and serving."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.columns import Integers
from ranker.encoding.kinds.base import Columns, Encoding
from ranker.encoding.kinds.coded import CodedEncoding
from ranker.encoding.layout import Key, Layout, LayoutBuilder, Packed, Piecewise
from ranker.encoding.matching import Matches
from ranker.encoding.plain_times import PlainTimes
from ranker.encoding.side_encoder import ComputedInputs, SideEncoder
from ranker.encoding.statistics import Combination, Statistics
from ranker.encoding.time_range import TimeRange
from ranker.encoding.times import Times
from ranker.encoding.tree_scores import TreeColumns, TreeScores
from ranker.encoding.within_list import ListInputs, ListSizes, ListValues
from ranker.schema import Schema
from ranker.task_state import TaskState

HeldOut: TypeAlias = Callable[[Key, Integers], NDArray[np.float32]]
Guard: TypeAlias = PlainTimes | TimeRange


class Items(NamedTuple):
    """N candidates encoded without a context, as input of :meth:`Encoder.join`.

    ``codes`` has the codes of candidate features in label statistics keys that also contain context features. The
    inputs of these keys are zeros in ``numbers``, as are tree scores. ``lists`` is what candidates are compared by
    within a list, and ``keys`` [N, K] are looked up in lists of the context, if the schema has such inputs.
    """

    ids: NDArray[np.int32]
    numbers: NDArray[np.float32]
    codes: Mapping[str, Integers]
    lists: ListValues | None = None
    keys: Integers | None = None

    def taken(self, rows: NDArray[np.intp]) -> "Items":
        """Some candidates, in another order; arrays are copies."""
        codes = {name: codes[rows] for name, codes in self.codes.items()}
        lists = None if self.lists is None else self.lists.taken(rows)
        return Items(self.ids[rows], self.numbers[rows], codes, lists, None if self.keys is None else self.keys[rows])


@dataclass(frozen=True)
class Encoder:
    """A fitted encoder: an encoding per feature, the label statistics, and trees whose scores are inputs."""

    schema: Schema
    encodings: Mapping[str, Encoding]
    combinations: Mapping[Key, Combination]
    statistics: Mapping[Key, Statistics]
    times: Times = field(default_factory=Times)
    """Which features had times in training; unknown in older artifacts."""
    list_sizes: ListSizes | None = None
    """Sizes of the lists in training, if there are inputs within lists."""
    trees: TreeScores | None = None
    tasks: Mapping[str, TaskState] = field(default_factory=dict)
    """State of the tasks that are fitted on labels; encoding needs none of it."""

    @cached_property
    def layout(self) -> Layout:
        """Positions of all inputs: features, inputs within lists, matches, label statistics, and last tree scores."""
        builder, features = LayoutBuilder(), self.schema.inputs
        for name in features:
            self.encodings[name].reserve(builder, name)
        for name in features:
            self.encodings[name].lay_out(builder, self.schema.side(name), name)
        options = self.schema.label_statistics
        embedding = Piecewise(options.fitted_bins) if options is not None and options.fitted_bins is not None else None
        for key, fitted in self.statistics.items():
            on_candidate = any(self.schema.side(name) == "candidate" for name in key)
            builder.statistics("candidate" if on_candidate else "context", key, fitted.width, embedding)
        if self.trees is not None:
            for task, booster in self.trees.boosters.items():
                builder.tree_score(task, booster.shift, booster.scale, self.trees.blend)
        return replace(builder.build(), tasks=self.tasks)

    @property
    def temporal(self) -> frozenset[str]:
        """Features whose columns held times in training."""
        return frozenset(
            name for name, feature in self.schema.features.items() if self.times.dated.get(feature.source_of(name))
        )

    def guard(self, feature: str) -> Guard | None:
        """Check that rejects plain numbers sent as times; ``None`` if the feature had no times or it is unknown."""
        source = self.schema.features[feature].source_of(feature)
        if not self.times.dated.get(source):
            return None
        return self.times.plain.get(source) or self.encodings[feature].time_range()

    def encode(self, context: Columns, candidate: Columns, held_out: HeldOut | None = None) -> Packed:
        """Encode columns by log column name: N rows per side, or one context row and N candidates.

        Columns of the candidate include the inputs within lists, which ``Log`` adds to a log and
        :meth:`encode_request` to a request. For training rows, ``held_out`` maps a label statistics key and its codes
        [N] to inputs [N, W] that exclude each row's own fold. Raises ``ColumnError`` for an invalid value and for
        a missing or shorter column.
        """
        contexts, candidates = self._sides
        context_rows, rows = contexts.rows(context), candidates.rows(candidate)
        if context_rows not in (1, rows):
            raise ValueError(f"{context_rows} context rows for {rows} candidates: expected 1, or one per candidate")
        codes = {**contexts.codes(context, context_rows), **candidates.codes(candidate, rows)}

        def statistics(key: Key) -> NDArray[np.float32]:
            joined = self.combinations[key].codes(np.broadcast_arrays(*(codes[name] for name in key)))
            return held_out(key, joined) if held_out else self.statistics[key].encode(joined)

        packed = Packed(
            *contexts.encode(context, codes, context_rows, statistics),
            *candidates.encode(candidate, codes, rows, statistics),
        )
        if self.matches is not None:
            self._match_writer.write(
                packed.candidate_numbers, self.matches.inputs(context, self.matches.keys(candidate, rows))
            )
        return self._with_trees(packed)

    def encode_request(self, context: Columns, candidate: Columns) -> Packed:
        """Encode one context row and the N candidates of a request, which are one list.

        Raises ``ColumnError`` as :meth:`encode`.
        """
        if self.list_inputs is None:
            return self.encode(context, candidate)
        return self.join(context, self.encode_items(candidate))

    def encode_items(self, candidate: Columns) -> Items:
        """Encode candidates [N] before the context is known. Raises ``ColumnError`` as :meth:`encode`.

        Inputs within lists are those of the columns of a log; otherwise they are missing. So are matches.
        """
        candidates, values = self._sides[1], None
        if self.list_inputs is not None and self.list_inputs.names[0] not in candidate:
            candidates = self._without_lists
        rows = candidates.rows(candidate)
        if self.list_inputs is not None:
            values = self.list_inputs.values(candidate, rows)
        codes = candidates.codes(candidate, rows)
        mixed = {key for _, key in self._mixed}

        def statistics(key: Key) -> NDArray[np.float32]:
            fitted = self.statistics[key]
            if key in mixed:
                return np.zeros((rows, fitted.width), dtype=np.float32)
            return fitted.encode(self.combinations[key].codes([codes[name] for name in key]))

        kept = {name: codes[name] for name in self.combined}
        keys = None if self.matches is None else self.matches.keys(candidate, rows)
        return Items(*candidates.encode(candidate, codes, rows, statistics), kept, values, keys)

    def join(self, context: Columns, items: Items, one_list: bool = True) -> Packed:
        """Return the same as :meth:`encode_request` for one context row and these candidates.

        Without ``one_list``, there may be a context row per candidate, and candidates keep the inputs within lists
        that they were encoded with. Writes into ``items.numbers``. Raises ``ColumnError`` as :meth:`encode`.
        """
        contexts = self._sides[0]
        rows = contexts.rows(context)
        if rows not in (1, len(items.ids)):
            raise ValueError(f"{rows} context rows: expected 1, or one per candidate ({len(items.ids)})")
        of_context = contexts.codes(context, rows)
        codes = {**of_context, **items.codes}

        def statistics(key: Key) -> NDArray[np.float32]:
            joined = self.combinations[key].codes(np.broadcast_arrays(*(codes[name] for name in key)))
            return self.statistics[key].encode(joined)

        for place, key in self._mixed:
            items.numbers[:, place] = statistics(key)
        if one_list and self.list_inputs is not None:
            assert items.lists is not None, "candidates of a schema with inputs within lists hold their values"
            self._list_writer.write(items.numbers, self.list_inputs.of_one(items.lists))
        if self.matches is not None:
            assert items.keys is not None, "candidates of a schema with matches hold their keys"
            self._match_writer.write(items.numbers, self.matches.inputs(context, items.keys))
        of_contexts = contexts.encode(context, of_context, rows, statistics)
        return self._with_trees(Packed(*of_contexts, items.ids, items.numbers))

    def _with_trees(self, packed: Packed) -> Packed:
        """Write the tree scores of packed rows into their numbers."""
        if self.trees is not None:
            fields = self.layout.candidate.trees
            packed.candidate_numbers[:, fields[0].start :] = self.trees.inputs(self._tree_columns, packed)
        return packed

    @cached_property
    def _tree_columns(self) -> TreeColumns:
        return TreeColumns(self.layout)

    @cached_property
    def list_inputs(self) -> ListInputs | None:
        """Computes the inputs within lists; ``None`` if the schema has none."""
        return ListInputs.of_schema(self.schema)

    @cached_property
    def matches(self) -> Matches | None:
        """Looks candidates up in lists of the context; ``None`` if the schema has no such inputs."""
        coders = {name: each.coder for name, each in self.encodings.items() if isinstance(each, CodedEncoding)}
        return Matches(self.schema, coders) if self.schema.matches else None

    @cached_property
    def _list_writer(self) -> ComputedInputs:
        return ComputedInputs(self.schema.list_inputs, self.encodings, self.layout.candidate)

    @cached_property
    def _match_writer(self) -> ComputedInputs:
        return ComputedInputs(self.schema.match_inputs, self.encodings, self.layout.candidate)

    @cached_property
    def _without_lists(self) -> SideEncoder:
        """Encodes candidates alone; their inputs within lists are 0."""
        columns = {name: self.schema.column(name) for name in self.schema.candidate}
        return SideEncoder(columns, self.encodings, self.layout.candidate)

    @cached_property
    def combined(self) -> tuple[str, ...]:
        """Candidate features that label statistics combine with context features; :class:`Items` has their codes."""
        names = [name for _, key in self._mixed for name in key if name in self.schema.candidate]
        return tuple(dict.fromkeys(names))

    @cached_property
    def _mixed(self) -> list[tuple[slice, Key]]:
        """Label statistics keys with features of both sides, and their slices of the candidates' numbers."""
        fields = self.layout.candidate.statistics
        places = [(slice(field.start, field.start + field.length), field.key) for field in fields]
        return [(place, key) for place, key in places if any(name in self.schema.context for name in key)]

    @cached_property
    def _sides(self) -> tuple[SideEncoder, SideEncoder]:
        context, candidate = (
            {name: self.schema.column(name) for name in features}
            for features in (self.schema.context, [*self.schema.candidate, *self.schema.list_inputs])
        )
        return (
            SideEncoder(context, self.encodings, self.layout.context),
            SideEncoder(candidate, self.encodings, self.layout.candidate),
        )
