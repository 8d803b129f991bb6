from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pytest

from ranker.encoding import Encoder, EncoderFitter, from_state, to_state
from ranker.encoding.carried import Carried
from ranker.encoding.piecewise import places
from ranker.encoding.vocabulary import UNSEEN
from ranker.schema import Schema


def schema(statistics: Mapping[str, Any] | None = None, **item: Any) -> Schema:
    content = {
        "candidate": {"item": {"kind": "categorical", "dimension": 2, **item}, "price": {"kind": "numeric"}},
        "context": {"user": {"kind": "categorical"}},
        "tasks": {"click": {"kind": "binary"}},
    }
    return Schema.model_validate({**content, **({"label_statistics": statistics} if statistics else {})})


class Day(NamedTuple):
    fitter: EncoderFitter
    encoder: Encoder

    def rows(self, *items: object) -> list[int]:
        """Embedding rows of items."""
        coder, table = self.encoder.encodings["item"].coder, self.encoder.encodings["item"].table
        return table[coder.codes(list(items), "item")].tolist()

    def carried(self) -> Carried:
        return Carried(self.encoder, self.fitter.facts(), self.fitter.day)


def fitted(
    of: Schema,
    items: list[Any],
    days: Any,
    before: Day | None = None,
    clicks: Any = 0,
    price: Any = 1.0,
    **options: Any,
) -> Day:
    """One fit of rows of these items on these days; all rows have one user."""
    count = len(items)
    fitter = EncoderFitter(of, 0, before.carried() if before else None, **options)
    columns = columns_of(items, price)
    labels = np.broadcast_to(clicks, count).astype(float)[:, None]
    days = np.broadcast_to(days, count).astype(np.int64)
    fitter.add(columns, labels, np.ones((count, 1), dtype=bool), days % 10, days)
    return Day(fitter, fitter.fitted())


def columns_of(items: list[Any], price: Any = 1.0) -> dict[str, Any]:
    return {"item": items, "user": ["u"] * len(items), "price": np.broadcast_to(price, len(items)).astype(float)}


def pairs(before: Day, after: Day) -> dict[int, int]:
    """New row of each old row that moves."""
    moves = after.encoder.encodings["item"].row_moves(before.encoder.encodings["item"])
    return dict(zip(moves.sources.tolist(), moves.targets.tolist(), strict=True))


def test_known_ids_keep_their_rows_whatever_their_place_by_frequency():
    first = fitted(schema(), ["a", "a", "a", "b"], 1)
    second = fitted(schema(), ["b"] * 5 + ["c"], 2, first)
    assert first.rows("a", "b") == [2, 3]
    assert second.rows("b", "a", "c") == [2, 3, 4]
    assert pairs(first, second) == {0: 0, 1: 1, 2: 3, 3: 2}


def test_a_new_id_enters_when_it_has_been_seen_often_enough_on_all_days_together():
    of = schema(min_count=3)
    first = fitted(of, ["a"] * 3 + ["b"], 1)
    second = fitted(of, ["b"], 2, first)
    third = fitted(of, ["b", "c"], 3, second)
    assert first.rows("b") == second.rows("b") == third.rows("c") == [UNSEEN]
    assert third.rows("a", "b") == [2, 3]
    assert 3 not in pairs(second, third).values()  # the row is fresh


def test_ids_expire_after_days_without_a_row_and_come_back_as_new_ones():
    of = schema(expire_after=2, min_count=2)
    first = fitted(of, ["a", "a", "b", "b"], 1)
    second = fitted(of, ["b"], 3, first)  # two days without a row of a
    assert second.rows("a") != [UNSEEN]
    third = fitted(of, ["b"], 4, second)
    assert third.rows("a", "b") == [UNSEEN, 2]
    assert pairs(second, third) == {0: 0, 1: 1, second.rows("b")[0]: 2}
    fourth = fitted(of, ["a"], 5, third)
    assert fourth.rows("a") == [UNSEEN]  # counted from 1 again
    fifth = fitted(of, ["a"], 6, fourth)
    assert fifth.rows("a") == [3]
    assert 3 not in pairs(fourth, fifth).values()


def test_an_id_that_comes_back_before_it_expires_keeps_its_row():
    of = schema(expire_after=2)
    first = fitted(of, ["a", "b"], 1)
    second = fitted(of, ["a"], 9, first)  # no fit came between
    assert second.rows("a", "b") == [2, UNSEEN]
    assert pairs(first, second)[first.rows("a")[0]] == 2


