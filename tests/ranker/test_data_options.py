from pathlib import Path

import pytest

from ranker.data_options import sources


@pytest.mark.parametrize(
    ("listed", "paths"),
    [
        ("", []),
        (" a : b/2024:2025:", ["a", "b/2024", "2025"]),
        ("s3://bucket/log:more", ["s3://bucket/log", "more"]),
        ("s3://bucket/log:2024/a:s3://other", ["s3://bucket/log", "2024/a", "s3://other"]),
        ("s3://bucket/log?region=eu-west-1:2024/a", ["s3://bucket/log?region=eu-west-1", "2024/a"]),
        ("hdfs://namenode:8020/log:more", ["hdfs://namenode:8020/log", "more"]),
        (
            "s3://b/x?endpoint_override=127.0.0.1:9000&scheme=http:s3://b/y?endpoint_override=localhost:9000:more",
            [
                "s3://b/x?endpoint_override=127.0.0.1:9000&scheme=http",
                "s3://b/y?endpoint_override=localhost:9000",
                "more",
            ],
        ),
    ],
)
def test_paths_of_the_environment_are_split_at_colons_that_are_not_of_a_url(monkeypatch, listed, paths):
    monkeypatch.setenv("RANKER_DATA", listed)
    assert sources(None, None) == [Path(path) for path in paths]
    assert sources([Path("c")], [Path("d")]) == [Path("c"), Path("d")]
