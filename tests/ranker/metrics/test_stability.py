import numpy as np
import pytest

from ranker.metrics import SHIFT, binned, spread, stability_index


def test_bins_hold_equal_shares():
    found = spread(np.arange(1000.0))
    np.testing.assert_allclose(found.shares, np.full(10, 0.1), atol=1e-3)
    assert len(found.edges) == 9


def test_ties_give_fewer_bins_with_shares_that_sum_to_one():
    found = spread(np.array([0.0] * 95 + [1.0] * 5))
    np.testing.assert_allclose(found.edges, [0.0])
    np.testing.assert_allclose(found.shares, [0.0, 1.0])
    assert spread(np.array([3.0])).shares.sum() == 1


def test_no_values_are_refused():
    with pytest.raises(ValueError, match="without values"):
        spread(np.array([]))


def test_a_value_on_an_edge_is_in_the_upper_bin():
    np.testing.assert_array_equal(binned(np.array([0.0, 1.0, 1.5, 2.0, 9.0]), [1.0, 2.0]), [1, 2, 2])


def test_the_index_by_hand():
    # (.3 - .5) ln(.3 / .5) + (.7 - .5) ln(.7 / .5) = .10217 + .06729
    index = stability_index(np.array([0.5, 0.5]), np.array([0.3, 0.7]))
    assert index == pytest.approx(0.169459, abs=1e-5)
    assert stability_index(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0


def test_an_empty_bin_gives_a_large_but_finite_index():
    assert 4 < stability_index(np.array([0.5, 0.5]), np.array([0.0, 1.0])) < 10


def test_the_index_is_small_for_the_same_and_large_for_another_distribution():
    random = np.random.default_rng(0)
    reference = spread(random.normal(size=20_000))

    def index(values):
        counts = binned(values, reference.edges)
        return stability_index(reference.shares, counts / counts.sum())

    assert index(random.normal(size=20_000)) < 0.005
    assert index(random.normal(1.0, size=20_000)) > 0.25


def test_the_threshold_exceeds_the_index_of_most_parts():
    random = np.random.default_rng(0)
    alike = spread(random.normal(size=50_000))
    assert alike.threshold == SHIFT
    hours = np.repeat(random.normal(scale=1.5, size=50), 1000)
    values = random.normal(size=50_000) + hours
    found = spread(values)
    indices = [stability_index(found.shares, binned(part, found.edges) / 1000) for part in np.split(values, 50)]
    assert found.threshold > SHIFT
    assert np.mean(np.array(indices) < found.threshold) > 0.95
    shifted = stability_index(found.shares, binned(values + 6, found.edges) / len(values))
    assert shifted > found.threshold
    assert spread(random.normal(size=4999)).threshold == SHIFT
