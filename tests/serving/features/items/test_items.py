"""Candidates by id: the same to the last bit as with their features, whatever the format."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ranker.encoding import Text
from ranker.engines import OnnxRuntime
from serving.features.items import ItemsError, ItemSource
from serving.protocol.formats import Exchange
from serving.ranking.ranker import Ranker
from tests.artifacts import shop_log
from tests.serving.asking import answered
from tests.serving.protocol.formats.streams import ARROW, FROM_ARROW, sent, table_of, types_of

COLUMNS = Exchange()
NAMES = ("sku", "shelf", "tags", "similar", "length", "vector")


def items_of(rows):
    """A table of the shop's items, from the named rows of its log."""
    columns = shop_log()["columns"]
    values = {name: [columns[name][row] for row in rows] for name in NAMES}
    return pa.table({**values, "price": [1.0] * len(rows)})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eleven items in two files, in no order; the log has no item in row 7."""
    folder = tmp_path_factory.mktemp("items")
    pq.write_table(items_of([5, 0, 9, 3]), folder / "a.parquet")
    pq.write_table(items_of([10, 1, 2, 4, 6, 8, 18]), folder / "b.parquet", row_group_size=3)
    return folder


@pytest.fixture(scope="module")
def service(shop, folder, tmp_path_factory):
    source = ItemSource(folder, tmp_path_factory.mktemp("cache"))
    return Ranker(shop, OnnxRuntime(shop.model_path), max_candidates=100, source=source)


@pytest.fixture(scope="module")
def dropping(shop, folder, tmp_path_factory):
    source = ItemSource(folder, tmp_path_factory.mktemp("cache"))
    return Ranker(shop, OnnxRuntime(shop.model_path), max_candidates=100, source=source, drop_unknown=True)


@pytest.fixture(scope="module")
def features(folder):
    """Each item's features by id."""
    rows = pq.read_table(folder).to_pylist()
    return {row["sku"]: {name: row[name] for name in NAMES} for row in rows}


def both(shop, features, ids, **rest):
    """The same request by id, and with all features; an id without features has none but itself."""
    nothing = dict.fromkeys(NAMES)
    rows = [features.get(name, {**nothing, "sku": name}) for name in ids]
    whole = {name: [row[name] for row in rows] for name in NAMES}
    request = {"context": shop.golden[0].context, **rest}
    return {**request, "candidates": {"sku": ids}}, {**request, "candidates": whole}


def ranked(service, request, exchange=COLUMNS):
    return json.loads(answered(service, request, exchange=exchange))


@pytest.mark.parametrize("context", [{}, {"city": None}, {"city": "Bern", "user": 3}])
def test_scores_by_id_are_those_with_features(service, shop, features, context):
    ids = [*features, *list(features)[:3]]
    by_id, whole = both(shop, features, ids, explain=True, context={**shop.golden[0].context, **context})
    answer, expected = ranked(service, by_id), ranked(service, whole)
    assert answer.pop("unknown_ids") == []
    assert answer == expected
    assert any(answer["explanations"]["rules"]["special"])
    assert not all(answer["explanations"]["rules"]["special"])


def test_rows_and_streams_may_name_ids_too(service, shop, features):
    by_id, _ = both(shop, features, [*features, "sku-9999", None])
    expected = ranked(service, by_id)
    assert expected["unknown_ids"] == ["sku-9999", None]
    rows = {**by_id, "candidates": [{"sku": name} for name in by_id["candidates"]["sku"]]}
    assert ranked(service, rows) == expected
    for column in types_of(by_id["candidates"]["sku"]).values():
        answer = json.loads(answered(service, sent(table_of(by_id, sku=column)), exchange=FROM_ARROW))
        assert answer == expected
    table = pa.ipc.open_stream(answered(service, sent(table_of(by_id)), exchange=Exchange(ARROW, ARROW))).read_all()
    assert table["id"].to_pylist() == expected["ids"]
    assert json.loads(table.schema.metadata[b"ranking"])["unknown_ids"] == ["sku-9999", None]


def test_unknown_ids_are_scored_without_features(service, shop, features):
    ids = ["sku-9999", "sku-0001-é", "", "sku-0002-é", "sku-0001-èé"]
    by_id, whole = both(shop, features, ids, explain=True)
    answer = ranked(service, by_id)
    assert answer.pop("unknown_ids") == ["sku-9999", "", "sku-0001-èé"]
    assert answer == ranked(service, whole)


