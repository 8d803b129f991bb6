"""Counts the ids of encoded rows that are not in the vocabulary of their feature."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding.layout import SideLayout
from ranker.encoding.vocabulary import UNSEEN


class IdCounts(NamedTuple):
    """Number of ids that are not missing, and of those not in the vocabulary."""

    present: int
    unseen: int

    def plus(self, other: "IdCounts") -> "IdCounts":
        """The counts of both."""
        return IdCounts(self.present + other.present, self.unseen + other.unseen)


def id_counts(side: SideLayout, ids: NDArray[np.int32]) -> dict[str, IdCounts]:
    """Counts by feature of one side's packed ids [N, side.id_width]."""
    present, unseen = np.count_nonzero(ids, axis=0), np.count_nonzero(ids == UNSEEN, axis=0)
    columns = {field.feature: slice(field.start, field.start + field.length) for field in side.ids}
    return {name: IdCounts(int(present[at].sum()), int(unseen[at].sum())) for name, at in columns.items()}
