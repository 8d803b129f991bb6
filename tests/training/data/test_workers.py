"""Encoding on a real cluster."""

from collections import Counter

import pytest

from ranker.cluster.versions import versions
from tests.training.data.encoded_files import contents, log_frame, many_columns
from tests.training.stored import file_of
from training.data import workers as module
from training.data.encode import prepare
from training.data.experiment_log import open_log
from training.data.workers import HERE, OnRay


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")
def test_a_cluster_encodes_the_same_rows(cluster, tmp_path):
    experiment = many_columns({}, {})
    log = open_log(experiment, [file_of(log_frame(300, seed)) for seed in range(3)])
    read = {"own": Counter(), "far": Counter()}
    for name, workers in (("own", HERE), ("far", OnRay("auto"))):

        def progress(stage, rows, counted=read[name]):
            counted[stage] += rows

        prepare(experiment, log, tmp_path / name, progress, workers=workers)
    assert contents(tmp_path / "far") == contents(tmp_path / "own")
    assert read["far"] == read["own"]


def test_the_cluster_checks_versions_and_can_name_each_span(cluster, tmp_path, monkeypatch):
    seen = []

    def results(cluster, spans, read, worker, arguments, named, wanted, pool):
        seen.append((wanted, [named(index, None) for index in range(spans)]))
        raise LookupError("enough")

    monkeypatch.setattr(module, "results", results)
    experiment, file = many_columns({}, {}), file_of(log_frame(300, 0))
    with pytest.raises(LookupError, match="enough"):
        prepare(experiment, open_log(experiment, [file]), tmp_path / "rows", workers=OnRay("auto"))
    assert seen == [(versions(), [f"{file}, from row 0"] * 2)]
