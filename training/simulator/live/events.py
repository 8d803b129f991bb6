"""Events of responses, as users' devices report them: after a while, some late, some twice, some of nothing shown."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.simulator.live.options import EventOptions
from training.simulator.live.responses import Responses
from training.simulator.population import Ints
from training.simulator.world import OBJECTIVES, Values

SCHEMA = pa.schema(
    [
        ("event_id", pa.string()),
        ("request_id", pa.string()),
        ("user", pa.int64()),
        ("item", pa.int64()),
        ("kind", pa.string()),
        ("time", pa.timestamp("ms", tz="UTC")),
        ("value", pa.float64()),
    ]
)
"""Columns of events. Kinds are the objectives; the value is 1, or the seconds of ``watch_time``."""
READING = 1.5
"""Seconds that a user spends on each place on the way down."""


class Events(NamedTuple):
    """Tables of ``SCHEMA``: those reported at once, those reported again, and those that occurred late."""

    prompt: pa.Table
    again: pa.Table
    late: pa.Table

    def table(self) -> pa.Table:
        """All of them, in the order of reports."""
        return pa.concat_tables(self).combine_chunks()


def events(
    ids: list[str],
    users: Ints,
    answered: Ints,
    responses: Responses,
    options: EventOptions,
    rng: np.random.Generator,
) -> Events:
    """Events of R requests: ids [R], users [R], times of the answers [R] in milliseconds since 1970, and responses.

    An event's ``event_id`` tells reports of the same event. Equal arguments give equal events.
    """
    requests, shown = pa.array(ids, type=pa.string()), responses.items.shape
    # Drawn by place, whatever was clicked, so that a request's events do not depend on other requests' lists.
    luck = rng.random((len(OBJECTIVES), 2, *shown))
    tardy = np.asarray(rng.random(shown[0]) < options.late)  # whole visits, as of a device without a connection
    at = _times(responses, options, rng)
    parts = []
    for number, kind in enumerate(OBJECTIVES):
        values = responses.labels[kind].astype(np.float64)
        row, place = np.nonzero(values > 0)
        chance = luck[number][:, row, place]
        late = tardy[row]
        seconds = at[kind][row, place] + np.where(late, options.late_by, 0.0)
        table = _table(
            requests.take(pa.array(row)), users[row], responses.items[row, place], kind,
            answered[row] + np.floor(seconds * 1000).astype(np.int64), values[row, place], place + 1,
        )  # fmt: skip
        strange = _strange(table.filter(pa.array(chance[0] < options.orphans)), int(responses.items.max(initial=0)))
        parts.append((table, late, chance[1] < options.twice, strange))
    whole = pa.concat_tables([table for table, *_ in parts])
    late, twice = (np.concatenate([part[n] for part in parts]) for n in (1, 2))
    return Events(
        prompt=pa.concat_tables([whole.filter(pa.array(~late)), *(part[3] for part in parts)]).sort_by("time"),
        again=whole.filter(pa.array(twice & ~late)).sort_by("time"),
        late=pa.concat_tables([whole.filter(pa.array(late)), whole.filter(pa.array(twice & late))]).sort_by("time"),
    )


def _times(responses: Responses, options: EventOptions, rng: np.random.Generator) -> dict[str, Values]:
    """Seconds [R, K] from the answer to each kind of event: a click, then likes while watching, then the rest."""
    shown = responses.items.shape
    click = np.arange(1, shown[1] + 1) * READING + rng.exponential(options.delay, size=shown)
    watched = responses.labels["watch_time"].astype(np.float64)
    like = click + rng.random(shown) * watched
    end = click + watched
    at = {"click": click, "like": like, "long_view": end, "watch_time": end, "share": end + 1.0}
    return {kind: seconds / options.pace for kind, seconds in at.items()}


def _table(
    requests: pa.Array, users: Ints, items: Ints, kind: str, times: Ints, values: Values, places: Ints
) -> pa.Table:
    columns = {
        "event_id": pc.binary_join_element_wise(requests, pa.array(places).cast(pa.string()), pa.scalar(kind), "-"),
        "request_id": requests,
        "user": pa.array(users),
        "item": pa.array(items),
        "kind": pa.array([kind] * len(users), type=pa.string()),
        "time": pa.array(times).cast(pa.timestamp("ms", tz="UTC")),
        "value": pa.array(values),
    }
    return pa.table(columns, schema=SCHEMA)


def _strange(table: pa.Table, largest: int) -> pa.Table:
    """The same events once more, of an item beyond all shown, as if a page had been kept from long ago."""
    if not table.num_rows:
        return table
    items = pc.add(table["item"], largest + 1)
    names = pc.binary_join_element_wise(table["event_id"], pa.scalar("orphan"), "-")
    return table.set_column(0, "event_id", names).set_column(3, "item", items)
