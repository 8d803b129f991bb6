import pyarrow.parquet as pq

from ranker.prediction.command import predict
from tests.training.command import ranker_train
from training.cli import COMMANDS


def test_it_is_the_command_of_the_service(quickly_trained, tmp_path):
    assert predict in COMMANDS
    output = tmp_path / "scores"
    words = (quickly_trained.output, "--data", quickly_trained.log, "--output", output, "--engine", "onnxruntime")
    ended = ranker_train("predict", *words, "--rank-by", "request_id", "--keep", "item_id", "--top-k", 2)
    assert ended.returncode == 0, ended.stderr
    assert "user_id" in ended.stdout
    assert "from 4,000 rows" in ended.stdout
    table = pq.read_table(output / "part-00000.parquet")
    assert table.schema.names[:2] == ["request_id", "item_id"]
    assert set(table["rank"].to_pylist()) == {1, 2}
    again = ranker_train("predict", *words)
    assert again.returncode == 1
    assert "differs in rank_by, keep, top_k" in again.stderr
