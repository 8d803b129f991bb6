"""``ranker-serve predict``, and its scores against those of a real server."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from ranker.prediction.options import PredictOptions
from ranker.prediction.predictor import Predictor
from serving.cli import app
from tests.ranker.prediction.request_rows import requests_of, table_of, write_files
from tests.serving.asking import CLIENT
from tests.serving.warm import warm

BLOCKED = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name in ("tensorflow", "pandas", "training"):
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Blocked())
"""


def test_lists_have_the_scores_of_the_service_to_the_last_bit(url, artifact):
    sizes = (1, 7, 50, 90, 100)
    requests = requests_of(artifact, sizes)
    found = Predictor(artifact, PredictOptions(rank_by=("list",)), streams=2)(table_of(requests))
    first = 0
    for size, request in zip(sizes, requests, strict=True):
        answer = CLIENT.post(f"{url}/rank", json=request).json()
        here = found.slice(first, size)
        order = np.argsort(here["rank"].to_numpy())
        items = np.array(request["candidates"]["item"])[order]
        assert answer["ids"] == items.tolist()
        assert answer["fused"] == here["fused"].to_numpy()[order].tolist()
        for task in artifact.manifest.tasks:
            served = np.array(answer["scores"][task], dtype=np.float32)
            assert served.tolist() == here[f"score_{task}"].to_numpy()[order].tolist()
        first += size


@pytest.fixture(scope="module")
def log(artifact, tmp_path_factory) -> Path:
    """Lists of 10 rows, some of which span row groups and files."""
    folder = tmp_path_factory.mktemp("log")
    write_files(folder, table_of(requests_of(artifact, [10] * 400)), 1_234, 777)
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.glob("part-*.parquet"))}


def arguments(artifact, log: Path, output: Path) -> list[str]:
    return [
        *("predict", str(artifact.folder), "--data", str(log), "--output", str(output)),
        *("--rank-by", "list", "--keep", "row", "--engine", "onnxruntime", "--rows-per-file", "100"),
    ]


def test_a_killed_job_goes_on_with_the_same_bytes(artifact, log, tmp_path):
    whole = CliRunner().invoke(app, arguments(artifact, log, tmp_path / "whole"))
    assert (whole.exit_code, whole.stderr) == (0, "")
    expected = contents(tmp_path / "whole")
    assert len(expected) > 30
    for place in (1, 8, 16):
        with open(os.devnull, "wb") as nothing:
            process = warm().start(arguments(artifact, log, tmp_path / "out"), os.environ, nothing, nothing)
        awaited = tmp_path / "out" / f"part-{place:05d}.parquet"
        while not awaited.exists():
            assert process.poll() is None
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not (tmp_path / "out" / "_SUCCESS").exists()
        found = contents(tmp_path / "out")
        assert place < len(found) < len(expected)
        assert found.items() <= expected.items()
    again = CliRunner().invoke(app, arguments(artifact, log, tmp_path / "out"))
    assert again.exit_code == 0
    assert "complete file(s)" in again.stdout
    assert contents(tmp_path / "out") == expected
    left = sorted(path.name for path in (tmp_path / "out").iterdir() if path.name not in expected)
    assert left == ["_SUCCESS", "_plan.json", "_summary.json"]
    summaries = [json.loads((tmp_path / name / "_summary.json").read_text()) for name in ("whole", "out")]
    assert summaries[0] == summaries[1]
    assert summaries[0]["rows_written"] == 4_000


def test_it_needs_neither_tensorflow_nor_pandas(artifact, log, tmp_path):
    """As in the service's image: importing one of these fails there."""
    words = arguments(artifact, log / "000.parquet", tmp_path / "out")
    code = f"{BLOCKED}\nfrom serving.cli import app\napp()"
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    written = sorted((tmp_path / "out").glob("part-*.parquet"))
    assert sum(pq.read_metadata(path).num_rows for path in written) == 1_234


def test_errors_are_one_line(artifact, log, tmp_path):
    pq.write_table(pa.table({"list": ["a"]}), tmp_path / "a.parquet")
    for words, told in [
        (["--data", str(tmp_path / "a.parquet")], "a.parquet has no column 'user'"),
        (["--data", str(tmp_path / "none")], "no such file or folder"),
        (["--data", str(log), "--fusion", "best"], "no fusion is named 'best'"),
        (["--data", str(log), "--top-k", "3"], "top_k: applies to ranked lists"),
        (["--data", str(log), "--keep", "rwo"], "has no column 'rwo'; did you mean 'row'?"),
        (["--data", str(log), "--engine", "fast"], "unknown engine 'fast'"),
    ]:
        ended = CliRunner().invoke(app, ["predict", str(artifact.folder), "--output", str(tmp_path / "out"), *words])
        assert ended.exit_code == 1, ended.output
        assert told in ended.stderr
        assert len(ended.stderr.strip().splitlines()) == 1


def test_its_help_is_its_own():
    ended = CliRunner().invoke(app, ["predict", "--help"])
    assert "--rank-by" in ended.stdout
    assert "ranker-serve predict" in ended.stdout
    assert "predict" in CliRunner().invoke(app, ["--help"]).stdout
