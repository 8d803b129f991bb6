import numpy as np

from ranker.encoding.piecewise import places, quantile_edges

EDGES = np.array([0.0, 1.0, 3.0, 7.0])


def test_places_by_hand():
    values = np.array([0.0, 0.5, 1.0, 2.0, 6.0, 7.0])
    np.testing.assert_allclose(places(values, EDGES), [0, 0.5, 1, 1.5, 2.75, 3])


def test_values_beyond_the_edges_are_at_the_ends_and_missing_ones_in_the_middle():
    np.testing.assert_allclose(places(np.array([-9.0, 99.0, np.nan]), EDGES), [0, 3, 1.5])


def test_places_rise_with_the_values_even_if_edges_repeat():
    edges = np.array([0.0, 0.0, 0.0, 2.0, 2.0])
    found = places(np.array([-1.0, 0.0, 1.0, 1.9, 2.0, 5.0]), edges)
    np.testing.assert_allclose(found[:4], [0, 2, 2.5, 2.95])
    assert (np.diff(found) >= 0).all()
    np.testing.assert_array_equal(places(np.array([-1.0, 0.0, 4.0]), np.zeros(3)), places(np.zeros(3), np.zeros(3)))


def test_bins_have_equal_weight():
    values = np.random.default_rng(0).exponential(size=10_000)
    edges = quantile_edges(values, 4)
    assert (edges[0], edges[-1]) == (values.min(), values.max())
    np.testing.assert_allclose(np.histogram(values, edges)[0] / len(values), 0.25, atol=1e-3)
    np.testing.assert_allclose(quantile_edges(values, 4, np.ones(len(values))), edges, atol=2e-3)


def test_weights_count_values_several_times():
    values, weights = np.array([3.0, 1.0, 2.0, 5.0]), np.array([1.0, 6.0, 2.0, 3.0])
    np.testing.assert_allclose(quantile_edges(values, 4, weights), [1, 1, 1, 3, 5])


def test_without_values_all_edges_are_0():
    np.testing.assert_array_equal(quantile_edges(np.zeros(0), 2), [0, 0, 0])
