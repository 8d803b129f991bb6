"""Inputs within lists by hand, and their equality whatever other lists, orders and chunks there are."""

from typing import Any, get_args

import numpy as np
import pytest
from pydantic import ValidationError

from ranker.encoding.columns import LARGEST, ColumnError
from ranker.encoding.within_list import MEASURES, ListInputs, ListSizes, ListValues
from ranker.schema import LIST_SIZE, Measure, Schema, list_input

ALL = get_args(Measure)


def schema_of(**within: Any) -> Schema:
    return Schema.model_validate(
        {
            "candidate": {
                "price": {"kind": "numeric"},
                "brand": {"kind": "categorical"},
                "tags": {"kind": "multi"},
            },
            "tasks": {"click": {"kind": "binary"}},
            "within_list": {"list_by": "request", "of": ["price", "brand"], **within},
        }
    )


def inputs_of(
    price: list[Any], brand: list[Any] | None = None, starts: tuple[int, ...] = (0,)
) -> dict[str, list[float]]:
    """Inputs by measure of the price, and under ``brand`` the one of the brand."""
    inputs = ListInputs.of_schema(schema_of())
    assert inputs is not None
    columns = {"price": price, "brand": brand or [None] * len(price)}
    found = inputs.within(inputs.values(columns, len(price)), np.array(starts))
    assert set(found) == {*inputs.names, LIST_SIZE}
    short = {list_input("price", measure): measure for measure in ALL}
    short |= {list_input("brand", "share_of_same"): "brand", LIST_SIZE: "size"}
    return {short[name]: values.tolist() for name, values in found.items()}


def test_every_measure_by_hand():
    found = inputs_of([30.0, 10.0, 20.0, 20.0], ["a", "b", "a", "a"])
    assert found["rank"] == [1.0, 0.0, 0.5, 0.5]  # places 3, 0, and the mean of 1 and 2, of 3
    assert found["minus_mean"] == [10.0, -10.0, 0.0, 0.0]
    assert found["ratio_to_max"] == [1.0, 1 / 3, 2 / 3, 2 / 3]
    assert found["z_score"] == pytest.approx([2**0.5, -(2**0.5), 0, 0])  # the variance is 200 / 4
    assert found["share_of_same"] == [0.25, 0.25, 0.5, 0.5]
    assert found["brand"] == [0.75, 0.25, 0.75, 0.75]
    assert found["size"] == [np.log(5)] * 4


def test_missing_values_stay_missing_and_count_only_for_the_size():
    found = inputs_of([None, 4.0, 2.0, np.nan], ["a", None, "a", None])
    nan = np.nan
    np.testing.assert_equal(found["rank"], [nan, 1, 0, nan])
    np.testing.assert_equal(found["minus_mean"], [nan, 1, -1, nan])
    np.testing.assert_equal(found["ratio_to_max"], [nan, 1, 0.5, nan])
    np.testing.assert_equal(found["z_score"], [nan, 1, -1, nan])
    np.testing.assert_equal(found["share_of_same"], [nan, 0.25, 0.25, nan])
    np.testing.assert_equal(found["brand"], [0.5, nan, 0.5, nan])
    assert found["size"] == [np.log(5)] * 4


@pytest.mark.parametrize(
    ("price", "rank", "ratio"),
    [([7.0], 0.5, 1.0), ([0.1] * 3, 0.5, 1.0), ([0.0, 0.0], 0.5, 0.0), ([-2.0, -2.0], 0.5, -1.0), ([1e38], 0.5, 1.0)],
)
def test_one_candidate_and_equal_values_have_no_deviation(price, rank, ratio):
    found, count = inputs_of(price), len(price)
    assert (found["rank"], found["ratio_to_max"]) == ([rank] * count, [ratio] * count)
    assert found["minus_mean"] == found["z_score"] == [0.0] * count
    assert found["share_of_same"] == [1.0] * count


def test_a_list_without_any_value_is_missing_whole():
    found = inputs_of([None, None, 5.0], starts=(0, 2))
    for measure in ALL:
        assert np.isnan(found[measure]).tolist() == [True, True, False]


def test_largest_numbers_and_tiny_differences_are_valid_inputs():
    for price in ([3.4e38, -1e38, -3.4e38], [1e-300, 2e-300], [1e15, 1e15 + 0.125], [0.3, 0.1 + 0.2]):
        found = inputs_of(price)
        assert all((np.abs(found[measure]) <= LARGEST).all() for measure in ALL)
        assert found["rank"] == ([1.0, 0.5, 0.0] if price[0] > price[1] else [0.0, 1.0])


def test_a_negative_maximum_is_compared_by_size():
    assert inputs_of([-4.0, -1.0, 2.0])["ratio_to_max"] == [-1.0, -0.25, 0.5]


