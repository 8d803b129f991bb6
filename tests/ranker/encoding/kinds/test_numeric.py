import numpy as np
import pytest
from pydantic import ValidationError

from ranker.encoding.columns import ColumnError
from ranker.encoding.kinds.base import Part
from ranker.encoding.kinds.numeric import SAMPLE, Numeric, NumericEncoding, NumericFitter, signed_log1p
from ranker.encoding.kinds.numeric_block import LIMIT, NumericBlock
from ranker.encoding.layout import LayoutBuilder, Periodic, Piecewise
from ranker.encoding.scaling import usable_deviation
from tests.ranker.encoding.kinds.example import Example

EXAMPLE = Example({"kind": "numeric"}, [1.5, -2.0, 0.25], "many", "row 1: 'many' is not a number")


def fit(columns, seed=0, **feature):
    fitter = NumericFitter(Numeric(kind="numeric", **feature), seed)
    for column in columns:
        fitter.add(column, "x")
    return fitter.fitted({})


def part(column, encoding, start):
    return Part(column, column, encoding, None, slice(start, start + 1 + encoding.has_missing))


def write(parts, by_column, columns):
    NumericBlock(parts).write(np.empty((0, 0), dtype=np.int32), by_column, columns, {})


def encode(column, encoding):
    by_column = np.full((1 + encoding.has_missing, len(column)), np.nan, dtype=np.float32)
    write([part("x", encoding, 0)], by_column, {"x": column})
    return by_column.T


def made(transform, mean, deviation, has_missing):
    return NumericEncoding(Numeric(kind="numeric", transform=transform), mean, deviation, has_missing)


@pytest.mark.parametrize("transform", ["standardise", "log1p"])
@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_moments_do_not_depend_on_the_chunks(transform, offset):
    values = np.random.default_rng(0).exponential(3.0, 10_000) + offset
    values[::7] = np.nan
    whole = fit([values], transform=transform)
    pieces = fit(np.split(values, [1, 2, 500, 500, 9_999]), transform=transform)
    expected = values[~np.isnan(values)] if transform == "standardise" else np.log1p(values[~np.isnan(values)])
    for encoding in (whole, pieces):
        assert encoding.mean == pytest.approx(expected.mean(), rel=1e-12)
        assert encoding.deviation == pytest.approx(expected.std(), rel=1e-9)
        assert encoding.has_missing


def test_standardised_by_hand():
    encoding = fit([[1.0, 2.0, None], [3.0, 6.0]])  # mean 3, variance (4 + 1 + 0 + 9) / 4
    expected = [[-1 / np.sqrt(3.5), 0], [0, 1], [0, 0]]
    np.testing.assert_allclose(encode([2.0, None, 3.0], encoding), expected, atol=1e-6)


def test_logarithms_keep_the_sign():
    np.testing.assert_allclose(signed_log1p(np.array([np.e - 1, 0.0, 1 - np.e])), [1, 0, -1])
    encoding = fit([[np.e - 1, 1 - np.e]], transform="log1p")  # mean 0, sd 1
    assert not encoding.has_missing
    np.testing.assert_allclose(encode([np.e**2 - 1, -1e30], encoding), [[2], [-LIMIT]], atol=1e-6)


def test_missing_values_become_the_mean_even_if_training_had_none():
    encoding = fit([[1.0, 2.0]])
    assert encode([None, float("nan"), 1.5], encoding).tolist() == [[0], [0], [0]]


def test_only_transformed_values_are_clipped():
    assert encode([1e30, -1e30], fit([[1.0, 2.0]])).tolist() == [[LIMIT], [-LIMIT]]
    assert encode([1e12, -3.0], fit([[1.0, 2.0]], transform="none"))[:, 0] == pytest.approx([1e12, -3.0])


def test_an_untransformed_value_that_would_overflow_is_rejected():
    encoding = fit([[1.0, None]], transform="none")
    with pytest.raises(
        ColumnError, match=r"column 'x', row 1: -1100000000000.0 is not a number of at most 1e\+12 in size"
    ):
        encode([None, -1.1e12], encoding)


@pytest.mark.parametrize("value", [0.1, 1e9 + 0.1, -3e38, 0.0])
def test_a_constant_column_is_0_despite_rounding(value):
    values = np.full(1000, value)
    for chunks in ([values], np.array_split(values, 7)):
        encoding = fit(chunks)
        assert encoding.deviation == 1.0
        np.testing.assert_allclose(encode([value], encoding), [[0]], atol=abs(value) * 1e-12)


