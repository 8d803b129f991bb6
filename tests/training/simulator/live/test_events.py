import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.simulator import OBJECTIVES
from training.simulator.live import Crowd, EventOptions, Events, events
from training.simulator.live.events import SCHEMA

NOW = 1_800_000_000_000


def reported(crowd: Crowd, count: int = 500, **options: float) -> tuple[Events, dict[str, np.ndarray], list[str]]:
    visits = crowd.arrive(count)
    responses = crowd.respond(visits, visits.candidates[:, :10])
    times = np.full(count, NOW)
    chosen = EventOptions.model_validate({"late": 0.0, "twice": 0.0, **options})
    found = events(visits.ids, visits.users, times, responses, chosen, crowd.random(visits))
    again = events(visits.ids, visits.users, times, responses, chosen, crowd.random(visits))
    assert found.table().equals(again.table())
    return found, dict(responses.labels), visits.ids


def millis(table: pa.Table) -> np.ndarray:
    return np.asarray(table["time"].cast(pa.int64()).to_numpy())


def test_every_response_is_one_event_with_its_value(crowd: Crowd) -> None:
    found, labels, ids = reported(crowd)
    table = found.table()
    assert table.schema == SCHEMA
    assert found.again.num_rows == found.late.num_rows == 0
    assert len(set(table["event_id"].to_pylist())) == table.num_rows
    for kind in OBJECTIVES:
        rows = table.filter(pc.equal(table["kind"], kind))
        assert rows.num_rows == (labels[kind] > 0).sum()
        np.testing.assert_allclose(pc.sum(rows["value"]).as_py(), labels[kind].sum(dtype=np.float64))
    assert set(table["request_id"].to_pylist()) <= set(ids)


def test_events_follow_the_answer_and_the_click(crowd: Crowd) -> None:
    table = reported(crowd)[0].table()
    assert millis(table).min() > NOW
    clicks, ends = (
        {
            (row["request_id"], row["item"]): row["time"]
            for row in table.filter(pc.equal(table["kind"], kind)).to_pylist()
        }
        for kind in ("click", "watch_time")
    )
    assert clicks.keys() == ends.keys()
    assert all(clicks[key] <= ends[key] for key in clicks)


def test_pace_shortens_the_delays(world: object, crowd: Crowd) -> None:
    slow = reported(crowd)[0].table()
    fast = reported(crowd, pace=100.0)[0].table()
    assert 50 < (millis(slow) - NOW).mean() / (millis(fast) - NOW).mean() < 200


def test_late_and_repeated_events_occur_at_their_rates(crowd: Crowd) -> None:
    found, labels, _ = reported(crowd, 3_000, late=0.1, late_by=7200.0, twice=0.05)
    total = sum(int((labels[kind] > 0).sum()) for kind in OBJECTIVES)
    assert len(set(found.table()["event_id"].to_pylist())) == total
    late = set(found.late["event_id"].to_pylist())
    assert abs(len(late) / total - 0.1) < 0.02
    assert millis(found.late).min() >= NOW + 7_200_000 > millis(found.prompt).max()
    again = found.table().num_rows - total
    assert abs(again / total - 0.05) < 0.01
    assert set(found.again["event_id"].to_pylist()) <= set(found.prompt["event_id"].to_pylist())


def test_orphans_name_items_that_were_never_shown(crowd: Crowd) -> None:
    found, labels, _ = reported(crowd, 1_000, orphans=0.1)
    total = sum(int((labels[kind] > 0).sum()) for kind in OBJECTIVES)
    table = found.table()
    orphans = table.filter(pc.ends_with(table["event_id"], "orphan"))
    assert table.num_rows == total + orphans.num_rows
    assert abs(orphans.num_rows / total - 0.1) < 0.03
    assert (
        pc.min(orphans["item"]).as_py()
        > pc.max(table.filter(pc.invert(pc.ends_with(table["event_id"], "orphan")))["item"]).as_py()
    )
