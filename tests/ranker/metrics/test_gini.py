import numpy as np
import pytest

from ranker.metrics import auc, normalised_gini


def test_one_list_by_hand():
    """Amounts 1, 2, 3 of ranks -2, 0, 2: the best area is 4, and with the upper two swapped it is 2."""
    assert normalised_gini([1, 2, 3], [0.1, 0.3, 0.2]) == pytest.approx(0.5)


def test_the_best_order_has_1_the_reverse_minus_1_and_ties_0():
    labels = np.array([0.0, 0.0, 7.0, 2.0, 30.0])
    assert normalised_gini(labels, labels**2) == pytest.approx(1)
    assert normalised_gini(labels, -labels) == pytest.approx(-1)
    assert normalised_gini(labels, np.ones(5)) == 0


def test_of_binary_labels_it_is_twice_the_auc_minus_1():
    random = np.random.default_rng(0)
    labels, scores = random.integers(0, 2, 200), random.integers(0, 20, 200)
    weights = random.uniform(0, 2, 200)
    assert normalised_gini(labels, scores, weights) == pytest.approx(2 * auc(labels, scores, weights) - 1)


def test_a_weight_of_2_is_a_row_twice():
    labels, scores = np.array([0.0, 3.0, 1.0, 8.0]), np.array([0.2, 0.1, 0.5, 0.5])
    twice = normalised_gini([*labels, 3.0], [*scores, 0.1])
    assert normalised_gini(labels, scores, [1, 2, 1, 1]) == pytest.approx(twice)


@pytest.mark.parametrize("labels", [[2.0, 2.0], [0.0, 0.0], []])
def test_it_is_undefined_for_equal_amounts(labels):
    assert np.isnan(normalised_gini(labels, np.arange(len(labels))))


def test_amounts_below_0_count_by_their_differences():
    labels, scores = np.array([-5.0, 2.0, 0.0, 4.0]), np.array([0.1, 0.2, 0.4, 0.3])
    assert normalised_gini(labels, scores) == pytest.approx(normalised_gini(labels + 5, scores))


def test_an_invalid_amount_names_its_row():
    with pytest.raises(ValueError, match="labels must be finite, got nan in row 1"):
        normalised_gini([1.0, np.nan], [0.0, 1.0])
