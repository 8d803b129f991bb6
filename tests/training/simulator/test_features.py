import numpy as np

from training.simulator import World
from training.simulator.features import Features


def test_columns_are_those_of_the_ids(world: World) -> None:
    features = Features(world)
    ids = np.array([5, 2, 5])
    users, items = features.of_users(ids), features.of_items(ids)
    np.testing.assert_array_equal(users["user_activity"].to_numpy(), world.users.activity[ids])
    np.testing.assert_array_equal(items["duration_s"].to_numpy(), world.items.duration[ids])
    assert items["tags"][0] == items["tags"][2]
    assert {len(column) for column in (*users.values(), *items.values())} == {3}
    assert (features.ages(ids, 9).to_numpy() == 9 - world.items.upload_day[ids]).all()
    assert (features.ages(ids, np.array([9, 9, 10])).to_numpy()[::2] == [9, 10] - world.items.upload_day[5]).all()


def test_most_visits_are_on_the_usual_device(world: World) -> None:
    ids = np.repeat(np.arange(200), 50)
    drawn = np.array(Features(world).draw_devices(ids, np.random.default_rng(0)).to_pylist())
    usual = np.array(("android", "ios", "web"))[world.users.device[ids]]
    assert abs((drawn == usual).mean() - 0.9) < 0.02  # 0.85, and a third of the rest