def test_unknown_ids_are_left_out_where_the_setting_says_so(dropping, shop, features):
    by_id, _ = both(shop, features, ["sku-9999", *features, "sku-8888"], explain=True)
    _, known = both(shop, features, list(features), explain=True)
    answer = ranked(dropping, by_id)
    assert answer.pop("unknown_ids") == ["sku-9999", "sku-8888"]
    assert answer == ranked(dropping, known)


@pytest.mark.parametrize("explain", [False, True])
def test_nothing_known_is_an_empty_ranking(dropping, shop, features, explain):
    by_id, _ = both(shop, features, ["x", "y"], explain=explain)
    answer = ranked(dropping, by_id)
    assert (answer["ids"], answer["fused"], answer["unknown_ids"]) == ([], [], ["x", "y"])
    assert answer["scores"] == {"click": [], "buy": [], "watch": []}
    assert ranked(dropping, by_id, Exchange(writes="application/json; layout=rows"))["candidates"] == []
    table = pa.ipc.open_stream(answered(dropping, by_id, exchange=Exchange(writes=ARROW))).read_all()
    assert table.num_rows == 0


def test_whole_features_are_looked_at_even_where_the_id_is_known(service, shop, features):
    _, whole = both(shop, features, list(features))
    whole["candidates"]["length"] = [1.0] * len(features)
    assert ranked(service, whole) == ranked(Ranker(shop, OnnxRuntime(shop.model_path), 100), whole)


@pytest.fixture(scope="module")
def numbered(artifact):
    """A store of an artifact whose ids are integers, made of a table."""

    def store(folder, **changes):
        table = {
            "item": [7, 2**62, -5, 3],
            "tags": ["1,2", None, "", "3"],
            "length": [1.5, None, 2.0, 1e6],
            "vector": [[1.0, 2.0, 3.0], None, [0.0, 0.0, 1.0], [4.0, 5.0, 6.0]],
        }
        pq.write_table(pa.table({**table, **changes}), folder / "items.parquet")
        return ItemSource(folder / "items.parquet", folder / "cache").store(artifact)

    return store


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64()])
def test_integers_are_found(numbered, artifact, tmp_path, kind):
    store = numbered(tmp_path, item=pa.array([7, 2**52, -5, 3], kind))
    assert len(store) == 4
    asked = [3, 8, 7, 2**52, None, -5, 2**63 - 1, -(2**63) + 1]
    places = store.places(asked, "item")
    assert (places >= 0).tolist() == [True, False, True, True, False, True, False, False]
    whole = artifact.encoder.encode_items(
        {"item": [3, 7], "tags": ["3", "1,2"], "length": [1e6, 1.5], "vector": [[4.0, 5.0, 6.0], [1.0, 2.0, 3.0]]}
    )
    found = store.encoded(places[[0, 2]])
    np.testing.assert_array_equal(found.ids, whole.ids)
    np.testing.assert_array_equal(found.numbers, whole.numbers)
    np.testing.assert_array_equal(found.codes["item"], whole.codes["item"])
    assert store.places(["3", 3], "item").tolist() == [-1, places[0]]
    assert store.places(pa.array(["3"]).to_pylist(), "item").tolist() == [-1]


def test_large_ids_are_compared_exactly(write_artifact, tmp_path):
    """As in a request with features: a fusion that spreads items by id tells apart ids that are one as floats."""
    rerank = {"items": {"kind": "spread", "of": "item"}}
    made = write_artifact(tmp_path / "made", fusion={"name": "additive", "rerank": rerank})
    table = {
        "item": [2**62 + 1, 2**62, -5, 3],
        "tags": ["1,2", None, "", "3"],
        "length": [1.5, None, 2.0, 1e6],
        "vector": [[1.0, 2.0, 3.0], None, [0.0, 0.0, 1.0], [4.0, 5.0, 6.0]],
    }
    pq.write_table(pa.table(table), tmp_path / "items.parquet")
    store = ItemSource(tmp_path / "items.parquet", tmp_path / "cache").store(made)
    places = store.places([2**62, 3, 2**62 + 1], "item")
    assert store.raw("item", places).tolist() == [2**62, 3, 2**62 + 1]
    assert store.raw("item", np.append(places, -1)).tolist() == [2**62, 3, 2**62 + 1, None]
    assert store.raw("item", np.array([places[1], -1]))[0] == 3.0


