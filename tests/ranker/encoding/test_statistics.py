import numpy as np
import pytest

from ranker.encoding import EncoderFitter, encode_labels
from ranker.encoding.statistics import StatisticsFitter
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
