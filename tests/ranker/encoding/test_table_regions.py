"""Which rows of a table belong to which feature, and where they are once some lie beside the graph."""

from ranker.encoding.layout import LayoutBuilder
from ranker.encoding.table_regions import TablesInside, table_regions


def layout():
    builder = LayoutBuilder()
    for name, rows, dimension in (("user", 9, 4), ("item", 30, 4), ("shop", 7, 4), ("tags", 6, 2)):
        builder.table(name, rows, dimension)
    builder.ids("context", "history", "item", length=3, pooling="mean")
    builder.ids("context", "user", "user")
    builder.ids("candidate", "item", "item")
    builder.ids("candidate", "shop", "shop")
    builder.ids("candidate", "tags", "tags", length=2, pooling="sum")
    return builder.build()


def test_a_region_is_named_by_its_own_feature_and_not_by_a_sequence_that_shares_it():
    regions = table_regions(layout())
    assert [(r.feature, r.dimension, r.offset, r.rows) for r in regions] == [
        ("tags", 2, 0, 6),
        ("user", 4, 0, 9),
        ("item", 4, 9, 30),
        ("shop", 4, 39, 7),
    ]
    assert [(side, field.feature) for side, field in regions[2].fields] == [
        ("context", "history"),
        ("candidate", "item"),
    ]


def test_the_rows_that_stay_inside_move_up():
    inside = TablesInside(layout(), ["item", "tags"])
    assert inside.offsets == {("context", "user"): 0, ("candidate", "shop"): 9}
    assert inside.ranges(4) == [(0, 9), (39, 46)]
    assert inside.ranges(2) == []
    assert inside.inputs == {
        ("context", "history"): "context_rows_history",
        ("candidate", "item"): "candidate_rows_item",
        ("candidate", "tags"): "candidate_rows_tags",
    }
    whole = TablesInside(layout())
    assert whole.inputs == {}
    assert all(whole.offsets[side, f.feature] == f.offset for side, part in layout().sides() for f in part.ids)
