"""Imported before any test module: `ranker` must be imported before TensorFlow, so that Keras 2 is chosen."""

from collections.abc import Callable

import pytest

import ranker  # noqa: F401
from ranker.artifact import Artifact
from tests.artifacts import shop_log, written


@pytest.fixture(scope="session")
def artifact(tmp_path_factory) -> Artifact:
    return written(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="session")
def shop(tmp_path_factory) -> Artifact:
    return written(
        tmp_path_factory.mktemp("shop"),
        **shop_log(),
        fusion={
            "name": "expression",
            "options": {"formula": "click + 0.01 * coalesce(length, 3)"},
            "rules": {"special": {"kind": "boost", "where": 'sku == "sku-0003-é" or shelf == 2', "add": 1.0}},
        },
    )


@pytest.fixture(scope="session")
def write_artifact() -> Callable[..., Artifact]:
    return written
