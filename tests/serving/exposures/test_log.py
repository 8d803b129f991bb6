"""What is logged of a request is what its answer said, whatever its form."""

import json
import os
from collections.abc import Mapping

import numpy as np
import pyarrow.parquet as pq
import pytest

from ranker.encoding import Text
from ranker.engines import OnnxRuntime
from ranker.exposures import exposure_files, hashed_unit, log_schema, read_file
from ranker.exposures.columns import REQUEST
from ranker.exposures.schema import columns_of
from serving.experiments.assignment import Split
from serving.experiments.config import Experiment
from serving.exposures.log import ExposureLog
from serving.features.items import ItemSource
from serving.protocol.formats import ARROW, Exchange
from serving.protocol.formats.base import BY_ROW
from serving.ranking.request_trace import RequestTrace
from serving.settings import Settings, SettingsError
from tests.artifacts import with_noisy_student
from tests.serving.exposures.in_process import Logging, ranker_of
from tests.serving.features.items.test_items import items_of
from tests.serving.protocol.formats.streams import sent, table_of

FUSION = {"calibration": {"click": "platt"}, "parameters": {"share": {"buy": 2.0}}}
STATE = {"calibration": {"click": {"method": "platt", "constants": {"slope": [2.0], "intercept": [-1.0]}}}}


def body_of(artifact, **more):
    return {"context": artifact.golden[0].context, "candidates": artifact.golden[0].candidates, **more}


@pytest.fixture(scope="module")
def ranker(shop):
    return ranker_of(shop)


def same(rows, answer):
    """Whether rows are an answer's first places, to the last bit."""
    count = min(len(rows), len(answer["ids"]))
    assert [row["place"] for row in rows] == list(range(1, len(rows) + 1))
    assert [row["item"] for row in rows][:count] == answer["ids"][:count]
    assert [row["fused"] for row in rows][:count] == answer["fused"][:count]
    for objective, scores in answer["scores"].items():
        found = np.array([row[f"score.{objective}"] for row in rows], np.float32)[:count]
        assert found.tobytes() == np.array(scores, np.float32)[:count].tobytes()
    fusion = dict(answer["fusion"])
    for row in rows:
        assert (row["fusion"], row["formula"]) == (fusion["name"], fusion["formula"])
        assert json.loads(row["parameters"]) == {k: v for k, v in fusion.items() if k not in ("name", "formula")}
        assert (row["model"], row["version"]) == (answer["model"], answer["model_version"])
        assert row["returned"] == len(answer["ids"])


def test_columns_rows_and_streams_are_logged_alike(shop, ranker, tmp_path):
    body = body_of(shop, top_k=7)
    logging = Logging(ranker, tmp_path, features="all")
    answer = json.loads(logging.ask(body, "columns"))
    values = zip(*body["candidates"].values(), strict=True)
    by_row = {**body, "candidates": [dict(zip(body["candidates"], row, strict=True)) for row in values]}
    logging.ask(by_row, "rows", exchange=Exchange(writes=BY_ROW))
    logging.ask(None, "stream", content=sent(table_of(body)), exchange=Exchange(reads=ARROW, writes=ARROW))
    found = logging.rows()
    assert {*found} == {"columns", "rows", "stream"}
    for rows in found.values():
        assert len(rows) == 7
        same(rows, answer)

    def alike(rows):  # in a stream, a null is an empty list
        return [{k: v or None for k, v in row.items() if k not in ("request_id", "time")} for row in rows]

    assert alike(found["columns"]) == alike(found["rows"]) == alike(found["stream"])


def test_features_are_logged_as_sent_lists_and_nulls_included(shop, ranker, tmp_path):
    body = body_of(shop)
    logging = Logging(ranker, tmp_path, features="all")
    answer = json.loads(logging.ask(body))
    (rows,) = logging.rows().values()
    sent_rows = {}
    for row in rows:
        sent_rows.setdefault(row["item"], []).append(row)
    for name in ("shelf", "tags", "similar", "length", "vector"):
        expected = {}
        for item, value in zip(body["candidates"]["sku"], body["candidates"][name], strict=True):
            expected.setdefault(item, []).append(value)
        for item, values in expected.items():
            assert sorted(map(repr, values)) == sorted(repr(row[f"candidate.{name}"]) for row in sent_rows[item])
    for name, value in body["context"].items():
        assert {repr(row[f"context.{name}"]) for row in rows} == {repr(value)}
    same(rows, answer)