def test_a_first_fit_forgets_what_a_chain_of_fits_forgets():
    of = schema(expire_after=2)
    whole = fitted(of, ["a", "b", "c"], [1, 2, 4])
    assert whole.rows("a", "b", "c") == [UNSEEN, 2, 3]


def test_beyond_max_size_the_ids_seen_last_stay():
    of = schema(max_size=2)
    first = fitted(of, ["a", "a", "a", "b", "b", "c"], 1)
    assert first.rows("a", "b", "c") == [2, 3, UNSEEN]
    second = fitted(of, ["c"], 2, first)
    assert sorted(second.rows("a", "c")) == [2, 3]  # a and b were seen on the same day, a more often
    assert second.rows("b") == [UNSEEN]
    smaller = fitted(schema(max_size=1), ["b"], 3, second)
    assert smaller.rows("b", "a", "c") == [2, UNSEEN, UNSEEN]
    assert len(pairs(second, smaller)) == 2  # only the missing and the unknown row
    larger = fitted(schema(), ["b"], 3, second)
    assert UNSEEN not in larger.rows("a", "b", "c")


def test_hashed_rows_stay_and_other_buckets_start_afresh():
    of = schema(hash_buckets=8)
    first, second = fitted(of, [5, 6], 1), fitted(of, [7], 2)
    assert pairs(first, fitted(of, [7], 2, first)) == {row: row for row in range(10)}
    other = fitted(schema(hash_buckets=4), [7], 2, first)
    assert other.encoder.encodings["item"].row_moves(second.encoder.encodings["item"]) is None
    assert other.fitter.notes == ["schema feature 'item' starts afresh: hash_buckets was 8, and is now 4"]


@pytest.mark.parametrize("ids", [[2**63 + 5, 1], [-4, 1], ["x", "y"]])
def test_ids_of_every_type_are_carried_on(ids):
    first = fitted(schema(), ids, 1)
    second = fitted(schema(), ids[1:], 2, first)
    kind = first.encoder.encodings["item"].coder.kind
    assert second.encoder.encodings["item"].coder.kind == kind
    assert sorted(second.rows(*ids)) == [2, 3]


@pytest.mark.parametrize("ids", [["x", "y"], [3, 4]])
def test_ids_may_begin_and_end_on_any_day(ids):
    empty = fitted(schema(), [None, None], 1)
    second = fitted(schema(), ids, 2, empty)
    assert second.rows(*ids) == [2, 3]
    third = fitted(schema(), [None], 3, second)
    assert third.rows(*ids) == [2, 3]
    assert pairs(empty, second) == {0: 0, 1: 1}
    assert pairs(second, third) == {0: 0, 1: 1, 2: 2, 3: 3}


def statistics(day: Day, items: list[Any]) -> np.ndarray:
    """Served inputs of items: of the items alone and with their user."""
    columns = columns_of(items)
    return day.encoder.encode(columns, columns).candidate_numbers[:, 1:]


OF = {"of": ["item", ["user", "item"]], "smoothing": 1, "folds": 10}


def test_label_statistics_are_summed_over_fits():
    of = schema(OF)
    whole = fitted(of, ["a", "a", "b", "b"], [1, 1, 2, 2], clicks=[1, 0, 1, 1])
    first = fitted(of, ["a", "a"], 1, clicks=[1, 0])
    second = fitted(of, ["b", "b"], 2, first, clicks=[1, 1], refit_scales=True)
    np.testing.assert_allclose(statistics(second, ["a", "b", "c"]), statistics(whole, ["a", "b", "c"]), rtol=1e-6)
    totals = second.encoder.statistics["item",].totals
    assert totals.counts[2:].tolist() == [2, 2]
    assert totals.sums[2:, 0].tolist() == [1, 2]


def test_a_half_life_fades_rows_by_their_day():
    of = schema({**OF, "half_life": 2})
    first = fitted(of, ["a", "a"], [1, 3], clicks=[1, 0])
    totals = first.encoder.statistics["item",].totals
    assert (totals.counts[2], totals.sums[2, 0]) == (1.5, 0.5)
    second = fitted(of, ["b"], 5, first, clicks=1)
    totals = second.encoder.statistics["user", "item"].totals
    assert totals.counts[2:].tolist() == [0.75, 1.0]
    assert totals.known[2:, 0].tolist() == [0.75, 1.0]


