"""Files that processes share."""

from serving.process.files import remove_metrics_of, replace_file


def test_metrics_of_one_worker_are_removed_and_others_stay(tmp_path, monkeypatch):
    remove_metrics_of(12)  # of a service with one worker there are none
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for name in ("counter_12.db", "gauge_livesum_12.db", "counter_112.db", "counter_1.db"):
        (tmp_path / name).touch()
    remove_metrics_of(12)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counter_1.db", "counter_112.db"]


def test_a_file_is_replaced_as_a_whole_and_its_folder_is_made(tmp_path):
    file = tmp_path / "folder" / "file"
    for content in (b"one", b"another"):
        replace_file(file, content)
        assert file.read_bytes() == content
    assert [path.name for path in file.parent.iterdir()] == ["file"]
