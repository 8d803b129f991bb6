"""Sizes of embedding tables, said before training."""

import pytest

from ranker.encoding.layout import IdField, Layout, SideLayout
from training.data.log_reader import DataError
from training.trainer.table_sizes import check_tables, describe_tables, table_sizes


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


def test_tables_that_a_model_file_cannot_hold_are_named():
    check_tables(table_sizes(layout_of(66_000_000)))
    with pytest.raises(
        DataError, match=r"tables of 2,144,\d{3},\d{3} bytes .* history, item 67,000,000 x 8 \(2,044.7 MiB"
    ):
        check_tables(table_sizes(layout_of(67_000_000)))