def test_a_half_life_needs_days():
    fitter = EncoderFitter(schema({**OF, "half_life": 2}))
    with pytest.raises(ValueError, match=r"label_statistics.half_life: needs the day of each row, got none"):
        fitter.add(columns_of(["a"]), np.ones((1, 1)), np.ones((1, 1), dtype=bool), np.zeros(1, dtype=np.int64))


def test_rows_see_earlier_days_and_never_labels_of_their_own():
    of = schema({**OF, "half_life": 3})
    first = fitted(of, ["a", "a", "b"], 1, clicks=[1, 1, 0])
    inputs = []
    for clicks in ([1, 1], [0, 0]):
        second = fitted(of, ["a", "b"], 2, first, clicks=clicks)
        columns = columns_of(["a", "b"])
        inputs.append(second.fitter.encode(second.encoder, columns, np.full(2, 2)).candidate_numbers)
    np.testing.assert_array_equal(inputs[0], inputs[1])
    assert inputs[0][0, 2] > inputs[0][1, 2]  # a was clicked yesterday


def test_expired_ids_leave_the_statistics_and_their_combinations():
    of = schema(OF, expire_after=1)
    first = fitted(of, ["a", "b", "c"], [1, 3, 3], clicks=[1, 0, 1])
    assert first.encoder.encodings["item"].coder.size == 5  # a has no row, and its statistics are still served
    second = fitted(of, ["c", "a"], 4, first, clicks=[1, 0])
    vocabulary = second.encoder.encodings["item"].coder
    assert vocabulary.values() == ["b", "c", "a"]
    for key in (("item",), ("user", "item")):
        totals = second.encoder.statistics[key].totals
        assert totals.counts[2:].tolist() == [1, 2, 1]
        assert totals.sums[2:, 0].tolist() == [0, 2, 0]
    whole = fitted(of, ["b", "c", "c", "a"], [3, 3, 4, 4], clicks=[0, 1, 1, 0])
    second = fitted(of, ["c", "a"], 4, first, clicks=[1, 0], refit_scales=True)
    np.testing.assert_allclose(statistics(second, ["a", "b", "c"]), statistics(whole, ["a", "b", "c"]), rtol=1e-6)


def test_scales_are_kept_and_far_moves_are_reported():
    before = fitted(schema(), ["a"] * 200, 1, price=np.arange(200.0))
    near = fitted(schema(), ["a"] * 200, 2, before, price=np.arange(200.0) + 3)
    assert near.encoder.encodings["price"] == before.encoder.encodings["price"]
    assert near.fitter.moved() == {}
    far = fitted(schema(), ["a"] * 200, 2, before, price=np.arange(200.0) + 300)
    assert far.encoder.encodings["price"] == before.encoder.encodings["price"]
    assert far.fitter.moved() == {"price": "mean 99.5 -> 399.5, deviation 57.73 -> 57.73"}
    again = fitted(schema(), ["a"] * 200, 2, before, price=np.arange(200.0) + 300, refit_scales=True)
    assert again.encoder.encodings["price"].mean == pytest.approx(399.5)
    assert list(again.fitter.moved()) == ["price"]


def test_a_new_label_has_no_statistics_in_serving_before_a_training_row_has_any():
    """Of the label's first day no training row may see anything, so that its inputs' weights are not trained yet."""
    of = schema({"of": ["item"], "labels": ["click"]})
    both = of.model_copy(
        update={
            "tasks": {**of.tasks, "like": of.tasks["click"]},
            "label_statistics": of.label_statistics.model_copy(update={"labels": ("click", "like")}),
        }
    )
    first = fitted(of, ["a", "b", "b"], [1, 2, 2], clicks=[1, 0, 0])
    served, before = [], first
    for day in (3, 4):
        fitter = EncoderFitter(both, 0, before.carried())
        labels = np.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])
        columns, folds = columns_of(["a", "a", "b"]), np.full(3, day)
        fitter.add(columns, labels, np.ones((3, 2), dtype=bool), folds, np.full(3, day))
        before = Day(fitter, fitter.fitted())
        served.append(before.encoder.encode(columns, columns).candidate_numbers[:, -3:])  # count, click, like
        trained = fitter.encode(before.encoder, columns, folds).candidate_numbers[:, -3:]
        assert (np.abs(trained[:, 2]).max() < 1e-6) == (day == 3)
    assert (served[0][:, 2] == 0).all()
    assert (served[0][:, :2] != 0).all()
    assert served[1][0, 2] > 0 > served[1][2, 2]


