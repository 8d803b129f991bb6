"""Generates the impression log of a world as Arrow tables in time order.

A row is an impression: one item shown to one user at one position. Columns (SCHEMA has their types):

- ``request_id``, ``user_id``, ``item_id``: ids from 0; the rows of a session share ``request_id``.
- ``timestamp_ms`` since 1970, ``date`` as yyyymmdd, ``hour`` 0..23: start of the session, in UTC.
- ``position``: position of the item in the list, from 1.
- ``device``, ``user_age`` (years, null if unknown), ``user_gender``, ``user_city`` and ``user_activity`` (visits
  relative to the median user): the context.
- ``history``: the user's latest clicked items before the session, latest last.
- ``author_id``, ``category``, ``tags``, ``duration_s`` (seconds), ``item_age_days`` (days since upload) and
  ``item_embedding`` (a noisy content vector): the item.
- ``click``, ``long_view``, ``like``, ``share``: 0 or 1; the last three are 1 only if ``click`` is.
- ``watch_time``: seconds, 0 without a click. A view is long if at least 0.7 of the duration was watched.
"""

import datetime
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ranker.iso_times import DAY_MS
from training.simulator.behaviour import draw_labels
from training.simulator.config import SimulatorConfig
from training.simulator.features import Features
from training.simulator.history import Histories
from training.simulator.policy import Sessions, stream
from training.simulator.population import EMBEDDING, Ints
from training.simulator.world import World

SCHEMA = pa.schema(
    [
        ("request_id", pa.int64()),
        ("user_id", pa.int64()),
        ("item_id", pa.int64()),
        ("timestamp_ms", pa.int64()),
        ("date", pa.int32()),
        ("hour", pa.int8()),
        ("position", pa.int16()),
        ("device", pa.string()),
        ("user_age", pa.float32()),
        ("user_gender", pa.string()),
        ("user_city", pa.string()),
        ("user_activity", pa.float32()),
        ("history", pa.list_(pa.int64())),
        ("author_id", pa.int64()),
        ("category", pa.string()),
        ("tags", pa.list_(pa.string())),
        ("duration_s", pa.float32()),
        ("item_age_days", pa.int32()),
        ("item_embedding", pa.list_(pa.float32(), EMBEDDING)),
        ("click", pa.int8()),
        ("long_view", pa.int8()),
        ("like", pa.int8()),
        ("share", pa.int8()),
        ("watch_time", pa.float32()),
    ]
)
BLOCK_SESSIONS = 2_500
# Visits per hour of the day: a quiet night, a lunch and an evening peak.
HOURS = np.array([4, 2, 1, 1, 1, 2, 4, 7, 9, 9, 9, 10, 13, 12, 10, 10, 11, 13, 16, 19, 21, 20, 14, 8], dtype=np.float64)


def log_table(config: SimulatorConfig) -> pa.Table:
    """Simulate the whole log of ``config`` in memory: ``config.rows`` rows of SCHEMA, sorted by time.

    Takes about 400 bytes per row, so use ``simulate`` for large logs.
    """
    return pa.concat_tables(impressions(World(config))).combine_chunks()


def impressions(world: World) -> Iterator[pa.Table]:
    """Yield the log of ``world`` in blocks of at most 2,500 sessions with columns as in SCHEMA, sorted by time.

    Memory is bounded by the block and the users' histories. Each block has its own random stream, so a longer log does
    not extend a shorter one, but the same config always gives the same rows.
    """
    config = world.config
    writer = _Columns(world)
    histories = Histories(config.users, config.history_length)
    total = -(-config.rows // config.shown_per_session)
    edges = [total * day // config.days for day in range(config.days + 1)]
    written = 0
    for day in range(config.days):
        for start in range(edges[day], edges[day + 1], BLOCK_SESSIONS):
            stop = min(start + BLOCK_SESSIONS, edges[day + 1])
            rng = stream(config, 4, day, start)
            sessions = world.policy.sessions(stop - start, day, rng)
            count = edges[day + 1] - edges[day]
            share = (np.arange(start, stop) - edges[day] + rng.random(stop - start)) / count
            table = writer.table(sessions, np.arange(start, stop), day, _times(share), histories, rng)
            kept = table.slice(0, config.rows - written)
            written += kept.num_rows
            yield kept


def _times(share: npt.NDArray[np.float64]) -> Ints:
    """Milliseconds into the day by which a fraction ``share`` of its visits has occurred; increasing."""
    visits = np.concatenate([[0.0], np.cumsum(HOURS)])
    hours = np.interp(share, visits / visits[-1], np.arange(25))
    return np.minimum(hours * 3_600_000, DAY_MS - 1).astype(np.int64)


class _Columns:
    """Converts sessions to rows."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._examination = world.config.examination(world.config.shown_per_session)
        self._features = Features(world)

    def table(
        self,
        sessions: Sessions,
        requests: Ints,
        day: int,
        times: Ints,
        histories: Histories,
        rng: np.random.Generator,
    ) -> pa.Table:
        """Rows of ``sessions`` in order; adds their clicks to ``histories``."""
        config = self._world.config
        count, shown = sessions.items.shape
        labels = draw_labels(
            self._world.response(sessions.logits),
            self._world.items.duration[sessions.items],
            self._examination,
            rng.random((5, *sessions.items.shape), dtype=np.float32),
        )
        history = histories.extend(sessions.users, sessions.items, labels["click"])
        session = pa.array(np.repeat(np.arange(count), shown))
        device = self._features.draw_devices(sessions.users, rng)
        date = config.start + datetime.timedelta(days=day)
        midnight = int(np.datetime64(date, "ms").astype(np.int64))
        shown_items = sessions.items.ravel()
        rows = count * shown
        request = {
            "request_id": pa.array(requests),
            "user_id": pa.array(sessions.users),
            "timestamp_ms": pa.array(midnight + times),
            "hour": pa.array((times // 3_600_000).astype(np.int8)),
            "device": device,
            "history": history,
            **self._features.of_users(sessions.users),
        }
        columns = {
            **{name: column.take(session) for name, column in request.items()},
            **self._features.of_items(shown_items),
            **{name: pa.array(column.ravel()) for name, column in labels.items()},
            "item_id": pa.array(shown_items),
            "date": pa.array(np.full(rows, int(f"{date:%Y%m%d}"), dtype=np.int32)),
            "position": pa.array(np.tile(np.arange(1, shown + 1, dtype=np.int16), count)),
            "item_age_days": self._features.ages(shown_items, day),
        }
        return pa.table([columns[field.name] for field in SCHEMA], schema=SCHEMA)
