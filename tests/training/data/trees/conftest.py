from copy import deepcopy

import pytest

from tests.training.conftest import QUICK, Trained, trained_once

TREES = deepcopy(QUICK) | {"trees": {"rounds": 6, "leaves": 6, "folds": 3}}
TREES["schema"]["context"]["history"] = {"kind": "sequence", "shares": "item_id", "max_length": 5}
TREES["schema"]["label_statistics"] = {"of": ["user_id", ["user_id", "item_id"]], "fold_by": "date"}
TREES["training"]["epochs"] = 1


@pytest.fixture(scope="session")
def with_trees(log, shared, tmp_path_factory) -> Trained:
    """Of ``TREES``: three tasks' trees beside a small network, on folds of days."""
    return trained_once("with-trees", TREES, log, shared, tmp_path_factory.mktemp("with-trees"))
