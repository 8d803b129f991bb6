import pytest

from ranker.artifact import Artifact
from tests.training.days import config, rows
from training.commands.fit import fit


@pytest.fixture(scope="session")
def first(tmp_path_factory) -> Artifact:
    """Of a day with items a, b, c and d."""
    return fit(config(), rows(1, "aabcd", 0), output=tmp_path_factory.mktemp("first"), progress=False).export()
