"""What a reader of an experiment's result should know about its data."""

from collections.abc import Iterator

from ranker.iso_times import DAY_MS
from training.experiments.assignment import Mismatch
from training.experiments.collect import Collected
from training.experiments.events import EventCounts, Events
from training.experiments.latest import NONE
from training.experiments.requests import Requests

WEEK = 7


def notes_of(
    collected: Collected, requests: Requests, events: Events, mismatch: Mismatch | None, within: int
) -> list[str]:
    """Notes on assignment, log and events, a line each."""
    return [
        *_of_units(collected, mismatch),
        *_of_time(collected, requests, within),
        *_of_events(events.counts),
    ]


def _of_units(collected: Collected, mismatch: Mismatch | None) -> Iterator[str]:
    one = collected.assignment
    if mismatch is None:
        yield "numbers of units are not tested for a sample ratio mismatch: name their shares by --models or --shares"
    elif mismatch.p is None:
        yield "too few units to test for a sample ratio mismatch"
    if one.tangled:
        yield f"{one.tangled:,} units were in several groups, and do not count"
    if one.nameless:
        yield f"{one.nameless:,} requests in a group have no unit, and do not count"
    for reason, count in one.outside.items():
        yield f"{count:,} requests of the experiment were in no group: {reason}"
    for name, count in one.others.items():
        yield f"{count:,} requests were in the experiment {name}, and do not count"


def _of_time(collected: Collected, requests: Requests, within: int) -> Iterator[str]:
    days = (collected.last - collected.first) / DAY_MS
    if days < WEEK:
        yield f"the requests span {days:.1f} days; what users do often differs by the day of the week"
    own = requests.times[collected.counted != NONE]
    recent = int((own > collected.last - within).sum())
    if recent > 0.05 * len(own):
        yield (
            f"{recent / len(own):.0%} of the requests are within the window of the last one, and may lack events that "
            "are still to come"
        )
    if requests.unfinished:
        yield f"files of the exposure log that are still being written, and are not read: {requests.unfinished}"


def _of_events(counts: EventCounts) -> Iterator[str]:
    reasons = {
        "later than the window after their request": counts.late,
        "earlier than any request of their user": counts.early,
        "of requests or users that the log does not have in this time": counts.orphans,
        "without a kind or a time, or of neither a request nor a user": counts.incomplete,
    }
    for reason, count in reasons.items():
        if count:
            yield f"{count:,} of {counts.read:,} events are {reason}, and do not count"
    if counts.ahead:
        yield f"{counts.ahead:,} events are earlier than the request that they name, and count, since clocks differ"
    if counts.repeated:
        yield f"{counts.repeated:,} events were reported more than once, and count once"
    for kind, count in counts.negative.items():
        yield f"{count:,} events of the kind {kind} have a value below 0"
