import numpy as np
import pytest

from ranker.encoding.daily_sums import Daily, DailyCollector, Running, summed
from ranker.encoding.layout import Span
from ranker.encoding.past_statistics import CarriedPast, PastFitter
from ranker.encoding.statistics import Earlier, Sums

SPANS = (Span(), Span(window=1), Span(window=3), Span(half_life=2.0))
BINARY = np.array([True, False])


def log(rows=600, seed=3):
    """Codes, days with gaps and in no order, labels of a rate and of a value, and which are known."""
    random = np.random.default_rng(seed)
    days = random.choice([4, 5, 6, 9, 10, 14], rows)
    labels = np.column_stack([random.random(rows) < 0.3, random.exponential(5, rows)]).astype(float)
    return random.integers(0, 9, rows), days, labels, random.random((rows, 2)) < 0.8


def fitted(codes, days, labels, known, spans=SPANS, size=9, carried=None, chunk=97):
    fitter = PastFitter(2, spans, carried)
    for start in range(0, len(codes), chunk):
        part = slice(start, start + chunk)
        fitter.add(codes[part], labels[part], known[part], days[part])
    return fitter, fitter.fitted(size, BINARY, smoothing=4.0)


def weights(span, age):
    """Weight of rows of an age in days, from 1 for the day before."""
    if span.window is not None:
        return ((age >= 1) & (age <= span.window)).astype(float)
    return np.where(age >= 1, 0.5 ** ((age - 1) / span.half_life) if span.half_life else 1.0, 0.0)


def by_hand(span, code, day, codes, days, labels, known):
    """Log count, and logit of the smoothed rate or the smoothed mean; NaN if no row of the span has the label."""
    weight = weights(span, day - days)
    found = [np.log1p(weight[codes == code].sum())]
    for label in range(2):
        every = weight * known[:, label]
        own = every * (codes == code)
        if not every.sum():
            found.append(np.nan)
            continue
        prior = every @ labels[:, label] / every.sum()
        mean = (own @ labels[:, label] + 4 * prior) / (own.sum() + 4)
        found.append(np.log(mean / (1 - mean)) if BINARY[label] else mean)
    return found


def raw_inputs(fitter, statistics, codes, days):
    """Inputs before they are standardised; 0 where the span has no row."""
    shift, scale = (np.concatenate([getattr(s, part) for s in statistics]) for part in ("shift", "scale"))
    inputs = fitter.encode(codes, days)
    return np.where(inputs == 0, 0, inputs / scale + shift)


def test_rows_get_the_statistics_of_earlier_days_by_hand():
    codes, days, labels, known = log()
    fitter, statistics = fitted(codes, days, labels, known)
    inputs = fitter.encode(codes, days).reshape(len(codes), len(SPANS), 3)
    for place, (span, served) in enumerate(zip(SPANS, statistics, strict=True)):
        expected = np.array([by_hand(span, c, d, codes, days, labels, known) for c, d in zip(codes, days, strict=True)])
        scaled = (expected - served.shift) * served.scale
        np.testing.assert_allclose(inputs[:, place], np.nan_to_num(scaled, nan=0.0), atol=1e-5)
        own = inputs[:, place][~np.isnan(expected).any(axis=1)].astype(np.float64)
        np.testing.assert_allclose(own[:, 1:].mean(axis=0), 0, atol=1e-5)  # standardised over rows with a past
        np.testing.assert_allclose(own[:, 1:].std(axis=0), 1, atol=1e-5)


def test_serving_gets_the_statistics_as_of_the_day_after_the_last():
    codes, days, labels, known = log()
    _, statistics = fitted(codes, days, labels, known)
    for span, served in zip(SPANS, statistics, strict=True):
        expected = np.array([by_hand(span, code, 15, codes, days, labels, known) for code in range(9)])
        raw = served.inputs / served.scale + served.shift
        np.testing.assert_allclose(raw, expected, atol=1e-4)


def test_labels_of_a_day_change_no_input_of_that_day_or_of_earlier_ones_but_for_the_scale():
    codes, days, labels, known = log()
    changed = labels.copy()
    changed[days >= 9, 0] = 1 - changed[days >= 9, 0]
    raw = []
    for given in (labels, changed):
        fitter, statistics = fitted(codes, days, given, known)
        raw.append(raw_inputs(fitter, statistics, codes, days))
    early = (days == 5) | (days == 6) | (days == 9)
    np.testing.assert_allclose(raw[0][early], raw[1][early], atol=1e-5)
    assert np.abs(raw[0][days == 10] - raw[1][days == 10]).max() > 0.1