def test_lists_together_equal_each_one_alone_in_any_order_to_the_last_bit():
    random = np.random.default_rng(0)
    sizes = [1, 500, 2, 37, 3]
    starts = np.cumsum([0, *sizes[:-1]])
    price = np.where(random.random(sum(sizes)) < 0.1, np.nan, random.lognormal(sigma=2, size=sum(sizes)).round(2))
    brand = random.integers(0, 9, sum(sizes))
    inputs = ListInputs.of_schema(schema_of())
    assert inputs is not None
    whole = inputs.values({"price": price, "brand": brand}, len(price))
    together = inputs.within(whole, starts)
    for start, size in zip(starts.tolist(), sizes, strict=True):
        order = random.permutation(size)
        alone = inputs.of_one(whole.taken(start + order))
        for name, values in together.items():
            assert values[start : start + size][order].tobytes() == alone[name].tobytes()


def test_ids_of_any_type_that_training_has_not_seen_are_told_apart():
    for brand in (["x", "y", "x", None], [2**60, 5, 2**60, None]):
        np.testing.assert_equal(inputs_of([1.0] * 4, brand)["brand"], [0.5, 0.25, 0.5, np.nan])


def test_no_rows_have_no_inputs():
    assert inputs_of([], [], ()) == {name: [] for name in (*ALL, "brand", "size")}


def test_an_infinite_number_is_named():
    with pytest.raises(ColumnError, match="column 'price', row 1: inf"):
        inputs_of([1.0, np.inf])


def test_parts_are_joined_and_rows_taken():
    parts = [ListValues(np.array([[float(i)]]), np.array([[i]])) for i in range(3)]
    joined = ListValues.joined(parts)
    assert joined.numbers.tolist() == [[0], [1], [2]]
    assert joined.taken(np.array([2, 0])).keys.tolist() == [[2], [0]]


def test_every_measure_has_a_function():
    assert tuple(MEASURES) == ALL


def test_names_and_sides():
    schema = schema_of(**{"as": ["rank", "share_of_same"]})
    names = [
        "within_list(price).rank",
        "within_list(price).share_of_same",
        "within_list(brand).share_of_same",
        LIST_SIZE,
    ]
    assert list(schema.list_inputs) == names
    assert {schema.side(name) for name in names} == {"candidate"}
    assert schema.input_columns() == ["price", "brand", "tags"]
    assert schema.encoded_columns() == ["price", "brand", "tags", *names]
    assert list(schema_of(of=[]).list_inputs) == [LIST_SIZE]
    assert Schema.model_validate(schema.model_dump(mode="json")) == schema


@pytest.mark.parametrize(
    ("within", "text"),
    [
        ({"of": ["prise"]}, "'prise' is not a numeric or categorical candidate feature.*did you mean 'price'"),
        ({"of": ["tags"]}, "'tags' is not a numeric or categorical candidate feature"),
        ({"as": ["rank"]}, "'brand' is categorical, and as does not list share_of_same"),
        ({"of": ["price", "price"]}, "within_list.of: 'price' is listed twice"),
        ({"of": [], "list_size": False}, "adds no input"),
        ({"list_by": []}, "list_by: names no column"),
        ({"list_by": "click"}, "'click' is a task's label or mask"),
        ({"measures": ["rank"]}, "unknown key 'measures'"),
    ],
)
def test_mistakes_name_the_key(within, text):
    with pytest.raises(ValidationError, match=text):
        schema_of(**within)


def test_no_feature_reads_a_column_with_the_name_of_a_computed_input():
    stored = {
        "candidate": {"price": {"kind": "numeric"}, "size": {"kind": "numeric", "column": LIST_SIZE}},
        "tasks": {"click": {"kind": "binary"}},
    }
    Schema.model_validate(stored)
    with pytest.raises(ValidationError, match=r"'size' reads column 'within_list\.list_size', which is the name of"):
        Schema.model_validate({**stored, "within_list": {"list_by": "request"}})


def test_inputs_of_two_schemas_are_joined_if_their_lists_are_the_same():
    first, second = (
        ListInputs.of_schema(schema_of(**{"of": of, "as": measures}))
        for of, measures in ((["price"], ["rank"]), (["brand", "price"], ["share_of_same", "z_score"]))
    )
    assert first is not None
    both = first.joined(second)
    found = both.of_one(both.values({"price": [1.0, 2.0], "brand": ["a", "b"]}, 2))
    assert {"within_list(price).rank", "within_list(price).z_score", "within_list(brand).share_of_same"} < set(found)
    assert both.joined(None) == both
    with pytest.raises(ValueError, match="lists by request and by session"):
        first.joined(ListInputs.of_schema(schema_of(list_by="session")))


def test_sizes_are_counted_by_list():
    assert ListSizes.of({1: 60, 10: 400, 200: 200}) == ListSizes(median=1, p99=10)  # 60, 40 and 1 lists
    assert ListSizes.of({}) is None
