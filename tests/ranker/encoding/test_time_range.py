"""Guards that reject numbers in another unit, from the encoder's state or (older artifacts) from fitted statistics."""

import numpy as np
import pytest

from ranker.encoding import EncoderFitter
from ranker.encoding.kinds.numeric import Numeric, NumericEncoding
from ranker.encoding.plain_times import PlainTimes
from ranker.encoding.time_range import TimeRange
from ranker.schema import Schema

YEAR_2024 = 1_704_067_200_000_000
DAY = 86_400_000_000


def time_range(mean=0.0, deviation=1.0, edges=(), transform="standardise"):
    feature = Numeric(kind="numeric", transform=transform)
    return NumericEncoding(feature, mean, deviation, False, edges).time_range()


def test_the_range_is_eight_deviations_around_the_mean():
    found = time_range(float(YEAR_2024), float(DAY))
    assert found == TimeRange(YEAR_2024, YEAR_2024 - 8 * DAY, YEAR_2024 + 8 * DAY)


def test_the_range_of_log_transformed_times_is_in_microseconds():
    found = time_range(np.log1p(YEAR_2024), 0.125, transform="log1p")
    np.testing.assert_allclose(found, [YEAR_2024, YEAR_2024 / np.e, YEAR_2024 * np.e], rtol=1e-9)


def test_the_range_of_buckets_spans_their_edges():
    edges = (YEAR_2024 - DAY, YEAR_2024, YEAR_2024 + 3 * DAY)
    assert time_range(edges=edges, transform="buckets") == TimeRange(YEAR_2024, edges[0], edges[2])
    assert time_range(transform="buckets") is None


def test_there_is_no_range_near_1970_or_without_a_transform():
    assert time_range(9e13, 1e12) is None
    assert time_range(transform="none") is None


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (YEAR_2024 // 10**6, "this looks like seconds"),
        (YEAR_2024 // 10**3, "this looks like milliseconds"),
        (YEAR_2024 * 1000, "this looks like nanoseconds"),
        (YEAR_2024 // 10**6 // 2, "this looks like seconds"),  # 1997
        (YEAR_2024 // 10**6 // 3, None),
        (YEAR_2024, None),
        (YEAR_2024 * 2, None),
        (0, None),
    ],
)
def test_half_to_double_the_typical_time_in_another_unit_is_rejected(value, told):
    found = TimeRange(YEAR_2024, YEAR_2024 - DAY, YEAR_2024 + DAY)
    assert found.told(value) == told
    assert found.wrong(np.array([value, YEAR_2024])).tolist() == [told is not None, False]


def test_a_wide_range_accepts_all_values_within_it():
    found = TimeRange(YEAR_2024, -1e16, 1e16)
    assert found.told(YEAR_2024 // 10**6) is None
    assert not found.wrong(np.array([YEAR_2024 // 10**6])).any()


def test_the_guard_is_the_encoders_state_or_else_the_range():
    schema = Schema.model_validate(
        {
            "candidate": {"when": {"kind": "numeric"}, "day": {"kind": "categorical"}, "price": {"kind": "numeric"}},
            "tasks": {"click": {"kind": "binary"}},
        }
    )
    when = np.array(["2024-01-01", "2024-01-03"], dtype="datetime64[us]")
    fitter = EncoderFitter(schema)
    columns = {"when": when, "day": when, "price": np.array([1.0, 2.0])}
    fitter.add(columns, np.ones((2, 1)), np.ones((2, 1), dtype=bool), np.zeros(2, dtype=np.int64))
    encoder = fitter.fitted()

    def guards():
        return [encoder.guard(name) for name in schema.candidate]

    kept = PlainTimes(count=2, extent=YEAR_2024 + 2 * DAY)
    assert guards() == [kept, kept, None]
    encoder.times.plain.clear()
    assert guards() == [TimeRange(YEAR_2024 + DAY, YEAR_2024 - 7 * DAY, YEAR_2024 + 9 * DAY), None, None]