@pytest.mark.parametrize("transform", ["standardise", "log1p", "none", "buckets"])
@pytest.mark.parametrize("column", [[], [None, None]])
def test_a_column_without_values_gets_default_statistics(transform, column):
    encoding = fit([column], transform=transform)
    assert (encoding.mean, encoding.deviation, encoding.edges) == (0.0, 1.0, ())
    assert encoding.has_missing == bool(column)
    if transform == "buckets":
        assert encoding.bucket([None, 5.0], "x").tolist() == [0, 1]
    else:
        assert np.isfinite(encode([None, 5.0], encoding)).all()


def test_buckets_by_hand():
    encoding = fit([[4.0, None, 1.0], [3.0, 2.0, 5.0]], transform="buckets", buckets=4)
    assert encoding.edges == (2.0, 3.0, 4.0)  # quartiles of 1 to 5
    column = [-9.0, 1.9, 2.0, 2.5, 3.0, 4.0, 1e30, None]
    assert encoding.bucket(column, "x").tolist() == [1, 1, 2, 2, 3, 4, 4, 0]


def test_equal_quantiles_are_one_edge():
    assert fit([[0.0] * 90 + [1.0] * 10], transform="buckets", buckets=10).edges == (0.0, pytest.approx(0.1))


def test_the_sample_for_buckets_does_not_depend_on_the_chunks():
    values = np.random.default_rng(1).normal(size=SAMPLE + 30_000)
    values[::5] = np.nan
    values = np.concatenate([values, values])
    whole = fit([values], transform="buckets", buckets=8)
    assert fit(np.array_split(values, 9), transform="buckets", buckets=8).edges == whole.edges
    exact = np.nanquantile(values, np.arange(1, 8) / 8)
    np.testing.assert_allclose(whole.edges, exact, atol=0.02)  # 100,000 draws: an error of about 0.005


def test_a_block_encodes_each_feature_as_if_alone():
    encodings = {
        "a": made("log1p", 0.5, 2.0, True),
        "b": made("none", 0.0, 1.0, False),
        "c": made("standardise", -1.0, 0.5, True),
        "d": made("log1p", 0.1, 0.3, False),
    }
    columns = {"a": [1, None], "b": np.array([np.nan, 1e12]), "c": [0.25, float("nan")], "d": [True, -4]}
    starts = dict(zip(encodings, [5, 0, 1, 4], strict=True))
    by_column = np.full((7, 2), 9.0, dtype=np.float32)
    write([part(name, encodings[name], starts[name]) for name in encodings], by_column, columns)
    inputs = by_column.T
    for name, encoding in encodings.items():
        width = 1 + encoding.has_missing
        alone = encode(np.array(columns[name], dtype=float), encoding)
        np.testing.assert_array_equal(inputs[:, starts[name] : starts[name] + width], alone)
    assert (inputs[:, 3] == 9).all()  # no feature's column


@pytest.mark.parametrize("value", [float("inf"), 1e39])
def test_an_infinite_value_in_a_block_is_rejected(value):
    parts = [part(name, made("standardise", 0, 1, False), i) for i, name in enumerate("ab")]
    with pytest.raises(ColumnError, match=r"column 'b', row 1: .* is not a finite number"):
        write(parts, np.zeros((2, 2), dtype=np.float32), {"a": [1, 2], "b": [1, value]})


def test_a_deviation_within_the_rounding_error_of_the_mean_becomes_1():
    deviation = usable_deviation(np.array([1e-3, 1e-8, 1e-300, 1e-20]), np.array([1e6, 1e6, 0.0, 0.0]))
    np.testing.assert_array_equal(deviation, [1e-3, 1.0, 1.0, 1e-20])


def test_piecewise_linear_is_the_place_among_quantiles():
    encoding = fit([[0.0, 1.0, None], [2.0, 3.0, 4.0]], transform="piecewise_linear", bins=2)
    assert encoding.edges == (0, 2, 4)
    np.testing.assert_allclose(
        encode([0.0, 1.0, 3.0, 9.0, None], encoding), [[0, 0], [0.5, 0], [1.5, 0], [2, 0], [1, 1]]
    )


