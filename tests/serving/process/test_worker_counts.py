"""Counts that the supervisor writes and workers show."""

import errno
import os

import pytest

from serving.process.worker_counts import WorkerCounts


def shown(counts):
    """Values of all samples, by metric and reason."""
    samples = [sample for family in counts.collect() for sample in family.samples]
    return {(sample.name, sample.labels.get("reason")): sample.value for sample in samples if sample.value}


def test_what_one_process_counts_another_shows(tmp_path):
    supervisor, worker = WorkerCounts(tmp_path), WorkerCounts(tmp_path)
    assert shown(worker) == {}
    supervisor.count_death("hung")
    supervisor.count_restart()
    supervisor.count_death("killed", "scorer")
    supervisor.write()
    assert shown(worker) == {
        ("ranker_worker_deaths_total", "hung"): 1,
        ("ranker_worker_restarts_total", None): 1,
        ("ranker_scorer_deaths_total", "killed"): 1,
    }


def test_what_a_full_disk_does_not_take_is_written_later(tmp_path, monkeypatch):
    supervisor, worker = WorkerCounts(tmp_path), WorkerCounts(tmp_path)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", full)
        for _ in range(2):
            supervisor.count_death("killed")
            with pytest.raises(OSError, match="No space left"):
                supervisor.write()
    supervisor.write()
    assert shown(worker) == {("ranker_worker_deaths_total", "killed"): 2}
    (tmp_path / "supervisor.json").unlink()
    supervisor.write()  # nothing was counted since
    assert not (tmp_path / "supervisor.json").exists()
