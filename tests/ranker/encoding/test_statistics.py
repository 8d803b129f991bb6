import numpy as np
import pytest

from ranker.encoding import EncoderFitter, encode_labels
from ranker.encoding.statistics import Combination, Earlier, StatisticsFitter, Sums
from ranker.encoding.vocabulary import UNSEEN, Vocabulary
from tests.ranker.conftest import columns_of, schema_of


def numbers(encoder, packed, name):
    for side, array in (("context", packed.context_numbers), ("candidate", packed.candidate_numbers)):
        for field in getattr(encoder.layout, side).numbers:
            if field.feature == name:
                return array[:, field.start : field.start + field.length]
    raise AssertionError(name)


def encoded(columns, folds):
    schema = schema_of()
    fitter = EncoderFitter(schema)
    labels = encode_labels(schema, columns)
    fitter.add(columns, labels.values, labels.known, folds)
    encoder = fitter.fitted()
    return encoder, fitter.encode(encoder, columns, folds), encoder.encode(columns, columns)


@pytest.mark.parametrize("key", ["user", "item", "user, item"])
def test_no_row_sees_its_own_label(key):
    folds = np.arange(64) % 4
    columns = columns_of(64)
    flipped = {**columns, "click": columns["click"].copy()}
    flipped["click"][5] = 1 - flipped["click"][5]
    name = f"label_statistics({key})"
    results = [encoded(given, folds) for given in (columns, flipped)]
    own = [numbers(encoder, training, name)[5] for encoder, training, _ in results]
    served = [numbers(encoder, all_rows, name)[5] for encoder, _, all_rows in results]
    np.testing.assert_array_equal(*own)
    assert np.abs(served[0] - served[1]).max() > 1e-3


def test_smoothed_means_by_hand():
    fitter = StatisticsFitter(labels=1, folds=2)
    codes, folds = np.array([2, 2, 2, 3]), np.array([0, 1, 1, 0])
    fitter.add(codes, folds, np.array([[1.0], [0.0], [1.0], [0.0]]), np.ones((4, 1), dtype=bool))
    fitted = fitter.fitted(4, np.array([True]), smoothing=2.0)
    raw = fitted.encode(np.array([1, 2, 3])) / fitted.scale + fitted.shift
    means = np.array([0.5, (2 + 1) / (3 + 2), (0 + 1) / (1 + 2)])  # the prior is 2 of 4; code 1 was never seen
    np.testing.assert_allclose(raw[:, 0], np.log1p([0, 3, 1]), atol=1e-6)
    np.testing.assert_allclose(raw[:, 1], np.log(means / (1 - means)), atol=1e-5)


def test_unknown_labels_do_not_count():
    fitter = StatisticsFitter(labels=1, folds=1)
    known = np.array([[True], [False]])
    fitter.add(np.array([2, 2]), np.zeros(2, dtype=np.int64), np.array([[1.0], [0.0]]), known)
    fitted = fitter.fitted(3, np.array([False]), smoothing=1.0)
    raw = fitted.encode(np.array([2])) / fitted.scale + fitted.shift
    np.testing.assert_allclose(raw, [[np.log(3), 1.0]], atol=1e-6)


def test_a_combination_counts_pairs():
    columns = columns_of(64)
    encoder, _, served = encoded(columns, np.arange(64) % 4)
    fit = encoder.statistics["user", "item"]
    counts = np.expm1((numbers(encoder, served, "label_statistics(user, item)") / fit.scale + fit.shift)[:, 0])
    pairs = list(zip(columns["user"].tolist(), columns["item"].tolist(), strict=True))
    np.testing.assert_allclose(counts, [pairs.count(pair) for pair in pairs], rtol=1e-4)


def random_rows(rows=400, codes=12, labels=3):
    random = np.random.default_rng(7)
    return (
        random.integers(2, codes, rows),
        random.integers(0, 4, rows),
        np.where(np.arange(labels) < 2, random.random((rows, labels)) < 0.3, random.exponential(5, (rows, labels))),
        random.random((rows, labels)) < 0.8,
    )


BINARY = np.array([True, True, False])


