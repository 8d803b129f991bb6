import datetime
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from training.simulator import SimulatorConfig


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rows": 0}, "rows"),
        ({"seed": -1}, "seed"),
        ({"policy_noise": float("inf")}, "policy_noise"),
        ({"row": 10}, "unknown key 'row'; did you mean 'rows'"),
        ({"shown_per_session": 21}, "shown_per_session must be <= candidates_per_session = 20, got 21"),
        ({"items": 39}, "items must be >= 2 \\* candidates_per_session = 40, got 39"),
        ({"click_rate": 0.6}, "click_rate must be <= 0.5"),
        ({"like_rate": 0.33}, "like_rate must be <= 0.9 \\* click_rate = 0.315 .*, got 0.33"),
        ({"start": datetime.date(9999, 12, 25)}, "start must leave 14 days"),
    ],
)
def test_wrong_values_are_rejected_by_name(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimulatorConfig(**values)


def test_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        SimulatorConfig().rows = 5  # type: ignore[misc]


def test_users_and_items_do_not_grow_with_rows() -> None:
    large = SimulatorConfig(rows=10_000_000)
    assert (large.users, large.items) == (20_000, 5_000)


def test_examination_falls_as_a_power_of_the_position() -> None:
    np.testing.assert_allclose(SimulatorConfig(position_bias=0.5).examination(4), [1.0, 0.5**0.5, 3**-0.5, 0.5])
    np.testing.assert_array_equal(SimulatorConfig(position_bias=0.0).examination(3), [1.0, 1.0, 1.0])