def arrays_of(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, Text):
        yield value.data
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from arrays_of(each)


@pytest.mark.parametrize("settings", [{"features": "all"}, {"features": "all", "rows": 3}, {"depth": 15}])
def test_a_queued_request_holds_no_more_than_it_counts(shop, ranker, tmp_path, settings):
    logging = Logging(ranker, tmp_path, **settings)
    body = body_of(shop, top_k=12)
    logging.ask(body, "columns")
    logging.ask(None, "stream", content=sent(table_of(body)), exchange=Exchange(reads=ARROW, writes=ARROW))
    for queued in logging.log.writer._queue:
        exposure = queued.exposure
        held = [array for value in exposure[4:] for array in arrays_of(value)]
        assert len(held) >= 2
        for array in held:
            assert array.base is None or array.base.nbytes <= array.nbytes


def test_long_texts_count_by_their_length(shop, ranker, tmp_path):
    logging = Logging(ranker, tmp_path, features="all", queue_bytes=2**20)
    body = body_of(shop)
    body["context"] = {**body["context"], "city": "x" * 2**21}
    logging.ask(body)
    assert logging.log.writer.dropped == {"queue_full": 1}


def test_by_default_no_feature_is_logged_but_the_item(shop, ranker, tmp_path):
    logging = Logging(ranker, tmp_path)
    logging.ask(body_of(shop))
    names = logging.rows()["r"][0].keys()
    assert not [name for name in names if name.startswith(("context.", "candidate."))]
    assert "item" in names


def test_chosen_columns_alone_are_logged(shop, ranker, tmp_path):
    logging = Logging(ranker, tmp_path, features="city, length")
    logging.ask(body_of(shop))
    names = logging.rows()["r"][0].keys()
    assert {name for name in names if name.startswith(("context.", "candidate."))} == {
        "context.city",
        "candidate.length",
    }


def test_requests_by_id_have_what_is_stored(shop, tmp_path):
    pq.write_table(items_of(range(7)), tmp_path / "items.parquet")
    source = ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    logging = Logging(ranker_of(shop, source=source), tmp_path / "log", features="all")
    ids = [f"sku-{i:04d}-é" for i in (3, 1, 9)]
    answer = json.loads(logging.ask({"context": shop.golden[0].context, "candidates": {"sku": ids}}))
    rows = logging.rows()["r"]
    same(rows, answer)
    lengths = {row["sku"]: row["length"] for row in items_of(range(7)).to_pylist()}
    assert [row["candidate.length"] for row in rows] == [lengths.get(row["item"]) for row in rows]
    assert all(row["candidate.tags"] is None for row in rows)


def test_candidates_beyond_the_answer_are_logged_as_deep_as_asked(shop, ranker, tmp_path):
    whole = json.loads(Logging(ranker, tmp_path / "none").ask(body_of(shop)))
    logging = Logging(ranker, tmp_path / "log", depth=12, rows=15)
    answers = {k: json.loads(logging.ask(body_of(shop, top_k=k), str(k))) for k in (5, 14, 20)}
    found = logging.rows()
    assert {k: len(found[str(k)]) for k in answers} == {5: 12, 14: 14, 20: 15}
    for k, answer in answers.items():
        rows = found[str(k)]
        same(rows, answer)
        assert [row["item"] for row in rows] == whole["ids"][: len(rows)]
        assert {row["candidates"] for row in rows} == {20}


def test_scores_before_calibration_are_logged(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path / "a", fusion=FUSION, state=STATE)
    logging = Logging(ranker_of(artifact), tmp_path / "log")
    same_answer = json.loads(logging.ask(body_of(artifact)))
    rows = logging.rows()["r"]
    same(rows, same_answer)
    raw = np.array([row["raw.click"] for row in rows])
    expected = 1 / (1 + np.exp(-(2.0 * np.log(raw / (1 - raw)) - 1.0)))
    np.testing.assert_allclose([row["score.click"] for row in rows], expected, rtol=1e-5)
    assert not any("raw.buy" in row for row in rows)