def test_a_training_row_gets_the_statistics_of_the_other_folds():
    codes, folds, labels, known = random_rows()
    codes[folds == 1] = np.where(codes[folds == 1] == 5, 20, codes[folds == 1])  # 20 is met in one fold only
    fitter = StatisticsFitter(labels=3, folds=4)
    fitter.add(codes, folds, labels, known)
    out_of_fold = fitter.out_of_fold(fitter.fitted(21, BINARY, 5.0)).encode(codes, folds)
    for fold in range(4):
        others, own = folds != fold, folds == fold
        alone = StatisticsFitter(labels=3, folds=1)
        alone.add(codes[others], np.zeros(others.sum(), dtype=np.int64), labels[others], known[others])
        served = alone.fitted(21, BINARY, 5.0).encode(codes[own])
        np.testing.assert_allclose(out_of_fold[own], served, rtol=1e-5, atol=1e-5)
    only = codes == 20
    np.testing.assert_array_equal(out_of_fold[only], np.repeat(out_of_fold[only][:1], only.sum(), axis=0))


@pytest.mark.parametrize("label", range(3))
def test_a_label_changes_only_other_folds_and_served_statistics(label):
    codes, folds, labels, known = random_rows()
    row = int(np.flatnonzero(known[:, label])[3])
    changed = labels.copy()
    changed[row, label] = 1 - changed[row, label] if BINARY[label] else changed[row, label] + 100
    results = []
    for given in (labels, changed):
        fitter = StatisticsFitter(labels=3, folds=4)
        fitter.add(codes, folds, given, known)
        served = fitter.fitted(12, BINARY, 5.0)
        results.append((fitter.out_of_fold(served).encode(codes, folds), served.encode(codes)))
    (training, served), (other_training, other_served) = results
    own = folds == folds[row]
    if BINARY[label]:  # sums of zeros and ones are exact
        np.testing.assert_array_equal(training[own], other_training[own])
    np.testing.assert_allclose(training[own], other_training[own], atol=1e-6)
    moved = (codes == codes[row]) & ~own
    assert (np.abs(training[moved] - other_training[moved])[:, 1 + label] > 1e-3).all()
    assert abs(served[row, 1 + label] - other_served[row, 1 + label]) > 1e-3
    rest = [column for column in range(4) if column != 1 + label]
    np.testing.assert_array_equal(served[:, rest], other_served[:, rest])


def test_statistics_are_standardised_over_the_rows():
    codes, folds, labels, known = random_rows()
    fitter = StatisticsFitter(labels=3, folds=4)
    fitter.add(codes, folds, labels, known)
    served = fitter.fitted(12, BINARY, 5.0).encode(codes).astype(np.float64)
    np.testing.assert_allclose(served.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(served.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("rows", [0, 6])
def test_a_single_fold_has_no_out_of_fold_statistics(rows):
    fitter = StatisticsFitter(labels=1, folds=2)
    codes, folds = np.full(rows, 2), np.ones(rows, dtype=np.int64)
    fitter.add(codes, folds, np.ones((rows, 1)), np.ones((rows, 1), dtype=bool))
    served = fitter.fitted(3, np.array([True]), 5.0)
    np.testing.assert_array_equal(fitter.out_of_fold(served).encode(codes, folds), np.zeros((rows, 2)))
    assert np.isfinite(served.encode(np.arange(3))).all()


def test_a_combination_absent_from_training_is_unseen():
    combination = Combination([Vocabulary("integer", []), Vocabulary("integer", [])])
    given = [np.array([2, 2, 3, 0, 2]), np.array([2, 3, 2, 0, 2]), np.array([4, 4, 4, 0, 4])]
    assert combination.add(given).tolist() == [2, 3, 4, 5, 2]
    assert combination.codes(given).tolist() == [2, 3, 4, 5, 2]
    never = [np.array([3, 2, UNSEEN]), np.array([3, 2, 2]), np.array([4, 5, 4])]
    assert combination.codes(never).tolist() == [UNSEEN] * 3
    assert Combination([]).codes(given[:1]).tolist() == given[0].tolist()


def test_a_mean_of_rows_that_have_faded_below_one_is_their_mean():
    """30 of 100 rows, which weigh 1e-4 after twenty half-lives, are all that a row of today may see."""
    earlier = Sums(np.array([0.0, 0.0, 100.0]), np.array([[0.0], [0.0], [30.0]]), np.array([[0.0], [0.0], [100.0]]))
    kept = np.full((2, 2), np.nan)
    fitter = StatisticsFitter(1, 2, half_life=1.0, earlier=Earlier(earlier, *kept), day=0)
    ones = np.ones((3, 1))
    fitter.add(np.full(3, 2), np.zeros(3, dtype=np.int64), ones, ones > 0, np.full(3, 20))
    out_of_fold = fitter.out_of_fold(fitter.fitted(3, np.array([True]), smoothing=1.0))
    np.testing.assert_allclose(out_of_fold.scaling.priors, [[0.3], [1.0]], atol=1e-4)