def test_rows_without_an_earlier_day_have_a_count_of_0_and_no_rate():
    codes, days, labels, known = log()
    fitter, statistics = fitted(codes, days, labels, known)
    first = fitter.encode(codes, days)[days == 4].reshape(-1, len(SPANS), 3)
    np.testing.assert_array_equal(first[:, :, 1:], 0)
    counts = [-served.shift[0] * served.scale[0] for served in statistics]
    np.testing.assert_allclose(first[0, :, 0], counts, rtol=1e-5)  # log(1 + 0), standardised


def test_inputs_that_no_training_row_has_are_0_in_serving():
    codes, days, labels, known = log()
    one = np.full_like(days, 4)
    fitter, statistics = fitted(codes, one, labels, known)
    np.testing.assert_array_equal(fitter.encode(codes, one), 0)
    for served in statistics:
        assert served.totals.counts.sum() > 0
        np.testing.assert_array_equal(served.inputs, 0)


def test_a_code_of_no_row_and_a_window_without_rows():
    codes, days, labels, known = log()
    known[days == 14] = False
    _, statistics = fitted(codes, days, labels, known, size=12)
    yesterday = statistics[1]
    assert np.isnan(yesterday.priors).all()
    np.testing.assert_array_equal(yesterday.inputs[:, 1:], 0)  # no label is known of the last day
    raw = statistics[0].inputs[11] / statistics[0].scale + statistics[0].shift
    rate = statistics[0].priors[0]
    np.testing.assert_allclose(raw[:2], [0, np.log(rate / (1 - rate))], atol=1e-5)


def test_a_fit_that_is_carried_on_gives_the_same_as_one_of_all_days():
    codes, days, labels, known = log()
    whole, expected = fitted(codes, days, labels, known)
    before = days < 10
    first, earlier = fitted(*(array[before] for array in (codes, days, labels, known)), size=9)
    recent = first.facts()
    assert set(recent["days"].tolist()) == {9}  # of the last three, 7 to 9; older ones are in no window
    totals = [Earlier(s.totals, np.full(3, np.nan), np.full(3, np.nan)) for s in earlier]
    carried = CarriedPast(9, Daily(**recent), totals)
    second, found = fitted(*(array[~before] for array in (codes, days, labels, known)), carried=carried)
    for now, one in zip(found, expected, strict=True):
        for part, other in zip(now.totals, one.totals, strict=True):
            np.testing.assert_allclose(part, other, atol=1e-9)
        np.testing.assert_allclose(now.priors, one.priors)
    late = days >= 10
    raw = []
    for fitter, statistics in ((whole, expected), (second, found)):
        raw.append(raw_inputs(fitter, statistics, codes[late], days[late]))
    np.testing.assert_allclose(*raw, atol=1e-4)


def test_a_row_of_a_day_before_the_carried_fit_ended_sees_none_of_its_totals():
    totals = Sums(np.array([5.0]), np.array([[2.0, 3.0]]), np.array([[5.0, 5.0]]))
    scale = np.ones((2, 3))
    carried = CarriedPast(
        9, Daily(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros((0, 5))), [Earlier(totals, *scale)]
    )
    codes, days = np.zeros(2, dtype=np.int64), np.array([9, 10])
    fitter, _ = fitted(codes, days, np.zeros((2, 2)), np.ones((2, 2), dtype=bool), (Span(),), 1, carried)
    counts = np.expm1(fitter.encode(codes, days)[:, 0] + 1)
    np.testing.assert_allclose(counts, [0, 6], rtol=1e-5)


def test_past_statistics_need_days():
    with pytest.raises(ValueError, match="need the day of each row, got none"):
        PastFitter(1, (Span(window=1),)).add(
            np.zeros(1, dtype=int), np.zeros((1, 1)), np.ones((1, 1), dtype=bool), None
        )


def test_sums_do_not_depend_on_chunks(monkeypatch):
    monkeypatch.setattr("ranker.encoding.daily_sums.PENDING", 5)
    codes, days, labels, _ = log()
    whole, parts = DailyCollector(2), DailyCollector(2)
    whole.add(Daily(codes, days, labels))
    for start in range(0, len(codes), 7):
        parts.add(Daily(*(array[start : start + 7] for array in (codes, days, labels))))
    for one, other in zip(whole.total(), parts.total(), strict=True):
        np.testing.assert_allclose(one, other)


def test_running_sums_of_no_rows_are_0():
    none = summed([Daily(np.zeros(0, dtype=int), np.zeros(0, dtype=int), np.zeros((0, 3)))])
    for half_life in (None, 2.0):
        np.testing.assert_array_equal(Running(none, half_life).before(np.arange(4), np.full(4, 7)), np.zeros((4, 3)))
