import numpy as np

from training.simulator import SimulatorConfig, World
from training.simulator.policy import CLICK


def test_sessions_show_distinct_items_that_exist_by_then(world: World) -> None:
    for day in (0, world.config.days - 1):
        sessions = world.policy.sessions(500, day, np.random.default_rng(1))
        assert sessions.items.shape == (500, world.config.shown_per_session)
        ordered = np.sort(sessions.items, axis=1)
        assert (ordered[:, 1:] > ordered[:, :-1]).all()
        assert world.items.upload_day[sessions.items].max() <= day


def test_popular_items_are_retrieved_more_and_better_matches_shown_earlier(world: World) -> None:
    sessions = world.policy.sessions(5_000, world.config.days - 1, np.random.default_rng(2))
    shown = np.bincount(sessions.items.ravel(), minlength=world.config.items)
    ranks = np.argsort(np.argsort(world.items.popularity))
    assert np.corrcoef(ranks, np.argsort(np.argsort(shown)))[0, 1] > 0.7
    clickable = sessions.logits[..., CLICK].mean(axis=0)
    assert (np.diff(clickable) < 0).all()


def test_active_users_visit_in_proportion(world: World) -> None:
    visits = np.bincount(world.policy.sessions(20_000, 0, np.random.default_rng(3)).users, minlength=2_000)
    expected = 20_000 * world.users.activity / world.users.activity.sum()
    z = (visits - expected) / np.sqrt(expected)
    assert 0.9 < z.std() < 1.1


def test_without_noise_the_policy_is_a_function_of_user_and_item() -> None:
    config = SimulatorConfig(users=1, items=4, candidates_per_session=2, shown_per_session=2, policy_noise=0.0)
    sessions = World(config).policy.sessions(200, 0, np.random.default_rng(4))
    orders = {tuple(pair) for pair in sessions.items.tolist()}
    assert not any((b, a) in orders for a, b in orders)


def test_the_policy_weighs_popularity_and_skill() -> None:
    sizes = {"users": 20, "items": 40, "candidates_per_session": 4, "shown_per_session": 4, "policy_noise": 0.0}

    def sessions(skill: float, popularity: float):
        world = World(SimulatorConfig(**sizes, policy_skill=skill, policy_popularity=popularity))
        found = world.policy.sessions(50, 0, np.random.default_rng(5))
        return np.diff(world.items.popularity[found.items]), np.diff(found.logits[..., CLICK])

    popular, clickable = sessions(0.0, 1.0)
    assert (popular <= 0).all()
    assert (clickable > 0).any()
    popular, clickable = sessions(1.0, 0.0)
    assert (clickable <= 0).all()
    assert (popular > 0).any()