@pytest.mark.parametrize("refit_scales", [False, True])
def test_the_first_missing_number_of_a_chain_brings_a_flag_that_stays(refit_scales):
    whole = fitted(schema(), ["a"] * 4, 1, price=np.arange(4.0))
    lacking = fitted(schema(), ["a"] * 2, 2, whole, price=[1.0, np.nan], refit_scales=refit_scales)
    again = fitted(schema(), ["a"] * 2, 3, lacking, price=[1.0, 2.0], refit_scales=refit_scales)
    flags = [day.encoder.encodings["price"].has_missing for day in (whole, lacking, again)]
    assert flags == [False, True, True]
    assert (lacking.encoder.encodings["price"].mean == whole.encoder.encodings["price"].mean) != refit_scales


PAST = {**OF, "windows": [1, 3], "half_lives": [2], "past_only": True}


def test_windows_and_half_lives_go_on_over_fits():
    of = schema(PAST)
    items, days = ["a", "b", "a", "a", "c", "b", "a"], np.array([1, 1, 3, 4, 4, 5, 5])
    clicks = np.array([1, 0, 1, 0, 1, 1, 0])
    whole = fitted(of, items, days, clicks=clicks)
    chain = None
    for day in (1, 3, 4, 5):
        which = np.flatnonzero(days == day)
        chain = fitted(of, [items[row] for row in which], day, chain, clicks=clicks[which])
    for key in (("item",), ("user", "item")):
        now, one = (encoder.statistics[key] for encoder in (chain.encoder, whole.encoder))
        assert now.width == 8  # four spans of a count and a rate
        for served, expected in zip((now, *now.recent), (one, *one.recent), strict=True):
            for part, other in zip(served.totals, expected.totals, strict=True):
                np.testing.assert_allclose(part, other)
            np.testing.assert_allclose(served.priors, expected.priors)
    _, yesterday, three, half = (chain.encoder.statistics["item",], *chain.encoder.statistics["item",].recent)
    assert yesterday.totals.counts[2:].tolist() == [1, 1, 0]  # a, b and c on day 5
    assert three.totals.counts[2:].tolist() == [3, 1, 1]  # days 3 to 5
    np.testing.assert_allclose(half.totals.counts[2], 1 + 0.5**0.5 + 0.5 + 0.25)
    np.testing.assert_allclose(half.totals.sums[2, 0], 0.5 + 0.25)


def test_the_first_rows_of_a_later_fit_see_the_days_of_the_one_before():
    of = schema(PAST)
    first = fitted(of, ["a", "a", "b"], [1, 2, 2], clicks=[1, 1, 0])
    second = fitted(of, ["a", "b"], 3, first, clicks=[0, 1])
    columns = columns_of(["a", "b"])
    packed = second.fitter.encode(second.encoder, columns, np.full(2, 3), np.full(2, 3))
    inputs = packed.candidate_numbers[:, 1:9].reshape(2, 4, 2)
    statistics = second.encoder.statistics["item",]
    shift, scale = (
        np.array([getattr(span, part) for span in (statistics, *statistics.recent)]) for part in ("shift", "scale")
    )
    counts = np.expm1(inputs[:, :, 0] / scale[:, 0] + shift[:, 0])
    np.testing.assert_allclose(counts[:, :3], [[2, 1, 2], [1, 1, 1]], rtol=1e-4)  # all, yesterday, three days
    earlier = first.encoder.statistics["item",]
    kept = np.array([span.scale for span in (earlier, *earlier.recent)])
    np.testing.assert_allclose(scale[:, 0], kept[:, 0])
    assert (kept[:, 1] == 0).all()  # all rows of the first fit that had a past had the same rate
    assert (scale[:, 1] > 0).all()


