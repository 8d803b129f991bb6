"""Imported before any test module: `ranker` must be imported before TensorFlow, so that Keras 2 is chosen."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import ranker  # noqa: F401
from ranker.artifact import Artifact
from ranker.cluster.session import Cluster, ClusterError, cluster_at
from tests import warm_python as warm
from tests.artifacts import shop_log, written


@pytest.fixture(scope="session")
def shared(tmp_path_factory) -> Path:
    """A folder that all processes of one run of pytest have in common."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def warm_python(shared) -> Iterator[list[str]]:
    """The start of a command line, in place of ``python``, for commands of training: they begin at once."""
    with warm.warm_python(shared) as command:
        yield command


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
def cluster() -> Iterator[Cluster]:
    """A Ray of two processors for all tests, since starting it takes seconds; ``auto`` is its address."""
    with ExitStack() as stack:
        for left in (2, 1, 0):
            try:
                found = stack.enter_context(cluster_at("local"))
                break
            except ClusterError:  # Ray gives its processes half a minute, which a busy machine may exceed
                if not left:
                    raise
        yield found._replace(cpus=2.0)


@pytest.fixture(scope="session")
def write_artifact() -> Callable[..., Artifact]:
    return written
