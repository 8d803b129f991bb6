"""Scores and ranks whole lists, one after the other, as the service ranks requests."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ranker.encoding import Column, Packed
from ranker.encoding.layout import StatisticsField
from ranker.fusion import Plan
from ranker.inference.model import Model
from ranker.log_files.errors import DataError
from ranker.log_files.lists import Block
from ranker.prediction.options import PredictOptions

RawValues = Mapping[str, NDArray[Any]]
DROPPED = 0
"""Rank of a row that a rule drops."""


class RankedRows(NamedTuple):
    """Rows [K] of ranked lists.

    ``scores`` [K, T], ``fused`` and ``rank`` [K] belong to the rows at the positions ``rows`` of the block, or to all
    if it is ``None``; ``by_student`` is ``None`` unless lists may be ranked in two stages. A ``rank`` is from 1.
    """

    scores: NDArray[np.floating]
    fused: NDArray[np.float64]
    rank: NDArray[np.int32]
    by_student: NDArray[np.bool_] | None
    rows: NDArray[np.intp] | None


class _List:
    """One list as a pool of candidates: a part of a block's raw values."""

    def __init__(self, raw: RawValues, start: int, stop: int) -> None:
        self._raw, self._rows, self.count = raw, slice(start, stop), stop - start

    def ids(self, ranked: NDArray[np.intp]) -> Column:
        """Positions in the list."""
        return ranked

    def packed(self, context: Mapping[str, Column]) -> Packed:
        """Blocks are encoded as a whole."""
        raise NotImplementedError

    def raw(self, feature: str) -> NDArray[Any]:
        """Raw values [N] of a feature."""
        return self._raw[feature][self._rows]


class RankedLists:
    """Ranks the lists of a block by a fusion; attribute ``features`` has the names of the features that it reads."""

    def __init__(self, model: Model, fusion: str, plan: Plan, options: PredictOptions) -> None:
        """Raise ``InputError`` for a cascade that needs a student which the artifact lacks."""
        self._model, self._name, self._plan, self._options = model, fusion, plan, options
        self.features = plan.features
        student = model.cascade
        model.quota(fusion, 1, None, options.cascade)
        self.in_two_stages = student is not None and (options.cascade is True or student.doubt(fusion) is None)

    def ranked(self, block: Block, packed: Packed, raw: RawValues) -> RankedRows:
        """Rank each list of a block; its rows are encoded with a context each. Raises ``DataError``."""
        assert block.starts is not None, "blocks of ranked rows are made of whole lists"
        self._require_one_context(block, packed)
        rows, tasks = len(packed.candidate_ids), len(self._plan.objectives)
        scores, fused = np.empty((rows, tasks)), np.empty(rows)
        ranks, by_student = np.full(rows, DROPPED, dtype=np.int32), np.zeros(rows, dtype=bool)
        stops = [*block.starts[1:].tolist(), rows]
        for start, stop in zip(block.starts.tolist(), stops, strict=True):
            here = slice(start, stop)
            one = packed.taken(slice(start, start + 1), here)
            scores[here], fused[here], order, by_student[here] = self._one(block, one, raw, start, stop)
            ranks[start + order] = np.arange(1, len(order) + 1)
        kept = None if self._options.top_k is None else np.flatnonzero(ranks != DROPPED)
        student = by_student if self.in_two_stages else None
        if kept is None:
            return RankedRows(scores, fused, ranks, student, None)
        return RankedRows(scores[kept], fused[kept], ranks[kept], None if student is None else student[kept], kept)

    def _one(
        self, block: Block, packed: Packed, raw: RawValues, start: int, stop: int
    ) -> tuple[NDArray[np.floating], NDArray[np.float64], NDArray[np.intp], NDArray[np.bool_] | bool]:
        """Scores [N, T], fused scores [N], the order of the rows that are kept, and whether only the student scored."""
        model, plan, options = self._model, self._plan, self._options
        pool = _List(raw, start, stop)
        schema = model.artifact.schema
        context: dict[str, Column] = {schema.column(name): raw[name][start : start + 1] for name in self.features}
        quota = model.quota(self._name, pool.count, options.top_k, options.cascade)
        sifted = None if quota is None else model.sift(plan, packed, pool, context, quota)
        scores = model.engine.score(packed if sifted is None else sifted.packed(packed))
        if sifted is not None:
            scores = sifted.joined(scores)
        for row, tasks in model.not_finite(scores).items():
            raise not_finite(block, start + row, tasks)
        candidates = model.fused(plan, scores, pool, context) if sifted is None else sifted.candidates(plan, scores)
        ranked = plan.rank(candidates)
        shown = ranked.scores if options.calibrate else scores
        return shown, ranked.fused, ranked.order(options.top_k), False if sifted is None else sifted.behind

    def _require_one_context(self, block: Block, packed: Packed) -> None:
        """Raise ``DataError`` for a list whose rows differ in a context feature: a request has one context."""
        assert block.starts is not None, "blocks of ranked rows are made of whole lists"
        layout = self._model.artifact.encoder.layout.context
        first = np.repeat(block.starts, np.diff(block.starts, append=len(packed.context_ids)))
        for array, fields in ((packed.context_ids, layout.ids), (packed.context_numbers, layout.numbers)):
            differing = array != array[first]
            if not differing.any():
                continue
            row = int(np.argmax(differing.any(axis=1)))
            place = int(np.argmax(differing[row]))
            field = next(f for f in fields if f.start <= place < f.start + f.length)
            name = ", ".join(field.key) if isinstance(field, StatisticsField) else field.feature
            raise DataError(
                f"{block.place(row)}: context feature {name!r} has another value than in the list's first row "
                f"({block.place(int(first[row]))}), and a list has one context; name columns that identify one "
                "request with --rank-by"
            )


def not_finite(block: Block, row: int, tasks: list[str]) -> DataError:
    """The error for a row with scores that are not finite."""
    return DataError(
        f"{block.place(row)}: values are so large that the model gives no finite score for {', '.join(tasks)}"
    )
