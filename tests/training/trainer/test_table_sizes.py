"""Sizes of embedding tables, said before training."""

from ranker.encoding.layout import IdField, Layout, SideLayout
from training.trainer.table_sizes import describe_tables, table_sizes


def field(feature, dimension, offset):
    return IdField(feature, 0, 1, dimension, offset, None)


def layout_of(items):
    context = SideLayout((field("user", 8, 0), field("history", 8, 1000)), ())
    candidate = SideLayout((field("item", 8, 1000), field("shop", 4, 0)), ())
    return Layout(context, candidate, {4: 50, 8: 1000 + items})


def test_features_that_share_rows_are_one_table():
    sizes = table_sizes(layout_of(2**20), sets=2)
    assert [(table.features, table.rows, table.width, table.size) for table in sizes] == [
        (("history", "item"), 2**20, 16, 2**26),
        (("user",), 1000, 16, 64_000),
        (("shop",), 50, 8, 1600),
    ]
    assert describe_tables(sizes) == (
        "embedding tables: 64.1 MiB in all: history, item 1,048,576 x 16 (64.0 MiB), user 1,000 x 16 (0.1 MiB), "
        "shop 50 x 8 (0.0 MiB)"
    )
