"""``ranker-train simulate --live``, against a server that ranks by id."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.training.command import Ended, ranker_train
from tests.training.simulator.live.fake_service import FakeService, fake_service


@pytest.fixture
def fake() -> Iterator[FakeService]:
    with fake_service() as running:
        yield running


def simulated(log: Path, url: str, output: Path, *more: object, **environment: object) -> Ended:
    words = ("simulate", "--live", url, "--world", log, "--output", output, "--requests", 60)
    return ranker_train(*words, *more, **environment)


def test_users_of_a_log_s_world_visit_a_service(log: Path, fake: FakeService, tmp_path: Path) -> None:
    ended = simulated(log, fake.url, tmp_path, "--shown", 5, "--api-key-env", "KEY", KEY="secret")
    assert ended.returncode == 0, ended.stderr
    assert len(fake.asked) == 60
    assert fake.asked[0][0]["Authorization"] == "Bearer secret"
    assert fake.asked[0][1]["top_k"] == 5
    truth = pq.read_table(tmp_path / "truth" / "0-00000.parquet").to_pandas()
    assert len(truth) == 60
    for name, its in truth.groupby("group"):
        line = next(line for line in ended.stdout.splitlines() if name in line and "%" in line)
        assert f"{its['utility'].mean():.3f}" in line
        assert f"{its['utility'].sum() / its['user'].nunique():.3f}" in line
    again = simulated(log, fake.url, tmp_path)
    assert again.returncode == 1
    assert "holds files of visits with seed 0" in again.stderr
    assert simulated(log, fake.url, tmp_path, "--visit-seed", 1).returncode == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--rows", 5), "--rows: is of a log; with --live, use --requests"),
        (("--overwrite",), "--overwrite: is of a log"),
        (("--shown", 30), "shown must be at most the 20 candidates of a request, got 30"),
        (("--candidates", 100), "candidates must be at most half of the 120 items"),
        (("--start", "soon"), "--start 'soon': Input should be a valid datetime"),
        (("--api-key-env", "NONE"), "--api-key-env NONE: the environment has no such variable, or it is empty"),
        (("--api-key-file", "/none"), "--api-key-file /none: cannot be read"),
        (("--api-key-file", "/none", "--api-key-env", "NONE"), "name one of them"),
        (("--world", "/none"), "holds no finished simulation"),
    ],
)
def test_mistakes_are_named(
    log: Path, fake: FakeService, tmp_path: Path, words: tuple[object, ...], reason: str
) -> None:
    ended = simulated(log, fake.url, tmp_path, *words)
    assert ended.returncode == 1
    assert reason in ended.stderr
    assert not list(tmp_path.iterdir())
