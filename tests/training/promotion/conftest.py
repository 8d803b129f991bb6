"""An old version, a log of the day after, and rows that versions scored."""

import numpy as np
import pandas as pd
import pytest

from ranker.artifact import Artifact
from ranker.log_files.log_reader import Log
from tests.training.promotion.linear import fitted, simulated
from tests.training.stored import file_of
from training.progress_listener import no_progress
from training.promotion.rows import PairedRows, paired_rows, read_columns


@pytest.fixture(scope="session")
def past() -> pd.DataFrame:
    return simulated(500, seed=0)


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    """Of two days after: 8,000 rows."""
    return simulated(800, seed=1, day=2)


@pytest.fixture(scope="session")
def old(past, tmp_path_factory) -> Artifact:
    return fitted(tmp_path_factory.mktemp("old"), past)


@pytest.fixture(scope="session")
def equal(past, tmp_path_factory) -> Artifact:
    """As the old version, but of another seed: other weights to begin with, another part of the rows."""
    return fitted(tmp_path_factory.mktemp("equal"), past, seed=1)


@pytest.fixture(scope="session")
def paired():
    """Rows of a frame that two versions scored."""

    def made(new: Artifact, old: Artifact, frame: pd.DataFrame, group_by: str | None = "request", by=()) -> PairedRows:
        log = Log([file_of(frame)])
        columns, optional = read_columns(new, old, [*by, *([group_by] if group_by else [])])
        chunks = ((chunk, np.ones(chunk.rows, dtype=bool)) for chunk in log.chunks(columns, optional))
        return paired_rows(new, old, chunks, group_by, by, no_progress)

    return made
