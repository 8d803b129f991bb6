"""DataFrames of tests as files of a log."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from training.data.stored_table import stored

_FOLDER = TemporaryDirectory(prefix="ranker-tests-")
"""Removed when the tests end."""


def file_of(frame: pd.DataFrame) -> Path:
    """A Parquet file that holds the frame; a column that Parquet cannot hold is an error."""
    return stored(frame, Path(_FOLDER.name), [str(name) for name in frame.columns], print)
