import pyarrow as pa
import pytest

from training.simulator import SimulatorConfig, World, impressions

CONFIG = SimulatorConfig(rows=120_000, seed=3, users=2_000, items=1_000, authors=100, days=5)


@pytest.fixture(scope="session")
def world() -> World:
    return World(CONFIG)


@pytest.fixture(scope="session")
def log(world: World) -> pa.Table:
    return pa.concat_tables(impressions(world)).combine_chunks()
