"""Simulated users who ask for rankings, look down the list and respond by their true behaviour.

``Crowd`` draws visits and responses; ``rounds`` runs it against any function that ranks:

    crowd = Crowd(World(SimulatorConfig()), CrowdOptions(seed=1))
    for each in rounds(crowd, lambda visits: Answers(visits.candidates[:, : crowd.shown]), requests=10_000):
        each.truth()                                    # utility by request
        each.events.table()                             # what the users' devices report
        exposures(crowd, each.visits, each.answers)     # what the service would have logged

Nothing here knows HTTP; ``training.simulator.live.service`` is the ranker that asks a running service.
"""

from training.simulator.live.answers import Answers, Ranker
from training.simulator.live.crowd import Crowd, Visits
from training.simulator.live.events import Events, events
from training.simulator.live.exposures import exposures
from training.simulator.live.options import CrowdOptions, EventOptions
from training.simulator.live.responses import NO_ITEM, Responses, respond
from training.simulator.live.rounds import Round, rounds

__all__ = [
    "NO_ITEM",
    "Answers",
    "Crowd",
    "CrowdOptions",
    "EventOptions",
    "Events",
    "Ranker",
    "Responses",
    "Round",
    "Visits",
    "events",
    "exposures",
    "respond",
    "rounds",
]