def test_repeated_quantiles_are_one_edge_and_a_constant_is_one_bin():
    encoding = fit([np.array([0.0] * 90 + [1.0] * 10)], transform="piecewise_linear", bins=4)
    assert encoding.edges == (0, 1)
    for column in ([3.0, 3.0], [], [None]):
        constant = fit([column], transform="piecewise_linear", bins=4)
        assert len(constant.edges) == 2
        assert np.isfinite(encode([3.0, 4.0, None], constant)).all()


def test_times_keep_their_places_in_a_packed_number():
    """Microseconds since 1970 need more digits than a float of 32 bits has."""
    times = 1.7e15 + np.arange(1001) * 1e6
    encoding = fit([times], transform="piecewise_linear", bins=10)
    np.testing.assert_allclose(encode(times, encoding)[:, 0], np.arange(1001) / 100, atol=1e-5)
    assert encoding.time_range().typical == times[500]


def test_numbers_of_all_transforms_are_written_side_by_side():
    column = np.array([0.0, 1.0, 2.0, 4.0])
    transforms = ("piecewise_linear", "none", "periodic", "log1p")
    encodings = [fit([column], transform=transform, bins=2) for transform in transforms]
    together = np.empty((4, 4), dtype=np.float32)
    parts = [Part("x", "x", encoding, None, slice(i, i + 1)) for i, encoding in enumerate(encodings)]
    write(parts, together, {"x": column})
    for row, encoding in zip(together, encodings, strict=True):
        np.testing.assert_array_equal(row, encode(column, encoding)[:, 0])
    np.testing.assert_allclose(together[2], (column - 1.75) / column.std(), rtol=1e-6)  # periodic: standardised


def test_embedded_numbers_take_one_column_of_a_batch():
    builder = LayoutBuilder()
    for name, column, transform in (("a", [1.0, 2.0, 3.0], "piecewise_linear"), ("b", [1.0, None], "periodic")):
        encoding = fit([column], transform=transform, bins=2, frequencies=5, sigma=0.2, dimension=7)
        encoding.lay_out(builder, "candidate", name)
    first, second = builder.build().candidate.numbers
    assert (first.length, first.flags, first.embedding) == (1, 0, Piecewise(2))
    assert (second.length, second.flags, second.embedding) == (2, 1, Periodic(5, 0.2, 7))
    assert (first.width, second.width) == (2, 8)


@pytest.mark.parametrize("sigma", [0.0, 1e39])
def test_frequencies_that_no_float_holds_are_refused(sigma):
    with pytest.raises(ValidationError, match=r"sigma\n.*should be (greater than 0|less than or equal to 1000)"):
        Numeric(kind="numeric", transform="periodic", sigma=sigma)


def carried(earlier, facts, column, refit=False, **feature):
    fitter = NumericFitter(Numeric(kind="numeric", **feature), 0)
    why = fitter.carry(earlier, facts, refit)
    fitter.add(column, "x")
    return fitter, why


def test_bins_are_carried_on_and_moves_are_reported():
    options = {"transform": "piecewise_linear", "bins": 4}
    fitter = NumericFitter(Numeric(kind="numeric", **options), 0)
    fitter.add(np.arange(1000.0), "x")
    earlier, facts = fitter.fitted({}), fitter.facts()
    later, why = carried(earlier, facts, np.arange(1000.0) + 600, **options)
    assert why is None
    assert later.fitted({}).edges == earlier.edges
    assert later.moved() == "60% of the values lie in other buckets than before"
    again, _ = carried(earlier, facts, np.arange(1000.0) + 600, refit=True, **options)
    assert again.fitted({}).edges[0] == 600
    _, why = carried(earlier, facts, np.arange(3.0), transform="piecewise_linear", bins=8)
    assert why == "its transform was 4 bins, and is now 8 bins"


@pytest.mark.parametrize("transform", ["standardise", "log1p", "none", "periodic", "piecewise_linear"])
def test_a_packed_number_is_unpacked(transform):
    values = np.array([-3.0, 0.5, 2.0, 7.0, 40.0])
    encoding = fit([values], transform=transform, **({"bins": 4} if transform == "piecewise_linear" else {}))
    np.testing.assert_allclose(encoding.unpacked(encode(values, encoding)[:, 0].astype(np.float64)), values, rtol=1e-5)
