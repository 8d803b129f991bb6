"""Runs a crowd against a ranker, block by block."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from training.simulator.live.answers import Answers, Ranker
from training.simulator.live.crowd import Crowd, Visits
from training.simulator.live.events import Events, events
from training.simulator.live.options import EventOptions
from training.simulator.live.responses import Responses
from training.simulator.world import OBJECTIVES

BLOCK = 256
"""Visits that are answered before their clicks enter the histories."""


class Round(NamedTuple):
    """One block of visits and what came of them."""

    visits: Visits
    answers: Answers
    responses: Responses
    events: Events

    def truth(self) -> pa.Table:
        """What is true of each list, one row a request: see docs/exposures.md for the columns."""
        visits, answers, responses = self.visits, self.answers, self.responses
        count, none = len(visits), [None] * len(visits)
        return pa.table(
            {
                "request_id": pa.array(visits.ids, type=pa.string()),
                "user": pa.array(visits.users),
                "time": pa.array(answers.times_of(visits)).cast(pa.timestamp("ms", tz="UTC")),
                "answered": pa.array(answers.answered),
                "model": pa.array(answers.models or none, type=pa.string()),
                "version": pa.array(answers.versions or none, type=pa.int32()),
                "experiment": pa.array([answers.experiment] * count, type=pa.string()),
                "group": pa.array(answers.groups or none, type=pa.string()),
                "outside": pa.array(answers.outside or none, type=pa.string()),
                "utility": pa.array(responses.utility),
                "best": pa.array(responses.best),
                **{name: pa.array(responses.collected[name]) for name in OBJECTIVES},
                **{
                    f"drawn_{name}": pa.array(responses.labels[name].sum(axis=1, dtype=np.float64))
                    for name in OBJECTIVES
                },
            }
        )


def rounds(
    crowd: Crowd, rank: Ranker, requests: int, options: EventOptions | None = None, *, block: int = BLOCK
) -> Iterator[Round]:
    """Answer the next ``requests`` visits by ``rank``, in blocks.

    Equal arguments give equal rounds if ``rank`` gives equal answers. The order in which it answers a block does not
    matter, but the size of blocks does.
    """
    reports = options or EventOptions()
    for start in range(0, requests, block):
        visits = crowd.arrive(min(block, requests - start))
        answers = rank(visits)
        responses = crowd.respond(visits, answers.items)
        times = answers.times_of(visits)
        reported = events(visits.ids, visits.users, times, responses, reports, crowd.random(visits))
        yield Round(visits, answers, responses, reported)
