import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from training.simulator import SCHEMA, SimulatorConfig, World, log_table, simulate

SMALL = SimulatorConfig(rows=500, seed=2, users=40, items=100, authors=10, days=2)


def listing(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_parts_hold_the_log_in_order(tmp_path: Path) -> None:
    config = SMALL.model_copy(update={"rows": 260_007, "history_length": 3})
    seen: list[int] = []
    parts = simulate(config, tmp_path / "new" / "log", progress=seen.append)
    assert [part.name for part in parts] == ["part-00000.parquet", "part-00001.parquet"]
    assert listing(tmp_path / "new" / "log") == ["_simulation.json", "part-00000.parquet", "part-00001.parquet"]
    metadata = [pq.read_metadata(part) for part in parts]
    assert [m.num_rows for m in metadata] == [250_000, 10_007]
    assert [metadata[0].row_group(n).num_rows for n in range(metadata[0].num_row_groups)] == [50_000] * 5
    assert metadata[0].row_group(0).column(0).compression == "ZSTD"
    assert seen[-1] == 260_007
    assert seen == sorted(seen)
    expected = log_table(config)
    first, second = (pq.read_table(part, partitioning=None) for part in parts)
    assert first.schema == SCHEMA
    assert first.equals(expected.slice(0, 250_000))
    assert second.equals(expected.slice(250_000))


def test_the_world_can_be_rebuilt(tmp_path: Path) -> None:
    simulate(SMALL, tmp_path)
    world = World.load(tmp_path)
    assert world.config == SMALL
    users = np.arange(40)[:, None]
    np.testing.assert_array_equal(world.utility(users, np.arange(100)), World(SMALL).utility(users, np.arange(100)))


def test_load_rejects_what_is_no_simulation_or_another(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"simulation\.json is missing"):
        World.load(tmp_path)
    simulate(SMALL, tmp_path)
    path = tmp_path / "_simulation.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"probe": [value * 1.01 for value in manifest["probe"]]}))
    with pytest.raises(ValueError, match="draws another world from seed 2"):
        World.load(tmp_path)
    path.write_text(json.dumps(manifest | {"config": {"rows": 5, "sed": 1}}))
    with pytest.raises(ValueError, match="did you mean 'seed'"):
        World.load(tmp_path)
    path.write_text("{")
    with pytest.raises(ValueError, match="not a simulation that this version reads"):
        World.load(tmp_path)


def test_an_earlier_simulation_is_replaced_only_on_request(tmp_path: Path) -> None:
    simulate(SMALL.model_copy(update={"rows": 250_001, "history_length": 1}), tmp_path)
    with pytest.raises(FileExistsError, match=r"holds an earlier simulation.*overwrite=True"):
        simulate(SMALL, tmp_path)
    assert len(listing(tmp_path)) == 3
    simulate(SMALL, tmp_path, overwrite=True)
    assert listing(tmp_path) == ["_simulation.json", "part-00000.parquet"]
    assert pq.read_table(tmp_path / "part-00000.parquet").equals(log_table(SMALL))


@pytest.mark.parametrize("name", ["notes.txt", "part-00000.parquet"])
def test_foreign_files_are_never_touched(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("mine")
    with pytest.raises(FileExistsError, match=f"holds '{name}', which is not from a simulation"):
        simulate(SMALL, tmp_path, overwrite=True)
    assert (tmp_path / name).read_text() == "mine"
    with pytest.raises(NotADirectoryError, match="is a file"):
        simulate(SMALL, tmp_path / name)


def test_a_failure_leaves_the_earlier_simulation_as_it_was(tmp_path: Path) -> None:
    simulate(SMALL, tmp_path)

    def fail(rows: int) -> None:
        raise RuntimeError(f"stopped at {rows}")

    with pytest.raises(RuntimeError, match="stopped at"):
        simulate(SMALL.model_copy(update={"seed": 9}), tmp_path, overwrite=True, progress=fail)
    assert listing(tmp_path) == ["_simulation.json", "part-00000.parquet"]
    assert World.load(tmp_path).config == SMALL
    assert pq.read_table(tmp_path / "part-00000.parquet").equals(log_table(SMALL))