def test_two_stages_are_logged_as_answered(shop, tmp_path):
    artifact = with_noisy_student(shop, tmp_path / "shop")
    student = OnnxRuntime(artifact.student_path)
    logging = Logging(ranker_of(artifact, student=student), tmp_path / "log")
    golden = shop.golden[0]
    many = {name: values * 10 for name, values in golden.candidates.items()}
    answer = json.loads(logging.ask({"context": golden.context, "candidates": many, "top_k": 30}))
    assert answer["cascade"]["student"] > 0
    same(logging.rows()["r"], answer)


def test_requests_without_a_ranked_candidate_leave_no_row(shop, tmp_path):
    pq.write_table(items_of(range(7)), tmp_path / "items.parquet")
    source = ItemSource(tmp_path / "items.parquet", tmp_path / "cache")
    logging = Logging(ranker_of(shop, source=source, drop_unknown=True), tmp_path / "log", depth=5)
    answer = json.loads(logging.ask({"context": shop.golden[0].context, "candidates": {"sku": ["unknown"]}}))
    assert answer["ids"] == []
    assert logging.rows() == {}
    assert not exposure_files(tmp_path / "log")


def test_requests_whose_candidates_are_all_dropped_leave_no_row(write_artifact, tmp_path):
    fusion = {"rules": {"none": {"kind": "floor", "least": {"click": 2}, "below": "drop"}}}
    artifact = write_artifact(tmp_path / "a", fusion=fusion)
    logging = Logging(ranker_of(artifact), tmp_path / "log")
    assert json.loads(logging.ask(body_of(artifact)))["ids"] == []
    assert logging.rows() == {}


def test_a_sample_is_of_whole_requests_and_the_same_on_every_host(shop, ranker, tmp_path):
    ids = [f"request {i}" for i in range(150)]
    kept = []
    for place in ("a", "b"):
        logging = Logging(ranker, tmp_path / place, sample=0.2)
        for name in ids:
            logging.ask(body_of(shop, top_k=2), name)
        rows = logging.rows()
        assert {len(found) for found in rows.values()} == {2}
        kept.append({*rows})
    assert kept[0] == kept[1]
    assert 15 <= len(kept[0]) <= 45  # 30 expected, and 5 the standard deviation


@pytest.mark.parametrize(
    ("settings", "body", "unit"),
    [
        ({}, {}, None),
        ({}, {"user": 7}, "7"),
        ({"unit": "city"}, {"context": {"city": "x"}}, "x"),
        ({"unit": "city", "salt": "s"}, {"context": {"city": "x"}}, hashed_unit("x", "s")),
        ({"salt": "s"}, {}, None),
    ],
)
def test_the_unit_is_the_user_or_a_column_and_may_be_hashed(shop, ranker, tmp_path, settings, body, unit):
    logging = Logging(ranker, tmp_path, **settings)
    asked = body_of(shop)
    if "context" in body:
        asked["context"] = {**asked["context"], **body["context"]}
    given = {**asked, **{name: value for name, value in body.items() if name != "context"}}
    if "user" in given:  # there is no store of users to rank with
        trace = RequestTrace(request_id="r")
        logging.log.begin(trace, ranker, None, given, {})
        assert trace.unit == unit
        return
    logging.ask(given)
    rows = logging.rows()["r"]
    assert {row["unit"] for row in rows} == {unit}
    (file,) = exposure_files(tmp_path)
    assert json.loads(pq.read_metadata(file.path).metadata[b"ranker.exposures"])["hashed"] == ("salt" in settings)


