"""Lists of candidates for one context each: logged ones, and sampled ones as long as requests."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ranker.artifact import Artifact
from ranker.encoding import Packed
from training.distillation.held_out_rows import HeldOutRows
from training.export.row_sample import sampled

LOGGED = 500
"""Most logged lists that are measured."""
FEWEST = 2
"""Fewest candidates of a list."""


@dataclass(frozen=True, eq=False)
class CandidateList:
    """N candidates of one context.

    Attributes
    ----------
    packed
        Model inputs, with one context row.
    features
        Raw values of the features that fusions read: [N], or one value of the context.
    """

    packed: Packed
    features: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.packed.candidate_ids)


def sampled_lists(
    artifact: Artifact, rows: HeldOutRows, count: int, candidates: int, seed: int
) -> Iterator[CandidateList]:
    """Lists of a row's context and candidates of distinct ids drawn from all rows; fewer if there are fewer ids."""
    random = np.random.default_rng(seed)
    for _ in range(count):
        context = int(random.integers(len(rows)))
        order = random.permutation(len(rows))
        _, first = np.unique(rows.ids[order], return_index=True)
        chosen = order[np.sort(first)[:candidates]]
        yield _list(artifact, rows, context, chosen)


def logged_lists(artifact: Artifact, rows: HeldOutRows) -> Iterator[CandidateList]:
    """Groups of rows, or runs of 20 without a group column, with the context of their first row."""
    members, codes = sampled(rows.groups, len(rows), len(rows))
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes))
    made = 0
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        chosen = members[order[start:end]].astype(np.intp)
        if len(chosen) < FEWEST or made == LOGGED:
            continue
        made += 1
        yield _list(artifact, rows, int(chosen[0]), chosen)


def _list(artifact: Artifact, rows: HeldOutRows, context: int, chosen: NDArray[np.intp]) -> CandidateList:
    packed = artifact.encoder.join(rows.context(context), rows.items.taken(chosen))
    of_context = artifact.schema.context
    features = {
        name: np.array(values[context], dtype=object) if name in of_context else values[chosen]
        for name, values in rows.features.items()
    }
    return CandidateList(packed, features)
