import datetime

import numpy as np
import pyarrow.compute as pc
import pytest
from pydantic import ValidationError

from training.simulator import World
from training.simulator.live import Crowd, CrowdOptions
from training.simulator.live.crowd import CANDIDATE, CONTEXT
from training.simulator.log import SCHEMA


def test_visits_have_the_columns_of_the_log(crowd: Crowd) -> None:
    visits = crowd.arrive(50)
    assert tuple(visits.context.column_names) == CONTEXT
    assert visits.context.num_rows == len(visits) == 50
    features = crowd.features(visits)
    assert tuple(features.column_names) == CANDIDATE
    assert features.num_rows == 50 * 20
    for table in (visits.context, features):
        for field in table.schema:
            assert SCHEMA.field(field.name).type == field.type


def test_the_world_goes_on_where_its_log_ended(crowd: Crowd, world: World) -> None:
    visits = crowd.arrive(20)
    begin = datetime.datetime(2025, 1, 11, tzinfo=datetime.UTC)  # five days from 6 January
    assert visits.times[0] == begin.timestamp() * 1000
    assert (np.diff(visits.times) == 100).all()  # ten a second
    assert visits.context["date"].unique().to_pylist() == [20250111]
    assert crowd.features(visits)["item_age_days"].to_numpy().min() >= 1
    assert (visits.days == 5).all()


def test_visits_depend_on_seed_and_number_alone(world: World) -> None:
    first, same, other = (Crowd(world, CrowdOptions(seed=seed)) for seed in (1, 1, 2))
    for crowd in (first, same):
        crowd.arrive(30)
    one, two, three = first.arrive(30), same.arrive(30), other.arrive(30)
    assert one.ids == two.ids
    assert one.context.equals(two.context)
    np.testing.assert_array_equal(one.chance, two.chance)
    np.testing.assert_array_equal(one.candidates, two.candidates)
    assert not set(one.ids) & set(three.ids)
    assert (one.users != three.users).any()


def test_clicks_enter_the_histories_of_later_visits(crowd: Crowd) -> None:
    before = crowd.arrive(400)
    assert pc.list_value_length(before.context["history"]).to_pylist() == [0] * 400
    responses = crowd.respond(before, before.candidates[:, :10])
    after = crowd.arrive(400)
    clicked = responses.labels["click"].astype(bool)
    expected: dict[int, list[int]] = {}
    for user, items, clicks in zip(before.users.tolist(), responses.items, clicked, strict=True):
        expected.setdefault(user, []).extend(items[clicks].tolist())
    histories = after.context["history"].to_pylist()
    assert histories == [expected.get(user, [])[-20:] for user in after.users.tolist()]
    assert sum(map(len, histories)) > 50


def test_options_may_change_the_number_of_candidates_and_places(world: World) -> None:
    crowd = Crowd(world, CrowdOptions(candidates=50, shown=5))
    visits = crowd.arrive(10)
    assert visits.candidates.shape == (10, 50)
    assert crowd.respond(visits, visits.candidates).items.shape == (10, 5)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"candidates": 600}, "candidates must be at most half of the 1000 items"),
        ({"candidates": 5}, "shown must be at most the 5 candidates of a request, got 10"),
    ],
)
def test_a_world_that_is_too_small_says_so(world: World, options: dict[str, int], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Crowd(world, CrowdOptions.model_validate(options))


def test_options_are_closed() -> None:
    with pytest.raises(ValidationError, match="per_second"):
        CrowdOptions(per_second=0.0)