def test_no_items_at_all(numbered, tmp_path):
    empty = {"item": pa.array([], pa.int64()), "tags": pa.array([], pa.string())}
    more = {"length": pa.array([], pa.float64()), "vector": pa.array([], pa.list_(pa.float64()))}
    store = numbered(tmp_path, **empty, **more)
    assert len(store) == 0
    assert store.places([1, None], "item").tolist() == [-1, -1]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"item": [7, 1, 2, 7]}, r"column 'item' holds the id 7 more than once"),
        ({"item": [7, 1, None, 2]}, r"items\.parquet: column 'item', row 2: an item has no id"),
        ({"item": [7, 1, 2, 1.5]}, r"column 'item', row 3: 1\.5 is not an item id: a whole number"),
        ({"item": ["a", "b", "c", "d"]}, r"column 'item', row 0: 'a' is not an item id: an integer"),
        ({"length": [1.0, 2.0, float("inf"), 1.0]}, r"column 'length', row 2: inf is not a finite number"),
        ({"length": ["long"] * 4}, r"column 'length', row 0: 'long' is not a number"),
        ({"vector": [[1.0]] * 4}, r"column 'vector', row 0: \[1\.0\] is not a vector of 3 numbers"),
        ({"tags": [[["a"]]] * 4}, r"column 'tags' is of type list<.*list<.*, which features and labels cannot have"),
    ],
)
def test_items_that_cannot_be_served_are_named(numbered, tmp_path, changes, reason):
    with pytest.raises(ItemsError, match=reason):
        numbered(tmp_path, **changes)
    assert [entry.name for entry in (tmp_path / "cache").iterdir()] == ["build.lock"]


def test_files_that_are_no_items_are_named(artifact, shop, tmp_path):
    for name, reason in (
        ("nothing", "is neither a Parquet file nor a folder of Parquet files"),
        ("text.parquet", "cannot be read"),
    ):
        (tmp_path / "text.parquet").write_text("no Parquet")
        with pytest.raises(ItemsError, match=reason):
            ItemSource(tmp_path / name, tmp_path / "cache").store(artifact)
    pq.write_table(pa.table({"item": [1], "tag": ["a"]}), tmp_path / "lacking.parquet")
    with pytest.raises(ItemsError, match="has no column 'tags'; did you mean 'tag'"):
        ItemSource(tmp_path / "lacking.parquet", tmp_path / "cache").store(artifact)
    twice = tmp_path / "twice"
    twice.mkdir()
    pq.write_table(items_of([1, 2]), twice / "a.parquet")
    pq.write_table(items_of([3, 13]), twice / "b.parquet")
    pq.write_table(items_of([12]), twice / "c.parquet")
    with pytest.raises(ItemsError, match=r"holds the id 'sku-000[12]-é' more than once"):
        ItemSource(twice, tmp_path / "cache").store(shop)


def test_ids_that_share_a_hash_are_told_apart(shop, folder, tmp_path, monkeypatch):

    real = Text.hashes
    monkeypatch.setattr(
        Text, "hashes", lambda text, which, salt=0: real(text, which, salt) % (5 if salt < 3 else 2**62)
    )
    store = ItemSource(folder, tmp_path).store(shop)
    assert store.facts.salt == 3
    assert (store.places(["sku-0001-é", "x", "sku-0010-é"], "sku") >= 0).tolist() == [True, False, True]


def test_items_are_encoded_once_and_anew_for_what_changes(write_artifact, folder, tmp_path):
    log = shop_log()
    root, cache = tmp_path / "versions", tmp_path / "cache"
    first = write_artifact(root, **log)
    source = ItemSource(folder, cache)
    store = source.store(first)
    made = store.folder.stat().st_ino
    assert ItemSource(folder, cache).store(first).folder.stat().st_ino == made
    rules = {"rules": {"r": {"kind": "boost", "where": "length > 2", "add": 1.0}}}
    other = source.store(write_artifact(root, **log, fusion=rules))
    assert other.folder != store.folder
    assert other.facts.raw == ["length"]
    moved = tmp_path / "items"
    moved.mkdir()
    for rows in ([1], [1, 2], [1, 2, 3]):
        pq.write_table(items_of(rows), moved / "a.parquet")
        assert len(ItemSource(moved, cache).store(first)) == len(rows)
    assert len([entry for entry in cache.iterdir() if entry.is_dir()]) == 3
    assert store.places(["sku-0001-é"], "sku")[0] >= 0  # what is mapped stays
