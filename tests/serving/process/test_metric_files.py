"""Files of metrics that workers leave behind."""

from serving.process.metric_files import remove_metrics_of


def test_metrics_of_one_worker_are_removed_and_others_stay(tmp_path, monkeypatch):
    remove_metrics_of(12)  # of a service with one worker there are none
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for name in ("counter_12.db", "gauge_livesum_12.db", "counter_112.db", "counter_1.db"):
        (tmp_path / name).touch()
    remove_metrics_of(12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_1.db", "counter_112.db"]
