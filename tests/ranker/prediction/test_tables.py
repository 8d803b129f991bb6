import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import ranker
from ranker.log_files.errors import DataError
from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from tests.ranker.prediction.request_rows import requests_of, table_of

BY = {"rank_by": "list", "keep": ["row"], "engine": "onnxruntime"}


@pytest.fixture(scope="module")
def table(artifact) -> pa.Table:
    return table_of(requests_of(artifact, (5, 40, 1, 17)))


@pytest.fixture(scope="module")
def expected(artifact, table) -> pa.Table:
    return Predictor(artifact, PredictOptions(("list",), ("row",), engine="onnxruntime"))(table)


def test_a_table_and_batches_of_any_size_give_the_same(artifact, table, expected):
    assert ranker.predict(artifact, table, **BY).equals(expected)
    assert ranker.predict(artifact.folder, table.combine_chunks().to_batches()[0], **BY).equals(expected)
    for size in (1, 7, 100):
        batches = ranker.predict(artifact, table.to_reader(size), **BY)
        assert pa.Table.from_batches(batches).equals(expected)


def test_batches_are_read_as_results_are(artifact, table):
    read = []

    def stream():
        for batch in table.to_batches(max_chunksize=2):
            read.append(batch)
            yield batch

    next(iter(ranker.predict(artifact, stream(), keep="row", engine="onnxruntime", threads=1)))
    assert len(read) < 8
    assert list(ranker.predict(artifact, iter([]), engine="onnxruntime")) == []


def test_a_frame_keeps_its_index_and_its_values(artifact, table, expected):
    frame = table.to_pandas()
    frame.index = [f"row {i}" for i in frame["row"]]
    frame["mark"] = pd.Categorical(["a", "b", None] * 21)
    found = ranker.predict(artifact, frame, rank_by="list", keep=["row", "mark"], top_k=2, engine="onnxruntime")
    kept = expected["rank"].to_numpy() <= 2
    assert kept.sum() == 7
    assert found.index.tolist() == frame.index[kept].tolist()
    pd.testing.assert_series_equal(found["mark"], frame["mark"][kept])
    assert found.columns.tolist() == ["list", "row", "mark", *expected.schema.names[2:]]
    assert found["fused"].tolist() == expected["fused"].to_numpy()[kept].tolist()
    assert found["rank"].tolist() == expected["rank"].to_numpy()[kept].tolist()
    nothing = ranker.predict(artifact, frame.iloc[:0], engine="onnxruntime")
    assert nothing.columns.tolist() == [f"score_{task}" for task in artifact.manifest.tasks]
    assert len(nothing) == 0


def test_types_of_frames(artifact, table, expected):
    frame = table.to_pandas().convert_dtypes()
    frame["city"] = frame["city"].astype("category")
    frame["user"] = frame["user"].astype("Int64")
    frame["length"] = frame["length"].astype(np.float32).astype(object)
    found = ranker.predict(artifact, frame, **BY)
    assert np.allclose(found["score_click"], expected["score_click"].to_numpy(), atol=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda frame: frame.drop(columns="user"), "has no column 'user'; did you mean|has no column 'user'"),
        (lambda frame: frame.drop(columns="row"), "has no column 'row'"),
        (lambda frame: pd.concat([frame, frame["user"]], axis=1), "has the column 'user' more than once"),
        (lambda frame: frame.assign(length=[1.0, "x"] + [1.0] * 61), "DataFrame, column 'length'"),
        (lambda frame: frame.assign(length=[1.0] * 62 + [np.inf]), "DataFrame, row 62, column 'length': inf is not"),
    ],
)
def test_bad_frames_are_named(artifact, table, change, told):
    with pytest.raises(DataError, match=told):
        ranker.predict(artifact, change(table.to_pandas()), **BY)


def test_other_data_is_refused(artifact):
    for data in (3, "path"):
        with pytest.raises(DataError, match="data: must be a DataFrame, an Arrow table or record batches"):
            ranker.predict(artifact, data, engine="onnxruntime")
    for data in ({"user": [1]}, [{"user": 1}]):
        with pytest.raises(DataError, match=r"must be an Arrow table or record batches, got (str|dict)"):
            list(ranker.predict(artifact, data, engine="onnxruntime"))


def test_names_of_a_frame_may_be_numbers(artifact, table):
    frame = table.to_pandas().rename(columns={"row": 0})
    found = ranker.predict(artifact, frame, keep=["0"], engine="onnxruntime")
    assert found["0"].tolist() == list(range(63))
