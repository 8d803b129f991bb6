import numpy as np
import pytest

from ranker.encoding.encoder import Encoder
from ranker.encoding.kinds.numeric import NumericEncoding
from ranker.encoding.layout import IdField, LayoutBuilder, NumberField, StatisticsField
from ranker.encoding.statistics import Combination, StatisticsFitter
from ranker.encoding.vocabulary import Vocabulary
from ranker.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "context": {
            "seen": {"kind": "sequence", "shares": "item", "max_length": 3, "pooling": "sum"},
            "age": {"kind": "numeric"},
            "user": {"kind": "categorical", "dimension": 8},
        },
        "candidate": {
            "tags": {"kind": "multi", "max_length": 2, "dimension": 4},
            "item": {"kind": "categorical", "dimension": 8},
            "price": {"kind": "numeric", "transform": "buckets", "dimension": 4},
            "vector": {"kind": "dense", "size": 5},
            "length": {"kind": "numeric", "transform": "log1p"},
        },
        "tasks": {"click": {"kind": "binary"}, "buy": {"kind": "binary"}},
        "label_statistics": {"of": ["user", ["user", "item"]]},
    }
)


def coded(feature, rows):
    return SCHEMA.features[feature].encoding(Vocabulary("integer", np.arange(rows - 2)), np.arange(rows))


def numeric(feature, has_missing=False, edges=()):
    return NumericEncoding(SCHEMA.features[feature], 0, 1, has_missing, edges)


def layout():
    own = {"user": coded("user", 10), "tags": coded("tags", 4), "item": coded("item", 20)}
    own |= {"age": numeric("age", True), "price": numeric("price", edges=(1.0, 2.0)), "length": numeric("length")}
    own["seen"] = SCHEMA.features["seen"].sharing(own)
    own["vector"] = SCHEMA.features["vector"].encoding()
    fitted = StatisticsFitter(labels=2, folds=2).fitted(4, np.array([True, True]), smoothing=1.0)
    keys = {("user",): fitted, ("user", "item"): fitted}
    combinations = {key: Combination([Vocabulary("integer", []) for _ in key[1:]]) for key in keys}
    return Encoder(SCHEMA, own, combinations, keys).layout


LAYOUT = layout()


def test_ids_of_one_width_lie_side_by_side_single_ones_first():
    # Rows of the table of width 8: user 0 to 9, item 10 to 29; of width 4: tags 0 to 3, price 4 to 7.
    assert LAYOUT.tables == {4: 8, 8: 30}
    assert LAYOUT.context.ids == (IdField("user", 0, 1, 8, 0, None), IdField("seen", 1, 3, 8, 10, "sum"))
    assert LAYOUT.candidate.ids == (
        IdField("price", 0, 1, 4, 4, None),
        IdField("tags", 1, 2, 4, 0, "mean"),
        IdField("item", 3, 1, 8, 10, None),
    )


def test_statistics_lie_on_the_candidates_side_where_they_need_a_candidate():
    assert LAYOUT.context.numbers == (
        NumberField("age", 0, 2),
        StatisticsField("label_statistics(user)", 2, 3, ("user",)),
    )
    assert LAYOUT.candidate.numbers == (
        NumberField("vector", 0, 5),
        NumberField("length", 5, 1),
        StatisticsField("label_statistics(user, item)", 6, 3, ("user", "item")),
    )


def test_widths_are_those_of_the_packed_arrays():
    assert LAYOUT.widths() == (4, 5, 4, 9)
    assert [name for name, _ in LAYOUT.sides()] == ["context", "candidate"]


@pytest.mark.parametrize("side", ["context", "candidate"])
def test_fields_cover_every_column_once(side):
    layout = getattr(LAYOUT, side)
    for fields, width in ((layout.ids, layout.id_width), (layout.numbers, layout.number_width)):
        covered = [column for field in fields for column in range(field.start, field.start + field.length)]
        assert covered == list(range(width))


def test_places_follow_the_embedded_inputs():
    builder = LayoutBuilder()
    for name, width in (("item", 4), ("user", 2)):
        builder.table(name, 5, width)
    builder.ids("context", "user", "user")
    builder.ids("context", "seen", "item", length=3, pooling="din", attends=True)
    builder.numbers("context", "age", 1)
    builder.ids("candidate", "item", "item")
    builder.numbers("candidate", "vector", 3)
    context, candidate = builder.build().places()
    assert context == {"user": (0, 2), "age": (2, 1)}
    assert candidate == {"item": (0, 4), "vector": (4, 3), "seen": (7, 4)}
    assert sorted(builder.build().embedded()) == [
        ("candidate", 0, 4, 1),
        ("candidate", 7, 4, 3),
        ("context", 0, 2, 1),
    ]
