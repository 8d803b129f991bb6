import itertools

import numpy as np
import pytest

from training.simulator import OBJECTIVES, UTILITY, SimulatorConfig, World

SMALL = SimulatorConfig(users=60, items=80, authors=10, seed=1)


@pytest.fixture(scope="module")
def small() -> World:
    return World(SMALL)


@pytest.fixture(scope="module")
def pairs(world: World) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.integers(world.config.users, size=40_000), rng.integers(world.config.items, size=40_000)


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def test_the_same_seed_gives_the_same_world_whatever_the_rows(small: World) -> None:
    again = World(SMALL.model_copy(update={"rows": 7}))
    other = World(SMALL.model_copy(update={"seed": 2}))
    np.testing.assert_array_equal(small.probe(), again.probe())
    assert (small.probe() != other.probe()).all()


def test_expectations_are_the_chance_of_a_click_times_what_follows(world: World, pairs: tuple[np.ndarray, ...]) -> None:
    expected, given = world.expected(*pairs), world.given_click(*pairs)
    assert tuple(expected) == tuple(given) == OBJECTIVES
    for name in OBJECTIVES:
        np.testing.assert_allclose(expected[name], expected["click"] * given[name])
        assert expected[name].dtype == np.float64
    for name in ("click", "long_view", "like", "share"):
        assert 0.0 < expected[name].min() <= expected[name].max() < 1.0
    # A long view lasts 0.85 of the video on average, any other less than 0.7.
    duration, long_view = world.items.duration[pairs[1]], given["long_view"]
    assert (given["watch_time"] > 0.85 * long_view * duration).all()
    assert (given["watch_time"] < (0.85 * long_view + 0.7 * (1.0 - long_view)) * duration).all()


def test_objectives_conflict_where_they_should(world: World, pairs: tuple[np.ndarray, ...]) -> None:
    click, given = world.expected(*pairs)["click"], world.given_click(*pairs)
    bait, duration = world.items.clickbait[pairs[1]], world.items.duration[pairs[1]]
    assert correlation(bait, click) > 0.3
    assert correlation(bait, given["long_view"]) < -0.3
    assert correlation(bait, given["watch_time"]) < -0.1
    assert correlation(bait, given["like"]) < -0.1
    assert correlation(duration, given["long_view"]) < -0.2
    assert correlation(duration, given["watch_time"]) > 0.4
    assert correlation(given["like"], given["share"]) > 0.3
    assert correlation(given["like"], given["long_view"]) > 0.2


def test_no_objective_s_ranking_is_best_for_another(world: World) -> None:
    rng = np.random.default_rng(5)
    users = rng.integers(world.config.users, size=300)
    candidates = np.array([rng.choice(world.config.items, 60, replace=False) for _ in users])
    expected = world.expected(users[:, None], candidates)
    collected = {
        by: world.collected(users, candidates, np.argsort(-value, axis=1), k=10) for by, value in expected.items()
    }
    for by, objective in itertools.permutations(OBJECTIVES, 2):
        best = collected[objective][objective].mean()
        assert collected[by][objective].mean() < 0.97 * best, f"ranking by {by} is too good for {objective}"


def test_utility_is_the_weighted_sum_of_objectives(small: World) -> None:
    users, items = np.arange(60)[:, None], np.arange(80)
    expected = small.expected(users, items)
    total = sum(UTILITY[name] * expected[name] for name in OBJECTIVES)
    np.testing.assert_allclose(small.utility(users, items), total)
    np.testing.assert_allclose(
        small.utility(users, items, {"like": 2.0, "watch_time": -0.1}),
        2.0 * expected["like"] - 0.1 * expected["watch_time"],
    )
    assert small.utility(3, 4).shape == ()


def test_regret_of_two_swapped_items_by_hand() -> None:
    world = World(SMALL.model_copy(update={"position_bias": 1.0, "click_rate": 0.2, "long_view_rate": 0.1}))
    candidates = np.array([10, 11, 12])
    first, second, third = np.argsort(-world.expected(7, candidates)["click"])
    a, b, c = np.sort(world.expected(7, candidates)["click"])[::-1]
    clicks = {"click": 1.0}
    # Places count 1, 1/2 and 1/3.
    assert world.regret(7, candidates, [second, first, third], 3, clicks) == pytest.approx((a - b) / 2)
    assert world.regret(7, candidates, [first, third], 2, clicks) == pytest.approx((b - c) / 2)
    assert world.regret(7, candidates, [third], 1, clicks) == pytest.approx(a - c)
    assert world.collected(7, candidates, [third, second, first], 3)["click"] == pytest.approx(c + b / 2 + a / 3)


@pytest.mark.parametrize("weights", [UTILITY, {"like": 1.0, "watch_time": -1.0}])
@pytest.mark.parametrize("k", [1, 3, 4])
def test_regret_is_zero_for_the_best_order_only(small: World, weights: dict[str, float], k: int) -> None:
    candidates = np.array([5, 17, 42, 63])
    orders = np.array(list(itertools.permutations(range(4))))
    users = np.full(len(orders), 9)
    regrets = small.regret(users, np.tile(candidates, (len(orders), 1)), orders, k, weights)
    best = np.argsort(-small.utility(9, candidates, weights))
    assert small.regret(9, candidates, best, k, weights) == 0.0
    same = (orders[:, :k] == best[:k]).all(axis=1)
    np.testing.assert_array_equal(regrets[same], 0.0)
    assert (regrets[~same] > 0.0).all()


def test_regret_is_the_utility_lost_of_what_is_collected(small: World) -> None:
    rng = np.random.default_rng(2)
    users = rng.integers(60, size=(3, 5))
    candidates = rng.permuted(np.tile(np.arange(80), (3, 5, 1)), axis=-1)[..., :12]
    order = rng.permuted(np.tile(np.arange(12), (3, 5, 1)), axis=-1)
    best = np.argsort(-small.utility(users[..., None], candidates), axis=-1)

    def worth(ranking: np.ndarray) -> np.ndarray:
        return np.asarray(sum(UTILITY[n] * x for n, x in small.collected(users, candidates, ranking, 6).items()))

    np.testing.assert_allclose(small.regret(users, candidates, order, 6), worth(best) - worth(order))


@pytest.mark.parametrize(
    ("users", "candidates", "order", "k", "message"),
    [
        (60, [1, 2], [0, 1], 1, "users must be between 0 and 59, got 60"),
        (1, [1, -2], [0, 1], 1, "items must be between 0 and 79, got -2"),
        (1, [1, 2], [0, 2], 1, "order must be between 0 and 1, got 2"),
        (1, [1, 2], [1, 1], 1, "order must not repeat an index"),
        (1, [1, 2], [0, 1], 3, "got k 3, 2 positions and 2 candidates"),
        (1, [1, 2], [0, 1], 0, "got k 0"),
        ([1, 2], [1, 2], [0, 1], 1, "candidates and order must have the shape of users"),
        (1.0, [1, 2], [0, 1], 1, "users must be integers, got float64"),
    ],
)
def test_impossible_rankings_are_rejected(
    small: World, users: object, candidates: list[int], order: list[int], k: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        small.regret(users, candidates, order, k)  # type: ignore[arg-type]


def test_unknown_and_infinite_weights_are_rejected(small: World) -> None:
    with pytest.raises(ValueError, match="unknown objective 'clicks'; did you mean 'click'"):
        small.utility(0, 0, {"clicks": 1.0})
    with pytest.raises(ValueError, match="weight of like must be finite, got nan"):
        small.utility(0, 0, {"like": float("nan")})
