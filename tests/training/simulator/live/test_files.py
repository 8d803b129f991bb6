from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from training.simulator import World
from training.simulator.live import Crowd, CrowdOptions, EventOptions, Ranker, rounds
from training.simulator.live.files import LiveFiles


def test_files_have_all_events_and_the_truth(tmp_path: Path, world: World, retrieved: Ranker) -> None:
    files = LiveFiles(tmp_path, seed=1, roll=500)
    found = list(rounds(Crowd(world, CrowdOptions(seed=1)), retrieved, 400, EventOptions(twice=0.2), block=50))
    for block in found:
        files.add(block)
    files.close()
    events, truth = (
        [pq.ParquetFile(path).read() for path in sorted((tmp_path / name).iterdir())] for name in ("events", "truth")
    )
    assert len(events) > 3
    whole = pa.concat_tables(events)
    expected = pa.concat_tables(block.events.table() for block in found)
    assert whole.sort_by([("event_id", "ascending")]).equals(expected.sort_by([("event_id", "ascending")]))
    assert all(table.num_rows >= 500 for table in events[:-2])
    assert pa.concat_tables(truth).equals(pa.concat_tables(block.truth() for block in found))
    late = set(pa.concat_tables(block.events.late for block in found)["event_id"].to_pylist())
    assert late == set(events[-1]["event_id"].to_pylist())
    assert sorted(files.paths) == sorted(tmp_path.glob("*/*.parquet"))


def test_visits_of_a_seed_are_written_once(tmp_path: Path, world: World, retrieved: Ranker) -> None:
    files = LiveFiles(tmp_path, seed=1)
    files.add(next(rounds(Crowd(world, CrowdOptions(seed=1)), retrieved, 20)))
    files.close()
    with pytest.raises(FileExistsError, match="holds files of visits with seed 1"):
        LiveFiles(tmp_path, seed=1)
    LiveFiles(tmp_path, seed=2)
