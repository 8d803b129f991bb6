"""Users who visit a service: each visit asks for a ranking of candidates, and the user responds to what is shown."""

import datetime
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from ranker.iso_times import DAY_MS
from training.simulator.features import Features
from training.simulator.history import Histories
from training.simulator.live.options import CrowdOptions
from training.simulator.live.responses import Responses, respond
from training.simulator.policy import stream
from training.simulator.population import Floats, Ints
from training.simulator.world import World

CONTEXT = (
    "user_id", "timestamp_ms", "date", "hour", "device", "user_age", "user_gender", "user_city", "user_activity",
    "history",
)  # fmt: skip
"""Columns that a request may send as its context, by the log's names."""
CANDIDATE = ("item_id", "author_id", "category", "tags", "duration_s", "item_age_days", "item_embedding")
"""Columns that a request may send of its candidates, by the log's names."""
_VISITS, _EVENTS = 5, 6


@dataclass(frozen=True, eq=False)
class Visits:
    """R visits that come at the same time, with N candidates each.

    Attributes
    ----------
    first
        Number of the first visit; they are numbered from 0 in the order of arrival.
    ids
        The request ids [R], which differ by seed and number.
    users : [R]
        User ids.
    times : [R]
        Simulated times in milliseconds since 1970.
    days : [R]
        Days since the first day of the world's log.
    candidates : [R, N]
        Item ids, distinct within a visit.
    context
        Columns ``CONTEXT`` [R].
    chance : [5, R, N]
        Uniform numbers by candidate that decide the responses: an item gets the same ones wherever it is shown, so that
        two rankers see the same luck.
    """

    first: int
    ids: list[str]
    users: Ints
    times: Ints
    days: Ints
    candidates: Ints
    context: pa.Table
    chance: Floats

    def __len__(self) -> int:
        return len(self.ids)


class Crowd:
    """The users of a world as visitors of a service. Not thread-safe.

    ``arrive`` draws the next visits, and ``respond`` says what their users did with the lists that they were shown.
    Both depend only on the world, the options, the sizes of the blocks before, and the lists.

    Attributes
    ----------
    world, options
        As given.
    shown, candidates
        Places that a user looks at, and candidates of a visit.
    """

    def __init__(self, world: World, options: CrowdOptions | None = None) -> None:
        """Raise ``ValueError`` for options that the world cannot meet."""
        config = world.config
        self.world = world
        self.options = options or CrowdOptions()
        self.shown = self.options.shown or config.shown_per_session
        self.candidates = self.options.candidates or config.candidates_per_session
        if self.shown > self.candidates:
            raise ValueError(f"shown must be at most the {self.candidates} candidates of a request, got {self.shown}")
        midnight = datetime.datetime.combine(config.start, datetime.time(), datetime.UTC)
        start = self.options.start or midnight + datetime.timedelta(days=config.days)
        start = start if start.tzinfo else start.replace(tzinfo=datetime.UTC)
        self._start = int(start.timestamp() * 1000)
        self._origin = int(midnight.timestamp() * 1000)
        first_day = (self._start - self._origin) // DAY_MS
        live = int((world.items.upload_day <= first_day).sum())
        if live < 2 * self.candidates:
            raise ValueError(
                f"candidates must be at most half of the {live} items that are uploaded by {start:%Y-%m-%d}, got "
                f"{self.candidates}"
            )
        self._features = Features(world)
        self._histories = Histories(config.users, config.history_length)
        self._came = 0

    def arrive(self, count: int) -> Visits:
        """Draw the next ``count`` visits. Histories have the clicks of all earlier calls of ``respond``."""
        if count < 1:
            raise ValueError(f"count must be at least 1, got {count}")
        first, config = self._came, self.world.config
        rng = stream(config, _VISITS, self.options.seed, first)
        numbers = np.arange(first, first + count)
        times = self._start + np.floor(numbers / self.options.per_second * 1000).astype(np.int64)
        days = (times - self._origin) // DAY_MS
        users = self.world.policy.visitors(count, rng)
        candidates = self.world.policy.retrieve(count, int(days[0]), rng, self.candidates)
        self._came += count
        return Visits(
            first=first,
            ids=[f"sim-{self.options.seed}-{number}" for number in numbers.tolist()],
            users=users,
            times=times,
            days=days,
            candidates=candidates,
            context=self._context(users, times, rng),
            chance=rng.random((5, *candidates.shape), dtype=np.float32),
        )

    def features(self, visits: Visits) -> pa.Table:
        """Columns ``CANDIDATE`` of all candidates, visit after visit [R * N]."""
        return pa.table(self.features_of(visits.candidates.ravel(), np.repeat(visits.days, visits.candidates.shape[1])))

    def features_of(self, items: Ints, days: Ints) -> dict[str, pa.Array]:
        """Columns ``CANDIDATE`` of items [B] on days [B] since the first of the world's log."""
        columns = {
            "item_id": pa.array(items),
            "item_age_days": self._features.ages(items, days),
            **self._features.of_items(items),
        }
        return {name: columns[name] for name in CANDIDATE}

    def respond(self, visits: Visits, items: Ints) -> Responses:
        """What the users did with lists [R, K] of item ids by place, ``NO_ITEM`` where a list has ended.

        Places beyond ``shown`` are not looked at. The clicks enter the users' histories. Raises ``ValueError`` for a
        list that holds an item twice, or one that is no candidate of its visit.
        """
        responses = respond(self.world, visits.users, visits.candidates, visits.chance, items[:, : self.shown])
        self._histories.extend(visits.users, responses.items, responses.labels["click"])
        return responses

    def random(self, visits: Visits) -> np.random.Generator:
        """A stream of random numbers for the reports of these visits."""
        return stream(self.world.config, _EVENTS, self.options.seed, visits.first)

    def _context(self, users: Ints, times: Ints, rng: np.random.Generator) -> pa.Table:
        days, which = np.unique(times.astype("datetime64[ms]").astype("datetime64[D]"), return_inverse=True)
        dates = np.array([int(f"{date:%Y%m%d}") for date in days.tolist()], dtype=np.int32)
        columns = {
            "user_id": pa.array(users),
            "timestamp_ms": pa.array(times),
            "date": pa.array(dates[which]),
            "hour": pa.array((times // 3_600_000 % 24).astype(np.int8)),
            "device": self._features.draw_devices(users, rng),
            "history": self._histories.of(users),
            **self._features.of_users(users),
        }
        return pa.table({name: columns[name] for name in CONTEXT})
