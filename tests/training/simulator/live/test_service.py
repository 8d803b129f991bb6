import time
from collections.abc import Iterator

import numpy as np
import pytest

from tests.training.simulator.live.fake_service import FakeService, fake_service
from training.simulator import World
from training.simulator.live import NO_ITEM, Crowd, CrowdOptions, Round, rounds
from training.simulator.live import service as module
from training.simulator.live.service import Service, ServiceError, ServiceOptions


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


def visited(world: World, fake: FakeService, count: int = 60, **options: object) -> list[Round]:
    crowd = Crowd(world, CrowdOptions(seed=1))
    with Service(crowd, ServiceOptions(fake.url, **options)) as service:  # type: ignore[arg-type]
        return list(rounds(crowd, service, count, block=20))


def test_users_send_what_the_model_needs_and_see_what_it_answers(world: World, fake: FakeService) -> None:
    before = time.time_ns() // 1_000_000
    found = visited(world, fake, 40)
    assert {tuple(body["context"]) for _, body in fake.asked} == {("user_id", "device", "history")}
    assert {tuple(body["candidates"]) for _, body in fake.asked} == {("item_id", "tags", "item_embedding")}
    bodies = {headers["X-Request-ID"]: body for headers, body in fake.asked}
    for block in found:
        for row, request in enumerate(block.visits.ids):
            body = bodies[request]
            assert body["candidates"]["item_id"] == block.visits.candidates[row].tolist()
            assert body["context"]["user_id"] == block.visits.users[row]
            assert len(body["candidates"]["item_embedding"][0]) == 8
            assert body["top_k"] == 10
        shown = np.sort(block.answers.items, axis=1)
        assert (shown != NO_ITEM).all()
        assert block.truth()["group"].to_pylist() == [("even", "odd")[user % 2] for user in block.visits.users]
        assert block.truth()["version"].to_pylist() == [3] * len(block.visits)
        times = np.asarray(block.truth()["time"].cast("int64"))
        assert ((times >= before) & (times <= time.time_ns() // 1_000_000)).all()


def test_what_users_do_does_not_depend_on_how_many_ask_at_a_time(world: World, fake: FakeService) -> None:
    one, many = (visited(world, fake, connections=connections) for connections in (1, 8))
    for a, b in zip(one, many, strict=True):
        assert a.truth().drop_columns("time").equals(b.truth().drop_columns("time"))
        assert a.visits.context.equals(b.visits.context)
        for first, second in zip(a.events, b.events, strict=True):
            ids = sorted(first["event_id"].to_pylist())
            assert ids == sorted(second["event_id"].to_pylist())
    assert len(fake.connections) <= 1 + 8


def test_the_simulated_clock_makes_events_reproducible(world: World, fake: FakeService) -> None:
    one, two = (visited(world, fake, clock="simulated") for _ in range(2))
    for a, b in zip(one, two, strict=True):
        assert a.truth().equals(b.truth())
        assert a.events.table().equals(b.events.table())
        np.testing.assert_array_equal(a.truth()["time"].cast("int64"), a.visits.times)


def test_ids_keys_and_models_are_sent_if_asked_for(world: World, fake: FakeService) -> None:
    visited(world, fake, 20, by_id=True, user=True, key="secret", model="other", user_header="X-User")
    headers, body = fake.asked[0]
    assert headers["Authorization"] == "Bearer secret"
    assert headers["X-User"] == str(body["user"])
    assert body["context"] == {}
    assert list(body["candidates"]) == ["item_id"]
    assert body["model"] == "other"


def test_a_busy_service_is_asked_again(world: World, fake: FakeService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake.refuse = lambda number: (503, {}) if number % 3 else None
    found = visited(world, fake, 20, connections=1)
    assert found[0].answers.answered.all()
    assert len(fake.asked) == 60


def test_a_visit_that_stays_unanswered_earns_nothing(
    world: World, fake: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda _: None)
    fake.refuse = lambda number: (503, {}) if number > 15 else None
    crowd = Crowd(world, CrowdOptions(seed=1))
    with Service(crowd, ServiceOptions(fake.url, connections=1, attempts=2)) as service:
        (found,) = rounds(crowd, service, 20)
        assert service.unanswered == 5
        with pytest.raises(ServiceError, match="stayed busy: answered none of 20 requests in 2 attempts"):
            list(rounds(crowd, service, 20))
    truth = found.truth()
    assert truth["answered"].to_pylist() == [True] * 15 + [False] * 5
    assert truth["utility"].to_pylist()[15:] == [0.0] * 5


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((401, {"detail": []}), "answers 401: it wants an API key"),
        ((422, {"detail": [{"field": "context.hour", "reason": "is required"}]}), "answers 422: context.hour: is requ"),
        ((500, "?"), "answers 500: is it a ranker-serve"),
    ],
)
def test_a_refusal_says_why(world: World, fake: FakeService, answer: tuple[int, object], reason: str) -> None:
    fake.refuse = lambda _: answer
    with pytest.raises(ServiceError, match=reason):
        visited(world, fake, 20)


def test_columns_that_the_world_lacks_are_named(world: World, fake: FakeService) -> None:
    fake.context["loyalty"] = True
    fake.candidates |= {"price": True, "colour": True}
    with pytest.raises(ServiceError, match=r"need context\.loyalty, candidates\.price, candidates\.colour, which the"):
        visited(world, fake)
    with pytest.raises(ServiceError, match=r"need context\.loyalty, which the"):
        visited(world, fake, by_id=True)


def test_a_password_in_the_address_is_refused_unseen(world: World) -> None:
    with pytest.raises(ServiceError, match="leave out the user and password") as found:
        Service(Crowd(world), ServiceOptions("http://user:secret@127.0.0.1:9"))
    assert "secret" not in str(found.value)


def test_no_service_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.time, "sleep", lambda _: None)
    with pytest.raises(ServiceError, match=r"http://127\.0\.0\.1:9/model: cannot be asked: .*refused"):
        Service(Crowd(world), ServiceOptions("http://127.0.0.1:9"))
    with pytest.raises(ServiceError, match="name a service by its address"):
        Service(Crowd(world), ServiceOptions("localhost:8000"))