def test_an_experiment_says_whose_request_it_is(shop, ranker, tmp_path):
    experiment = Experiment.model_validate(
        {"name": "e", "header": "X-Unit", "groups": {"a": {"share": 0.5}, "b": {"share": 0.5}}}
    )
    split = Split(experiment)
    logging = Logging(ranker, tmp_path)
    for i in range(6):
        report = {"name": "e", "group": "ab"[i % 2]} if i < 4 else {"name": "e", "group": None, "outside": "no_unit"}
        logging.ask(body_of(shop), f"{i}", split=split, headers={"X-Unit": f"u{i}"}, experiment=report)
    found = {name: rows[0] for name, rows in logging.rows().items()}
    assert [found[f"{i}"]["group"] for i in range(6)] == ["a", "b", "a", "b", None, None]
    assert [found[f"{i}"]["outside"] for i in range(6)] == [None] * 4 + ["no_unit"] * 2
    assert [found[f"{i}"]["unit"] for i in range(6)] == [f"u{i}" for i in range(6)]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"features": "city,lenght"}, "EXPOSURES_FEATURES: no request has a column 'lenght'; did you mean 'length'"),
        ({"unit": "length"}, "EXPOSURES_UNIT: no request has a context column 'length'"),
    ],
)
def test_columns_that_there_are_not_are_refused_at_the_start(ranker, tmp_path, settings, said):
    with pytest.raises(SettingsError, match=said):
        Logging(ranker, tmp_path, **settings)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"exposures": "s3://bucket"}, "EXPOSURES: must be a folder or a URL of Redis"),
        ({"exposures": "redis:/user:secret@host"}, "EXPOSURES: must be a folder or a URL of Redis"),
        ({"exposures": "redis://host:x"}, "EXPOSURES: "),
        ({"exposures": " "}, "EXPOSURES: is empty"),
        ({"exposures": "log", "exposures_salt": " "}, "EXPOSURES_SALT: is empty"),
        ({"exposures_file": "none"}, "EXPOSURES_FILE: cannot be read"),
    ],
)
def test_places_that_there_are_not_are_refused(given, said):
    with pytest.raises(SettingsError, match=said):
        ExposureLog.of(Settings(artifact="a", **given))


@pytest.mark.parametrize("features", ["ids,city", "city, all"])
def test_all_and_none_are_not_mixed_with_columns(features):
    with pytest.raises(ValueError, match=r"exposures_features: (ids|all) must be alone"):
        Settings(artifact="a", exposures_features=features)


def test_no_log_without_a_place():
    assert ExposureLog.of(Settings(artifact="a")) is None


def test_a_file_as_the_folder_is_refused(ranker, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match=r"EXPOSURES: .*file cannot be created"):
        Logging(ranker, tmp_path / "file")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_of_others_is_refused(ranker, tmp_path):
    (tmp_path / ".open").mkdir(mode=0o500)
    with pytest.raises(SettingsError, match="cannot be written to"):
        Logging(ranker, tmp_path)


def test_explored_places_have_the_propensities_of_the_answer(write_artifact, tmp_path):
    artifact = write_artifact(tmp_path / "a", fusion={"explore": {"kind": "epsilon", "epsilon": 0.5, "first": 3}})
    logging = Logging(ranker_of(artifact), tmp_path / "log", depth=8)
    answers = {f"{i}": json.loads(logging.ask(body_of(artifact, top_k=5), f"{i}")) for i in range(20)}
    plain = {"fusion": {"explore": False}}
    answers["none"] = json.loads(logging.ask(body_of(artifact, top_k=5, **plain), "none"))
    found = logging.rows()
    for name, answer in answers.items():
        rows = found[name]
        same(rows, answer)
        assert len(rows) == 8
        for column in ("base_place", "propensity"):
            expected = [None] * 5 if name == "none" else answer[column]
            assert [row[column] for row in rows[:5]] == expected
    explored = [row for name in answers if name != "none" for row in found[name]]
    assert all(row["propensity"] == 1 for row in explored if row["place"] > 3)
    assert any(row["base_place"] != row["place"] for row in explored)


def test_files_have_the_types_of_the_contract(shop, ranker, tmp_path):
    logging = Logging(ranker, tmp_path, features="all", salt="s")
    logging.ask(body_of(shop))
    logging.rows()
    (file,) = exposure_files(tmp_path)
    columns = [columns_of(shop.schema, side) for side in ("context", "candidate")]
    assert pq.read_schema(file.path).equals(log_schema(shop, *columns, hashed=True), check_metadata=False)
    (table,) = read_file(file.path)
    assert {name: table.schema.field(name).type for name in REQUEST} == REQUEST
