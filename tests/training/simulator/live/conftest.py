import numpy as np
import pytest

from training.simulator import World
from training.simulator.live import Answers, Crowd, CrowdOptions, Ranker, Visits


@pytest.fixture
def crowd(world: World) -> Crowd:
    return Crowd(world, CrowdOptions(seed=1))


@pytest.fixture(scope="session")
def retrieved() -> Ranker:
    """Shows the first ten candidates as they were retrieved."""
    return lambda visits: Answers(visits.candidates[:, :10])


@pytest.fixture(scope="session")
def best(world: World) -> Ranker:
    """Shows the candidates by true utility."""

    def rank(visits: Visits) -> Answers:
        order = np.argsort(-world.utility(visits.users[:, None], visits.candidates), axis=1)
        return Answers(np.take_along_axis(visits.candidates, order, axis=1)[:, :10])

    return rank
