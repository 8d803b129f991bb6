"""Held-out rows in memory, from which lists of candidates are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Column, Items
from ranker.encoding.vocabulary import HashedVocabulary
from ranker.encoding.within_list import ListValues
from ranker.inference.pool import fusion_values
from ranker.log_files.log_reader import DataError
from training.data.encode import VALIDATION, encode_inputs, taken
from training.data.split.held_out import Split
from training.progress_listener import Progress

ROWS = 50_000
"""Most held-out rows that are read, from the first on."""


@dataclass(frozen=True, eq=False)
class HeldOutRows:
    """M held-out rows.

    Attributes
    ----------
    items
        Their candidates, encoded.
    features
        Raw values [M] of the features that the artifact's fusions read.
    groups
        The group of each row [M]; ``None`` without a group column.
    ids
        A key of each row's candidate [M]: equal for equal candidate ids, or the row's number if there are none.
    """

    items: Items
    features: Mapping[str, NDArray[Any]]
    groups: NDArray[np.int64] | None
    ids: NDArray[np.int64]
    _columns: Sequence[Mapping[str, Column]]
    _starts: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.items.ids)

    def context(self, row: int) -> dict[str, Column]:
        """The context columns of one row."""
        chunk = int(np.searchsorted(self._starts, row, side="right")) - 1
        columns = self._columns[chunk]
        mask = np.zeros(len(next(iter(columns.values()))), dtype=bool)
        mask[row - self._starts[chunk]] = True
        return taken(columns, mask)


def held_out_rows(artifact: Artifact, rows: Split, group_by: str | None, progress: Progress) -> HeldOutRows:
    """Read the first ``ROWS`` rows that the artifact's split holds out. Raises ``DataError`` if there are none."""
    schema = artifact.schema
    more = [] if group_by is None else [group_by]
    wanted = dict.fromkeys(name for plan in artifact.fusions.values() for name in plan.features)
    context = [schema.column(name) for name in schema.context]
    parts: list[Items] = []
    kept: list[Mapping[str, Column]] = []
    raw: dict[str, list[NDArray[Any]]] = {name: [] for name in wanted}
    keys: dict[str, list[NDArray[np.int64]]] = {"group": [], "id": []}
    hashes = {name: HashedVocabulary(1 << 62) for name in keys}
    total = 0
    chunks = rows.validation(list(dict.fromkeys([*schema.encoded_columns(), *more])))
    for items, columns in encode_inputs(schema, artifact.encoder, chunks, progress, VALIDATION):
        parts.append(items)
        kept.append({name: columns[name] for name in context})
        for name in wanted:
            raw[name].append(fusion_values(artifact, name, columns[schema.column(name)]).astype(object))
        if group_by is not None:
            keys["group"].append(hashes["group"].add(columns[group_by], group_by))
        if schema.candidate_id is not None:
            column = schema.column(schema.candidate_id)
            keys["id"].append(hashes["id"].add(columns[column], column))
        total += len(items.ids)
        if total >= ROWS:
            break
    if not parts:
        raise DataError("the data has no row that the artifact's split holds out, to measure the student's rankings on")
    sizes = [len(part.ids) for part in parts]
    codes = {name: np.concatenate([part.codes[name] for part in parts]) for name in parts[0].codes}
    lists = [part.lists for part in parts if part.lists is not None]
    looked_up = [part.keys for part in parts if part.keys is not None]
    joined = Items(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.numbers for part in parts]),
        codes,
        ListValues.joined(lists) if lists else None,
        np.concatenate(looked_up) if looked_up else None,
    )
    return HeldOutRows(
        items=joined.taken(np.arange(min(total, ROWS))),
        features={name: np.concatenate(values)[:ROWS] for name, values in raw.items()},
        groups=np.concatenate(keys["group"])[:ROWS] if keys["group"] else None,
        ids=(np.concatenate(keys["id"]) if keys["id"] else np.arange(total))[:ROWS],
        _columns=kept,
        _starts=np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.intp),
    )
