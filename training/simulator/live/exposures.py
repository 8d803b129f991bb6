"""The exposure log that a service would have written, for rankers that are plain functions."""

import numpy as np
import pyarrow as pa

from ranker.exposures.columns import CANDIDATE, CONTEXT, ITEM, REQUEST, ROW
from training.simulator.live.answers import Answers
from training.simulator.live.crowd import Crowd, Visits
from training.simulator.live.responses import NO_ITEM


def exposures(crowd: Crowd, visits: Visits, answers: Answers, *, features: bool = False) -> pa.Table:
    """Rows of the exposure log for all returned items, by request and place, with units as text.

    ``features`` adds all context and candidate columns of the world.
    """
    row, place = np.nonzero(answers.items != NO_ITEM)
    request, count = pa.array(row), len(visits)
    none = [None] * count
    returned = (answers.items != NO_ITEM).sum(axis=1).astype(np.int32)
    requests = {
        "request_id": pa.array(visits.ids, type=pa.string()),
        "time": pa.array(answers.times_of(visits)),
        "model": pa.array(answers.models or ["default"] * count, type=pa.string()),
        "version": pa.array(answers.versions or [1] * count, type=pa.int32()),
        "experiment": pa.array([answers.experiment] * count, type=pa.string()),
        "group": pa.array(answers.groups or none, type=pa.string()),
        "outside": pa.array(answers.outside or none, type=pa.string()),
        "fusion": pa.array(["default"] * count),
        "formula": pa.array(["function"] * count),
        "parameters": pa.array(["{}"] * count),
        "unit": pa.array(visits.users).cast(pa.string()),
        "candidates": pa.array(np.full(count, visits.candidates.shape[1], dtype=np.int32)),
        "returned": pa.array(returned),
    }
    known = {
        "place": place + 1,
        "base_place": None if answers.base_place is None else answers.base_place[row, place],
        "propensity": None if answers.propensity is None else answers.propensity[row, place],
        "fused": np.full(row.size, np.nan) if answers.fused is None else answers.fused[row, place],
    }
    items = answers.items[row, place]
    columns = {
        **{name: requests[name].take(request).cast(kind) for name, kind in REQUEST.items()},
        ITEM: pa.array(items),
        **{
            name: pa.nulls(row.size, kind) if (values := known[name]) is None else pa.array(values).cast(kind)
            for name, kind in ROW.items()
        },
    }
    if features:
        columns |= {
            CONTEXT + name: visits.context[name].combine_chunks().take(request) for name in visits.context.column_names
        }
        columns |= {CANDIDATE + name: column for name, column in crowd.features_of(items, visits.days[row]).items()}
    return pa.table(columns)
