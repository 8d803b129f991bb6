"""The second pass over a log, divided among workers: the same files, byte for byte, whoever encodes a span."""

import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ranker.log_files import parquet
from ranker.log_files.log_reader import DataError
from tests.training.data.encoded_files import contents, log_frame, many_columns
from training.config.experiment import Experiment
from training.data.encode import prepare
from training.data.experiment_log import open_log
from training.data.workers import HERE, Processes

ROWS = 600


@pytest.fixture
def small(monkeypatch):
    """Chunks of 40 rows, and spans of at least 80."""
    monkeypatch.setattr(parquet, "CHUNK", 40)
    monkeypatch.setattr(parquet, "RANGE", 80)


class Scattered:
    """Encodes spans in a random order, each twice, each time with a fresh copy of what was fitted."""

    def __init__(self):
        self.spans = 0

    def each(self, work, items, progress):
        self.spans = len(items)
        pickled, found = pickle.dumps(work), {}
        for place in np.random.default_rng(0).permutation(np.repeat(np.arange(len(items)), 2)).tolist():
            found[place] = pickle.loads(pickled)(items[place], progress)
        return (pickle.loads(pickle.dumps(found[place])) for place in range(len(items)))


def write(folder: Path, frame: pd.DataFrame, kind: str) -> Path:
    folder.mkdir()
    for part, start in enumerate(range(0, len(frame), 220)):
        rows = frame.iloc[start : start + 220]
        if kind == "csv":
            rows.to_csv(folder / f"{part}.csv", index=False)
        else:
            rows.to_parquet(folder / f"{part}.parquet", row_group_size=40)
    return folder


CHANGES = {
    "random": ({}, {}),
    "by group": ({"data": {"split": {"by": "group", "column": "user", "fraction": 0.3}}}, {}),
    "by time": ({"data": {"split": {"by": "time", "column": "day", "last": 2}}}, {}),
    "folds by value": ({}, {"label_statistics": {"of": ["item"], "fold_by": "user", "folds": 3}}),
    "inputs within lists": ({}, {"within_list": {"list_by": "request", "of": ["price"]}}),
}


@pytest.mark.parametrize(
    ("change", "kind", "refit"),
    [
        *((change, "parquet", False) for change in CHANGES),
        *((change, "csv", False) for change in ("random", "folds by value", "inputs within lists")),
        ("random", "csv", True),
        ("by time", "parquet", True),
    ],
)
def test_rows_do_not_depend_on_who_encodes_them(tmp_path, small, change, kind, refit):
    experiment, log = many_columns(*CHANGES[change]), write(tmp_path / "log", log_frame(ROWS), kind)
    own = prepare(experiment, open_log(experiment, [log]), tmp_path / "own", refit=refit)
    workers = Scattered()
    found = prepare(experiment, open_log(experiment, [log]), tmp_path / "far", refit=refit, workers=workers)
    assert workers.spans >= (6 if kind == "csv" else 12)
    assert contents(tmp_path / "far") == contents(tmp_path / "own")
    assert len(contents(tmp_path / "own")) > 6
    assert found.days == own.days
    assert len(own.training) + (0 if refit else len(own.validation)) == ROWS - (log_frame(ROWS)["dropped"].sum())


@pytest.mark.parametrize("refit", [False, True])
def test_separate_validation_files_are_spans_of_their_own(tmp_path, small, refit):
    log, other = (write(tmp_path / name, log_frame(ROWS, seed), "parquet") for seed, name in enumerate(("a", "b")))
    experiment = many_columns({"data": {"split": {"by": "files", "paths": [str(other)]}}}, {})
    for name, workers in (("own", HERE), ("far", Scattered())):
        prepare(experiment, open_log(experiment, [log]), tmp_path / name, refit=refit, workers=workers)
    assert contents(tmp_path / "far") == contents(tmp_path / "own")


def test_processes_encode_the_same_and_leave_nothing_else(tmp_path):
    experiment, log = many_columns({}, {}), write(tmp_path / "log", log_frame(ROWS), "parquet")
    read = {"own": {}, "far": {}}
    for name, workers in (("own", HERE), ("far", Processes(2))):
        counted = read[name]

        def progress(stage, rows, counted=counted):
            counted[stage] = counted.get(stage, 0) + rows

        prepare(experiment, open_log(experiment, [log]), tmp_path / name, progress, workers=workers)
    assert contents(tmp_path / "far") == contents(tmp_path / "own")
    assert read["far"] == read["own"]
    assert read["own"]["encode training rows"] == ROWS
    assert not list((tmp_path / "far").glob(".*"))


def test_a_file_that_changes_between_the_passes_is_an_error_and_leaves_nothing_complete(tmp_path, small):
    experiment, log = many_columns({}, {}), write(tmp_path / "log", log_frame(ROWS), "parquet")

    class Late(Scattered):
        def each(self, work, items, progress):
            file = log / "1.parquet"
            file.write_bytes(file.read_bytes())
            return super().each(work, items, progress)

    with pytest.raises(DataError, match=r"1\.parquet: was changed while it was being read"):
        prepare(experiment, open_log(experiment, [log]), tmp_path / "out", workers=Late())
    assert not contents(tmp_path / "out")


def test_rows_on_the_disk_of_another_machine_are_missed(tmp_path, small):
    experiment, log = many_columns({}, {}), write(tmp_path / "log", log_frame(ROWS), "parquet")

    class Elsewhere(Scattered):
        def each(self, work, items, progress):
            for found in super().each(work, items, progress):
                yield found._replace(files=tuple(Path("/nowhere/rows/.spans", file.name) for file in found.files))

    with pytest.raises(DataError, match=r"/nowhere/rows: .* storage that all machines share"):
        prepare(experiment, open_log(experiment, [log]), tmp_path / "out", workers=Elsewhere())


def test_label_counts_are_those_of_all_spans(tmp_path, small):
    experiment: Experiment = many_columns(
        {},
        {
            "tasks": {
                "click": {"kind": "binary"},
                "buy": {"kind": "binary", "given": "click", "given_conflicts": "keep"},
            }
        },
    )
    log, notes = write(tmp_path / "log", log_frame(ROWS), "parquet"), {}
    for name, workers in (("own", HERE), ("far", Scattered())):
        told = notes[name] = []
        prepare(experiment, open_log(experiment, [log]), tmp_path / name, note=told.append, workers=workers)
    assert notes["far"] == notes["own"]
    assert any("the label of 'click', which it is given, is 0" in text for text in notes["own"])
