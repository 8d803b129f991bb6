"""Rows of a log with both versions' scores: each version encodes and scores every row that both can use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact, to_json
from ranker.encoding import Column, Labels, Packed, Ragged, encode_labels
from ranker.encoding.columns import Mask
from ranker.inference.pool import fusion_values
from ranker.log_files.log_reader import Chunk, DataError
from ranker.outcomes import outcomes
from ranker.schema import Schema, Task
from training.config.experiment import ConfigError
from training.data.encode import columns_of, labels_of, taken
from training.data.grouping import NO_GROUP, Grouping
from training.data.label_counts import LabelCounts
from training.evaluation.evaluate import Scorer
from training.evaluation.onnx_scorer import onnx_scorer
from training.progress_listener import Progress

BATCH = 8192
TIMED = 500
"""Candidates of the call that is timed."""
MISSING = "(missing)"
"""Name of the slice of rows without a value."""


@dataclass(frozen=True, eq=False)
class Version:
    """One version on N rows: its artifact, scores [N, T] in the order of its tasks, and what its fusion reads [N]."""

    artifact: Artifact
    scores: NDArray[np.float32]
    features: Mapping[str, NDArray[Any]]
    call: Packed
    """One context with up to ``TIMED`` candidates, from the first rows."""

    def of(self, task: str) -> NDArray[np.float64]:
        """Scores of an objective [N]."""
        return self.scores[:, self.artifact.manifest.tasks.index(task)].astype(np.float64)


@dataclass(frozen=True, eq=False)
class PairedRows:
    """N rows that both versions scored.

    Attributes
    ----------
    tasks
        The T objectives of both versions, as the new one's schema says.
    labels, known
        Labels, and whether each is known [N, T], as the new version's schema says.
    groups
        Key of each row's group [N], ``NO_GROUP`` for none; ``None`` without a group column.
    columns
        Values [N] of the columns that rows are sliced by, as text.
    new, old
        The versions.
    notes
        What the versions do not have in common.
    """

    tasks: Mapping[str, Task]
    labels: NDArray[np.float64]
    known: Mask
    groups: NDArray[np.int64] | None
    columns: Mapping[str, NDArray[np.object_]]
    new: Version
    old: Version
    notes: Sequence[str] = field(default=())

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def in_group(self) -> Mask:
        """Whether each row has a group [N]."""
        return np.zeros(len(self), dtype=bool) if self.groups is None else self.groups != NO_GROUP

    @cached_property
    def units(self) -> NDArray[np.intp]:
        """The unit of each row [N] that is resampled, from 0: its group, or the row alone if it has none."""
        if self.groups is None:
            return np.arange(len(self))
        alone = -1 - np.arange(len(self), dtype=np.int64)
        return np.unique(np.where(self.in_group, self.groups, alone), return_inverse=True)[1].astype(np.intp)

    @cached_property
    def unit_count(self) -> int:
        """Number of units."""
        return int(self.units.max(initial=-1)) + 1


def shared_tasks(new: Artifact, old: Artifact) -> tuple[dict[str, Task], list[str]]:
    """Objectives of both versions, of the same kind, and a line per other one. Raises ``ConfigError`` for none."""
    mine, theirs = new.schema.tasks, old.schema.tasks
    shared = {name: task for name, task in mine.items() if name in theirs and theirs[name].kind == task.kind}
    notes = [f"objective {name!r} is new: there is nothing to compare it with" for name in mine if name not in theirs]
    notes += [f"objective {name!r} is gone from the new version" for name in theirs if name not in mine]
    notes += [
        f"objective {name!r} is {mine[name].kind} now and was {theirs[name].kind}: its scores cannot be compared"
        for name in mine
        if name in theirs and name not in shared
    ]
    if not shared:
        raise ConfigError(
            f"the versions have no objective in common: {', '.join(mine)} in {new.folder}, "
            f"{', '.join(theirs)} in {old.folder}"
        )
    return shared, notes


def read_columns(new: Artifact, old: Artifact, more: Sequence[str]) -> tuple[list[str], list[str]]:
    """Columns of the log that both versions and ``more`` need, and those that files may lack."""
    shared, _ = shared_tasks(new, old)
    schemas = [_measured(version.schema, shared) for version in (new, old)]
    wanted = dict.fromkeys([*more, *(name for schema in schemas for name in columns_of(schema, []))])
    needed = set(more)
    for schema in schemas:
        needed |= set(columns_of(schema, [])) - set(labels_of(schema))
    return list(wanted), [name for name in wanted if name not in needed]


def paired_rows(
    new: Artifact,
    old: Artifact,
    chunks: Iterator[tuple[Chunk, Mask]],
    group_by: str | None,
    by: Sequence[str],
    progress: Progress,
) -> PairedRows:
    """Encode and score the selected rows of each chunk with both versions.

    A row that one of them drops, because of a label that contradicts ``given``, is left out of both. Raises
    ``DataError`` if no row is left, or many labels contradict ``given`` without a rule for it.
    """
    shared, notes = shared_tasks(new, old)
    reading = _Reading(shared, (new, old), group_by, by)
    for chunk, mask in chunks:
        if mask.any():
            reading.add(chunk, mask)
        progress("score with both versions", chunk.rows)
    return reading.done(notes)


class _Reading:
    def __init__(
        self, shared: Mapping[str, Task], versions: tuple[Artifact, Artifact], group_by: str | None, by: Sequence[str]
    ) -> None:
        self._tasks, self._versions, self._by = shared, versions, by
        self._schemas = [_measured(version.schema, shared) for version in versions]
        self._places = [[list(schema.tasks).index(name) for name in shared] for schema in self._schemas]
        self._scorers = [onnx_scorer(version.model_path) for version in versions]
        self._counts = LabelCounts(self._schemas[0])
        self._grouping = Grouping(group_by) if group_by is not None else None
        self._scores: list[list[NDArray[np.float32]]] = [[], []]
        self._features: list[dict[str, list[NDArray[Any]]]] = [
            {name: [] for name in version.fusion.features} for version in versions
        ]
        self._labels: list[NDArray[np.float64]] = []
        self._known: list[Mask] = []
        self._groups: list[NDArray[np.int64]] = []
        self._values: dict[str, list[NDArray[np.object_]]] = {name: [] for name in by}
        self._calls: list[Packed] = []
        self._only = [0, 0]
        """Rows dropped by one version alone."""
        self._differ = np.zeros(len(shared), dtype=np.int64)

    def add(self, chunk: Chunk, mask: Mask) -> None:
        with chunk.naming_rows():
            new, old = (encode_labels(schema, chunk.columns) for schema in self._schemas)
        self._counts.add(new.at(mask))
        self._only[0] += int((mask & new.dropped & ~old.dropped).sum())
        self._only[1] += int((mask & old.dropped & ~new.dropped).sum())
        kept = mask & ~new.dropped & ~old.dropped
        if not kept.any():
            return
        columns = taken(chunk.columns, kept)
        self._add_labels(new.at(kept), old.at(kept))
        with chunk.naming_rows(kept):
            packed = [self._score(i, columns) for i in range(2)]
            if self._grouping is not None:
                self._groups.append(self._grouping.of(columns))
        if not self._calls:
            self._calls = [_call(one) for one in packed]
        for name in self._by:
            self._values[name].append(_text(name, columns[name]))

    def _add_labels(self, new: Labels, old: Labels) -> None:
        labels, theirs = (
            outcomes(schema, each.values)[:, places]
            for schema, each, places in zip(self._schemas, (new, old), self._places, strict=True)
        )
        known, also = new.known[:, self._places[0]], old.known[:, self._places[1]]
        self._differ += ((known != also) | (known & also & (labels != theirs))).sum(axis=0)
        self._labels.append(labels)
        self._known.append(known)

    def _score(self, i: int, columns: Mapping[str, Column]) -> Packed:
        version = self._versions[i]
        version.encoder.times.check(version.schema, columns, numbers=False)
        packed = version.encoder.encode(columns, columns)
        self._scores[i].append(_scored(self._scorers[i], packed))
        for name, parts in self._features[i].items():
            parts.append(fusion_values(version, name, columns[version.schema.column(name)]).astype(object))
        return packed

    def done(self, notes: list[str]) -> PairedRows:
        if not self._labels:
            raise DataError("the data has no row that both versions can be measured on")
        notes = [*notes, *self._counts.check_conflicts()]
        for dropped, name in zip(self._only, ("new", "old"), strict=True):
            if dropped:
                notes.append(
                    f"{dropped:,} rows that only the {name} version's given_conflicts drops are left out of both"
                )
        for name, count in zip(self._tasks, self._differ.tolist(), strict=True):
            if count:
                notes.append(
                    f"{name}: the versions' schemas give {count:,} rows different labels; both are measured against "
                    "the new version's"
                )
        versions = [
            Version(
                artifact,
                np.concatenate(self._scores[i]),
                {name: np.concatenate(parts) for name, parts in self._features[i].items()},
                self._calls[i],
            )
            for i, artifact in enumerate(self._versions)
        ]
        return PairedRows(
            tasks=self._tasks,
            labels=np.concatenate(self._labels),
            known=np.concatenate(self._known),
            groups=np.concatenate(self._groups) if self._grouping is not None else None,
            columns={name: np.concatenate(parts) for name, parts in self._values.items()},
            new=versions[0],
            old=versions[1],
            notes=notes,
        )


def _measured(schema: Schema, shared: Mapping[str, Task]) -> Schema:
    """The schema with only the shared objectives and those that they are conditional on."""
    needed = {*shared, *(parent for name in shared for parent in schema.parents(name))}
    return schema.model_copy(update={"tasks": {name: t for name, t in schema.tasks.items() if name in needed}})


def _scored(scorer: Scorer, packed: Packed) -> NDArray[np.float32]:
    arrays = {name: array for name, array in packed._asdict().items() if array.shape[1]}
    rows = len(packed.candidate_ids)
    parts = [{name: array[i : i + BATCH] for name, array in arrays.items()} for i in range(0, rows, BATCH)]
    return np.concatenate([scorer(part) for part in parts])


def _call(packed: Packed) -> Packed:
    """The first row's context with the candidates of the first ``TIMED`` rows, again if there are fewer."""
    rows = np.arange(TIMED) % len(packed.candidate_ids)
    first = packed._replace(context_ids=packed.context_ids[:1], context_numbers=packed.context_numbers[:1])
    return first.with_candidates(rows)


def _text(name: str, column: Column) -> NDArray[np.object_]:
    """Values of a column [N] as text."""
    if isinstance(column, Ragged):
        raise ConfigError(f"--by {name}: the column holds lists; rows are sliced by a column of one value each")
    values = [MISSING if value is None or value == "" else str(value) for value in to_json(column)]
    return np.array([*values, None], dtype=object)[:-1]
