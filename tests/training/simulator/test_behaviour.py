import numpy as np
import pytest

from training.simulator import World
from training.simulator.behaviour import RESPONSES, Drivers, sigmoid


def test_logits_of_a_pair_by_hand() -> None:
    user, item = np.zeros((2, 11), dtype=np.float32), np.zeros((2, 11), dtype=np.float32)
    user[1, 0], user[1, 6] = 2.0, 0.5  # taste in the first dimension; clicks readily
    item[1, 0], item[1, 7] = -1.5, 0.25  # topic in the first dimension; a trait that raises long views
    drivers = Drivers(user=user, item=item)
    # 2 * -1.5 = -3 times 0.6, 0.2, 0.1, 0.1, 0, plus what each side brings alone.
    expected = [-1.8 + 0.5, -0.6 + 0.25, -0.3, -0.3, 0.0]
    np.testing.assert_allclose(drivers.logits(np.array([1]), np.array([1])), [expected], atol=1e-6)
    np.testing.assert_array_equal(drivers.logits(np.array([[0]]), np.array([0, 0, 0])), np.zeros((1, 3, 5)))


def test_clickbait_alone_moves_the_responses_as_the_table_says(world: World) -> None:
    drivers = Drivers.of(world.users, world.items)
    traits = np.column_stack(
        [world.items.quality, world.items.clickbait, np.log(world.items.duration / 30.0) / 0.8, world.items.topic]
    )
    slopes = np.linalg.lstsq(traits, drivers.item[:, 6:], rcond=None)[0]
    np.testing.assert_allclose(slopes[1], [0.9, -0.9, -0.5, 0.1, -0.3], atol=1e-4)
    np.testing.assert_allclose(slopes[3:], 0.0, atol=1e-4)


def test_sigmoid_at_known_points() -> None:
    np.testing.assert_allclose(sigmoid(np.array([0.0, np.log(3.0), -np.log(3.0)])), [0.5, 0.75, 0.25])


def test_response_has_one_field_per_row_of_the_table(world: World) -> None:
    response = world.response(np.zeros((4, 3, 5), dtype=np.float32) - world.intercepts)
    assert response._fields == RESPONSES
    for field in response:
        assert field == pytest.approx(np.full((4, 3), 0.5))
