"""Inputs within lists from a log to an artifact, and on from it: whole lists, wherever the split cuts."""

import io

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from ranker.artifact import difference
from ranker.inference import Model
from ranker.log_files.log_reader import DataError, Log
from ranker.prediction.job import predict_files
from ranker.schema import LIST_SIZE
from tests.training.days import config
from training.commands.evaluate import evaluate
from training.commands.fit import fit
from training.commands.inspect import list_line
from training.data.batches import EncodedRows
from training.data.day_files import write_days
from training.data.days import DayClock
from training.data.earlier import opened
from training.data.encode import prepare
from training.data.experiment_log import open_log

WITHIN = {"list_by": ["user", "request"], "of": ["price", "shelf"], "as": ["rank", "share_of_same"]}
EXPERIMENT = config(within_list=WITHIN, label_statistics=None)
NAMES = ["within_list(price).rank", "within_list(price).share_of_same", "within_list(shelf).share_of_same", LIST_SIZE]


def frame(day: int, lists: int = 40) -> pd.DataFrame:
    """Lists of 2 to 11 rows; requests are numbered by user, and the cheapest rows of a list are clicked."""
    random = np.random.default_rng(day)
    sizes = 2 + np.arange(lists) % 10
    which = np.repeat(np.arange(lists), sizes)
    count = len(which)
    price = random.lognormal(size=count) * np.exp(random.normal(size=lists))[which]
    cheap = pd.Series(price).groupby(which).rank(pct=True).to_numpy() <= 0.5
    return pd.DataFrame(
        {
            "date": f"2026-01-{day:02}",
            "user": np.array(["u", "v"])[which % 2],
            "request": which // 2,
            "item": random.choice(list("abcd"), count),
            "shelf": random.integers(0, 3, count),
            "price": price,
            "click": (cheap & (random.random(count) < 0.9)).astype(int),
            "like": random.integers(0, 2, count),
        }
    )


def by_hand(rows: pd.DataFrame) -> np.ndarray:
    """The inputs [N, 4] in pandas."""
    lists = rows.groupby(["user", "request"], sort=False)
    size = lists["price"].transform("size")
    same = [rows.groupby(["user", "request", name])["price"].transform("size") / size for name in ("price", "shelf")]
    return np.stack([(lists["price"].rank() - 1) / (size - 1), *same, np.log1p(size)], axis=1)


def write(folder, rows):
    """Files of 50 rows in row groups of 16, which cut lists."""
    folder.mkdir()
    for number, start in enumerate(range(0, len(rows), 50)):
        pq.write_table(pa.Table.from_pandas(rows[start : start + 50]), folder / f"{number}.parquet", row_group_size=16)
    return folder


def inputs(prepared_rows: EncodedRows, encoder) -> np.ndarray:
    """The inputs of encoded rows with their scale undone."""
    fields = {field.feature: field.start for field in encoder.layout.candidate.numbers}
    numbers = np.concatenate([chunk["candidate_numbers"] for chunk in prepared_rows.chunks()])
    found = [numbers[:, fields[n]] * encoder.encodings[n].deviation + encoder.encodings[n].mean for n in NAMES]
    return np.stack(found, axis=1)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder, screen = tmp_path_factory.mktemp("lists"), io.StringIO()
    log = write(folder / "log", frame(1))
    run = fit(EXPERIMENT, log, output=folder / "out", progress=Console(file=screen, width=160))
    return log, run.export(), run


def test_rows_on_both_sides_of_the_split_are_compared_with_their_whole_list(first):
    prepared = first[2].trained.prepared
    found = [inputs(side, prepared.encoder) for side in (prepared.training, prepared.validation)]
    assert min(map(len, found)) > 40
    expected = by_hand(frame(1))
    both = np.concatenate(found)
    assert len(both) == len(expected)
    order, other = (np.lexsort(rows.round(4).T) for rows in (both, expected))
    np.testing.assert_allclose(both[order], expected[other], atol=1e-5)


def test_the_artifact_scores_logs_files_and_requests_alike(first, tmp_path):
    log, artifact, _ = first
    rows = frame(1)
    metrics = evaluate(artifact, log, progress=False)
    assert metrics["tasks"]["click"]["rows"] == len(rows)
    predict_files(artifact.folder, [log], tmp_path / "out")
    scores = pd.read_parquet(tmp_path / "out")["score_click"].to_numpy()
    model, start = Model.load(artifact.folder), 0
    for _, listed in rows.groupby(["user", "request"], sort=False):
        alone = model.score({"user": listed["user"].iloc[0]}, listed[["item", "shelf", "price"]])["click"]
        assert difference(scores[start : start + len(listed)], alone) <= 1e-6
        start += len(listed)
    pq.write_table(pa.Table.from_pandas(rows.drop(columns="request")), tmp_path / "without.parquet")
    with pytest.raises(DataError, match=r"has no column 'request'.*list_by names lists by user, request"):
        predict_files(artifact.folder, [tmp_path / "without.parquet"], tmp_path / "other")


def test_sizes_are_told(first):
    assert first[1].encoder.list_sizes == (7, 11)  # by the rows that are trained on
    assert list_line(first[1]) == "lists in training: half have at most 7 candidates, 99 % at most 11"


def test_scales_are_carried_on_and_new_inputs_start_afresh(first, tmp_path):
    log, earlier = write(tmp_path / "log", frame(2)), opened(first[1])
    more = config(within_list={**WITHIN, "as": ["rank", "share_of_same", "z_score"]}, label_statistics=None)
    encoder = prepare(more, open_log(more, [log]), tmp_path, earlier=earlier).encoder
    for name in NAMES:
        assert encoder.encodings[name].mean == first[1].encoder.encodings[name].mean
    assert abs(encoder.encodings["within_list(price).z_score"].mean) < 0.1


def test_a_list_that_comes_back_in_the_log_is_an_error(tmp_path):
    rows = frame(1)
    log = write(tmp_path / "log", pd.concat([rows, rows[:1]]))
    told = r"row \d+: the list of user 'u', request 0 began before.*sort the rows by the columns of schema\.within_list"
    with pytest.raises(DataError, match=told):
        prepare(EXPERIMENT, Log([log]), tmp_path / "out")


def test_a_list_is_of_one_day_in_a_backtest(tmp_path):
    rows = frame(1)
    log = open_log(EXPERIMENT, [write(tmp_path / "log", rows)])
    columns = log.stored_columns(EXPERIMENT.log_schema.encoded_columns())
    assert {"user", "request"} < set(columns)
    assert not set(columns) & set(NAMES)
    written = write_days(log, DayClock(EXPERIMENT, 0), columns, [], tmp_path / "days", "key")
    assert sum(written.rows.values()) == len(rows)
    rows.loc[1, "date"] = "2026-01-02"
    other = open_log(EXPERIMENT, [write(tmp_path / "other", rows)])
    with pytest.raises(DataError, match=r"0\.parquet, row 1: is of another day than the first row of its list"):
        write_days(other, DayClock(EXPERIMENT, 0), columns, [], tmp_path / "days", "other")