def test_expired_ids_leave_the_sums_of_the_last_days():
    of = schema(PAST, expire_after=1)
    first = fitted(of, ["a", "b", "c"], [1, 3, 3], clicks=[1, 0, 1])
    second = fitted(of, ["c", "a"], 4, first, clicks=[1, 0])
    assert second.encoder.encodings["item"].coder.values() == ["b", "c", "a"]
    for key in (("item",), ("user", "item")):
        yesterday, three, _ = second.encoder.statistics[key].recent
        assert yesterday.totals.counts[2:].tolist() == [0, 1, 1]
        assert three.totals.counts[2:].tolist() == [1, 2, 1]
        assert three.totals.sums[2:, 0].tolist() == [0, 2, 0]


def test_a_window_and_a_label_may_be_new_in_a_later_fit():
    first = fitted(schema({**OF, "windows": [2]}), ["a", "b"], [1, 2], clicks=[1, 0])
    of = schema({**OF, "windows": [1, 3], "half_lives": [2]})
    of = of.model_copy(update={"tasks": {"like": of.tasks["click"], **of.tasks}})
    fitter = EncoderFitter(of, 0, first.carried())
    labels = np.array([[1.0, 0.0], [1.0, 1.0]])
    fitter.add(columns_of(["a", "b"]), labels, np.ones((2, 2), dtype=bool), np.full(2, 3), np.full(2, 3))
    statistics = fitter.fitted().statistics["item",]
    yesterday, three, half = statistics.recent
    assert yesterday.totals.sums[2:].tolist() == [[1, 0], [1, 1]]
    assert three.totals.sums[2:].tolist() == [[1, 1], [1, 1]]  # clicks of days 1 to 3, likes of the day they came
    assert three.totals.known[2:].tolist() == [[1, 2], [1, 2]]
    assert half.totals.counts[2:].tolist() == [1, 1]  # it starts with this fit


def test_statistics_of_past_days_are_the_same_once_saved():
    of = schema(PAST)
    day = fitted(of, ["a", "b", "a", "c"], [1, 1, 2, 3], clicks=[1, 0, 0, 1])
    again = from_state(of, *to_state(day.encoder))
    columns = columns_of(["a", "b", "c", "d"])
    for saved, own in zip(again.encode(columns, columns), day.encoder.encode(columns, columns), strict=True):
        np.testing.assert_array_equal(saved, own)
    items = again.encode_items(columns)
    np.testing.assert_array_equal(again.join(columns, items).candidate_numbers, saved)


BINS = {**OF, "windows": [3], "transform": "piecewise_linear", "bins": 4}


def test_binned_statistics_are_places_of_the_plain_ones_and_their_edges_stay():
    items = [chr(97 + row % 9) for row in range(120)]
    days, clicks = np.arange(120) // 30, np.random.default_rng(4).random(120) < 0.4
    plain, binned = (fitted(schema(of), items, days, clicks=clicks) for of in ({**OF, "windows": [3]}, BINS))
    (field,) = [f for f in binned.encoder.layout.candidate.statistics if f.key == ("item",)]
    assert (field.length, field.width) == (4, 16)  # count and rate, of all and of three days
    for folds in (None, days % 10):
        found = []
        for day in (plain, binned):
            columns = columns_of(items)
            packed = day.encoder.encode(columns, columns)
            if folds is not None:
                packed = day.fitter.encode(day.encoder, columns, folds, days)
            found.append(packed.candidate_numbers[:, field.start : field.start + 4].astype(np.float64))
        spans = (binned.encoder.statistics["item",], *binned.encoder.statistics["item",].recent)
        edges = np.concatenate([span.edges for span in spans])
        expected = np.stack([places(column, own) for column, own in zip(found[0].T, edges, strict=True)], axis=1)
        np.testing.assert_allclose(found[1], expected, atol=1e-4)
    assert np.ptp(found[1], axis=0).min() > 1.5  # training rows fill the bins
    again = from_state(schema(BINS), *to_state(binned.encoder))
    np.testing.assert_array_equal(
        again.encode(columns, columns).candidate_numbers, binned.encoder.encode(columns, columns)[3]
    )
    later = fitted(schema(BINS), items, days + 4, binned, clicks=clicks)
    other = fitted(schema({**BINS, "bins": 3}), items, days + 4, binned, clicks=clicks)
    for span, kept, new in zip(*([d.encoder.statistics["item",]] for d in (binned, later, other)), strict=True):
        np.testing.assert_array_equal(kept.edges, span.edges)
        assert new.edges.shape == (2, 4)
