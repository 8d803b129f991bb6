"""What tests of several commands share."""

import pytest

from ranker.artifact import Artifact
from tests.training.off_policy.service import artifact_in


@pytest.fixture(scope="session")
def exploring(tmp_path_factory) -> Artifact:
    """A version whose fusions explore; its folder is not written to."""
    return artifact_in(tmp_path_factory.mktemp("exploring"))
